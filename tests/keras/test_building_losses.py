"""Losses that are built: the usual ones, those that are said, and those that are not for the targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mercury_keras.losses import WeightedBinaryCrossentropy

from mercury_core.errors import FitError
from tests.keras.building_parts import (
    NUMBERS,
    ROWS,
    TRUTH,
    WORDS,
    K,
    L,
    Subclassed,
    ending,
    one,
    own_loss,
    trained,
)

# --- the loss that goes with the targets ---


@pytest.mark.parametrize(
    ("targets", "loss", "task", "units"),
    [
        ({"y": WORDS}, "SparseCategoricalCrossentropy", "multiclass", 3),
        ({"y": TRUTH}, "BinaryCrossentropy", "binary", 1),
        ({"p": TRUTH, "q": ~TRUTH}, "BinaryCrossentropy", "multilabel", 2),
        ({"y": NUMBERS}, "MeanSquaredError", "regression", 1),
        ({"u": NUMBERS, "v": NUMBERS}, "MeanSquaredError", "regression", 2),
    ],
)
def test_the_usual_loss(targets: Any, loss: str, task: str, units: int) -> None:
    model, output = one(targets)
    assert (type(model.loss).__name__, output.task, output.units) == (loss, task, units)
    assert (output.logits, output.one_hot) == (False, False)
    assert type(model.optimizer).__name__ == "Adam"
    assert np.isfinite(trained(targets)["loss"])


@pytest.mark.parametrize(
    ("targets", "units", "activation", "logits", "from_logits"),
    [
        (TRUTH, 1, "sigmoid", False, False),
        (TRUTH, 1, None, True, True),
        (TRUTH, 2, "softmax", False, False),
        (TRUTH, 2, None, True, True),
        (WORDS, 3, "softmax", False, False),
        (WORDS, 3, None, True, True),
        (NUMBERS, 1, None, False, None),
    ],
)
def test_logits_are_told_by_the_last_activation(
    targets: Any, units: int, activation: Any, logits: bool, from_logits: Any
) -> None:
    model, output = one({"y": targets}, model=ending(units, activation))
    assert (output.logits, output.units) == (logits, units)
    assert getattr(model.loss, "from_logits", None) == from_logits
    history = trained({"y": targets}, model=ending(units, activation), metrics=["accuracy"] if units > 1 else None)
    assert np.isfinite(list(history.values())).all()


def layered(inputs: Any, outputs: Any) -> Any:
    return K.Sequential([L.Input(inputs[0].shape), L.Dense(outputs[0].units), L.Softmax()])


def nested(inputs: Any) -> Any:
    taken = L.Input(inputs[0].shape)
    return K.Model(taken, K.Sequential([L.Input((3,)), L.Dense(3, activation="softmax")])(taken))


def functional(inputs: Any) -> Any:
    taken = L.Input(inputs[0].shape)
    return K.Model(taken, K.ops.softmax(L.Dense(3)(taken)))


@pytest.mark.parametrize(
    "model", [layered, nested, functional, Subclassed, lambda: K.Sequential([L.Dense(3, activation="softmax")])]
)
def test_a_softmax_is_found_wherever_it_is(model: Any) -> None:
    made, output = one({"y": WORDS}, model=model)
    assert not output.logits
    assert made.loss.from_logits is False
    assert np.isfinite(trained({"y": WORDS}, model=model)["loss"])


def test_what_cannot_be_seen_is_told_by_the_loss() -> None:
    spec = {"use": Subclassed, "activation": None}
    logits = {"use": "SparseCategoricalCrossentropy", "from_logits": True}
    assert one({"y": WORDS}, model=spec, loss=logits)[1].logits
    assert one({"y": WORDS}, model=spec, loss=K.losses.SparseCategoricalCrossentropy(from_logits=True))[1].logits
    assert not one({"y": WORDS}, model=spec)[1].logits


# --- a loss that is said ---


@pytest.mark.parametrize(
    ("targets", "loss", "one_hot"),
    [
        ({"y": WORDS}, "categorical_crossentropy", True),
        ({"y": WORDS}, {"use": "CategoricalFocalCrossentropy", "gamma": 3.0}, True),
        ({"y": WORDS}, "kl_divergence", True),
        ({"y": WORDS}, "sparse_categorical_crossentropy", False),
        ({"y": WORDS}, "crossentropy", False),
        ({"y": TRUTH}, "binary_focal_crossentropy", False),
        ({"y": TRUTH}, {"class_name": "BinaryCrossentropy", "config": {"label_smoothing": 0.1}}, False),
        ({"y": TRUTH}, "sparse_categorical_crossentropy", False),
        ({"p": TRUTH, "q": ~TRUTH}, "bce", False),
        ({"y": NUMBERS}, "huber", False),
    ],
)
def test_a_loss_by_name(targets: Any, loss: Any, one_hot: bool) -> None:
    _, output = one(targets, loss=loss)
    assert output.one_hot is one_hot
    assert np.isfinite(trained(targets, loss=loss)["loss"])


def test_hinge_takes_scores() -> None:
    _, output = one({"y": TRUTH}, model=ending(1), loss="hinge")
    assert output.logits
    assert one({"y": TRUTH}, model=ending(1, "tanh"), loss="squared_hinge")[1].logits
    with pytest.raises(FitError, match=r"the loss Hinge takes scores around 0, and the model ends in sigmoid"):
        one({"y": TRUTH}, model=ending(1, "sigmoid"), loss="hinge")


def test_a_loss_of_ones_own_takes_anything() -> None:
    model, _ = one({"y": TRUTH}, loss=own_loss)
    assert model.loss is own_loss
    assert trained({"y": TRUTH}, loss=own_loss)["loss"] > 0


def test_balanced_weights_come_from_the_targets() -> None:
    rare = np.arange(ROWS) < 3
    model, _ = one({"p": rare, "q": TRUTH}, loss="weighted_binary_crossentropy")
    assert isinstance(model.loss, WeightedBinaryCrossentropy)
    np.testing.assert_allclose(model.loss.positive, [ROWS / 6, ROWS / 16])
    np.testing.assert_allclose(model.loss.negative, [ROWS / 42, ROWS / 32])
    assert one({"y": rare}, loss="weighted_binary_crossentropy")[0].loss.positive == [ROWS / 6]
    assert np.isfinite(trained({"p": rare, "q": TRUTH}, loss="weighted_binary_crossentropy")["loss"])


@pytest.mark.parametrize(
    ("targets", "settings", "said"),
    [
        (
            WORDS,
            {"loss": "binary_crossentropy"},
            r"the loss BinaryCrossentropy is not for a target of 3 classes \(y\)\. Expected sparse_cat",
        ),
        (WORDS, {"loss": "mse"}, r"the loss MeanSquaredError is not for a target of 3 classes"),
        (WORDS, {"loss": "ctc"}, r"the loss CTC is not for a target of 3 classes"),
        (
            TRUTH,
            {"loss": "mse"},
            r"MeanSquaredError is not for a target of two classes \(y\)\. Expected binary_crossentropy",
        ),
        (
            NUMBERS,
            {"loss": "bce", "task": "regression"},
            r"BinaryCrossentropy takes numbers from 0 to 1, and the targets go from -",
        ),
        (NUMBERS, {"loss": "poisson"}, r"Poisson takes numbers from 0 upwards, and the targets go from -"),
        (
            TRUTH,
            {"model": ending(1), "loss": "sparse_categorical_crossentropy"},
            r"gives 1 number a row, and the target 'y' needs 2, for the classes False, True",
        ),
        (
            TRUTH,
            {"model": ending(2, "softmax"), "loss": "binary_crossentropy"},
            r"not for a target of two classes, of which the model gives 2 numbers",
        ),
        (
            WORDS,
            {"model": ending(3, "softmax"), "loss": {"use": "SparseCategoricalCrossentropy", "from_logits": True}},
            r"told from_logits: true, and the model gives probabilities, by softmax",
        ),
        (
            WORDS,
            {"model": ending(3), "loss": K.losses.SparseCategoricalCrossentropy()},
            r"told from_logits: false, and the model gives logits",
        ),
        (
            WORDS,
            {"model": ending(3), "loss": "kl_divergence"},
            r"KLDivergence takes probabilities, and the model gives logits\. End it in softmax",
        ),
        (
            TRUTH,
            {"model": ending(1, "tanh")},
            r"it ends in tanh, and the loss BinaryCrossentropy takes probabilities\. End it in sigmoid",
        ),
        (
            np.zeros(ROWS, bool),
            {"task": "multilabel", "loss": "weighted_binary_crossentropy"},
            r"balanced, and no row has the label 'y'",
        ),
        (
            np.ones(ROWS, bool),
            {"task": "multilabel", "loss": "weighted_binary_crossentropy"},
            r"balanced, and every row has the label 'y'",
        ),
        (
            TRUTH,
            {"loss": {"use": "weighted_binary_crossentropy", "positive": [1.0, 2.0]}},
            r"positive has 2 weights, and the targets are 1",
        ),
    ],
)
def test_a_loss_that_is_not_for_the_targets(targets: Any, settings: Any, said: str) -> None:
    with pytest.raises(FitError, match=said) as raised:
        one({"y": targets}, **settings)
    assert str(raised.value).startswith("Cannot fit my model: ")


def test_counts_are_learnt_by_a_model_that_gives_none_below_0() -> None:
    counts, model = {"y": np.arange(ROWS, dtype="float64")}, {"use": "keras.mlp", "output_activation": "softplus"}
    assert np.isfinite(trained(counts, model=model, loss="poisson")["loss"])
    with pytest.raises(FitError, match=r"Poisson takes predictions above 0, and the model may give others\. End it in"):
        one(counts, loss="poisson")


def test_numbers_from_0_to_1_may_be_learnt_by_cross_entropy() -> None:
    shares = 1 / (1 + np.exp(-NUMBERS))
    assert np.isfinite(trained({"y": shares}, task="regression", loss="bce", model=ending(1, "sigmoid"))["loss"])
    assert one({"y": shares}, task="regression", loss="bce", model=ending(1))[0].loss.from_logits is True

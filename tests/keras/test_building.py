"""Models that are built, compiled and held against the data."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from mercury_keras.backend import keras
from mercury_keras.building import BuildSettings, build, check
from mercury_keras.images.spec import with_spec
from mercury_keras.inputs import input_specs
from mercury_keras.losses import WeightedBinaryCrossentropy
from mercury_keras.specs import ImageSpec, InputSpec, OutputSpec
from mercury_keras.targets import encode, output_specs

from mercury_core.data import DataWrapper
from mercury_core.errors import ArgumentsError, FitError

if TYPE_CHECKING:
    from pathlib import Path

K = keras()
L = K.layers
RNG = np.random.default_rng(7)
ROWS = 24
X = DataWrapper(RNG.normal(size=(ROWS, 3)).astype("float32"), ["a", "b", "c"])
WORDS = np.array(["A", "B", "C"])[np.arange(ROWS) % 3]
NUMBERS = RNG.normal(size=ROWS)
TRUTH = WORDS == "A"


def built(
    targets: Any, features: DataWrapper = X, *, model: Any = "keras.mlp", **settings: Any
) -> tuple[Any, tuple[InputSpec, ...], tuple[OutputSpec, ...]]:
    targets = DataWrapper(targets)
    if settings.keys() & {"config", "bundle"}:
        model = None
    given = BuildSettings(model=model, **settings)
    outputs = output_specs(targets, task=given.task, loss=given.loss, outputs=given.outputs, what="my model")
    return build(given, input_specs(features), outputs, targets, "my model")


def one(targets: Any, **settings: Any) -> tuple[Any, OutputSpec]:
    model, _, (output,) = built(targets, **settings)
    return model, output


def trained(targets: Any, features: DataWrapper = X, **settings: Any) -> dict[str, float]:
    """The first value of everything in the history of one epoch."""
    model, _, outputs = built(targets, features, **settings)
    encoded = {output.name: encode(DataWrapper(targets), output) for output in outputs}
    rows = features.to("numpy").underlying
    history = model.fit(rows, encoded if len(outputs) > 1 else encoded[outputs[0].name], epochs=1, verbose=0).history
    return {name: values[0] for name, values in history.items()}


def ending(units: int, activation: Any = None) -> Any:
    """A function that makes a model of one layer."""

    def make(input_shape: tuple[int, ...]) -> Any:
        return K.Sequential([L.Input(input_shape), L.Dense(units, activation=activation)])

    return make


def loss_of(model: Any) -> str:
    return type(model.loss).__name__


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
    assert (loss_of(model), output.task, output.units) == (loss, task, units)
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


class Subclassed(K.Model):  # type: ignore[misc, name-defined]
    def __init__(self, units: int = 3, activation: Any = "softmax") -> None:
        super().__init__()
        self.out = L.Dense(units, activation=activation)

    def call(self, rows: Any) -> Any:
        return self.out(rows)


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


def own_loss(y_true: Any, y_pred: Any) -> Any:
    return K.ops.mean(K.ops.abs(y_true - y_pred), axis=-1)


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
            NUMBERS,
            {"loss": "sparse_categorical_crossentropy", "task": "regression"},
            r"is not for targets that are numbers \(y\)\. Expected mean_sq",
        ),
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


# --- a model that does not fit the data ---


@pytest.mark.parametrize(
    ("targets", "model", "said"),
    [
        (
            {"y": WORDS},
            ending(4, "softmax"),
            r"it gives 4 numbers a row, and the target 'y' needs 3, for the classes A, B, C",
        ),
        ({"y": WORDS}, ending(1, "sigmoid"), r"it gives 1 number a row, and the target 'y' needs 3"),
        (
            {"y": TRUTH},
            ending(3, "softmax"),
            r"gives 3 numbers a row, and the target 'y' needs 1 or 2, for the classes False, True",
        ),
        ({"y": NUMBERS}, ending(2), r"gives 2 numbers a row, and the target 'y' needs 1"),
        ({"p": TRUTH, "q": TRUTH}, ending(3, "sigmoid"), r"gives 3 numbers a row, and the targets 'p', 'q' need 2"),
        ({"y": WORDS}, ending(3, "sigmoid"), r"ends in sigmoid, and the target 'y' is of labels\. End it in softmax"),
        ({"y": WORDS}, ending(3, "relu"), r"ends in relu, and the target 'y' is of labels"),
        (
            {"y": TRUTH},
            ending(1, "softmax"),
            r"ends in softmax, and a softmax of one unit is always 1\. End it in sigmoid",
        ),
        (
            {"p": TRUTH, "q": TRUTH},
            ending(2, "softmax"),
            r"ends in softmax, and the labels of a row do not exclude one another",
        ),
        (
            {"y": NUMBERS},
            ending(1, "sigmoid"),
            r"ends in sigmoid, which gives numbers from 0 to 1, and the target 'y' reaches from -",
        ),
        ({"y": NUMBERS}, ending(1, "relu"), r"ends in relu, which gives numbers from 0 upwards"),
        ({"y": NUMBERS * 5, "z": NUMBERS}, ending(2, "tanh"), r"from -1 to 1, and the targets 'y', 'z' reach from -"),
        (
            {"y": WORDS},
            lambda: K.Sequential([L.Input((3,)), L.Reshape((3, 1)), L.Dense(3)]),
            r"it gives 3 × 3 a row\. Expected 3, for the classes A, B, C in one dim",
        ),
        (
            {"y": WORDS},
            lambda: K.Sequential([L.Input((5,)), L.Dense(3)]),
            r"it takes 5 a row, and there are 3 feature columns of numbers",
        ),
        ({"y": WORDS}, lambda: K.Sequential([L.Conv2D(3, 3)]), r"it refuses a row of table 3: "),
        ({"y": WORDS}, lambda: 3, r"the function gives int\. Expected a Keras model"),
        ({"y": WORDS}, lambda: 1 / 0, r"it cannot be made: division by zero"),
    ],
)
def test_a_model_that_does_not_fit(targets: Any, model: Any, said: str) -> None:
    with pytest.raises(FitError, match=said) as raised:
        built(targets, model=model)
    assert str(raised.value).startswith("Cannot fit my model: ")


def test_whole_numbers_that_are_places_may_leave_some_out() -> None:
    labels = {"y": np.arange(ROWS) % 7}
    assert one(labels, task="multiclass", model=ending(10, "softmax"))[1].classes == tuple(range(10))
    assert one(labels, task="multiclass")[1].classes == tuple(range(7))
    with pytest.raises(FitError, match=r"gives 5 numbers a row, and the target 'y' needs 7, for the classes 0, 1, 2"):
        one(labels, task="multiclass", model=ending(5, "softmax"))


# --- several inputs and outputs ---


def with_image() -> DataWrapper:
    table = pa.table({"photo": ["a.png"] * ROWS, "age": np.arange(ROWS, dtype="float32")})
    field = with_spec(table.schema.field("photo"), ImageSpec(4, 4, "grayscale"))
    return DataWrapper(table.cast(pa.schema([field, table.schema.field("age")])))


def beside(names: tuple[str, str] = ("table", "photo"), shape: tuple[int, ...] = (4, 4, 1)) -> Any:
    def make() -> Any:
        table, photo = L.Input((1,), name=names[0]), L.Input(shape, name=names[1])
        return K.Model([photo, table], L.Dense(1)(L.Concatenate()([table, L.Flatten()(photo)])))

    return make


def test_images_beside_a_table() -> None:
    model, inputs, _ = built({"y": NUMBERS}, with_image(), model=beside())
    assert [spec.name for spec in inputs] == ["table", "photo"]
    rows = {"table": np.zeros((2, 1), "float32"), "photo": np.zeros((2, 4, 4, 1), "float32")}
    assert tuple(model.predict_on_batch(rows).shape) == (2, 1)
    ready, _, _ = built({"y": WORDS}, with_image(), model={"use": "keras.convnet", "filters": [2]})
    assert [tensor.name for tensor in ready.inputs] == ["table", "photo"]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            beside(("table", "foto")),
            r"it takes the inputs foto, table, and the features make table 1, photo 4 × 4 × 1.*Did you mean 'photo'\?",
        ),
        (
            beside(shape=(8, 8, 3)),
            r"it takes 8 × 8 × 3 a row, and the images of 'photo' are 4 × 4 × 1\. Change image_size or color_mode",
        ),
        (ending(1), r"it cannot be made|it takes the input"),
    ],
)
def test_inputs_that_do_not_fit(model: Any, said: str) -> None:
    with pytest.raises(FitError, match=said):
        built({"y": NUMBERS}, with_image(), model=model)


def two_headed(names: tuple[str, str] = ("kind", "size"), as_dict: bool = False) -> Any:
    def make(input_shape: tuple[int, ...]) -> Any:
        taken = L.Input(input_shape)
        heads = [L.Dense(3, activation="softmax", name=names[0])(taken), L.Dense(1, name=names[1])(taken)]
        return K.Model(taken, dict(zip(names, heads, strict=True)) if as_dict else heads)

    return make


class TwoHeaded(K.Model):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.kind, self.size = L.Dense(3, activation="softmax"), L.Dense(1)

    def call(self, rows: Any) -> Any:
        return {"kind": self.kind(rows), "size": self.size(rows)}


BOTH = {"kind": WORDS, "size": NUMBERS}


@pytest.mark.parametrize("model", ["keras.mlp", two_headed(), two_headed(as_dict=True), TwoHeaded])
def test_several_outputs_by_the_names_of_the_targets(model: Any) -> None:
    _, _, outputs = built(BOTH, model=model)
    assert [(output.name, output.task) for output in outputs] == [("kind", "multiclass"), ("size", "regression")]
    history = trained(BOTH, model=model, metrics={"kind": ["accuracy"], "size": ["mae"]}, loss={"size": "huber"})
    assert {"kind_accuracy", "size_mae", "kind_loss", "size_loss", "loss"} == set(history)


def test_several_outputs_by_names_of_their_own() -> None:
    settings = {"model": two_headed(("first", "second")), "outputs": {"second": ["size"], "first": ["kind"]}}
    assert np.isfinite(trained(BOTH, **settings)["loss"])


def test_targets_of_one_kind_are_split_where_the_model_has_outputs_of_their_names() -> None:
    numbers = {"u": NUMBERS, "v": NUMBERS * 2}

    def make(input_shape: Any) -> Any:
        taken = L.Input(input_shape)
        return K.Model(taken, [L.Dense(1, name="v")(taken), L.Dense(1, name="u")(taken)])

    _, _, outputs = built(numbers, model=make)
    assert [(output.name, output.targets) for output in outputs] == [("v", ("v",)), ("u", ("u",))]
    assert np.isfinite(trained(numbers, model=make)["loss"])


def test_weights_of_losses() -> None:
    plain = trained(BOTH, model=two_headed(), loss_weights={"size": 0.0})
    assert plain["loss"] == pytest.approx(plain["kind_loss"], rel=1e-5)
    with pytest.raises(FitError, match=r"loss_weights names the output 'siez', which is none of kind, size.*'size'"):
        built(BOTH, model=two_headed(), loss_weights={"siez": 0.0})


@pytest.mark.parametrize(
    ("targets", "settings", "said"),
    [
        (
            BOTH,
            {"model": two_headed(("kind", "weight"))},
            r"it has the outputs kind, weight, and the targets are for kind, size",
        ),
        (BOTH, {"model": ending(3)}, r"it has the output 1, |it has the output .*, and the targets are for kind, size"),
        (
            {"y": WORDS},
            {"model": two_headed()},
            r"it has 2 outputs: kind, size\. Say with outputs .* outputs: \{kind: \[y\]\}",
        ),
        (
            BOTH,
            {"model": two_headed(), "loss": {"kind": "mse"}},
            r"MeanSquaredError is not for a target of 3 classes \(kind\)",
        ),
        (
            BOTH,
            {"model": two_headed(), "loss": {"knd": "bce", "size": "mse"}},
            r"loss names the output 'knd', .* Did you mean 'kind'\?",
        ),
        (BOTH, {"model": two_headed(), "metrics": {"knd": "auc"}}, r"metrics names the output 'knd'"),
        ({"kind": TRUTH, "size": NUMBERS}, {"model": two_headed()}, r"its output 'kind' gives 3 numbers a row"),
    ],
)
def test_outputs_that_do_not_fit(targets: Any, settings: Any, said: str) -> None:
    with pytest.raises(FitError, match=said):
        built(targets, **settings)


# --- metrics ---


@pytest.mark.parametrize(
    ("targets", "settings", "names"),
    [
        (
            {"y": WORDS},
            {"metrics": ["accuracy", {"use": "SparseTopKCategoricalAccuracy", "k": 2, "name": "top2"}]},
            {"accuracy", "top2"},
        ),
        (
            {"y": WORDS},
            {"metrics": ["AUC", "precision", "F1Score", "categorical_accuracy"]},
            {"AUC", "precision", "F1Score", "categorical_accuracy"},
        ),
        ({"y": WORDS}, {"metrics": "crossentropy", "loss": "categorical_crossentropy"}, {"crossentropy"}),
        (
            {"y": TRUTH},
            {"metrics": ["acc", "auc", "recall", "f1_score", "mse"]},
            {"acc", "auc", "recall", "f1_score", "mse"},
        ),
        ({"p": TRUTH, "q": ~TRUTH}, {"metrics": ["acc", "AUC", "F1Score"]}, {"acc", "AUC", "F1Score"}),
        ({"y": NUMBERS}, {"metrics": ["mae", "R2Score", "huber", own_loss]}, {"mae", "R2Score", "huber", "own_loss"}),
        ({"y": TRUTH}, {"metrics": ["auc"], "weighted_metrics": ["acc"]}, {"auc", "acc"}),
    ],
)
def test_metrics_stand_in_the_history_by_the_names_they_are_given(targets: Any, settings: Any, names: set[str]) -> None:
    history = trained(targets, **settings)
    assert set(history) == {"loss", *names}
    assert all(np.ndim(value) == 0 for value in history.values())


def test_metrics_of_several_classes_make_the_loss_take_columns() -> None:
    assert one({"y": WORDS}, metrics=["auc"])[1].one_hot
    assert not one({"y": WORDS}, metrics=["accuracy"])[1].one_hot
    with pytest.raises(
        FitError, match=r"the metric AUC takes labels as one column a class, and the loss takes their places"
    ):
        one({"y": WORDS}, metrics=["auc"], loss="sparse_categorical_crossentropy")


def test_metrics_on_logits_are_those_on_probabilities() -> None:
    """Both models give the same: one as logits, the other as probabilities of them."""
    rows = X.to("numpy").underlying
    names = ["accuracy", "auc", "precision", "recall", "binary_accuracy", "crossentropy", "true_positives"]
    weights = [np.array([[1.0], [-1.0], [0.5]], "float32"), np.array([0.1], "float32")]
    found = []
    for activation in (None, "sigmoid"):
        model, output = one({"y": TRUTH}, model=ending(1, activation), metrics=names)
        model.set_weights(weights)
        found.append(model.evaluate(rows, encode(DataWrapper({"y": TRUTH}), output), verbose=0, return_dict=True))
    assert found[0] == pytest.approx(found[1], rel=1e-3)


@pytest.mark.parametrize(
    ("targets", "settings", "said"),
    [
        (NUMBERS, {"metrics": ["accuracy"]}, r"the metric accuracy is of labels, and the targets are numbers"),
        (NUMBERS, {"metrics": ["auc"]}, r"the metric AUC is not for numbers \(y\)\. Choose mean_absolute_error"),
        (
            WORDS,
            {"metrics": ["mae"]},
            r"the metric MeanAbsoluteError is not for multiclass labels \(y\)\. Choose accuracy",
        ),
        (WORDS, {"metrics": ["binary_accuracy"]}, r"BinaryAccuracy is not for multiclass"),
        (TRUTH, {"metrics": ["sparse_categorical_accuracy"]}, r"SparseCategoricalAccuracy is not for binary labels"),
        (
            TRUTH,
            {"model": ending(1), "metrics": ["F1Score"]},
            r"F1Score takes probabilities, and the model gives logits",
        ),
        (
            WORDS,
            {"metrics": ["sparse_categorical_accuracy"], "loss": "categorical_crossentropy"},
            r"is not for multiclass",
        ),
    ],
)
def test_metrics_that_would_mean_nothing(targets: Any, settings: Any, said: str) -> None:
    with pytest.raises(FitError, match=said):
        one({"y": targets}, **settings)


# --- the optimizer ---


@pytest.mark.parametrize(
    ("settings", "name", "rate"),
    [
        ({}, "Adam", 0.001),
        ({"optimizer": "sgd"}, "SGD", 0.01),
        ({"optimizer": "sgd", "learning_rate": 0.5}, "SGD", 0.5),
        ({"optimizer": {"use": "SGD", "momentum": 0.9}, "learning_rate": 0.5}, "SGD", 0.5),
        ({"optimizer": {"class_name": "SGD", "config": {"momentum": 0.9}}, "learning_rate": 0.5}, "SGD", 0.5),
        ({"optimizer": K.optimizers.SGD(0.1), "learning_rate": 0.5}, "SGD", 0.5),
        (
            {
                "learning_rate": {
                    "use": "ExponentialDecay",
                    "initial_learning_rate": 0.25,
                    "decay_steps": 1,
                    "decay_rate": 0.5,
                }
            },
            "Adam",
            0.25,
        ),
        (
            {
                "optimizer": {"class_name": "SGD", "config": {}},
                "learning_rate": K.optimizers.schedules.CosineDecay(0.25, 9),
            },
            "SGD",
            0.25,
        ),
    ],
)
def test_an_optimizer_and_its_learning_rate(settings: Any, name: str, rate: float) -> None:
    optimizer = one({"y": NUMBERS}, **settings)[0].optimizer
    assert type(optimizer).__name__ == name
    assert float(optimizer.learning_rate) == pytest.approx(rate)


def test_what_a_function_compiles_with_holds_where_nothing_else_is_said() -> None:
    def make(inputs: Any, outputs: Any) -> Any:
        model = ending(outputs[0].units, "softmax")(inputs[0].shape)
        model.compile(K.optimizers.SGD(0.3), "categorical_crossentropy", metrics=["acc"])
        return model

    model, output = one({"y": WORDS}, model=make)
    assert (type(model.optimizer).__name__, output.one_hot) == ("SGD", True)
    assert set(trained({"y": WORDS}, model=make)) == {"loss", "acc"}
    other, output = one({"y": WORDS}, model=make, loss="sparse_categorical_crossentropy", optimizer="adam")
    assert (type(other.optimizer).__name__, output.one_hot) == ("Adam", False)

    def heads(input_shape: Any) -> Any:
        model = two_headed()(input_shape)
        model.compile("sgd", ["categorical_crossentropy", "huber"], metrics=[["acc"], ["mae"]])
        return model

    assert set(trained(BOTH, model=heads)) == {"loss", "kind_loss", "size_loss", "kind_acc", "size_mae"}


# --- JSON, mixed precision, what is trained ---


def test_keras_own_json(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(ending(3, "softmax")((3,)).to_json())
    model, output = one({"y": WORDS}, config=path)
    assert (output.units, output.logits) == (3, False)
    compiled = ending(3, "softmax")((3,))
    compiled.compile("sgd", "categorical_crossentropy")
    path.write_text(compiled.to_json())
    model, output = one({"y": WORDS}, config=path)
    assert (type(model.optimizer).__name__, output.one_hot) == ("SGD", True)


def test_json_runs_no_code(tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(K.Sequential([L.Input((3,)), L.Lambda(lambda rows: rows)]).to_json())
    with pytest.raises(FitError, match=r"makes no model: .*Lambda"):
        one({"y": NUMBERS}, config=path)
    path.write_text(
        json.dumps({"class_name": "Dense", "module": "keras.layers", "config": {"units": 3}, "registered_name": None})
    )
    with pytest.raises(FitError, match=r"describes Dense\. Expected a model"):
        one({"y": NUMBERS}, config=path)


@pytest.mark.parametrize(("policy", "name"), [(True, "mixed_bfloat16"), ("mixed_float16", "mixed_float16")])
def test_mixed_precision(policy: Any, name: str, tmp_path: Path) -> None:
    before = K.config.dtype_policy().name
    model, _ = one({"y": WORDS}, mixed_precision=policy)
    assert {layer.dtype_policy.name for layer in model.layers[:-1]} == {name}
    assert model.layers[-1].dtype_policy.name == "float32"
    assert {weight.dtype for weight in model.weights} == {"float32"}
    assert (type(model.optimizer).__name__ == "LossScaleOptimizer") is (policy == "mixed_float16")
    assert K.config.dtype_policy().name == before
    path = tmp_path / "model.json"
    path.write_text(one({"y": WORDS})[0].to_json())
    from_json, _ = one({"y": WORDS}, config=path, mixed_precision=policy)
    assert [layer.dtype_policy.name for layer in from_json.layers] == [*[name] * (len(from_json.layers) - 1), "float32"]
    assert np.isfinite(trained({"y": WORDS}, config=path, mixed_precision=policy)["loss"])


def based() -> Any:
    base = K.Sequential([L.Input((3,)), L.Dense(4, name="low"), L.Dense(4, name="high")], name="base")
    taken = L.Input((3,))
    return K.Model(taken, L.Dense(3, activation="softmax", name="head")(base(taken)))


@pytest.mark.parametrize(
    ("trainable", "expected"),
    [
        ("all", {"low", "high", "head"}),
        ("last", {"head"}),
        (["head", "high"], {"high", "head"}),
        (["base"], {"low", "high"}),
    ],
)
def test_what_is_trained(trainable: Any, expected: set[str]) -> None:
    model, _ = one({"y": WORDS}, model=based, trainable=trainable)
    assert {weight.path.split("/")[-2] for weight in model.trainable_weights} == expected


def test_a_function_that_froze_layers_keeps_them_so() -> None:
    def frozen() -> Any:
        model = based()
        model.get_layer("base").trainable = False
        return model

    model, _ = one({"y": WORDS}, model=frozen)
    assert {weight.path.split("/")[-2] for weight in model.trainable_weights} == {"head"}
    sub, _ = one({"y": WORDS}, model=Subclassed, trainable="last")
    assert len(sub.trainable_weights) == 2
    with pytest.raises(FitError, match=r"trainable names the layer 'hihg', .* Did you mean 'high'"):
        one({"y": WORDS}, model=based, trainable=["hihg"])


# --- before any data ---


@pytest.mark.parametrize(
    ("settings", "path", "said"),
    [
        ({}, (), "No model is named: say model (keras.mlp, keras.convnet, module:function), config or bundle."),
        ({"model": "keras.mlp", "bundle": "b"}, ("bundle",), "model and bundle are given, and each says which model"),
        ({"model": "keras.mpl"}, ("model",), "There is no model 'keras.mpl'. Did you mean 'keras.mlp'?"),
        ({"model": {"use": "keras.convent"}}, ("model", "use"), "Did you mean 'keras.convnet'?"),
        ({"model": {"hidden_units": [3]}}, ("model",), "A model as a mapping needs 'use'"),
        (
            {"model": {"use": "keras.mlp", "hidden": [3]}},
            ("model", "hidden"),
            "The provider 'keras.mlp' has no parameter 'hidden'",
        ),
        (
            {"model": {"use": "keras.mlp", "dropout": "some"}},
            ("model", "dropout"),
            "'dropout' of 'keras.mlp' must be float",
        ),
        ({"model": "no.module:f"}, ("model",), "leads nowhere"),
        ({"model": 3}, ("model",), "3 is no function that makes a model."),
        ({"config": "nowhere.json"}, ("config",), "There is no file nowhere.json"),
        ({"bundle": "nowhere"}, ("bundle",), "There is no bundle at nowhere"),
        ({"model": "keras.mlp", "loss": "binary_crosentropy"}, ("loss",), "Did you mean 'BinaryCrossentropy'"),
        ({"model": "keras.mlp", "loss": {"kind": "msee"}}, ("loss", "kind"), "Keras has no loss 'msee'"),
        ({"model": "keras.mlp", "optimizer": "adamm"}, ("optimizer",), "Did you mean 'Adam'"),
        (
            {"model": "keras.mlp", "learning_rate": 0},
            ("learning_rate",),
            "learning_rate is 0: expected a number above 0.",
        ),
        ({"model": "keras.mlp", "learning_rate": True}, ("learning_rate",), "learning_rate is True"),
        ({"model": "keras.mlp", "learning_rate": "Cosine"}, ("learning_rate",), "Did you mean 'CosineDecay'"),
        (
            {"model": "keras.mlp", "learning_rate": 0.1, "optimizer": {"use": "sgd", "learning_rate": 0.2}},
            ("learning_rate",),
            "given here and to the optimizer as well",
        ),
        ({"model": "keras.mlp", "metrics": ["acc", "acuracy"]}, ("metrics", 1), "Keras has no metric 'acuracy'"),
        ({"model": "keras.mlp", "metrics": {"kind": ["auk"]}}, ("metrics", "kind", 0), "Did you mean 'AUC'"),
        ({"model": "keras.mlp", "weighted_metrics": "auk"}, ("weighted_metrics",), "Did you mean 'AUC'"),
        ({"model": "keras.mlp", "mixed_precision": "float16"}, ("mixed_precision",), "Did you mean 'mixed_float16'"),
        (
            {"model": "keras.mlp", "mixed_precision": 16},
            ("mixed_precision",),
            "mixed_precision is 16: expected true, false or",
        ),
        (
            {"model": "keras.mlp", "trainable": "some"},
            ("trainable",),
            "trainable is 'some': expected all, last, or a list",
        ),
        ({"model": "keras.mlp", "trainable": []}, ("trainable",), "trainable is []"),
    ],
)
def test_settings_that_are_wrong_by_themselves(settings: Any, path: tuple[Any, ...], said: str) -> None:
    (fault,) = check(BuildSettings(**settings))
    assert fault.path == path
    assert said in fault.message
    with pytest.raises(ArgumentsError):
        build(BuildSettings(**settings), [InputSpec("table", ("a",))], [OutputSpec("output", "regression", ("y",))])


def test_settings_that_are_right_have_no_faults(tmp_path: Path) -> None:
    whole = BuildSettings(
        model={"use": "keras.mlp", "hidden_units": [8], "dropout": 0.5},
        loss="crossentropy",
        optimizer={"use": "SGD", "momentum": 0.9},
        learning_rate={"use": "CosineDecay", "initial_learning_rate": 0.1, "decay_steps": 10},
        metrics=["accuracy", "AUC", {"use": "F1Score", "average": "micro"}, "huber"],
        mixed_precision="mixed_bfloat16",
    )
    assert check(whole) == []
    assert check(replace(whole, model=ending(3), metrics={"output": "acc"})) == []
    for content in ("{", "[]", '{"class_name": "Sequential"}'):
        (tmp_path / "model.json").write_text(content)
        (fault,) = check(BuildSettings(config=tmp_path / "model.json"))
        assert fault.path == ("config",)

"""Metrics and optimizers that are built."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mercury_keras.targets import encode

from mercury_core.data import DataWrapper
from mercury_core.errors import FitError
from tests.keras.building_parts import (
    BOTH,
    NUMBERS,
    TRUTH,
    WORDS,
    K,
    X,
    ending,
    one,
    own_loss,
    trained,
    two_headed,
)

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

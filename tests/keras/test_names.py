"""Keras's objects by Keras's names, and everything that is wrong with what is written for them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from mercury_keras.backend import keras
from mercury_keras.names import class_of, create, make, names_of

from mercury_core.errors import ArgumentsError

K = keras()


def made(kind: Any, item: Any, **options: Any) -> Any:
    result, faults = make(kind, item, **options)
    assert not faults
    return result


@pytest.mark.parametrize(
    ("kind", "item", "name"),
    [
        ("optimizer", "adam", "Adam"),
        ("optimizer", "Adam", "Adam"),
        ("optimizer", {"use": "sgd", "momentum": 0.9}, "SGD"),
        ("optimizer", {"class_name": "RMSprop", "config": {"rho": 0.8}}, "RMSprop"),
        ("loss", "mse", "MeanSquaredError"),
        ("loss", "kl_divergence", "KLDivergence"),
        ("loss", "weighted_binary_crossentropy", "WeightedBinaryCrossentropy"),
        ("loss", "mercury_keras.losses:WeightedBinaryCrossentropy", "WeightedBinaryCrossentropy"),
        ("metric", "AUC", "AUC"),
        ("metric", {"use": "precision_at_recall", "recall": 0.5}, "PrecisionAtRecall"),
        ("callback", "early_stopping", "EarlyStopping"),
        ("callback", {"use": "CSVLogger", "filename": "log.csv"}, "CSVLogger"),
        ("schedule", {"use": "CosineDecay", "initial_learning_rate": 0.1, "decay_steps": 5}, "CosineDecay"),
        ("layer", {"use": "RandomFlip", "mode": "horizontal", "name": "flip"}, "RandomFlip"),
        ("layer", "keras.layers:Flatten", "Flatten"),
        ("regularizer", {"use": "l1_l2", "l1": 0.1}, "L1L2"),
        ("initializer", "he_normal", "HeNormal"),
        ("constraint", {"use": "max_norm", "max_value": 2}, "MaxNorm"),
    ],
)
def test_names_make_objects(kind: Any, item: Any, name: str) -> None:
    assert type(made(kind, item)).__name__ == name
    assert create(kind, item) is not create(kind, item)


@pytest.mark.parametrize("kind", ["optimizer", "loss", "metric", "callback", "schedule", "layer"])
def test_every_name_leads_to_its_class(kind: Any) -> None:
    assert len(names_of(kind)) > 5
    for name in names_of(kind):
        assert class_of(kind, name) is class_of(kind, {"use": name}) is class_of(kind, {"class_name": name})
        assert class_of(kind, name) is not None


@pytest.mark.parametrize(
    ("kind", "item"),
    [
        ("optimizer", K.optimizers.SGD(0.5, momentum=0.9)),
        ("optimizer", K.optimizers.Adam(K.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5))),
        ("loss", K.losses.Huber(delta=2.0)),
        ("metric", K.metrics.TopKCategoricalAccuracy(k=3)),
        ("layer", K.layers.RandomRotation(0.2, fill_mode="nearest")),
        ("schedule", K.optimizers.schedules.CosineDecay(0.1, 10)),
    ],
)
def test_keras_own_serialised_form_comes_back(kind: Any, item: Any) -> None:
    form = K.saving.serialize_keras_object(item)
    back = made(kind, form)
    assert type(back) is type(item)
    assert K.saving.serialize_keras_object(back) == form
    assert made(kind, back) is back


def test_objects_in_parameters() -> None:
    optimizer = made(
        "optimizer",
        {
            "use": "SGD",
            "learning_rate": {
                "use": "InverseTimeDecay",
                "initial_learning_rate": 1.0,
                "decay_steps": 1,
                "decay_rate": 1.0,
            },
        },
    )
    assert float(optimizer.learning_rate) == 1.0
    assert type(optimizer._learning_rate).__name__ == "InverseTimeDecay"
    dense = made("layer", {"use": "Dense", "units": 3, "kernel_regularizer": {"use": "L2", "l2": 0.25}})
    assert dense.kernel_regularizer.get_config() == {"l2": 0.25}
    pipeline = made("layer", {"use": "Pipeline", "layers": [{"use": "RandomFlip"}, "keras.layers:Flatten"]})
    assert type(pipeline.layers[0]).__name__ == "RandomFlip"


def test_more_holds_where_the_item_does_not_say_and_the_object_takes_it() -> None:
    assert made("loss", "bce", more={"from_logits": True, "nothing": 1}).from_logits is True
    assert made("loss", {"use": "bce", "from_logits": False}, more={"from_logits": True}).from_logits is False
    assert made("loss", "mse", more={"from_logits": True}).name == "mean_squared_error"
    assert made("metric", "MeanIoU", more={"num_classes": 3}).num_classes == 3  # which it needs


@pytest.mark.parametrize(
    ("kind", "item", "path", "said"),
    [
        ("optimizer", "adamm", (), r"Keras has no optimizer 'adamm'\. Did you mean 'Adam'"),
        ("optimizer", "xyzzy", (), r"Keras has no optimizer 'xyzzy'\. It has: Adadelta, Adafactor, Adagrad"),
        ("loss", {"use": "binary_crosentropy"}, ("use",), r"Keras has no loss .* Did you mean 'BinaryCrossentropy'"),
        ("callback", "early_stoping", (), r"Did you mean 'EarlyStopping'\?"),
        ("callback", {"class_name": "EarlyStop", "config": {}}, ("class_name",), r"Did you mean 'EarlyStopping'\?"),
        ("layer", "RandomFlipp", (), r"Did you mean 'RandomFlip'"),
        ("metric", "mean", (), r"Keras has no metric 'mean'"),
        (
            "optimizer",
            {"use": "adam", "lerning_rate": 1},
            ("lerning_rate",),
            r"Adam has no parameter .* 'learning_rate'\?",
        ),
        ("optimizer", {"use": "adam", "beta": 1}, ("beta",), r"Adam has no parameter 'beta'\. Did you mean 'beta_"),
        (
            "optimizer",
            {"use": "adam", "learning_rate": "fast"},
            ("learning_rate",),
            r"must be a number: got the text 'fast'",
        ),
        (
            "callback",
            {"use": "EarlyStopping", "patience": "5"},
            ("patience",),
            r"patience of EarlyStopping must be a number",
        ),
        (
            "callback",
            {"use": "ReduceLROnPlateau", "factor": 2.0},
            (),
            r"ReduceLROnPlateau cannot be made: .*factor >= 1",
        ),
        ("callback", "CSVLogger", (), r"CSVLogger needs the parameter 'filename'\."),
        (
            "layer",
            {"use": "RandomFlip", "mod": "x"},
            ("mod",),
            r"RandomFlip has no parameter 'mod'\. Did you mean 'mode'\?",
        ),
        ("layer", {"class_name": "Dense", "config": {"unit": 3}}, ("config", "unit"), r"Did you mean 'units'\?"),
        ("schedule", "cosine", (), r"Did you mean 'CosineDecay'"),
        (
            "optimizer",
            {"use": "SGD", "learning_rate": {"use": "CosineDecay", "initial_learning_rate": 0.1}},
            ("learning_rate",),
            r"CosineDecay needs the parameter 'decay_steps'\.",
        ),
        (
            "optimizer",
            {"use": "SGD", "learning_rate": {"use": "Cosine", "decay_steps": 1}},
            ("learning_rate", "use"),
            r"Keras has no schedule 'Cosine'\. Did you mean 'CosineDecay'",
        ),
        ("layer", {"use": "Dense", "units": {"use": "L2"}}, ("units",), r"units takes no object of Keras's"),
        ("optimizer", 3, (), r"3 is no optimizer: expected a name of Keras's"),
        ("optimizer", None, (), r"None is no optimizer"),
        ("loss", {"name": "mse"}, (), r"is no loss: expected a name"),
        ("optimizer", {"use": 3}, ("use",), r"3 is no name of an optimizer"),
        ("loss", {"use": 3}, ("use",), r"3 is no name of a loss"),
        ("metric", {"class_name": 3}, (), r"serialised form is \{class_name: NAME"),
        ("callback", "no.such.module:Thing", (), r"leads nowhere"),
        ("callback", "os:nothing", (), r"leads nowhere: os has no 'nothing'"),
        ("callback", "os:getcwd", (), r"getcwd gives str, and not Callback of Keras"),
        ("callback", "os:sep", (), r"leads nowhere: it names a value of type str"),
        ("callback", {"use": "LearningRateScheduler", "schedule": "os:nothing"}, ("schedule",), r"leads nowhere"),
        ("callback", "keras.layers:Flatten", (), r"Flatten gives Flatten, and not Callback of Keras"),
    ],
)
def test_what_is_wrong(kind: Any, item: Any, path: tuple[Any, ...], said: str) -> None:
    result, faults = make(kind, item, at=("here",))
    assert result is None
    assert faults[0].path == ("here", *path)
    assert re.search(said, faults[0].message), faults[0].message
    with pytest.raises(ArgumentsError, match=said):
        create(kind, item)


def test_every_fault_is_found() -> None:
    _, faults = make("layer", {"use": "Dense", "unit": 3, "kernel_regularizer": {"use": "L3"}})
    assert [fault.path for fault in faults] == [("unit",), (), ("kernel_regularizer", "use")]


def test_no_code_of_a_config_is_run() -> None:
    lambda_layer = K.saving.serialize_keras_object(K.layers.Lambda(lambda rows: rows + 1))
    _, faults = make("layer", lambda_layer)
    assert "Lambda" in faults[0].message
    foreign = {"module": "subprocess", "class_name": "Popen", "config": {"args": ["true"]}, "registered_name": None}
    for kind in ("layer", "callback", "optimizer"):
        assert "has no" in make(kind, foreign)[1][0].message  # type: ignore[arg-type]


# --- one's own ---


def own_loss(y_true: Any, y_pred: Any) -> Any:
    return K.ops.mean(K.ops.abs(y_true - y_pred), axis=-1)


def own_scaled(y_true: Any, y_pred: Any, factor: float = 1.0) -> Any:
    return factor * own_loss(y_true, y_pred)


def own_maker(delta: float = 1.0) -> Any:
    return K.losses.BinaryCrossentropy(label_smoothing=delta)


class Own(K.callbacks.Callback):  # type: ignore[misc, name-defined]
    def __init__(self, label: str) -> None:
        super().__init__()
        self.label = label


def test_ones_own_functions_and_classes() -> None:
    assert made("loss", own_loss) is own_loss
    assert made("loss", {"use": own_maker, "delta": 0.25}).label_smoothing == 0.25
    y_true, y_pred = np.zeros((2, 1), "float32"), np.ones((2, 1), "float32")
    bound = made("loss", {"use": own_scaled, "factor": 4.0})
    assert np.asarray(K.ops.convert_to_numpy(bound(y_true, y_pred))).tolist() == [4.0, 4.0]
    assert bound.__name__ == "own_scaled"
    metric = made("metric", {"use": own_scaled, "factor": 2.0})
    metric.update_state(y_true, y_pred)
    assert (float(metric.result()), metric.name) == (2.0, "own_scaled")
    assert made("callback", {"use": Own, "label": "x"}).label == "x"


@pytest.mark.parametrize(
    ("kind", "item", "said"),
    [
        ("loss", {"use": own_scaled, "facter": 4.0}, "own_scaled has no parameter 'facter'. Did you mean 'factor'?"),
        ("callback", {"use": Own}, "Own needs the parameter 'label'."),
        ("callback", {"use": Own, "lable": "x", "label": "y"}, "Own has no parameter 'lable'. Did you mean 'label'?"),
    ],
)
def test_parameters_of_ones_own(kind: Any, item: Any, said: str) -> None:
    assert said in [fault.message for fault in make(kind, item)[1]]

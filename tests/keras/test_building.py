"""Settings of a build: Keras's JSON, mixed precision, what is trained, and what is wrong before any data."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mercury_keras.building import BuildSettings, build, check
from mercury_keras.specs import InputSpec, OutputSpec

from mercury_core.errors import ArgumentsError, FitError
from tests.keras.building_parts import (
    NUMBERS,
    WORDS,
    K,
    L,
    Subclassed,
    ending,
    one,
    trained,
)

if TYPE_CHECKING:
    from pathlib import Path

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
    with pytest.raises(ArgumentsError, match=r"model\.json holds a Lambda layer, whose code lies in the file; .* Make"):
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


def mlp(**params: Any) -> dict[str, Any]:
    return {"model": {"use": "keras.mlp", **params}}


def convnet(**params: Any) -> dict[str, Any]:
    return {"model": {"use": "keras.convnet", **params}}


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
        (mlp(hidden_units="ab"), ("model", "hidden_units"), "must be Sequence[int]: got str"),
        (mlp(hidden_units=[8, -3]), ("model", "hidden_units", 1), "hidden_units is [8, -3]: expected whole numbers"),
        (mlp(dropout=1), ("model", "dropout"), "dropout is 1: expected a share from 0 to less than 1."),
        (mlp(l2=-0.1), ("model", "l2"), "l2 is -0.1: expected 0 or more."),
        (mlp(activation="rellu"), ("model", "activation"), "Keras has no activation 'rellu'. Did you mean 'relu'"),
        (mlp(output_activation="x"), ("model", "output_activation"), "Keras has no activation 'x'. It has: celu, elu"),
        (convnet(kernel_size=0), ("model", "kernel_size"), "kernel_size is 0: expected whole numbers from 1 upwards."),
        (convnet(pooling="mean"), ("model", "pooling"), "must be 'flatten' or 'average' or 'max': not 'mean'."),
        (
            {"model": "keras.mlp", "task": "multiclass", "loss": {"use": "mse"}},
            ("loss",),
            "The loss MeanSquaredError is not for task: multiclass; it is for regression.",
        ),
        ({"model": "keras.mlp", "task": "regression", "loss": "CTC"}, ("loss",), "no task that is trained here has it"),
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

"""What the tests of building share: data, and models that are built for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from mercury_keras.backend import keras
from mercury_keras.building import BuildSettings, build
from mercury_keras.inputs import input_specs
from mercury_keras.targets import encode, output_specs

from mercury_core.data import DataWrapper

if TYPE_CHECKING:
    from mercury_keras.specs import InputSpec, OutputSpec

K = keras()
L = K.layers
RNG = np.random.default_rng(7)
ROWS = 24
X = DataWrapper(RNG.normal(size=(ROWS, 3)).astype("float32"), ["a", "b", "c"])
WORDS = np.array(["A", "B", "C"])[np.arange(ROWS) % 3]
NUMBERS = RNG.normal(size=ROWS)
TRUTH = WORDS == "A"
BOTH = {"kind": WORDS, "size": NUMBERS}


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


class Subclassed(K.Model):  # type: ignore[misc, name-defined]
    def __init__(self, units: int = 3, activation: Any = "softmax") -> None:
        super().__init__()
        self.out = L.Dense(units, activation=activation)

    def call(self, rows: Any) -> Any:
        return self.out(rows)


def two_headed(names: tuple[str, str] = ("kind", "size"), as_dict: bool = False) -> Any:
    def make(input_shape: tuple[int, ...]) -> Any:
        taken = L.Input(input_shape)
        heads = [L.Dense(3, activation="softmax", name=names[0])(taken), L.Dense(1, name=names[1])(taken)]
        return K.Model(taken, dict(zip(names, heads, strict=True)) if as_dict else heads)

    return make


def own_loss(y_true: Any, y_pred: Any) -> Any:
    return K.ops.mean(K.ops.abs(y_true - y_pred), axis=-1)

"""A small training that tests watch, break and kill."""

from __future__ import annotations

from typing import Any

import numpy as np
from mercury_keras import backend
from mercury_keras.batches import batches
from mercury_keras.specs import InputSpec

from mercury_core.data import DataWrapper

keras = backend.keras()

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 3)).astype("float32")
Y = (X.sum(axis=1, keepdims=True) + RNG.normal(size=(48, 1)) > 0).astype("float32")
INPUTS = [InputSpec("table", ("a", "b", "c"))]


def rows(x: Any = X, y: Any = Y, *, shuffle: bool = True) -> Any:
    features = DataWrapper(x, ["a", "b", "c"])
    return batches(features, INPUTS, targets=y, batch_size=8, shuffle=shuffle, seed=5)


def made(optimizer: Any = None, loss: str = "binary_crossentropy", **params: Any) -> Any:
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(6, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer or keras.optimizers.Adam(0.01), loss, metrics=["accuracy"], **params)
    return model


class Watching(keras.callbacks.Callback):
    """What it saw: how many batches, and the weights after each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0
        self.weights: list[Any] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.weights.append(self.model.get_weights())


class KilledError(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


class Killing(keras.callbacks.Callback):
    """Kills in the second batch of an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch, self.now = epoch, -1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.now = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 1 and self.now == self.epoch:
            raise KilledError


def same(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))

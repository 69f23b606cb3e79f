"""Training on TensorFlow, whose loop, generators and feeding are its own: what differs from torch."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mercury_keras import backend
from mercury_keras.fit import fit

from mercury_core.data import DataBunch, DataSet, DataWrapper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

keras = backend.keras()

X = np.random.default_rng(0).normal(size=(40, 2)).astype("float32")
TOLD: dict[str, Any] = {
    "model": {"use": "keras.mlp", "hidden_units": [4], "dropout": 0.3},
    "batch_size": 8,
    "epochs": 4,
    "seed": 3,
}


def bunch(**targets: Any) -> DataBunch:
    features = DataWrapper(X, ["a", "b"])
    train = DataSet({"features": features, "targets": targets or {"y": X.sum(axis=1)}})
    return DataBunch({"train": train, "valid": train})


def same(one: Any, other: Any) -> bool:
    pairs = zip(one.underlying.get_weights(), other.underlying.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


class Doing(keras.callbacks.Callback):  # type: ignore[misc]
    """Does something after the second batch of the third epoch."""

    def __init__(self, what: Any) -> None:
        super().__init__()
        self.what = what

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (self.epoch, batch) == (2, 1):
            self.what()


@pytest.fixture(autouse=True)
def _as_python_has_it() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_training_that_was_killed_goes_on_with_dropout(tmp_path: Path) -> None:
    class KilledError(BaseException):
        """Nothing catches it, as nothing catches SIGKILL."""

    def kill() -> None:
        raise KilledError

    whole = fit(bunch(), **TOLD)
    with pytest.raises(KilledError):
        fit(bunch(), **TOLD, callbacks=[Doing(kill)], backup=tmp_path)
    resumed = fit(bunch(), **TOLD, callbacks=[Doing(lambda: None)], backup=tmp_path)
    assert resumed.training["resumed_at"] == 3
    assert resumed.training["history"] == whole.training["history"]
    assert same(resumed, whole)
    assert same(whole, fit(bunch(), **TOLD))


def test_ctrl_c_ends_training() -> None:
    with pytest.warns(UserWarning, match="Training was interrupted after 2 of 4 epochs"):
        model = fit(bunch(), **TOLD, callbacks=[Doing(lambda: os.kill(os.getpid(), signal.SIGINT))], return_best=True)
    assert (model.training["stopped"], model.training["epochs"]) == ("interrupted", 2)
    assert model.predict(bunch()["valid"]).values.num_rows == 40


def test_classes_of_several_outputs_are_weighed() -> None:
    data = bunch(kind=np.where(X[:, 0] > 1, "rare", "common"), size=X[:, 1])
    told = {**TOLD, "outputs": {"kind": ["kind"], "size": ["size"]}, "epochs": 1, "shuffle": False, "batch_size": 40}
    weighed, plain = (
        fit(data, **told, class_weight=each).training["history"] for each in ({"kind": {"rare": 9}}, None)
    )
    assert weighed["kind_loss"][0] > plain["kind_loss"][0]
    assert weighed["size_loss"] == plain["size_loss"]


def test_tensorboard_writes_beside_the_workflow(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    fit(bunch(), **{**TOLD, "epochs": 2}, callbacks=["TensorBoard", "EarlyStopping"], directory=tmp_path)
    found = {path.parent.name for path in (tmp_path / "logs").rglob("events.out.*")}
    assert found == {"train", "validation"}

"""Ctrl-C while a model is trained: training ends, what was learnt is kept, and the run goes on and says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mercury_keras import backend
from mercury_keras.fit import fit
from mercury_keras.interrupt import noting_ctrl_c

from mercury_core.data import DataBunch, DataSet, DataWrapper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

keras = backend.keras()

X = np.random.default_rng(0).normal(size=(40, 2)).astype("float32")
Y = X.sum(axis=1)
TOLD = {"model": {"use": "keras.mlp", "hidden_units": [4]}, "batch_size": 8, "epochs": 6, "seed": 3}

SIGNALS = """
import os
import signal
import keras

class Signals(keras.callbacks.Callback):
    def __init__(self, times):
        super().__init__()
        self.times = times

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.epoch, batch) == (2, 1):
            for _ in range(self.times):
                os.kill(os.getpid(), signal.SIGINT)
"""

WORKFLOW = """
read:
  train: {use: csv, source: data.csv, roles: {targets: [y]}}
  valid: {use: csv, source: data.csv, roles: {targets: [y]}}
fit:
  use: keras.fit
  model: {use: keras.mlp, hidden_units: [4]}
  batch_size: 8
  epochs: 6
  seed: 3
  return_best: true
  backup: state
  callbacks: [{use: "signals:Signals", times: TIMES}]
save: {use: keras.native, path: model}
"""


def run(directory: Path, times: int) -> tuple[int, str, dict[str, Any]]:
    """Run the workflow in a process of its own: its exit status, what it said, its record."""
    (directory / "signals.py").write_text(SIGNALS)
    (directory / "workflow.yaml").write_text(WORKFLOW.replace("TIMES", str(times)))
    np.savetxt(directory / "data.csv", np.column_stack([X, Y]), delimiter=",", header="a,b,y", comments="")
    done = subprocess.run(
        [sys.executable, "-m", "mercury_core", "run", "workflow.yaml"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory)},
        capture_output=True,
        text=True,
        check=False,
    )
    [record] = (directory / "runs").glob("*/run.json")
    return done.returncode, done.stdout + done.stderr, json.loads(record.read_text())


def test_one_ctrl_c_ends_training_and_the_run_goes_on(tmp_path: Path) -> None:
    status, said, record = run(tmp_path, 1)
    assert status == 0, said
    assert record["status"] == "succeeded"
    training = next(step["result"]["training"] for step in record["steps"] if step["verb"] == "fit")
    assert training["stopped"] == "interrupted"
    assert training["epochs"] == 2
    assert training["best_epoch"] == 1 + int(np.argmin(training["history"]["val_loss"]))
    expected = "Training was interrupted after 2 of 6 epochs: the best weights are kept, and its backup"
    assert any(warning["message"].startswith(expected) for warning in record["warnings"])
    assert "Training was interrupted after 2 of 6 epochs" in said
    assert (tmp_path / "model" / "mercury.json").is_file()
    assert (tmp_path / "state" / "state" / "state.json").is_file()


def test_a_second_ctrl_c_ends_the_run(tmp_path: Path) -> None:
    status, _, record = run(tmp_path, 2)
    assert status == 130
    assert record["status"] == "interrupted"
    assert not (tmp_path / "model").exists()
    assert (tmp_path / "state" / "state" / "state.json").is_file()


# --- the same in this process ---


@pytest.fixture(autouse=True)
def _as_python_has_it() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Signalling(keras.callbacks.Callback):  # type: ignore[misc]
    """Sends one SIGINT, when a method is called in an epoch, and keeps the weights of then and of each epoch."""

    def __init__(self, method: str, epoch: int) -> None:
        super().__init__()
        self.method, self.epoch, self.now, self.sent = method, epoch, -1, False
        self.weights: list[Any] = []
        self.last: Any = None
        self.ended = 0

    def may_send(self, method: str) -> None:
        self.last = self.model.get_weights()
        if (method, self.now) == (self.method, self.epoch) and not self.sent:
            self.sent = True
            os.kill(os.getpid(), signal.SIGINT)

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.now = epoch
        self.may_send("epoch begins")

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.may_send("batch")

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.may_send("validation")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.weights.append(self.model.get_weights())
        self.may_send("epoch ends")

    def on_train_end(self, logs: Any = None) -> None:
        self.ended += 1


def bunch() -> DataBunch:
    whole = DataSet({"features": DataWrapper(X, ["a", "b"]), "targets": {"y": Y}})
    return DataBunch({"train": whole, "valid": whole})


def same(one: Any, other: Any) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def interrupted(method: str, epoch: int, **params: Any) -> tuple[Any, Signalling]:
    sending = Signalling(method, epoch)
    with pytest.warns(UserWarning, match="Training was interrupted"):
        model = fit(bunch(), **TOLD, callbacks=[sending], **params)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert model.training["stopped"] == "interrupted"
    assert sending.ended == 1
    return model, sending


@pytest.mark.parametrize(
    ("method", "epoch", "finished"),
    [
        ("epoch begins", 0, 0),
        ("batch", 0, 0),
        ("batch", 2, 2),
        ("validation", 2, 2),
        ("epoch ends", 2, 3),
        ("epoch ends", 5, 6),
    ],
)
def test_only_finished_epochs_count(method: str, epoch: int, finished: int) -> None:
    model, sending = interrupted(method, epoch)
    told = model.training
    assert told["epochs"] == finished
    assert {len(values) for values in told["history"].values()} <= {finished}
    assert ("best_epoch" in told) == (finished > 0)
    assert same(model.underlying.get_weights(), sending.last)
    assert model.predict(bunch()["valid"]).values.num_rows == 40


def test_the_best_weights_of_the_finished_epochs_are_kept() -> None:
    model, sending = interrupted("batch", 4, return_best=True, learning_rate=0.5)
    best = model.training["best_epoch"] - 1
    assert same(model.underlying.get_weights(), sending.weights[best])


def test_without_a_finished_epoch_the_last_weights_are_kept() -> None:
    model, sending = interrupted("batch", 0, return_best=True)
    assert same(model.underlying.get_weights(), sending.last)


def test_what_was_interrupted_goes_on_with_its_backup(tmp_path: Path) -> None:
    interrupted("batch", 3, backup=tmp_path / "state")
    resumed = fit(bunch(), **TOLD, callbacks=[Signalling("never", 0)], backup=tmp_path / "state")
    assert resumed.training["resumed_at"] == 4
    whole = fit(bunch(), **TOLD)
    assert same(resumed.underlying.get_weights(), whole.underlying.get_weights())
    assert resumed.training["history"] == whole.training["history"]


def test_averaged_weights_are_put_in_as_at_the_end() -> None:
    average = {"use": "SGD", "use_ema": True, "ema_momentum": 0.5}
    model, sending = interrupted("batch", 2, optimizer=average)
    assert not same(model.underlying.get_weights(), sending.last)
    assert all(np.isfinite(one).all() for one in model.underlying.get_weights())


def test_a_handler_of_somebody_else_stays() -> None:
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    model = fit(bunch(), **TOLD, callbacks=[Signalling("batch", 1)])
    assert (model.training["stopped"], heard) == ("epochs", [signal.SIGINT])


def test_in_another_thread_nothing_is_handled() -> None:
    told: list[Any] = []

    def train() -> None:
        with noting_ctrl_c() as noted:
            told.append((noted.asked, signal.getsignal(signal.SIGINT)))

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert told == [(False, signal.default_int_handler)]


def test_the_second_signal_is_as_it_always_was() -> None:
    with noting_ctrl_c() as noted:
        signal.raise_signal(signal.SIGINT)
        assert noted.asked
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

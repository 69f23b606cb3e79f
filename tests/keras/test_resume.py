"""A run whose process was killed, twice: run again, it gives what an unbroken one gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
from mercury_keras import backend

from mercury_core.tasks import load_model
from mercury_core.workflow import run_workflow

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

keras = backend.keras()

KILLING = """
import os
import signal
import keras
import numpy

def kill(*args, **named):
    os.kill(os.getpid(), signal.SIGKILL)

class Killing(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
        if os.environ.get("KILL") == f"while {epoch} is written":
            numpy.savez = kill

    def on_train_batch_end(self, batch, logs=None):
        if os.environ.get("KILL") == f"in {self.epoch} after {batch}":
            kill()
"""

WORKFLOW = """
read:
  train: {use: csv, source: data.csv, roles: {targets: [y]}}
  valid: {use: csv, source: data.csv, roles: {targets: [y]}}
fit:
  use: keras.fit
  model: {use: keras.mlp, hidden_units: [6], dropout: 0.3}
  optimizer: {use: SGD, momentum: 0.9}
  learning_rate: 0.05
  metrics: [accuracy]
  class_weight: balanced
  batch_size: 8
  epochs: 8
  seed: 3
  return_best: true
  monitor: val_accuracy
  callbacks:
    - {use: ReduceLROnPlateau, patience: 1, min_delta: 0.3, cooldown: 1}
    - {use: CSVLogger, filename: log.csv}
    - {use: "killing:Killing"}
  directory: PLACE
  backup: PLACE/state
save: {use: keras.native, path: PLACE/model}
"""


def killed(directory: Path, when: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mercury_core", "run", "broken.yaml"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(directory), "KILL": when},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr


def finished(file: Path) -> dict[str, Any]:
    """The training of a run in this process, without what depends on its breaks."""
    record = run_workflow(file, runs=file.parent / "runs")
    content = json.loads((record.directory / "run.json").read_text())
    training = next(step["result"]["training"] for step in content["steps"] if step["verb"] == "fit")
    return {name: value for name, value in training.items() if name != "seconds"}


def test_a_run_that_was_killed_twice_is_as_one_that_was_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(48, 3))
    y = (x.sum(axis=1) + rng.normal(size=48) > 0).astype(float)
    words = np.where(y > 0, "yes", "no")
    lines = [",".join([*map(str, row), word]) for row, word in zip(x, words, strict=True)]
    (tmp_path / "data.csv").write_text("\n".join(["a,b,c,y", *lines]))
    (tmp_path / "killing.py").write_text(KILLING)
    for name in ("broken", "whole"):
        (tmp_path / f"{name}.yaml").write_text(WORKFLOW.replace("PLACE", name))
    state = tmp_path / "broken" / "state" / "state" / "state.json"
    killed(tmp_path, "in 2 after 3")
    assert json.loads(state.read_text())["epoch"] == 2
    killed(tmp_path, "while 4 is written")
    assert json.loads(state.read_text())["epoch"] == 4

    monkeypatch.syspath_prepend(str(tmp_path))
    broken, whole = finished(tmp_path / "broken.yaml"), finished(tmp_path / "whole.yaml")
    assert broken.pop("resumed_at") == 5
    assert broken == whole
    assert len(set(whole["history"]["learning_rate"])) > 1
    assert (tmp_path / "broken" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()
    assert not state.parent.exists()
    weights = [load_model(str(tmp_path / name / "model")).underlying.get_weights() for name in ("broken", "whole")]
    assert all(np.array_equal(one, other) for one, other in zip(*weights, strict=True))

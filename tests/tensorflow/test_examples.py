"""The examples with Keras, each in a process of its own, on torch: as a workflow and as Python."""

from __future__ import annotations

import difflib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"


def example(name: str, into: Path) -> Path:
    """A copy of an example, without what was left by running it where it stands."""
    leave = shutil.ignore_patterns("runs", "models", "store", "out", "images")
    return Path(shutil.copytree(EXAMPLES / name, into / name, ignore=leave))


def run(folder: Path, *words: str) -> str:
    """What a command prints, in a folder, on torch."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("COV_", "KERAS_"))}
    environment = {**kept, "KERAS_BACKEND": "torch", "MERCURY_CACHE_DIR": str(folder / "cache")}
    done = subprocess.run([sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def run_workflow(folder: Path) -> dict[str, Any]:
    said: dict[str, Any] = json.loads(run(folder, "-m", "mercury_core", "run", "workflow.yaml", "--json"))
    assert said["status"] == "succeeded"
    return said


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The example, with its images."""
    folder = example("digits", tmp_path_factory.mktemp("digits"))
    assert run(folder, "make_images.py").startswith("1797 images in ")
    assert len(list((folder / "images").glob("?/*.png"))) == 1797
    return folder


def test_the_digits_are_told_apart(digits: Path) -> None:
    said = run_workflow(digits)
    for part in ("valid", "test"):
        assert said["metrics"][part]["keras.evaluate"]["accuracy"] >= 0.95
    assert len(list((digits / "store/digits").iterdir())) == 1
    record = json.loads((Path(said["directory"]) / "run.json").read_text())
    (training,) = [step["result"]["training"] for step in record["steps"] if step["verb"] == "fit"]
    assert (training["backend"], training["seed"]) == ("torch", 7)
    assert training["history"]["val_loss"][training["best_epoch"] - 1] == min(training["history"]["val_loss"])
    command = ["-m", "mercury_core", "predict", "models/digits", "images", "--to", "out.csv"]
    run(digits, *command)
    lines = [line.replace('"', "").split(",") for line in (digits / "out.csv").read_text().splitlines()]
    assert lines[0] == ["file", "prediction", *(f"score_{digit}" for digit in range(10))]
    assert sum(file[0] == told for file, told, *_ in lines[1:]) > 0.95 * 1797


def test_the_digits_are_told_apart_from_python_with_the_same_result(digits: Path) -> None:
    said = run(digits, "digits.py").splitlines()
    assert said[-1] == f"{digits / 'store/by-python/digits'} predicts 1797 digits"
    accuracy = {line.split()[0]: float(line.split()[-1]) for line in said[:-1]}
    assert min(accuracy["valid"], accuracy["test"]) >= 0.95


def test_the_penguins_need_other_lines_for_fit_and_save_only(tmp_path: Path) -> None:
    before, after = (
        (EXAMPLES / name / "workflow.yaml").read_text().splitlines() for name in ("penguins", "penguins-keras")
    )
    changed = {
        line.split(":")[0].strip()
        for line in difflib.ndiff(before, after)
        if line.startswith("-") and line.strip("- ").strip()
    }
    assert changed == {"-   use", "-   estimator", "-   params", "- save"}
    folder = example("penguins-keras", tmp_path)
    said = run_workflow(folder)
    for part in ("valid", "test"):
        assert said["metrics"][part]["sklearn.accuracy_score"] > 0.95
        assert said["metrics"][part]["sklearn.roc_auc_score"] > 0.98
    command = ["-m", "mercury_core", "predict", "models/penguins", "data/penguins.csv", "--to", "out.csv"]
    assert run(folder, *command).startswith("344 predictions in out.csv")

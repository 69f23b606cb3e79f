"""A model that was fitted is not lost by what comes after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mercury_core.cli import main
from mercury_core.errors import StepFailedError, WorkflowFileError
from mercury_core.tasks import load_model
from mercury_core.workflow import RunRecord, WorkflowRun, check_workflow, keeping, run_workflow

P = "workflow_parts"
BEGINNING = f"""\
read: {{d: {{use: "{P}:table", source: d.txt, roles: {{index: id, features: a, targets: y}}}}}}
transform: [{{use: "{P}:halves", into: {{train: 1, test: 1}}}}, {{use: "{P}:Shift", by: 2.0}}]
"""
FIT = f'fit: {{use: "{P}:mean", add: 0.5}}\n'
TRUSTED = [f"{P}:Shift", f"{P}:mean_format"]
SAVE = f'save: {{use: "{P}:mean_format", path: m, indent: 1, license: MIT, description: a mean}}\n'


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])
    Path("d.txt").write_text("x")
    return tmp_path


def broken(targets: Any, predictions: Any) -> float:
    """A metric with a slip in it."""
    raise AttributeError("no such thing")


def interrupted(targets: Any, predictions: Any) -> float:
    raise KeyboardInterrupt


def failing(text: str, error: type[BaseException] = StepFailedError) -> tuple[RunRecord, BaseException]:
    """Run a workflow that fails: its record, and why."""
    Path("w.yaml").write_text(text)
    job = WorkflowRun(check_workflow("w.yaml"))
    with pytest.raises(error) as caught:
        job.execute()
    assert json.loads((job.record.directory / "run.json").read_text()) == job.record.to_json()
    return job.record, caught.value


@pytest.mark.parametrize(
    ("metric", "error"), [("broken", StepFailedError), ("interrupted", KeyboardInterrupt)], ids=["fails", "Ctrl-C"]
)
def test_a_fitted_model_is_kept_where_evaluate_ends_the_run(metric: str, error: type[BaseException]) -> None:
    good = f'evaluate: [{{metrics: ["{P}:gap"]}}, '
    record, caught = failing(f'{BEGINNING}{FIT}{good}{{metrics: ["{__name__}:{metric}"]}}]\n{SAVE}', error)
    (artifact,) = record.artifacts
    kept = record.directory / "models" / "model"
    assert (artifact["step"], artifact["kind"], artifact["path"]) == ("fit", "model", str(kept))
    assert artifact["sha256"]
    assert artifact["files"]["model/mean.json"]["size"] > 0
    assert [str(kept) in note for note in caught.__notes__] == [True]
    assert not Path("m").exists()
    bundle = load_model(kept, trusted=TRUSTED)
    assert (bundle.run, bundle.license, bundle.description) == (record.run, "MIT", "a mean")
    assert len(bundle.transforms) == 1
    events = [json.loads(line) for line in (record.directory / "events.jsonl").read_text().splitlines()]
    assert [event["path"] for event in events if event["event"] == "model_kept"] == [str(kept)]


def test_what_is_kept_is_loaded_and_goes_on_without_its_training() -> None:
    record, _ = failing(f'{BEGINNING}{FIT}evaluate: {{metrics: ["{__name__}:broken"]}}\n{SAVE}')
    split = f'transform: [{{use: "{P}:halves", into: {{train: 1, test: 1}}}}]'
    kept = json.dumps({"uri": str(record.directory / "models" / "model"), "trusted": TRUSTED})
    again = [BEGINNING.splitlines()[0], split, f"load: {kept}", f'evaluate: {{metrics: ["{P}:gap"]}}', SAVE]
    Path("w.yaml").write_text("\n".join(again))
    assert run_workflow("w.yaml").metrics == {"test": {f"{P}:gap": 1.5}}
    assert load_model("m", trusted=TRUSTED).metrics == {"test": {f"{P}:gap": 1.5}}


def test_the_command_says_where_it_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    Path("w.yaml").write_text(f'{BEGINNING}{FIT}evaluate: {{metrics: ["{__name__}:broken"]}}\n{SAVE}')
    assert main(["run", "w.yaml", "--quiet"]) == 1
    (kept,) = Path.cwd().glob("runs/*/models/model")
    assert f"kept: `load: {kept}` in place of `fit` goes on from there.\n" in capsys.readouterr().err


def test_a_fitted_transform_beside_a_stored_model_is_a_fault() -> None:
    Path("m").mkdir()
    Path("w.yaml").write_text(f'{BEGINNING}load: m\nevaluate: {{metrics: ["{P}:gap"]}}\n')
    with pytest.raises(WorkflowFileError) as caught:
        check_workflow("w.yaml")
    todo = "Leave this one out, or fit a model in place of `load`."
    assert caught.value.faults == (f"w.yaml:2:72: A stored model brings the transforms of its training. {todo}",)


def test_every_model_that_is_not_saved_yet_is_kept_and_no_other() -> None:
    fits = ", ".join(f'{name}: {{use: "{P}:mean"}}' for name in ("first", "second", "third"))
    saves = ", ".join(f'{{use: "{P}:mean_format", path: {name}, model: {name}}}' for name in ("first", "second"))
    text = f"{BEGINNING}fit: {{{fits}}}\nsave: [{saves}]\n"
    Path("w.yaml").write_text(text)
    job = WorkflowRun(check_workflow("w.yaml"))
    Path("second").mkdir()  # since the check
    with pytest.raises(StepFailedError, match="exists already"):
        job.execute()
    assert [each["step"] for each in job.record.artifacts] == ["save.0", "fit.second"]
    assert [path.name for path in (job.record.directory / "models").iterdir()] == ["second"]


def test_what_cannot_be_kept_is_warned_of_and_the_run_fails_by_its_own_error() -> None:
    save = f'save: {{use: "{__name__}:refusing", path: m}}\n'
    with pytest.warns(UserWarning, match=r"^The model 'model' cannot be kept until it is saved: no room$"):
        record, caught = failing(f'{BEGINNING}{FIT}evaluate: {{metrics: ["{__name__}:broken"]}}\n{save}')
    assert "no such thing" in str(caught)
    assert [warning["step"] for warning in record.warnings] == ["evaluate"]
    assert record.artifacts == ()


class Refusing:
    def save(self, model: Any, path: Path) -> Path:
        raise ValueError("no room")

    def load(self, path: Path, *, trusted: Any = ()) -> Any:
        raise AssertionError


refusing = Refusing()


def test_a_run_that_succeeds_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds in (keeping.LONG_SECONDS, -1.0):
        monkeypatch.setattr(keeping, "LONG_SECONDS", seconds)
        Path("w.yaml").write_text(f"{BEGINNING}{FIT}{SAVE.replace('path: m', f'path: m{seconds}')}")
        record = run_workflow("w.yaml")
        assert sorted(path.name for path in record.directory.iterdir()) == ["events.jsonl", "run.json"]


def test_a_model_whose_fit_took_long_survives_a_kill(here: Path) -> None:
    (here / "killer_of_test.py").write_text(
        "import os, signal\ndef kill(targets, predictions):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    (here / "w.yaml").write_text(f'{BEGINNING}{FIT}evaluate: {{metrics: ["killer_of_test:kill"]}}\n{SAVE}')
    code = "from mercury_core.workflow import keeping, run_workflow; keeping.LONG_SECONDS = -1; run_workflow('w.yaml')"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    (directory,) = (here / "runs").iterdir()
    assert load_model(directory / "models" / "model", trusted=TRUSTED).run == directory.name

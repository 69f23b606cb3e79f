from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.errors import StepFailedError, StoreAccessError, WorkflowFileError
from mercury_core.tasks import load_model
from mercury_core.workflow import RunRecord, WorkflowRun, check_workflow, run_workflow
from mercury_core.workflow.watch import Terminated

if TYPE_CHECKING:
    from collections.abc import Callable

P = "workflow_parts"
READ = f'read: {{d: {{use: "{P}:table", source: d.txt, roles: {{index: id, features: a, targets: y}}}}}}\n'
SPLIT = f'{{use: "{P}:halves", into: {{train: 1, test: 1}}}}'
MAIN = f"""\
name: means
{READ}
transform: [{SPLIT}, {{use: "{P}:Shift", by: 2.0}}]
fit: {{use: "{P}:mean", add: 0.5}}
evaluate: {{metrics: ["{P}:gap", {{use: "{P}:gap", name: squared, power: 2}}]}}
save: {{use: "{P}:mean_format", path: models/m}}
copy: {{to: "store/${{run.id}}/m"}}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path, str(Path(__file__).parent)])
    Path("d.txt").write_text("x")
    return tmp_path


def run(text: str, *overrides: str, listener: object | None = None) -> RunRecord:
    Path("w.yaml").write_text(text)
    return run_workflow("w.yaml", overrides, listener=listener)


def started(text: str, listener: object | None = None) -> WorkflowRun:
    Path("w.yaml").write_text(text)
    return WorkflowRun(check_workflow("w.yaml"), listener=listener)


def read_json(record: RunRecord) -> dict[str, Any]:
    def refuse(word: str) -> float:
        raise ValueError(word)

    content: dict[str, Any] = json.loads((record.directory / "run.json").read_text(), parse_constant=refuse)
    return content


def events(record: RunRecord) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (record.directory / "events.jsonl").read_text().splitlines()]


def kinds(record: RunRecord) -> list[str]:
    return [f"{event['event']} {event.get('step', '')}".strip() for event in events(record)]


def test_the_main_job(here: Path) -> None:
    record = run(MAIN)
    assert record.status == "succeeded"
    assert record.metrics == {"test": {f"{P}:gap": 1.5, "squared": 2.25}}
    assert record.directory == here / "runs" / record.run
    model = load_model(here / "models/m", trusted=[f"{P}:mean_format", f"{P}:Shift"])
    assert model.run == record.run
    assert model.metrics == record.metrics
    assert sorted(path.name for path in (here / "store" / record.run / "m").iterdir()) == sorted(
        path.name for path in (here / "models/m").iterdir()
    )


def test_run_json_says_all(here: Path) -> None:
    record = run("vars: {seed: 7}\n" + MAIN.replace("add: 0.5", 'add: "${vars.seed}"'), "fit.add=0.5")
    content = read_json(record)
    assert content == record.to_json()
    assert content["format_version"] == 1
    assert content["name"] == "means"
    assert content["status"] == "succeeded"
    assert content["run"] == record.run
    assert content["directory"] == str(record.directory)
    assert content["started"] < content["finished"]
    assert content["error"] is None
    config = content["config"]
    assert config["file"] == str(here / "w.yaml")
    assert config["written"]["fit"]["add"] == "${vars.seed}"
    assert config["overrides"] == {"fit.add": 0.5}
    assert config["resolved"]["fit"]["add"] == 0.5
    assert config["resolved"]["copy"]["to"] == f"store/{record.run}/m"
    environment = content["environment"]
    assert environment["python"] == ".".join(map(str, sys.version_info[:3]))
    assert environment["seeds"] == {"vars.seed": 7}
    assert {"pyarrow", "mercury_core"} <= set(environment["packages"])
    assert environment["git_commit"] is None
    steps = content["steps"]
    assert [step["step"] for step in steps] == [
        "read.d",
        "transform.0",
        "transform.1",
        "fit",
        "evaluate",
        "save",
        "copy",
    ]
    assert {step["status"] for step in steps} == {"finished"}
    assert all(step["seconds"] >= 0 for step in steps)
    assert steps[0] | {"started": None, "seconds": None} == {
        "step": "read.d",
        "verb": "read",
        "provider": f"{P}:table",
        "status": "finished",
        "started": None,
        "seconds": None,
        "result": {"rows": {"d": 4}},
    }
    assert steps[1]["result"] == {"rows": {"train": 2, "test": 2}}


def test_artifacts_have_the_hashes_of_their_files(here: Path) -> None:
    saved, copied = run(MAIN).artifacts
    assert saved["path"] == str(here / "models/m")
    assert saved["step"] == "save"
    files = {
        path.relative_to(here / "models/m").as_posix() for path in (here / "models/m").rglob("*") if path.is_file()
    }
    assert set(saved["files"]) == files
    for name, proof in saved["files"].items():
        content = (here / "models/m" / name).read_bytes()
        assert proof == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    listed = "".join(f"{saved['files'][name]['sha256']}  {name}\n" for name in sorted(files))
    assert saved["sha256"] == hashlib.sha256(listed.encode()).hexdigest()
    assert saved["size"] == sum(proof["size"] for proof in saved["files"].values())
    assert copied["sha256"] == saved["sha256"]
    assert Path(copied["uri"]).is_dir()


def test_metrics_of_several_models_stand_under_their_names() -> None:
    fit = f'fit: {{low: {{use: "{P}:mean"}}, high: {{use: "{P}:mean", add: 2}}}}\n'
    text = READ + f"transform: {SPLIT}\n" + fit
    record = run(
        text + f'evaluate: {{metrics: "{P}:gap"}}\nsave: {{use: "{P}:mean_format", model: high, path: high}}\n'
    )
    assert record.models == ("low", "high")
    assert record.metrics == {"low": {"test": {f"{P}:gap": 2.0}}, "high": {"test": {f"{P}:gap": 0.0}}}
    assert load_model("high", trusted=[f"{P}:mean_format"]).underlying.number == 3.0
    assert load_model("high", trusted=[f"{P}:mean_format"]).metrics == {"test": {f"{P}:gap": 0.0}}


def test_a_metric_that_fails_names_the_model_where_there_are_several() -> None:
    fit = f'fit: {{low: {{use: "{P}:mean"}}, high: {{use: "{P}:mean", add: 2}}}}\n'
    with pytest.raises(StepFailedError, match=r"numbers below 1 only\. The model is 'high'\.$"):
        run(f'{READ}transform: {SPLIT}\n{fit}evaluate: {{model: high, metrics: "{P}:picky"}}\n')


def test_metrics_of_all_kinds_are_written_as_json() -> None:
    text = (
        READ + f'transform: {SPLIT}\nfit: {{use: "{P}:mean"}}\nevaluate: {{metrics: ["{P}:per_label"], data: test}}\n'
    )
    content = read_json(run(text))
    assert content["metrics"]["test"][f"{P}:per_label"] == {"1": 0.5, "nan": None, "matrix": [[1.0, 0.0], [0.0, 1.0]]}


def test_a_stored_model_is_evaluated_and_copied_again(here: Path) -> None:
    run(MAIN)
    text = f"""\
load: {{uri: models/m, trusted: ["{P}:mean_format", "{P}:Shift"]}}
{READ}
evaluate: {{metrics: ["{P}:gap"]}}
copy: {{to: again/}}
"""
    record = run(text)
    assert record.metrics == {"d": {f"{P}:gap": 1.0}}
    assert (here / "again/m/mercury.json").is_file()
    assert record.artifacts[0]["uri"] == str(here / "again/m")


def test_a_stored_model_finds_the_functions_beside_the_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / "beside_of_test.py").write_text("def same(data_set):\n    return data_set\n")
    run(MAIN.replace(f'"{P}:Shift", by: 2.0', '"beside_of_test:same"'))
    monkeypatch.delitem(sys.modules, "beside_of_test")
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != str(here)])
    text = f'load: {{uri: models/m, trusted: ["{P}:mean_format", "beside_of_test:same"]}}\n{READ}'
    assert run(text + f'evaluate: {{metrics: ["{P}:gap"]}}\n').metrics == {"d": {f"{P}:gap": 1.0}}


def test_a_step_is_known_by_the_key_of_its_provider(here: Path) -> None:
    (here / "d.csv").write_text("a,y\n1,1\n2,3\n")
    text = MAIN.replace(READ, "read: {train: {source: d.csv, roles: {features: a, targets: y}}}\n")
    text = re.sub(r"transform: .*\n", "", text)
    assert [step["provider"] for step in read_json(run(text))["steps"]] == [
        "csv",
        f"{P}:mean",
        f"{P}:gap, {P}:gap",
        f"{P}:mean_format",
        "file",
    ]


def test_what_a_model_tells_of_its_training_is_in_the_record(here: Path) -> None:
    Path("notes.txt").write_text("run of today")
    fit = f'fit: {{use: "{P}:told_mean", notes: notes.txt, title: "${{run.id}}"}}'
    text = MAIN.replace(f'fit: {{use: "{P}:mean", add: 0.5}}', fit.replace("${run.id}", "of ${vars.day}"))
    record = run(f"vars: {{day: today}}\n{text}")
    (step,) = [step for step in read_json(record)["steps"] if step["verb"] == "fit"]
    assert step["result"]["training"] == {"epochs": 2, "history": {"loss": [2.0, None]}}


def test_events_are_written_as_they_happen(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNS_OF_TEST", str(here / "runs"))
    monkeypatch.setenv("SEEN_OF_TEST", str(here / "seen"))
    record = run(READ + f'transform: [{{use: "{P}:same"}}, {{use: "{P}:look"}}]\n')
    seen = [json.loads(line) for line in (here / "seen").read_text().splitlines()]
    assert [event["event"] for event in seen] == ["run_started", *["step_started", "step_finished"] * 2, "step_started"]
    assert seen[-1] | {"time": ""} == {
        "event": "step_started",
        "time": "",
        "step": "transform.1",
        "verb": "transform",
        "provider": f"{P}:look",
    }
    assert kinds(record)[-2:] == ["step_finished transform.1", "run_succeeded"]
    assert [event["time"] for event in events(record)] == sorted(event["time"] for event in events(record))


def test_a_step_that_fails_is_recorded_and_raised_with_its_place_and_cause() -> None:
    text = (
        READ
        + f'transform:\n  - {{use: "{P}:same"}}\n  - {{use: "{P}:fail", password: hunter22}}\n  - {{use: "{P}:same"}}\n'
    )
    job = started(text)
    assert job.record.status == "running"
    with pytest.raises(StepFailedError) as caught:
        job.execute()
    assert caught.value.exit_code == 1
    assert isinstance(caught.value.__cause__, ValueError)
    assert str(caught.value).startswith("w.yaml:4:5: the step transform.1 failed: ")
    content = read_json(job.record)
    assert content == job.record.to_json()
    assert content["status"] == "failed"
    assert content["error"] == {
        "type": "ValueError",
        "message": "w.yaml:4:5: the step transform.1 failed: ValueError: no luck with ***",
    }
    assert [step["status"] for step in content["steps"]] == ["finished", "finished", "failed"]
    assert content["steps"][-1]["error"] == "ValueError: no luck with ***"
    assert kinds(job.record)[-2:] == ["step_failed transform.1", "run_failed"]
    assert "hunter22" not in (job.record.directory / "events.jsonl").read_text()
    assert "hunter22" not in (job.record.directory / "run.json").read_text()


def test_the_exit_code_is_that_of_the_cause() -> None:
    Path("w.yaml").write_text(MAIN)
    job = WorkflowRun(check_workflow("w.yaml"))
    Path("models/m").mkdir(parents=True)  # since the check
    with pytest.raises(StepFailedError, match=r"^w\.yaml:7:1: the step save failed: .*exists already"):
        job.execute()
    assert job.record.status == "failed"
    assert sorted(path.name for path in Path("models").iterdir()) == ["m"]


@pytest.mark.parametrize(("error", "raised"), [("KeyboardInterrupt", KeyboardInterrupt), ("SIGTERM", Terminated)])
def test_an_interrupted_run_says_so_and_raises_on(error: str, raised: type[BaseException]) -> None:
    before = signal.getsignal(signal.SIGTERM)
    job = started(READ + f'transform: [{{use: "{P}:fail", error: {error}}}]\n')
    with pytest.raises(raised) as caught:
        job.execute()
    if raised is Terminated:
        assert caught.value.code == 143
    assert read_json(job.record)["status"] == "interrupted"
    assert [step["status"] for step in job.record.steps] == ["finished", "interrupted"]
    assert kinds(job.record)[-2:] == ["step_interrupted transform.0", "run_interrupted"]
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_was_recorded_survives_a_kill(here: Path) -> None:
    (here / "w.yaml").write_text(READ + f'transform: [{{use: "{P}:same"}}, {{use: "killer_of_test:kill"}}]\n')
    (here / "killer_of_test.py").write_text(
        "import os, signal\ndef kill(data_set):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    code = "from mercury_core.workflow import run_workflow; run_workflow('w.yaml')"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == -signal.SIGKILL
    (directory,) = (here / "runs").iterdir()
    assert json.loads((directory / "run.json").read_text())["status"] == "running"
    lines = [json.loads(line) for line in (directory / "events.jsonl").read_text().splitlines()]
    assert [line["event"] for line in lines] == ["run_started", *["step_started", "step_finished"] * 2, "step_started"]


def test_warnings_are_noted_and_passed_on() -> None:
    shown = warnings.showwarning
    text = READ + f'vars: {{token: hunter22}}\ntransform: {{use: "{P}:warn"}}\n'
    with pytest.warns(UserWarning, match="careful with hunter22"):
        record = run(text)
    assert warnings.showwarning is shown
    (warning,) = record.warnings
    assert warning | {"file": "", "line": 0} == {
        "step": "transform",
        "category": "UserWarning",
        "message": "careful with ***",
        "file": "",
        "line": 0,
    }
    assert "warning transform" in kinds(record)


def test_a_warning_that_the_filters_make_an_error_is_one() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(StepFailedError, match="UserWarning: careful"):
            run(READ + f'transform: {{use: "{P}:warn"}}\n')


class Listener:
    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def hear(**fields: Any) -> None:
            self.heard.append((name, fields))

        return hear


def test_a_listener_hears_of_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, dict[str, Any]]] = []
    monkeypatch.setattr("mercury_core.registry.lifecycle", lambda name, **fields: told.append((name, fields)))
    listener = Listener()
    record = run(MAIN, listener=listener)
    names = [name for name, _ in listener.heard]
    assert names[0] == "run_started"
    assert names[1:3] == ["step_started", "step_finished"]
    assert names[-1] == "run_finished"
    assert "copy_progress" in names
    heard = [(f"mercury_{name}", fields) for name, fields in listener.heard if name != "copy_progress"]
    assert [one for one in told if one[0] != "mercury_copy_progress"] == heard  # of copies the copy engine tells
    fields = dict(listener.heard)
    assert set(fields["run_started"]) == {"run", "config"}
    assert set(fields["step_started"]) == {"run", "step", "verb", "provider"}
    assert set(fields["step_finished"]) == {"run", "step", "seconds", "result"}
    assert set(fields["copy_progress"]) == {"source", "target", "files", "size"}
    assert fields["run_finished"] == {"run": record.run, "record": record.to_json()}


def test_a_listener_hears_of_failure() -> None:
    listener = Listener()
    with pytest.raises(StepFailedError) as caught:
        run(READ + f'transform: {{use: "{P}:fail"}}\n', listener=listener)
    assert [name for name, _ in listener.heard][-2:] == ["step_failed", "run_failed"]
    assert listener.heard[-1][1]["error"] is caught.value
    assert listener.heard[-1][1]["record"]["status"] == "failed"
    assert listener.heard[-2][1]["error"] is caught.value.__cause__


def test_a_listener_that_raises_is_reported_and_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def step_started(self, **_: Any) -> None:
            raise ValueError("not listening")

    with caplog.at_level(logging.WARNING, "mercury_core.workflow"):
        assert run(READ, listener=Broken()).status == "succeeded"
    assert "raised in step_started: ValueError: not listening" in caplog.text


def test_run_ids_are_unique_sort_by_time_and_are_safe_in_paths() -> None:
    Path("w.yaml").write_text(READ)
    checked = check_workflow("w.yaml")
    ids = [WorkflowRun(checked).execute().run for _ in range(3)]
    assert sorted(ids) == ids
    assert len(set(ids)) == 3
    assert all(re.fullmatch(r"\d{8}-\d{6}-\d{3}-[0-9a-f]{6}", one) for one in ids)


def test_a_run_directory_that_cannot_be_made_is_one_sentence() -> None:
    Path("runs").write_text("a file")
    with pytest.raises(StoreAccessError, match=r"^Cannot make the run directory .*runs.*: .*\. Choose another place"):
        run(READ)


def test_a_full_disk_is_told_and_leaves_no_half_record(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    job = started(READ)
    monkeypatch.setattr("mercury_core.workflow.record.os.write", full)
    with pytest.raises(StoreAccessError, match="No space left on device"):
        job.execute()
    monkeypatch.undo()
    assert job.record.status == "failed"


def test_an_environment_that_changed_since_the_check_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_NAME", "x")
    job = started('name: "${oc.env:THE_NAME}"\n' + READ)
    monkeypatch.delenv("THE_NAME")
    with pytest.raises(WorkflowFileError, match=r"w\.yaml:1:7: \$\{oc\.env:THE_NAME\} needs the environment variable"):
        job.execute()


def test_secrets_are_nowhere_in_the_record(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_API_TOKEN", "s3cr3t-from-env")
    monkeypatch.setenv("THE_URL", "s3://me:pass-in-url@host/b")
    text = (
        'vars: {password: s3cr3t-plain, env: "Bearer ${oc.env:THE_API_TOKEN}", url: "${oc.env:THE_URL}", '
        'copy: "${vars.password}", max_tokens: 5}\n' + READ
    )
    record = run(text, "vars.password=s3cr3t-given")
    for name in ("run.json", "events.jsonl"):
        written = (record.directory / name).read_text()
        assert "s3cr3t" not in written
        assert "pass-in-url" not in written
    assert read_json(record)["config"]["resolved"]["vars"] == {
        "password": "***",
        "env": "Bearer ***",
        "url": "s3://me:***@host/b",
        "copy": "***",
        "max_tokens": 5,
    }
    assert read_json(record)["config"]["overrides"] == {"vars.password": "***"}
    assert read_json(record)["config"]["written"]["vars"]["env"] == "Bearer ${oc.env:THE_API_TOKEN}"


@pytest.mark.parametrize("kind", ["loose", "packed", "detached", "worktree"])
def test_the_git_commit_is_read_without_git(here: Path, kind: str) -> None:
    commit = "0123456789abcdef0123456789abcdef01234567"
    git = here / ".git"
    git.mkdir()
    (git / "HEAD").write_text("ref: refs/heads/main\n" if kind != "detached" else commit + "\n")
    if kind == "packed":
        (git / "packed-refs").write_text(f"# pack-refs with: peeled\n{commit} refs/heads/main\n^{commit[::-1]}\n")
    elif kind != "detached":
        (git / "refs/heads").mkdir(parents=True)
        (git / "refs/heads/main").write_text(commit + "\n")
    if kind == "worktree":
        git.rename(here / "real")
        tree = here / "real/worktrees/w"
        tree.mkdir(parents=True)
        (tree / "HEAD").write_text("ref: refs/heads/main\n")
        (tree / "commondir").write_text("../..\n")
        git.write_text(f"gitdir: {tree}\n")
    assert run(READ).environment["git_commit"] == commit


def test_a_repository_without_a_commit_has_none(here: Path) -> None:
    (here / ".git").mkdir()
    assert run(READ).environment["git_commit"] is None
    (here / ".git/HEAD").write_text("ref: refs/heads/main\n")
    assert run(READ).environment["git_commit"] is None


def test_a_run_loads_nothing_that_it_does_not_need(here: Path) -> None:
    (here / "light_of_test.py").write_text(
        "from io import BytesIO\nfrom pyarrow.csv import read_csv\n"
        "def table(source):\n    return read_csv(BytesIO(b'a\\n1\\n'))\n"
        "def same(data_set):\n    return data_set\n"
    )
    (here / "w.yaml").write_text(
        'read: {use: "light_of_test:table", source: d.txt}\ntransform: [{use: "light_of_test:same"}]\n'
    )
    code = (
        "import sys\nfrom mercury_core.workflow import run_workflow\nrun_workflow('w.yaml')\n"
        "heavy = ('pandas', 'omegaconf', 'narwhals', 'pluggy', 'polars', 'rich')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)  # fills the index
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"

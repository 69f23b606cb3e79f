"""``mercury-ml run --serve``: a run, and then the very model that it saved answers."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.cli import main
from tests.http.conftest import ask

if TYPE_CHECKING:
    from pathlib import Path

ROW = {"inputs": [{"name": "features", "shape": [1, 3], "datatype": "FP64", "data": [1.0, 2.0, 3.0]}]}
WORKFLOW = """\
read:
  train: {source: rows.csv, roles: {features: [a, b, c], targets: paid}}
fit: {use: "tests.http.models:fit"}
save: {use: "tests.http.models:KINDS", path: "models/${run.id}"}
serve: {use: http, port: 0, name: paid, trusted: ["tests.http.models:KINDS"]}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "rows.csv").write_text("a,b,c,paid\n1.5,2.5,3.5,yes\n0.5,1.5,2.5,no\n")
    file = tmp_path / "workflow.yaml"
    file.write_text(WORKFLOW)
    return file


def begun(file: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mercury_core",
            "run",
            str(file),
            "--runs",
            str(file.parent / "runs"),
            "--serve",
            *words,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_until(process: subprocess.Popen[str], begin: str) -> list[str]:
    lines: list[str] = []
    while not lines or not lines[-1].startswith(begin):
        assert process.stdout is not None
        lines.append(process.stdout.readline())
        if not lines[-1]:
            raise AssertionError(process.communicate(timeout=30)[1])
    return lines


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_a_run_saved_answers_until_it_is_stopped(file: Path, number: signal.Signals) -> None:
    process = begun(file)
    try:
        *summary, line = read_until(process, "Serving")
        assert line.startswith("Serving paid at http://127.0.0.1:")
        (saved,) = (file.parent / "models").iterdir()
        assert any("save" in one and saved.name in one for one in summary)
        answer = ask(line.split()[-1], "/v2/models/paid/infer", ROW)
        assert (answer.status, answer.json["model_version"]) == (200, saved.name)
        process.send_signal(number)
        out, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, out) == (0, "")
    assert said.endswith("Stopping: requests in flight are finished.\n")
    (run,) = (file.parent / "runs").iterdir()
    assert json.loads((run / "run.json").read_bytes())["status"] == "succeeded"


def test_as_json_it_is_one_object_that_says_where_it_answers(file: Path) -> None:
    process = begun(file, "--json", "--quiet", "serve.port=0")
    try:
        told: dict[str, Any] = json.loads("".join(read_until(process, "}")))
        assert told["status"] == "succeeded"
        assert ask(told["url"], "/v2/models/paid").json["versions"] == [told["run"]]
        process.terminate()
        assert process.communicate(timeout=60)[0] == ""
    finally:
        process.kill()
    assert process.returncode == 0


def test_a_workflow_that_cannot_be_served_is_not_run(
    file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(file.parent)

    def said(old: str, new: str, *words: str) -> str:
        file.write_text(WORKFLOW.replace(old, new))
        assert main(["run", str(file), "--serve", *words]) == 2
        return capfd.readouterr().err

    begins, _, line = WORKFLOW.partition("serve:")
    assert "There is no stage `serve`" in said(f"serve:{line}", "")
    assert "workflow.yaml:5:20: 'port' is 70000: expected 0 to 65535." in said("port: 0", "port: 70000")
    assert "workflow.yaml:5:29: 'most_rows' is 0" in said("name: paid", "most_rows: 0")
    assert "workflow.yaml:5:29: 'predict_timeout' is inf" in said("name: paid", "predict_timeout: .inf")
    assert "workflow.yaml:5:29: The name 'a/b' of a model" in said("name: paid", "name: a/b")
    assert "has no parameter 'workres'. Did you mean 'workers'?" in said("name: paid", "workres: 2")
    assert "'token' has fewer than 8 characters" in said("name: paid", "token: hunter")
    assert "hunter" not in said("name: paid", "token: hunter")
    assert "There is nothing to serve" in said(begins[begins.index("save:") :], "")
    assert not (file.parent / "models").exists()
    assert not (file.parent / "runs").exists()


def test_a_port_that_is_taken_fails_and_the_run_stays(
    file: Path, url: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(file.parent)
    assert main(["run", str(file), "--serve", "--json", f"serve.port={url.rpartition(':')[2]}"]) == 1
    told, said = capfd.readouterr()
    assert "Address already in use" in said
    assert "Address already in use" in json.loads(told)["error"]
    assert json.loads(told)["status"] == "succeeded"
    (run,) = (file.parent / "runs").iterdir()
    assert os.listdir(file.parent / "models") == [run.name]

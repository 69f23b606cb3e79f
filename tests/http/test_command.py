"""``mercury-ml serve`` as a process: says where it answers, loads again, and lets requests finish when it stops."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core import Bundle, serve_model
from mercury_core.cli.served import what_to_serve
from mercury_core.errors import (
    ArgumentsError,
    ObjectNotFoundError,
    ReadError,
    StoreAccessError,
    WorkflowFileError,
)
from tests.http import models
from tests.http.conftest import ask

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROW = {"inputs": [{"name": "features", "shape": [1, 3], "datatype": "FP64", "data": [1.0, 2.0, 3.0]}]}
FORMAT = "tests.http.models:KINDS"


@pytest.fixture
def stored(tmp_path: Path) -> str:
    """A bundle on disk, which names the function of `models` that it predicts with."""
    return store(tmp_path / "paid", "scored", "run-1")


def store(path: Path, kind: str, run: str) -> str:
    bundle = models.classifier(getattr(models, kind), run=run)
    bundle.model.kind = kind  # type: ignore[attr-defined]
    bundle.save(path, format=FORMAT, overwrite="replace")
    return str(path)


class Command:
    """The command, running.

    Attributes:
        process: The process.
        url: Where it answers.
    """

    def __init__(self, *words: str, **env: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mercury_core", "serve", *words, "--trust", FORMAT, "--port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **env},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if " at " not in line:
            _, said = self.process.communicate(timeout=30)
            raise AssertionError(said)
        self.line, self.url = line.strip(), line.split(" at ")[1].strip()

    def said(self) -> str:
        """The next line that it says to whoever watches."""
        assert self.process.stderr is not None
        return self.process.stderr.readline().strip()

    def end(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@pytest.fixture
def command(stored: str) -> Iterator[Command]:
    command = Command(stored)
    yield command
    command.process.kill()
    command.process.communicate(timeout=30)


def test_it_answers_loads_again_and_stops(command: Command, stored: str, tmp_path: Path) -> None:
    assert command.line == f"Serving model at {command.url}"
    assert ask(command.url, "/v2/models/model/infer", ROW).json["model_version"] == "run-1"
    store(tmp_path / "paid", "scored", "run-2")
    command.process.send_signal(signal.SIGHUP)
    assert command.said() == "Loaded again."
    assert ask(command.url, "/v2/models/model/infer", ROW).json["model_version"] == "run-2"
    (tmp_path / "paid" / "mercury.json").unlink()
    command.process.send_signal(signal.SIGHUP)
    assert "mercury.json" in command.said()
    assert ask(command.url, "/v2/models/model/infer", ROW).json["model_version"] == "run-2"
    command.process.send_signal(signal.SIGTERM)
    assert command.end() == (0, "Stopping: requests in flight are finished.\n")


def test_a_stop_lets_requests_in_flight_finish(tmp_path: Path) -> None:
    command = Command(store(tmp_path / "slow", "slower", "1"))
    answers: list[Any] = []
    asking = threading.Thread(target=lambda: answers.append(ask(command.url, "/v2/models/model/infer", ROW)))
    asking.start()
    while b"mercury_queue" not in ask(command.url, "/metrics").body or not _is_predicting(command.url):
        pass
    command.process.send_signal(signal.SIGTERM)
    assert command.end()[0] == 0
    asking.join(30)
    assert answers[0].status == 200


def _is_predicting(url: str) -> bool:
    """Whether the model was called since it was warmed up and has not come back: its rows are counted when it has."""
    lines = ask(url, "/metrics").body.decode().splitlines()
    return 'mercury_busy{model="model"} 1.0' in lines


def test_a_token_and_several_models(stored: str, tmp_path: Path) -> None:
    other = store(tmp_path / "other", "refusing", "9")
    command = Command(stored, "--name", "a", "--also", f"b={other}", "--token-env", "TOKEN", TOKEN="a long secret")
    try:
        assert command.line.startswith("Serving a, b at ")
        assert ask(command.url, "/v2/models/b").status == 401
        headers = {"Authorization": "Bearer a long secret"}
        assert ask(command.url, "/v2/models/b", headers=headers).json["versions"] == ["9"]
    finally:
        command.process.terminate()
    code, said = command.end()
    assert code == 0
    assert "secret" not in said


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["nothing"], "Nothing is stored at"),
        (["{stored}", "most_row=1"], "Did you mean 'most_rows'"),
        (["{stored}", "--also", "b"], "NAME=MODEL"),
        (["{stored}", "--also", "model=b"], "two models of the name"),
        (["{stored}", "--token-env", "NO_SUCH_VARIABLE"], "'NO_SUCH_VARIABLE', of --token-env, is not set"),
        (["{stored}", "most_rows=0"], "at least 1"),
        (["{stored}", "model=1"], "'http' has no parameter 'model'"),
        (["{stored}", "--name", "a/b"], "has a '/'"),
    ],
)
def test_what_is_wrong_is_said(stored: str, words: list[str], expected: str, capfd: Any) -> None:
    from mercury_core.cli import main

    assert main(["serve", *(word.format(stored=stored) for word in words), "--trust", FORMAT, "--port", "0"]) > 0
    assert expected in capfd.readouterr().err


def test_a_run_and_a_workflow_file_say_what_is_served(stored: str, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "run.json").write_text(json.dumps({"artifacts": [{"kind": "model", "path": stored}, {"kind": "table"}]}))
    assert what_to_serve(str(run)).uri == stored
    (run / "run.json").write_text("{}")
    with pytest.raises(ReadError, match="saved no model"):
        what_to_serve(str(run))
    file = tmp_path / "workflow.yaml"
    begun = f"load: {{uri: {stored}, trusted: ['{FORMAT}']}}\n"
    file.write_text(begun)
    with pytest.raises(WorkflowFileError, match="no stage `serve`"):
        what_to_serve(str(file))
    file.write_text(begun + "serve: {use: http, most_rows: 7}\n")
    served = what_to_serve(str(file))
    assert (served.uri, served.server, served.params) == (stored, "http", {"most_rows": 7})
    with serve_model(served.uri, load=served.load, port=0, **served.params) as service:  # type: ignore[attr-defined]
        assert ask(service.url, "/v2/models/model/infer", ROW).status == 200
    file.write_text(f"load: {stored}\nserve: {{use: http, trusted: '{FORMAT}', trust: true}}\n")
    assert what_to_serve(str(file)).load == {"trusted": (FORMAT,), "trust": True, "stores": {}}
    file.write_text(begun + "serve: {use: http, most_row: 7}\n")
    with pytest.raises(WorkflowFileError, match="most_rows"):
        what_to_serve(str(file))


def test_a_port_that_is_taken(url: str) -> None:
    with pytest.raises(StoreAccessError, match="Address already in use"):
        serve_model(models.classifier(), port=int(url.rpartition(":")[2]))


def test_the_task_takes_models_and_paths(stored: str) -> None:
    from mercury_http.service import HttpService

    with serve_model({"here": models.classifier(), "there": stored}, load={"trusted": [FORMAT]}, port=0) as service:  # type: ignore[attr-defined]
        assert isinstance(service, HttpService)
        for name, version in (("here", "run-7"), ("there", "run-1")):
            assert ask(service.url, f"/v2/models/{name}/infer", ROW).json["model_version"] == version
    with pytest.raises(OSError, match="refused"):
        ask(service.url, "/v2")
    with serve_model(Bundle(models.Model(models.scored)).model, port=0) as service:  # type: ignore[attr-defined]
        assert ask(service.url, "/v2/models/model").status == 200
    with pytest.raises(ObjectNotFoundError):
        serve_model("nothing", port=0)
    with pytest.raises(ArgumentsError, match="'token' has fewer than 8"):
        serve_model(models.classifier(), port=0, token="short")

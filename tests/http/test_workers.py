"""Several processes at one port: all answer, one that dies is replaced, and all load again."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mercury_http.memory import memory_of
from mercury_http.workers import WorkerError

from mercury_core import DataWrapper, serve_model
from mercury_core.errors import ArgumentsError
from tests.http import models
from tests.http.conftest import ask
from tests.http.test_command import FORMAT, ROW, store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOAD = {"trusted": [FORMAT]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model"


@pytest.fixture
def service(path: Path) -> Iterator[Any]:
    store(path, "process_id", "run-1")
    with serve_model(str(path), load=LOAD, port=0, workers=2, predict_timeout=1.0) as service:  # type: ignore[attr-defined]
        yield service


def who(url: str) -> str:
    return str(ask(url, "/v2/models/model/infer", ROW).json["outputs"][0]["data"][0])


def all_of(url: str, count: int) -> set[str]:
    """The processes that answer, once so many were seen."""
    seen: set[str] = set()
    for _ in range(500):
        seen.add(who(url))
        if len(seen) == count:
            break
    return seen


def test_all_answer_and_one_that_dies_is_replaced(service: Any, path: Path) -> None:
    first = all_of(service.url, 2)
    assert first == set(map(str, service.pids))
    text = ask(service.url, "/metrics").body.decode()
    total = next(line for line in text.splitlines() if line.startswith("mercury_rows_total"))
    assert float(total.rpartition(" ")[2]) >= len(first)
    victim = service.pids[0]
    os.kill(victim, signal.SIGKILL)
    for _ in range(10_000):
        if victim not in service.pids:
            break
        assert who_or_nobody(service.url) != str(victim) or victim in service.pids
    assert str(victim) not in all_of(service.url, 2)
    store(path, "scored", "run-2")
    service.reload()
    for _ in range(20):
        assert ask(service.url, "/v2/models/model/infer", ROW).json["model_version"] == "run-2"
    (path / "mercury.json").unlink()
    with pytest.raises(WorkerError, match=r"mercury\.json"):
        service.reload()
    assert ask(service.url, "/v2/models/model/infer", ROW).status == 200


def who_or_nobody(url: str) -> str:
    """Who answers; nobody, where a connection went to one that has just died."""
    try:
        return who(url)
    except (OSError, ValueError):
        return ""


def test_one_that_hangs_is_replaced(service: Any, path: Path) -> None:
    store(path, "hanging", "run-1")
    service.reload()
    before = set(service.pids)
    answer = ask(service.url, "/v2/models/model/infer", ROW)
    assert answer.status == 504
    while set(service.pids) == before:
        assert ask_or_nothing(service.url) in (200, 503, 504, None)
    assert len(set(service.pids) & before) == 1


def ask_or_nothing(url: str) -> int | None:
    try:
        return ask(url, "/v2/health/live").status
    except OSError:
        return None


class Asking:
    """Threads that ask one row after another, and look at every answer.

    Attributes:
        answered: How many answers were right.
        closed: How many connections were closed in place of an answer.
        wrong: Answers of another kind.
    """

    def __init__(self, url: str, count: int) -> None:
        self.answered, self.closed, self.wrong = 0, 0, []  # type: ignore[var-annotated]
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=(url, place)) for place in range(count)]

    def _ask(self, url: str, place: int) -> None:
        row = [float(place), 1.0, 2.0]
        expected = models.classifier().predict(DataWrapper(np.array([row]), models.NUMBERS)).scores
        assert expected is not None
        request = {**ROW, "inputs": [{**ROW["inputs"][0], "data": row}]}
        while not self._stop.is_set():
            try:
                answer = ask(url, "/v2/models/model/infer", request)
            except (OSError, http.client.HTTPException):
                with self._lock:
                    self.closed += 1
                continue
            right = answer.status == 200 and answer.json["outputs"][1]["data"] == expected.underlying.ravel().tolist()
            with self._lock:
                self.answered += right
                if not right:
                    self.wrong.append(answer.body)

    def __enter__(self) -> Asking:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()


def test_workers_that_are_killed_under_load_cost_their_own_connections_only(path: Path) -> None:
    store(path, "slow", "run-1")
    with serve_model(str(path), load=LOAD, port=0, workers=2) as service:  # type: ignore[attr-defined]
        with Asking(service.url, 6) as asking:
            for number in range(4):
                victim = service.pids[number % 2]
                os.kill(victim, signal.SIGKILL)
                while victim in service.pids or service.workers[number % 2].started():
                    assert not asking.wrong
        assert not asking.wrong
        assert asking.answered > 6
        assert 0 < asking.closed < asking.answered
        store(path, "process_id", "run-2")
        service.reload()
        assert all_of(service.url, 2) == set(map(str, service.pids))


def test_workers_load_again_under_load_and_stop_once_they_have_answered(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MARK_OF_TEST", str(tmp_path / "mark"))
    store(path, "slow", "run-0")
    with serve_model(str(path), load=LOAD, port=0, workers=2) as service:  # type: ignore[attr-defined]
        with Asking(service.url, 6) as asking:
            for number in range(1, 4):
                store(path, "slow", f"run-{number}")
                service.reload()
                while asking.answered < 20 * number:
                    assert (asking.wrong, asking.closed) == ([], 0)
        assert (asking.wrong, asking.closed) == ([], 0)
        assert ask(service.url, "/v2/models/model").json["versions"] == ["run-3"]
        store(path, "marking", "run-4")
        service.reload()
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(ask, service.url, "/v2/models/model/infer", ROW)
            while not (tmp_path / "mark").exists():
                assert not asked.done()
            service.stop()
            assert asked.result().status == 200


def test_one_that_leaks_is_replaced_and_no_request_is_lost(path: Path) -> None:
    store(path, "leaking", "run-1")
    with serve_model(str(path), load=LOAD, port=0, worker_memory=300 << 20) as service:  # type: ignore[attr-defined]
        (first,) = service.pids
        seen = {who(service.url)}
        while service.pids == [first]:
            seen.add(who(service.url))
        while memory_of(first):
            seen.add(who(service.url))
        assert seen == {str(first), str(service.pids[0])}
    with pytest.raises(WorkerError, match=r"holds \d+ MiB of memory once its models are loaded"):
        serve_model(str(path), load=LOAD, port=0, worker_memory=1)


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_while_models_are_loaded_leaves_nothing_behind(
    path: Path, tmp_path: Path, workers: str, sent: int
) -> None:
    store(path, "warming", "run-1")
    words = ["serve", str(path), "--trust", FORMAT, "--port", "0", "--workers", workers]
    mark = tmp_path / "mark"
    command = [sys.executable, "-m", "mercury_core", *words]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=os.environ | {"MARK_OF_TEST": str(mark)}
    ) as process:
        while not mark.exists():
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(sent)
        _, said = process.communicate(timeout=60)  # until nobody has its stderr any more
    assert said == "Interrupted.\n"


def test_what_workers_cannot_do(path: Path) -> None:
    with pytest.raises(ArgumentsError, match="paths or URIs of stored models"):
        serve_model(models.classifier(), port=0, workers=2)
    with pytest.raises(ArgumentsError, match="at least 1"):
        serve_model(models.classifier(), port=0, workers=0)
    with pytest.raises(WorkerError, match="Nothing is stored at"):
        serve_model(str(path), port=0, workers=2)

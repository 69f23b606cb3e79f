"""Several processes at one port: all answer, one that dies is replaced, and all load again."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from mercury_http.workers import WorkerError

from mercury_core import serve_model
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


def test_what_workers_cannot_do(path: Path) -> None:
    with pytest.raises(ArgumentsError, match="paths or URIs of stored models"):
        serve_model(models.classifier(), port=0, workers=2)
    with pytest.raises(ArgumentsError, match="at least 1"):
        serve_model(models.classifier(), port=0, workers=0)
    with pytest.raises(WorkerError, match="Nothing is stored at"):
        serve_model(str(path), port=0, workers=2)

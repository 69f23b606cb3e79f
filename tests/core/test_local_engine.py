"""The engine of this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from typing import Any

import pytest

from mercury_core.builtin.local import LocalEngine
from mercury_core.errors import ArgumentsError
from mercury_core.parameters import check
from mercury_core.registry import resolve


def test_it_stands_under_execute() -> None:
    assert resolve("execute", "local") is LocalEngine
    assert check("execute", "local", LocalEngine, {"workers": 2}) == []
    assert [fault.path for fault in check("execute", "local", LocalEngine, {"workers": 0})] == [("workers",)]
    with pytest.raises(ArgumentsError, match="'workers' is 0: expected 1 or more"):
        LocalEngine(workers=0)


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_results_come_in_the_order_of_the_calls(workers: int) -> None:
    first_may_end = threading.Event()

    def first() -> int:
        assert workers == 1 or first_may_end.wait(10)
        return 0

    def last() -> int:
        first_may_end.set()
        return 3

    assert LocalEngine(workers).run([first, lambda: 1, lambda: 2, last]) == [0, 1, 2, 3]
    assert LocalEngine(workers).run([lambda place=place: place for place in range(20)]) == list(range(20))
    assert LocalEngine(workers).run([]) == []


def test_one_worker_stays_in_the_thread_of_the_caller() -> None:
    assert LocalEngine().run([threading.get_ident] * 2) == [threading.get_ident()] * 2
    assert threading.get_ident() not in LocalEngine(2).run([threading.get_ident] * 2)


@pytest.mark.parametrize("workers", [1, 3])
def test_the_first_error_is_raised_as_it_was_and_nothing_new_begins(workers: int) -> None:
    error = ValueError("as it was")
    begun: list[int] = []

    def call(place: int) -> Any:
        begun.append(place)
        if place == 0:
            raise error
        return place

    barrier = threading.Event()

    def wait_for_error() -> None:
        barrier.wait(0.2)

    calls = [
        lambda: call(0),
        *[wait_for_error] * (workers - 1),
        *(lambda place=place: call(place) for place in range(1, 200)),
    ]
    with pytest.raises(ValueError, match="as it was") as caught:
        LocalEngine(workers).run(calls)
    assert caught.value is error
    assert begun[0] == 0
    assert len(begun) < 200


PROGRAM = """
import os, sys, threading, time
from mercury_core.builtin.local import LocalEngine

def call():
    os.write(1, b"begun\\n")  # one piece, whatever other threads write
    time.sleep(0.3)

try:
    LocalEngine(2).run([call] * 50)
except KeyboardInterrupt:
    print("stopped", threading.active_count(), flush=True)
    sys.exit(130)
"""


def test_ctrl_c_begins_nothing_new_and_leaves_no_thread() -> None:
    with subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["begun\n"] * 2
        time.sleep(0.1)  # by now both are in their calls, and the main thread waits for them
        os.kill(process.pid, signal.SIGINT)
        rest = process.stdout.read().splitlines()
        assert process.wait(20) == 130
    assert rest[-1] == "stopped 1"
    assert rest.count("begun") < 10

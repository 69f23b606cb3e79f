"""Batches that threads fill, before they are asked for."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

# More never wait for a disk at the same time, and each has an image in memory.
_MOST_THREADS = 32


def thread_count() -> int:
    """How many threads decode: as many as there are processors for this process."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, _MOST_THREADS)


class Pending(Generic[T]):
    """Something that several threads work at; the last one to be done finishes it.

    Args:
        tasks: The parts of the work.
        finish: Called once when all are done; gives the result.
    """

    def __init__(self, tasks: Sequence[Callable[[], None]], finish: Callable[[], T]) -> None:
        self._tasks, self._finish = tasks, finish
        self._left, self._lock, self._done = len(tasks), Lock(), Event()
        self._error: BaseException | None = None
        self._result: Any = None

    def start(self, pool: ThreadPoolExecutor | None) -> None:
        """Have the threads of a pool begin; without one, or without tasks, do it all here."""
        tasks, self._tasks = self._tasks, ()
        if not tasks:
            self._end()
        for task in tasks:
            if pool is None:
                self._run(task)
            else:
                pool.submit(self._run, task)

    def cancel(self) -> None:
        """Let what has not begun be."""
        with self._lock:
            self._error = self._error or RuntimeError("nobody waits for this batch")

    def result(self) -> T:
        """Wait for the result; the first error that a thread met is raised."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        result: T = self._result
        self._result = None
        return result

    def _run(self, task: Callable[[], None]) -> None:
        try:
            if self._error is None:
                task()
        except BaseException as error:  # noqa: BLE001 -- raised again where the batch is waited for
            self._fail(error)
        with self._lock:
            self._left -= 1
            last = self._left == 0
        if last:
            self._end()

    def _end(self) -> None:
        try:
            if self._error is None:
                self._result = self._finish()
        except BaseException as error:  # noqa: BLE001 -- as above
            self._fail(error)
        self._done.set()

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            self._error = self._error or error


def pool(threads: int) -> ThreadPoolExecutor:
    """Threads that decode; they end when nothing refers to the pool any more."""
    return ThreadPoolExecutor(threads, thread_name_prefix="mercury-images")

"""Reading ahead: while the check imports what the later steps need, a thread reads the files that were found right.

Imports are most of the time of a small job, and they need one core and Python's lock; a reader of the core's own needs
neither for most of its work. Reading changes nothing, so where the check finds a fault after all, what was read is
dropped.
"""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import suppress
from threading import Thread
from typing import TYPE_CHECKING

from mercury_core import registry, tasks
from mercury_core.storage.uri import is_remote, to_path

if TYPE_CHECKING:
    from mercury_core.data import DataBunch
    from mercury_core.storage import Stores
    from mercury_core.workflow.config import Step

# In bytes. A small file is read before a thread has begun; a large one should not keep faults from being shown.
_SIZES = range(1 << 20, 256 << 20)
_OWN = "mercury-ml-core"
_WAKE_SECONDS = 0.1


def read(step: Step, stores: Stores | None = None) -> DataBunch:
    """What a step of the verb read reads: a bunch of one data set, by its name."""
    return tasks.read_data_bunch(
        {step.own or "data": step.source}, reader=step.use, roles=step.roles, stores=stores, **step.params
    )


class ReadAhead:
    """What is being read, by step."""

    def __init__(self) -> None:
        self._begun: list[tuple[Step, Future[DataBunch]]] = []

    def begin(self, step: Step, key: str) -> None:
        """Begin to read what a step is to read, where that is worth it.

        Args:
            step: The step, in which no fault was found.
            key: The key of its reader. Only the core's own run in a thread: of others nobody knows whether they can.
        """
        provider = registry.provider_of("read", key)
        if provider is None or provider.owner != _OWN or is_remote(step.source):
            return
        path = to_path(step.source)
        if not path.is_file() or path.stat().st_size not in _SIZES:
            return
        import numpy  # noqa: F401 -- so that no two threads import it at the same time

        future: Future[DataBunch] = Future()
        self._begun.append((step, future))
        Thread(target=_fill, args=(future, step), name="mercury-read-ahead", daemon=True).start()

    def take(self, step: Step, stores: Stores | None = None) -> DataBunch:
        """What a step reads: as soon as it is there, or read now. It is given away once."""
        for place, (begun, future) in enumerate(self._begun):
            if begun == step:
                del self._begun[place]
                return _result(future)
        return read(step, stores)

    def drop(self) -> None:
        """Let go of all that was not taken, when its threads have ended."""
        for _, future in self._begun:
            future.exception()
        self._begun.clear()


def _result(future: Future[DataBunch]) -> DataBunch:
    """The result, as soon as it is there.

    Python handles a signal in the main thread, which must be awake for it: some systems wake another thread.
    """
    while not future.done():
        with suppress(TimeoutError):
            future.exception(_WAKE_SECONDS)
    return future.result()


def _fill(future: Future[DataBunch], step: Step) -> None:
    try:
        future.set_result(read(step))
    except BaseException as error:  # noqa: BLE001 -- whatever it is, it belongs to the step that takes the result
        future.set_exception(error)

"""Many small files: few threads, each with several requests on the way, where a store can do that."""

from __future__ import annotations

from collections import deque
from threading import Condition
from typing import TypeVar

from mercury_core.errors import MercuryError, StoreAccessError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator

    from mercury_core.storage.plan import Item
    from mercury_core.storage.pool import Pool

    Todo = tuple[Item, str]

T = TypeVar("T")
Answer = TypeVar("Answer")

SMALL = 256 << 10
"""Files up to this many bytes."""

AHEAD = 8
"""Requests that one thread has on the way: the fewer there are, the fewer wait for one that is slow."""

_HELD = 2 * AHEAD * SMALL  # what was read and what is sent, in one thread
_MOST = 64  # that wait for a thread
_GLANCE = 0.2  # seconds; a signal that comes just before the main thread waits does not wake it


class Lanes:
    """A few threads of a copy, each of which does many small things as one stream of them."""

    def __init__(self, pool: Pool, work: Callable[[Iterator[Todo], int], None]) -> None:
        """Have `work` do what is added: it is called with an iterator over some of that, and how many at a time."""
        self._pool, self._work = pool, work
        self._ahead = min(AHEAD, pool.threads)
        self._most = max(pool.threads // AHEAD, 1)
        self._waiting: deque[Todo] = deque()
        self._changed = Condition()
        self._running = 0

    def add(self, thing: Todo) -> None:
        """Have something done; waits while there is much to do.

        Raises:
            CancelledError: The copy is given up.
        """
        with self._changed:
            while len(self._waiting) >= _MOST:
                self._pool.check()
                self._changed.wait(_GLANCE)
            self._waiting.append(thing)
            starts = self._running < self._most
            self._running += starts
        if starts:
            self._pool.start(self._run)

    def _run(self) -> None:
        self._pool.budget.take(_HELD)
        try:
            while self._goes_on():
                # It ends when nothing waits: whoever adds may need this very thread for something else first.
                self._work(self._things(), self._ahead)
        finally:
            self._pool.budget.give(_HELD)

    def _goes_on(self) -> bool:
        with self._changed:
            if not self._waiting:
                self._running -= 1
            return bool(self._waiting)

    def _things(self) -> Iterator[Todo]:
        while True:
            self._pool.check()
            with self._changed:
                if not self._waiting:
                    return
                thing = self._waiting.popleft()
                if len(self._waiting) == _MOST // 2:  # not sooner: waking who adds costs more than a small file does
                    self._changed.notify_all()
            yield thing


def answered(
    things: Iterable[T],
    ask: Callable[[Iterator[T]], Iterator[Answer | MercuryError]],
    uri_of: Callable[[T], str],
) -> Generator[tuple[T, Answer | MercuryError]]:
    """Each of some things with its answer, from what takes them before their turn.

    Raises:
        StoreAccessError: There were fewer answers than things.
    """
    asked: deque[T] = deque()

    def taking() -> Iterator[T]:
        for thing in things:
            asked.append(thing)
            yield thing

    for answer in ask(taking()):
        yield asked.popleft(), answer
    for thing in asked:
        why = "the store was asked for it among others, and said nothing of it"
        raise StoreAccessError("reach", uri_of(thing), why, "Report it to the author of the plugin.")

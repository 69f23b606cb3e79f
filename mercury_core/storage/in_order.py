"""Work that has to be done in order, on what comes in any order."""

from __future__ import annotations

from threading import Lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class InOrder:
    """Does the work on each number, from 0 on and one at a time, as soon as it and all before it are there.

    One of the threads that bring numbers does it, for the others as well, which bring more in the meantime. So a
    digest, which knows no parts, is computed beside the arrival of parts.
    """

    def __init__(self, work: Callable[[int], None]) -> None:
        """Do `work` on each number."""
        self._work, self._lock = work, Lock()
        self._there: set[int] = set()
        self._next, self._busy = 0, False

    def add(self, number: int) -> None:
        """Bring a number; what can be done now is done, unless another thread is at it."""
        with self._lock:
            self._there.add(number)
            if self._busy:
                return
            self._busy = True  # and stays so after an error, which ends it all
        while (due := self._take()) is not None:
            self._work(due)

    def _take(self) -> int | None:
        with self._lock:
            if self._next not in self._there:
                self._busy = False
                return None
            self._there.remove(self._next)
            self._next += 1
            return self._next - 1

"""Trying again what may go wrong for a moment: with waits of a random length, and a deadline for all tries together."""

from __future__ import annotations

import time

from mercury_core.storage.http.answers import LostError, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

_FIRST_WAIT, _LONGEST_WAIT = 0.1, 20.0
# What cannot be reached at all is mostly written wrong.
_TRIES_UNREACHED = 5


class Tries:
    """The tries of one operation: how many, until when, and whether one of them may have been done unseen.

    Attributes:
        number: Of the try that is made.
        lost: Whether an earlier one may have been done, though no answer says so.
    """

    def __init__(self, most: int, deadline: float, patience: float) -> None:
        """Begin now.

        Args:
            most: How many there are.
            deadline: Seconds for all of them.
            patience: Seconds that the service may be silent in one.
        """
        self._most, self._patience = most, patience
        self._begun = time.monotonic()
        self._end = self._begun + deadline
        self.number = 0
        self.lost = False

    def patience(self, *, slow: bool = False) -> float:
        """Seconds that the next try may be silent; all that are left where the service may work for so long."""
        left = self._end - time.monotonic()
        return max(left if slow else min(self._patience, left), 0.01)

    def run(self, once: Callable[[Tries], T], mend: Callable[[RefusedError], bool]) -> T:
        """Do what `once` does until it succeeds.

        Args:
            once: One try.
            mend: Called with what the service refused; True to try again at once, with other credentials for example.

        Raises:
            RefusedError: The service answered with an error, at last.
            LostError: It did not answer.
        """
        while True:
            self.number += 1
            try:
                return once(self)
            except RefusedError as refused:
                if not mend(refused):
                    self.failed(refused)
            except LostError as lost:
                self.failed(lost)

    def failed(self, error: RefusedError | LostError) -> None:
        """Wait, or raise `error` where there is no more trying.

        Raises:
            RefusedError: As it was given, with the count of tries.
            LostError: Likewise.
        """
        now = time.monotonic()
        error.tries, error.seconds = self.number, now - self._begun
        most = self._most
        asked: float | None = None
        if isinstance(error, RefusedError):
            error.after_loss = self.lost
            if not error.transient:
                raise error
            # An error of the server's own tells nothing of whether it was done.
            self.lost = self.lost or error.status >= 500 or error.status == 408
            asked = error.retry_after
        else:
            if error.final:
                raise error
            self.lost = self.lost or error.reached
            if not error.reached:
                most = min(most, _TRIES_UNREACHED)
        if self.number >= most:
            raise error
        import random  # here, since few copies need it, and it takes its time to be imported

        # Full jitter: many clients that were refused together do not come back together.
        wait = random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (self.number - 1)))  # noqa: S311 — no secret
        if asked is not None:
            wait += asked
        if now + wait >= self._end:
            raise error
        time.sleep(wait)

"""Requests with all that may go wrong for a moment: tried again, and with a new token."""

from __future__ import annotations

import os
import random
import time
from typing import Any

from mercury_core.storage.http.answers import LostError
from mercury_gcs.answers import Answer, RefusedError
from mercury_gcs.connections import Connections
from mercury_gcs.wire import Call, exchange

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mercury_gcs.settings import Settings

_API = "/storage/v1"
_FIRST_WAIT, _LONGEST_WAIT = 0.1, 20.0
# What cannot be reached at all is mostly written wrong.
_TRIES_UNREACHED = 5


class Tries:
    """The tries of one operation: how many, until when, and whether one of them may have been done unseen."""

    def __init__(self, settings: Settings) -> None:
        """Begin now."""
        self._settings = settings
        self._begun = time.monotonic()
        self.number = 0
        self.lost = False

    def patience(self, *, slow: bool = False) -> float:
        """Seconds that the next try may be silent."""
        left = self._begun + self._settings.deadline - time.monotonic()
        return max(left if slow else min(self._settings.patience, left), 0.01)

    def failed(self, error: RefusedError | LostError) -> None:
        """Wait, or raise `error` where there is no more trying.

        Raises:
            RefusedError: As it was given, with the count of tries.
            LostError: Likewise.
        """
        now = time.monotonic()
        error.tries, error.seconds = self.number, now - self._begun
        most = self._settings.max_attempts
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
        # Full jitter: many clients that were refused together do not come back together.
        wait = random.uniform(0, min(_LONGEST_WAIT, _FIRST_WAIT * 2 ** (self.number - 1)))  # noqa: S311 — no secret
        if asked is not None:
            wait += asked
        if now + wait >= self._begun + self._settings.deadline:
            raise error
        time.sleep(wait)


class Service:
    """The service, as the store asks it."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self.settings = settings
        self._connections = Connections(settings)

    @property
    def connections(self) -> Connections:
        """What this process has open: a child of `os.fork` uses nothing of its parent's."""
        if self._connections.pid != os.getpid():
            self._connections = Connections(self.settings)
        return self._connections

    def ask(self, method: str, path: str, data: Mapping[str, Any] | None = None, /, **query: str | None) -> Answer:
        """Ask the API for a thing, or to do something with it.

        Args:
            method: Of HTTP.
            path: From the API's version on: ``/b/BUCKET/o``.
            data: A JSON document to send.
            **query: The query; what is None is left out.

        Raises:
            RefusedError: See `call`.
            LostError: See `call`.
        """
        import json

        asked = self.settings.reading() | {name: value for name, value in query.items() if value is not None}
        if data is None:
            return self.call(Call(method, _API + path, asked))
        body = json.dumps(data).encode()
        headers = {"content-type": "application/json; charset=UTF-8"}
        return self.call(Call(method, _API + path, asked, headers, lambda: (body,), len(body), slow=True))

    def call(self, call: Call) -> Answer:
        """Ask until there is an answer.

        Raises:
            RefusedError: The service answered with an error, at last.
            LostError: It did not answer.
            google.auth.exceptions.GoogleAuthError: There are no credentials, or they cannot be had.
        """
        connections = self.connections
        tries = Tries(self.settings)
        renewed = False
        while True:
            tries.number += 1
            try:
                said, token = exchange(connections, call, tries.patience(slow=call.slow))
            except LostError as error:
                tries.failed(error)
                continue
            if isinstance(said, Answer):
                return said
            if said.status == 401 and not renewed:
                renewed = True
                if connections.renew(token):
                    continue
            tries.failed(said)

"""Requests with all that may go wrong for a moment: tried again, and with a new token."""

from __future__ import annotations

import os
from typing import Any

from mercury_gcs.answers import RefusedError
from mercury_gcs.connections import Connections
from mercury_gcs.wire import Call, begin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mercury_core.storage.http import answers
    from mercury_core.storage.http.answers import Answer
    from mercury_core.storage.http.tries import Tries
    from mercury_gcs.settings import Settings
    from mercury_gcs.wire import Exchanged

_API = "/storage/v1"


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
        return self.begin(call)()

    def begin(self, call: Call) -> Callable[[], Answer]:
        """Send a request ahead; what is given waits for the answer, and asks again as `call` does; it is called once.

        Errors: see `call`; none is raised before the answer is waited for.
        """
        connections, tries = self.connections, self.settings.tries()
        ahead: Callable[[], Exchanged] | None = begin(connections, call, tries.patience(slow=call.slow))
        token: str | None = None
        renewed = False

        def once(tries: Tries) -> Answer:
            nonlocal ahead, token
            first, ahead = ahead, None
            said, token = (first or begin(connections, call, tries.patience(slow=call.slow)))()
            if isinstance(said, RefusedError):
                raise said
            return said

        def mend(refused: answers.RefusedError) -> bool:
            nonlocal renewed
            if refused.status != 401 or renewed:
                return False
            renewed = True
            return connections.renew(token)

        return lambda: tries.run(once, mend)

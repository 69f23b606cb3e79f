"""Requests of the JSON API, built and sent here: it is small, and clients cost more than it does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from urllib.parse import quote

from mercury_core.storage.http.answers import Answer, LostError
from mercury_gcs.answers import RefusedError, refused_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mercury_core.storage.http.messages import Response
    from mercury_gcs.connections import Connections

    Exchanged = tuple[Answer | RefusedError, str | None]

_LONGEST_ANSWER = 64 << 20  # a thousand names of a thousand characters fit, escaped
#: A session that goes on: nobody is to be redirected.
RESUME_INCOMPLETE = 308


@dataclass(frozen=True, slots=True)
class Call:
    """One request.

    Attributes:
        method: In capitals.
        target: The path, from the root.
        query: By name.
        headers: By name in lower case.
        body: What gives the blocks of the body; called again for each try.
        length: Of the body, in bytes.
        reads: Whether the answer is the content of an object.
        slow: Whether the service may work long before it answers.
    """

    method: str
    target: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Callable[[], Iterable[memoryview | bytes]] | None = field(default=None, repr=False)
    length: int = 0
    reads: bool = False
    slow: bool = False

    @property
    def address(self) -> str:
        """The path with the query."""
        if not self.query:
            return self.target
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in self.query.items())
        return f"{self.target}{'&' if '?' in self.target else '?'}{query}"


def begin(connections: Connections, call: Call, patience: float) -> Callable[[], Exchanged]:
    """Send the request of one try.

    Returns:
        What waits for the answer, or the refusal that it is, and gives it with the token that was sent. It raises
        LostError where there is no answer, and GoogleAuthError where there are no credentials.
    """
    try:
        return _begin(connections, call, patience)
    except Exception as error:  # noqa: BLE001 — it belongs to whoever waits for the answer
        return partial(_raise, error)


def _raise(error: Exception) -> Exchanged:
    raise error


def _begin(connections: Connections, call: Call, patience: float) -> Callable[[], Exchanged]:
    # What is stored compressed is wanted as it is stored: sizes and checksums are those of that.
    headers = {"accept-encoding": "gzip" if call.reads else "identity", **call.headers}
    target = call.address
    token = connections.authorize(call.method, target, headers)
    body = call.body() if call.body is not None else None
    answer = connections.channels().begin(call.method, target, headers, body, call.length, patience)
    return lambda: (_read(call, answer()), token)


def _read(call: Call, response: Response) -> Answer | RefusedError:
    status, found = response.status, response.headers
    if call.reads and status in (200, 206):
        return Answer(status, found, content=response)
    text = response.read(_LONGEST_ANSWER)
    if status >= 300 and status != RESUME_INCOMPLETE:
        return refused_by(status, found, text)
    return Answer(status, found, _document(text, found))


def _document(text: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    if not text or "json" not in headers.get("content-type", ""):
        return {}
    try:
        said = json.loads(text)
    except ValueError:
        raise LostError("what it answered broke off") from None
    return said if isinstance(said, dict) else {}

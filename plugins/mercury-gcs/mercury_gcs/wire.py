"""Requests of the JSON API, sent here.

google-cloud-storage costs two to four milliseconds of CPU for each request, and asks for a bucket's metadata beside
the first one; the API itself is small.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from mercury_gcs.answers import Answer, LostError, refused_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mercury_gcs.connections import Connections

_BLOCK = 1 << 20
_CONNECTING = 10.0  # seconds: a host that takes longer is not there
_LONGEST_ERROR = 1 << 16
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


def exchange(connections: Connections, call: Call, patience: float) -> tuple[Answer | None, Any, str | None]:
    """One try: an answer, or the error that it is; and the token that was sent.

    Raises:
        LostError: There was no answer.
        google.auth.exceptions.GoogleAuthError: There are no credentials.
    """
    from urllib3 import Timeout
    from urllib3.exceptions import HTTPError

    # What is stored compressed is wanted as it is stored: sizes and checksums are those of that.
    headers = {"accept-encoding": "gzip" if call.reads else "identity", **call.headers}
    target = call.address
    token = connections.authorize(call.method, target, headers)
    if call.body is not None or call.method in ("POST", "PUT"):
        headers["content-length"] = str(call.length)
    try:
        response = connections.pool().urlopen(
            call.method,
            target,
            body=call.body() if call.body is not None else None,
            headers=headers,
            retries=False,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            timeout=Timeout(connect=min(_CONNECTING, patience), read=patience),
        )
        found = {name.lower(): value for name, value in response.headers.items()}
        good = response.status < 300 or response.status == RESUME_INCOMPLETE
        if call.reads and response.status in (200, 206):
            return Answer(response.status, found, content=Content(response)), None, token
        text = response.read(None if good else _LONGEST_ERROR)
        if not good and response.read(1):
            response.close()
        response.release_conn()
    except (HTTPError, OSError) as error:
        raise lost(error) from None
    if not good:
        return None, refused_by(response.status, found, text), token
    return Answer(response.status, found, _document(text, found)), None, token


def _document(text: bytes, headers: Mapping[str, str]) -> dict[str, Any]:
    if not text or "json" not in headers.get("content-type", ""):
        return {}
    try:
        said = json.loads(text)
    except ValueError:
        raise LostError("what it answered broke off") from None
    return said if isinstance(said, dict) else {}


class Content:
    """What an object holds, as it arrives."""

    def __init__(self, response: Any) -> None:
        """Read from an answer of urllib3."""
        self._response = response

    def read(self, size: int) -> bytes:
        """At most that many bytes; none at the end.

        Raises:
            LostError: It broke off.
        """
        from urllib3.exceptions import HTTPError

        try:
            return self._response.read(size)  # type: ignore[no-any-return]
        except (HTTPError, OSError) as error:
            raise lost(error) from None

    def close(self) -> None:
        """Stop reading; a connection of which all was read is kept."""
        response = self._response
        if response.length_remaining:
            response.close()
        response.release_conn()


def blocks(body: memoryview) -> Iterator[memoryview]:
    """A body in blocks, since a socket's time limit is one for each."""
    for start in range(0, body.nbytes, _BLOCK):
        yield body[start : start + _BLOCK]


def lost(error: Exception) -> LostError:
    """What an error of the network says, without the address that it was sent to: that of a session is a secret."""
    name, text = type(error).__name__, str(error).lower()
    if "certificate" in text:
        return LostError("the certificate of the service is not trusted", reached=False, final=True)
    if "NameResolution" in name or "name resolution" in text or "getaddrinfo" in text or "name or service" in text:
        return LostError("its name is not known (DNS)", reached=False)
    if "Proxy" in name:
        return LostError("the proxy does not let it through", reached=False)
    if "Timeout" in name or isinstance(error, TimeoutError):
        return LostError("it did not answer in time", reached="Connect" not in name)
    if "NewConnection" in name or isinstance(error, ConnectionRefusedError):
        return LostError("there is no connection to it", reached=False)
    return LostError("the connection was cut")

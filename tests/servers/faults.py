"""What can happen to a request on its way."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Fault:
    """What every fault is.

    Attributes:
        kind: Its name, in the counts.
    """

    kind: ClassVar[str]


@dataclass(frozen=True)
class Reset(Fault):
    """The connection is reset before anything reaches the server."""

    kind = "reset"


@dataclass(frozen=True)
class Hang(Fault):
    """Nothing is ever answered, and nothing reaches the server."""

    kind = "hang"


@dataclass(frozen=True)
class Answer(Fault):
    """The proxy answers itself, and nothing reaches the server."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:  # type: ignore[override]
        """Counted by status."""
        return str(self.status)


@dataclass(frozen=True)
class Delay(Fault):
    """Nothing happens for some seconds; then all goes on."""

    seconds: float
    kind = "delay"


@dataclass(frozen=True)
class Slow(Fault):
    """Both bodies crawl."""

    bytes_per_second: int
    kind = "slow"


@dataclass(frozen=True)
class Cut(Fault):
    """The connection is closed in the middle of the answer's body, which is shorter than announced then."""

    after: int
    kind = "cut answer"


@dataclass(frozen=True)
class CutRequest(Fault):
    """The connection is reset in the middle of the request's body."""

    after: int
    kind = "cut request"


@dataclass(frozen=True)
class Shorten(Fault):
    """The answer's body is shorter than it should be, and is announced so: nothing looks wrong."""

    to: int
    kind = "truncated"


@dataclass(frozen=True)
class FlipAnswer(Fault):
    """One bit of the answer's body is another one."""

    offset: int = 0
    kind = "flipped down"


@dataclass(frozen=True)
class FlipRequest(Fault):
    """One bit of the request's body is another one."""

    offset: int = 0
    kind = "flipped up"


@dataclass(frozen=True)
class LoseAnswer(Fault):
    """The server does what it was asked to, and the connection is reset before the client learns of it."""

    kind = "lost answer"


@dataclass(frozen=True)
class Call(Fault):
    """A function is called first, in a thread: to kill the client, say, or to change something meanwhile."""

    function: Callable[[], object]
    kind: str = "call"  # type: ignore[misc]


SLOW_DOWN = Answer(
    503,
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>SlowDown</Code>'
    b"<Message>Please reduce your request rate.</Message></Error>",
    {"Content-Type": "application/xml"},
)
"""How S3 says that there are too many requests."""

TOO_MANY = Answer(
    429,
    b'{"error": {"code": 429, "message": "The rate limit is exceeded.", "errors": [{"reason": "rateLimitExceeded"}]}}',
    {"Content-Type": "application/json"},
)
"""How Google Cloud Storage says that there are too many requests."""

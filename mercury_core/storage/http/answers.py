"""What comes back from a service, or does not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})


class Body(Protocol):
    """What an object holds, as it arrives."""

    def readinto(self, buffer: memoryview, /) -> int:
        """Read at most as much as fits; 0 at the end.

        Raises:
            LostError: It broke off.
        """
        ...

    def close(self) -> None:
        """Stop reading."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is none of an error.

    Attributes:
        status: Of HTTP.
        headers: By name in lower case.
        data: The document in it.
        content: What an object holds, not yet read.
    """

    status: int
    headers: Mapping[str, str]
    data: Mapping[str, Any] = field(default_factory=dict)
    content: Body | None = None


class LostError(Exception):
    """No answer, or a part of one: the connection was lost, refused, or silent for too long.

    Attributes:
        why: In our words, with no address in it: one may be signed.
        reached: Whether the request may have reached the service.
        final: Whether trying again cannot help.
        tries: How often it was tried.
        seconds: And how long.
    """

    def __init__(self, why: str, *, reached: bool = True, final: bool = False) -> None:
        super().__init__(why)
        self.why, self.reached, self.final = why, reached, final
        self.tries, self.seconds = 1, 0.0


class RefusedError(Exception):
    """The service answered with an error.

    A plugin derives its own, which knows the codes of its service.

    Attributes:
        status: Of HTTP.
        code: As the service names it; whatever the plugin says where it names none.
        message: What it says.
        headers: By name in lower case.
        after_loss: Whether an earlier try may have been done, though its answer did not arrive.
        tries: How often it was tried.
        seconds: And how long.
    """

    def __init__(self, status: int, code: str, message: str = "", headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"{status} {code}")
        self.status, self.code, self.message = status, code, message
        self.headers = headers or {}
        self.after_loss = False
        self.tries, self.seconds = 1, 0.0

    @property
    def transient(self) -> bool:
        """Whether trying again may help."""
        return self.status in _TRANSIENT or self.throttled

    @property
    def throttled(self) -> bool:
        """Whether it asks for fewer requests."""
        return self.status == 429

    @property
    def no_bucket(self) -> bool:
        """Whether it says that there is no such bucket."""
        return False

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait that the service asks for; dates are not understood."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isdigit() else None


def not_an_answer(service: str, *, final: bool = False) -> LostError:
    """The error for an answer without what belongs into it.

    Args:
        service: Whose answer it should be: ``an S3 service``.
        final: Whether trying again cannot help.
    """
    return LostError(f"what it answered is not that of {service}", final=final)

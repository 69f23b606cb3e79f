"""What comes back from the service, by whichever way it was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: As errors name it.
SERVICE = "an S3 service"
_TRANSIENT_STATUS = frozenset({408, 429, 500, 502, 503, 504, 509})
_THROTTLED = frozenset(
    {
        "BandwidthLimitExceeded",
        "RequestLimitExceeded",
        "RequestThrottled",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_TRANSIENT = _THROTTLED | {
    "ConditionalRequestConflict",
    "IncompleteBody",
    "InternalError",
    "OperationAborted",
    "PriorRequestNotComplete",
    "RequestTimeout",
    "ServiceUnavailable",
}
_EXPIRED = frozenset({"ExpiredToken", "ExpiredTokenException", "TokenRefreshRequired", "RequestExpired"})
_ELSEWHERE = frozenset({"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"})


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
        headers: By name in lower case.
        data: What was in it, in boto3's words.
        body: The content of an object, not yet read.
        status: Of HTTP.
    """

    headers: Mapping[str, str]
    data: Mapping[str, Any] = field(default_factory=dict)
    body: Body | None = None
    status: int = 200


class RefusedError(Exception):
    """The service answered with an error.

    Attributes:
        status: Of HTTP.
        code: As S3 names it; the status where it names none.
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
        self.named_region: str | None = None

    @property
    def transient(self) -> bool:
        """Whether trying again may help."""
        return (self.status in _TRANSIENT_STATUS and self.code != "NotImplemented") or self.code in _TRANSIENT

    @property
    def throttled(self) -> bool:
        """Whether it asks for fewer requests."""
        return self.status in (429, 503) or self.code in _THROTTLED

    @property
    def expired(self) -> bool:
        """Whether the credentials were good once."""
        return self.code in _EXPIRED

    @property
    def region(self) -> str | None:
        """Where the bucket is, if the answer is that it is elsewhere."""
        if self.status in (301, 307) or self.code in _ELSEWHERE or self.status == 400:
            return self.headers.get("x-amz-bucket-region") or self.named_region
        return None

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait that the service asks for; dates are not understood."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isdigit() else None

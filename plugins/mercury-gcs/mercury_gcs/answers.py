"""What comes back from the service."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from mercury_core.storage.http import answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mercury_core.storage.http.answers import LostError
    from mercury_core.storage.http.messages import Response

#: As errors name it.
SERVICE = "Google Cloud Storage"
_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
#: Refusals (403) that mean too many requests.
_THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "concurrentLimitExceeded"})
_NO_BUCKET = "The specified bucket does not exist."  # as the service says it
_LONGEST_MESSAGE = 400  # characters that are shown of what the service says


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is none of an error.

    Attributes:
        status: Of HTTP; 308 for a session that goes on.
        headers: By name in lower case.
        data: The JSON document in it.
        content: What an object holds, not yet read.
    """

    status: int
    headers: Mapping[str, str]
    data: Mapping[str, Any] = field(default_factory=dict)
    content: Response | None = None


class RefusedError(Exception):
    """The service answered with an error.

    Attributes:
        status: Of HTTP.
        reason: As the service names it: ``notFound``, ``conditionNotMet``; nothing where it names none.
        message: What it says.
        headers: By name in lower case.
        after_loss: Whether an earlier try may have been done, though its answer did not arrive.
        tries: How often it was tried.
        seconds: And how long.
    """

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(f"{status} {reason}")
        self.status, self.reason, self.message, self.headers = status, reason, message, headers
        self.after_loss = False
        self.tries, self.seconds = 1, 0.0

    @property
    def transient(self) -> bool:
        """Whether trying again may help."""
        return self.status in _TRANSIENT or self.throttled

    @property
    def throttled(self) -> bool:
        """Whether it asks for fewer requests."""
        return self.status == 429 or self.reason in _THROTTLED

    @property
    def retry_after(self) -> float | None:
        """Seconds to wait that the service asks for; dates are not understood."""
        value = self.headers.get("retry-after", "")
        return float(value) if value.isdigit() else None

    @property
    def no_bucket(self) -> bool:
        """Whether it says that there is no such bucket."""
        return self.status == 404 and "bucket does not exist" in self.message

    def missing_bucket(self) -> None:
        """Take it for that, of a request that nothing else can be missing for."""
        if self.status == 404:
            self.message = _NO_BUCKET

    @property
    def no_object(self) -> bool:
        """Whether it says that there is no such object."""
        return self.status == 404 and "No such object" in self.message

    @property
    def other_checksum(self) -> bool:
        """Whether it says that what arrived has another checksum than what was sent."""
        text = self.message.lower()
        return self.status == 400 and ("crc32c" in text or "md5" in text) and ("match" in text or "hash" in text)


def refused_by(status: int, headers: Mapping[str, str], body: bytes) -> RefusedError:
    """The error that an answer is: a JSON document, or a line of text where content was asked for."""
    reason, message = "", body.decode("utf-8", "replace")
    try:
        error = json.loads(body)["error"]
        message = str(error.get("message", ""))
        reason = str((error.get("errors") or [{}])[0].get("reason", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        if message.lstrip().startswith("<"):
            message = ""  # a page of some proxy
    message = " ".join(message.split())[:_LONGEST_MESSAGE]
    return RefusedError(status, reason, message, headers)


def not_an_answer() -> LostError:
    """The error for an answer without what belongs into it."""
    return answers.not_an_answer(SERVICE, final=True)

"""What comes back from the service."""

from __future__ import annotations

import json

from mercury_core.storage.http import answers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mercury_core.storage.http.answers import LostError

#: As errors name it.
SERVICE = "Google Cloud Storage"
#: Refusals (403) that mean too many requests.
_THROTTLED = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "concurrentLimitExceeded"})
_NO_BUCKET = "The specified bucket does not exist."  # as the service says it
_LONGEST_MESSAGE = 400  # characters that are shown of what the service says


class RefusedError(answers.RefusedError):
    """The service answered with an error; its code is nothing where it names none."""

    @property
    def throttled(self) -> bool:
        """Whether it asks for fewer requests."""
        return self.status == 429 or self.code in _THROTTLED

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

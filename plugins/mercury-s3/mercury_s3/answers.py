"""What comes back from the service, by whichever way it was asked."""

from __future__ import annotations

from mercury_core.storage.http import answers

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


class RefusedError(answers.RefusedError):
    """The service answered with an error; its code is the status where it names none.

    Attributes:
        named_region: Where the bucket is, as the answer says.
    """

    named_region: str | None = None

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
    def no_bucket(self) -> bool:
        """Whether it says that there is no such bucket."""
        return self.code == "NoSuchBucket"

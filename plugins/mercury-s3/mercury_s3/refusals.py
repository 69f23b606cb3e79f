"""What the service, the network or boto3 refused, in Mercury's errors: the one place where they are worded.

None of the messages holds credentials, tokens or signed addresses, and the errors that they come from are not chained:
those of the SDKs may.
"""

from __future__ import annotations

import os

from mercury_core.errors import MercuryError, ObjectNotFoundError, StoreAccessError, UploadGoneError, VerificationError
from mercury_core.storage.http import answers, refusals as http
from mercury_core.storage.http.answers import LostError
from mercury_s3.answers import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mercury_s3.settings import Settings

_RIGHTS = {
    "read": "s3:GetObject",
    "list": "s3:ListBucket",
    "write": "s3:PutObject",
    "delete": "s3:DeleteObject",
    "copy": "s3:GetObject there and s3:PutObject here",
    "reach": "s3:ListBucket",
}
_DIGESTS = ("BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch")
_FORBIDDEN = ("AccessDenied", "AllAccessDisabled", "AccountProblem", "NotSignedUp", "Forbidden", "403")
_UNKNOWN_KEY = ("InvalidAccessKeyId", "InvalidToken", "InvalidClientTokenId", "UnrecognizedClientException")
_EXPIRED = "Get new ones (`aws sso login`, or however they are given out), then do it again."
_NONE = (
    "Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, log in with `aws sso login`, run where a role is "
    "attached, or give anonymous=True for a public bucket."
)


def translated(action: str, uri: str, settings: Settings) -> AbstractContextManager[None]:
    """Raise Mercury's errors for those of the service in the body.

    Args:
        action: ``read``, ``write``, ``list``, ``delete``, ``copy`` or ``reach``.
        uri: What it is about.
        settings: Of the store.
    """
    return http.translated(
        lambda error: refusal(error, action, uri, settings),
        lambda error: _by_sdk(error, action, uri, settings),
    )


def refusal(error: answers.RefusedError | LostError, action: str, uri: str, settings: Settings) -> MercuryError:
    """The error to raise for one that is final."""
    if isinstance(error, LostError):
        return _unreached(error, action, uri, settings)
    assert isinstance(error, RefusedError)  # noqa: S101 — there are no others here
    code, status = error.code, error.status
    if error.no_bucket:
        return http.no_bucket(action, uri)
    if code == "NoSuchUpload":
        return UploadGoneError(uri)
    if code in _DIGESTS:
        return VerificationError(uri, "the checksum that was sent with it", "another one, says the service")
    if _is_elsewhere(error):
        where = f"it is in the region {error.region}" if error.region else "it is in another region"
        given = f", and {settings.region} was given" if settings.region else ""
        todo = f"Set region={error.region!r}, or leave it out." if error.region else "Set the region that it is in."
        return StoreAccessError(action, uri, f"{where}{given}", todo)
    if status == 404 or code == "NoSuchKey":
        return ObjectNotFoundError(uri)
    why, todo = _reason(error, action, uri, settings)
    return StoreAccessError(action, uri, why, todo)


def _reason(error: RefusedError, action: str, uri: str, settings: Settings) -> tuple[str, str]:
    code, status = error.code, error.status
    bucket = http.bucket_of(uri)
    if error.expired:
        return "the credentials have expired", _EXPIRED
    if code in _UNKNOWN_KEY:
        return "the service does not know the credentials", "Look which ones are used (`aws sts get-caller-identity`)."
    if code == "SignatureDoesNotMatch":
        todo = "Look whether secret and access key belong together, and whether a proxy changes requests."
        return "the signature does not match: the secret is another one than the service has", todo
    if code == "RequestTimeTooSkewed":
        return "the clock of this machine and that of the service differ too much", "Set this machine's clock."
    if error.throttled:
        return http.throttled(error, "timeout")
    if code.startswith("KMS."):
        return f"the key for its encryption cannot be used ({code})", "Look at the state and the policy of the KMS key."
    if code == "InvalidObjectState":
        return "it is in an archive", "Restore it first (`aws s3api restore-object`)."
    if code in _FORBIDDEN or status in (401, 403):
        if settings.anonymous:
            return "access denied without credentials", "It is not public: leave anonymous out."
        todo = f"Ask for the right {_RIGHTS[action]} on {bucket}"
        missing = " (S3 says this as well of what is not there, without the right to list)" if action == "read" else ""
        kms = " and for the KMS key" if settings.sse in ("aws:kms", "aws:kms:dsse") else ""
        return "access denied", f"{todo}{kms}, or use another profile{missing}."
    if status == 501 or code in ("NotImplemented", "UnsupportedOperation", "MethodNotAllowed"):
        return (
            f"this service does not support what was asked for ({code})",
            "Leave out the parameters (sse, storage_class, tags, acl) that it does not know.",
        )
    if code in ("EntityTooLarge", "EntityTooSmall", "MaxMessageLengthExceeded"):
        return f"the service does not take this size ({code})", "Split it, or choose another store."
    if status >= 500:
        return http.failed(error)
    said = f": {error.message.rstrip('.')}" if error.message and code != "SignatureDoesNotMatch" else ""
    return f"the service refused it ({status} {code}){said}", "Look at the parameters of the store, and at the name."


def _is_elsewhere(error: RefusedError) -> bool:
    return error.status in (301, 307) or (
        error.code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
    )


def _address_in_environment() -> str:
    """Where the service is by the environment; nothing where it is not told, or a secret may be in it."""
    told = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL") or ""
    return "" if "@" in told else told


def _unreached(error: LostError, action: str, uri: str, settings: Settings) -> StoreAccessError:
    return http.unreached(
        error,
        action,
        uri,
        where=settings.endpoint_url or _address_in_environment() or "the service",
        certificates="AWS_CA_BUNDLE",
        deadline="timeout",
        address="endpoint_url and region",
    )


def _by_sdk(error: Exception, action: str, uri: str, settings: Settings) -> StoreAccessError | None:
    """For what boto3 raises before it asks the service."""
    from botocore import exceptions

    if not isinstance(error, (exceptions.BotoCoreError, exceptions.ClientError)):
        return None
    name = type(error).__name__
    if isinstance(error, exceptions.NoCredentialsError):
        return StoreAccessError(action, uri, "there are no credentials", _NONE)
    if isinstance(error, exceptions.PartialCredentialsError):
        return StoreAccessError(action, uri, "the credentials are not complete", _NONE)
    if isinstance(error, exceptions.ProfileNotFound):
        profile = error.kwargs.get("profile", settings.profile)
        return StoreAccessError(
            action, uri, f"there is no profile {profile!r}", "Look into ~/.aws/config (`aws configure list-profiles`)."
        )
    if "SSO" in name or "Token" in name or "Login" in name:
        return StoreAccessError(action, uri, "the login has expired, or there was none", _EXPIRED)
    if isinstance(error, (exceptions.CredentialRetrievalError, exceptions.MetadataRetrievalError)) or (
        isinstance(error, exceptions.ClientError) or "Refresh" in name or "Credential" in name
    ):
        return StoreAccessError(
            action, uri, f"the credentials cannot be had ({name})", "Look at the role, or the program, that gives them."
        )
    if isinstance(error, exceptions.InvalidRegionError):
        return StoreAccessError(action, uri, "the region can be none", "Write one such as 'eu-west-1'.")
    if isinstance(error, (exceptions.HTTPClientError, exceptions.ConnectionError)):
        return StoreAccessError(action, uri, "what gives the credentials cannot be reached", "Look at the network.")
    return StoreAccessError(action, uri, f"boto3 cannot do it ({name})", "Look at the parameters of the store.")

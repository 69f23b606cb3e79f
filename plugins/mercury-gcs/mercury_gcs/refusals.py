"""What the service, the network or google-auth refused, in Mercury's errors: the one place where they are worded.

None of the messages holds tokens or the addresses of sessions, and the errors that they come from are not chained.
"""

from __future__ import annotations

from mercury_core.errors import MercuryError, ObjectNotFoundError, StoreAccessError, UploadGoneError, VerificationError
from mercury_core.storage.http import answers, refusals as http
from mercury_core.storage.http.answers import LostError
from mercury_gcs.answers import SERVICE, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mercury_gcs.settings import Settings

_RIGHTS = {
    "read": "storage.objects.get",
    "list": "storage.objects.list",
    "write": "storage.objects.create (and storage.objects.delete to replace what is there)",
    "delete": "storage.objects.delete",
    "copy": "storage.objects.get there and storage.objects.create here",
    "reach": "storage.objects.list",
}
_LOGIN = "`gcloud auth application-default login`"
_NONE = (
    f"Log in with {_LOGIN}, set GOOGLE_APPLICATION_CREDENTIALS to a file of credentials, run where a service account "
    "is attached, or give anonymous=True for a public bucket."
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
        lambda error: _by_auth(error, action, uri),
    )


def refusal(error: answers.RefusedError | LostError, action: str, uri: str, settings: Settings) -> MercuryError:
    """The error to raise for one that is final."""
    if isinstance(error, LostError):
        return _unreached(error, action, uri, settings)
    assert isinstance(error, RefusedError)  # noqa: S101 — there are no others here
    if error.no_bucket:
        return http.no_bucket(action, uri)
    if error.status == 410:
        return UploadGoneError(uri)
    if error.status == 404:
        return ObjectNotFoundError(uri)
    if error.other_checksum:
        return VerificationError(uri, "the checksum that was sent with it", "another one, says the service")
    why, todo = _reason(error, action, uri, settings)
    return StoreAccessError(action, uri, why, todo)


def _reason(error: RefusedError, action: str, uri: str, settings: Settings) -> tuple[str, str]:
    status, message = error.status, error.message.rstrip(".")
    said = f": {message}" if message else ""
    bucket = http.bucket_of(uri)
    if error.throttled:
        return http.throttled(error, "deadline")
    if "requester pays" in message.lower() or error.code == "userProjectMissing":
        return "whoever reads the bucket pays for it, and no project was named", "Set user_project to one that may pay."
    if "billing" in message.lower() or error.code in ("accountDisabled", "billingNotEnabled"):
        return f"the project has no billing account that works{said}", "Look at the billing of that project."
    if error.code in ("accessNotConfigured", "SERVICE_DISABLED"):
        return (
            f"the API is not enabled in the project{said}",
            "Enable it (`gcloud services enable storage.googleapis.com`).",
        )
    if status == 401 and not settings.unsigned:
        return "the credentials have expired, or the service does not know them", f"Get new ones: {_LOGIN}."
    if status in (401, 403):
        return _denied(action, bucket, said, settings)
    if "kms" in message.lower():
        return f"the key for its encryption cannot be used{said}", "Look at kms_key_name, and at the key's state."
    if status >= 500 or status == 408:
        return http.failed(error)
    code = f"{status} {error.code}".rstrip()
    return f"the service refused it ({code}){said}", "Look at the parameters of the store, and at the name."


def _denied(action: str, bucket: str, said: str, settings: Settings) -> tuple[str, str]:
    if settings.unsigned:
        todo = "It is not public: leave anonymous out" if settings.anonymous else "Give an address with https://"
        return f"access denied without credentials{said}", f"{todo}, or use another account."
    if "kms" in said.lower():
        todo = "Have the service agent of Cloud Storage allowed to use it (roles/cloudkms.cryptoKeyEncrypterDecrypter)."
        return f"the key for its encryption may not be used{said}", todo
    if "retention" in said.lower() or "hold" in said.lower().split():
        return f"access denied{said}", "It is kept by a retention policy or a hold: wait, or have that lifted."
    hint = " (without the right to list, this is also said of what is not there)" if action == "read" else ""
    return f"access denied{said}", f"Ask for {_RIGHTS[action]} on {bucket}, or use another account{hint}."


def _unreached(error: LostError, action: str, uri: str, settings: Settings) -> StoreAccessError:
    return http.unreached(
        error,
        action,
        uri,
        where=settings.address or SERVICE,
        certificates="REQUESTS_CA_BUNDLE",
        deadline="deadline",
        address="and endpoint or STORAGE_EMULATOR_HOST",
    )


def _by_auth(error: Exception, action: str, uri: str) -> StoreAccessError | None:
    """For what google-auth raises before the service is asked."""
    if not type(error).__module__.startswith("google.auth"):
        return None
    name = type(error).__name__
    if name == "DefaultCredentialsError":
        import os

        if os.environ.get("GOOGLE_APPLICATION_CREDENTIALS"):
            why = "the credentials that GOOGLE_APPLICATION_CREDENTIALS names cannot be read"
            return StoreAccessError(action, uri, why, "Look whether the file is there, and is one of Google's.")
        return StoreAccessError(action, uri, "there are no credentials", _NONE)
    if name in ("RefreshError", "ReauthFailError", "OAuthError"):
        return StoreAccessError(action, uri, "the credentials have expired or were revoked", f"Get new ones: {_LOGIN}.")
    return StoreAccessError(action, uri, f"the credentials cannot be had ({name})", _NONE)

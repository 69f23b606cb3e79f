"""What one process has open: connections and credentials, made when they are first needed."""

from __future__ import annotations

import os
from threading import RLock
from typing import Any

from mercury_core.storage.http.answers import LostError
from mercury_core.storage.http.channels import Channels
from mercury_gcs.answers import SERVICE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_gcs.settings import Settings

_PUBLIC = "https://storage.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/devstorage.read_write"


class Connections:
    """Connections to the service, and the credentials for it."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self._settings = settings
        self.pid = os.getpid()
        self._lock = RLock()
        self._credentials: Any = None
        self._request: Any = None
        self._channels: Channels | None = None
        self._address = ""

    @property
    def address(self) -> str:
        """Scheme, host and port of the service."""
        if not self._address:
            self._address = self._settings.address or self._default_address()
        return self._address

    def channels(self) -> Channels:
        """Connections to the service."""
        if self._channels is None:
            with self._lock:
                if self._channels is None:
                    most = self._settings.max_concurrency
                    self._channels = Channels(self.address, certificates, most, service=SERVICE, agent="mercury-gcs")
        return self._channels

    def authorize(self, method: str, target: str, headers: dict[str, str]) -> str | None:
        """Add the credentials to the headers of a request; gives the token, to tell `renew` which one it was.

        Raises:
            google.auth.exceptions.GoogleAuthError: There are none, or they cannot be had.
            LostError: What gives them cannot be reached.
        """
        if self._settings.unsigned:
            return None
        credentials = self._find_credentials()
        if not credentials.valid:
            with self._lock:  # one thread asks, and all others wait for what it gets
                if not credentials.valid:
                    self._refresh(credentials)
        credentials.before_request(self._request, method, f"{self.address}{target}", headers)
        return str(credentials.token)

    def renew(self, token: str | None) -> bool:
        """Get a new token in place of one that was refused; False where that cannot help."""
        if token is None:
            return False
        with self._lock:
            if str(self._credentials.token) == token:
                self._refresh(self._credentials)
        return True

    def _refresh(self, credentials: Any) -> None:
        from google.auth.exceptions import RefreshError, TransportError

        try:
            credentials.refresh(self._request)
        except TransportError:
            raise LostError("what gives the credentials cannot be reached", reached=False) from None
        except RefreshError as error:
            if not error.retryable:
                raise
            raise LostError("what gives the credentials does not answer well", reached=False) from None

    def _find_credentials(self) -> Any:
        if self._credentials is None:
            with self._lock:
                if self._credentials is None:
                    import google.auth
                    from google.auth.transport.requests import Request

                    self._request = Request()
                    found, _ = google.auth.default(
                        scopes=[_SCOPE], request=self._request, quota_project_id=self._settings.project
                    )
                    self._credentials = found
        return self._credentials

    def _default_address(self) -> str:
        """Where google-cloud-storage finds the service: the credentials may be for another cloud than the usual."""
        if self._settings.unsigned:
            return _PUBLIC
        from google.cloud.storage import Client

        credentials = self._find_credentials()
        options = {"universe_domain": credentials.universe_domain}
        client = Client(project=self._settings.project, credentials=credentials, client_options=options)
        return str(client.api_endpoint).rstrip("/")


def certificates() -> str:
    """The file of the authorities that are trusted: as `requests` finds it, by which google-auth asks for tokens."""
    named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    if named:
        return named
    import certifi

    return certifi.where()

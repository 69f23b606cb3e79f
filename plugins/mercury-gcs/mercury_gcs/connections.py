"""What one process has open: connections and credentials, made when they are first needed."""

from __future__ import annotations

import os
from threading import RLock
from typing import Any
from urllib.parse import unquote, urlsplit

from mercury_gcs.answers import LostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_gcs.settings import Settings

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
        self._manager: Any = None
        self._pool: Any = None
        self._address = ""

    @property
    def address(self) -> str:
        """Scheme, host and port of the service."""
        if not self._address:
            self._address = self._settings.address or self._default_address()
        return self._address

    def pool(self) -> Any:
        """urllib3's connections to the service."""
        if self._pool is None:
            with self._lock:
                if self._pool is None:
                    self._pool = self._connect(self.address).connection_from_url(self.address)
        return self._pool

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
                    from google.auth.transport.urllib3 import Request

                    self._request = Request(self._connect("https://oauth2.googleapis.com"))  # type: ignore[no-untyped-call]
                    found, _ = google.auth.default(
                        scopes=[_SCOPE], request=self._request, quota_project_id=self._settings.project
                    )
                    self._credentials = found
        return self._credentials

    def _default_address(self) -> str:
        """Google's own address, in the part of its cloud that the credentials are for."""
        domain = "googleapis.com"
        if not self._settings.unsigned:
            domain = getattr(self._find_credentials(), "universe_domain", None) or domain
        return f"https://storage.{domain}"

    def _connect(self, address: str) -> Any:
        """Connections by way of the proxy that the environment names, with the authorities that it names."""
        import urllib.request

        import certifi
        import urllib3

        parts = urlsplit(address)
        options: dict[str, Any] = {"maxsize": self._settings.max_concurrency}
        if parts.scheme == "https":
            named = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
            options |= {"cert_reqs": "CERT_REQUIRED", "ca_certs": named or certifi.where()}
        proxy = urllib.request.getproxies().get(parts.scheme)
        if not proxy or urllib.request.proxy_bypass(parts.hostname or ""):
            return urllib3.PoolManager(**options)
        url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        if url.username:
            user = f"{unquote(url.username)}:{unquote(url.password or '')}"
            options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=user)
        return urllib3.ProxyManager(f"{url.scheme}://{url.netloc.rpartition('@')[2]}", **options)

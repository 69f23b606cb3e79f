"""The session, and what is opened with it: made when it is first needed, renewed when credentials expire."""

from __future__ import annotations

import os
from threading import Lock, RLock
from typing import Any

from mercury_s3 import environment
from mercury_s3.environment import Route, is_aws
from mercury_s3.signing import Keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_s3.settings import Settings

# Seconds to connect in: a host that takes longer is not there.
_CONNECTING = 10.0
#: Creating a client is not safe in several threads, whatever session it belongs to.
_CREATING = Lock()


class Connections:
    """What one process has open."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self._settings = settings
        self.pid = os.getpid()
        self._lock = RLock()
        self._core: Any = None
        self._boto: Any = None
        self._clients: dict[tuple[str | None, bool], Any] = {}
        self._routes: dict[str, Route] = {}
        self._regions: dict[str, str] = {}
        #: Counts how often the session was renewed.
        self.generation = 0

    def client(self, bucket: str) -> Any:
        """The boto3 client for a bucket."""
        key = (self._regions.get(bucket), speaks_otherwise(bucket))
        found = self._clients.get(key)
        if found is None:
            with self._lock:
                found = self._clients.get(key)
                if found is None:
                    found = self._clients[key] = self._new_client(*key)
        return found

    def route(self, bucket: str) -> Route:
        """Where a bucket is."""
        found = self._routes.get(bucket)
        if found is None:
            plain = environment.route(self._settings, bucket) if bucket not in self._regions else None
            found = self._routes[bucket] = plain or self._find_route(bucket)
        return found

    def credentials(self) -> Keys | None:
        """Access key, secret and token as they are valid now; None for requests that are not signed.

        Raises:
            botocore.exceptions.BotoCoreError: There are none, or they cannot be had.
        """
        if self._settings.anonymous:
            return None
        if (found := environment.keys(self._settings)) is not None:
            return found
        chain = self.core().get_credentials()
        if chain is None:
            from botocore.exceptions import NoCredentialsError

            raise NoCredentialsError
        frozen = chain.get_frozen_credentials()
        return Keys(frozen.access_key, frozen.secret_key, frozen.token)

    def certificates(self) -> str:
        """The file of those that are trusted: boto3's, or what ``AWS_CA_BUNDLE`` or the profile says."""
        from botocore.httpsession import get_cert_path

        return str(get_cert_path(self.core().get_config_variable("ca_bundle") or True))

    def core(self) -> Any:
        """The session of botocore: the chain of credentials, and the configuration."""
        if self._core is None:
            with self._lock:
                if self._core is None:
                    import botocore.session

                    self._core = botocore.session.Session(profile=self._settings.profile)
        return self._core

    def _session(self) -> Any:
        if self._boto is None:
            import boto3

            self._boto = boto3.Session(botocore_session=self.core(), region_name=self._settings.region)
        return self._boto

    def renew(self, generation: int) -> None:
        """Have the credentials looked up again; once, however many threads find that they have expired."""
        with self._lock:
            if self.generation == generation:
                self.generation += 1
                self._core = self._boto = None
                self._clients.clear()

    def move(self, bucket: str, region: str) -> bool:
        """Take a bucket for one of another region; False where it was taken for that already."""
        with self._lock:
            if self._regions.get(bucket) == region:
                return False
            self._regions[bucket] = region
            self._routes.pop(bucket, None)
            return True

    def region_is_given(self) -> bool:
        """Whether the user said which region it is."""
        return self._settings.region is not None

    def _new_client(self, region: str | None, otherwise: bool) -> Any:
        session = self._session()
        with _CREATING:
            client = session.client("s3", **self._client_options(region, otherwise, self._settings.path_style))
            if self._settings.path_style is None and not is_aws(client.meta.endpoint_url):
                client.close()
                client = session.client("s3", **self._client_options(region, otherwise, True))
        client.meta.events.register("before-call.s3", _keep_region)
        return client

    def _client_options(self, region: str | None, otherwise: bool, path_style: bool | None) -> dict[str, Any]:
        from botocore import UNSIGNED
        from botocore.config import Config

        settings = self._settings
        config: dict[str, Any] = {
            "connect_timeout": min(_CONNECTING, settings.patience),
            "read_timeout": settings.patience,
            "max_pool_connections": settings.max_concurrency,
            "retries": {"mode": "standard", "total_max_attempts": 1},  # `mercury_s3.service` tries again
            "request_checksum_calculation": "when_required",  # what is to be compared is said
            "response_checksum_validation": "when_required",
            "tcp_keepalive": True,
        }
        if settings.anonymous:
            config["signature_version"] = UNSIGNED
        elif not otherwise:
            config["signature_version"] = "s3v4"
        if path_style is not None and not otherwise:
            config["s3"] = {"addressing_style": "path" if path_style else "virtual"}
        options: dict[str, Any] = {"config": Config(**config)}
        if region or settings.region:
            options["region_name"] = region or settings.region
        if settings.endpoint_url:
            options["endpoint_url"] = settings.endpoint_url
        return options

    def _find_route(self, bucket: str) -> Route:
        """Ask boto3 to sign an address, which it does without asking the service, and keep what is no secret of it."""
        from urllib.parse import parse_qs, urlsplit

        client = self.client(bucket)
        signed = urlsplit(client.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k"}, 60))
        scope = parse_qs(signed.query).get("X-Amz-Credential", [""])[0].split("/")
        region, service = (scope[-3], scope[-2]) if len(scope) > 4 else (client.meta.region_name or "us-east-1", "s3")
        return Route(f"{signed.scheme}://{signed.netloc}", signed.path.removesuffix("/k"), region, service)


def speaks_otherwise(bucket: str) -> bool:
    """Whether a bucket is one that only boto3 knows how to speak to: an ARN, or one of S3 Express."""
    return bucket.startswith("arn:") or bucket.endswith("--x-s3")


def _keep_region(context: dict[str, Any], **_: Any) -> None:
    """Have boto3 not look for another region by itself: `mercury_s3.service` does, for all ways of asking."""
    context.setdefault("s3_redirect", {})["redirected"] = True

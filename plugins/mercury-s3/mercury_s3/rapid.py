"""Small objects through obstore, whose requests take a quarter of the CPU that Python's own take.

Its synchronous calls are made by the caller's threads. It is asked for plain things only, once: whatever goes wrong
there is asked again by `mercury_s3.wire`, which knows every error and every option. What it wrote is proven by the MD5
in its ETag, so it writes only where that was seen to be one.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from mercury_core.storage.http.answers import Answer, LostError
from mercury_s3.answers import RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mercury_s3.connections import Connections
    from mercury_s3.places import Place
    from mercury_s3.settings import Settings

#: Content up to this size comes through it.
LARGEST = 8 << 20
# Names that it takes as they stand: of others it drops or encodes something.
_NAME = re.compile(r"(?:(?!\.{1,2}(?:/|$))[\w.=-]+/)*(?!\.{1,2}$)[\w.=-]+", re.ASCII)
_GET, _PUT = frozenset({"IfMatch"}), frozenset({"IfNoneMatch", "ChecksumCRC32C"})
# It would follow these on its own, other than boto3 does.
_ENVIRONMENT = re.compile(
    r"AWS_(SSE_|SERVER_SIDE|REQUEST_PAYER|S3_EXPRESS|CHECKSUM|UNSIGNED|SKIP_|CONDITIONAL|DISABLE_|PROXY|"
    r"COPY_|VIRTUAL|METADATA_ENDPOINT$)|ALL_PROXY$|HTTPS?_PROXY$",
    re.IGNORECASE,
)
_LIFETIME = timedelta(minutes=5)
# So many failures one after the other mean that it cannot reach the service at all.
_GIVES_UP = 3

_first_pid: int | None = None


class Rapid:
    """Asks by obstore."""

    def __init__(self, connections: Connections, settings: Settings) -> None:
        """Ask with the credentials and routes of `connections`."""
        self._connections, self._settings = connections, settings
        self._lock = Lock()
        self._stores: dict[tuple[str, int], Any] = {}
        self._failures = 0
        self._useful: bool | None = None
        #: Buckets in which an ETag was seen to be the MD5 of what was written.
        self.told_by_md5: set[str] = set()

    def serves(self, operation: str, place: Place, body: memoryview | None, params: Mapping[str, Any]) -> bool:
        """Whether it is to be asked."""
        if operation == "GetObject":
            plain = _GET.issuperset(params)
        elif operation == "PutObject":
            small = body is not None and body.nbytes <= LARGEST
            plain = small and _PUT.issuperset(params) and place.bucket in self.told_by_md5
        elif operation == "HeadObject":
            plain = not params and place.bucket in self.told_by_md5  # so that it is known that there is the bucket
        else:
            return False
        if not plain or self._failures >= _GIVES_UP or not _NAME.fullmatch(place.key):
            return False
        return self._is_useful() and self._trusts(place.bucket)

    def _is_useful(self) -> bool:
        global _first_pid  # its threads are one process's, and do not come along into a child
        if _first_pid is None:
            _first_pid = os.getpid()
        if _first_pid != os.getpid():
            return False
        if self._useful is None:
            from importlib.util import find_spec

            strange = any(_ENVIRONMENT.match(name) for name in os.environ)
            self._useful = not strange and find_spec("obstore") is not None
        return self._useful

    def _trusts(self, bucket: str) -> bool:
        """Whether it trusts the certificates that boto3 does: it knows none but the public ones."""
        return "AWS_CA_BUNDLE" not in os.environ or self._connections.route(bucket).address.startswith("http:")

    def send(self, operation: str, place: Place, body: memoryview | None, params: Mapping[str, Any]) -> Answer | None:
        """One try; None where it is not for it after all.

        Raises:
            RefusedError: A condition did not hold.
            LostError: Anything else; what was to be written may have been.
        """
        from obstore import exceptions

        try:
            if operation == "HeadObject":
                answer: Answer | None = self._head(place)
            elif body is not None:
                answer = self._put(place, body, params)
            else:
                answer = self._get(place, params)
        except (exceptions.AlreadyExistsError, exceptions.PreconditionError):
            raise RefusedError(412, "PreconditionFailed") from None
        except FileNotFoundError:
            if operation == "HeadObject":
                raise RefusedError(404, "NoSuchKey") from None
            return None  # which of them, the object or the bucket, is asked again
        except (exceptions.BaseError, OSError, ValueError):
            self._failures += 1
            raise LostError("the connection was cut") from None
        self._failures = 0
        return answer

    def _put(self, place: Place, body: memoryview, params: Mapping[str, Any]) -> Answer:
        import obstore

        mode: Any = "create" if "IfNoneMatch" in params else "overwrite"
        result = obstore.put(self._store(place.bucket), place.key, body, mode=mode, use_multipart=False)
        return Answer(200, {"etag": result["e_tag"] or ""})

    def _head(self, place: Place) -> Answer:
        import obstore

        meta = obstore.head(self._store(place.bucket), place.key)
        return Answer(200, {"content-length": str(meta["size"]), "etag": meta["e_tag"] or ""})

    def _get(self, place: Place, params: Mapping[str, Any]) -> Answer | None:
        import obstore

        options: Any = {"if_match": params["IfMatch"]} if "IfMatch" in params else None
        result = obstore.get(self._store(place.bucket), place.key, options=options)
        meta = result.meta
        if meta["size"] > LARGEST:
            return None
        headers = {"content-length": str(meta["size"]), "etag": meta["e_tag"] or ""}
        return Answer(200, headers, {}, _Content(result.buffer()))

    def _store(self, bucket: str) -> Any:
        key = (bucket, self._connections.generation)
        found = self._stores.get(key)
        if found is None:
            with self._lock:
                found = self._stores.get(key)
                if found is None:
                    found = self._stores[key] = self._new_store(bucket)
        return found

    def _new_store(self, bucket: str) -> Any:
        from obstore.store import S3Store

        settings, route = self._settings, self._connections.route(bucket)
        address = route.address + route.prefix.removesuffix(f"/{bucket}")
        patience = timedelta(seconds=settings.patience)
        config: dict[str, Any] = {
            "endpoint": address,
            "aws_endpoint_url_s3": address,
            "region": route.region,
            "virtual_hosted_style_request": not route.prefix,
            "checksum_algorithm": "sha256",
            "skip_signature": settings.anonymous,
        }
        client: dict[str, Any] = {
            "allow_http": address.startswith("http:"),
            "timeout": patience,
            "connect_timeout": min(patience, timedelta(seconds=10)),
            "pool_max_idle_per_host": str(settings.max_concurrency),
        }
        return S3Store(
            bucket,
            config=config,  # type: ignore[arg-type]
            client_options=client,  # type: ignore[arg-type]
            retry_config={"max_retries": 0},
            credential_provider=None if settings.anonymous else self._credentials,
        )

    def _credentials(self) -> Any:
        keys = self._connections.credentials()
        assert keys is not None  # noqa: S101 — a store that signs nothing has no provider
        return {
            "access_key_id": keys.access_key,
            "secret_access_key": keys.secret_key,
            "token": keys.token,
            "expires_at": datetime.now(UTC) + _LIFETIME,
        }


class _Content:
    """What is in memory already."""

    def __init__(self, content: Any) -> None:
        self._view = memoryview(content)

    def readinto(self, buffer: memoryview, /) -> int:
        count = min(len(buffer), len(self._view))
        buffer[:count] = self._view[:count]
        self._view = self._view[count:]
        return count

    def close(self) -> None:
        self._view = memoryview(b"")

"""Requests that are signed and sent here: for content, where boto3 costs several milliseconds of CPU for each."""

from __future__ import annotations

from threading import Lock
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from mercury_s3.answers import Answer, LostError, fields_of, refused_by
from mercury_s3.sdk import lost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mercury_s3.connections import Connections, Route
    from mercury_s3.places import Place
    from mercury_s3.settings import Settings

_METHODS = {
    "CopyObject": "PUT",
    "DeleteObject": "DELETE",
    "GetObject": "GET",
    "HeadObject": "HEAD",
    "PutObject": "PUT",
    "UploadPart": "PUT",
    "UploadPartCopy": "PUT",
}
_HEADERS = {
    "ACL": "x-amz-acl",
    "ChecksumAlgorithm": "x-amz-checksum-algorithm",
    "ChecksumCRC32C": "x-amz-checksum-crc32c",
    "ChecksumMode": "x-amz-checksum-mode",
    "CopySource": "x-amz-copy-source",
    "CopySourceIfMatch": "x-amz-copy-source-if-match",
    "CopySourceRange": "x-amz-copy-source-range",
    "IfMatch": "if-match",
    "IfNoneMatch": "if-none-match",
    "MetadataDirective": "x-amz-metadata-directive",
    "Range": "range",
    "RequestPayer": "x-amz-request-payer",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "StorageClass": "x-amz-storage-class",
    "Tagging": "x-amz-tagging",
    "TaggingDirective": "x-amz-tagging-directive",
}
_QUERY = {"PartNumber": "partNumber", "UploadId": "uploadId"}
_BLOCK = 1 << 20
_SMALL = 1 << 16
_NOTHING = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"  # the SHA-256 of no bytes
_UNSIGNED = "UNSIGNED-PAYLOAD"
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Wire:
    """Asks by HTTP."""

    def __init__(self, connections: Connections, settings: Settings) -> None:
        """Ask with the credentials and routes of `connections`."""
        self._connections, self._settings = connections, settings
        self._lock = Lock()
        self._pools: dict[str, Any] = {}
        self._signing: tuple[Any, Any] = (None, None)

    @staticmethod
    def serves(operation: str) -> bool:
        """Whether it knows an operation."""
        return operation in _METHODS

    def send(
        self, operation: str, place: Place, body: memoryview | None, params: Mapping[str, Any], patience: float
    ) -> Answer:
        """One try; see `mercury_s3.sdk.Sdk.send`."""
        route = self._connections.route(place.bucket)
        target = f"{route.prefix}/{quote(place.key, safe='/~')}"
        query = "&".join(f"{_QUERY[name]}={quote(str(params[name]), safe='~')}" for name in _QUERY if name in params)
        if query:
            target += f"?{query}"
        headers = {"host": urlsplit(route.address).netloc}
        headers |= {_HEADERS[name]: _said(value) for name, value in params.items() if name in _HEADERS}
        method = _METHODS[operation]
        headers = self._signed(method, target, headers, route, body)
        if method == "PUT":
            headers["content-length"] = str(body.nbytes if body is not None else 0)
        headers["accept-encoding"] = "identity"
        if "Copy" in operation:
            patience = self._settings.timeout  # the service copies while it is waited for
        return self._exchange(operation, route, method, target, headers, body, patience)

    def _exchange(
        self,
        operation: str,
        route: Route,
        method: str,
        target: str,
        headers: dict[str, str],
        body: memoryview | None,
        patience: float,
    ) -> Answer:
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        try:
            response = self._pool(route.address).urlopen(
                method,
                target,
                body=_blocks(body) if body is not None else None,
                headers=headers,
                retries=False,
                redirect=False,
                assert_same_host=False,
                preload_content=False,
                decode_content=False,
                timeout=Timeout(connect=min(10.0, patience), read=patience),
            )
            found = {name.lower(): value for name, value in response.headers.items()}
            if operation == "GetObject" and response.status in (200, 206):
                return Answer(found, {}, _Content(response), response.status)
            text = response.read(_SMALL) if method != "HEAD" else b""
            if response.read(1):  # nothing that is expected here is longer
                response.close()
            response.release_conn()
        except (HTTPError, OSError) as error:
            raise lost(error) from None
        if response.status >= 300:
            raise refused_by(response.status, found, text)
        data = fields_of(text) if text else {}
        if data.get("") == "Error":
            raise refused_by(500, found, text)  # a copy that failed after the status was sent
        if "Copy" in operation and not data:
            raise LostError("what it answered is not that of an S3 service")
        return Answer(found, data, None, response.status)

    def _pool(self, address: str) -> Any:
        pool = self._pools.get(address)
        if pool is None:
            with self._lock:
                pool = self._pools.get(address)
                if pool is None:
                    pool = self._pools[address] = self._new_pool(address)
        return pool

    def _new_pool(self, address: str) -> Any:
        import urllib.request

        import urllib3

        scheme, host = address.split("://")[0], urlsplit(address).hostname or ""
        options: dict[str, Any] = {"maxsize": self._settings.max_concurrency}
        if scheme == "https":
            options |= {"cert_reqs": "CERT_REQUIRED", "ca_certs": self._connections.verify()}
        proxy = urllib.request.getproxies().get(scheme)
        if proxy and not urllib.request.proxy_bypass(host):
            url = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
            if url.username:
                user = f"{unquote(url.username)}:{unquote(url.password or '')}"
                options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=user)
            manager: Any = urllib3.ProxyManager(f"{url.scheme}://{url.netloc.rpartition('@')[2]}", **options)
        else:
            manager = urllib3.PoolManager(**options)
        return manager.connection_from_url(address)

    def _signed(
        self, method: str, target: str, headers: dict[str, str], route: Route, body: memoryview | None
    ) -> dict[str, str]:
        """The headers with a signature (AWS Signature Version 4)."""
        frozen = self._connections.credentials()
        if frozen is None:
            return headers
        from awscrt import auth, http

        seen, provider = self._signing
        if seen != frozen:
            provider = auth.AwsCredentialsProvider.new_static(frozen.access_key, frozen.secret_key, frozen.token)
            self._signing = (frozen, provider)
        config = auth.AwsSigningConfig(
            algorithm=auth.AwsSigningAlgorithm.V4,
            signature_type=auth.AwsSignatureType.HTTP_REQUEST_HEADERS,
            credentials_provider=provider,
            region=route.region,
            service=route.service,
            use_double_uri_encode=False,
            should_normalize_uri_path=False,
            signed_body_value=_digest(route, body),
            signed_body_header_type=auth.AwsSignedBodyHeaderType.X_AMZ_CONTENT_SHA_256,
            omit_session_token=False,
        )
        request = http.HttpRequest(method, target, http.HttpHeaders(list(headers.items())))
        auth.aws_sign_request(request, config).result()
        return dict(request.headers)


class _Content:
    def __init__(self, response: Any) -> None:
        self._response = response

    def readinto(self, buffer: memoryview, /) -> int:
        from urllib3.exceptions import HTTPError

        try:
            block = self._response.read(len(buffer))
        except (HTTPError, OSError) as error:
            raise lost(error) from None
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        self._response.close()


def _blocks(body: memoryview) -> Iterator[memoryview]:
    """In blocks, since a socket's time limit is one for each."""
    for start in range(0, body.nbytes, _BLOCK):
        yield body[start : start + _BLOCK]


def _digest(route: Route, body: memoryview | None) -> str:
    """What stands for the body in the signature.

    The checksum that is sent with a body is signed, and TLS guards the body itself; without TLS, only a signature of
    its SHA-256 does.
    """
    if body is None:
        return _NOTHING
    parts = urlsplit(route.address)
    if parts.scheme == "https" or parts.hostname in _LOCAL:
        return _UNSIGNED
    from hashlib import sha256

    return sha256(body).hexdigest()


def _said(value: Any) -> str:
    if isinstance(value, dict):  # the source of a copy
        return quote(f"{value['Bucket']}/{value['Key']}", safe="/~")
    return str(value)

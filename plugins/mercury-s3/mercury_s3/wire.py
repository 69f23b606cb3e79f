"""Requests that are built, signed and sent here, since boto3 takes several milliseconds of CPU for each.

All that is not here, and every endpoint that is not a plain one, is left to boto3 (`mercury_s3.sdk`).
"""

from __future__ import annotations

import base64
import hashlib
from functools import partial
from threading import Lock
from typing import Any
from urllib.parse import quote, urlsplit

from mercury_core.storage.http.answers import Answer, not_an_answer
from mercury_core.storage.http.channels import Channels, blocks
from mercury_s3 import documents
from mercury_s3.answers import SERVICE, RefusedError
from mercury_s3.signing import NOTHING, UNSIGNED, signed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mercury_core.storage.http.messages import Response
    from mercury_s3.connections import Connections
    from mercury_s3.environment import Route
    from mercury_s3.places import Place
    from mercury_s3.settings import Settings

_OPERATIONS = {
    "AbortMultipartUpload": ("DELETE", ()),
    "CompleteMultipartUpload": ("POST", ()),
    "CopyObject": ("PUT", ()),
    "CreateMultipartUpload": ("POST", (("uploads", ""),)),
    "DeleteObject": ("DELETE", ()),
    "DeleteObjects": ("POST", (("delete", ""),)),
    "GetObject": ("GET", ()),
    "HeadObject": ("HEAD", ()),
    "ListObjectsV2": ("GET", (("encoding-type", "url"), ("list-type", "2"))),
    "ListParts": ("GET", ()),
    "PutObject": ("PUT", ()),
    "UploadPart": ("PUT", ()),
    "UploadPartCopy": ("PUT", ()),
}
_HEADERS = {
    "ACL": "x-amz-acl",
    "CacheControl": "cache-control",
    "ChecksumAlgorithm": "x-amz-checksum-algorithm",
    "ChecksumCRC32C": "x-amz-checksum-crc32c",
    "ChecksumMode": "x-amz-checksum-mode",
    "ChecksumType": "x-amz-checksum-type",
    "ContentDisposition": "content-disposition",
    "ContentEncoding": "content-encoding",
    "ContentLanguage": "content-language",
    "ContentType": "content-type",
    "CopySource": "x-amz-copy-source",
    "CopySourceIfMatch": "x-amz-copy-source-if-match",
    "CopySourceRange": "x-amz-copy-source-range",
    "IfMatch": "if-match",
    "IfNoneMatch": "if-none-match",
    "Range": "range",
    "RequestPayer": "x-amz-request-payer",
    "SSEKMSKeyId": "x-amz-server-side-encryption-aws-kms-key-id",
    "ServerSideEncryption": "x-amz-server-side-encryption",
    "StorageClass": "x-amz-storage-class",
    "Tagging": "x-amz-tagging",
    "TaggingDirective": "x-amz-tagging-directive",
}
_QUERY = {
    "ContinuationToken": "continuation-token",
    "Delimiter": "delimiter",
    "MaxKeys": "max-keys",
    "PartNumber": "partNumber",
    "PartNumberMarker": "part-number-marker",
    "Prefix": "prefix",
    "UploadId": "uploadId",
}
_ROOTS = {
    "CompleteMultipartUpload": ("CompleteMultipartUploadResult",),
    "CopyObject": ("CopyObjectResult",),
    "CreateMultipartUpload": ("InitiateMultipartUploadResult", "InitiateMultipartUpload"),  # the second one is rclone's
    "ListObjectsV2": ("ListBucketResult",),
    "ListParts": ("ListPartsResult",),
    "UploadPartCopy": ("CopyPartResult",),
}
#: While the service does these, it may be silent.
SLOW = ("CompleteMultipartUpload", "CopyObject", "UploadPartCopy")
_LONGEST_ANSWER = 16 << 20  # a thousand names of a thousand bytes, percent-encoded, fit
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Wire:
    """Asks by HTTP."""

    def __init__(self, connections: Connections, settings: Settings) -> None:
        """Ask with the credentials and routes of `connections`."""
        self._connections, self._settings = connections, settings
        self._lock = Lock()
        self._channels: dict[str, Channels] = {}

    def send(
        self, operation: str, place: Place, body: memoryview | None, params: Mapping[str, Any], patience: float
    ) -> Answer:
        """One try; see `mercury_s3.sdk.Sdk.send`."""
        return self._begin(operation, place, body, params, patience)()

    def ahead(
        self, operation: str, place: Place, body: memoryview | None, params: Mapping[str, Any], patience: float
    ) -> Callable[[], Answer]:
        """Send the request of one try; what is given waits for the answer, and raises what there is to raise."""
        try:
            return self._begin(operation, place, body, params, patience)
        except Exception as error:  # noqa: BLE001 — it belongs to whoever waits for the answer
            return partial(_raise, error)

    def _begin(
        self, operation: str, place: Place, body: memoryview | None, params: Mapping[str, Any], patience: float
    ) -> Callable[[], Answer]:
        route = self._connections.route(place.bucket)
        method, fixed = _OPERATIONS[operation]
        headers = {"host": urlsplit(route.address).netloc} | _headers(params)
        document = _document(operation, params)
        if document is not None:
            headers["content-md5"] = base64.b64encode(hashlib.md5(document, usedforsecurity=False).digest()).decode()
            body = memoryview(document)
        target = _target(route, place.key, fixed, params)
        keys = self._connections.credentials()
        if keys is not None:
            digest = hashlib.sha256(document).hexdigest() if document is not None else _digest(route, body)
            headers = signed(method, target, headers, keys, region=route.region, service=route.service, digest=digest)
        del headers["host"]  # the connection says it
        size = body.nbytes if body is not None else 0
        sent = blocks(body) if body is not None else None
        answer = self._channel(route.address).begin(method, target, headers, sent, size, patience)
        return lambda: _read(operation, answer())

    def _channel(self, address: str) -> Channels:
        found = self._channels.get(address)
        if found is None:
            with self._lock:
                found = self._channels.get(address)
                if found is None:
                    found = self._channels[address] = Channels(
                        address,
                        self._connections.certificates,
                        self._settings.max_concurrency,
                        service=SERVICE,
                        agent="mercury-s3",
                    )
        return found


def _raise(error: Exception) -> Answer:
    raise error


def _read(operation: str, response: Response) -> Answer:
    if operation == "GetObject" and response.status in (200, 206):
        return Answer(response.status, response.headers, {}, response)
    text = response.read(_LONGEST_ANSWER)
    # While a service copies it sends blanks, so that the connection is not taken for dead.
    root, data = documents.parsed(text.strip())
    if response.status >= 300 or root == "Error":
        # With a status that says that all went well, it failed after that was sent.
        status = response.status if response.status >= 300 else 500
        refused = RefusedError(status, data.get("Code") or str(status), data.get("Message", ""), response.headers)
        refused.named_region = data.get("Region")
        raise refused
    if root not in _ROOTS.get(operation, (root,)):
        raise not_an_answer(SERVICE)
    if operation in ("CopyObject", "UploadPartCopy"):
        data = {root: data}
    elif operation == "ListObjectsV2":
        data = documents.listing(data)
    elif operation == "ListParts":
        data = documents.parts(data)
    elif operation == "CreateMultipartUpload":
        for name in ("ChecksumAlgorithm", "ChecksumType"):
            data[name] = response.headers.get(_HEADERS[name])
    return Answer(response.status, response.headers, data)


def _headers(params: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    for name, value in params.items():
        if name == "CopySource":
            headers[_HEADERS[name]] = quote(f"{value['Bucket']}/{value['Key']}", safe="/~")
        elif name in _HEADERS:
            headers[_HEADERS[name]] = str(value)
        elif name == "Metadata":
            headers |= {f"x-amz-meta-{own}": said for own, said in value.items()}
    return headers


def _target(route: Route, key: str, fixed: tuple[tuple[str, str], ...], params: Mapping[str, Any]) -> str:
    path = f"{route.prefix}/{quote(key, safe='/~')}" if key else route.prefix or "/"
    asked = [(_QUERY[name], str(value)) for name, value in params.items() if name in _QUERY]
    query = "&".join(f"{name}={quote(value, safe='~')}" for name, value in sorted((*fixed, *asked)))
    return f"{path}?{query}" if query else path


def _document(operation: str, params: Mapping[str, Any]) -> bytes | None:
    if operation == "DeleteObjects":
        return documents.deletion(params["Delete"])
    if operation == "CompleteMultipartUpload":
        return documents.completion(params["MultipartUpload"])
    return None


def _digest(route: Route, body: memoryview | None) -> str:
    """What stands for the content in the signature.

    The checksum that is sent with it is signed, and TLS guards the rest; without TLS, only its SHA-256 does.
    """
    if body is None:
        return NOTHING
    parts = urlsplit(route.address)
    if parts.scheme == "https" or parts.hostname in _LOCAL:
        return UNSIGNED
    return hashlib.sha256(body).hexdigest()

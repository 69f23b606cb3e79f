"""Requests by boto3: every operation, on every kind of endpoint."""

from __future__ import annotations

import io
import re
from typing import Any

from mercury_core.storage.http.answers import Answer, LostError, not_an_answer
from mercury_s3.answers import SERVICE, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mercury_core.storage.http.answers import Body
    from mercury_s3.connections import Connections
    from mercury_s3.places import Place

# What an answer has that is one of S3: boto3 takes any document for one.
_EXPECTED = {
    "CompleteMultipartUpload": "ETag",
    "CopyObject": "CopyObjectResult",
    "CreateMultipartUpload": "UploadId",
    "ListObjectsV2": "IsTruncated",
    "ListParts": "UploadId",
    "UploadPartCopy": "CopyPartResult",
}
_CAPITAL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


class Sdk:
    """Asks by boto3."""

    def __init__(self, connections: Connections) -> None:
        """Ask by the clients of `connections`."""
        self._connections = connections

    def send(
        self,
        operation: str,
        place: Place,
        body: memoryview | None,
        params: Mapping[str, Any],
        patience: float,  # noqa: ARG002 — the client has its own
    ) -> Answer:
        """One try.

        Args:
            operation: As S3 names it: ``GetObject``.
            place: The bucket, and the key where the operation has one.
            body: What is sent.
            params: The rest, in boto3's words.
            patience: Seconds that the service may be silent.

        Raises:
            RefusedError: The service answered with an error.
            LostError: It did not answer.
            botocore.exceptions.BotoCoreError: No credentials, and the like.
        """
        from botocore import exceptions
        from botocore.parsers import ResponseParserError

        client = self._connections.client(place.bucket)
        where = {"Bucket": place.bucket} | ({"Key": place.key} if place.key else {})
        sent = {"Body": io.BytesIO(body)} if body is not None else {}
        try:
            said = getattr(client, _CAPITAL.sub("_", operation).lower())(**where, **sent, **params)
        except exceptions.ClientError as error:
            raise _refused(error.response) from None
        except (exceptions.HTTPClientError, exceptions.ConnectionError, ResponseParserError) as error:
            raise lost(error) from None
        if operation in _EXPECTED and _EXPECTED[operation] not in said:
            raise not_an_answer(SERVICE)
        meta = said.pop("ResponseMetadata", {})
        stream = said.pop("Body", None)
        content: Body | None = _Content(stream) if stream is not None else None
        return Answer(meta.get("HTTPStatusCode", 200), meta.get("HTTPHeaders", {}), said, content)


class _Content:
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readinto(self, buffer: memoryview, /) -> int:
        from botocore import exceptions
        from urllib3.exceptions import HTTPError

        try:
            block = self._stream.read(len(buffer))
        except (exceptions.BotoCoreError, HTTPError, OSError) as error:
            raise lost(error) from None
        buffer[: len(block)] = block
        return len(block)

    def close(self) -> None:
        self._stream.close()


def lost(error: Exception) -> LostError:
    """What an error of the network says, without the address that it was sent to, which may be signed."""
    name, text = type(error).__name__, str(error).lower()
    if "certificate" in text:
        return LostError("the certificate of the service is not trusted", reached=False, final=True)
    if "NameResolution" in name or "name resolution" in text or "getaddrinfo" in text or "name or service" in text:
        return LostError("its name is not known (DNS)", reached=False)
    if "Proxy" in name:
        return LostError("the proxy does not let it through", reached=False)
    if "Timeout" in name or isinstance(error, TimeoutError):
        unreached = "Connect" in name
        return LostError("it did not answer in time", reached=not unreached)
    if "EndpointConnection" in name or "NewConnection" in name or isinstance(error, ConnectionRefusedError):
        return LostError("there is no connection to it", reached=False)
    if "Parser" in name:
        return not_an_answer(SERVICE)
    return LostError("the connection was cut")


def _refused(response: Mapping[str, Any]) -> RefusedError:
    error, meta = response.get("Error", {}), response.get("ResponseMetadata", {})
    status = int(meta.get("HTTPStatusCode", 0))
    refused = RefusedError(status, str(error.get("Code", status)), error.get("Message", ""), meta.get("HTTPHeaders"))
    refused.named_region = error.get("Region")
    return refused

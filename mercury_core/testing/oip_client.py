"""Asking a server of the Open Inference Protocol v2: one request, one answer, by the standard library only."""

from __future__ import annotations

import http.client
import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mercury_core.bundle.server_url import server_url
from mercury_core.errors import StoreAccessError

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Bytes of one element, by datatype; BYTES has none of its own.
SIZES = {
    "BOOL": 1,
    **{f"{word}{8 * size}": size for word in ("INT", "UINT") for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": size for size in (2, 4, 8)},
}
_CODES = {
    "BOOL": "?", "INT8": "b", "INT16": "h", "INT32": "i", "INT64": "q", "UINT8": "B", "UINT16": "H", "UINT32": "I",
    "UINT64": "Q", "FP16": "e", "FP32": "f", "FP64": "d",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reply:
    """What a server answered.

    Attributes:
        status: The status.
        headers: By their names in small letters.
        body: All of it.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        length = self.headers.get("inference-header-content-length")
        text = self.body[: int(length)] if length and length.isdigit() else self.body
        try:
            return json.loads(text)
        except ValueError:
            return None

    @property
    def tail(self) -> bytes:
        """What stands behind the JSON."""
        length = self.headers.get("inference-header-content-length")
        return self.body[int(length) :] if length and length.isdigit() else b""


class Client:
    """Asks one server.

    Args:
        url: Of the server, ``http://host:port``, with whatever stands before ``/v2``.
        model: The name of the model.
        token: A bearer token, where the server asks for one.
        timeout: Seconds for one answer.

    Raises:
        UriError: It is no URL of a server.
    """

    def __init__(self, url: str, model: str, token: str = "", timeout: float = 30.0) -> None:
        parts = server_url(url, "Expected http://HOST:PORT.")
        self.url, self.model = url, model
        self._place = parts
        self._base = parts.path.rstrip("/").removesuffix("/v2")
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._timeout = timeout

    @property
    def model_path(self) -> str:
        """Of the model, below the server."""
        return f"/v2/models/{quote(self.model, safe='')}"

    def ask(
        self, path: str, body: Any = None, method: str | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Ask once, over a connection of its own.

        Args:
            path: Below the server, as ``/v2``.
            body: Bytes as they are, anything else as JSON; None for none.
            method: By default GET, or POST where there is a body.
            headers: More of them.

        Raises:
            StoreAccessError: The server cannot be reached, or does not answer in time.
        """
        content = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        kind = http.client.HTTPSConnection if self._place.scheme == "https" else http.client.HTTPConnection
        connection = kind(self._place.hostname or "", self._place.port, timeout=self._timeout)
        sent = {**({"Content-Type": "application/json"} if content is not None else {}), **self._headers}
        try:
            connection.request(
                method or ("GET" if content is None else "POST"),
                self._base + path,
                content,
                {**sent, **(headers or {})},
            )
            answer = connection.getresponse()
            named = {name.lower(): value for name, value in answer.getheaders()}
            return Reply(answer.status, named, answer.read())
        except (OSError, http.client.HTTPException) as error:
            raise StoreAccessError("ask", self.url, str(error) or type(error).__name__, "Is it running?") from error
        finally:
            connection.close()


def packed(tensor: Mapping[str, Any]) -> tuple[dict[str, Any], bytes]:
    r"""A tensor of JSON as a binary one: its head, and its bytes.

    Examples:
        >>> packed({"name": "a", "shape": [1], "datatype": "INT16", "data": [258]})[1]
        b'\x02\x01'
    """
    values, datatype = flattened(tensor["data"]), tensor["datatype"]
    if datatype == "BYTES":
        texts = [str(value).encode() for value in values]
        content = b"".join(struct.pack("<I", len(text)) + text for text in texts)
    else:
        content = struct.pack(f"<{len(values)}{_CODES[datatype]}", *values)
    head = {key: value for key, value in tensor.items() if key != "data"}
    return {**head, "parameters": {"binary_data_size": len(content)}}, content


def flattened(data: Any) -> list[Any]:
    """The values of nested lists, in order.

    Examples:
        >>> flattened([[1, 2], [3, [4]]])
        [1, 2, 3, 4]
    """
    if not isinstance(data, list):
        return [data]
    return [value for part in data for value in flattened(part)]

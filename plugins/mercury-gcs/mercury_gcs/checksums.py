"""Checksums as the service writes them, and as Mercury does."""

from __future__ import annotations

import base64
import binascii

from mercury_core.storage.checksums import CRC32C

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ALGORITHMS = ("crc32c", "md5")

_FIELDS = {"crc32c": "crc32c", "md5": "md5Hash"}


def crc32c(data: memoryview, value: int = 0) -> int:
    """The CRC-32C of data that follows what has the CRC-32C `value`."""
    return CRC32C.extend(value, data)


def to_base64(text: str) -> str:
    """From hexadecimal to what the service writes."""
    return base64.b64encode(bytes.fromhex(text)).decode()


def to_hex(text: str) -> str:
    """From what the service writes to hexadecimal; nothing of what is none."""
    try:
        return base64.b64decode(text, validate=True).hex()
    except (binascii.Error, ValueError):
        return ""


def of_object(data: Mapping[str, Any]) -> dict[str, str]:
    """Those of an object, from its metadata; an object that was composed has no MD5."""
    told = {name: to_hex(data.get(field, "")) for name, field in _FIELDS.items()}
    return {name: value for name, value in told.items() if value}


def metadata(sums: Mapping[str, str]) -> dict[str, str]:
    """Checksums as they are said of an object that is to be made, so that the service compares."""
    return {field: to_base64(sums[name]) for name, field in _FIELDS.items() if name in sums}


def of_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Those of what is stored, from the headers that come with its content."""
    told = {}
    for one in headers.get("x-goog-hash", "").split(","):
        name, _, value = one.strip().partition("=")
        if name in ALGORITHMS and (found := to_hex(value)):
            told[name] = found
    return told

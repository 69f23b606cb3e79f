"""What the service says of content: the checksums in its headers, and the ETag as far as that is one."""

from __future__ import annotations

import base64
import binascii
import re

from mercury_core.contracts import Crc
from mercury_core.storage.checksums import CRC32C, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

#: The best first.
ALGORITHMS = ("crc32c", "crc64nvme", "crc32", "sha256", "sha1", "md5")

_MD5 = re.compile(r'^"?([0-9a-f]{32})"?$')
_HEADER = "x-amz-checksum-"


def crc32c(data: Any) -> str:
    """CRC-32C, in hexadecimal."""
    return shown(CRC32C, CRC32C.extend(0, data))


def to_header(digest: str) -> str:
    """A checksum as S3 writes it, base64 of its bytes with the highest first, from hexadecimal."""
    return base64.b64encode(bytes.fromhex(digest)).decode()


def to_hex(value: str) -> str | None:
    """From base64 as S3 writes it; None for what is none."""
    try:
        return base64.b64decode(value, validate=True).hex() or None
    except (binascii.Error, ValueError):
        return None


def crc64nvme() -> Crc:
    """CRC-64/NVME, which is S3's own default."""
    from awscrt import checksums

    def extend(value: int, data: Any) -> int:
        return int(checksums.crc64nvme(data, value))

    return Crc("crc64nvme", 64, 0x9A6C9329AC4BC9B5, extend)


def md5_of(etag: str | None) -> str | None:
    """The MD5 that an ETag may be: that of one part and without KMS is one."""
    found = _MD5.match(etag or "")
    return found[1] if found else None


def whole(headers: Mapping[str, str], bucket: str = "") -> dict[str, str]:
    """The checksums of a whole object, in hexadecimal, from the headers of a HEAD, GET or PUT.

    Those of an object in parts that are checksums of the parts' checksums are not among them.
    """
    found = {}
    if headers.get("x-amz-checksum-type", "FULL_OBJECT").upper() == "FULL_OBJECT":
        for name in ALGORITHMS:
            value = headers.get(_HEADER + name)
            if value and (digest := to_hex(value)):  # one with a count of parts, "…-2", is no base64
                found[name] = digest
    if not _etag_is_opaque(headers, bucket) and (md5 := md5_of(headers.get("etag"))):
        found["md5"] = md5
    return found


def composite(parts: Sequence[str]) -> str:
    """What S3 says of an object in parts, from the CRC-32C of its parts in hexadecimal: as `whole` never gives it."""
    joined = b"".join(bytes.fromhex(part) for part in parts)
    return f"{to_header(crc32c(joined))}-{len(parts)}"


def etag_of_parts(parts: Sequence[str]) -> str | None:
    """The ETag of an object from those of its parts, where each is an MD5; without quotes."""
    from hashlib import md5

    digests = [md5_of(part) for part in parts]
    if None in digests:
        return None
    joined = b"".join(bytes.fromhex(digest) for digest in digests if digest)
    return f"{md5(joined, usedforsecurity=False).hexdigest()}-{len(parts)}"


def _etag_is_opaque(headers: Mapping[str, str], bucket: str) -> bool:
    return (
        headers.get("x-amz-server-side-encryption", "").startswith("aws:kms")
        or "x-amz-server-side-encryption-customer-algorithm" in headers
        or bucket.endswith("--x-s3")  # S3 Express
    )

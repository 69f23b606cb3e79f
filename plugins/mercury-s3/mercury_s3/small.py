"""Objects that are sent whole, from memory."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import BinaryIO

from mercury_core.contracts import ObjectInfo
from mercury_core.errors import ObjectExistsError, VerificationError
from mercury_core.storage.checksums import DIGESTS, Checksums
from mercury_s3 import checksums
from mercury_s3.answers import RefusedError
from mercury_s3.conditions import create
from mercury_s3.listing import head

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mercury_core.storage.http.answers import Answer
    from mercury_s3.places import Place
    from mercury_s3.service import Service

_FIRST = 1 << 18


def block(data: BinaryIO, size: int) -> bytes | bytearray:
    """Read `size` bytes, or all where there are fewer."""
    first = data.read(min(_FIRST, size))
    if len(first) < min(_FIRST, size):
        second = data.read(1)  # most objects are smaller; a reader may give less than it was asked for
        if not second:
            return first
        first += second
    if len(first) == size:
        return first
    held = bytearray(size)
    view = memoryview(held)
    held[: len(first)] = first
    at = len(first)
    while at < size:
        more = data.read(min(size - at, 1 << 20))
        if not more:
            view.release()
            del held[at:]
            break
        view[at : at + len(more)] = more
        at += len(more)
    return held


def begin(service: Service, place: Place, content: bytes | bytearray, *, overwrite: bool) -> Callable[[], ObjectInfo]:
    """Send an object whole; what is given waits for the answer.

    Raises:
        ObjectExistsError: Something is there, and `overwrite` is False.
        VerificationError: What arrived is not what was sent.
    """
    crc32c = checksums.crc32c(content)
    body = memoryview(content)
    params = service.settings.writing() | {"ChecksumCRC32C": checksums.to_header(crc32c)}
    if overwrite:
        asked = service.begin("PutObject", place, body, **params)
    else:
        asked = create(service, "PutObject", place, body, params)
    return partial(_finish, service, place, body, asked, crc32c, overwrite)


def _finish(
    service: Service, place: Place, body: memoryview, asked: Callable[[], Answer], crc32c: str, overwrite: bool
) -> ObjectInfo:
    try:
        answer = asked()
    except RefusedError as refused:
        if overwrite or refused.status != 412:
            raise
        if ours := _ours(service, place, body, crc32c):
            return ours
        raise ObjectExistsError(place.uri) from None
    return ObjectInfo(
        place.uri,
        body.nbytes,
        None,
        answer.headers.get("etag"),
        _proven(service, place, answer.headers, body, crc32c),
    )


def _ours(service: Service, place: Place, body: memoryview, crc32c: str) -> ObjectInfo | None:
    """What is there, if it is what was sent: the answer to the try that wrote it did not arrive."""
    found = head(service, place)
    known = [name for name in found.checksums if name == "crc32c" or name in DIGESTS]
    sent = Checksums(known)
    sent.update(body)
    if found.size != body.nbytes or not known or any(found.checksums[name] != sent.hex(name) for name in known):
        return None
    return replace(found, checksums={**found.checksums, "crc32c": crc32c})


def _proven(
    service: Service, place: Place, headers: Mapping[str, str], body: memoryview, crc32c: str
) -> dict[str, str]:
    """The checksums that the service found; none where it does not say, so that the object is read back."""
    told = checksums.whole(headers, place.bucket)
    if "crc32c" in told:
        if told["crc32c"] != crc32c:
            service.call("DeleteObject", place, **service.settings.reading())
            raise VerificationError(place.uri, f"CRC-32C {crc32c}", told["crc32c"])
        if not service.knows_md5(place.bucket) and told.get("md5") == _md5(body):
            service.learn_md5(place.bucket)
        return {"crc32c": crc32c}
    if "md5" in told and told["md5"] == _md5(body):
        service.learn_md5(place.bucket)
        return {"crc32c": crc32c, "md5": told["md5"]}
    return {}


def _md5(body: memoryview) -> str:
    from hashlib import md5

    return md5(body, usedforsecurity=False).hexdigest()

"""Objects that are sent with one request, or in chunks from a reader that can be read only once."""

from __future__ import annotations

import io
import json
import secrets
from dataclasses import dataclass
from typing import BinaryIO, cast

from mercury_core.contracts import Rereadable
from mercury_core.storage.checksums import CRC32C, shown
from mercury_core.storage.http.channels import blocks
from mercury_gcs import checksums, sessions
from mercury_gcs.answers import RefusedError
from mercury_gcs.objects import FIELDS, info_of
from mercury_gcs.proof import after_refusal, proven
from mercury_gcs.settings import QUANTUM
from mercury_gcs.wire import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from mercury_core.contracts import ObjectInfo
    from mercury_gcs.places import Place
    from mercury_gcs.service import Service

#: Bytes up to which an object is held in memory, so that it can be sent again.
SMALL = 8 << 20
_BLOCK = 1 << 20
_FIRST = 1 << 16


def put(service: Service, place: Place, data: BinaryIO, *, overwrite: bool) -> ObjectInfo:
    """Write an object whole.

    Raises:
        ObjectExistsError: Something is there, and `overwrite` is False.
        VerificationError: What arrived is not what was sent.
    """
    again = _again(data, service.settings.resumable_above)
    if again is not None:
        return _put_whole(service, place, again.blocks, again.size, again.sums, overwrite=overwrite)()
    if isinstance(data, Rereadable) and data.size > SMALL:
        return _put_stream(service, place, data, overwrite=overwrite)
    first = _read(data, SMALL + 1)
    if len(first) <= SMALL:
        return begin(service, place, memoryview(first), overwrite=overwrite)()
    return _put_chunks(service, place, first, data, overwrite=overwrite)


def begin(service: Service, place: Place, body: memoryview, *, overwrite: bool) -> Callable[[], ObjectInfo]:
    """Send what is in memory; what is given waits for the answer."""
    sums = {"crc32c": shown(CRC32C, checksums.crc32c(body))}
    return _put_whole(service, place, lambda: blocks(body), body.nbytes, sums, overwrite=overwrite)


@dataclass(frozen=True, slots=True)
class _Again:
    """A reader that can be read again, and what it will give."""

    data: BinaryIO
    rewind: Callable[[], object]
    size: int
    sums: Mapping[str, str]

    def blocks(self) -> Iterator[memoryview]:
        """All of it, from its beginning; each block is good until the next."""
        self.rewind()
        return _blocks(self.data)


def _again(data: BinaryIO, most: int) -> _Again | None:
    """A reader as one that can be read again; None of one that cannot, or that has more than `most` bytes."""
    if isinstance(data, Rereadable):
        known = data.known()
        sums = {name: known[name] for name in checksums.ALGORITHMS if name in known}
        return _Again(data, data.rewind, data.size, sums) if sums else None
    seekable = getattr(data, "seekable", None)
    if seekable is None or not seekable():
        return None
    start = data.tell()
    size = data.seek(0, io.SEEK_END) - start
    data.seek(start)
    if size > max(most, SMALL):
        return None
    crc = 0
    for block in _blocks(data):
        crc = checksums.crc32c(block, crc)
    return _Again(data, lambda: data.seek(start), size, {"crc32c": shown(CRC32C, crc)})


def _blocks(data: BinaryIO) -> Iterator[memoryview]:
    readinto = getattr(data, "readinto", None)
    if readinto is None:
        while block := data.read(_BLOCK):
            yield memoryview(block)
        return
    view = memoryview(bytearray(_BLOCK))
    while count := readinto(view):
        yield view[:count]


def _put_whole(
    service: Service,
    place: Place,
    content: Callable[[], Iterable[memoryview]],
    size: int,
    sums: Mapping[str, str],
    *,
    overwrite: bool,
) -> Callable[[], ObjectInfo]:
    """Send all of an object with one request, its checksums first: the service compares, then publishes.

    Returns:
        What waits for the answer.
    """
    said = {"name": place.key, **checksums.metadata(sums), **service.settings.metadata()}
    mark = f"mercury-{secrets.token_hex(16)}"
    head = (
        f"--{mark}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{json.dumps(said)}\r\n"
        f"--{mark}\r\nContent-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{mark}--\r\n".encode()

    def body() -> Iterator[memoryview | bytes]:
        if size <= _FIRST:
            yield b"".join((head, *content(), tail))  # as few packets as can be
            return
        yield head
        yield from content()
        yield tail

    query = {"uploadType": "multipart", "fields": FIELDS, **service.settings.writing()}
    if not overwrite:
        query["ifGenerationMatch"] = "0"
    headers = {"content-type": f"multipart/related; boundary={mark}"}
    target = f"/upload/storage/v1{place.objects}"
    asked = service.begin(Call("POST", target, query, headers, body, len(head) + size + len(tail)))

    def finish() -> ObjectInfo:
        try:
            made = info_of(place.bucket, asked().data)
        except RefusedError as refused:
            refused.missing_bucket()
            made = after_refusal(service, place, refused, size, sums)
        return proven(service, place, made, size, sums)

    return finish


def _put_stream(service: Service, place: Place, data: BinaryIO, *, overwrite: bool) -> ObjectInfo:
    """Send what can be read again, but whose checksum is known at its end only: with two requests, one for the end."""
    reader = cast("Rereadable", data)
    length = (reader.size - 1) // QUANTUM * QUANTUM
    crc = 0

    def content() -> Iterator[memoryview | bytes]:
        nonlocal crc
        reader.rewind()
        crc, left = 0, length
        while left and (block := data.read(min(_BLOCK, left))):
            crc, left = checksums.crc32c(memoryview(block), crc), left - len(block)
            yield block

    session = sessions.begin(service, place, reader.size, overwrite=overwrite)
    try:
        sessions.send_all(service, place, session, content, length)
        end = memoryview(data.read(reader.size - length))
        return sessions.end(service, place, session, length, end, shown(CRC32C, checksums.crc32c(end, crc)))
    except BaseException:
        sessions.abort(service, session)
        raise


def _put_chunks(
    service: Service, place: Place, first: bytes | bytearray, data: BinaryIO, *, overwrite: bool
) -> ObjectInfo:
    """Send what can be read only once in chunks, each kept until it has arrived."""
    view = memoryview(bytearray(max(service.settings.chunk_size + QUANTUM, len(first))))
    view[: len(first)] = first
    filled, at, crc = len(first), 0, 0
    del first
    session = sessions.begin(service, place, None, overwrite=overwrite)
    try:
        while (filled := _fill(data, view, filled)) == view.nbytes:
            # Something stays, so that the last chunk is not empty: only that one publishes.
            size = (filled - 1) // QUANTUM * QUANTUM
            crc = checksums.crc32c(view[:size], crc)
            sessions.send(service, place, session, at, view[:size])
            at, filled = at + size, filled - size
            view[:filled] = bytes(view[size : size + filled])
        crc = checksums.crc32c(view[:filled], crc)
        return sessions.end(service, place, session, at, view[:filled], shown(CRC32C, crc))
    except BaseException:
        sessions.abort(service, session)
        raise


def _fill(data: BinaryIO, view: memoryview, filled: int) -> int:
    """Read until the memory is full, or there is no more; gives how much is in it."""
    while filled < view.nbytes:
        block = data.read(min(_BLOCK, view.nbytes - filled))
        if not block:
            break
        view[filled : filled + len(block)] = block
        filled += len(block)
    return filled


def _read(data: BinaryIO, size: int) -> bytes | bytearray:
    """Read `size` bytes, or all where there are fewer."""
    first = data.read(min(_FIRST, size))
    second = data.read(1) if first else b""  # most objects are small; a reader may give less than it was asked for
    if not second:
        return first
    held = bytearray(size)
    held[: len(first) + 1] = first + second
    with memoryview(held) as view:
        filled = _fill(data, view, len(first) + 1)
    del held[filled:]
    return held

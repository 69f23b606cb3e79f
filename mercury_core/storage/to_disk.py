"""Files written to the local disk, by several threads, under names that nobody else uses yet."""

from __future__ import annotations

import os
from threading import Lock

from mercury_core.errors import MercuryError, VerificationError
from mercury_core.storage.arriving import Sent
from mercury_core.storage.checksums import CRC32C, DIGESTS, join, shown
from mercury_core.storage.reading import BLOCK, Stream, read_into
from mercury_core.storage.refusals import refusal
from mercury_core.storage.to_store import ATTEMPTS, WHOLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.contracts import ObjectInfo
    from mercury_core.storage.pool import Pool
    from mercury_core.storage.reading import Reading
    from mercury_core.storage.watch import Watch

RANGE = 8 << 20
"""How many bytes of a large object are read with one request."""

FRESH = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
KNOWN = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class ToDisk:
    """Writes objects to files; used by several threads."""

    def __init__(self, reading: Reading, pool: Pool, watch: Watch) -> None:
        """Write what `reading` has."""
        self._from, self._pool, self._watch = reading, pool, watch

    def write(self, info: ObjectInfo, path: str, uri: str, flags: int = FRESH) -> tuple[int, int]:
        """Write one object to the file `path`, and bring it to the disk.

        Args:
            info: The object.
            path: The file.
            uri: What it will be, for messages.
            flags: For `os.open`; `KNOWN` for a file that is there, and empty.

        Returns:
            Its CRC-32C, and how many of its bytes have been told.

        Raises:
            FileExistsError: There is such a file.
            StoreAccessError: It cannot be written.
            VerificationError: It did not arrive whole, several times.
        """
        try:
            handle = os.open(path, flags, 0o666)
        except FileExistsError:
            raise
        except OSError as error:
            raise refusal(error, "write", uri) from error
        try:
            for left in reversed(range(ATTEMPTS)):
                sent = Sent(self._pool, self._watch)
                try:
                    crc = self._write(handle, info, uri, sent)
                except VerificationError:
                    self._watch.moved(-sent.size)
                    os.ftruncate(handle, 0)
                    if not left:
                        raise
                else:
                    os.fsync(handle)
                    return crc, sent.size
            raise AssertionError  # the loop returns or raises
        except OSError as error:
            if isinstance(error, MercuryError):
                raise
            raise refusal(error, "write", uri) from error
        finally:
            os.close(handle)

    def _write(self, handle: int, info: ObjectInfo, uri: str, sent: Sent) -> int:
        if info.size > WHOLE:
            info = self._from.certain(info)
            if self._from.best(info.checksums) in DIGESTS:
                return self._write_in_order(handle, info, uri, sent)
            return self._write_ranges(handle, info, uri, sent)
        self._pool.budget.take(info.size)
        try:
            content = self._from.whole(info)
            write_at(handle, content, 0)
            if read_at(handle, len(content) + 1, 0) != content:
                raise VerificationError(uri, "what was written", "something else")
        finally:
            self._pool.budget.give(info.size)
        return CRC32C.extend(0, content)

    def _write_in_order(self, handle: int, info: ObjectInfo, uri: str, sent: Sent) -> int:
        view, done = memoryview(bytearray(BLOCK)), 0
        with Stream(self._from, info, (), sent.told) as data:
            while count := data.readinto(view):
                write_at(handle, view[:count], done)
                done += count
            crc = data.sums.crc("crc32c")
        _compare(uri, crc, _crc_at(handle, 0, info.size, view))
        return crc

    def _write_ranges(self, handle: int, info: ObjectInfo, uri: str, sent: Sent) -> int:
        proof = self._from.best(info.checksums) or "crc32c"
        check = self._from.crc(proof) or CRC32C
        count = -(-info.size // RANGE)
        crcs, others = [0] * count, [0] * count
        os.ftruncate(handle, info.size)

        def step(number: int) -> None:
            start = at = number * RANGE
            end = min(start + RANGE, info.size)
            view = memoryview(bytearray(min(BLOCK, end - start)))
            crc = other = 0
            with self._from.store.open(info.uri, start, end, version=info.version) as data:
                while at < end:
                    size = read_into(data, view[: end - at], info.uri)
                    if not size:
                        raise VerificationError(info.uri, f"{info.size} bytes", f"{at} bytes")
                    block = view[:size]
                    crc = CRC32C.extend(crc, block)
                    other = check.extend(other, block) if check is not CRC32C else crc
                    write_at(handle, block, at)
                    at += size
                    sent.told(size)
            _compare(uri, crc, _crc_at(handle, start, end, view))
            crcs[number], others[number] = crc, other

        self._pool.share(count, step)
        sizes = [min(RANGE, info.size - number * RANGE) for number in range(count)]
        crc = other = 0
        for one, two, size in zip(crcs, others, sizes, strict=True):
            crc, other = join(CRC32C, crc, one, size), join(check, other, two, size)
        self._from.prove(info, {"crc32c": shown(CRC32C, crc), proof: shown(check, other)})
        return crc


def _compare(uri: str, sent: int, found: int) -> None:
    if sent != found:
        raise VerificationError(uri, f"crc32c {shown(CRC32C, sent)}", shown(CRC32C, found))


def _crc_at(handle: int, start: int, end: int, view: memoryview) -> int:
    """The CRC-32C of a range of a file, read through the memory of `view`."""
    crc, at = 0, start
    while at < end and (size := _read_into_at(handle, view[: end - at], at)):
        crc = CRC32C.extend(crc, view[:size])
        at += size
    return crc


if hasattr(os, "pwrite"):

    def write_at(handle: int, data: bytes | memoryview, at: int) -> None:
        """Write at a place of a file, all of it."""
        view = memoryview(data)
        while view:
            done = os.pwrite(handle, view, at)
            view, at = view[done:], at + done

    def read_at(handle: int, size: int, at: int) -> bytes:
        """Read at a place of a file."""
        return os.pread(handle, size, at)

    def _read_into_at(handle: int, view: memoryview, at: int) -> int:
        return os.preadv(handle, [view], at)

else:  # Windows: the place is the file's own, and so one thread at a time moves it
    _place = Lock()

    def write_at(handle: int, data: bytes | memoryview, at: int) -> None:
        """Write at a place of a file, all of it."""
        view = memoryview(data)
        with _place:
            os.lseek(handle, at, os.SEEK_SET)
            while view:
                view = view[os.write(handle, view) :]

    def read_at(handle: int, size: int, at: int) -> bytes:
        """Read at a place of a file."""
        with _place:
            os.lseek(handle, at, os.SEEK_SET)
            return os.read(handle, size)

    def _read_into_at(handle: int, view: memoryview, at: int) -> int:
        block = read_at(handle, len(view), at)
        view[: len(block)] = block
        return len(block)

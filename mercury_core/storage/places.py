"""Open files, read and written at places of them by several threads; and their CRC-32C."""

from __future__ import annotations

import os
from threading import Lock

from mercury_core.errors import VerificationError
from mercury_core.storage.checksums import CRC32C, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.contracts import Crc


def compare(uri: str, sent: int, found: int) -> None:
    """Compare the CRC-32C of what was written with that of what was read again.

    Raises:
        VerificationError: It is another one.
    """
    if sent != found:
        raise VerificationError(uri, f"crc32c {shown(CRC32C, sent)}", shown(CRC32C, found))


def crc_at(handle: int, check: Crc, start: int, end: int, view: memoryview) -> int:
    """The CRC of a range of a file, read through the memory of `view`."""
    crc, at = 0, start
    while at < end and (size := read_into_at(handle, view[: end - at], at)):
        crc = check.extend(crc, view[:size])
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

    def read_into_at(handle: int, view: memoryview, at: int) -> int:
        """Read at a place of a file into memory; how much that was."""
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

    def read_into_at(handle: int, view: memoryview, at: int) -> int:
        """Read at a place of a file into memory; how much that was."""
        block = read_at(handle, len(view), at)
        view[: len(block)] = block
        return len(block)

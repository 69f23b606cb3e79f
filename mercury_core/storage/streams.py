"""Readers around readers: one that stops early, one that measures what goes through it."""

from __future__ import annotations

import io
from hashlib import sha256
from typing import BinaryIO, cast

from mercury_core.storage.refusals import refusal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Buffer


def up_to(data: BinaryIO, size: int) -> BinaryIO:
    """A reader of the next `size` bytes of another, which it closes."""
    return cast("BinaryIO", io.BufferedReader(_UpTo(data, size)))


class _UpTo(io.RawIOBase):
    def __init__(self, data: BinaryIO, left: int) -> None:
        self._data, self._left = data, left

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        block = self._data.read(min(len(view), self._left))
        view[: len(block)] = block
        self._left -= len(block)
        return len(block)

    def close(self) -> None:
        if not self.closed:
            self._data.close()
        super().close()


class Measured(io.RawIOBase):
    """A reader that counts and hashes the bytes that are read through it, in order.

    Attributes:
        size: Bytes so far.
    """

    def __init__(self, data: BinaryIO, uri: str, told: Callable[[int], None] | None = None) -> None:
        """Read from `data`, what is at `uri`, which stays open; tell the size of each block to `told`."""
        self._data, self._uri, self._hash, self._told = data, uri, sha256(), told
        self.size = 0

    @property
    def sha256(self) -> str:
        """The SHA-256 of the bytes so far, in hexadecimal."""
        return self._hash.hexdigest()

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes, or all."""
        try:
            block = self._data.read(size)
        except OSError as error:
            raise refusal(error, "read", self._uri) from error
        self._hash.update(block)
        self.size += len(block)
        if block and self._told:
            self._told(len(block))
        return block

    def readinto(self, buffer: Buffer) -> int:
        """Read into a buffer."""
        view = memoryview(buffer).cast("B")
        block = self.read(len(view))
        view[: len(block)] = block
        return len(block)

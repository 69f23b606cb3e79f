"""A reader around a reader, that stops early."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

TYPE_CHECKING = False
if TYPE_CHECKING:
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

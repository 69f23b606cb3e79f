"""A stored object as a file that can be read at any place, each read by a range of its own."""

from __future__ import annotations

import io

from mercury_core.errors import VerificationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Buffer

    from mercury_core.contracts import ObjectInfo, Store

# Formats that keep what is where at their end read a few bytes there, then some more before them: one request for all.
_END = 64 << 10
# Heads of messages are read one after another; so many bytes more cost less than a request.
_AHEAD = 8 << 10


class StoredFile(io.RawIOBase):
    """An object of a store, opened for reading; all reads are of the version that `info` tells of.

    It keeps nothing but the last block of the object and the last small read. One thread at a time uses it.

    Args:
        store: Where the object is.
        info: What the store says of it.
    """

    def __init__(self, store: Store, info: ObjectInfo) -> None:
        self._store, self._info = store, info
        self._at = 0
        self._end: list[tuple[int, bytes]] = []
        self._last: tuple[int, bytes] = (0, b"")

    @property
    def info(self) -> ObjectInfo:
        """The object."""
        return self._info

    def again(self) -> StoredFile:
        """The same object, opened once more: its last block is fetched once for all of them."""
        other = StoredFile(self._store, self._info)
        other._end = self._end
        return other

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The place of the next byte to read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place; nothing is asked of the store."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._info.size}[whence]
        self._at = max(base + offset, 0)
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Read on, by one request.

        Args:
            size: How many bytes at the most; all that there are without it.

        Raises:
            ObjectChangedError: The object has another version by now.
            VerificationError: The store gave fewer bytes than the object has.
            StoreAccessError: It may not be read.
        """
        end = self._info.size if size is None or size < 0 else min(self._at + size, self._info.size)
        if end <= self._at:
            return b""
        data = self._kept(self._at, end)
        if data is None:
            data = self._fetched(self._at, end)
        self._at = end
        return data

    def readinto(self, buffer: Buffer, /) -> int:
        """Read on into a buffer; see `read`."""
        view = memoryview(buffer).cast("B")
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)

    def _kept(self, start: int, end: int) -> bytes | None:
        for at, block in (*self._end, self._last):
            if at <= start and end <= at + len(block):
                return block[start - at : end - at]
        return None

    def _fetched(self, start: int, end: int) -> bytes:
        size = self._info.size
        if start >= size - _END:
            first = max(size - _END, 0)
            block = self._range(first, size)
            self._end[:] = [(first, block)]
            return block[start - first : end - first]
        if end - start >= _AHEAD:
            return self._range(start, end)
        self._last = start, self._range(start, min(start + _AHEAD, size))
        return self._last[1][: end - start]

    def _range(self, start: int, end: int) -> bytes:
        with self._store.open(self._info.uri, start, end, version=self._info.version) as data:
            block = data.read(end - start)
            if len(block) < end - start:  # a raw stream gives what it has by now
                blocks = [block]
                while blocks[-1]:
                    blocks.append(data.read(end - start - sum(map(len, blocks))))
                block = b"".join(blocks)
        if len(block) != end - start:
            raise VerificationError(self._info.uri, f"{end - start} bytes from {start} on", f"{len(block)}")
        return block

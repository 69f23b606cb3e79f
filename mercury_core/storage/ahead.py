"""A stream that is read ahead, so that what comes in does not wait for what goes out."""

from __future__ import annotations

import io
from queue import SimpleQueue
from threading import Thread

from mercury_core.storage.reading import BLOCK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Buffer

    from mercury_core.storage.checksums import Checksums
    from mercury_core.storage.reading import Stream

_BLOCKS = 16
_PATIENCE = 2.0  # seconds that an end which was not reached waits for a reader that hangs


class Ahead(io.RawIOBase):
    """A `Stream` that a thread of its own reads, and proves, up to 4 MiB ahead.

    Attributes:
        size: Of the object in bytes.
    """

    def __init__(self, stream: Stream) -> None:
        """Read from `stream`, and close it in the end; nothing is read before it is asked for."""
        self._stream, self.size = stream, stream.size
        self._begin()

    def _begin(self) -> None:
        self._thread: Thread | None = None
        self._free: SimpleQueue[memoryview | None] = SimpleQueue()
        self._full: SimpleQueue[tuple[memoryview, int] | BaseException | None] = SimpleQueue()
        self._block, self._at, self._count, self._is_over = memoryview(b""), 0, 0, False

    @property
    def sums(self) -> Checksums:
        """The checksums of all that was read, once that is all."""
        return self._stream.sums

    def known(self) -> Mapping[str, str]:
        """What is known before; see `mercury_core.contracts.Rereadable`."""
        return self._stream.known()

    def rewind(self) -> None:
        """Begin again."""
        self._stop(None)
        self._stream.rewind()
        self._begin()

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Read into a buffer; raises what reading the stream raised."""
        view = memoryview(buffer).cast("B")
        if self._is_over or not len(view):
            return 0
        if self._at == self._count and not self._next():
            return 0
        count = min(len(view), self._count - self._at)
        view[:count] = self._block[self._at : self._at + count]
        self._at += count
        if self._at == self._count:
            self._free.put(self._block)
        return count

    def _next(self) -> bool:
        if self._thread is None:
            for _ in range(_BLOCKS):
                self._free.put(memoryview(bytearray(BLOCK)))
            self._thread = Thread(target=self._read, args=(self._free, self._full), name="mercury-ahead", daemon=True)
            self._thread.start()
        taken = self._full.get()
        if taken is None:
            self._is_over = True
            return False
        if isinstance(taken, BaseException):
            raise taken
        (self._block, self._count), self._at = taken, 0
        return True

    def _read(
        self,
        free: SimpleQueue[memoryview | None],
        full: SimpleQueue[tuple[memoryview, int] | BaseException | None],
    ) -> None:
        try:
            while (block := free.get()) is not None and (count := self._stream.readinto(block)):
                full.put((block, count))
            full.put(None)
        except BaseException as error:  # noqa: BLE001 — raised again by whoever reads
            full.put(error)

    def _stop(self, patience: float | None) -> bool:
        """End the thread; whether it has ended in time."""
        if self._thread is None:
            return True
        while not self._free.empty():
            self._free.get()
        self._free.put(None)
        self._thread.join(patience)
        return not self._thread.is_alive()

    def close(self) -> None:
        """Close the object, unless the thread hangs in a call: then it ends with the process."""
        if not self.closed and self._stop(_PATIENCE):
            self._stream.close()
        super().close()

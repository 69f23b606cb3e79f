"""What a copy has done so far, and who is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from mercury_core import registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class CopyProgress:
    """How far a copy is.

    Attributes:
        files: Files that are there whole.
        bytes: Bytes that are there.
        files_total: Files that there are to copy; None until the source is listed to its end.
        bytes_total: Their sizes together; None as well until then.
    """

    files: int
    bytes: int
    files_total: int | None = None
    bytes_total: int | None = None


class Watch:
    """Keeps count of one copy, for all of its threads.

    Attributes:
        files: Files that are there and verified.
        bytes: Bytes that are there; those of a file that did not arrive whole are taken off again.
        skipped: Files that were left as they are.
        resumed: Files of which an earlier copy had brought something.
        crcs: The CRC-32C of each file that is there, by name; of what a service copied within itself, the checksum that
            it tells, as ``algorithm:value``, or nothing.
        totals: Files and bytes that there are to copy, once that is known.
    """

    def __init__(self, source: str, target: str, progress: Callable[[CopyProgress], None] | None) -> None:
        """Count from nothing, and tell `progress`."""
        self._source, self._target, self._progress = source, target, progress
        self._lock = Lock()
        self.files = self.bytes = self.skipped = self.resumed = 0
        self.crcs: dict[str, int | str] = {}
        self._skipped_size = 0
        self.totals: tuple[int, int] | None = None

    def moved(self, size: int) -> None:
        """Count bytes of a file that is not there whole yet; fewer than none where they have to be sent again."""
        with self._lock:
            self.bytes += size
            self._tell()

    def skip(self, size: int) -> None:
        """Count a file that is left as it is, whose bytes there is no need to send."""
        with self._lock:
            self.skipped += 1
            self._skipped_size += size
            if self.totals is not None:
                self.totals = (self.totals[0] - 1, self.totals[1] - size)

    def done(self, name: str, crc: int | str, size: int, *, resumed: bool = False) -> None:
        """Count a file that is there and verified, `size` bytes of which were not counted yet."""
        with self._lock:
            self.files += 1
            self.bytes += size
            self.resumed += resumed
            self.crcs[name] = crc
            self._tell()
            registry.lifecycle(
                "mercury_copy_progress", source=self._source, target=self._target, files=self.files, size=self.bytes
            )

    def listed(self, files: int, size: int) -> None:
        """Say how much there is to copy, with what was skipped."""
        with self._lock:
            self.totals = (files - self.skipped, size - self._skipped_size)
            self._tell()

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(CopyProgress(self.files, self.bytes, *(self.totals or (None, None))))

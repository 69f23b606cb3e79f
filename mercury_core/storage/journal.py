"""What an interrupted copy to a disk leaves, so that the next one of the same source to the same target goes on.

Beside the target stand what has arrived, under a temporary name of its own, and a journal: a line for each file, and
each range of a large one, that was written and verified. Whoever goes on believes neither: what the journal names is
hashed again, and all else is fetched anew.
"""

from __future__ import annotations

import json
import os
from threading import Lock

from mercury_core.errors import ObjectExistsError, StoreAccessError, UriError, VerificationError
from mercury_core.storage import slots
from mercury_core.storage.plan import identity_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path
    from typing import Any

    from mercury_core.contracts import ObjectInfo

_FORMAT = 1
_GIVE_UP = (VerificationError, ObjectExistsError, UriError)


class Journal:
    """The journal of one copy to a disk; used by several threads.

    Attributes:
        resumed: Whether something was there to go on with.
    """

    def __init__(self, source: str, range_size: int) -> None:
        """Journal a copy of `source`, large files of which are fetched by ranges of that size."""
        self._header = [_FORMAT, source, range_size]
        self._path: Path | None = None
        self._slot: slots.Slot | None = None
        self._file = -1
        self._lock = Lock()
        self._files: dict[str, tuple[str, int]] = {}
        self._ranges: dict[str, tuple[str, dict[int, int]]] = {}
        self._any = self.resumed = False

    def take(self, target: Path, *, directory: bool) -> slots.Slot:
        """A place beside the target, with what an interrupted copy left there; else one as `slots.take` gives.

        Raises:
            OSError: Nothing can be made there.
        """
        slot = slots.take_kept(target, directory=directory)
        if slot is None:  # another copy to the same target is under way, or there are no locks
            return slots.take(target, directory=directory)
        try:
            self._open(slot, slots.journal_of(target), directory=directory)
        except OSError:  # what is there belongs to somebody else, or cannot be removed
            self.close(keep=True)
            slot.close()
            self._files, self._ranges = {}, {}
            self._any = self.resumed = False
            return slots.take(target, directory=directory)
        return slot

    def _open(self, slot: slots.Slot, path: Path, *, directory: bool) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        self._file = os.open(path, flags, 0o600)
        if slots.is_ours(self._file, path):
            self._read()
        self._any = self.resumed = bool(self._files or self._ranges)
        if self.resumed:
            os.write(self._file, b"\n")  # the last line may have been cut
        else:
            os.ftruncate(self._file, 0)
            self._write([self._header])
        if directory:
            clear(os.fspath(slot.path), {*self._files, *self._ranges})
        elif not self.resumed:
            os.truncate(slot.path, 0)
        self._slot, self._path = slot, path

    def keeps(self, error: BaseException) -> bool:
        """Whether what has arrived is kept after an error, to go on with.

        It is not where that would not help, and where it would hold what another needs: on a disk that is full.
        """
        refused = isinstance(error, StoreAccessError) and error.action == "write"
        return self._any and not refused and not isinstance(error, _GIVE_UP)

    def close(self, *, keep: bool) -> None:
        """Stop writing; and remove the journal, unless it is to be kept."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._path is not None and not keep:
            self._path.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Keep the place locked until the process ends, since a thread that hangs may still write there."""
        if self._slot is not None:
            self._slot.abandon()

    def file(self, name: str, info: ObjectInfo) -> int | None:
        """The CRC-32C of a file that was written whole, from a source as it is now; None where that is not known."""
        found = self._files.get(name)
        return found[1] if found is not None and found[0] == identity_of(info) else None

    def ranges(self, name: str, info: ObjectInfo) -> dict[int, int]:
        """The CRC-32C of each range of a file that was written, from a source as it is now."""
        identity, found = self._ranges.get(name, (None, {}))
        return found if identity is not None and identity == identity_of(info) else {}

    def add_file(self, name: str, info: ObjectInfo, crc: int) -> None:
        """Note a file that was written and verified."""
        self.add_files([(name, info, crc)])

    def add_files(self, files: Iterable[tuple[str, ObjectInfo, int]]) -> None:
        """Note files that were written and verified."""
        lines = [[name, identity_of(info), crc] for name, info, crc in files]
        self._write([line for line in lines if line[1] is not None])

    def add_range(self, name: str, info: ObjectInfo, number: int, crc: int) -> None:
        """Note a range of a file that was written and verified."""
        if (identity := identity_of(info)) is not None:
            self._write([[name, identity, crc, number]])

    def _write(self, lines: list[list[Any]]) -> None:
        if self._file < 0 or not lines:
            return
        data = "".join(f"{json.dumps(line)}\n" for line in lines).encode()
        with self._lock:
            os.write(self._file, data)  # not brought to the disk: what it says is proven anyway
            self._any = self._any or lines[0] is not self._header

    def _read(self) -> None:
        with open(self._file, "rb", closefd=False) as lines:
            if _parsed(lines.readline()) != self._header:
                return
            for line in lines:
                self._note(_parsed(line))

    def _note(self, line: Any) -> None:
        match line:
            case [str(name), str(identity), int(crc)]:
                self._files[name] = (identity, crc)
            case [str(name), str(identity), int(crc), int(number)]:
                if name not in self._ranges or self._ranges[name][0] != identity:
                    self._ranges[name] = (identity, {})
                self._ranges[name][1][number] = crc


def _parsed(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def clear(root: str, files: Collection[str], folders: Collection[str] = ()) -> None:
    """Remove what is in a directory, but for some files, and for the directories that hold one or are named."""
    for place, below, names in os.walk(root, topdown=False):
        prefix = place[len(root) + 1 :].replace(os.sep, "/") + "/" * (place != root)
        for name in names:
            if prefix + name not in files:
                os.unlink(os.path.join(place, name))  # noqa: PTH108, PTH118 — many files, made fast
        for name in below:
            path = os.path.join(place, name)  # noqa: PTH118
            if os.path.islink(path):  # noqa: PTH114
                os.unlink(path)  # noqa: PTH108
            elif prefix + name not in folders and not os.listdir(path):  # noqa: PTH208
                os.rmdir(path)  # noqa: PTH106

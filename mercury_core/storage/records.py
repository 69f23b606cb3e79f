"""Records of copies to other stores that are under way, or were interrupted, so that the next one can go on.

A record is a file in the user's cache directory, readable by the user alone: an upload is named there by a text that
lets whoever has it go on with it. It is locked while the copy runs; so one that is not locked is of a dead copy.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from threading import Lock
from time import time

from mercury_core.contracts import MultipartStore
from mercury_core.discovery import cache_directory
from mercury_core.errors import MercuryError
from mercury_core.storage import slots

TYPE_CHECKING = False
if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator
    from types import TracebackType
    from typing import Any, Self

    from mercury_core.contracts import Store

_FORMAT = 1
_OLD = 7 * 24 * 3600.0  # seconds; services themselves forget uploads after about that long
_FLAGS = os.O_RDWR | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class Record:
    """The record of one copy; used by several threads. As a context, it is removed unless the body fails.

    Attributes:
        active: Whether it is kept: not where the directory cannot be written, nor where another copy has it.
        busy: Whether another copy of the same source to the same target is under way.
        begun: Whether an earlier copy was interrupted.
    """

    def __init__(self, source: str, target: str, *, kept: bool = True) -> None:
        """Find the record of copies of `source` to `target`, or make one; without `kept`, there is none."""
        self._lock = Lock()
        self._uploads: dict[str, tuple[str, int, str]] = {}
        self.active = self.busy = self.begun = False
        self._useful = False
        self._file = -1
        self._path = _path_of(source, target)
        if not kept:
            return
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._open([_FORMAT, source, target])
        except OSError as error:
            _log().info("No record of this copy can be kept, and so none can go on with it: %s", error)
        except BaseException:  # Ctrl-C: what is locked would be so for the rest of this process
            self._close()
            raise

    def _open(self, header: list[Any]) -> None:
        self._file, self.busy = _locked(self._path, _FLAGS | os.O_CREAT)
        if self._file < 0:
            return
        lines = _lines(self._file)
        self.active, self.begun = True, next(lines, None) == header
        if not self.begun:
            os.ftruncate(self._file, 0)
            self._write(header)
            return
        self._useful = True
        for line in lines:
            self._note(line)
        os.write(self._file, b"\n")  # the last line may have been cut

    def upload(self, uri: str) -> tuple[str, int, str] | None:
        """An unfinished upload: what names it, the size of its parts, and what its source was."""
        return self._uploads.get(uri)

    def add_upload(self, uri: str, upload: str, part_size: int, identity: str) -> None:
        """Note an upload that was begun."""
        self._write(["upload", uri, upload, part_size, identity])

    def drop_upload(self, uri: str) -> None:
        """Note that an upload is finished, or was aborted."""
        self._write(["gone", uri])

    def abort_uploads(self, store: Store) -> None:
        """Abort the uploads that nobody needs any more, since all has come another way."""
        for uri, (upload, _, _) in dict(self._uploads).items():
            try:
                if isinstance(store, MultipartStore):
                    store.abort(uri, upload)
            except MercuryError as error:  # the copy is done
                _log().warning("An unfinished upload could not be removed: %s", error)
            else:
                self.drop_upload(uri)

    def useful(self) -> None:
        """Note that something is at the target, with which another copy could go on."""
        self._useful = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file >= 0 and (error is None or not (self._useful or self._uploads)):
            self._path.unlink(missing_ok=True)
        self._close()

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self.active = -1, False

    def _write(self, line: list[Any]) -> None:
        with self._lock:
            self._note(line)
            if not self.active:
                return
            try:
                os.write(self._file, json.dumps(line).encode() + b"\n")
            except OSError as error:  # a full disk, say, of which a copy between stores needs nothing
                _log().info("No more can be noted of this copy, and so none can go on with the rest: %s", error)
                self.active = False

    def _note(self, line: Any) -> None:
        match line:
            case ["upload", str(uri), str(upload), int(part_size), str(identity)]:
                self._uploads[uri] = (upload, part_size, identity)
            case ["gone", str(uri)]:
                self._uploads.pop(uri, None)


def is_kept(source: str, target: str) -> bool:
    """Whether there is a record of a copy of `source` to `target`, which is unfinished."""
    path = _path_of(source, target)
    try:
        file = os.open(path, _FLAGS)
    except OSError:
        return False
    try:
        return slots.is_ours(file, path) and next(_lines(file), None) == [_FORMAT, source, target]
    finally:
        os.close(file)


def clean(store: Store, is_in: Callable[[str], bool]) -> None:
    """Abort the uploads of copies that were interrupted long ago, and remove their records.

    Args:
        store: The store whose uploads those are.
        is_in: Whether a URI is in that store.
    """
    try:
        found = [path for path in _directory().iterdir() if path.stat().st_mtime < time() - _OLD]
    except OSError:  # no directory, no right to it, or another process is doing the same
        return
    for path in found:
        try:
            file, _ = _locked(path, _FLAGS)
        except OSError as error:  # another user's, or nothing that a copy made
            _log().info("What is no record of a copy stays where it is: %s", error)
            continue
        if file < 0:
            continue
        try:
            _clean(path, list(_lines(file)), store, is_in)
        except MercuryError as error:  # no reason for the copy of today to fail
            _log().warning("An old unfinished upload could not be removed: %s", error)
        finally:
            os.close(file)


def _clean(path: Path, lines: list[Any], store: Store, is_in: Callable[[str], bool]) -> None:
    match lines[:1]:
        case [[_, str(), str(target)]] if not is_in(target):
            return
    for line in lines:
        match line:
            case ["upload", str(uri), str(upload), int(), str()] if is_in(uri) and isinstance(store, MultipartStore):
                store.abort(uri, upload)
    path.unlink(missing_ok=True)


def _directory() -> Path:
    return Path(cache_directory(), "copies")


def _log() -> logging.Logger:
    import logging  # here, since few copies have something to say, and it takes its time to be imported

    return logging.getLogger(__name__)


def _path_of(source: str, target: str) -> Path:
    return _directory() / f"{sha256(json.dumps([source, target]).encode()).hexdigest()[:32]}.json"


def _locked(path: Path, flags: int) -> tuple[int, bool]:
    """Open a file that nobody else uses; -1 where that cannot be had, and whether somebody does."""
    for _ in range(3):  # again where its user removed it just now
        try:
            file = os.open(path, flags, 0o600)
        except FileNotFoundError:
            return -1, False
        try:
            locked = slots.lock(file, path)
            if locked and slots.is_ours(file, path):  # what others wrote might name uploads of theirs
                return file, False
        except BaseException:
            os.close(file)
            raise
        os.close(file)
        if locked is not False:
            return -1, False
    return -1, True


def _lines(file: int) -> Iterator[Any]:
    """What is in a record, line by line, but for a line that was cut."""
    with open(file, "rb", closefd=False) as lines:
        for line in lines:
            with suppress(ValueError, RecursionError):
                yield json.loads(line)

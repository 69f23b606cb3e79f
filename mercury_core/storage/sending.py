"""The sending itself: bytes from one store to another, hashed on the way and again where they arrived."""

from __future__ import annotations

import os
from typing import BinaryIO, cast

from mercury_core.contracts import DirectoryStore
from mercury_core.errors import ObjectExistsError, ObjectNotFoundError, StoreAccessError, UriError, VerificationError
from mercury_core.storage.atomic import atomic_directory, atomic_file, sha256_of
from mercury_core.storage.plan import Item, Plan, check_names
from mercury_core.storage.streams import Measured
from mercury_core.storage.uri import is_remote, join, local_path, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mercury_core.contracts import Store

BLOCK = 1 << 20


class Sender:
    """Sends the files of one copy and keeps count.

    Attributes:
        files: Files that are there and verified.
        size: Bytes that are there.
        skipped: Files that were left as they are.
        checksums: SHA-256 by name, of what was sent.
    """

    def __init__(self, from_store: Store, to_store: Store, target: str, told: Callable[[int, int, bool], None]) -> None:
        """Send to `target`, and tell files, bytes and whether a file was just finished, after each block."""
        self._from, self._to, self._target, self._told = from_store, to_store, target, told
        self.files = self.size = self.skipped = 0
        self.checksums: dict[str, str] = {}

    def send_file(self, item: Item, overwrite: str) -> None:
        """Send a single file to the target itself."""
        self._send(item, self._target, overwrite)

    def send_tree(self, planned: Plan, overwrite: str) -> None:
        """Send a tree; see `mercury_core.storage.copy`."""
        exists = self._exists()
        if exists and overwrite == "error":
            raise ObjectExistsError(self._target)
        if not is_remote(self._target):
            check_names(planned, self._target)
            if not exists or overwrite == "replace":
                self._stage(planned, overwrite == "replace")
                return
        elif overwrite == "replace" and not name_of(self._target):
            todo = "Name something below it, or use overwrite='skip'."
            raise UriError(self._target, "everything in it would be replaced", todo)
        extra = {info.uri for info in self._to.list(self._target)} if overwrite == "replace" else set()
        if isinstance(self._to, DirectoryStore):
            for folder in ("", *planned.folders):
                self._to.make_directory(join(self._target, folder) if folder else self._target)
        for item in planned.files:
            uri = join(self._target, item.name)
            self._send(item, uri, overwrite)
            extra.discard(uri)
        for uri in sorted(extra):
            self._to.delete(uri)

    def _exists(self) -> bool:
        if not is_remote(self._target):
            return os.path.lexists(local_path(self._target))
        try:
            self._to.stat(self._target)
        except ObjectNotFoundError:
            return next(iter(self._to.list(self._target)), None) is not None
        return True

    def _stage(self, planned: Plan, overwrite: bool) -> None:
        with atomic_directory(self._target, overwrite=overwrite) as beside:
            for folder in planned.folders:
                (beside / folder).mkdir(parents=True, exist_ok=True)
            for item in planned.files:
                path = beside / item.name
                path.parent.mkdir(parents=True, exist_ok=True)
                if path.exists():
                    why = f"this disk takes {item.name!r} and another name of the source for the same"
                    raise StoreAccessError("write", self._target, why, "Rename one of them there.")
                self._done(item, self._write(item, path, join(self._target, item.name)))

    def _send(self, item: Item, uri: str, overwrite: str) -> None:
        if overwrite == "skip" and self._is_file(uri):
            self.skipped += 1
            return
        replace = overwrite == "replace"
        try:
            if is_remote(uri):
                sha256 = self._put(item, uri, replace)
            else:
                with atomic_file(uri, overwrite=replace) as beside:
                    sha256 = self._write(item, beside, uri)
            self._done(item, sha256)
        except ObjectExistsError:
            # Somebody put it there since we looked; but a directory is none of the files that may be skipped.
            if overwrite != "skip" or not self._is_file(uri):
                raise
            self.skipped += 1

    def _is_file(self, uri: str) -> bool:
        try:
            self._to.stat(uri)
        except ObjectNotFoundError:
            return False
        return True

    def _write(self, item: Item, path: Path, uri: str) -> str:
        from shutil import copyfileobj

        with self._from.open(item.info.uri) as raw, path.open("wb") as file:
            data = self._measured(raw, item)
            copyfileobj(data, file, BLOCK)
        return _verified(item, data, uri, path.stat().st_size, lambda: sha256_of(path))

    def _put(self, item: Item, uri: str, overwrite: bool) -> str:
        with self._from.open(item.info.uri) as raw:
            data = self._measured(raw, item)
            stored = self._to.put(uri, cast("BinaryIO", data), overwrite=overwrite)
        try:
            return _verified(item, data, uri, stored.size, lambda: self._sha256_at(uri))
        except VerificationError:
            self._to.delete(uri)  # it was seen for a moment; nobody shall find it later
            raise

    def _measured(self, raw: BinaryIO, item: Item) -> Measured:
        def tell(size: int) -> None:
            self.size += size
            self._told(self.files, self.size, False)

        return Measured(raw, item.info.uri, tell)

    def _sha256_at(self, uri: str) -> str:
        with self._to.open(uri) as raw:
            data = Measured(raw, uri)
            while data.read(BLOCK):
                pass
        return data.sha256

    def _done(self, item: Item, sha256: str) -> None:
        self.files += 1
        self.checksums[item.name] = sha256
        self._told(self.files, self.size, True)


def _verified(item: Item, data: Measured, uri: str, size: int, sha256: Callable[[], str]) -> str:
    """The checksum of a file that arrived whole."""
    for found in (data.size, size):
        if found != item.info.size:
            raise VerificationError(uri, f"{item.info.size} bytes", f"{found} bytes")
    if (arrived := sha256()) != data.sha256:
        raise VerificationError(uri, f"SHA-256 {data.sha256}", arrived)
    return arrived

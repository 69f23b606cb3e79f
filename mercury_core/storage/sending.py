"""One copy from its beginning to its end: what is at the target, what goes where, and what is removed."""

from __future__ import annotations

import os
from functools import partial
from typing import cast

from mercury_core.contracts import DirectoryStore, ManyDeletingStore
from mercury_core.errors import ObjectExistsError, ObjectNotFoundError, StoreAccessError, UriError
from mercury_core.storage.atomic import atomic_directory, atomic_file
from mercury_core.storage.plan import Names, namer
from mercury_core.storage.reading import Reading
from mercury_core.storage.to_disk import KNOWN, ToDisk
from mercury_core.storage.to_store import ToStore
from mercury_core.storage.uri import is_remote, join, local_path, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mercury_core.contracts import ObjectInfo, Store
    from mercury_core.storage.plan import Item, Source
    from mercury_core.storage.pool import Pool
    from mercury_core.storage.watch import Watch

    Version = tuple[int, float | None, str | None]


class Sender:
    """Sends what is in one source to one target.

    Attributes:
        versions: What each file was like when it was listed, by name; kept only where it is asked for later.
    """

    def __init__(
        self, source: Source, from_store: Store, to_store: Store, target: str, overwrite: str, pool: Pool, watch: Watch
    ) -> None:
        """Send to `target`, in the threads of `pool`, and count in `watch`."""
        self._source, self._to, self._target, self._overwrite = source, to_store, target, overwrite
        self._pool, self._watch = pool, watch
        self._local, self._is_single = not is_remote(target), source.single is not None
        reading = Reading(from_store, source.uri)
        self._disk, self._remote = ToDisk(reading, pool, watch), ToStore(reading, to_store, target, pool, watch)
        self.versions: dict[str, Version] | None = None

    def send(self, *, keep_versions: bool = False) -> None:
        """Send everything; see `mercury_core.storage.copy`."""
        self.versions = {} if keep_versions else None
        single = self._source.single
        if single is None:
            self._send_tree()
        else:
            self._do([single], lambda item: partial(self._send_one, item, self._target))

    def _send_tree(self) -> None:
        exists, replace = self._exists(), self._overwrite == "replace"
        if exists and self._overwrite == "error":
            raise ObjectExistsError(self._target)
        if self._local:
            if not exists or replace:
                self._stage(replace)
            else:
                self._fill()
            return
        if replace and not name_of(self._target):
            todo = "Name something below it, or use overwrite='skip'."
            raise UriError(self._target, "everything in it would be replaced", todo)
        there = self._names_there() if self._overwrite == "skip" and exists else set()
        directories = self._to if isinstance(self._to, DirectoryStore) else None
        if directories is not None:
            for folder in ("", *self._source.folders()):
                directories.make_directory(join(self._target, folder) if folder else self._target)

        def task(item: Item) -> Callable[[], None] | None:
            if item.is_mark and directories is not None:
                directories.make_directory(join(self._target, item.name.rstrip("/")))
                return None
            if item.name in there:
                self._watch.skip(item.info.size)
                return None
            return partial(self._send_one, item, join(self._target, item.name))

        self._do(self._source.items(), task)
        if replace:
            self._remove_others()

    def _do(self, items: Iterable[Item], task: Callable[[Item], Callable[[], None] | None]) -> None:
        """Have what is to do for each file done by the threads, while the source is still being listed."""
        files = size = 0
        with self._pool as pool:
            for item in items:
                todo = task(item)
                if self.versions is not None and (todo is not None or item.is_mark):
                    self.versions[item.name] = version_of(item.info)
                if todo is not None or not item.is_mark:
                    files, size = files + 1, size + item.info.size
                if todo is not None:
                    pool.add(todo)
            self._watch.listed(files, size)
            pool.wait()

    def _send_one(self, item: Item, uri: str) -> None:
        """Send one file to its own place."""
        if self._overwrite == "skip" and self._is_single and self._is_file(uri):
            self._watch.skip(item.info.size)
            return
        replace = self._overwrite == "replace"
        try:
            if not self._local:
                self._remote.send(item, uri, overwrite=replace)
                return
            with atomic_file(uri, overwrite=replace) as beside:
                crc, told = self._disk.write(item.info, os.fspath(beside), uri, KNOWN)
            self._watch.done(item.name, crc, item.info.size - told)
        except ObjectExistsError:
            # Somebody put it there since we looked; but a directory is none of the files that may be skipped.
            if self._overwrite != "skip" or not self._is_file(uri):
                raise
            self._watch.skip(item.info.size)

    def moved(self) -> Iterator[tuple[str, Version]]:
        """What was copied, and what it was like when it was listed."""
        there = self._watch.crcs
        for name, version in (self.versions or {}).items():
            if name in there or name.endswith("/"):
                yield name, version

    # --- a disk ---

    def _stage(self, replace: bool) -> None:
        """Write a whole tree beside its target."""
        names = Names(self._target)
        with atomic_directory(self._target, overwrite=replace) as beside:
            root = os.fspath(beside)

            def task(item: Item) -> Callable[[], None] | None:
                make(item.name.rstrip("/") if item.is_mark else item.name, folder=item.is_mark)
                return None if item.is_mark else partial(self._write, item, f"{root}/{item.name}", names)

            def make(name: str, *, folder: bool) -> None:
                for needed in names.check(name, folder=folder):
                    path = f"{root}/{needed}"
                    try:
                        os.mkdir(path)  # noqa: PTH102 — without pathlib, which costs more than the call
                    except FileExistsError:
                        if not os.path.isdir(path):  # noqa: PTH112
                            raise names.both(needed, name) from None

            for folder in self._source.folders():
                make(folder, folder=True)
            self._do(self._source.items(), task)

    def _write(self, item: Item, path: str, names: Names) -> None:
        try:
            crc, told = self._disk.write(item.info, path, join(self._target, item.name))
        except FileExistsError:
            raise names.refuse(item.name) from None
        self._watch.done(item.name, crc, item.info.size - told)

    def _fill(self) -> None:
        """Write into a directory that is there the files that it lacks."""
        names, root = Names(self._target), os.path.realpath(local_path(self._target))
        store = cast("DirectoryStore", self._to)
        store.make_directory(self._target)

        def make(name: str, *, folder: bool) -> None:
            for needed in names.check(name, folder=folder):
                uri = join(self._target, needed)
                store.make_directory(uri)
                if not is_below(os.path.realpath(local_path(uri)), root):
                    todo = "Remove the link, or choose another target."
                    raise StoreAccessError("write", uri, "a symbolic link there leads out of the target", todo)

        def task(item: Item) -> Callable[[], None] | None:
            make(item.name.rstrip("/") if item.is_mark else item.name, folder=item.is_mark)
            uri = join(self._target, item.name)
            if not item.is_mark and self._is_file(uri):
                self._watch.skip(item.info.size)
                return None
            return None if item.is_mark else partial(self._send_one, item, uri)

        for folder in self._source.folders():
            make(folder, folder=True)
        self._do(self._source.items(), task)

    # --- what is there ---

    def _exists(self) -> bool:
        if self._local:
            return os.path.lexists(local_path(self._target))
        return self._is_file(self._target) or next(iter(self._to.list(self._target)), None) is not None

    def _is_file(self, uri: str) -> bool:
        try:
            self._to.stat(uri)
        except ObjectNotFoundError:
            return False
        return True

    def _names_there(self) -> set[str]:
        named = namer(self._target)
        return {named(info.uri) for info in self._to.list(self._target)}

    def _remove_others(self) -> None:
        """Remove what the source lacks, now that all of it is there."""
        named, there = namer(self._target), self._watch.crcs
        remove(self._to, (info.uri for info in self._to.list(self._target) if named(info.uri) not in there))


def remove(store: Store, uris: Iterable[str]) -> None:
    """Remove objects, as many at a time as the store can."""
    if isinstance(store, ManyDeletingStore):
        store.delete_many(uris)
    else:
        for uri in uris:
            store.delete(uri)


def version_of(info: ObjectInfo) -> Version:
    """What is another one when an object changed."""
    return info.size, info.modified, info.version


def is_below(path: str, root: str) -> bool:
    """Whether a path is a directory or anything in it; both are real ones."""
    return path == root or path.startswith(os.path.join(root, ""))  # noqa: PTH118

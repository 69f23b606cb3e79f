"""One copy from its beginning to its end: what is at the target, what goes where, and what is removed."""

from __future__ import annotations

import os
from contextlib import closing
from functools import partial
from typing import cast

from mercury_core.contracts import DirectoryStore, ManyDeletingStore
from mercury_core.errors import ObjectExistsError, ObjectNotFoundError, StoreAccessError, UriError
from mercury_core.storage import records
from mercury_core.storage.atomic import atomic_directory, atomic_file
from mercury_core.storage.journal import Journal, clear
from mercury_core.storage.many import SMALL, Lanes
from mercury_core.storage.plan import Names, identity_of, is_root, namer
from mercury_core.storage.ranges import RANGE
from mercury_core.storage.reading import Reading
from mercury_core.storage.to_disk import ToDisk
from mercury_core.storage.to_store import WHOLE, ToStore
from mercury_core.storage.uri import is_remote, join, local_path, name_of, scheme_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from mercury_core.contracts import ObjectInfo, Store
    from mercury_core.storage.plan import Item, Source
    from mercury_core.storage.pool import Pool
    from mercury_core.storage.stores import Stores
    from mercury_core.storage.watch import Watch

    Task = Callable[[], None]

_LINK = "Remove the link, or choose another target."
_NO_DIRECTORY = "Choose another target, or overwrite='replace'."


class Sender:
    """Sends what is in one source to one target."""

    def __init__(
        self, source: Source, stores: Stores, target: str, overwrite: str, pool: Pool, watch: Watch, *, move: bool
    ) -> None:
        """Send to `target`, in the threads of `pool`, and count in `watch`; for a move, remember what was sent."""
        self._source, self._to, self._target, self._overwrite = source, stores.of(target), target, overwrite
        self._stores, self._pool, self._watch = stores, pool, watch
        self._from = Reading(stores.of(source.uri), source.uri)
        self._versions: dict[str, str] | None = {} if move else None

    def send(self) -> None:
        """Send everything; see `mercury_core.storage.copy`."""
        raise NotImplementedError

    def moved(self) -> Iterator[tuple[str, str]]:
        """What was copied, and what it was like when it was listed."""
        there = self._watch.crcs
        for name, version in (self._versions or {}).items():
            if name in there or name.endswith("/"):
                yield name, version

    def _do(self, items: Iterable[Item], task: Callable[[Item], bool]) -> None:
        """Have what is to do for each file given to the threads, while the source is still being listed.

        Args:
            items: The files.
            task: Gives one to them; False where there is nothing to do.
        """
        files = size = 0
        has_directories = isinstance(self._to, DirectoryStore)
        with self._pool as pool:
            for item in items:
                todo = task(item)
                is_made = item.is_mark and has_directories
                if self._versions is not None and (todo or is_made):
                    self._versions[item.name] = identity_of(item.info) or str(item.info.size)
                if not is_made:
                    files, size = files + 1, size + item.info.size
            self._watch.listed(files, size)
            pool.wait()

    def _add(self, task: Task) -> bool:
        self._pool.add(task)
        return True

    def _skips(self, item: Item, uri: str) -> bool:
        """Whether a file is left as it is, and count it then; a directory is none of those that may be."""
        skips = self._overwrite == "skip" and self._found(uri) is not None
        if skips:
            self._watch.skip(item.info.size)
        return skips

    def _found(self, uri: str) -> ObjectInfo | None:
        if is_root(uri):
            return None
        try:
            return self._to.stat(uri)
        except ObjectNotFoundError:
            return None


class DiskSender(Sender):
    """Sends to the local disk."""

    def send(self) -> None:
        """Send everything."""
        self._disk = ToDisk(self._from, self._pool, self._watch)
        single, replace = self._source.single, self._overwrite == "replace"
        if single is not None:
            if not self._skips(single, self._target):
                if self._overwrite == "skip" and os.path.isdir(local_path(self._target)):  # noqa: PTH112
                    raise StoreAccessError("write", self._target, "it is a directory", "Name a file in it.")
                self._do([single], lambda item: self._add(partial(self._send_one, item, self._target)))
        elif replace or not os.path.lexists(local_path(self._target)):
            self._stage(replace)
        elif self._overwrite == "skip":
            self._fill()
        else:
            raise ObjectExistsError(self._target)

    def _send_one(self, item: Item, uri: str) -> None:
        """Write one file to its own place."""
        journal = Journal(absolute(item.info.uri), RANGE)
        large = item.info.size > WHOLE
        try:
            with atomic_file(uri, self._overwrite == "replace", journal=journal if large else None) as beside:
                crc, resumed = self._disk.write(item, os.fspath(beside), uri, journal, fresh=False)
        except ObjectExistsError:
            if not self._skips(item, uri):  # somebody put it there since we looked
                raise
        else:
            self._watch.done(item.name, crc, 0, resumed=resumed)

    def _stage(self, replace: bool) -> None:
        """Write a whole tree beside its target."""
        names, journal = Names(self._target), Journal(absolute(self._source.uri), RANGE)
        with atomic_directory(self._target, overwrite=replace, journal=journal) as beside:
            root = os.fspath(beside)
            together = self._from.takes_many and not journal.resumed
            lanes = Lanes(
                self._pool, lambda todo, ahead: self._disk.write_many(todo, ahead, self._target, names, journal)
            )

            def task(item: Item) -> bool:
                make(item.name[:-1] if item.is_mark else item.name, folder=item.is_mark)
                if item.is_mark:
                    return False
                path = f"{root}/{item.name}"
                if together and item.info.size <= SMALL:
                    lanes.add((item, path))
                else:
                    self._pool.add(partial(self._write, item, path, names, journal))
                return True

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
            try:
                self._do(self._source.items(), task)
            finally:
                if self._pool.alive():
                    journal.abandon()
            if journal.resumed:
                clear(root, self._watch.crcs.keys(), names.folders())

    def _write(self, item: Item, path: str, names: Names, journal: Journal) -> None:
        try:
            crc, resumed = self._disk.write(item, path, join(self._target, item.name), journal, fresh=True)
        except ObjectExistsError:
            raise
        except FileExistsError:
            raise names.refuse(item.name) from None
        self._watch.done(item.name, crc, 0, resumed=resumed)

    def _fill(self) -> None:
        """Write into a directory that is there the files that it lacks."""
        names, root = Names(self._target), os.path.realpath(local_path(self._target))
        store = cast("DirectoryStore", self._to)
        if not os.path.isdir(root):  # noqa: PTH112
            raise StoreAccessError("write", self._target, "it is no directory, and the source is one", _NO_DIRECTORY)
        store.make_directory(self._target)
        files: set[str] = set()

        def make(name: str, *, folder: bool) -> None:
            for needed in names.check(name, folder=folder):
                if needed in files:
                    raise names.both(needed, name)
                uri = join(self._target, needed)
                store.make_directory(uri)
                if not is_below(os.path.realpath(local_path(uri)), root):
                    raise StoreAccessError("write", uri, "a symbolic link there leads out of the target", _LINK)

        def task(item: Item) -> bool:
            make(item.name[:-1] if item.is_mark else item.name, folder=item.is_mark)
            if item.is_mark:
                return False
            if item.name in names.folders():
                raise names.refuse(item.name)
            files.add(item.name)
            uri = join(self._target, item.name)
            if self._skips(item, uri):
                return False
            if os.path.islink(local_path(uri)):  # noqa: PTH114
                raise StoreAccessError("write", uri, "a symbolic link there leads nowhere", _LINK)
            return self._add(partial(self._send_one, item, uri))

        for folder in self._source.folders():
            make(folder, folder=True)
        self._do(self._source.items(), task)


class StoreSender(Sender):
    """Sends to any other store."""

    def send(self) -> None:
        """Send everything."""
        single = self._source.single
        small = single is not None and single.info.size <= WHOLE
        if not small:
            scheme = scheme_of(self._target)
            records.clean(self._to, lambda uri: scheme_of(uri) == scheme and self._stores.of(uri) is self._to)
        with records.Record(absolute(self._source.uri), self._target, kept=not small) as record:
            self._remote = ToStore(self._from, self._to, self._target, self._pool, self._watch, record)
            if single is None:
                self._send_tree(record)
            elif not self._skips(single, self._target):
                found = self._found(self._target) if record.begun and self._overwrite == "error" else None
                self._do([single], lambda item: self._add(self._task(item, self._target, found)))
            record.abort_uploads(self._to)

    def _send_tree(self, record: records.Record) -> None:
        if self._overwrite == "replace" and not name_of(self._target):
            todo = "Name something below it, or use overwrite='skip'."
            raise UriError(self._target, "everything in it would be replaced", todo)
        there = self._there(record)
        hides = self._overwrite == "replace" and self._found(self._target) is not None
        is_new = self._overwrite == "replace" and next(iter(self._to.list(self._target)), None) is None
        directories = self._to if isinstance(self._to, DirectoryStore) else None
        if directories is not None:
            for folder in ("", *self._source.folders()):
                directories.make_directory(join(self._target, folder) if folder else self._target)

        together, lanes = self._remote.takes_many, Lanes(self._pool, self._send_many)

        def task(item: Item) -> bool:
            if item.is_mark and directories is not None:
                directories.make_directory(join(self._target, item.name[:-1]))
                return False
            found = there.get(item.name)
            if found is not None and self._overwrite == "skip":
                self._watch.skip(item.info.size)
                return False
            uri = join(self._target, item.name)
            if together and found is None and item.info.size <= SMALL:
                lanes.add((item, uri))
            else:
                self._add(self._task(item, uri, found))
            return True

        self._do(self._source.items(), task)
        if self._overwrite == "replace" and not is_new:
            named, sent = namer(self._target), self._watch.crcs
            remove(self._to, (info.uri for info in self._to.list(self._target) if named(info.uri) not in sent))
        if hides:
            self._to.delete(self._target)  # an object of that very name, which would be read in place of the tree

    def _there(self, record: records.Record) -> dict[str, ObjectInfo]:
        """What is at the target, as far as it matters.

        Raises:
            ObjectExistsError: Something is, and no earlier copy of the same source was interrupted.
        """
        if self._overwrite == "replace" and not record.begun:
            return {}
        listing = iter(self._to.list(self._target))
        if self._overwrite == "error":
            itself = self._found(self._target)
            if record.busy or itself is not None:
                raise ObjectExistsError(self._target)
            if not record.begun and next(listing, None) is not None:
                raise ObjectExistsError(self._target)
        named = namer(self._target)
        return {named(info.uri): info for info in listing}

    def _task(self, item: Item, uri: str, found: ObjectInfo | None) -> Task:
        if found is not None:
            return partial(self._recognize, item, uri, found)
        return partial(self._send_one, item, uri)

    def _recognize(self, item: Item, uri: str, found: ObjectInfo) -> None:
        try:
            self._remote.recognize(item, uri, found)
        except ObjectExistsError:
            if self._overwrite != "replace":
                raise
            self._send_one(item, uri)

    def _send_many(self, todo: Iterator[tuple[Item, str]], ahead: int) -> None:
        with closing(self._remote.send_many(todo, ahead, overwrite=self._overwrite == "replace")) as refused:
            for item, uri in refused:
                if not self._skips(item, uri):  # somebody put it there since we looked
                    raise ObjectExistsError(uri)

    def _send_one(self, item: Item, uri: str) -> None:
        try:
            self._remote.send(item, uri, overwrite=self._overwrite == "replace")
        except ObjectExistsError:
            if not self._skips(item, uri):  # somebody put it there since we looked
                raise


def remove(store: Store, uris: Iterable[str]) -> None:
    """Remove objects, as many at a time as the store can."""
    if isinstance(store, ManyDeletingStore):
        store.delete_many(uris)
    else:
        for uri in uris:
            store.delete(uri)


def absolute(uri: str) -> str:
    """What names the same place in any process, wherever that runs."""
    return uri if is_remote(uri) else os.path.realpath(local_path(uri))


def is_below(path: str, root: str) -> bool:
    """Whether a path is a directory or anything in it; both are real ones."""
    return path == root or path.startswith(os.path.join(root, ""))  # noqa: PTH118

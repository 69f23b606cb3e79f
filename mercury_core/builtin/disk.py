"""The local disk as a store."""

from __future__ import annotations

import os

from mercury_core.storage.uri import join, local_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

    from mercury_core.contracts import ObjectInfo
    from mercury_core.errors import MercuryError

# Nearly everything is imported where it is used, since every process that copies or looks up a store loads this module.
_BLOCK = 1 << 20


class FileStore:
    """Files on a local disk, by path or ``file:`` URI.

    Objects are regular files. Symbolic links are followed: one that leads to a file is that file, one that leads to a
    directory is that directory; links in a circle, or to nothing, are an error of `list`. Temporary files of writers
    are not listed.

    Attributes:
        conditional_put: Of many writers of a new file, one succeeds.
    """

    conditional_put = True

    def stat(self, uri: str) -> ObjectInfo:
        """One file; see `mercury_core.contracts.Store.stat`.

        Raises:
            ObjectNotFoundError: Nothing is there, or a directory.
            StoreAccessError: No permission; or it is neither a file nor a directory.
        """
        from stat import S_ISDIR

        from mercury_core.errors import ObjectNotFoundError

        try:
            found = os.stat(local_path(uri))  # noqa: PTH116 — without pathlib
        except OSError as error:
            raise _refusal(error, "read", uri) from error
        if S_ISDIR(found.st_mode):
            raise ObjectNotFoundError(uri)
        return _info(uri, found)

    def list(self, uri: str) -> Iterator[ObjectInfo]:
        """Every file below a directory, ordered by the bytes of its name; see `mercury_core.contracts.Store.list`.

        Raises:
            StoreAccessError: A directory that may not be read; links in a circle or to nothing; a thing that is neither
                file nor directory.
        """
        for name, found in _walk(uri):
            if found is not None:
                yield _info(join(uri, name), found)

    def level(self, uri: str) -> Iterator[ObjectInfo | str]:
        """What is directly in a directory; see `mercury_core.contracts.LevelStore`.

        Raises:
            StoreAccessError: As `list`.
        """
        if not os.path.isdir(root := local_path(uri)):  # noqa: PTH112
            return
        for name, path, is_directory in _entries(root, "", uri):
            if is_directory:
                yield join(uri, f"{name}/")
            elif (found := _stat(path, join(uri, name))) is not None:
                yield _info(join(uri, name), found)

    def check(self, uri: str, *, write: bool = False) -> None:
        """Raise what stands against reading, or writing, there; see `mercury_core.contracts.ReachableStore`.

        Raises:
            StoreAccessError: No permission, or a file is in the way.
        """
        from errno import EACCES, ENOTDIR

        path = os.path.abspath(local_path(uri))  # noqa: PTH100
        there = path
        while not os.path.lexists(there) and os.path.dirname(there) != there:  # noqa: PTH120
            there = os.path.dirname(there)  # noqa: PTH120
        code = None
        if there != path and not os.path.isdir(there):  # noqa: PTH112
            code = ENOTDIR if write else None
        elif not os.access(there, (os.W_OK if write else os.R_OK) | (os.X_OK if os.path.isdir(there) else 0)):  # noqa: PTH112
            code = EACCES
        if code is not None:
            raise _refusal(OSError(code, os.strerror(code)), "write" if write else "read", uri)

    def directories(self, uri: str) -> Iterator[str]:
        """The directory itself and every one below; see `mercury_core.contracts.DirectoryStore`."""
        if os.path.isdir(local_path(uri)):  # noqa: PTH112
            yield uri
            for name, found in _walk(uri, files=False):
                if found is None:
                    yield join(uri, name)

    def make_directory(self, uri: str) -> None:
        """Make a directory and those above it.

        Raises:
            StoreAccessError: No permission, or a file is in the way.
        """
        try:
            os.makedirs(local_path(uri), exist_ok=True)  # noqa: PTH103
        except OSError as error:
            raise _refusal(error, "write", uri) from error

    def remove_directory(self, uri: str) -> None:
        """Remove a directory if nothing is in it."""
        from errno import EEXIST, ENOENT, ENOTEMPTY

        try:
            os.rmdir(local_path(uri))  # noqa: PTH106
        except OSError as error:
            if error.errno not in (ENOTEMPTY, EEXIST, ENOENT):
                raise _refusal(error, "delete", uri) from error

    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> BinaryIO:
        """Read the bytes from `start` up to `end`.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ObjectChangedError: It was replaced, or written to.
            StoreAccessError: It may not be read, or is a directory.
        """
        try:
            file = open(local_path(uri), "rb")  # noqa: SIM115 — the caller closes it
            changed = version is not None and _version(os.fstat(file.fileno())) != version
            if start:
                file.seek(start)
        except OSError as error:
            raise _refusal(error, "read", uri) from error
        if changed:
            from mercury_core.errors import ObjectChangedError

            file.close()
            raise ObjectChangedError(uri)
        if end is None:
            return file
        from mercury_core.storage.streams import up_to

        return up_to(file, max(end - start, 0))

    def put(self, uri: str, data: BinaryIO, *, overwrite: bool = False) -> ObjectInfo:
        """Write a file whole; see `mercury_core.contracts.Store.put`.

        Raises:
            ObjectExistsError: Something is there, and `overwrite` is False.
            StoreAccessError: No permission, no space, or a directory is there.
        """
        from shutil import copyfileobj

        from mercury_core.storage.atomic import atomic_file

        with atomic_file(uri, overwrite=overwrite) as beside:
            with beside.open("wb") as file:
                copyfileobj(data, file, _BLOCK)
            found = beside.stat()
        return _info(uri, found)

    def get(self, uri: str, path: Path) -> None:
        """Write a file to another path, whole or not at all.

        Raises:
            ObjectNotFoundError: Nothing is there.
            StoreAccessError: No permission, no space.
        """
        with self.open(uri) as data:
            self.put(os.fspath(path), data, overwrite=True)

    def delete(self, uri: str) -> None:
        """Remove a file; of a symbolic link, the link.

        Raises:
            StoreAccessError: No permission, or it is a directory.
        """
        from mercury_core.errors import ObjectNotFoundError

        try:
            os.unlink(local_path(uri))  # noqa: PTH108
        except OSError as error:
            refused = _refusal(error, "delete", uri)
            if not isinstance(refused, ObjectNotFoundError):
                raise refused from error


def _refusal(error: OSError, action: str, uri: str) -> MercuryError:
    from mercury_core.storage.refusals import refusal

    return refusal(error, action, uri)


def _info(uri: str, found: os.stat_result) -> ObjectInfo:
    from stat import S_ISREG

    from mercury_core.contracts import ObjectInfo
    from mercury_core.errors import StoreAccessError

    if not S_ISREG(found.st_mode):
        # A pipe would be waited for, for ever.
        raise StoreAccessError("read", uri, "it is neither a file nor a directory", "Take it out.")
    return ObjectInfo(uri, found.st_size, found.st_mtime, _version(found))


def _version(found: os.stat_result) -> str:
    return f"{found.st_mtime_ns:x}-{found.st_size:x}-{found.st_ino:x}"


def _walk(uri: str, *, files: bool = True) -> Iterator[tuple[str, os.stat_result | None]]:
    """What is below a directory: relative names, with None for a directory, in the order that the whole names have."""
    from mercury_core.errors import StoreAccessError

    root = local_path(uri)
    above = [_identity(root)] if os.path.isdir(root) else []  # noqa: PTH112
    waiting = [_entries(root, "", uri)] if above else []
    while waiting:
        entry = next(waiting[-1], None)
        if entry is None:
            waiting.pop()
            above.pop()
            continue
        name, path, is_directory = entry
        found = _stat(path, join(uri, name)) if files or is_directory else None
        if found is None:
            continue
        if not is_directory:
            yield name, found
            continue
        if (found.st_dev, found.st_ino) in above:
            todo = "Remove the link."
            raise StoreAccessError("read", join(uri, name), "the symbolic link leads to a directory above it", todo)
        yield name, None
        above.append((found.st_dev, found.st_ino))
        waiting.append(_entries(path, f"{name}/", uri))


def _stat(path: str, uri: str) -> os.stat_result | None:
    """What the system says of a listed file; None where it is gone since."""
    from mercury_core.errors import StoreAccessError

    try:
        return os.stat(path)  # noqa: PTH116
    except FileNotFoundError:
        if os.path.islink(path):  # noqa: PTH114
            raise StoreAccessError(
                "read", uri, "the symbolic link leads nowhere", "Mend the link or remove it."
            ) from None
        return None
    except OSError as error:
        raise _refusal(error, "read", uri) from error


def _identity(path: str) -> tuple[int, int]:
    found = os.stat(path)  # noqa: PTH116
    return found.st_dev, found.st_ino


def _entries(path: str, prefix: str, uri: str) -> Iterator[tuple[str, str, bool]]:
    """What is in a directory, in order: names below `uri`, paths, and whether each is a directory."""
    from mercury_core.storage.slots import PREFIX

    try:
        with os.scandir(path) as entries:
            found = [entry for entry in entries if not entry.name.startswith(PREFIX)]
    except OSError as error:
        raise _refusal(error, "list", join(uri, prefix)) from error
    named = []
    for entry in found:
        name = entry.name
        try:
            is_directory = entry.is_dir()
        except OSError as error:
            raise _refusal(error, "read", join(uri, prefix + name)) from error
        # A directory sorts as its children will: with the slash.
        named.append((os.fsencode(f"{name}/" if is_directory else name), name, is_directory))
    named.sort()
    return ((prefix + name, f"{path}{os.sep}{name}", is_directory) for _, name, is_directory in named)

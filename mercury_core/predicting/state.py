"""What an interrupted run leaves, so that the next one of the same model and source goes on behind it.

In the user's cache directory lies a directory a run, named by a hash of all that its predictions hang on: the manifest
of the model, the versions of the packages, the source with its size and time (or its version, in a store), the reader
with its parameters. So nothing of another run is ever mixed in. It holds a file a piece, each written whole or not at
all, and is removed when the target is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from shutil import rmtree

from mercury_core.discovery import cache_directory
from mercury_core.errors import ObjectNotFoundError, StoreAccessError
from mercury_core.reading import is_served
from mercury_core.storage import slots
from mercury_core.storage.atomic import atomic_file, is_temporary
from mercury_core.storage.plan import identity_of
from mercury_core.storage.uri import is_remote, to_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import pyarrow as pa

    from mercury_core.storage import Stores

# In seconds; what was interrupted longer ago is given up.
_ABANDONED = 7 * 24 * 3600


def identity_of_source(source: str, stores: Stores) -> list[list[Any]] | None:
    """What is another value when a source changed.

    Returns:
        The files or objects that it is; None of what is only a name to its reader, or of a store that does not tell.
    """
    if not is_remote(source):
        return _on_disk(source)
    if not is_served(source):
        return None
    store = stores.of(source)
    try:
        infos = [store.stat(source)] if not source.endswith("/") else list(store.list(source))
    except ObjectNotFoundError:
        infos = list(store.list(source))
    found: list[list[Any]] = [[info.uri, identity_of(info)] for info in infos]
    return found if found and all(identity is not None for _, identity in found) else None


def _on_disk(source: str) -> list[list[Any]] | None:
    try:
        path = to_path(source).resolve()
        files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
        stats = [(file, file.stat()) for file in files]
    except (OSError, ValueError):  # a reader may take names that are no paths at all
        return None
    return [[os.fspath(file), stat.st_size, stat.st_mtime_ns, stat.st_ino] for file, stat in stats] or None


def key_of(run: Any) -> str | None:
    """The name of a run.

    Args:
        run: All that its predictions hang on.

    Returns:
        A hash; None where something of it has no certain text.
    """
    try:
        return hashlib.sha256(json.dumps(run, sort_keys=True).encode()).hexdigest()
    except TypeError:
        return None


class State:
    """The pieces of one run that are done.

    Attributes:
        rows: How many each of them has.
    """

    def __init__(self, key: str | None) -> None:
        """Take up what is there; nothing is made yet.

        Args:
            key: The name of the run; None for one that cannot be resumed.
        """
        self._path = Path(cache_directory(), "predictions", key or "none")
        self._is_kept = key is not None
        self._lock: int | None = None
        self.rows: list[int] = []
        if self._is_kept and self._path.is_dir() and self._own():
            while (there := self._rows_of(len(self.rows))) is not None:
                self.rows.append(there)

    def piece(self, number: int) -> pa.Table:
        """Read one that is done."""
        import pyarrow as pa
        from pyarrow import ipc

        with ipc.open_stream(pa.memory_map(os.fspath(self._file(number)))) as reader:
            return reader.read_all()

    def add(self, table: pa.Table) -> None:
        """Keep the next one; where that cannot be, the run goes on and can only be begun anew."""
        import pyarrow as pa
        from pyarrow import ipc

        if self._lock is None and not self._begin():
            return
        try:
            with (
                atomic_file(self._file(len(self.rows))) as beside,
                pa.OSFile(os.fspath(beside), "wb") as file,
                ipc.new_stream(file, table.schema) as writer,
            ):
                writer.write_table(table)
        except StoreAccessError:  # a full disk, say, of which the target may need what is left
            self.remove()
            self._is_kept = False
            return
        self.rows.append(table.num_rows)

    def remove(self) -> None:
        """Forget the run."""
        if self._lock is not None:
            rmtree(self._path, ignore_errors=True)
        self.close()

    def close(self) -> None:
        """Let another process go on with it."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _file(self, number: int) -> Path:
        return self._path / f"{number:06}.arrow"

    def _rows_of(self, number: int) -> int | None:
        """How many rows a piece has; None where it is not there, or is damaged."""
        import pyarrow as pa

        try:
            rows: int = self.piece(number).num_rows
        except (FileNotFoundError, pa.ArrowInvalid):
            return None
        return rows

    def _begin(self) -> bool:
        """Make the directory; whether it is now this process's."""
        if not self._is_kept:
            return False
        try:
            # Predictions may be as private as what they are made of.
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError:
            self._is_kept = False
            return False
        _tidy(self._path.parent, keep=self._path)
        return self._own()

    def _own(self) -> bool:
        """Take the directory; another process that is at the same run keeps it, and this one does without."""
        self._lock = _locked(self._path)
        self._is_kept = self._lock is not None
        return self._lock is not None


def _locked(path: Path) -> int | None:
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError:  # gone by now; or Windows, which opens no directories
        return None
    if slots.lock(handle, path):
        return handle
    os.close(handle)
    return None


def _tidy(root: Path, keep: Path) -> None:
    """Remove what was abandoned."""
    for path in root.iterdir():
        if path == keep or is_temporary(path.name):
            continue
        try:
            old = time.time() - path.stat().st_mtime > _ABANDONED
        except FileNotFoundError:  # another process tidies as well
            continue
        if old and (lock := _locked(path)) is not None:
            rmtree(path, ignore_errors=True)
            os.close(lock)

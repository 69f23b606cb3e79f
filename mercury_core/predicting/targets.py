"""Where predictions are written, part after part: a file, or a directory with a file a part; here or in a store."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from mercury_core import registry
from mercury_core.errors import StoreAccessError, UnknownEndingError
from mercury_core.storage import copy
from mercury_core.storage.atomic import atomic_directory, sha256_of
from mercury_core.storage.uri import is_remote, join, name_of, relative_name, to_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager
    from typing import Any

    import pyarrow as pa

    from mercury_core.storage import Stores

    Write = Callable[[pa.Table], None]

#: What the ending of a file says: the key of the format that writes it, and how.
FORMATS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    ".parquet": ("parquet", {}),
    ".csv": ("csv", {}),
    ".json": ("json", {}),
    ".jsonl": ("json", {"lines": True}),
}
#: The file of a directory of predictions that says what else is in it; it is written last.
MANIFEST = "predictions.json"
_FORMAT_VERSION = 1
_OURS = re.compile(rf"part-\d{{5,}}({'|'.join(map(re.escape, FORMATS))})|{re.escape(MANIFEST)}")


def opener(target: str | Path, stores: Stores) -> Callable[[], AbstractContextManager[Write]]:
    """What begins a target, which is there when the block ends, and is what it was where that raises.

    Args:
        target: A path or a URI with an ending of `FORMATS`; or a directory, which ends in ``/``: its files are Parquet,
            unless its own name has such an ending.
        stores: Those of a target elsewhere.

    Raises:
        UnknownEndingError: Another ending.
    """
    name = str(target)
    directory = name.endswith("/")
    ending = PurePath(name_of(target)).suffix.lower()
    if directory and ending not in FORMATS:
        ending = ".parquet"
    if ending not in FORMATS:
        raise UnknownEndingError(name, list(FORMATS))
    if directory:
        return lambda: (_stored_directory if is_remote(target) else _directory)(name, ending, stores)
    return lambda: _stored_file(name, ending, stores) if is_remote(target) else _file(to_path(target), ending)


def _file(path: Path, ending: str) -> AbstractContextManager[Write]:
    key, how = FORMATS[ending]
    writer: Any = registry.resolve("save", key)
    begun: AbstractContextManager[Write] = writer.writing(path, **how)
    return begun


@contextmanager
def _stored_file(uri: str, ending: str, stores: Stores) -> Iterator[Write]:
    with TemporaryDirectory(prefix="mercury-") as here:
        path = Path(here, f"predictions{ending}")
        with _file(path, ending) as write:
            yield write
        copy(path, uri, overwrite="replace", stores=stores)


@contextmanager
def _directory(name: str, ending: str, _: Stores) -> Iterator[Write]:
    path = to_path(name)
    if path.is_dir():
        _check_ours(name, (one.name for one in path.iterdir()))
    elif path.exists():
        raise StoreAccessError("replace", name, "it is a file", "Choose another place, or leave the '/' out.")
    with atomic_directory(path, overwrite=True) as work:
        parts = _Parts(work, ending)
        yield parts.write
        _write_manifest(work / MANIFEST, parts.manifest)


@contextmanager
def _stored_directory(uri: str, ending: str, stores: Stores) -> Iterator[Write]:
    """A store knows no directory that appears at once: the manifest goes first of the old and comes last of the new."""
    store = stores.of(uri)
    there = {relative_name(info.uri, uri): info.uri for info in store.list(uri)}
    _check_ours(uri, there)
    with TemporaryDirectory(prefix="mercury-") as here:
        work = Path(here, "parts")
        work.mkdir()
        parts = _Parts(work, ending)
        yield parts.write
        for old in sorted(there, key=lambda name: name != MANIFEST):
            store.delete(there[old])
        copy(work, uri.rstrip("/"), overwrite="replace", stores=stores)
        manifest = Path(here, MANIFEST)
        _write_manifest(manifest, parts.manifest)
        copy(manifest, join(uri, MANIFEST), overwrite="replace", stores=stores)


class _Parts:
    """Writes the files of a directory."""

    def __init__(self, directory: Path, ending: str) -> None:
        self._directory, self._ending = directory, ending
        self.manifest: dict[str, Any] = {"format_version": _FORMAT_VERSION, "rows": 0, "columns": [], "parts": []}

    def write(self, table: pa.Table) -> None:
        """Write the next one."""
        path = self._directory / f"part-{len(self.manifest['parts']):05}{self._ending}"
        with _file(path, self._ending) as write:
            write(table)
        self.manifest["columns"] = table.column_names
        self.manifest["rows"] += table.num_rows
        self.manifest["parts"].append(
            {"path": path.name, "rows": table.num_rows, "size": path.stat().st_size, "sha256": sha256_of(path)}
        )


def _write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    writer: Any = registry.resolve("save", "json")
    writer.write(manifest, path)


def _check_ours(target: str, names: Iterable[str]) -> None:
    """A directory is replaced as a whole, so it must hold nothing but predictions."""
    if other := sorted(name for name in names if name and not _OURS.fullmatch(name)):
        why = f"it holds {other[0]!r}, which is no part of predictions, and it would be replaced as a whole"
        raise StoreAccessError("replace", target, why, "Choose another place.")

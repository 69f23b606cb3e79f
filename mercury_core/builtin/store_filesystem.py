"""A store as a file system of Arrow's, for reading: what `pyarrow.dataset` needs of it, and no more."""

from __future__ import annotations

from mercury_core.errors import ObjectNotFoundError
from mercury_core.storage.seekable import StoredFile
from mercury_core.storage.uri import scheme_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa
    from pyarrow import fs

    from mercury_core.contracts import ObjectInfo, Store


def file_system(store: Store, uri: str) -> tuple[fs.PyFileSystem, str]:
    """The file system that a store is, and the path in it that a URI is."""
    from pyarrow import fs

    fs.FileSystemHandler.register(_Handler)  # what it has not, only writers ask for
    return fs.PyFileSystem(_Handler(store, scheme_of(uri))), uri.partition("://")[2].rstrip("/")


class _Handler:
    """What `pyarrow.fs.FileSystemHandler` describes. Paths are URIs without their scheme."""

    def __init__(self, store: Store, scheme: str) -> None:
        self._store, self._scheme = store, scheme
        self._known: dict[str, ObjectInfo] = {}

    def get_type_name(self) -> str:
        return f"mercury+{self._scheme}"

    def normalize_path(self, path: str) -> str:
        return path

    def get_file_info(self, paths: Iterable[str]) -> list[fs.FileInfo]:
        return [self._info(path) for path in paths]

    def get_file_info_selector(self, selector: fs.FileSelector) -> list[fs.FileInfo]:
        from pyarrow import fs

        found = []
        for info in self._store.list(self._uri(selector.base_dir)):
            path = info.uri.partition("://")[2]
            if not path.endswith("/"):  # the mark of an empty directory
                self._known[path] = info
                found.append(fs.FileInfo(path, fs.FileType.File, size=info.size))
        return found

    def open_input_file(self, path: str) -> pa.PythonFile:
        import pyarrow as pa

        info = self._known.get(path) or self._store.stat(self._uri(path))
        return pa.PythonFile(StoredFile(self._store, info), mode="r")

    def open_input_stream(self, path: str) -> pa.PythonFile:
        return self.open_input_file(path)

    def _info(self, path: str) -> fs.FileInfo:
        from pyarrow import fs

        try:
            info = self._known[path] = self._store.stat(self._uri(path))
        except ObjectNotFoundError:
            below = next(iter(self._store.list(self._uri(path))), None)
            return fs.FileInfo(path, fs.FileType.NotFound if below is None else fs.FileType.Directory)
        return fs.FileInfo(path, fs.FileType.File, size=info.size)

    def _uri(self, path: str) -> str:
        return f"{self._scheme}://{path}"

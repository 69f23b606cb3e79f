"""The reader `arrow`: IPC files (Feather) and streams."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003  (parameters are checked against these hints)
from pathlib import Path  # noqa: TC003

from mercury_core.builtin.sources import batched, chosen, local, reading, reading_on, stored
from mercury_core.contracts import Store  # noqa: TC001
from mercury_core.errors import ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pyarrow as pa
    from pyarrow import ipc


class ArrowReader:
    """Reads an Arrow IPC file, which is Feather version 2, or an IPC stream into an Arrow table."""

    def __call__(
        self,
        source: str | Path,
        *,
        columns: Sequence[str] | None = None,
        memory_map: bool = False,
        store: Store | None = None,
    ) -> pa.Table:
        """Read.

        Args:
            source: A path or a URI.
            columns: The columns to read, in this order; all by default.
            memory_map: Whether the table may lie in the mapped file, which then must not change while the table lives.
            store: The store of a source elsewhere; of a file, no more than the columns is fetched.

        Returns:
            The columns asked for.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ReadError: Not such a file, or a truncated one.
            MissingColumnsError: A column is not there.
        """
        from pyarrow import ipc

        name, opened = str(source), _opener(source, memory_map, store)

        def read() -> pa.Table:
            with opened(None) as reader:
                names = reader.schema.names
            wanted = chosen(name, columns, names)
            options = ipc.IpcReadOptions(included_fields=sorted(names.index(one) for one in wanted))
            with opened(options) as reader:
                return reader.read_all().select(wanted)

        return _reading(name, read)

    def schema(
        self,
        source: str | Path,
        *,
        columns: Sequence[str] | None = None,
        memory_map: bool = False,
        store: Store | None = None,
    ) -> pa.Schema:
        """Names and types, from the head of the file.

        Args:
            source: As for reading.
            columns: As for reading.
            memory_map: As for reading.
            store: As for reading.

        Raises:
            The same as for reading.
        """
        import pyarrow as pa

        name, opened = str(source), _opener(source, memory_map, store)

        def read() -> pa.Schema:
            with opened(None) as reader:
                return pa.schema([reader.schema.field(one) for one in chosen(name, columns, reader.schema.names)])

        return _reading(name, read)

    def batches(
        self,
        source: str | Path,
        *,
        rows: int,
        skip: int = 0,
        columns: Sequence[str] | None = None,
        memory_map: bool = False,
        store: Store | None = None,
    ) -> Iterator[pa.Table]:
        """Read piece by piece; no more than one batch of the file is held beside them.

        Args:
            source: As for reading.
            rows: How many a table holds; the last one may hold fewer.
            skip: Rows to leave out at the start.
            columns: As for reading.
            memory_map: As for reading.
            store: As for reading.

        Raises:
            The same as for reading.
        """
        from pyarrow import ipc

        name, opened = str(source), _opener(source, memory_map, store)

        def tables() -> Iterator[pa.Table]:
            import pyarrow as pa

            with opened(None) as reader:
                schema = reader.schema
            wanted = chosen(name, columns, schema.names)
            yield schema.empty_table().select(wanted)
            options = ipc.IpcReadOptions(included_fields=sorted(schema.names.index(one) for one in wanted))
            with opened(options) as reader:
                is_file = isinstance(reader, ipc.RecordBatchFileReader)
                there = map(reader.get_batch, range(reader.num_record_batches)) if is_file else reader
                for batch in there:
                    yield pa.Table.from_batches([batch]).select(wanted)

        return reading_on(batched(tables(), rows, skip), lambda read: _reading(name, read))


def _reading(name: str, read: Callable[[], pa.Table]) -> pa.Table:
    return reading(name, "an Arrow IPC file or stream", "Name the reader that fits it, or write it again.", read)


def _opener(
    source: str | Path, memory_map: bool, store: Store | None
) -> Callable[[ipc.IpcReadOptions | None], ipc.RecordBatchFileReader | ipc.RecordBatchStreamReader]:
    """What opens a source as often as it is needed."""
    name = str(source)
    if store is None:
        path = local(source)

        def file() -> pa.NativeFile:
            import pyarrow as pa

            return pa.memory_map(str(path)) if memory_map else pa.OSFile(str(path))
    else:
        from mercury_core.storage.seekable import StoredFile

        first = StoredFile(store, stored(store, name))

        def file() -> pa.NativeFile:
            import pyarrow as pa

            return pa.PythonFile(first.again(), mode="r")

    def opened(options: ipc.IpcReadOptions | None) -> ipc.RecordBatchFileReader | ipc.RecordBatchStreamReader:
        from pyarrow import ipc

        content = file()
        magic = content.read(6)
        content.seek(0)
        if magic.startswith(b"FEA1"):
            raise ReadError(name, "it is Feather version 1", "Write it again as version 2, or as Parquet.")
        return (ipc.open_file if magic == b"ARROW1" else ipc.open_stream)(content, options=options)

    return opened

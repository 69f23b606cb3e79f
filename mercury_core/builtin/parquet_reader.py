"""The reader `parquet`."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003  (parameters are checked against these hints)
from functools import partial
from pathlib import Path  # noqa: TC003
from typing import Any

from mercury_core.builtin.sources import chosen, local, reading, reading_on, stored_or_directory
from mercury_core.contracts import Store  # noqa: TC001
from mercury_core.errors import ArgumentsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from pyarrow import fs, parquet

_WHAT = "a Parquet file"
_TODO = "Name the reader that fits it, or write it again."


class ParquetReader:
    """Reads a Parquet file, or a directory of them, into an Arrow table.

    Float64 columns of a file lie side by side in memory, so that ``to("numpy")`` of neighbours copies nothing. A
    directory, and filters, go through ``pyarrow.dataset``.
    """

    def __call__(
        self,
        source: str | Path,
        *,
        columns: Sequence[str] | None = None,
        row_groups: Sequence[int] | None = None,
        filters: Sequence[Any] | None = None,
        partitioning: str | None = "hive",
        dictionary_columns: Sequence[str] | None = None,
        memory_map: bool = False,
        store: Store | None = None,
    ) -> pa.Table:
        """Read.

        Args:
            source: A path or a URI, of a file or of a directory of files with one schema.
            columns: The columns to read, in this order; all by default.
            row_groups: The row groups of a file to read, by number; all by default.
            filters: Rows to keep: ``[[column, operator, value], ...]``, all of which must hold, with one of
                ``= == != < > <= >= in "not in"``; or a list of such lists, one of which must hold.
            partitioning: How the names of directories hold columns: ``hive`` (``year=2024``), or None for not at all.
            dictionary_columns: Text columns to read as categories.
            memory_map: Whether to map a local file rather than to read it.
            store: The store of a source elsewhere, of which the footer is fetched, and then what has to be of it.

        Returns:
            The columns asked for.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ReadError: Not a Parquet file, or a truncated one.
            MissingColumnsError: A column is not there.
            ArgumentsError: A row group that is not there, or filters of another form.
        """
        name = str(source)
        options: dict[str, Any] = {"read_dictionary": list(dictionary_columns or ()) or None}
        if store is not None:
            return _of_store(store, name, columns, filters, partitioning, row_groups, options)
        file = local(source, directory=True)
        options["memory_map"] = memory_map
        if file.is_dir() or filters is not None:
            return _by_data_set(file, name, columns, filters, partitioning, row_groups, options)
        return reading(name, _WHAT, _TODO, lambda: _of_file(file, name, columns, row_groups, options))

    def schema(
        self,
        source: str | Path,
        *,
        columns: Sequence[str] | None = None,
        store: Store | None = None,
        **params: Any,
    ) -> pa.Schema:
        """Names and types, from the footer.

        Args:
            source: As for reading.
            columns: As for reading.
            store: As for reading.
            **params: As for reading.

        Raises:
            The same as for reading.
        """
        import pyarrow as pa

        name, partitioning = str(source), params.get("partitioning", "hive")
        path = local(source, directory=True) if store is None else None

        def read() -> pa.Schema:
            there = _remote_schema(store, name, partitioning) if store else _local_schema(path, partitioning)
            return pa.schema([there.field(one) for one in chosen(name, columns, there.names)])

        return reading(name, _WHAT, _TODO, read)

    def batches(
        self,
        source: str | Path,
        *,
        rows: int,
        skip: int = 0,
        columns: Sequence[str] | None = None,
        store: Store | None = None,
        **params: Any,
    ) -> Iterator[pa.Table]:
        """Read piece by piece, in bounded memory.

        Args:
            source: As for reading.
            rows: How many a table holds; the last one may hold fewer.
            skip: Rows to leave out at the start; row groups of a file that hold nothing else are not read.
            columns: As for reading.
            store: As for reading.
            **params: As for reading.

        Raises:
            The same as for reading.
        """
        from mercury_core.builtin import parquet_batches, parquet_remote
        from mercury_core.storage.seekable import StoredFile

        name, filters, asked = str(source), params.get("filters"), params.get("row_groups")
        partitioning = params.get("partitioning", "hive")
        options: dict[str, Any] = {"read_dictionary": list(params.get("dictionary_columns") or ()) or None}
        info = stored_or_directory(store, name) if store is not None else None
        path = local(source, directory=True) if store is None else None
        if path is not None:
            options["memory_map"] = params.get("memory_map", False)
        else:
            options["page_checksum_verification"] = True

        def begun() -> Iterator[pa.Table]:
            if filters is not None or (info is None and (path is None or path.is_dir())):
                place: Any = path
                if store is not None:
                    from mercury_core.builtin import store_filesystem

                    options["filesystem"], place = store_filesystem.file_system(store, name)
                data, wanted = _data_set(place, name, columns, filters, partitioning, asked, options)
                yield from parquet_batches.of_data_set(data, wanted, _where(filters), rows, skip)
                return
            if store is not None and info is not None:
                file = parquet_remote.opened(StoredFile(store, info), pre_buffer=True, **options)
            else:
                file = parquet_batches.opened(path, **options)
            groups = partial(_groups, asked)
            yield from parquet_batches.of_file(file, name, columns, groups, rows, skip, by_group=store is not None)

        return reading_on(begun(), lambda read: reading(name, _WHAT, _TODO, read))


def _local_schema(path: Path | None, partitioning: str | None) -> pa.Schema:
    from pyarrow import parquet

    return _schema_of_directory(path, partitioning) if path and path.is_dir() else parquet.read_schema(path)


def _remote_schema(store: Store, uri: str, partitioning: str | None) -> pa.Schema:
    from mercury_core.builtin import parquet_remote, store_filesystem
    from mercury_core.storage.seekable import StoredFile

    if (info := stored_or_directory(store, uri)) is None:
        system, path = store_filesystem.file_system(store, uri)
        return _schema_of_directory(path, partitioning, system)
    with parquet_remote.opened(StoredFile(store, info)) as file:
        return file.schema_arrow


def _of_store(
    store: Store,
    uri: str,
    columns: Sequence[str] | None,
    filters: Sequence[Any] | None,
    partitioning: str | None,
    row_groups: Sequence[int] | None,
    options: dict[str, Any],
) -> pa.Table:
    from mercury_core.builtin import parquet_remote, store_filesystem

    # Of ranges no checksum of the object tells anything; those that a writer gave to pages do.
    options["page_checksum_verification"] = True
    info = stored_or_directory(store, uri)
    if info is None or filters is not None:
        options["filesystem"], path = store_filesystem.file_system(store, uri)
        return _by_data_set(path, uri, columns, filters, partitioning, row_groups, options)
    groups = partial(_groups, row_groups)
    return reading(uri, _WHAT, _TODO, lambda: parquet_remote.read(store, info, columns, groups, **options))


def _of_file(
    path: Path, name: str, columns: Sequence[str] | None, row_groups: Sequence[int] | None, options: Mapping[str, Any]
) -> pa.Table:
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetFile(path, **options) as file:
        schema = file.schema_arrow
        wanted = chosen(name, columns, schema.names)
        groups = _groups(row_groups, file.num_row_groups)
        floats = [one for one in wanted if schema.field(one).type == "double"]
        rest = [one for one in wanted if schema.field(one).type != "double"]
        # A name with a dot would be taken for a path into a nested column.
        if len(floats) < 2 or any("." in one for one in schema.names):
            return file.read_row_groups(groups, columns=wanted).select(wanted)
        arrays = dict(zip(floats, _side_by_side(path, file, floats, groups, options), strict=True))
        table = file.read_row_groups(groups, columns=rest)
        kinds = schema.remove_metadata()
        return pa.table(
            [arrays[one] if one in arrays else table.column(one) for one in wanted],
            schema=pa.schema([table.schema.field(one) if one in rest else kinds.field(one) for one in wanted]),
        )


def _groups(asked: Sequence[int] | None, there: int) -> list[int]:
    if asked is None:
        return list(range(there))
    wrong = [number for number in asked if not 0 <= number < there]
    if wrong:
        message = f"row_groups: there is no row group {wrong[0]}; the file has {there}, numbered from 0."
        raise ArgumentsError("read", "parquet", [message])
    return list(asked)


def _side_by_side(
    path: Path, file: parquet.ParquetFile, floats: Sequence[str], groups: Sequence[int], options: Mapping[str, Any]
) -> list[pa.DoubleArray]:
    """Float64 columns, read one at a time by each thread straight to their places."""
    import threading
    from concurrent.futures import ThreadPoolExecutor

    import pyarrow as pa
    from pyarrow import parquet

    from mercury_core.data.matrix import SideBySide

    starts, rows = {}, 0
    for place, group in enumerate(groups):
        starts[place], rows = rows, rows + file.metadata.row_group(group).num_rows
    matrix, own = SideBySide(len(floats), rows), threading.local()

    def fill(column: int) -> None:
        # A file object serves one thread; the footer is read once.
        if not hasattr(own, "file"):
            own.file = parquet.ParquetFile(path, metadata=file.metadata, **options)
        for place, group in enumerate(groups):
            row = starts[place]
            table = own.file.read_row_group(group, columns=[floats[column]], use_threads=False)
            for chunk in table.column(0).chunks:
                matrix.put(column, row, chunk)
                row += len(chunk)

    with ThreadPoolExecutor(min(pa.cpu_count(), len(floats)), "mercury-parquet") as pool:
        for done in [pool.submit(fill, column) for column in range(len(floats))]:
            done.result()
    return matrix.arrays(rows)


def _by_data_set(
    path: Path | str,
    name: str,
    columns: Sequence[str] | None,
    filters: Sequence[Any] | None,
    partitioning: str | None,
    row_groups: Sequence[int] | None,
    options: Mapping[str, Any],
) -> pa.Table:
    def read() -> pa.Table:
        data, wanted = _data_set(path, name, columns, filters, partitioning, row_groups, options)
        return data.read(columns=wanted)

    return reading(name, _WHAT, _TODO, read)


def _data_set(
    path: Path | str,
    name: str,
    columns: Sequence[str] | None,
    filters: Sequence[Any] | None,
    partitioning: str | None,
    row_groups: Sequence[int] | None,
    options: Mapping[str, Any],
) -> tuple[parquet.ParquetDataset, list[str]]:
    """Several files as one, and the columns to read of it."""
    from pyarrow import parquet

    if row_groups is not None:
        raise ArgumentsError("read", "parquet", ["row_groups: those of one file, and without filters."])
    there = _schema_of_directory(path, partitioning, options.get("filesystem"))
    where = _where(filters)
    chosen(name, _named_in(filters), there.names)
    data = parquet.ParquetDataset(path, filters=where, partitioning=partitioning, **options)
    return data, chosen(name, columns, data.schema.names)


def _schema_of_directory(path: Path | str, partitioning: str | None, system: fs.FileSystem | None = None) -> pa.Schema:
    from pyarrow import dataset

    return dataset.dataset(path, format="parquet", partitioning=partitioning, filesystem=system).schema


def _named_in(filters: Sequence[Any] | None) -> list[str]:
    terms = [term for one in filters or () for term in ([one] if isinstance(one[0], str) else one)]
    return [term[0] for term in terms]


def _where(filters: Sequence[Any] | None) -> Any:
    """Filters as an expression of Arrow; lists, as YAML has them, do as well as tuples."""
    if filters is None:
        return None
    from pyarrow import parquet

    def tuples(terms: Sequence[Any]) -> list[tuple[Any, ...]]:
        return [tuple(term) for term in terms]

    try:
        either = bool(filters) and not isinstance(filters[0][0], str)
        return parquet.filters_to_expression([tuples(one) for one in filters] if either else tuples(filters))
    except (TypeError, ValueError, IndexError) as error:
        message = f"filters: expected [[column, operator, value], ...], found {filters!r}."
        raise ArgumentsError("read", "parquet", [message]) from error

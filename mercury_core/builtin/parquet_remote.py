"""One Parquet file in a store: the footer, then the columns that are asked for, by ranges, several at a time."""

from __future__ import annotations

from itertools import accumulate

from mercury_core.builtin.sources import chosen
from mercury_core.contracts import ConcurrentStore
from mercury_core.storage.seekable import StoredFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    import pyarrow as pa
    from pyarrow import parquet

    from mercury_core.contracts import ObjectInfo, Store

# Compressed bytes that one reader fetches: few enough for several to share a file, many enough to be worth a request.
_LEAST = 1 << 20
_CELL = 16 << 20
_READERS = 8


def opened(file: StoredFile, **options: Any) -> parquet.ParquetFile:
    """An object as a Parquet file; ranges that lie close together are fetched as one."""
    import pyarrow as pa
    from pyarrow import parquet

    return parquet.ParquetFile(pa.PythonFile(file, mode="r"), **options)


def read(
    store: Store,
    info: ObjectInfo,
    columns: Sequence[str] | None,
    groups_of: Callable[[int], list[int]],
    **options: Any,
) -> pa.Table:
    """Read columns of an object. Float64 columns lie side by side in memory, as those of a local file.

    Args:
        store: Where it is.
        info: The object; all is read of this version of it.
        columns: Which, in this order; all by default.
        groups_of: The row groups to read, by how many there are.
        **options: Those of `pyarrow.parquet.ParquetFile`.
    """
    from concurrent.futures import ThreadPoolExecutor

    stored = StoredFile(store, info)
    with opened(stored, **options) as file:
        metadata, schema = file.metadata, file.schema_arrow
    wanted, groups = chosen(info.uri, columns, schema.names), groups_of(metadata.num_row_groups)
    table = _Table(schema, wanted, [metadata.row_group(group).num_rows for group in groups])

    def fetch(cell: tuple[list[int], list[str]]) -> None:
        places, names = cell
        with opened(stored.again(), metadata=metadata, **options) as file:
            some = file.read_row_groups([groups[place] for place in places], columns=names, use_threads=False)
        table.put(places[0] if places else 0, some.select(names))

    cells = list(_cells(metadata, schema, groups, wanted))
    readers = min(store.concurrency if isinstance(store, ConcurrentStore) else _READERS, _READERS, len(cells))
    with ThreadPoolExecutor(max(readers, 1), "mercury-parquet") as pool:
        for done in [pool.submit(fetch, cell) for cell in cells]:
            done.result()
    return table.whole()


def _cells(
    metadata: parquet.FileMetaData, schema: pa.Schema, groups: Sequence[int], wanted: Sequence[str]
) -> Iterator[tuple[list[int], list[str]]]:
    """What is read at a time: places in `groups`, and columns that follow each other, of about one size."""
    if not wanted or any("." in name for name in schema.names):  # a dot leads into nested columns
        yield list(range(len(groups))), list(wanted)
        return
    sizes = _sizes(metadata, schema, groups, set(wanted))
    total = sum(sum(of_column.values()) for of_column in sizes)
    cell = min(max(total // _READERS, _LEAST), _CELL)
    waiting: list[int] = []
    size = 0
    for place, of_column in enumerate(sizes):
        if sum(of_column.values()) > 2 * cell:
            for some in _split(of_column, cell):
                yield [place], some
            continue
        waiting.append(place)
        size += sum(of_column.values())
        if size >= cell:
            yield waiting, list(of_column)
            waiting, size = [], 0
    if waiting:
        yield waiting, list(sizes[0])


def _sizes(
    metadata: parquet.FileMetaData, schema: pa.Schema, groups: Sequence[int], wanted: set[str]
) -> list[dict[str, int]]:
    """Compressed bytes of each column in each row group, in the order in which they lie there."""
    in_order = [name for name in schema.names if name in wanted]
    tops = [metadata.schema.column(place).path.partition(".")[0] for place in range(metadata.num_columns)]
    places = [(place, top) for place, top in enumerate(tops) if top in wanted]
    sizes = []
    for group in groups:
        row_group, of_column = metadata.row_group(group), dict.fromkeys(in_order, 0)
        for place, top in places:
            of_column[top] += row_group.column(place).total_compressed_size
        sizes.append(of_column)
    return sizes


def _split(of_column: dict[str, int], cell: int) -> Iterator[list[str]]:
    some: list[str] = []
    size = 0
    for name, bytes_ in of_column.items():
        some.append(name)
        size += bytes_
        if size >= cell:
            yield some
            some, size = [], 0
    if some:
        yield some


class _Table:
    """Takes the cells of a table in any order."""

    def __init__(self, schema: pa.Schema, wanted: Sequence[str], rows: Sequence[int]) -> None:
        from mercury_core.data.matrix import SideBySide

        self._schema, self._wanted = schema, wanted
        floats = [name for name in wanted if schema.field(name).type == "double"]
        self._floats = {name: place for place, name in enumerate(floats)} if len(floats) > 1 else {}
        self._starts = [0, *accumulate(rows)]
        self._matrix = SideBySide(len(self._floats), self._starts[-1]) if self._floats else None
        self._rest: dict[str, dict[int, pa.ChunkedArray]] = {name: {} for name in wanted if name not in self._floats}

    def put(self, first: int, cell: pa.Table) -> None:
        """Take the columns of some row groups, from the place `first` on."""
        for name, column in zip(cell.column_names, cell.columns, strict=True):
            if self._matrix is None or name not in self._floats:
                self._rest[name][first] = column
                continue
            row = self._starts[first]
            for chunk in column.chunks:
                self._matrix.put(self._floats[name], row, chunk)
                row += len(chunk)

    def whole(self) -> pa.Table:
        """The table, once all cells are there."""
        import pyarrow as pa

        arrays = self._matrix.arrays(self._starts[-1]) if self._matrix is not None else []
        columns, fields = [], []
        for name in self._wanted:
            if name in self._floats:
                columns.append(arrays[self._floats[name]])
                fields.append(self._schema.field(name))
                continue
            parts = self._rest[name]
            chunks = [chunk for at in sorted(parts) for chunk in parts[at].chunks]
            field = self._schema.field(name)
            kind = next((part.type for part in parts.values()), field.type)
            columns.append(pa.chunked_array(chunks, kind))
            fields.append(field.with_type(kind))
        return pa.table(columns, schema=pa.schema(fields))

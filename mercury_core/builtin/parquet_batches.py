"""Parquet in bounded memory: batches of rows of a file, or of the files of a directory one after the other."""

from __future__ import annotations

from mercury_core.builtin.sources import batched, chosen

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    import pyarrow as pa
    from pyarrow import dataset, parquet

# Of each column chunk so much is held while it is decoded, in bytes.
_BUFFER = 1 << 20


def of_file(
    file: parquet.ParquetFile,
    name: str,
    columns: Sequence[str] | None,
    groups_of: Callable[[int], list[int]],
    rows: int,
    skip: int,
    *,
    by_group: bool,
) -> Iterator[pa.Table]:
    """Read one file.

    Args:
        file: The file; it is closed in the end.
        name: How it was named.
        columns: Which, in this order; all by default.
        groups_of: The row groups to read, by how many there are.
        rows: How many a table holds; the last one may hold fewer.
        skip: Rows to leave out at the start; row groups that hold nothing else are not read.
        by_group: Whether what is read ahead ends with a row group, which bounds the memory of a file that is fetched
            by ranges.
    """
    import pyarrow as pa

    with file:
        schema, metadata = file.schema_arrow, file.metadata
        wanted, groups = chosen(name, columns, schema.names), groups_of(metadata.num_row_groups)
        first, left = 0, skip
        while first < len(groups) and left >= (there := metadata.row_group(groups[first]).num_rows):
            left -= there
            first += 1

        def tables() -> Iterator[pa.Table]:
            yield schema.empty_table().select(wanted)
            rest = groups[first:]
            for some in [[group] for group in rest] if by_group else [rest] * bool(rest):
                for batch in file.iter_batches(batch_size=rows, row_groups=some, columns=wanted):
                    yield pa.Table.from_batches([batch]).select(wanted)

        for table in batched(tables(), rows, left):
            if table.num_rows or not skip:
                yield table


def opened(path: Any, **options: Any) -> parquet.ParquetFile:
    """A local file, of which little is held at a time."""
    from pyarrow import parquet

    return parquet.ParquetFile(path, buffer_size=_BUFFER, pre_buffer=False, **options)


def of_data_set(
    data: parquet.ParquetDataset, wanted: Sequence[str], where: dataset.Expression | None, rows: int, skip: int
) -> Iterator[pa.Table]:
    """Read the files of a directory, in the order in which all of it would be read.

    Args:
        data: The files.
        wanted: The columns, in this order.
        where: The rows to keep; all by default.
        rows: How many a table holds; the last one may hold fewer.
        skip: Rows to leave out at the start.
    """
    import pyarrow as pa

    fields = pa.schema([data.schema.field(name) for name in wanted])

    def tables() -> Iterator[pa.Table]:
        yield fields.empty_table()
        for fragment in data.fragments:
            batches = fragment.to_batches(
                schema=data.schema,
                columns=list(wanted),
                filter=where,
                batch_size=rows,
                batch_readahead=2,
                fragment_readahead=1,
            )
            for batch in batches:
                yield pa.Table.from_batches([batch])

    return batched(tables(), rows, skip)

"""Delimited text by parts: parsed by several threads, gathered in order, in bounded memory.

The text is cut at line ends into parts of a few MiB. Threads parse them with the types that the first block showed, so
nothing has to be kept for a second look; the calling thread copies the float64 columns of each part, in order, to their
places in one matrix and lets the part go. The peak is the result and a few parts.

A part that does not fit the types of the first block, or that may end within quotes, ends all this: pyarrow then reads
the whole with its full inference. The outcome is the same either way: inference tries types in a fixed order, so the
first that fits the first block is, if it fits all other blocks too, the first that fits the whole.
"""

from __future__ import annotations

import os

from mercury_core.builtin.csv_quotes import is_odd
from mercury_core.data.in_order import in_order
from mercury_core.errors import ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    from pyarrow import csv

# Below this, threads of our own cost more than they gain.
SMALLEST = 8 << 20
# A call of pyarrow costs most of a millisecond whatever it parses, so parts are not small; memory is a few of them.
PART = 4 << 20
BLOCK = 1 << 20


def read_parts(
    path: Path,
    read: csv.ReadOptions,
    parse: csv.ParseOptions,
    convert: csv.ConvertOptions,
    names: Sequence[str],
) -> pa.Table:
    """Read the columns `convert.include_columns`, of the types `convert.column_types`, from a file of UTF-8.

    Args:
        path: The file.
        read: How it begins (header, rows to skip); other parts have neither.
        parse: How it is delimited.
        convert: What to keep of it, with a type for every column.
        names: Every column of the file.

    Returns:
        The table; its float64 columns lie side by side in memory.

    Raises:
        pyarrow.ArrowInvalid: Some part does not fit.
    """
    import pyarrow as pa
    from pyarrow import csv

    mark = parse.quote_char.encode() if parse.quote_char else b""
    later = csv.ReadOptions(use_threads=False, block_size=BLOCK, column_names=list(names))
    with path.open("rb", buffering=0) as file:
        descriptor, size = file.fileno(), os.fstat(file.fileno()).st_size

        def parsed(start: int, end: int) -> tuple[int, pa.Table]:
            text = os.pread(descriptor, end - start, start)
            if len(text) != end - start:
                raise ReadError(str(path), "it was cut short while it was read", "Read it again.")
            if mark and is_odd(text, mark):
                raise pa.ArrowInvalid("A part may end within quotes.")
            return end, csv.read_csv(pa.BufferReader(text), later if start else read, parse, convert)

        return _gathered(in_order(parsed, _parts(descriptor, size), pa.cpu_count(), "mercury-csv"), size)


def _parts(descriptor: int, size: int) -> Iterator[tuple[int, int]]:
    """Where each part begins and ends: at line ends, so that a line longer than a part makes a longer part."""
    start = 0
    while start < size:
        end = start + PART
        while end < size:
            tail = os.pread(descriptor, 1 << 16, end)
            found = tail.find(b"\n")
            end += found + 1 if found >= 0 else len(tail)
            if found >= 0:
                break
        end = min(end, size)
        yield start, end
        start = end


def _gathered(tables: Iterator[tuple[int, pa.Table]], size: int) -> pa.Table:
    """One table of all parts."""
    import pyarrow as pa

    from mercury_core.data.matrix import SideBySide

    end, table = next(tables)
    schema, total = table.schema, 0
    floats = {name: place for place, name in enumerate(one.name for one in schema if one.type == "double")}
    others: dict[str, list[pa.Array]] = {name: [] for name in schema.names if name not in floats}
    # Room is free where nothing is written: 10 % more than rows as long as those of the first part would need.
    matrix = SideBySide(len(floats), int(table.num_rows * (size / end) * 1.1) + 1024)
    while table is not None:
        for name, place in floats.items():
            row = total
            for chunk in table.column(name).chunks:
                matrix.put(place, row, chunk)
                row += len(chunk)
        for name, chunks in others.items():
            chunks.extend(table.column(name).chunks)
        total += table.num_rows
        _, table = next(tables, (0, None))
    arrays = dict(zip(floats, matrix.arrays(total), strict=True))
    columns = [
        arrays[one.name] if one.name in floats else pa.chunked_array(others[one.name], one.type) for one in schema
    ]
    return pa.table(columns, schema=schema)

"""Arrow, the hub: always a `pyarrow.Table`. Native, since narwhals would cost every job its import (70 ms)."""

from __future__ import annotations

from mercury_core.data.backends.types import first_difference, regular
from mercury_core.errors import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    import numpy as np
    import pyarrow as pa


def as_table(data: Any) -> pa.Table:
    """Take a table, a batch, or whatever speaks the Arrow PyCapsule protocol; a stream is read to its end."""
    import pyarrow as pa

    if isinstance(data, pa.Table):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    try:
        if hasattr(data, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(data).read_all()
        return pa.table(data)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise DataError(
            f"A {type(data).__module__}.{type(data).__qualname__} gave no Arrow table: {first_line(error)}."
        ) from error


def from_columns(columns: Mapping[str, Any]) -> pa.Table:
    """A table of a dict of columns: lists, NumPy arrays, Arrow arrays, series."""
    import pyarrow as pa

    names = list(columns)
    arrays: list[pa.Array | pa.ChunkedArray] = []
    for name, column in columns.items():
        try:
            array = column if isinstance(column, (pa.Array, pa.ChunkedArray)) else _array(column)
        except OverflowError as error:
            raise DataError(
                f"The column {name!r} has a whole number that is too large: expected -2**63 to 2**63 - 1."
            ) from error
        except (pa.ArrowException, TypeError, ValueError) as error:
            raise DataError(f"The column {name!r} is no column of one type: {first_line(error)}.") from error
        if arrays and len(array) != len(arrays[0]):
            raise DataError(
                f"The column {name!r} has {len(array)} rows and the column {names[0]!r} has {len(arrays[0])}: "
                f"expected the same."
            )
        arrays.append(array)
    return pa.table(arrays, names=[_text(name) for name in names])


def _array(column: Any) -> pa.Array | pa.ChunkedArray:
    import pyarrow as pa

    from mercury_core.data.backends.buffers import text_of

    text = text_of(column) if isinstance(column, (list, tuple)) else None
    return pa.array(column, from_pandas=True) if text is None else text


def _text(name: object) -> str:
    if not isinstance(name, str):
        raise DataError(f"The name {name!r} is no text: give every column a name that is.")
    return name


def without_columns(rows: int) -> pa.Table:
    """A table of rows and nothing in them."""
    import pyarrow as pa

    return pa.table({"": pa.nulls(rows)}).select([])


def first_line(error: BaseException) -> str:
    """What a library says, without its stack and without its full stop."""
    lines = str(error).strip().splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def names(data: pa.Table) -> list[str]:
    """The names of the columns."""
    return list(data.column_names)


def num_columns(data: pa.Table) -> int:
    """How many columns."""
    return int(data.num_columns)


def num_rows(data: pa.Table) -> int:
    """How many rows."""
    return int(data.num_rows)


def types(data: pa.Table, names: Sequence[str]) -> list[str]:  # noqa: ARG001
    """Arrow's own words for the types."""
    return [_word(kind) for kind in data.schema.types]


def _word(kind: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return f"{'ordered ' if kind.ordered else ''}categories of {kind.value_type}"
    return str(kind)


def schema(data: pa.Table, names: Sequence[str]) -> pa.Schema:  # noqa: ARG001
    """The schema of the table."""
    return data.schema


def to_arrow(data: pa.Table, names: Sequence[str]) -> pa.Table:  # noqa: ARG001
    """The table itself."""
    return data


def rename(data: pa.Table, names: Sequence[str]) -> pa.Table:
    """Other names; the columns are the same."""
    return data.rename_columns(list(names))


def select(data: pa.Table, places: Sequence[int]) -> pa.Table:
    """Columns; copies nothing."""
    return data.select(list(places))


def take(data: pa.Table, rows: np.ndarray) -> pa.Table:
    """Rows by position."""
    import pyarrow as pa

    from mercury_core.data.backends.buffers import arrays_of

    # Not `data.take(rows)`, which would import pandas to look whether the rows are one of its series.
    return data.take(pa.chunked_array(arrays_of(rows[:, None])))


def slice(data: pa.Table, offset: int, length: int) -> pa.Table:  # noqa: A001
    """A range of rows; copies nothing."""
    return data.slice(offset, length)


def concat(parts: Sequence[pa.Table], names: Sequence[str]) -> pa.Table:
    """Rows of all parts as chunks; copies nothing of columns that are laid out alike.

    What the first part notes of a column, as how its images are decoded, is kept.
    """
    import pyarrow as pa

    columns, fields = [], []
    for place, name in enumerate(names):
        each = [part.column(place) for part in parts]
        # A column without any value, which is of no type, goes with every other.
        typed = [column for column in each if not pa.types.is_null(column.type)]
        if any(column.type != typed[0].type for column in typed):
            each, typed = [regular(column) for column in each], [regular(column) for column in typed]
            first_difference((name, typed[0].type, column.type) for column in typed)
        kind = typed[0].type if typed else pa.null()
        chunks = [chunk for column in each for chunk in (column if column.type == kind else column.cast(kind)).chunks]
        columns.append(pa.chunked_array(chunks, kind))
        fields.append(pa.field(name, kind, metadata=parts[0].schema.field(place).metadata))
    if not columns:
        return without_columns(sum(part.num_rows for part in parts))
    return pa.table(columns, schema=pa.schema(fields))


def concat_columns(parts: Sequence[pa.Table], names: Sequence[str]) -> pa.Table:
    """Columns of all parts, with what is noted of them; copies nothing."""
    import pyarrow as pa

    if not names:
        return without_columns(parts[0].num_rows)
    fields = [field for part in parts for field in part.schema]
    named = [pa.field(name, one.type, metadata=one.metadata) for name, one in zip(names, fields, strict=True)]
    return pa.table([column for part in parts for column in part.columns], schema=pa.schema(named))

"""pandas and polars, both through narwhals; only the ways to and from Arrow are each library's own."""

from __future__ import annotations

from mercury_core.data.backends.arrow import first_line, without_columns
from mercury_core.data.backends.types import first_difference
from mercury_core.errors import ConversionError, DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import numpy as np
    import pyarrow as pa


def as_frame(data: Any, home: str) -> Any:
    """A frame with names that are texts; a series is one column.

    Raises:
        DataError: Names that are no texts, or an index of pandas that says something, which no other format could keep.
    """
    if type(data).__name__ == "Series":
        data = data.to_frame() if data.name is not None else data.to_frame("x0")
    if home == "pandas":
        _check_pandas(data)
    return data


def _check_pandas(data: Any) -> None:
    index = data.index
    # An unnamed index of whole numbers is what filtering, sampling and sorting leave behind: the old row numbers.
    if index.nlevels > 1 or index.name is not None or index.dtype.kind not in "iu":
        called = ", ".join(map(str, index.names)) if any(name is not None for name in index.names) else str(index.dtype)
        # An empty frame has an index of objects that nobody gave it.
        if len(index) or index.name is not None or index.nlevels > 1:
            raise DataError(
                f"The pandas DataFrame has an index ({called}) that would be lost: make it a column with "
                f"reset_index(), or drop it with reset_index(drop=True)."
            )
    strange = [name for name in data.columns if not isinstance(name, str)]
    if strange:
        raise DataError(
            f"The pandas DataFrame has the column {strange[0]!r}, whose name is no text: rename it, or name all with "
            f"df.columns = df.columns.astype(str)."
        )


def _is_pandas(data: Any) -> bool:
    # A polars frame has no index of rows.
    return hasattr(data, "index")


def _narwhals(data: Any) -> Any:
    import narwhals

    # pandas puts columns side by side, and puts out rows, by its index: row numbers of old would mix them up.
    return narwhals.maybe_reset_index(narwhals.from_native(data, eager_only=True))


def names(data: Any) -> list[str]:
    """The names of the columns."""
    return list(data.columns)


def num_columns(data: Any) -> int:
    """How many columns."""
    return int(data.shape[1])


def num_rows(data: Any) -> int:
    """How many rows."""
    return int(data.shape[0])


def types(data: Any, names: Sequence[str]) -> list[str]:  # noqa: ARG001
    """The library's own words."""
    return [_word(kind) for kind in data.dtypes]


def _word(kind: Any) -> str:
    word = str(kind)
    if word == "category":
        return f"{'ordered ' if kind.ordered else ''}category"
    return word.partition("(categories=")[0]


def schema(data: Any, names: Sequence[str]) -> pa.Schema:
    """Arrow types: from the types of the columns, except those of pandas that hold objects, which are looked at."""
    import pyarrow as pa

    if not _is_pandas(data):
        return to_arrow(data.clear(), names).schema
    try:
        return pa.Schema.from_pandas(data, preserve_index=False).remove_metadata()
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return to_arrow(data, names).schema


def to_arrow(data: Any, names: Sequence[str]) -> pa.Table:  # noqa: ARG001
    """Numbers without nulls are shared, and all that the library itself keeps as Arrow does."""
    return _pandas_to_arrow(data) if _is_pandas(data) else _polars_to_arrow(data)


def _pandas_to_arrow(data: Any) -> pa.Table:
    import pyarrow as pa

    if not data.shape[1]:
        return without_columns(data.shape[0])
    try:
        return pa.Table.from_pandas(data, preserve_index=False).replace_schema_metadata(None)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        for name in data.columns:
            try:
                pa.array(data[name], from_pandas=True)
            except (pa.ArrowException, TypeError, ValueError, OverflowError) as cause:
                todo = "Give it values of one type." if data[name].dtype.kind == "O" else "Convert it first."
                raise ConversionError(name, "pandas", "Arrow", first_line(cause), todo) from cause
        raise DataError(f"The pandas DataFrame cannot go to Arrow: {first_line(error)}.") from error


def _polars_to_arrow(data: Any) -> pa.Table:
    import polars
    import pyarrow as pa

    for name, kind in data.schema.items():
        if kind == polars.Object:
            raise ConversionError(name, "polars", "Arrow", "it holds Python objects", "Give it values of one type.")
    if not data.width:
        return without_columns(data.height)
    try:
        table = data.to_arrow()
    except pa.ArrowException as error:
        for name in data.columns:
            try:
                data.select(name).to_arrow()
            except pa.ArrowException as cause:
                why = f"Arrow has no type like {data.schema[name]}"
                raise ConversionError(name, "polars", "Arrow", why, "Cast it first.") from cause
        raise DataError(f"The polars DataFrame cannot go to Arrow: {first_line(error)}.") from error
    # Without the metadata of the fields, in which polars notes types of its own.
    columns = [
        _in_order(column) if kind == polars.Enum else column
        for kind, column in zip(data.dtypes, table.columns, strict=True)
    ]
    return pa.table(columns, names=table.column_names)


def _in_order(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The categories of an Enum have an order, which not every version of polars says to Arrow."""
    import pyarrow as pa

    if column.type.ordered:
        return column
    kind = pa.dictionary(column.type.index_type, column.type.value_type, ordered=True)
    chunks = [pa.DictionaryArray.from_arrays(chunk.indices, chunk.dictionary, ordered=True) for chunk in column.chunks]
    return pa.chunked_array(chunks, kind)


def rename(data: Any, names: Sequence[str]) -> Any:
    """Other names; the columns are the same."""
    old = list(data.columns)
    return data if old == list(names) else _narwhals(data).rename(dict(zip(old, names, strict=True))).to_native()


def select(data: Any, places: Sequence[int]) -> Any:
    """Columns; copies nothing."""
    old = list(data.columns)
    return _narwhals(data).select([old[place] for place in places]).to_native()


def take(data: Any, rows: np.ndarray) -> Any:
    """Rows by position."""
    import narwhals

    return narwhals.maybe_reset_index(_narwhals(data)[rows]).to_native()


def slice(data: Any, offset: int, length: int) -> Any:  # noqa: A001
    """A range of rows, copying nothing."""
    import narwhals

    return narwhals.maybe_reset_index(_narwhals(data)[offset : offset + length]).to_native()


def concat(parts: Sequence[Any], names: Sequence[str]) -> Any:
    """Rows of all parts, copied; pandas alone would make objects of categories that differ."""
    import narwhals

    for part in parts[1:]:
        first_difference(zip(names, parts[0].dtypes, part.dtypes, strict=True))
    joined = narwhals.concat([_narwhals(part) for part in parts], how="vertical")
    return narwhals.maybe_reset_index(joined).to_native()


def concat_columns(parts: Sequence[Any], names: Sequence[str]) -> Any:  # noqa: ARG001
    """Columns of all parts; copies nothing."""
    import narwhals

    return narwhals.concat([_narwhals(part) for part in parts], how="horizontal").to_native()

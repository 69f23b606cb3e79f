"""Converters: from any format to one of the four that the core knows, by way of Arrow.

What is missing: Arrow and polars tell null from NaN; NumPy and pandas' float64 have NaN (NaT for times) for both, so that on the way
back from those NaN is null. Anything else that a format cannot say is refused, with the name of the column.
"""

from __future__ import annotations

from mercury_core.data.backends.arrow import first_line
from mercury_core.data.hub import arrow_of
from mercury_core.errors import ConversionError, DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    import numpy as np
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from mercury_core.data import DataWrapper

_OBJECTS = "Convert with dtype='object', which keeps every value as a Python object"


def to_arrow(wrapper: DataWrapper) -> pa.Table:
    """Convert to a pyarrow Table.

    Args:
        wrapper: Data in any format.

    Returns:
        A table, which shares what memory it can.

    Raises:
        ConversionError: A column of Python objects of several types, or of a type that Arrow does not have.

    Examples:
        >>> import numpy as np
        >>> from mercury_core.data import DataWrapper
        >>> to_arrow(DataWrapper(np.array([[1.5, 2.5], [3.5, float("nan")]]), ["a", "b"])).to_pydict()
        {'a': [1.5, 3.5], 'b': [2.5, None]}
    """
    return arrow_of(wrapper)


# --- NumPy ---


def to_numpy(wrapper: DataWrapper, *, dtype: Any = None) -> np.ndarray[Any, Any]:
    """Convert to a two-dimensional NumPy array.

    Args:
        wrapper: Data in any format.
        dtype: What the array is to hold: a number type, ``bool`` or ``object``. None for what the columns have in common: a number type
            for numbers and booleans (a float type where there are nulls); ``object`` for strings; ``datetime64`` or ``timedelta64`` for dates,
            timestamps without a time zone, and durations of one unit.

    Returns:
        An array of rows × columns, read-only where it shares memory. Nulls are NaN, NaT, or, among strings and objects, None.

    Raises:
        ConversionError: Columns of different kinds, or with categories, time zones, lists, …, unless `dtype` is ``object``; whole numbers that
            a float would round, numbers that `dtype` cannot hold, nulls where it has no word for them.

    Examples:
        >>> from mercury_core.data import DataWrapper
        >>> to_numpy(DataWrapper({"a": [1, None], "b": [True, False]}))
        array([[ 1.,  1.],
               [nan,  0.]])
    """
    import numpy as np

    table = arrow_of(wrapper)
    wanted = None if dtype is None else _dtype(dtype)
    if wanted is not None and wanted.kind == "O":
        return _objects(table)
    if not table.num_columns:
        return np.empty((table.num_rows, 0), wanted or np.float64)
    if wanted is None and not _is_number(table.schema.types[0]):
        return _alike(table)
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if not _is_number(kind):
            raise ConversionError(
                name,
                wrapper.format,
                "a NumPy matrix of numbers",
                f"it is {_word(kind)}",
                f"Encode it, or leave it out. {_OBJECTS}.",
            )
    return _numbers(table, wanted)


def _dtype(dtype: Any) -> np.dtype[Any]:
    import numpy as np

    try:
        wanted = np.dtype(dtype)
    except TypeError:
        wanted = np.dtype("V")
    if wanted.kind not in "biufO":
        raise DataError(
            f"The NumPy type {dtype!r} is none to convert to: expected a number type as 'float32', 'bool', or 'object'."
        )
    return wanted


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return (
        pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind)
    )


def _word(kind: pa.DataType) -> str:
    import pyarrow as pa

    return f"categories of {kind.value_type}" if pa.types.is_dictionary(kind) else str(kind)


def _numbers(table: pa.Table, wanted: np.dtype[Any] | None) -> np.ndarray[Any, Any]:
    import numpy as np

    from mercury_core.data.exact import check_table

    if wanted is None:
        wanted = np.result_type(*(_holder(column) for column in table.columns))
    if wanted.kind == "f":
        check_table(table, wanted)
    else:
        table = _cast(table, wanted)
    return _as_matrix(table, wanted)


def _as_matrix(table: pa.Table, wanted: np.dtype[Any]) -> np.ndarray[Any, Any]:
    import numpy as np

    return np.stack([column.to_numpy().astype(wanted) for column in table.columns], axis=1)


def _holder(column: pa.ChunkedArray) -> np.dtype[Any]:
    """The smallest common type of NumPy that has a word for everything in a column."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_floating(column.type):
        return np.dtype(column.type.to_pandas_dtype())
    return np.dtype(np.float64 if column.null_count else column.type.to_pandas_dtype())


def _cast(table: pa.Table, wanted: np.dtype[Any]) -> pa.Table:
    """Columns of whole numbers or booleans, where that changes no value."""
    import pyarrow as pa

    kind, columns = pa.from_numpy_dtype(wanted), []
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.null_count:
            raise ConversionError(
                name,
                "Arrow",
                f"NumPy {wanted}",
                f"it has nulls, for which {wanted} has no word",
                "Fill them, or take a float type.",
            )
        if wanted.kind == "b" and not pa.types.is_boolean(column.type):
            raise ConversionError(name, "Arrow", "NumPy bool", f"it is {column.type}", "Compare it with a value first.")
        try:
            columns.append(column.cast(kind))
        except pa.ArrowInvalid as error:
            raise ConversionError(name, "Arrow", f"NumPy {wanted}", first_line(error), "Take a wider type.") from error
    return pa.table(columns, names=table.column_names)


def _alike(table: pa.Table) -> np.ndarray[Any, Any]:
    """Columns of one kind that is no number."""
    import numpy as np
    import pyarrow as pa

    first = table.schema.types[0]
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        is_text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
        is_time = (
            pa.types.is_date(kind) or pa.types.is_duration(kind) or (pa.types.is_timestamp(kind) and kind.tz is None)
        )
        if not (is_text or is_time):
            why = (
                "NumPy would lose its time zone"
                if pa.types.is_timestamp(kind)
                else f"NumPy has no type like {_word(kind)}"
            )
            raise ConversionError(name, "Arrow", "NumPy", why, f"{_OBJECTS}.")
        if kind != first:
            why = f"it is {_word(kind)} and {table.column_names[0]!r} is {_word(first)}, and an array has one type"
            raise ConversionError(name, "Arrow", "NumPy", why, f"Select columns of one type. {_OBJECTS}.")
        if is_text:
            first = kind
    columns = [column.to_numpy() for column in table.columns]
    if pa.types.is_date(first):
        columns = [column.astype("datetime64[D]", copy=False) for column in columns]
    return columns[0][:, None] if len(columns) == 1 else np.stack(columns, axis=1)


def _objects(table: pa.Table) -> np.ndarray[Any, Any]:
    import numpy as np

    matrix = np.empty((table.num_rows, table.num_columns), object)
    for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        try:
            # Value by value, since NumPy would take lists of one length for another dimension.
            matrix[:, place] = np.fromiter(column.to_pylist(), dtype=object, count=len(column))
        except (ValueError, OverflowError) as error:
            raise ConversionError(
                name, "Arrow", "Python objects", first_line(error), "Round it to microseconds."
            ) from error
    return matrix


# --- pandas ---


def to_pandas(wrapper: DataWrapper) -> pd.DataFrame:
    """Convert to a pandas DataFrame with the row numbers as its index.

    Args:
        wrapper: Data in any format.

    Returns:
        A frame: whole numbers and booleans with nulls have pandas' nullable types (``Int64``, ``boolean``), categories are ``category``, strings pandas' own
        ``str``, timestamps keep unit and time zone; what pandas has no type for (dates, times of day, decimals, bytes, lists) keeps its
        Arrow type as `pandas.ArrowDtype`.

    Raises:
        ConversionError: A column that pandas cannot hold.

    Examples:
        >>> from mercury_core.data import DataWrapper
        >>> to_pandas(DataWrapper({"a": [1, None], "b": ["x", None]})).dtypes.map(str).to_dict()
        {'a': 'Int64', 'b': 'str'}
    """
    import pandas as pd

    # Metadata that pandas once wrote (as into a Parquet file) would turn columns into an index.
    table = arrow_of(wrapper).replace_schema_metadata(None)
    own = {
        name: kind
        for name, column in zip(table.column_names, table.columns, strict=True)
        if (kind := _pandas_type(column)) is not None
    }
    plain = table.drop_columns(list(own)) if own else table
    frame = _each("pandas", plain, lambda part: part.to_pandas(split_blocks=True))
    if not own:
        return frame
    columns = {
        name: _each("pandas", table.select([name]), _as_type(own[name])) if name in own else frame[name]
        for name in table.column_names
    }
    return pd.DataFrame(columns, copy=False)


def _as_type(kind: Any) -> Callable[[pa.Table], Any]:
    def convert(part: pa.Table) -> Any:
        import pandas as pd

        return pd.Series(kind.__from_arrow__(part.column(0)), copy=False)

    return convert


def _pandas_type(column: pa.ChunkedArray) -> Any:
    """The pandas type for what NumPy's types, pandas' strings and categories cannot hold; None where they can."""
    import pandas as pd
    import pyarrow as pa

    kinds, kind = pa.types, column.type
    if kinds.is_integer(kind) or kinds.is_boolean(kind):
        name = (
            "boolean"
            if kinds.is_boolean(kind)
            else str(kind).replace("u", "U").replace("int", "Int").replace("UInt", "UInt")
        )
        return pd.api.types.pandas_dtype(name) if column.null_count else None
    simple = (
        kinds.is_floating,
        kinds.is_string,
        kinds.is_large_string,
        kinds.is_string_view,
        kinds.is_dictionary,
        kinds.is_timestamp,
        kinds.is_duration,
        kinds.is_null,
    )
    return None if any(check(kind) for check in simple) else pd.ArrowDtype(kind)


# --- polars ---


def to_polars(wrapper: DataWrapper, *, enums: bool = False) -> pl.DataFrame:
    """Convert to a polars DataFrame.

    Args:
        wrapper: Data in any format.
        enums: Make an ``Enum`` of categories without an order as well. By default these become ``Categorical``, which keeps no category that no row
            has; categories with an order become an ``Enum`` always.

    Returns:
        A frame. polars has no seconds: timestamps and durations in seconds are in milliseconds.

    Raises:
        ConversionError: Categories that are no strings, or that no row has; a type or a time zone that polars does not have.

    Examples:
        >>> from mercury_core.data import DataWrapper
        >>> to_polars(DataWrapper({"a": [1, None], "b": ["x", None]})).schema
        Schema([('a', Int64), ('b', String)])
    """
    import polars as pl

    table = arrow_of(wrapper).replace_schema_metadata(None)
    if not table.num_columns:
        return pl.DataFrame(height=table.num_rows)
    series = [
        _each("polars", table.select([name]), lambda part: _polars_column(part, enums=enums))
        for name in table.column_names
    ]
    return pl.DataFrame(series)


def _polars_column(part: pa.Table, *, enums: bool) -> pl.Series:
    import polars as pl
    import pyarrow as pa

    name, column = part.column_names[0], part.column(0)
    kinds, kind = pa.types, column.type
    if kinds.is_dictionary(kind):
        return _polars_categories(name, column, enums=enums)
    if kinds.is_date64(kind):
        column = column.cast(pa.date32())
    elif (kinds.is_timestamp(kind) or kinds.is_duration(kind)) and kind.unit == "s":
        column = column.cast(pa.timestamp("ms", kind.tz) if kinds.is_timestamp(kind) else pa.duration("ms"))
    elif (
        kinds.is_map(kind)
        or kinds.is_union(kind)
        or kinds.is_run_end_encoded(kind)
        or isinstance(kind, pa.BaseExtensionType)
    ):
        raise ConversionError(name, "Arrow", "polars", f"polars has no type like {kind}")
    return pl.Series(name, pl.from_arrow(column, rechunk=False))


def _polars_categories(name: str, column: pa.ChunkedArray, *, enums: bool) -> pl.Series:
    import polars as pl
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if not (pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type)):
        why = f"its categories are {kind.value_type}, and polars has only strings as categories"
        raise ConversionError(name, "Arrow", "polars", why, "Cast it to the type of its categories.")
    unified = column.unify_dictionaries()
    categories = unified.chunk(0).dictionary if unified.num_chunks else pa.array([], pa.string())
    if kind.ordered or enums:
        labels: Any = pl.from_arrow(column.cast(kind.value_type))
        return pl.Series(name, labels, dtype=pl.String).cast(pl.Enum(categories.to_pylist()))
    used = pc.count_distinct(pa.chunked_array([chunk.indices for chunk in unified.chunks], kind.index_type)).as_py()
    if used < len(categories):
        why = f"it has {len(categories) - used} categories that no row has, which polars' Categorical would lose"
        raise ConversionError(
            name, "Arrow", "polars", why, "Convert with enums=True, which keeps them in the order that they have."
        )
    return pl.Series(name, pl.from_arrow(column, rechunk=False))


def _each(target: str, table: pa.Table, convert: Callable[[pa.Table], Any]) -> Any:
    """Convert a table; where that fails, find the column for which it does."""
    import pyarrow as pa

    faults = (pa.ArrowException, TypeError, ValueError, OverflowError, LookupError, *_polars_faults(target))
    try:
        return convert(table)
    except ConversionError:
        raise
    except faults as error:
        for name in table.column_names:
            try:
                convert(table.select([name]))
            except faults as cause:
                raise ConversionError(name, "Arrow", target, first_line(cause)) from cause
        raise DataError(f"The data cannot go from Arrow to {target}: {first_line(error)}.") from error


def _polars_faults(target: str) -> tuple[type[BaseException], ...]:
    if target != "polars":
        return ()
    from polars.exceptions import PanicException, PolarsError

    return (PolarsError, PanicException)

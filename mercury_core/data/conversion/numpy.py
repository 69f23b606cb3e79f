"""Arrow to NumPy: one array, one type."""

from __future__ import annotations

from mercury_core.data.backends.arrow import first_line
from mercury_core.errors import ConversionError, DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    import pyarrow as pa

    Array = np.ndarray[Any, Any]
    Type = np.dtype[Any]

_OBJECTS = "Convert with dtype='object', which keeps every value as a Python object."


def array_of(table: pa.Table, wanted: Type | None = None) -> Array:
    """Rows × columns; see `mercury_core.builtin.converters.to_numpy`."""
    import numpy as np

    if wanted is not None and wanted.kind == "O":
        return _objects(table)
    if not table.num_columns:
        return np.empty((table.num_rows, 0), wanted or np.float64)
    if wanted is None and not any(map(_is_number, table.schema.types)):
        return _alike(table)
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        if not _is_number(kind):
            todo = f"Encode it, or leave it out. {_OBJECTS}"
            raise ConversionError(name, "Arrow", "a NumPy array of numbers", f"it is {_word(kind)}", todo)
    return _numbers(table, wanted)


def checked_type(dtype: Any) -> Type:
    """A type that `array_of` can be asked for.

    Raises:
        DataError: Another one.
    """
    import numpy as np

    try:
        wanted: Type = np.dtype(dtype)
    except TypeError:
        wanted = np.dtype("V")
    if wanted.kind not in "biufO":
        raise DataError(
            f"The NumPy type {dtype!r} is none to convert to: expected a number type as "
            f"'float32', or 'bool' or 'object'."
        )
    return wanted


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    checks = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
    return any(check(kind) for check in checks)


def _word(kind: pa.DataType) -> str:
    import pyarrow as pa

    return f"categories of {kind.value_type}" if pa.types.is_dictionary(kind) else str(kind)


def _numbers(table: pa.Table, wanted: Type | None) -> Array:
    from mercury_core.data.matrix import as_matrix

    if wanted is not None and wanted.kind != "f":
        table = _cast(table, wanted)
    return as_matrix(table, wanted)


def _cast(table: pa.Table, wanted: Type) -> pa.Table:
    """Columns of whole numbers or booleans, where that changes no value."""
    import pyarrow as pa

    kind, columns, target = pa.from_numpy_dtype(wanted), [], f"NumPy {wanted}"
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.null_count:
            why = f"it has nulls, for which {wanted} has no word"
            raise ConversionError(name, "Arrow", target, why, "Fill them, or take a float type.")
        if wanted.kind == "b" and not pa.types.is_boolean(column.type):
            raise ConversionError(name, "Arrow", target, f"it is {column.type}", "Compare it with a value first.")
        try:
            columns.append(column.cast(kind))
        except pa.ArrowInvalid as error:
            raise ConversionError(name, "Arrow", target, first_line(error), "Take a wider type.") from error
    return pa.table(columns, names=table.column_names)


def _alike(table: pa.Table) -> Array:
    """Columns of one type that is no number."""
    import pyarrow as pa

    from mercury_core.data.backends.types import regular_type

    first = regular_type(table.schema.types[0])
    for name, kind in zip(table.column_names, table.schema.types, strict=True):
        _check_sayable(name, kind)
        if regular_type(kind) != first:
            other = f"{table.column_names[0]!r} is {_word(table.schema.types[0])}"
            why = f"it is {_word(kind)} and {other}, and an array has one type"
            raise ConversionError(name, "Arrow", "NumPy", why, f"Select columns of one type. {_OBJECTS}")
    return _texts(table) if pa.types.is_large_string(first) else _times(table, first)


def _texts(table: pa.Table) -> Array:
    import numpy as np

    matrix = np.empty((table.num_rows, table.num_columns), object)
    for place, column in enumerate(table.columns):
        matrix[:, place] = column.to_pylist()
    return matrix


def _times(table: pa.Table, kind: pa.DataType) -> Array:
    """As the whole numbers that they are, of which NumPy calls the least NaT."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    from mercury_core.data.backends.buffers import arrays_of
    from mercury_core.data.matrix import as_matrix

    # Not `pyarrow.scalar`, which imports pandas.
    nat = arrays_of(np.array([[np.iinfo(np.int64).min]]))[0][0]
    columns, is_date = [], pa.types.is_date(kind)
    for column in table.columns:
        numbers = column.cast(pa.date32()).cast(pa.int32()).cast(pa.int64()) if is_date else column.cast(pa.int64())
        columns.append(pc.fill_null(numbers, nat))
    matrix = as_matrix(pa.table(columns, names=table.column_names), np.dtype(np.int64))
    unit = "D" if is_date else kind.unit
    return matrix.view(f"{'m8' if pa.types.is_duration(kind) else 'M8'}[{unit}]")


def _check_sayable(name: str, kind: pa.DataType) -> None:
    import pyarrow as pa

    kinds = pa.types
    checks = (kinds.is_string, kinds.is_large_string, kinds.is_string_view, kinds.is_date, kinds.is_duration)
    if any(check(kind) for check in checks):
        return
    if not kinds.is_timestamp(kind):
        raise ConversionError(name, "Arrow", "NumPy", f"NumPy has no type like {_word(kind)}", _OBJECTS)
    if kind.tz is not None:
        raise ConversionError(name, "Arrow", "NumPy", f"NumPy would lose its time zone {kind.tz}", _OBJECTS)


def _objects(table: pa.Table) -> Array:
    import numpy as np

    matrix = np.empty((table.num_rows, table.num_columns), object)
    for place, (name, column) in enumerate(zip(table.column_names, table.columns, strict=True)):
        try:
            # Value by value, since NumPy would take lists of one length for another dimension.
            matrix[:, place] = np.fromiter(column.to_pylist(), dtype=object, count=len(column))
        except (ValueError, OverflowError) as error:
            todo = "Cast it to a type that Python has."
            raise ConversionError(name, "Arrow", "Python objects", first_line(error), todo) from error
    return matrix

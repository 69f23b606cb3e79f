"""NumPy: always a two-dimensional array, rows × columns. Native, since narwhals has no arrays."""

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

    Array = np.ndarray[Any, Any]

_NUMERIC = "biuf"


def as_two_dimensional(data: Array) -> Array:
    """Rows × columns; a one-dimensional array is one column, as a view."""
    if data.dtype.names is not None:
        raise DataError(
            f"A structured NumPy array (with the fields {', '.join(data.dtype.names)}) is no matrix: give a dict of "
            f"its columns, {{name: array[name] for name in array.dtype.names}}."
        )
    if data.ndim == 1:
        return data[:, None]
    if data.ndim != 2:
        raise DataError(
            f"A NumPy array of {data.ndim} dimensions, of shape {data.shape}, is no table: expected rows × "
            f"columns, or one column."
        )
    return data


def names(data: Array) -> None:  # noqa: ARG001
    """An array has no names."""
    return


def num_columns(data: Array) -> int:
    """How many columns."""
    return int(data.shape[1])


def num_rows(data: Array) -> int:
    """How many rows."""
    return int(data.shape[0])


def types(data: Array, names: Sequence[str]) -> list[str]:
    """NumPy's own word, the same for every column."""
    return [str(data.dtype)] * len(names)


def schema(data: Array, names: Sequence[str]) -> pa.Schema:
    """Arrow types; an array of objects is looked at."""
    import pyarrow as pa

    if data.dtype.hasobject:
        return to_arrow(data, names).schema
    try:
        kind = pa.from_numpy_dtype(data.dtype)
    except pa.ArrowNotImplementedError as error:
        raise _no_arrow(names[0] if names else "", data, error) from error
    return pa.schema([(name, kind) for name in names])


def to_arrow(data: Array, names: Sequence[str]) -> pa.Table:
    """One Arrow column a column; NaN, NaT, None and what is masked become null, since NumPy has no other word for it.

    A column that lies in one piece (any of an array in column order) is shared, a matrix in row order is copied once.
    """
    import pyarrow as pa

    from mercury_core.data.backends.buffers import ColumnError, arrays_of

    try:
        columns = arrays_of(data)
    except ColumnError as error:
        raise _no_arrow(names[error.place], data, error.cause) from error.cause
    return pa.table(columns, names=list(names)) if columns else without_columns(len(data))


def _no_arrow(name: str, data: Array, error: Exception) -> ConversionError:
    if data.dtype.kind in "mM":
        why = f"Arrow has no unit of time like that of {data.dtype}, or not so many of them"
        return ConversionError(name, "NumPy", "Arrow", why, "Give it days, s, ms, us or ns with astype.")
    if data.dtype.hasobject:
        return ConversionError(name, "NumPy", "Arrow", first_line(error), "Give it values of one type.")
    return ConversionError(name, "NumPy", "Arrow", f"Arrow has no type like {data.dtype}", "Convert it with astype.")


def rename(data: Array, names: Sequence[str]) -> Array:  # noqa: ARG001
    """Names are the wrapper's business."""
    return data


def select(data: Array, places: Sequence[int]) -> Array:
    """Columns: a view where they are evenly spaced, else (NumPy can do no better) a copy."""
    if not places:
        return data[:, :0]
    step = places[1] - places[0] if len(places) > 1 else 1
    if any(place != places[0] + step * turn for turn, place in enumerate(places)):
        return data[:, list(places)]
    stop = places[-1] + (1 if step > 0 else -1)
    return data[:, places[0] : stop if stop >= 0 else None : step]


def take(data: Array, rows: Array) -> Array:
    """Rows by position."""
    return data[rows]


def slice(data: Array, offset: int, length: int) -> Array:  # noqa: A001
    """A range of rows, as a view."""
    return data[offset : offset + length]


def concat(parts: Sequence[Array], names: Sequence[str]) -> Array:
    """Rows of all parts, copied."""
    return _joined(parts, [names] * len(parts), axis=0)


def concat_columns(parts: Sequence[Array], names: Sequence[str]) -> Array:
    """Columns of all parts, copied."""
    rest, each = list(names), []
    for part in parts:
        each.append(rest[: part.shape[1]])
        rest = rest[part.shape[1] :]
    return _joined(parts, each, axis=1)


def _joined(parts: Sequence[Array], names: Sequence[Sequence[str]], axis: int) -> Array:
    import numpy as np

    from mercury_core.data.exact import check_array

    kinds = {part.dtype.kind for part in parts}
    if len(kinds) > 1 and not all(kind in _NUMERIC for kind in kinds):
        for part, its in zip(parts[1:], names[1:], strict=True):
            first_difference([((its or [""])[0], parts[0].dtype, part.dtype)])
    wanted = np.result_type(*(part.dtype for part in parts))
    for part, its in zip(parts, names, strict=True):
        check_array(part, its, wanted)
    # Masks are kept where there are any.
    masked = any(isinstance(part, np.ma.MaskedArray) for part in parts)
    joined: Array = (np.ma.concatenate if masked else np.concatenate)(parts, axis=axis)
    return joined

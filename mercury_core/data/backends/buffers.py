"""NumPy to Arrow by the buffers themselves: shared where they can be, and without `pyarrow.array`.

That function, like `pyarrow.Array.to_numpy`, imports pandas where there is one: 400 ms of every process that calls it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import numpy as np
    import pyarrow as pa

    Array = np.ndarray[Any, Any]

_UNITS = ("s", "ms", "us", "ns")


class ColumnError(Exception):
    """A column that Arrow has no type for: its place, and what pyarrow said."""

    def __init__(self, place: int, cause: Exception) -> None:
        super().__init__(place, cause)
        self.place, self.cause = place, cause


def arrays_of(data: Array) -> list[pa.Array]:
    """The columns of a two-dimensional array.

    Args:
        data: Rows × columns of any type, masked or not.

    Returns:
        One array a column; NaN, NaT, None and what is masked are null.

    Raises:
        ColumnError: A column that Arrow has no type for.
    """
    import numpy as np

    mask = np.ma.getmaskarray(data) if isinstance(data, np.ma.MaskedArray) else None
    plain = np.asarray(data)
    if not plain.dtype.isnative:
        plain = plain.astype(plain.dtype.newbyteorder("="))
    if _is_fixed(plain.dtype):
        return _fixed(plain, mask)
    return [
        _variable(place, plain[:, place], None if mask is None else mask[:, place]) for place in range(plain.shape[1])
    ]


def _is_fixed(dtype: np.dtype[Any]) -> bool:
    import numpy as np

    if dtype.kind in "mM":
        return np.datetime_data(dtype)[0] in _UNITS and np.datetime_data(dtype)[1] == 1
    return dtype.kind in "iu" or (dtype.kind == "f" and dtype.itemsize <= 8)


def _fixed(plain: Array, mask: Array | None) -> list[pa.Array]:
    """Columns of numbers or times, over the memory of the array where each lies in one piece."""
    import numpy as np
    import pyarrow as pa

    if plain.dtype.kind == "f":
        missing: Array | None = np.isnan(plain)
    else:
        missing = np.isnat(plain) if plain.dtype.kind in "mM" else None
    if mask is not None:
        missing = mask if missing is None else missing | mask
    rows, columns = plain.shape
    kind, width = pa.from_numpy_dtype(plain.dtype), plain.itemsize
    if columns > 1 and plain.strides[0] != width:
        plain = np.asfortranarray(plain)
    if plain.dtype.kind in "mM":
        plain = plain.view(np.int64)
    if plain.flags.f_contiguous:
        # Slices of one buffer, by which `as_matrix` knows a matrix again.
        whole = pa.py_buffer(plain.reshape(-1, order="F"))
        buffers = [whole.slice(place * rows * width, rows * width) for place in range(columns)]
    else:
        buffers = [pa.py_buffer(np.ascontiguousarray(plain[:, place])) for place in range(columns)]
    return [
        pa.Array.from_buffers(kind, rows, [_bitmap(None if missing is None else missing[:, place]), buffer])
        for place, buffer in enumerate(buffers)
    ]


def _bitmap(missing: Array | None) -> pa.Buffer | None:
    import numpy as np
    import pyarrow as pa

    if missing is None or not missing.any():
        return None
    return pa.py_buffer(np.packbits(~missing, bitorder="little"))


def _variable(place: int, column: Array, mask: Array | None) -> pa.Array:
    """A column of booleans, strings, objects, …"""
    import numpy as np
    import pyarrow as pa

    if column.dtype.kind == "b":
        bits = pa.py_buffer(np.packbits(column, bitorder="little"))
        return pa.Array.from_buffers(pa.bool_(), len(column), [_bitmap(mask), bits])
    if column.dtype.kind in "UO":
        hidden = np.zeros(len(column), np.bool_) if mask is None else mask
        text = text_of([None if hide else value for value, hide in zip(column.tolist(), hidden, strict=True)])
        if text is not None:
            return text
    try:
        return _by_pyarrow(column, mask)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise ColumnError(place, error) from error


def _by_pyarrow(column: Array, mask: Array | None) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    if column.dtype.kind == "S":
        # Its way from NumPy would end at the first zero byte.
        return pa.array(column.tolist(), pa.binary(), mask=mask)
    if column.dtype.kind in "mM":
        unit, count = np.datetime_data(column.dtype)
        days = column.view(np.int64)[~np.isnat(column)]
        if count != 1 or (unit == "D" and days.size and max(-days.min(), days.max()) >= 2**31):
            # pyarrow would forget the count, and let the days overflow.
            raise OverflowError(f"{column.dtype} beyond what Arrow counts")
    return pa.array(np.ascontiguousarray(column), mask=mask, from_pandas=True)


def text_of(values: Sequence[Any]) -> pa.Array | None:
    """Strings, and None for null, as an array; None where there is anything else among them, or nothing but None."""
    import numpy as np
    import pyarrow as pa

    kinds = set(map(type, values))
    if str not in kinds or kinds - {str, type(None)}:
        return None
    try:
        encoded = [b"" if value is None else value.encode() for value in values]
    except UnicodeEncodeError:
        return None
    ends = np.cumsum([len(value) for value in encoded], dtype=np.int64)
    if ends[-1] >= 2**31:
        return None
    offsets = np.concatenate([[0], ends]).astype(np.int32)
    missing = np.array([value is None for value in values]) if len(kinds) > 1 else None
    buffers = [_bitmap(missing), pa.py_buffer(offsets), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(values), buffers)

"""Whole numbers that a float type would round: found before anything is converted."""

from __future__ import annotations

from mercury_core.errors import ConversionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import numpy as np
    import pyarrow as pa

    Array = np.ndarray[Any, Any]

_TODO = "Leave it out, scale it down, or convert to objects with dtype='object'."


def _limit(wanted: np.dtype[Any]) -> int:
    import numpy as np

    return int(2 ** (np.finfo(wanted).nmant + 1))


def check_array(data: Array, names: Sequence[str], wanted: np.dtype[Any]) -> None:
    """Refuse whole numbers beyond what `wanted` holds exactly.

    Args:
        data: Rows × columns of any type.
        names: One a column.
        wanted: The type that is to hold them; only float types can round.

    Raises:
        ConversionError: Names the first column that would be rounded.
    """
    if data.dtype.kind not in "iu" or wanted.kind != "f" or not data.size:
        return
    limit = _limit(wanted)
    for place, name in enumerate(names):
        low, high = int(data[:, place].min()), int(data[:, place].max())
        if low < -limit or high > limit:
            raise _rounded(name, "NumPy", wanted, low if low < -limit else high)


def check_table(table: pa.Table, wanted: np.dtype[Any]) -> None:
    """The same for an Arrow table: its columns of whole numbers must go exactly into `wanted`.

    Raises:
        ConversionError: Names the first column that would be rounded.
    """
    import pyarrow as pa

    if wanted.kind != "f":
        return
    limit = _limit(wanted)
    for name, column in zip(table.column_names, table.columns, strict=True):
        # Most types are too narrow to go beyond: nothing of them is looked at.
        if not pa.types.is_integer(column.type) or 2**column.type.bit_width <= limit:
            continue
        import pyarrow.compute as pc

        bounds = pc.min_max(column).as_py()
        for value in bounds.values():
            if value is not None and not -limit <= value <= limit:
                raise _rounded(name, "Arrow", wanted, value)


def _rounded(name: str, source: str, wanted: np.dtype[Any], value: int) -> ConversionError:
    why = f"it holds {value}, which {wanted} would round (whole numbers are exact up to {_limit(wanted)})"
    return ConversionError(name, source, f"NumPy {wanted}", why, _TODO)

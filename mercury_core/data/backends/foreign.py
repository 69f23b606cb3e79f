"""A format that a plugin brings: ``from.FORMAT`` is its way to Arrow, ``to.FORMAT`` its way back, no more.

``from.torch`` names a function ``(data, names) -> anything with __arrow_c_stream__``; `names` is None where the data,
or else that function, has to name the columns.
"""

from __future__ import annotations

from mercury_core.data.backends import arrow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    import numpy as np
    import pyarrow as pa


def format_of(data: Any) -> str | None:
    """The format of an object of any library: the library's name, where a plugin registered a way from it."""
    from mercury_core import registry

    homes = [kind.__module__.partition(".")[0] for kind in type(data).__mro__ if kind is not object]
    known = (home for home in homes if registry.provider_of("transform", f"from.{home}"))
    return next(known, None)


def _table(data: Any, names: Sequence[str] | None = None) -> pa.Table:
    from mercury_core import registry

    table = arrow.as_table(registry.resolve("transform", f"from.{format_of(data)}")(data, names))
    return table if names is None else table.rename_columns(list(names))


def _back(table: pa.Table, like: Any) -> Any:
    from mercury_core.data.wrapper import DataWrapper

    return DataWrapper(table).to(format_of(like) or "arrow").underlying


def _is_array(data: Any) -> bool:
    """Whether it is rows × columns without names, as a tensor: what is to be known of it, it tells unconverted."""
    return len(getattr(data, "shape", ())) == 2 and not hasattr(data, "columns") and not hasattr(data, "column_names")


def names(data: Any) -> list[str] | None:
    """The names that its way to Arrow gives the columns; None of an array."""
    return None if _is_array(data) else list(_table(data).column_names)


def num_columns(data: Any) -> int:
    """How many columns."""
    return int(data.shape[1]) if _is_array(data) else len(_table(data).column_names)


def num_rows(data: Any) -> int:
    """How many rows."""
    shape = getattr(data, "shape", None)
    return int(shape[0] if shape else _table(data).num_rows)


def types(data: Any, names: Sequence[str]) -> list[str]:
    """The type of the elements, where there is one for all; looks at no value."""
    return [str(getattr(data, "dtype", type(data).__name__))] * len(names)


def schema(data: Any, names: Sequence[str]) -> pa.Schema:
    """What its way to Arrow gives."""
    return _table(data, names).schema


def to_arrow(data: Any, names: Sequence[str]) -> pa.Table:
    """Its way to Arrow."""
    return _table(data, names)


def rename(data: Any, names: Sequence[str]) -> Any:  # noqa: ARG001
    """Names are the wrapper's business."""
    return data


def select(data: Any, places: Sequence[int]) -> Any:
    """Columns, by way of Arrow."""
    return _back(arrow.select(_table(data), places), data)


def take(data: Any, rows: np.ndarray) -> Any:
    """Rows by position, by way of Arrow."""
    return _back(arrow.take(_table(data), rows), data)


def slice(data: Any, offset: int, length: int) -> Any:  # noqa: A001
    """A range of rows, by way of Arrow."""
    return _back(arrow.slice(_table(data), offset, length), data)


def concat(parts: Sequence[Any], names: Sequence[str]) -> Any:
    """Rows of all parts, by way of Arrow."""
    return _back(arrow.concat([_table(part, names) for part in parts], names), parts[0])


def concat_columns(parts: Sequence[Any], names: Sequence[str]) -> Any:
    """Columns of all parts, by way of Arrow."""
    return _back(arrow.concat_columns([_table(part) for part in parts], names), parts[0])

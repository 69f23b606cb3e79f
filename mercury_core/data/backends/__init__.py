"""What has to be done differently for each format, and telling the formats apart without importing any library."""

from __future__ import annotations

from mercury_core.errors import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    import pyarrow as pa

    class Backend(Protocol):
        """What a module of this package does; `data` is always of its own format, and is never changed."""

        def names(self, data: Any) -> list[str] | None:
            """The names that the data itself has for its columns, or None."""

        def num_columns(self, data: Any) -> int:
            """How many columns there are."""

        def num_rows(self, data: Any) -> int:
            """How many rows there are."""

        def types(self, data: Any, names: Sequence[str]) -> list[str]:
            """The library's own word for the type of each column; looks at no value."""

        def schema(self, data: Any, names: Sequence[str]) -> pa.Schema:
            """Names and Arrow types; looks at values only where the library itself does not know the type."""

        def to_arrow(self, data: Any, names: Sequence[str]) -> pa.Table:
            """The way to the hub; copies nothing that both sides lay out alike."""

        def rename(self, data: Any, names: Sequence[str]) -> Any:
            """The same data under other names."""

        def select(self, data: Any, places: Sequence[int]) -> Any:
            """Columns, by position."""

        def take(self, data: Any, rows: Any) -> Any:
            """Rows, by position (a NumPy array of integers, none negative)."""

        def slice(self, data: Any, offset: int, length: int) -> Any:
            """A range of rows, copying nothing."""

        def concat(self, parts: Sequence[Any], names: Sequence[str]) -> Any:
            """Rows of all parts, which have the same columns."""

        def concat_columns(self, parts: Sequence[Any], names: Sequence[str]) -> Any:
            """Columns of all parts, which have the same rows and, together, these names."""


def recognise(data: Any) -> tuple[str, Backend, Any]:
    """Tell the format of some data.

    Args:
        data: What a user gave.

    Returns:
        The name of the format, its backend, and the data as that backend takes it.

    Raises:
        DataError: It is nothing that holds columns.
    """
    for kind in type(data).__mro__:
        home = kind.__module__.partition(".")[0]
        match home, kind.__name__:
            case "numpy", "ndarray":
                from mercury_core.data.backends import arrays

                return "numpy", arrays, arrays.as_two_dimensional(data)
            case "pyarrow", "Table" | "RecordBatch" | "RecordBatchReader":
                from mercury_core.data.backends import arrow

                return "arrow", arrow, arrow.as_table(data)
            case "pandas" | "polars", "DataFrame" | "Series":
                from mercury_core.data.backends import frames

                return home, frames, frames.as_frame(data, home)
            case "polars", "LazyFrame":
                raise DataError("A polars LazyFrame holds no rows yet: give the result of its collect().")
            case _:
                pass
    return _recognise_other(data)


def _recognise_other(data: Any) -> tuple[str, Backend, Any]:
    from mercury_core.data.backends import arrow

    if isinstance(data, dict):
        return "arrow", arrow, arrow.from_columns(data)
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        return "arrow", arrow, arrow.as_table(data)
    from mercury_core.data.backends import foreign

    name = foreign.format_of(data)
    if name is None:
        raise DataError(
            f"A {type(data).__module__}.{type(data).__qualname__} is no data that can be wrapped: "
            f"expected a pyarrow Table, a pandas or polars DataFrame, a NumPy array, a dict of columns, "
            f"or an object with __arrow_c_stream__."
        )
    return name, foreign, data

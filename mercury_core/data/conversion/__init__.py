"""From Arrow to each format that the core knows: what a format cannot say is refused, with the name of the column."""

from __future__ import annotations

from mercury_core.data.backends.arrow import first_line
from mercury_core.errors import ConversionError, DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    import pyarrow as pa

    T = TypeVar("T")


def naming_the_column(
    target: str, table: pa.Table, convert: Callable[[pa.Table], T], faults: tuple[type[Exception], ...] = ()
) -> T:
    """Convert a table; where that fails, find the column for which it does.

    Args:
        target: The format, for the message.
        table: What to convert.
        convert: How: a function of a table of any of its columns.
        faults: The library's own errors.

    Raises:
        ConversionError: Names the column, and says what the library said.
    """
    import pyarrow as pa

    expected = (pa.ArrowException, TypeError, ValueError, OverflowError, LookupError, *faults)
    try:
        return convert(table)
    except ConversionError:
        raise
    except expected as error:
        for name in table.column_names:
            try:
                convert(table.select([name]))
            except expected as cause:
                raise ConversionError(name, "Arrow", target, first_line(cause)) from cause
        raise DataError(f"The data cannot go from Arrow to {target}: {first_line(error)}.") from error

"""The hub of all conversion: any wrapper as a `pyarrow.Table`, without the registry."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa

    from mercury_core.data.wrapper import DataWrapper


def arrow_of(wrapper: DataWrapper) -> pa.Table:
    """The data as Arrow, under the names of the wrapper.

    Args:
        wrapper: In any format; one of Arrow gives what it wraps.

    Returns:
        A table that shares the memory of all columns that the wrapped library lays out as Arrow does.

    Raises:
        ConversionError: A column of a type that Arrow does not have; names it.
    """
    table: pa.Table = wrapper._backend.to_arrow(wrapper.underlying, wrapper.field_names)
    return table

"""What the formats share about types."""

from __future__ import annotations

from mercury_core.errors import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa


def first_difference(columns: Iterable[tuple[str, object, object]]) -> None:
    """Refuse rows of two types under one name.

    Args:
        columns: The name of a column, its type in the first part, its type in another.

    Raises:
        DataError: They differ; names the first such column.
    """
    for name, first, other in columns:
        if first != other:
            raise DataError(
                f"The data cannot be put together: the column {name!r} is {first} in one part and {other} in another. "
                f"Convert one of them first."
            )


def regular_type(kind: pa.DataType) -> pa.DataType:
    """One type for each meaning: libraries lay out strings, bytes, lists and codes of categories in several ways."""
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_string(kind) or kinds.is_string_view(kind):
        return pa.large_string()
    if kinds.is_binary(kind) or kinds.is_binary_view(kind) or kinds.is_fixed_size_binary(kind):
        return pa.large_binary()
    if kinds.is_list(kind):
        return pa.large_list(kind.value_type)
    if kinds.is_dictionary(kind):
        return pa.dictionary(pa.int32(), regular_type(kind.value_type), kind.ordered)
    return kind


def regular(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column in the type of `regular_type`; one that has it already is given back as it is."""
    import pyarrow as pa

    kind = regular_type(column.type)
    if kind == column.type:
        return column
    if not pa.types.is_dictionary(kind):
        return column.cast(kind)
    chunks = [
        pa.DictionaryArray.from_arrays(
            chunk.indices.cast(kind.index_type), chunk.dictionary.cast(kind.value_type), ordered=kind.ordered
        )
        for chunk in column.chunks
    ]
    return pa.chunked_array(chunks, kind)

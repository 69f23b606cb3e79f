"""Whether two wrappers hold the same, in whatever library each of them is."""

from __future__ import annotations

from mercury_core.data.backends.types import regular
from mercury_core.data.hub import arrow_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa

    from mercury_core.data.wrapper import DataWrapper


def same_values(one: DataWrapper, other: DataWrapper) -> bool:
    """Whether names, types and values are the same.

    How a type is laid out is no difference (string or large_string; the width of the codes of categories), nor is
    metadata. Null is like null, NaN like NaN, and 0.0 like -0.0.

    Raises:
        ConversionError: Data that cannot go to Arrow, where values have to be compared.
    """
    if one.field_names != other.field_names or one.num_rows != other.num_rows:
        return False
    if one.underlying is other.underlying:
        return True
    first, second = arrow_of(one), arrow_of(other)
    return all(_same_column(a, b) for a, b in zip(first.columns, second.columns, strict=True))


def _same_column(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(one.type) and pa.types.is_dictionary(other.type):
        return _same_categories(one, other)
    one, other = regular(one), regular(other)
    if one.type != other.type:
        return False
    if one.equals(other):
        return True
    # NaN is unlike itself: look again where there are floats.
    return pa.types.is_floating(one.type) and _same_floats(one, other)


def _same_floats(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    import pyarrow.compute as pc

    both_nan = pc.and_(pc.is_nan(one), pc.is_nan(other))
    same = pc.or_(pc.equal(one, other), both_nan)
    # Where one of them is null, nothing was compared: then both have to be.
    both_null = pc.and_(pc.is_null(one), pc.is_null(other))
    return pc.all(pc.coalesce(same, both_null)).as_py() is not False


def _same_categories(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    """The same labels row by row, out of the same categories; in the same order, where that has a meaning."""
    if one.type.ordered != other.type.ordered:
        return False
    known = [_categories(column) for column in (one, other)]
    if (known[0] != known[1]) if one.type.ordered else (set(known[0]) != set(known[1])):
        return False
    return _same_column(*(column.cast(column.type.value_type) for column in (one, other)))


def _categories(column: pa.ChunkedArray) -> list[object]:
    unified = column.unify_dictionaries()
    return unified.chunk(0).dictionary.to_pylist() if unified.num_chunks else []

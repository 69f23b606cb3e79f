"""Columns by name and type, as a manifest writes them down: from data, and back to Arrow's types."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from mercury_core.data import DataWrapper

#: A column with more categories than that is not held to them.
MOST_CATEGORIES = 1000


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a signature.

    Attributes:
        name: Its name.
        type: The Arrow type by its own name, as ``int64``, ``timestamp[us, tz=UTC]``; of categories that of their
            labels, ``dictionary<string>`` or ``dictionary<string, ordered>``.
        nullable: Whether the training data had nulls in it, or could not tell.
        categories: The labels that there were, in their order; None for a column without, or with more than
            `MOST_CATEGORIES`, or with labels that JSON cannot hold.
        shape: Of what one row holds, for a column of arrays, as an image of (height, width, channels): such a column
            takes file names, the content of such files, or arrays (fixed-shape tensors) of that shape. None for a
            plain column.
    """

    name: str
    type: str
    nullable: bool = True
    categories: tuple[Any, ...] | None = None
    shape: tuple[int, ...] | None = None


def fields_of(wrapper: DataWrapper) -> tuple[Field, ...]:
    """Name, type, nullability and categories of every column of a wrapper."""
    if is_matrix(wrapper):
        # NaN is a number: a matrix of floats cannot tell whether something is missing.
        nullable = wrapper.underlying.dtype.kind == "f"
        return tuple(Field(field.name, name_of(field.type), nullable) for field in wrapper.schema)
    return tuple(
        Field(name, name_of(column.type), column.null_count > 0, _categories(column))
        for name, column in zip(wrapper.field_names, columns_of(wrapper), strict=True)
    )


def null_beside(fields: Iterable[Field], wrapper: DataWrapper) -> list[str]:
    """The columns of a wrapper with nulls that the fields do not allow, where the wrapper has them at all."""
    full = [field.name for field in fields if not field.nullable and field.name in wrapper]
    if not full or is_matrix(wrapper):
        return []
    columns = zip(full, columns_of(wrapper.select(full)), strict=True)
    return [name for name, column in columns if column.null_count]


def columns_of(wrapper: DataWrapper) -> Iterable[pa.ChunkedArray]:
    """The columns in Arrow, converted one after another: all of a large frame would take its memory once more."""
    from mercury_core.data.hub import arrow_of

    if wrapper.format == "arrow":
        columns: list[pa.ChunkedArray] = wrapper.underlying.columns
        return columns
    return (arrow_of(wrapper.select([name])).column(0) for name in wrapper.field_names)


def with_shapes(fields: tuple[Field, ...], shapes: Mapping[str, tuple[int, ...]]) -> tuple[Field, ...]:
    """The fields, with the shapes of those that have one."""
    return tuple(replace(one, shape=tuple(shapes[one.name])) if one.name in shapes else one for one in fields)


def is_matrix(wrapper: DataWrapper) -> bool:
    """Whether a wrapper holds an array of numbers, of one type, where nothing can be null."""
    return wrapper.format == "numpy" and wrapper.underlying.dtype.kind in "biuf"


def _categories(column: pa.ChunkedArray) -> tuple[Any, ...] | None:
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type) or not column.num_chunks:
        return None
    known = column.unify_dictionaries().chunk(0).dictionary
    if not 0 < len(known) <= MOST_CATEGORIES:
        return None
    labels = tuple(known.to_pylist())
    return labels if all(map(is_plain, labels)) else None


def is_plain(label: object) -> bool:
    """Whether a label is a text, a number or true or false: what JSON can hold and give back as it was."""
    return isinstance(label, (str, bool, int)) or (isinstance(label, float) and math.isfinite(label))


# --- types by name ---

#: NumPy's names of numbers, by those of Arrow.
NUMBERS = {
    "bool": "bool",
    "double": "float64",
    "float": "float32",
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
}
_LONGEST_NAME = 500
_ZONED = re.compile(r"timestamp\[(\w+), tz=(.+)\]")
_DECIMAL = re.compile(r"decimal(\d+)\((\d+), (-?\d+)\)")
_DICTIONARY = re.compile(r"dictionary<(.+?)(, ordered)?>")
_LIST = re.compile(r"(?:large_)?list<[^:]+: (.+?)(?: not null)?>")
_FIXED_LIST = re.compile(r"fixed_size_list<[^:]+: (.+?)(?: not null)?>\[(\d+)\]")
_FIXED_BINARY = re.compile(r"fixed_size_binary\[(\d+)\]")


def name_of(kind: pa.DataType) -> str:
    """The name of a type; how strings are laid out is a matter of the reader, and is no part of it.

    Examples:
        >>> import pyarrow as pa
        >>> name_of(pa.dictionary(pa.int8(), pa.large_string())), name_of(pa.float64())
        ('dictionary<string>', 'double')
    """
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return f"dictionary<{name_of(kind.value_type)}{', ordered' if kind.ordered else ''}>"
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return "binary"
    return str(kind)


@lru_cache(maxsize=4096)
def type_of(name: str) -> pa.DataType | None:
    """The type of a name; None of one that is not known here, as one of a later Arrow.

    Examples:
        >>> type_of("dictionary<string, ordered>"), type_of("list<item: double>"), type_of("a later one")
        (DictionaryType(dictionary<values=string, indices=int32, ordered=1>), ListType(list<item: double>), None)
    """
    # A manifest may be anybody's: neither a type that cannot be nor a thousand lists in each other is an accident.
    try:
        return _made(name) if len(name) <= _LONGEST_NAME else None
    except (ValueError, OverflowError):
        return None


def _made(name: str) -> pa.DataType | None:
    import pyarrow as pa

    if zoned := _ZONED.fullmatch(name):
        return pa.timestamp(zoned[1], tz=zoned[2])
    if decimal := _DECIMAL.fullmatch(name):
        made = pa.decimal256 if decimal[1] == "256" else pa.decimal128
        return made(int(decimal[2]), int(decimal[3]))
    if binary := _FIXED_BINARY.fullmatch(name):
        return pa.binary(int(binary[1]))
    if (inner := _DICTIONARY.fullmatch(name)) and (value := type_of(inner[1])) is not None:
        return pa.dictionary(pa.int32(), value, ordered=bool(inner[2]))
    if (inner := _FIXED_LIST.fullmatch(name)) and (value := type_of(inner[1])) is not None:
        return pa.list_(value, int(inner[2]))
    if (inner := _LIST.fullmatch(name)) and (value := type_of(inner[1])) is not None:
        return pa.list_(value)
    return pa.type_for_alias(name)

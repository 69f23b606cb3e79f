"""Arrow to polars."""

from __future__ import annotations

from functools import partial

from mercury_core.data.conversion import naming_the_column
from mercury_core.errors import ConversionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import polars as pl
    import pyarrow as pa


def frame_of(table: pa.Table, *, enums: bool = False) -> pl.DataFrame:
    """A frame; see `mercury_core.builtin.converters.to_polars`."""
    import polars as pl
    from polars.exceptions import PolarsError

    if not table.num_columns:
        return pl.DataFrame(height=table.num_rows)
    convert = partial(_column, enums=enums)
    parts = [table.select([name]) for name in table.column_names]
    return pl.DataFrame([naming_the_column("polars", part, convert, (PolarsError,)) for part in parts])


def _column(part: pa.Table, *, enums: bool) -> pl.Series:
    import polars as pl
    import pyarrow as pa

    name, column = part.column_names[0], part.column(0)
    kinds, kind = pa.types, column.type
    strange = _strange(kind)
    if strange is not None:
        raise ConversionError(name, "Arrow", "polars", f"polars has no type like {strange}", "Cast it first.")
    if kinds.is_dictionary(kind):
        return _categories(name, column, enums=enums)
    if kinds.is_date64(kind):
        column = column.cast(pa.date32())
    elif (kinds.is_timestamp(kind) or kinds.is_duration(kind)) and kind.unit == "s":
        # Cast by Arrow, which refuses what does not fit.
        column = column.cast(pa.timestamp("ms", kind.tz) if kinds.is_timestamp(kind) else pa.duration("ms"))
    return pl.Series(name, pl.from_arrow(column, rechunk=False))


def _strange(kind: pa.DataType) -> pa.DataType | None:
    """A type that polars does not have, here or further inside: its reader would panic."""
    import pyarrow as pa

    kinds = pa.types
    checks = (kinds.is_map, kinds.is_union, kinds.is_run_end_encoded, kinds.is_decimal256, kinds.is_interval)
    if any(check(kind) for check in checks) or isinstance(kind, pa.BaseExtensionType):
        return kind
    if kinds.is_dictionary(kind):
        return _strange(kind.value_type)
    inner = (_strange(kind.field(place).type) for place in range(kind.num_fields))
    return next((found for found in inner if found is not None), None)


def _categories(name: str, column: pa.ChunkedArray, *, enums: bool) -> pl.Series:
    """An Enum keeps categories and their order; a Categorical keeps those that some row has."""
    import polars as pl
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if not (pa.types.is_string(kind.value_type) or pa.types.is_large_string(kind.value_type)):
        why = f"its categories are {kind.value_type}, and polars has only strings as categories"
        raise ConversionError(name, "Arrow", "polars", why, "Cast it to the type of its categories.")
    unified = column.unify_dictionaries()
    categories = unified.chunk(0).dictionary.to_pylist() if unified.num_chunks else []
    if kind.ordered or enums:
        labels: Any = pl.from_arrow(column.cast(kind.value_type))
        return pl.Series(name, labels).cast(pl.Enum(categories))
    used = pc.count_distinct(pa.chunked_array([part.indices for part in unified.chunks], kind.index_type)).as_py()
    if used < len(categories):
        lost = f"{len(categories) - used} of its {len(categories)} categories"
        why = f"{lost} are in no row, and polars' Categorical would lose them"
        todo = "Convert with enums=True, which keeps them all, in the order that they have."
        raise ConversionError(name, "Arrow", "polars", why, todo)
    return pl.Series(name, pl.from_arrow(column, rechunk=False))

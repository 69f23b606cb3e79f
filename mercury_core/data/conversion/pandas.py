"""Arrow to pandas, column by column in the type that keeps its meaning."""

from __future__ import annotations

from mercury_core.data.backends.types import regular
from mercury_core.data.conversion import naming_the_column

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import pandas as pd
    import pyarrow as pa


def frame_of(table: pa.Table) -> pd.DataFrame:
    """A frame with the row numbers as its index; see `mercury_core.builtin.converters.to_pandas`."""
    import pandas as pd

    # Metadata that pandas once wrote (as into a Parquet file) would turn columns into an index.
    table = table.replace_schema_metadata(None)
    table = _with_signed_codes(table)
    special = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind = _special_type(column)
        if kind is not None:
            special[name] = naming_the_column("pandas", table.select([name]), _as(kind))
    plain = table.drop_columns(list(special)) if special else table
    frame: pd.DataFrame = naming_the_column("pandas", plain, lambda part: part.to_pandas(split_blocks=True))
    if not special:
        return frame
    columns = {name: special[name] if name in special else frame[name] for name in table.column_names}
    return pd.DataFrame(columns, copy=False)


def _with_signed_codes(table: pa.Table) -> pa.Table:
    """Unsigned codes of categories, as polars gives them, are not taken by every version of pyarrow."""
    import pyarrow as pa

    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type) and pa.types.is_unsigned_integer(field.type.index_type):
            table = table.set_column(place, field.name, regular(table.column(place)))
    return table


def _as(kind: Any) -> Any:
    def convert(part: pa.Table) -> pd.Series[Any]:
        import pandas as pd

        return pd.Series(kind.__from_arrow__(part.column(0)), copy=False)

    return convert


def _special_type(column: pa.ChunkedArray) -> Any:
    """The type for what NumPy's types, and pandas' strings and categories, cannot hold; None where they can."""
    import pandas as pd
    import pyarrow as pa

    kinds, kind = pa.types, column.type
    if kinds.is_boolean(kind):
        return pd.BooleanDtype() if column.null_count else None
    if kinds.is_integer(kind):
        name = str(kind).replace("uint", "UInt").replace("int", "Int")
        return pd.api.types.pandas_dtype(name) if column.null_count else None
    is_plain = (
        kinds.is_floating,
        kinds.is_string,
        kinds.is_large_string,
        kinds.is_string_view,
        kinds.is_dictionary,
        kinds.is_timestamp,
        kinds.is_duration,
        kinds.is_null,
    )
    return None if any(check(kind) for check in is_plain) else pd.ArrowDtype(kind)

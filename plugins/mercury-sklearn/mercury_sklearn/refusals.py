"""What was wrong with the data when an estimator refused it, in one sentence, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mercury_sklearn.inputs import is_number

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from mercury_core.data import DataWrapper

_FILL = "Fill them with sklearn.preprocess, or choose an estimator that takes them, as HistGradientBoosting{}."


def explain(error: BaseException, features: DataWrapper) -> tuple[str, str]:
    """Explain an error of an estimator by the data that it was given.

    Args:
        error: What the estimator raised.
        features: What it was given.

    Returns:
        Why, and what to do; where the data tells nothing, the estimator's own words and nothing.
    """
    said = str(error)
    table = features.to("arrow").underlying
    columns = dict(zip(table.column_names, table.columns, strict=True))
    if "only supported for dataframes" in said:
        todo = "A data frame has names: pip install pandas, and leave `input` out or set it to pandas."
        return "it takes columns by name, and a matrix has none", todo
    words = {name: column for name, column in columns.items() if not is_number(column.type)}
    if words and any(mark in said for mark in ("string", "str", "float", "convert", "dtype", "numeric", "number")):
        return _not_numbers(words)
    missing = [name for name, column in columns.items() if count_missing(column)]
    empty = [name for name in missing if count_missing(columns[name]) == len(columns[name])]
    if empty and any(mark in said for mark in ("NaN", "missing", "None")):
        return f"{listed(empty)} no value in any row", "Leave out of the features what holds nothing."
    if missing and any(mark in said for mark in ("NaN", "missing", "None")):
        kind = "Classifier or Regressor"
        return f"{listed(missing)} missing values, and missing values are refused", _FILL.format(kind)
    infinite = [name for name, column in columns.items() if _has_infinity(column)]
    if infinite and "infinity" in said:
        return f"{listed(infinite)} infinite values", "Replace them before."
    lines = [line.strip() for line in said.splitlines() if line.strip()] or [type(error).__name__]
    todo = (
        f"Note that {listed(empty)} no value in any row: leave out of the features what holds nothing." if empty else ""
    )
    return (lines[0] if isinstance(error, ValueError) else f"{type(error).__name__}: {lines[0]}"), todo


def listed(names: Iterable[str]) -> str:
    """The columns as the subject of a sentence, with the verb: ``the columns 'a', 'b' have``."""
    names = list(names)
    shown = ", ".join(map(repr, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
    return f"the columns {shown} have" if len(names) > 1 else f"the column {shown} has"


def count_missing(column: pa.ChunkedArray) -> int:
    """How many values are null or NaN."""
    import pyarrow as pa

    if not pa.types.is_floating(column.type):
        return int(column.null_count)
    import pyarrow.compute as pc

    return int(pc.sum(pc.is_null(column, nan_is_null=True)).as_py() or 0)


def _has_infinity(column: pa.ChunkedArray) -> bool:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pa.types.is_floating(column.type) and bool(pc.any(pc.is_inf(column)).as_py())


def _not_numbers(columns: dict[str, pa.ChunkedArray]) -> tuple[str, str]:
    for name, column in columns.items():
        odd = odd_one(column, 0.5)
        if odd is not None:
            return (
                f"the column {name!r} holds {odd!r} among numbers",
                f"Correct it in the source, or name it to the reader as a missing value, null_values: [{odd!r}].",
            )
    kinds = ", ".join(f"{name!r} ({column.type})" for name, column in list(columns.items())[:8])
    plural = len(columns) > 1
    return (
        f"it takes numbers, and the column{'s' if plural else ''} {kinds} hold{'' if plural else 's'} none",
        "Encode with sklearn.preprocess, or leave out of the features.",
    )


def odd_one(column: pa.ChunkedArray, most: float) -> str | None:
    """The first text that is no number, in a column where nearly all of them are.

    Args:
        column: Of any type; one that holds no text has none.
        most: The share of the different values that may be odd.
    """
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return None
    values = column.drop_null().unique().to_pylist()
    # A long column of texts is known for what it is by its first values.
    if sum(map(_is_number, values[:200])) * 2 < len(values[:200]):
        return None
    odd = [value for value in values if not _is_number(value)]
    return odd[0] if odd and len(odd) < len(values) * most else None


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True

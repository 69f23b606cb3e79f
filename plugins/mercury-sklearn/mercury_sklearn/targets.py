"""From target columns to what an estimator takes: labels as they are, checked before any work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercury_core.errors import FitError
from mercury_sklearn.refusals import count_missing

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from mercury_core.data import DataWrapper

    Array = np.ndarray[Any, Any]


def target_array(targets: DataWrapper, what: str, kind: str | None) -> tuple[Array, list[str]]:
    """Targets as NumPy.

    Args:
        targets: One column or several.
        what: The estimator, for the errors.
        kind: ``classifier``, ``regressor`` or another type of estimator.

    Returns:
        One dimension for one target, rows × targets for several; and the Arrow type of each.

    Raises:
        FitError: Missing values; a classifier with one class, or with numbers that are no classes; a regressor with
            words.
    """
    import numpy as np

    table = targets.to("arrow").underlying
    columns = [_plain(column) for column in table.columns]
    for name, column in zip(table.column_names, columns, strict=True):
        _check(name, column, what, kind)
    arrays = [_array(column) for column in columns]
    types = [str(column.type) for column in columns]
    if len(arrays) == 1:
        if kind == "classifier":
            _check_classes(table.column_names[0], columns[0], what)
        return arrays[0], types
    if len({array.dtype.kind in "US" for array in arrays}) > 1:
        raise FitError(what, "its targets are words and numbers at once", "Fit one model for each target.")
    # Several labels of a row each are indicators: scikit-learn knows them as 0 and 1.
    return np.column_stack([array.astype(np.int64) if array.dtype.kind == "b" else array for array in arrays]), types


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _array(column: pa.ChunkedArray) -> Array:
    import pyarrow as pa

    array: Array = column.to_numpy()
    # Fixed-width text sorts faster than objects, and is stored without pickle.
    return array if pa.types.is_primitive(column.type) else array.astype(str)


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _check(name: str, column: pa.ChunkedArray, what: str, kind: str | None) -> None:
    import pyarrow as pa

    missing = count_missing(column)
    if missing:
        raise FitError(
            what,
            f"the target {name!r} has {missing} missing value{'s' if missing > 1 else ''} in {len(column)} rows",
            "Leave out these rows.",
        )
    numeric = pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)
    if not numeric and not _is_text(column.type):
        raise FitError(
            what,
            f"the target {name!r} is of type {column.type}",
            "Expected numbers, texts or booleans: convert it first.",
        )
    if kind == "regressor" and not numeric:
        raise FitError(
            what,
            f"the target {name!r} holds words, as {column[0].as_py()!r}, and a regressor predicts numbers",
            "Choose a classifier, or name another target.",
        )
    if kind == "classifier" and pa.types.is_floating(column.type):
        import pyarrow.compute as pc

        odd = column.filter(pc.not_equal(column, pc.floor(column)))
        if len(odd):
            raise FitError(
                what,
                f"the target {name!r} holds numbers that are no classes, as {odd[0].as_py()!r}",
                "Choose a regressor, or make classes of them first.",
            )


def _check_classes(name: str, column: pa.ChunkedArray, what: str) -> None:
    classes = column.slice(0, 1000).unique()
    if len(classes) == 1:
        classes = column.unique()
    if len(classes) == 1:
        raise FitError(
            what,
            f"the target {name!r} has one class only, {classes[0].as_py()!r}",
            "A classifier needs rows of two classes at least: look at the source and at the split.",
        )

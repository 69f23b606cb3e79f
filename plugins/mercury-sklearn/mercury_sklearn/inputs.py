"""From feature columns to what an estimator takes, by name and in the order of training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercury_core.data.matrix import decimals_as_floats
from mercury_core.errors import ConversionError, MissingColumnsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from mercury_core.data import DataWrapper


def tags_of(estimator: Any) -> Any:
    """scikit-learn's tags, or None for an estimator that has none, as one of another package may be."""
    from sklearn.utils import get_tags

    try:
        return get_tags(estimator)
    except (AttributeError, TypeError, ValueError):
        return None


def type_of(estimator: Any) -> str | None:
    """``classifier``, ``regressor``, ``clusterer``, ``outlier_detector``, ``density_estimator``, or None."""
    tags = tags_of(estimator)
    kind = getattr(estimator, "_estimator_type", None) if tags is None else tags.estimator_type
    return kind if isinstance(kind, str) else None


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of that type can stand in a matrix of numbers as it is."""
    import pyarrow as pa

    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(kind) for test in tests)


def choose(features: DataWrapper, estimator: Any, wanted: str = "auto") -> str:
    """Decide how the features are handed to an estimator.

    Args:
        features: The features of training.
        estimator: The unfitted estimator.
        wanted: ``auto``, ``numpy``, ``pandas``, ``polars``, or ``text``: one column as one dimension, as text
            vectorizers take documents and encoders labels.

    Returns:
        `wanted`, and for ``auto``: ``text`` where the estimator takes documents and there is one column, else ``numpy``
        where every column is numeric, else ``pandas``, or ``polars``, whichever is installed, else ``numpy``.
    """
    from importlib.util import find_spec

    if wanted != "auto":
        return wanted
    if len(features.field_names) == 1 and _takes_documents(estimator):
        return "text"
    if all(is_number(kind) for kind in features.schema.types):
        return "numpy"
    return next((name for name in ("pandas", "polars") if find_spec(name)), "numpy")


def _takes_documents(estimator: Any) -> bool:
    steps = getattr(estimator, "steps", None)
    tags = tags_of(steps[0][1] if steps else estimator)
    if tags is None or tags.input_tags.two_d_array:
        return False
    return bool(tags.input_tags.string or tags.target_tags.one_d_labels)


def select(features: DataWrapper, names: Sequence[str], where: str) -> DataWrapper:
    """The columns by name; extra ones are left out.

    Raises:
        MissingColumnsError: Columns are missing.
    """
    found = tuple(features.field_names)
    if found == tuple(names):
        return features
    there = set(found)
    missing = [name for name in names if name not in there]
    if missing:
        raise MissingColumnsError(where, missing, found)
    return features.select(list(names))


def matrix(features: DataWrapper, kind: str) -> Any:
    """Features as an estimator takes them: rows × columns, or for ``text`` one document a row.

    Args:
        features: The columns, in the order of training.
        kind: What `choose` gave.

    Raises:
        ConversionError: A column that cannot stand there without losing its meaning.
    """
    if kind == "numpy" and features.format == "numpy" and features.underlying.dtype.kind in "biuf":
        return features.underlying  # it is one already
    features = decimals_as_floats(features)
    if kind == "text":
        return features.to("numpy", dtype="object").underlying.ravel()
    if kind == "numpy" and not all(is_number(each) for each in features.schema.types):
        values = features.to("numpy", dtype="object").underlying.copy()
        # What scikit-learn takes as missing among objects, as pandas would give it.
        values[values == None] = float("nan")  # noqa: E711 -- element by element
        return values
    return (_with_floats(features) if kind == "pandas" else features).to(kind).underlying


def _with_floats(features: DataWrapper) -> DataWrapper:
    """Whole numbers and booleans with nulls as floats: scikit-learn knows NaN, and not the NA of pandas' own types."""
    import pyarrow as pa

    table = features.to("arrow").underlying
    holes = [
        name
        for name, column in zip(table.column_names, table.columns, strict=True)
        if column.null_count and (pa.types.is_integer(column.type) or pa.types.is_boolean(column.type))
    ]
    for name in holes:
        place = table.column_names.index(name)
        try:
            table = table.set_column(place, name, table.column(place).cast(pa.float64()))
        except pa.ArrowInvalid as error:
            todo = "Scale it down, or make it text."
            raise ConversionError(name, "Arrow", "floats", "it holds numbers that float64 would round", todo) from error
    return type(features)(table) if holes else features

"""From feature columns to the inputs of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mercury_core.errors import FitError
from mercury_keras.specs import InputSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from mercury_core.data import DataWrapper

#: The input of all columns of numbers.
TABLE = "table"


def input_specs(features: DataWrapper, what: str = "a Keras model") -> tuple[InputSpec, ...]:
    """The inputs of a model of those features.

    Args:
        features: Columns of numbers, booleans and images.
        what: The model, for the errors.

    Returns:
        All columns of numbers as one input ``table``, in their order, and after it an input of its own name for each
        column of images.

    Raises:
        FitError: A column of text or of another type that is no number; a column of images named ``table`` beside
            numbers; no column at all.

    Examples:
        >>> from mercury_core.data import DataWrapper
        >>> input_specs(DataWrapper({"age": [31, 44], "height": [1.7, 1.8]}))
        (InputSpec(name='table', columns=('age', 'height'), image=None),)
    """
    from mercury_keras.images.spec import image_columns

    images = image_columns(features)
    numbers = [name for name in features.field_names if name not in images]
    if not numbers and not images:
        raise FitError(what, "there are no feature columns", "Name some in the roles of the reader.")
    for field in features.schema:
        if field.name not in images and not _is_number(field.type):
            raise FitError(what, f"the feature {field.name!r} is of type {field.type}", _advice(field.type))
    table = [InputSpec(TABLE, tuple(numbers))] if numbers else []
    if table and TABLE in images:
        raise FitError(
            what,
            f"a column of images is named {TABLE!r}, as is the input of the columns of numbers",
            "Name the images otherwise.",
        )
    return (*table, *(InputSpec(name, (name,), image) for name, image in images.items()))


def check_numbers(features: DataWrapper, inputs: Sequence[InputSpec], what: str, where: str) -> None:
    """Refuse what would make every prediction, and from the first batch on every weight, NaN.

    Args:
        features: Of training or validation.
        inputs: Of the model; columns of images are passed over.
        what: The model, for the errors.
        where: The data set, for the errors.

    Raises:
        FitError: A column with missing or infinite numbers; it names the column and counts them.
    """
    import numpy as np

    for name in (name for one in inputs if one.image is None for name in one.columns):
        if features.format == "arrow":
            column = features.underlying.column(name)
            nulls, values = column.null_count, column.drop_null().to_numpy()
        else:
            nulls, values = 0, features[name].to("numpy", dtype="float64").underlying
        # The sum is not finite where a number is not, and takes no memory.
        with np.errstate(over="ignore", invalid="ignore"):
            suspect = values.dtype.kind == "f" and not np.isfinite(values.sum())
        odd = int(np.count_nonzero(~np.isfinite(values))) if suspect else 0
        if nulls or odd:
            count, total = nulls + odd, features.num_rows
            raise FitError(
                what,
                f"the feature {name!r} of {where!r} has {count} missing or infinite value{'s' * (count != 1)} in "
                f"{total} rows",
                "Fill them with sklearn.preprocess, or leave out these rows.",
            )


def _is_number(kind: pa.DataType) -> bool:
    import pyarrow as pa

    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    return any(test(kind) for test in tests)


def _advice(kind: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_temporal(kind):
        return "Expected numbers: make some of it, as the days since a date."
    return "Expected numbers: make some of it with sklearn.preprocess, or read images with keras.images."

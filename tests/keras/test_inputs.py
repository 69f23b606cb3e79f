"""The inputs of a Keras model, from feature columns."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from mercury_keras.images.spec import with_spec
from mercury_keras.inputs import check_numbers, input_specs
from mercury_keras.specs import ImageSpec, InputSpec

from mercury_core.data import DataWrapper
from mercury_core.errors import FitError

IMAGE = ImageSpec(8, 6, "grayscale")


def with_images(columns: dict[str, Any], *images: str) -> DataWrapper:
    table = pa.table(columns)
    fields = [with_spec(field, IMAGE) if field.name in images else field for field in table.schema]
    return DataWrapper(table.cast(pa.schema(fields)))


def test_all_numbers_are_one_input() -> None:
    columns = {"a": [1, 2], "b": [0.5, 1.5], "c": [True, False], "d": [Decimal("1.5"), Decimal("2.5")]}
    (spec,) = input_specs(DataWrapper(columns))
    assert spec == InputSpec("table", ("a", "b", "c", "d"))
    assert spec.shape == (4,)
    assert input_specs(DataWrapper(np.zeros((2, 3)), ["x", "y", "z"]))[0].columns == ("x", "y", "z")


def test_each_column_of_images_is_an_input_of_its_own() -> None:
    features = with_images({"front": ["a.png"], "age": [31], "side": ["b.png"], "size": [1.7]}, "front", "side")
    table, front, side = input_specs(features)
    assert table == InputSpec("table", ("age", "size"))
    assert (front, side) == (InputSpec("front", ("front",), IMAGE), InputSpec("side", ("side",), IMAGE))
    assert front.shape == (8, 6, 1)
    assert input_specs(features.select(["side"])) == (side,)


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"island": ["a", "b"]}, r"the feature 'island' is of type string\. .*sklearn\.preprocess, or .*keras\.images"),
        ({"day": [date(2020, 1, 1)]}, r"'day' is of type date32.* as the days since a date\."),
        ({"parts": [[1, 2]]}, r"'parts' is of type list"),
        (np.zeros((2, 0)), r"there are no feature columns"),
        (with_images({"table": ["a.png"], "age": [1]}, "table"), r"a column of images is named 'table'"),
    ],
)
def test_what_cannot_be_an_input(features: Any, said: str) -> None:
    with pytest.raises(FitError, match=said) as raised:
        input_specs(DataWrapper(features), "my model")
    assert "my model" in str(raised.value)


@pytest.mark.parametrize("kind", ["arrow", "numpy", "pandas", "polars"])
@pytest.mark.parametrize(
    ("column", "count"),
    [
        ([1.0, 2.0, 3.0], 0),
        ([1.0, float("nan"), 3.0], 1),
        ([float("inf"), float("-inf"), 3.0], 2),
        ([1.0, None, 3.0], 1),
    ],
)
def test_numbers_that_are_none(kind: str, column: list[Any], count: int) -> None:
    pytest.importorskip("pyarrow" if kind == "arrow" else kind)
    features = DataWrapper(pa.table({"good": [1.0, 2.0, 3.0], "bad": column})).to(kind)
    inputs = input_specs(features)
    if not count:
        check_numbers(features, inputs, "my model", "valid")
        return
    with pytest.raises(
        FitError, match=rf"the feature 'bad' of 'valid' has {count} missing or infinite value.* in 3 rows"
    ):
        check_numbers(features, inputs, "my model", "valid")


def test_numbers_of_every_kind_are_looked_at() -> None:
    columns = {"whole": [1, 2], "truth": [True, None], "exact": [Decimal("1.5"), Decimal("2.5")]}
    features = DataWrapper(columns)
    with pytest.raises(FitError, match=r"'truth' of 'train' has 1 missing"):
        check_numbers(features, input_specs(features), "my model", "train")
    check_numbers(features.select(["whole", "exact"]), [InputSpec("table", ("whole", "exact"))], "my model", "train")
    huge = DataWrapper({"huge": [1e308, 1e308]})  # their sum is infinite, and none of them
    check_numbers(huge, input_specs(huge), "my model", "train")

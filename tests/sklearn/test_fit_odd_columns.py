"""Columns of types that scikit-learn has no word for, and columns with nothing in them."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from mercury_core import DataBunch, DataSet, fit_model, load_model, store_model
from mercury_core.errors import FitError

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 40


def bunch(**columns: object) -> DataBunch:
    table = pa.table({"a": [n % 7 for n in range(ROWS)], **columns, "y": ["p", "q"] * (ROWS // 2)})
    return DataBunch({"train": DataSet.from_table(table, {"targets": "y"})})


@pytest.mark.parametrize(
    ("estimator", "categories"),
    [
        ("LogisticRegression", False),
        ("HistGradientBoostingClassifier", False),
        ("HistGradientBoostingClassifier", True),
    ],
)
def test_decimals_are_numbers(tmp_path: Path, estimator: str, categories: bool) -> None:
    if categories:  # columns by name need a library of data frames
        pytest.importorskip("pandas")
    prices = [Decimal(n) / 4 for n in range(ROWS)]
    more = {"c": pa.array(["1", "2"] * (ROWS // 2)).dictionary_encode()} if categories else {}
    decimals, floats = (bunch(price=values, **more) for values in (prices, [float(one) for one in prices]))
    params = {"categorical_features": ["c"]} if more else {}
    model = fit_model(decimals, estimator=estimator, params=params)
    store_model(model, tmp_path / "m", format="sklearn.skops")
    expected = fit_model(floats, estimator=estimator, params=params).predict(floats["train"])
    for one in (model, load_model(tmp_path / "m")):
        scores = one.predict(decimals["train"]).scores
        assert scores.to("arrow").underlying.equals(expected.scores.to("arrow").underlying)


@pytest.mark.parametrize("estimator", ["LogisticRegression", "HistGradientBoostingClassifier", "KNeighborsClassifier"])
def test_a_column_without_a_value_is_named(estimator: str) -> None:
    with pytest.raises(FitError, match=r"the column 'nothing' has no value in any row.*[Ll]eave out of the features"):
        fit_model(bunch(nothing=pa.nulls(ROWS, pa.float64())), estimator=estimator)

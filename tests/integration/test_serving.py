"""No skew: random raw rows are predicted alike by the training, by the file, by its copy, and over HTTP."""

from __future__ import annotations

import http.client
import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from mercury_core import (
    Bundle,
    DataSet,
    copy,
    fit_model,
    load_model,
    read_data_bunch,
    serve_model,
    store_model,
    transform_data_bunch,
    verify,
)  # fmt: skip
from mercury_core.data.prediction_table import prediction_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    #: Trained, loaded, and loaded from a copy; the URL that serves it; where they lie.
    Models = tuple[list[Bundle], str, Path]

PENGUINS = "examples/penguins/data/penguins.csv"
FEATURES = ["island", "bill_length_mm", "sex"]
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "island": st.sampled_from(["Biscoe", "Dream", "Torgersen", "Atlantis"]),
            "bill_length_mm": st.none() | st.floats(-1e3, 1e3),
            "sex": st.sampled_from(["male", "female", None]),
        }
    ),
    min_size=1,
    max_size=20,
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    home = tmp_path_factory.mktemp("models")
    bunch = read_data_bunch(PENGUINS, roles={"features": FEATURES, "targets": ["species"]})
    bunch = transform_data_bunch(bunch, "split", into={"train": 0.7, "test": 0.3}, seed=7)
    bunch = transform_data_bunch(bunch, "sklearn.preprocess")
    trained = fit_model(bunch, "sklearn.fit", estimator="LogisticRegression", params={"max_iter": 1000})
    store_model(trained, home / "saved", format="sklearn.skops")
    copy(home / "saved", home / "copied")
    with serve_model(home / "copied", port=0) as service:  # type: ignore[attr-defined]
        yield [trained, load_model(home / "saved"), load_model(home / "copied")], service.url, home


def served(url: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=30)
    try:
        connection.request("POST", "/predict", json.dumps(rows), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        told = json.loads(answer.read())
    finally:
        connection.close()
    assert answer.status == 200, told
    found: list[dict[str, Any]] = told["predictions"]
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_predictions_are_the_same_everywhere(models: Models, rows: list[dict[str, Any]]) -> None:
    bundles, url, _ = models
    kinds = {"island": pa.string(), "bill_length_mm": pa.float64(), "sex": pa.string()}
    table = pa.table({name: pa.array([row[name] for row in rows], kind) for name, kind in kinds.items()})
    data_set = DataSet({"features": table})
    first, *others = [prediction_table(data_set, bundle.predict(data_set)).to_pylist() for bundle in bundles]
    assert not any(isinstance(value, float) and math.isnan(value) for row in first for value in row.values())
    assert [*others, served(url, rows)] == [first] * 3


def test_the_golden_rows_hold_over_http(models: Models) -> None:
    _, url, home = models
    report = verify(home / "saved", against=url)
    assert (report.holds, report.largest) == (True, 0.0)

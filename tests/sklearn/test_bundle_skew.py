"""No skew: a raw row is predicted alike, to the last bit, in the training session, by the file and by a copy of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from mercury_core import (
    Bundle,
    DataBunch,
    DataSet,
    DataWrapper,
    copy,
    fit_model,
    load_model,
    store_model,
    transform_data_bunch as transform,
    verify,
)
from mercury_core.data.prediction_table import prediction_table

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

if TYPE_CHECKING:
    from pathlib import Path

LABELS, SIZES = ("north", "south", "east"), ("small", "large")
ESTIMATORS: dict[str, dict[str, Any]] = {
    "LogisticRegression": {"max_iter": 50},
    "RandomForestClassifier": {"n_estimators": 3, "random_state": 0},
    "GradientBoostingClassifier": {"n_estimators": 3},
}


def training_rows() -> pa.Table:
    random = np.random.default_rng(7)
    count = 80
    age = [None if n % 9 == 0 else int(n * 37 % 90) for n in range(count)]
    return pa.table(
        {
            "age": pa.array(age, pa.int64()),
            "mass": random.normal(size=count) * 1e3,
            "ratio": pa.array([None if n % 11 == 0 else float(np.float32(n / 7)) for n in range(count)], pa.float32()),
            "place": [LABELS[n % 3] if n % 13 else None for n in range(count)],
            "size": pa.array([SIZES[n % 5 % 2] for n in range(count)]).dictionary_encode(),
            "flag": [n % 4 == 0 for n in range(count)],
            "kind": [("no", "yes", "maybe")[n % 7 % 3] for n in range(count)],
        }
    )


class Trained:
    """A model in three places.

    Attributes:
        bundle: As it was trained.
        loaded: Out of its file.
        copied: Out of a copy of the file.
        uri: Of the copy.
    """

    def __init__(self, estimator: str, path: Path) -> None:
        train = DataSet.from_table(training_rows(), {"targets": "kind"})
        bunch = transform(DataBunch({"train": train}), "sklearn.preprocess")
        self.bunch = bunch
        self.bundle: Bundle = fit_model(bunch, "sklearn.fit", estimator=estimator, params=ESTIMATORS[estimator])
        stored = store_model(self.bundle, path / "m", format="sklearn.skops")
        self.uri = str(copy(stored.uri, path / "copy").target)
        self.loaded, self.copied = load_model(stored.uri), load_model(self.uri)


@pytest.fixture(scope="module", params=list(ESTIMATORS))
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return Trained(request.param, tmp_path_factory.mktemp(request.param))


ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "age": st.none() | st.integers(-(2**53), 2**53),
            "mass": st.floats(-1e12, 1e12),
            "ratio": st.none() | st.floats(-1e6, 1e6, width=32),
            "place": st.none() | st.sampled_from([*LABELS, "unseen"]),
            "size": st.sampled_from(SIZES),
            "flag": st.booleans(),
        }
    ),
    min_size=1,
    max_size=8,
)
SCHEMA = pa.schema(
    [
        ("age", pa.int64()),
        ("mass", pa.float64()),
        ("ratio", pa.float32()),
        ("place", pa.string()),
        ("size", pa.string()),
        ("flag", pa.bool_()),
    ]
)


def bits(model: Bundle, rows: Any) -> dict[str, Any]:
    """What a model predicts, with the bytes of all numbers."""
    data_set = rows if isinstance(rows, DataSet) else DataSet({"features": rows})
    table = prediction_table(data_set, model.predict(data_set))
    numbers = (pa.types.is_floating, pa.types.is_integer)
    return {
        name: column.to_numpy().tobytes() if any(test(column.type) for test in numbers) else column.to_pylist()
        for name, column in zip(table.column_names, table.columns, strict=True)
    }


@given(rows=ROWS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_raw_row_is_predicted_alike_everywhere(trained: Trained, rows: list[dict[str, Any]]) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    by_hand = trained.bundle.transforms[0].apply(
        trained.bundle.signature.fit_rows(DataSet({"features": table}))
    )  # the very pipeline of training, without the bundle
    values = trained.bundle.model.predict(by_hand)
    expected = bits(trained.bundle, table)
    assert expected["prediction"] == values.values.to("arrow").underlying.column(0).to_pylist()
    assert bits(trained.loaded, table) == expected == bits(trained.copied, table)


@given(rows=ROWS, order=st.permutations(SCHEMA.names))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_library_and_order_the_rows_come_in(
    trained: Trained, rows: list[dict[str, Any]], order: list[str]
) -> None:
    table = pa.Table.from_pylist(rows, SCHEMA)
    expected = bits(trained.bundle, table)
    other = table.select(order).append_column("extra", pa.array(["x"] * len(rows)))
    frame = pd.DataFrame(
        {"age": pd.array([row["age"] for row in rows], "Int64"), "mass": [row["mass"] for row in rows]}
        | {"ratio": np.array([np.nan if row["ratio"] is None else row["ratio"] for row in rows], np.float32)}
        | {"place": pd.Series([row["place"] for row in rows], dtype="str")}
        | {"size": pd.Categorical([row["size"] for row in rows], ["large", "small"])}
        | {"flag": [row["flag"] for row in rows]}
    )
    for same in (other, frame, pl.DataFrame(pl.from_arrow(table))):
        assert bits(trained.loaded, same) == expected


def test_the_training_data_themselves(trained: Trained) -> None:
    raw = training_rows()
    session = bits(trained.bundle, trained.bunch["train"])
    assert bits(trained.bundle, raw) == session == bits(trained.loaded, raw) == bits(trained.copied, raw)


def test_golden_rows_hold_to_the_last_bit(trained: Trained) -> None:
    report = verify(trained.uri)
    assert (report.rows, report.largest, report.holds) == (10, 0.0, True)
    golden = trained.loaded.golden
    assert golden is not None
    assert all(golden.rows[name].null_count for name in ("age", "ratio", "place"))
    assert golden.predictions.column_names == ["prediction", "score_maybe", "score_no", "score_yes"]


def test_a_server_predicts_the_golden_rows_alike(trained: Trained) -> None:
    server = pytest.importorskip("mercury_http.server")
    service = server.serve(trained.copied, port=0)
    try:
        report = verify(trained.uri, against=service.url)
    finally:
        service.stop()
    assert (report.rows, report.largest, report.holds) == (10, 0.0, True)


def test_a_pipeline_predicts_as_scikit_learn_calls_it_though_its_steps_run_once() -> None:
    from mercury_sklearn.model import SklearnModel
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import Pipeline, make_pipeline
    from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

    calls = []

    def seen(rows: Any) -> Any:
        calls.append(len(rows))
        return rows

    inner = Pipeline([("scale", MinMaxScaler()), ("nothing", "passthrough"), ("model", LogisticRegression())])
    pipeline = make_pipeline(StandardScaler(), FunctionTransformer(seen), inner)
    random = np.random.default_rng(3)
    rows = random.normal(size=(300, 4))
    pipeline.fit(rows, rows.sum(axis=1) > 0)
    found = SklearnModel(pipeline, list("abcd"), ["y"], "numpy", ["bool"])
    calls.clear()
    predictions = found.predict(DataSet({"features": DataWrapper(rows, list("abcd"))}))
    assert calls == [300]
    assert predictions.values.to("numpy").underlying[:, 0].tolist() == pipeline.predict(rows).tolist()
    assert predictions.scores is not None
    assert predictions.scores.to("numpy").underlying.tobytes() == pipeline.predict_proba(rows).tobytes()

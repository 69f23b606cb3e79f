"""Predictions from a source to a file: what is read, what is written, and what is left when it fails."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mercury_core import Bundle, DataSet, DataWrapper, Predictions, tasks
from mercury_core.bundle import Field, Signature
from mercury_core.data.prediction_table import prediction_table
from mercury_core.errors import (
    ArgumentsError,
    MissingColumnsError,
    ObjectNotFoundError,
    PredictError,
    ReadError,
    StoreAccessError,
    UnknownEndingError,
)
from mercury_core.predicting import predict_to_file

if TYPE_CHECKING:
    from pathlib import Path

SIGNATURE = Signature(
    inputs=(Field("a", "double"), Field("b", "double")),
    targets=(Field("kind", "string"),),
    index=("id",),
    classes=("no", "yes"),
)


class Threshold:
    """Says yes where a + b is above one; the score is the sum, held to 0 … 1."""

    underlying = None

    def predict(self, data_set: DataSet) -> Predictions:
        rows = data_set.features.to("numpy").underlying.astype(float)
        yes = np.clip(rows.sum(axis=1) / 2, 0, 1)
        values = pa.table({"kind": [("no", "yes")[int(score > 0.5)] for score in yes]})
        scores = DataWrapper(np.column_stack([1 - yes, yes]), ["no", "yes"])
        return Predictions(DataWrapper(values), scores, ("no", "yes"))


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> str:
    """A stored model, by name."""
    bundle = Bundle(Threshold(), signature=SIGNATURE)

    def load(uri: str, *, trusted: Any = (), trust: bool = False, stores: Any = None) -> Bundle:
        if uri != "models/m":
            raise ObjectNotFoundError(uri)
        return bundle

    monkeypatch.setattr(tasks, "load_model", load)
    return "models/m"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "rows.csv"
    path.write_text("b,unknown,id,a\n0.25,x,7,0.5\n1.0,y,8,0.75\n0.5,z,9,0.25\n")
    return path


EXPECTED = {
    "id": [7, 8, 9],
    "prediction": ["no", "yes", "no"],
    "score_no": [0.625, 0.125, 0.625],
    "score_yes": [0.375, 0.875, 0.375],
}


def test_parquet(model: str, source: Path, tmp_path: Path) -> None:
    written = predict_to_file(model, source, tmp_path / "out" / "p.parquet")
    assert pq.read_table(tmp_path / "out" / "p.parquet").to_pydict() == EXPECTED
    assert (written.num_rows, written.column_names, written.resumed_rows) == (3, tuple(EXPECTED), 0)


def test_csv(model: str, source: Path, tmp_path: Path) -> None:
    predict_to_file(model, str(source), str(tmp_path / "p.csv"))
    with open(tmp_path / "p.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["id"]) for row in rows] == EXPECTED["id"]
    assert [row["prediction"] for row in rows] == EXPECTED["prediction"]
    assert [float(row["score_yes"]) for row in rows] == EXPECTED["score_yes"]


@pytest.mark.parametrize("ending", [".json", ".jsonl"])
def test_json(model: str, source: Path, tmp_path: Path, ending: str) -> None:
    predict_to_file(model, source, tmp_path / f"p{ending}")
    text = (tmp_path / f"p{ending}").read_text()
    rows = json.loads(text) if ending == ".json" else [json.loads(line) for line in text.splitlines()]
    assert {name: [row[name] for row in rows] for name in rows[0]} == EXPECTED


def test_a_file_uri_and_an_existing_target(model: str, source: Path, tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("old")
    predict_to_file(model, source.as_uri(), (tmp_path / "p.csv").as_uri())
    assert (tmp_path / "p.csv").read_text().startswith('"id","prediction"')


def test_only_the_columns_that_the_model_needs_are_read(model: str, tmp_path: Path) -> None:
    asked: list[Any] = []

    def reader(source: str, *, columns: Any = None, scale: float = 1.0) -> pa.Table:
        asked.append(columns)
        return pa.table({"id": [1], "a": [scale], "b": [0.0]})

    predict_to_file(model, "anything", tmp_path / "p.parquet", reader=reader, scale=2.0)
    assert [set(columns) for columns in asked] == [{"id", "a", "b"}]
    assert pq.read_table(tmp_path / "p.parquet")["prediction"].to_pylist() == ["yes"]


def test_missing_columns_are_named_and_nothing_is_written(model: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("id,a,bb\n1,2.0,3.0\n")
    with pytest.raises(MissingColumnsError, match=r"rows\.csv lacks the column 'b'; it has: id, a, bb\. Did you mean"):
        predict_to_file(model, tmp_path / "rows.csv", tmp_path / "p.csv")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv"]


def test_a_source_without_the_index_of_training(model: str, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("a,b,name\n1.0,2.0,x\n")
    with pytest.raises(MissingColumnsError, match=r"lacks the column 'id'; it has: .*\. By the index of training each"):
        predict_to_file(model, tmp_path / "rows.csv", tmp_path / "p.csv")
    assert predict_to_file(model, tmp_path / "rows.csv", tmp_path / "p.csv", index=["name"]).column_names[0] == "name"
    assert predict_to_file(model, tmp_path / "rows.csv", tmp_path / "p.csv", index=[]).column_names == (
        *("prediction", "score_no", "score_yes"),
    )


def test_a_model_names_the_reader_of_a_source_without_an_ending(
    model: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = source.rename(tmp_path / "rows")
    with pytest.raises(ReadError, match=r"has no ending to tell the format\. Say which reader to use"):
        predict_to_file(model, plain, tmp_path / "p.parquet")
    monkeypatch.setattr(Threshold, "reader", "csv", raising=False)
    predict_to_file(model, plain, tmp_path / "p.parquet")
    assert pq.read_table(tmp_path / "p.parquet").to_pydict() == EXPECTED
    monkeypatch.setattr(Threshold, "reader", "none.such")
    predict_to_file(model, plain.rename(source), tmp_path / "p.parquet")


def test_an_unknown_ending_is_refused_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(UnknownEndingError, match=r"expected \.parquet, \.csv, \.json or \.jsonl") as caught:
        predict_to_file("no/such/model", "no/such/file.csv", tmp_path / "p.xlsx")
    assert caught.value.exit_code == 2


def test_no_model_no_source_no_reader_parameter(model: str, source: Path, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError):
        predict_to_file("models/other", source, tmp_path / "p.csv")
    with pytest.raises(ObjectNotFoundError):
        predict_to_file(model, tmp_path / "none.csv", tmp_path / "p.csv")
    with pytest.raises(ArgumentsError, match="delimiter"):
        predict_to_file(model, source, tmp_path / "p.csv", delimiterr=";")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.csv"]


def test_a_target_that_is_the_source_is_refused_and_nothing_is_lost(model: str, source: Path, tmp_path: Path) -> None:
    before = source.read_bytes()
    (tmp_path / "other.csv").symlink_to(source)
    for target in (source, source.as_uri(), tmp_path / "other.csv"):
        with pytest.raises(PredictError, match="the target is the source, which would be lost"):
            predict_to_file(model, source, target)
    assert source.read_bytes() == before
    (tmp_path / "parts").mkdir()
    part = source.rename(tmp_path / "parts" / "part-00000.csv")
    with pytest.raises(PredictError, match="the target is the source"):
        predict_to_file(model, part, f"{tmp_path}/parts/")
    assert part.read_bytes() == before


def test_a_target_that_cannot_be_written(model: str, source: Path, tmp_path: Path) -> None:
    (tmp_path / "a-file").write_text("")
    with pytest.raises(StoreAccessError, match=r"a-file"):
        predict_to_file(model, source, tmp_path / "a-file" / "p.csv")


def data_set(**index: Any) -> DataSet:
    return DataSet({"features": pa.table({"a": [1.0, 2.0]}), **({"index": pa.table(index)} if index else {})})


def test_several_targets_have_a_column_each() -> None:
    values = DataWrapper(np.array([[1.0, 2.0], [3.0, 4.0]]), ["height", "weight"])
    table = prediction_table(data_set(), Predictions(values))
    assert table.to_pydict() == {"prediction_height": [1.0, 3.0], "prediction_weight": [2.0, 4.0]}


def test_labels_that_are_not_text_name_their_scores() -> None:
    predictions = Predictions(
        DataWrapper(pa.table({"y": [0, 1]})), DataWrapper(np.array([[0.9, 0.1], [0.2, 0.8]]), ["c0", "c1"]), (0, 1)
    )
    assert prediction_table(data_set(), predictions).column_names == ["prediction", "score_0", "score_1"]


def test_scores_of_several_labels_go_by_their_targets() -> None:
    both = np.array([[0.9, 0.1], [0.2, 0.8]])
    predictions = Predictions(DataWrapper(both > 0.5, ["sun", "wind"]), DataWrapper(both, ["sun", "wind"]))
    names = prediction_table(data_set(), predictions).column_names
    assert names == ["prediction_sun", "prediction_wind", "score_sun", "score_wind"]


def test_a_name_that_would_stand_twice_is_refused() -> None:
    with pytest.raises(PredictError, match=r"the column 'prediction' twice\. Rename the index column"):
        prediction_table(data_set(prediction=[1, 2]), Predictions(DataWrapper(pa.table({"y": [1, 2]}))))


def test_categories_nulls_and_times_reach_every_kind_of_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = pa.table(
        {
            "when": pa.array([datetime(2026, 1, 2, 3, 4, tzinfo=UTC), None], pa.timestamp("us", "UTC")),
            "where": pa.array(["north", None]).dictionary_encode(),
        }
    )
    rows = DataSet({"features": pa.table({"a": [1.0, 2.0]}), "index": index})
    values = DataWrapper(pa.table({"y": pa.array([1.5, None])}))
    model = Bundle(Threshold())
    monkeypatch.setattr(model, "predict", lambda data: Predictions(values))
    monkeypatch.setattr(tasks, "load_model", lambda uri, **_: model)
    for ending in (".parquet", ".csv", ".json"):
        predict_to_file("m", "anything", tmp_path / f"p{ending}", reader=lambda source: rows)
    table = pq.read_table(tmp_path / "p.parquet")
    assert table.select(["when", "where"]).equals(index)
    assert (tmp_path / "p.csv").read_text().splitlines()[1:] == ['2026-01-02 03:04:00.000000Z,"north",1.5', ",,"]
    first, second = json.loads((tmp_path / "p.json").read_text())
    assert first == {"when": "2026-01-02T03:04:00+00:00", "where": "north", "prediction": 1.5}
    assert second == {"when": None, "where": None, "prediction": None}

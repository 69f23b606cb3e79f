"""Artifacts: tables, dicts and lists as JSON, Parquet and CSV."""

from __future__ import annotations

import dataclasses
import enum
import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from mercury_core.builtin.artifacts import csv_format, json_format, parquet_format
from mercury_core.builtin.jsonable import jsonable
from mercury_core.data import DataSet, DataWrapper, Predictions
from mercury_core.errors import ConversionError, DataError, ObjectNotFoundError, ReadError, StoreAccessError
from mercury_core.registry import resolve

TABLE = pa.table(
    {
        "n": [1, None, 3],
        "x": [0.5, float("nan"), None],
        "text": ["a,b", "", None],
        "when": pa.array(["2024-05-01T12:30:00", None, "1999-12-31"]).cast(pa.timestamp("us")),
        "kind": pa.array(["p", "q", "p"]).dictionary_encode(),
    }
)
PREDICTIONS = Predictions(
    DataWrapper({"species": ["a", "b"]}), DataWrapper(np.array([[0.75, 0.25], [0.5, 0.5]]), ["a", "b"]), ("a", "b")
)


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: float
    labels: tuple[str, ...]


def written(artifact: Any, path: Path, **params: Any) -> str:
    assert json_format.write(artifact, path / "a.json", **params) == path / "a.json"
    assert [entry.name for entry in path.iterdir()] == ["a.json"]
    return (path / "a.json").read_text(encoding="utf-8")


def test_the_formats_stand_under_save() -> None:
    found = [resolve("save", key) for key in ("json", "parquet", "csv")]
    assert found == [json_format, parquet_format, csv_format]


# --- JSON ---


def test_a_dict_comes_back_in_the_types_of_json(tmp_path: Path) -> None:
    artifact = {
        "auc": np.float64(0.5),
        "count": np.int64(3),
        "nothing": float("nan"),
        "endless": float("-inf"),
        "matrix": np.array([[1, 2], [3, 4]]),
        "point": Point(1.5, ("é", "b")),
        "when": datetime(2024, 5, 1, 12, 0, tzinfo=UTC),
        "day": date(2024, 5, 1),
        "took": timedelta(seconds=1.5),
        "price": Decimal("1.10"),
        "colour": Colour.RED,
        "where": Path("a/b"),
        "stamps": np.array(["2024-05-01", "NaT"], dtype="datetime64[D]"),
        "stamp": np.datetime64("2024-05-01"),
        "lapse": np.timedelta64(1500, "ms"),
        7: True,
    }
    written(artifact, tmp_path)
    assert json_format.read(tmp_path / "a.json") == {
        "auc": 0.5,
        "count": 3,
        "nothing": None,
        "endless": None,
        "matrix": [[1, 2], [3, 4]],
        "point": {"x": 1.5, "labels": ["é", "b"]},
        "when": "2024-05-01T12:00:00+00:00",
        "day": "2024-05-01",
        "took": 1.5,
        "price": "1.10",
        "colour": "red",
        "where": "a/b",
        "stamps": ["2024-05-01", None],
        "stamp": "2024-05-01",
        "lapse": 1.5,
        "7": True,
    }


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@settings(deadline=None, max_examples=60)
@given(value=values, lines=st.booleans())
def test_what_json_can_say_comes_back_as_it_was(
    value: Any, lines: bool, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("json") / "a.json"
    json_format.write(value, path)
    assert json_format.read(path) == value
    assert json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail) == value


def test_a_table_is_one_object_a_row(tmp_path: Path) -> None:
    text = written(TABLE, tmp_path)
    assert json.loads(text) == [
        {"n": 1, "x": 0.5, "text": "a,b", "when": "2024-05-01T12:30:00", "kind": "p"},
        {"n": None, "x": None, "text": "", "when": None, "kind": "q"},
        {"n": 3, "x": None, "text": None, "when": "1999-12-31T00:00:00", "kind": "p"},
    ]
    assert len(written(TABLE, tmp_path, lines=True).splitlines()) == 3
    assert json_format.read(tmp_path / "a.json") == json.loads(text)
    assert json.loads(written({"inside": TABLE.slice(0, 1)}, tmp_path))["inside"][0]["kind"] == "p"
    assert json.loads(written(TABLE.slice(0, 0), tmp_path)) == []


def test_nanoseconds_are_kept_where_there_are_some(tmp_path: Path) -> None:
    table = pa.table(
        {"coarse": pa.array([1_000_000_000], pa.timestamp("ns")), "fine": pa.array([1], pa.timestamp("ns"))}
    )
    assert json.loads(written(table, tmp_path)) == [
        {"coarse": "1970-01-01T00:00:01", "fine": "1970-01-01T00:00:00.000000001"}
    ]


@pytest.mark.parametrize(
    ("artifact", "message"),
    [
        ({"a": [{"b": {1, 2}}]}, r"a set, which is at \.a\[0\]\.b: expected a list"),
        (b"bytes", "a bytes, which is at the top"),
        ({"model": object()}, r"a object, which is at \.model"),
        ({1: "a", "1": "b"}, "two keys '1'"),
    ],
)
def test_what_json_cannot_say_is_refused_with_its_place(artifact: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        json_format.write(artifact, tmp_path / "a.json")
    assert list(tmp_path.iterdir()) == []


def test_what_contains_itself_is_refused(tmp_path: Path) -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(DataError, match="contains itself"):
        json_format.write(endless, tmp_path / "a.json")
    with pytest.raises(DataError, match="has no lines"):
        json_format.write({"a": 1}, tmp_path / "a.json", lines=True)
    assert list(tmp_path.iterdir()) == []


def test_names_of_files_that_are_no_utf8_can_be_written(tmp_path: Path) -> None:
    written(["caf\udce9"], tmp_path)
    assert json_format.read(tmp_path / "a.json") == ["caf\udce9"]


def test_a_file_that_is_not_json(tmp_path: Path) -> None:
    for content, message in ((b'{"a": 1', "not JSON"), (b"", "not JSON"), (b"\xff\xfe", "not UTF-8")):
        (tmp_path / "a.json").write_bytes(content)
        with pytest.raises(ReadError, match=message):
            json_format.read(tmp_path / "a.json")
    with pytest.raises(ObjectNotFoundError):
        json_format.read(tmp_path / "b.json")


# --- tables ---


def test_parquet_gives_a_table_back_as_it_was(tmp_path: Path) -> None:
    for compression in ("zstd", "none"):
        parquet_format.write(TABLE, tmp_path / "t.parquet", compression=compression)
        assert DataWrapper(parquet_format.read(tmp_path / "t.parquet")) == DataWrapper(TABLE)
        assert parquet_format.read(tmp_path / "t.parquet").schema.field("kind").type == TABLE.schema.field("kind").type


@pytest.mark.parametrize(
    ("artifact", "columns"),
    [
        (DataWrapper({"a": [1, 2]}), {"a": [1, 2]}),
        ({"a": [1, 2]}, {"a": [1, 2]}),
        ([{"a": 1}, {"a": None, "b": "x"}], {"a": [1, None], "b": [None, "x"]}),
        (np.array([[1.0, 2.0]]), {"x0": [1.0], "x1": [2.0]}),
        (DataSet({"index": {"id": [7]}, "features": {"a": [1]}}), {"id": [7], "a": [1]}),
        (PREDICTIONS, {"species": ["a", "b"], "score_a": [0.75, 0.5], "score_b": [0.25, 0.5]}),
    ],
)
def test_tables_of_any_kind(artifact: Any, columns: dict[str, Any], tmp_path: Path) -> None:
    parquet_format.write(artifact, tmp_path / "t.parquet")
    table = parquet_format.read(tmp_path / "t.parquet")
    assert table.to_pydict() == columns
    csv_format.write(artifact, tmp_path / "t.csv")
    assert csv_format.read(tmp_path / "t.csv").column_names == list(columns)


def test_tables_of_other_libraries(tmp_path: Path) -> None:
    for library in ("pandas", "polars"):
        frame = pytest.importorskip(library).DataFrame({"a": [1, 2]})
        json_format.write(frame, tmp_path / "t.json")
        assert json_format.read(tmp_path / "t.json") == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize("artifact", [{"auc": 0.5}, "text", 3, [1, 2], [{"a": 1}, {"a": "x"}]])
def test_what_is_no_table_is_refused(artifact: Any, tmp_path: Path) -> None:
    for form in (parquet_format, csv_format):
        with pytest.raises(DataError):
            form.write(artifact, tmp_path / "t")
    assert list(tmp_path.iterdir()) == []


def test_csv_tells_a_null_from_empty_text(tmp_path: Path) -> None:
    csv_format.write(TABLE, tmp_path / "t.csv")
    text = (tmp_path / "t.csv").read_text()
    assert text.splitlines()[0] == '"n","x","text","when","kind"'
    back = csv_format.read(tmp_path / "t.csv")
    assert back["text"].to_pylist() == ["a,b", "", None]
    assert back["n"].to_pylist() == [1, None, 3]
    csv_format.write(TABLE.select(["n", "kind"]), tmp_path / "t.csv", delimiter=";", header=False)
    assert (tmp_path / "t.csv").read_text().splitlines()[0] == '1;"p"'


def test_csv_refuses_what_has_no_text(tmp_path: Path) -> None:
    with pytest.raises(
        ConversionError, match=r"The column 'boxes' cannot go from list<.*> to CSV: .*write Parquet or JSON"
    ):
        csv_format.write(pa.table({"boxes": [[1, 2]]}), tmp_path / "t.csv")
    with pytest.raises(DataError, match="expected one character of ASCII"):
        csv_format.write(TABLE, tmp_path / "t.csv", delimiter=", ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", [parquet_format, csv_format])
def test_files_that_are_no_tables(form: Any, tmp_path: Path) -> None:
    (tmp_path / "t").write_bytes(b"a,b\n1\n")
    with pytest.raises(ReadError):
        form.read(tmp_path / "t")
    with pytest.raises(ObjectNotFoundError):
        form.read(tmp_path / "u")


@pytest.mark.parametrize("form", [json_format, parquet_format, csv_format])
def test_an_old_file_stays_when_writing_fails(form: Any, tmp_path: Path) -> None:
    form.write({"a": [1]}, tmp_path / "t")
    before = (tmp_path / "t").read_bytes()
    with pytest.raises(DataError):
        form.write({"a": object()}, tmp_path / "t")
    assert (tmp_path / "t").read_bytes() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["t"]
    with pytest.raises(StoreAccessError, match="nothing can be below a file"):
        form.write({"a": [1]}, tmp_path / "t" / "u")


def test_jsonable_knows_its_leaves() -> None:
    assert jsonable(None) is None
    assert jsonable((1, "a")) == [1, "a"]

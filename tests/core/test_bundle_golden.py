"""Golden rows: which are kept, what is written of them, and what a replay finds here and in stores."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings, strategies as st

from mercury_core import (
    Bundle,
    DataBunch,
    DataSet,
    DataWrapper,
    Predictions,
    load_model,
    store_model,
    verify,
)
from mercury_core.bundle import Field, Golden, Signature, golden as goldens
from mercury_core.bundle.golden import MOST_ROWS, chosen
from mercury_core.bundle.manifest import SavedGolden
from mercury_core.bundle.replay import compared
from mercury_core.errors import BundleError, CorruptBundleError
from tests.core.bundle_parts import FORMAT, TRUSTED, SumFormat, SumModel, data_set
from tests.core.golden_parts import bundle, parts_can_be_imported, saved
from tests.core.remote_parts import memory

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["bundle", "memory", "parts_can_be_imported", "saved"]
TRUST = [word for name in TRUSTED for word in ("--trust", name)]


# --- which rows ---


def rows_of(data: Any) -> list[dict[str, Any]]:
    table = chosen(DataWrapper(data))
    assert table is not None
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def test_few_rows_are_all_kept() -> None:
    assert rows_of({"a": [3, 1, 2]}) == [{"a": 3}, {"a": 1}, {"a": 2}]
    assert chosen(DataWrapper({"a": []})) is None
    assert chosen(DataWrapper(pa.table({}))) is None


def test_rows_are_spread_over_the_data() -> None:
    assert [row["a"] for row in rows_of({"a": list(range(1000))})] == list(range(0, 1000, 100))


def test_nulls_and_rare_labels_are_among_them() -> None:
    numbers: list[float | None] = [1.0] * 5000
    numbers[4567] = None
    labels = ["often"] * 5000
    labels[123] = "rare"
    flags = [False] * 5000
    flags[77] = True
    for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())):
        table = pa.table({"n": pa.array(numbers), "l": pa.array(labels).cast(kind), "f": pa.array(flags)})
        rows = rows_of(table)
        assert len(rows) == MOST_ROWS
        assert [row["n"] for row in rows].count(None) == 1
        assert [row["l"] for row in rows].count("rare") == 1
        assert [row["f"] for row in rows].count(True) == 1


@given(st.integers(1, 200), st.integers(1, 5))
@settings(max_examples=50, deadline=None)
def test_the_first_null_is_found_wherever_it_is(rows: int, chunks: int) -> None:
    place = (rows * 7919) % rows
    values = [None if row == place or row == rows - 1 else row for row in range(rows)]
    parts = [values[start : start + rows // chunks + 1] for start in range(0, rows, rows // chunks + 1)]
    column = pa.chunked_array([pa.array(part, pa.int64()) for part in parts])
    assert goldens._first_null(column) == min(place, rows - 1)


@given(st.lists(st.sampled_from([None, "a", "b", "c"]), min_size=1, max_size=60))
@settings(max_examples=50, deadline=None)
def test_the_choice_depends_on_the_data_alone(labels: list[str | None]) -> None:
    table = pa.table({"l": pa.array(labels, pa.string()), "n": list(range(len(labels)))})
    rows = rows_of(table)
    assert rows == rows_of(table) == rows_of(pa.concat_tables([table.slice(0, 7), table.slice(7)]))
    assert len(rows) == min(MOST_ROWS, len(labels))
    assert [row["n"] for row in rows] == sorted({row["n"] for row in rows})
    assert {None} & set(labels) <= {row["l"] for row in rows}


def test_a_frame_and_a_matrix_give_rows_too() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1.0, None], "c": pd.Categorical(["x", "y"])})
    assert rows_of(frame) == [{"a": 1.0, "c": "x"}, {"a": None, "c": "y"}]
    assert rows_of(np.array([[1.5], [2.5]])) == [{"x0": 1.5}, {"x0": 2.5}]


def test_large_rows_are_fewer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goldens, "MOST_BYTES", 4000)
    assert len(rows_of({"a": ["x" * 1000] * 20})) == 2
    assert len(rows_of({"a": ["x" * 10_000] * 20})) == 1


def test_a_multitude_of_categories_is_not_carried_along() -> None:
    labels = [f"c{n}" for n in range(5000)]
    table = pa.table({"a": pa.array(labels).dictionary_encode()})
    sample = chosen(DataWrapper(table))
    assert sample is not None
    assert sample.schema.field("a").type == pa.string()


# --- what is kept ---


def test_a_model_has_golden_rows_before_and_after_it_is_saved(bundle: Bundle, saved: str) -> None:
    assert bundle.golden is not None
    assert bundle.golden.rows.to_pydict() == {"a": [1.0, 2.0], "b": [3.0, 4.0]}
    expected = [sum((each - 4) * 3 for each in row) + 0.5 for row in ((1, 3), (2, 4))]
    assert bundle.golden.predictions.to_pydict() == {"prediction": expected}
    assert load_model(saved, trusted=TRUSTED).golden == bundle.golden
    assert pq.read_table(f"{saved}/golden.parquet").column_names == ["input:a", "input:b", "output:prediction"]


def test_a_model_that_is_loaded_and_saved_again_keeps_them(tmp_path: Path, saved: str) -> None:
    loaded = load_model(saved, trusted=TRUSTED)
    again = store_model(loaded, tmp_path / "again", format=FORMAT)
    assert load_model(again.uri, trusted=TRUSTED).golden == loaded.golden
    assert verify(again.uri, trusted=TRUSTED).holds


def test_without_transforms_and_without_training_data(tmp_path: Path) -> None:
    plain = Bundle.of(SumModel(), DataBunch({"train": data_set([1.0], [2.0])}))
    assert plain.golden is not None
    assert plain.golden.predictions.to_pydict() == {"prediction": [3.0]}
    own = store_model(SumModel(), tmp_path / "own", format=FORMAT)
    assert load_model(own.uri, trusted=TRUSTED).golden is None
    with pytest.raises(BundleError, match=r"own cannot be verified, since it has no golden rows: it was saved by"):
        verify(own.uri, trusted=TRUSTED)


def test_a_model_that_cannot_predict_them_is_saved_without(tmp_path: Path) -> None:
    class Sulking(SumModel):
        def predict(self, data_set: DataSet) -> Predictions:
            raise RuntimeError("not today")

    bundle = Bundle.of(Sulking(), DataBunch({"train": data_set([1.0], [2.0])}))
    with pytest.warns(UserWarning, match="has no golden rows, since predicting them failed: not today"):
        stored = store_model(bundle, tmp_path / "m", format=FORMAT)
    assert load_model(stored.uri, trusted=TRUSTED).golden is None
    assert bundle.golden is None

    class Short(SumModel):
        def predict(self, data_set: DataSet) -> Predictions:
            return super().predict(data_set.slice(0, 1))

    with pytest.warns(UserWarning, match="it gave 1 predictions of 2 rows"):
        assert Bundle.of(Short(), DataBunch({"train": data_set([1.0, 2.0], [2.0, 3.0])})).golden is None


COLUMNS = {
    "integer": pa.array([2**62 + 1, None], pa.int64()),
    "small": pa.array([1, None], pa.int8()),
    "unsigned": pa.array([2**64 - 1, 0], pa.uint64()),
    "half": pa.array([np.float16(0.5), np.float16("nan")], pa.float16()),
    "float": pa.array([0.1, None], pa.float32()),
    "double": pa.array([float("nan"), float("-inf")]),
    "text": pa.array(["é", None], pa.large_string()),
    "bytes": pa.array([b"\0", None]),
    "flag": pa.array([True, None]),
    "label": pa.array(["x", None]).dictionary_encode(),
    "when": pa.array([datetime(2026, 1, 1, tzinfo=UTC), None], pa.timestamp("s", "Europe/Berlin")),
    "amount": pa.array([None, None], pa.decimal128(7, 2)),
    "list": pa.array([[1.5], None], pa.list_(pa.float32())),
    "nothing": pa.nulls(2),
    "strange:name.é": pa.array([1, 2]),
    "image": pa.FixedShapeTensorArray.from_numpy_ndarray(np.arange(8, dtype=np.uint8).reshape(2, 2, 2)),
}


def test_every_type_survives_the_file(tmp_path: Path) -> None:
    rows = pa.table(COLUMNS)
    made = Golden(rows, pa.table({"prediction": ["x", None], "score_x": [0.25, float("nan")]}), 1e-6)
    made.write(tmp_path / "g.parquet")
    fields = tuple(Field(name, str(column.type).replace("large_", "")) for name, column in COLUMNS.items())
    fields = tuple(
        Field(one.name, "dictionary<string>")
        if one.name == "label"
        else Field(one.name, one.type, shape=(2, 2))
        if one.name == "image"
        else one
        for one in fields
    )
    noted = SavedGolden(goldens.NAME, rows.num_rows, 1e-6)
    read = goldens.read((tmp_path / "g.parquet").read_bytes(), Signature(inputs=fields), noted, "m")
    assert read.rows.schema == rows.schema
    for name in rows.column_names:
        assert repr(read.rows[name].to_pylist()) == repr(rows[name].to_pylist())
    assert read.predictions.schema == made.predictions.schema
    assert read.tolerance == 1e-6


def test_a_type_that_parquet_lacks_is_warned_of(tmp_path: Path, bundle: Bundle) -> None:
    rows = pa.table({"a": pa.array([pa.MonthDayNano([1, 2, 3])])})
    bundle = Bundle(SumModel(), golden=Golden(rows, pa.table({"prediction": [1.0]})))
    with pytest.warns(UserWarning, match="has no golden rows, since Parquet cannot hold them"):
        stored = store_model(bundle, tmp_path / "m", format=FORMAT)
    assert load_model(stored.uri, trusted=TRUSTED).golden is None


def test_columns_of_files_keep_their_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Sizes(SumModel):
        input_shapes = {"image": (8, 8)}

        def predict(self, data_set: DataSet) -> Predictions:
            found = data_set.features.to("arrow").underlying["image"].to_pylist()
            read = [(tmp_path / one).read_bytes() if isinstance(one, str) else one for one in found]
            return Predictions(DataWrapper({"size": [len(each) for each in read]}))

    names = []
    for number in range(3):
        names.append(str(tmp_path / f"{number}.png"))
        (tmp_path / f"{number}.png").write_bytes(b"x" * (10 * number + 1))
    train = DataSet({"features": {"image": names, "n": [1, 2, 3]}})
    bundle = Bundle.of(Sizes(), DataBunch({"train": train}))
    assert bundle.golden is not None
    assert [len(each) for each in bundle.golden.rows["image"].to_pylist()] == [1, 11, 21]
    assert bundle.golden.predictions["prediction"].to_pylist() == [1, 11, 21]
    stored = store_model(bundle, tmp_path / "m", format=FORMAT).uri
    (tmp_path / "0.png").unlink()
    assert load_model(stored, trusted=TRUSTED).golden == bundle.golden
    monkeypatch.setattr(goldens, "MOST_BYTES", 20)
    other = Bundle.of(Sizes(), DataBunch({"train": train.slice(1)}))
    assert other.golden is not None
    assert other.golden.rows.num_rows == 1
    with pytest.warns(UserWarning, match="predicting them failed: Nothing is stored at"):
        assert Bundle.of(Sizes(), DataBunch({"train": train})).golden is None


# --- replayed here ---


def test_a_bundle_that_is_what_it_was_holds_to_the_last_bit(saved: str) -> None:
    report = verify(saved, trusted=TRUSTED)
    assert (report.rows, report.largest, report.tolerance, report.holds, report.where) == (2, 0.0, 0.0, True, "")


def test_predictions_that_moved_are_shown(saved: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SumFormat, "load", lambda self, path, **_: SumModel(0.5 + 2**-20))
    report = verify(saved, trusted=TRUSTED)
    assert not report.holds
    assert report.largest == pytest.approx(2**-20 / 5.5)
    assert report.where == f"prediction of row 1: expected -5.5, found {-5.5 + 2**-20}"
    assert verify(saved, trusted=TRUSTED, tolerance=1e-6).holds


def test_a_format_says_how_exact_it_is(tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SumFormat, "tolerance", 1e-5, raising=False)
    stored = store_model(bundle, tmp_path / "m", format=FORMAT)
    monkeypatch.setattr(SumFormat, "load", lambda self, path, **_: SumModel(0.5 + 2**-20))
    report = verify(stored.uri, trusted=TRUSTED)
    assert report.holds
    assert report.tolerance == 1e-5
    monkeypatch.delattr(SumFormat, "tolerance")
    again = store_model(load_model(stored.uri, trusted=TRUSTED), tmp_path / "again", format=FORMAT)
    golden = load_model(again.uri, trusted=TRUSTED).golden
    assert golden is not None
    assert golden.tolerance == 1e-5


def test_in_a_store_and_after_a_copy(bundle: Bundle, memory: Any, tmp_path: Path) -> None:
    store_model(bundle, tmp_path / "m", format=FORMAT, remote="mem://b/m")
    assert verify("mem://b/m", trusted=TRUSTED).holds


@pytest.mark.parametrize(
    ("expected", "found", "largest", "where"),
    [
        ([1.0, 2.0], [1.0, 2.5], 0.25, "p of row 1: expected 2.0, found 2.5"),
        ([0.0], [1e-9], 1e-9, "p of row 0: expected 0.0, found 1e-09"),
        ([1e6], [1e6 + 1], 1e-6, "p of row 0: expected 1000000.0, found 1000001.0"),
        ([float("nan"), None, float("inf")], [float("nan"), None, float("inf")], 0.0, ""),
        ([float("nan")], [1.0], math.inf, "p of row 0: expected nan, found 1.0"),
        ([None], [0.0], math.inf, "p of row 0: expected None, found 0.0"),
        ([1.0], [None], math.inf, "p of row 0: expected 1.0, found None"),
        (["a"], ["b"], math.inf, "p of row 0: expected 'a', found 'b'"),
        ([1], ["1"], math.inf, "p of row 0: expected 1, found '1'"),
        ([True], [1], math.inf, "p of row 0: expected True, found 1"),
        ([2**62], [2**62 + 1], 2**-62, f"p of row 0: expected {2**62}, found {2**62 + 1}"),
        ([[1.0, 2.0]], [[1.0, 2.5]], 0.25, "p of row 0: expected [1.0, 2.0], found [1.0, 2.5]"),
        ([datetime(2026, 1, 1, tzinfo=UTC)], [datetime(2027, 1, 1, tzinfo=UTC)], math.inf, None),
        ([1.0, 2.0], [1.0], math.inf, "expected p of 2 rows, found p of 1 rows"),
    ],
)
def test_differences(expected: list[Any], found: list[Any], largest: float, where: str | None) -> None:
    report = compared({"p": expected}, {"p": found}, 0.0)
    assert report.largest == pytest.approx(largest)
    assert report.holds == (largest == 0.0)
    assert where is None or report.where == where


def test_other_columns_are_named() -> None:
    report = compared({"prediction": [1]}, {"y": [1]}, 0.5)
    assert (report.holds, report.where) == (False, "expected prediction of 1 rows, found y of 1 rows")
    assert compared({"prediction": [1]}, {}, 0.5).where == "expected prediction of 1 rows, found nothing"


@given(st.lists(st.floats(width=64), min_size=1), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_predictions_are_like_themselves(values: list[float], tolerance: float) -> None:
    assert compared({"p": values}, {"p": list(values)}, tolerance).holds


# --- what is kept may lie ---


def tampered(saved: str, table: pa.Table | bytes) -> None:
    """Other golden rows, with a manifest that vouches for them."""
    import hashlib
    from pathlib import Path

    path, manifest = Path(saved) / "golden.parquet", Path(saved) / "mercury.json"
    if isinstance(table, bytes):
        path.write_bytes(table)
    else:
        pq.write_table(table, path)
    told = json.loads(manifest.read_text())
    content = path.read_bytes()
    told["files"]["golden.parquet"] = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest.write_text(json.dumps(told))


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (b"PAR1 or not", "golden.parquet is no Parquet file that can be read"),
        (pa.table({"input:a": [1.0], "output:prediction": [1.0]}), r"has rows of \['a'\], and the signature has"),
        (
            pa.table({"input:a": ["x"], "input:b": [1.0], "output:prediction": [1.0]}),
            "has string in the column 'a', and the signature says double",
        ),
        (pa.table({"input:a": [1.0], "input:b": [1.0]}), "golden.parquet holds no predictions"),
    ],
)
def test_golden_rows_that_are_not_the_models_are_refused(
    saved: str, table: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    tampered(saved, table)
    monkeypatch.setattr(SumFormat, "load", lambda *_, **__: pytest.fail("something was loaded"))
    for act in (load_model, verify):
        with pytest.raises(CorruptBundleError, match=said):
            act(saved, trusted=TRUSTED)


def test_golden_rows_that_were_altered_are_not_replayed(saved: str) -> None:
    from pathlib import Path

    (Path(saved) / "golden.parquet").write_bytes(b"other")
    with pytest.raises(CorruptBundleError, match=r"golden\.parquet is not what was saved"):
        verify(saved, against="http://127.0.0.1:1")
    (Path(saved) / "golden.parquet").unlink()
    with pytest.raises(CorruptBundleError, match=r"golden\.parquet is missing"):
        verify(saved, against="http://127.0.0.1:1")


# --- exports ---


class Exported(SumFormat):
    """What is read again is off by a little."""

    exports, tolerance, off = True, 1e-3, 0.0

    def load(self, path: Path, *, trusted: Any = ()) -> SumModel:
        model = super().load(path)
        return SumModel(model.offset + self.off)


def test_an_export_is_there_when_it_predicted_the_golden_rows_alike(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    form = Exported()
    monkeypatch.setattr("mercury_core.bundle.directory._format", lambda key: form)
    form.off = 0.5
    with pytest.raises(BundleError, match=r"wrote predicts otherwise by .*0\.001 is allowed \(prediction of row \d"):
        bundle.save(tmp_path / "m", format="sum")
    assert not (tmp_path / "m").exists()
    form.off = 1e-9
    assert bundle.save(tmp_path / "m", format="sum").is_dir()
    assert Bundle(SumModel()).save(tmp_path / "n", format="sum").is_dir()  # it has no golden rows

"""Predictions of sources of several parts: their order, directories of parts, and runs that go on behind a kill."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from mercury_core import Bundle, DataBunch, DataSet, predicting
from mercury_core.errors import (
    MissingColumnsError,
    ObjectChangedError,
    PredictError,
    SignatureError,
    StoreAccessError,
)
from mercury_core.predicting import predict_to_file, state
from mercury_core.storage.atomic import sha256_of
from tests.core.bundle_parts import FORMAT, HERE, TRUSTED, SumModel, make_importable
from tests.core.remote_parts import OBJECTS, memory, store

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["memory"]
ROOT = Path(__file__).parents[2]
FREELY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def table(rows: int, first: int = 0) -> pa.Table:
    ids = np.arange(first, first + rows)
    return pa.table({"b": ids * 0.5, "unknown": ids, "id": ids, "a": ids.astype(float)})


def expected(rows: int) -> dict[str, Any]:
    return {"id": list(range(rows)), "prediction": [one * 1.5 + 0.25 for one in range(rows)]}


def saved(path: Path, offset: float = 0.25) -> str:
    train = DataSet.from_table(
        pa.table({"id": [1], "a": [1.0], "b": [2.0], "y": [3.0]}), {"index": "id", "targets": "y"}
    )
    Bundle.of(SumModel(offset), DataBunch({"train": train})).save(path, format=FORMAT, overwrite="replace")
    return str(path)


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_importable(monkeypatch)
    monkeypatch.setattr(predicting, "_BATCHES_A_PART", 2)
    monkeypatch.setenv("MERCURY_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def model(tmp_path: Path) -> str:
    return saved(tmp_path / "model")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    pq.write_table(table(47), tmp_path / "rows.parquet", row_group_size=9)
    return tmp_path / "rows.parquet"


def run(model: str, source: Path, target: Path | str, **params: Any) -> predicting.Written:
    return predict_to_file(model, source, target, **{"batch_rows": 5, "trusted": TRUSTED, **params})


def kept(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in tmp_path.glob("cache/predictions/*/[0-9]*.arrow"))


def interrupt(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[None]:
    """Let the model fail once it has predicted some batches."""
    done = iter(range(after))
    predict = SumModel.predict

    def failing(self: SumModel, data_set: DataSet) -> Any:
        if next(done, None) is None:
            raise MemoryError("no more")
        return predict(self, data_set)

    with monkeypatch.context() as patch:
        patch.setattr(SumModel, "predict", failing)
        yield


@FREELY
@given(
    rows=st.integers(1, 60),
    batch=st.integers(1, 70),
    jobs=st.integers(1, 3),
    ending=st.sampled_from([".parquet", ".csv", ".json", ".jsonl"]),
    kind=st.sampled_from(["parquet", "csv"]),
)
def test_batches_give_what_the_whole_gives(
    rows: int, batch: int, jobs: int, ending: str, kind: str, model: str, tmp_path: Path
) -> None:
    source = tmp_path / f"rows.{kind}"
    if kind == "csv":
        pa_csv.write_csv(table(rows), source)
    else:
        pq.write_table(table(rows), source, row_group_size=13)
    whole, pieces = tmp_path / f"whole{ending}", tmp_path / f"pieces{ending}"
    run(model, source, whole, batch_rows=1000)
    written = run(model, source, pieces, batch_rows=batch, jobs=jobs)
    assert (written.num_rows, written.column_names) == (rows, ("id", "prediction"))
    if ending == ".parquet":
        assert pq.read_table(pieces).equals(pq.read_table(whole))
        assert pq.read_table(pieces).to_pydict() == expected(rows)
    else:
        assert pieces.read_bytes() == whole.read_bytes()
    assert not list(tmp_path.glob("cache/predictions/*"))


def test_what_was_done_is_not_done_again(
    model: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p.csv").write_text("old")
    for _ in interrupt(monkeypatch, after=7):
        with pytest.raises(MemoryError):
            run(model, source, tmp_path / "p.csv")
    assert kept(tmp_path) == ["000000.arrow", "000001.arrow", "000002.arrow"]
    assert (tmp_path / "p.csv").read_text() == "old"
    assert run(model, source, tmp_path / "p.csv").resumed_rows == 30
    assert pa_csv.read_csv(tmp_path / "p.csv").to_pydict() == expected(47)
    assert not list(tmp_path.glob("cache/predictions/*"))


def test_of_a_slow_model_less_than_a_part_is_lost(
    model: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting, "_BATCHES_A_PART", 4)
    monkeypatch.setattr(predicting, "_KEPT_EVERY", 0.0)  # as if each batch took longer than that
    for _ in interrupt(monkeypatch, after=7):
        with pytest.raises(MemoryError):
            run(model, source, f"{tmp_path}/out/")
    assert len(kept(tmp_path)) == 7
    monkeypatch.setattr(predicting, "_KEPT_EVERY", 1000.0)
    assert run(model, source, f"{tmp_path}/out/").resumed_rows == 35
    manifest = json.loads((tmp_path / "out/predictions.json").read_text())
    assert [part["rows"] for part in manifest["parts"]] == [20, 20, 7]  # as without an interruption
    assert pq.read_table(sorted((tmp_path / "out").glob("*.parquet"))).to_pydict() == expected(47)


def test_a_source_without_rows(model: str, tmp_path: Path) -> None:
    pq.write_table(table(0), tmp_path / "none.parquet")
    for target in ("p.parquet", "out/"):
        assert run(model, tmp_path / "none.parquet", f"{tmp_path}/{target}").num_rows == 0
    assert pq.read_table(tmp_path / "p.parquet").to_pydict() == expected(0)


@pytest.mark.parametrize("other", ["model", "source", "parameter", "batch_rows", "damaged"])
def test_nothing_of_another_run_is_mixed_in(
    model: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    for _ in interrupt(monkeypatch, after=7):
        with pytest.raises(MemoryError):
            run(model, source, tmp_path / "p.parquet")
    params: dict[str, Any] = {}
    offset, first = 0.25, 0
    if other == "model":
        offset = 7.0
        saved(tmp_path / "model", offset)
    elif other == "source":
        first = 100
        pq.write_table(table(47, first), source, row_group_size=9)
    elif other == "parameter":
        params["row_groups"] = [0, 1, 2, 3, 4, 5]
    elif other == "batch_rows":
        params["batch_rows"] = 4
    else:
        for part in tmp_path.glob("cache/predictions/*/*.arrow"):
            part.write_bytes(part.read_bytes()[:100])
    assert run(model, source, tmp_path / "p.parquet", **params).resumed_rows == 0
    found = pq.read_table(tmp_path / "p.parquet").to_pydict()
    assert found["id"] == list(range(first, first + 47))
    assert found["prediction"] == [one * 1.5 + offset for one in range(first, first + 47)]


def test_another_process_at_the_same_run_does_without(
    model: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in interrupt(monkeypatch, after=7):
        with pytest.raises(MemoryError):
            run(model, source, tmp_path / "p.parquet")
    (there,) = tmp_path.glob("cache/predictions/*")
    handle = state._locked(there)
    assert handle is not None
    assert run(model, source, tmp_path / "p.parquet").resumed_rows == 0
    os.close(handle)
    assert run(model, source, tmp_path / "p.parquet").resumed_rows == 30


def test_what_was_abandoned_goes(model: str, source: Path, tmp_path: Path) -> None:
    old = tmp_path / "cache/predictions/0123"
    old.mkdir(parents=True)
    (old / "000000.arrow").write_bytes(b"")
    os.utime(old, (time.time() - 10 * 24 * 3600,) * 2)
    run(model, source, tmp_path / "p.parquet")
    assert not old.exists()


def test_a_cache_that_cannot_be_written_costs_only_the_resuming(
    model: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "no-cache").write_text("")
    monkeypatch.setenv("MERCURY_CACHE_DIR", str(tmp_path / "no-cache"))
    run(model, source, tmp_path / "p.parquet")
    assert pq.read_table(tmp_path / "p.parquet").to_pydict() == expected(47)


def test_a_disk_that_is_full_keeps_nothing_and_goes_on(
    model: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> Any:
        raise StoreAccessError("write", str(path), "the disk is full")

    monkeypatch.setattr(state, "atomic_file", full)
    run(model, source, tmp_path / "p.parquet")
    assert pq.read_table(tmp_path / "p.parquet").to_pydict() == expected(47)
    assert not list(tmp_path.glob("cache/predictions/*"))


def test_a_part_that_cannot_be_written_ends_the_run_and_leaves_the_target_as_it_was(
    model: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "p.parquet"
    target.write_text("as it was")
    parts: list[int] = []

    def refusing(self: pq.ParquetWriter, part: pa.Table, *args: Any, **kwargs: Any) -> None:
        parts.append(part.num_rows)
        if len(parts) == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", refusing)
    with pytest.raises(StoreAccessError, match="the disk is full"):
        run(model, source, target)
    assert target.read_text() == "as it was"
    # What waited behind it may have been tried as well, in a file that nobody will see.
    assert parts[:2] == [10, 10]
    assert len(parts) < 5


def test_a_source_that_changes_meanwhile_is_refused(
    model: str, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict = SumModel.predict

    def touching(self: SumModel, data_set: DataSet) -> Any:
        os.utime(source, ns=(1, 1))
        return predict(self, data_set)

    monkeypatch.setattr(SumModel, "predict", touching)
    with pytest.raises(ObjectChangedError, match=r"rows\.parquet was changed while it was read"):
        run(model, source, tmp_path / "p.parquet")
    assert not (tmp_path / "p.parquet").exists()


@pytest.mark.parametrize(("name", "ending"), [("out/", ".parquet"), ("out.csv/", ".csv"), ("out.jsonl/", ".jsonl")])
def test_a_directory_of_parts(name: str, ending: str, model: str, source: Path, tmp_path: Path) -> None:
    for rows in (5, 30):  # the second run replaces the first
        assert run(model, source, f"{tmp_path}/{name}", batch_rows=rows).num_rows == 47
    manifest = json.loads((tmp_path / name / "predictions.json").read_text())
    assert manifest["format_version"] == 1
    assert (manifest["rows"], manifest["columns"]) == (47, ["id", "prediction"])
    assert [part["path"] for part in manifest["parts"]] == [f"part-00000{ending}"]
    run(model, source, f"{tmp_path}/{name}")
    manifest = json.loads((tmp_path / name / "predictions.json").read_text())
    assert [part["rows"] for part in manifest["parts"]] == [10, 10, 10, 10, 7]
    for part in manifest["parts"]:
        path = tmp_path / name / part["path"]
        assert (path.stat().st_size, sha256_of(path)) == (part["size"], part["sha256"])
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == [
        *(part["path"] for part in manifest["parts"]),
        "predictions.json",
    ]
    if ending == ".parquet":
        assert pq.read_table(sorted((tmp_path / name).glob("*.parquet"))).to_pydict() == expected(47)


def test_a_directory_that_holds_something_else_is_not_replaced(model: str, source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years")
    with pytest.raises(StoreAccessError, match=r"it holds 'thesis\.tex', which is no part of predictions"):
        run(model, source, f"{tmp_path}/out/")
    with pytest.raises(StoreAccessError, match=r"it is a file"):
        run(model, source, f"{source}/")
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years"
    assert source.stat().st_size


@pytest.mark.usefixtures("memory")
def test_a_directory_in_a_store_and_a_source_in_one(model: str, source: Path, tmp_path: Path) -> None:
    store("mem://b/rows.parquet", source.read_bytes())
    for rows in (5, 12):
        predict_to_file(model, "mem://b/rows.parquet", "mem://b/out/", trusted=TRUSTED, batch_rows=rows)
    names = [uri for uri in OBJECTS if uri.startswith("mem://b/out/")]
    assert sorted(names) == [
        "mem://b/out/part-00000.parquet",
        "mem://b/out/part-00001.parquet",
        "mem://b/out/predictions.json",
    ]
    assert names[-1] == "mem://b/out/predictions.json"
    parts = [pq.read_table(pa.BufferReader(OBJECTS[uri][1])) for uri in sorted(names)[:2]]
    assert pa.concat_tables(parts).to_pydict() == expected(47)
    store("mem://b/other/x.txt", b"mine")
    with pytest.raises(StoreAccessError, match=r"it holds 'x\.txt'"):
        predict_to_file(model, "mem://b/rows.parquet", "mem://b/other/", trusted=TRUSTED)


def test_a_row_far_down_that_does_not_fit_leaves_nothing(model: str, tmp_path: Path) -> None:
    rows = table(40).set_column(3, "a", pa.array([*([1.0] * 39), None]))
    pq.write_table(rows, tmp_path / "rows.parquet")
    with pytest.raises(SignatureError, match="'a'"):
        run(model, tmp_path / "rows.parquet", tmp_path / "p.parquet")
    pq.write_table(rows.drop_columns(["b"]), tmp_path / "rows.parquet")
    with pytest.raises(MissingColumnsError):
        run(model, tmp_path / "rows.parquet", tmp_path / "out" / "p.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "model", "rows.parquet"]


def test_numbers_below_one_are_refused(model: str, source: Path, tmp_path: Path) -> None:
    for wrong in ({"jobs": 0}, {"batch_rows": 0}):
        with pytest.raises(PredictError, match="it is less than one"):
            run(model, source, tmp_path / "p.parquet", **wrong)


KILLED = f"""
import sys
from tests.core import bundle_parts
sys.modules["{HERE}"] = bundle_parts
from mercury_core import predicting
predicting._BATCHES_A_PART = 1
model, source, target = sys.argv[1:]
written = predicting.predict_to_file(model, source, target, trusted=bundle_parts.TRUSTED, batch_rows=100, jobs=2)
print(written.resumed_rows)
"""


@pytest.mark.parametrize("target", ["p.parquet", "out.csv/"])
def test_killed_at_any_moment_it_goes_on_and_is_whole(target: str, model: str, tmp_path: Path) -> None:
    pq.write_table(table(20_000), tmp_path / "rows.parquet", row_group_size=3_000)
    command = [sys.executable, "-c", KILLED, model, str(tmp_path / "rows.parquet"), f"{tmp_path}/{target}"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    moments, parts = random.Random(target), 0
    for _ in range(4):
        parts += moments.randrange(2, 40)
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and len(kept(tmp_path)) < parts:
                threading.Event().wait(0.001)
            assert process.poll() is None
            process.kill()
        assert not (tmp_path / target).exists()
    done = len(kept(tmp_path))
    assert done >= parts
    last = subprocess.run(command, env=environment, capture_output=True, check=True, text=True)
    assert int(last.stdout) == done * 100
    if target == "p.parquet":
        found = pq.read_table(tmp_path / target)
    else:
        manifest = json.loads((tmp_path / target / "predictions.json").read_text())
        found = pa.concat_tables([pa_csv.read_csv(tmp_path / target / part["path"]) for part in manifest["parts"]])
    assert found.to_pydict() == expected(20_000)
    assert not list(tmp_path.glob("cache/predictions/*"))
    assert not list(tmp_path.glob(".mercury-tmp-*"))

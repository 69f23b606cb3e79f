"""Tasks on what lies in stores: read there, stored there, loaded from there through the cache."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.bundle import Bundle, cache
from mercury_core.errors import (
    ArgumentsError,
    BundleFormatError,
    CorruptBundleError,
    MissingColumnsError,
    ObjectExistsError,
    ObjectNotFoundError,
    ReadError,
    StoreAccessError,
    UnknownEndingError,
    UntrustedTypeError,
)
from mercury_core.predicting import predict_to_file
from mercury_core.tasks import fit_model, load_model, read_data_bunch, store_artifact, store_model
from tests.core.remote_parts import ASKED, GONE, OBJECTS, fetched, memory, store

pa = pytest.importorskip("pyarrow")

if TYPE_CHECKING:
    from conftest import Site

    from mercury_core.data import DataSet, Predictions

pytestmark = pytest.mark.usefixtures("memory")
__all__ = ["memory"]

CSV = b"id,a,b,y\n1,0.5,x,2\n2,1.5,y,4\n"
URI = "mem://b/models/m"


class Mean:
    """A model that predicts one number."""

    classes = None

    def __init__(self, number: float) -> None:
        self.number = number

    @property
    def underlying(self) -> float:
        return self.number

    def predict(self, data_set: DataSet) -> Predictions:
        from mercury_core.data import DataWrapper, Predictions

        return Predictions(DataWrapper(pa.table({"y": [self.number] * data_set.num_rows})))


class MeanFormat:
    def save(self, model: Any, path: Path) -> Path:
        path.mkdir()
        (path / "mean.json").write_text(json.dumps(model.number))
        return path

    def load(self, path: Path, *, trusted: Any = ()) -> Mean:
        if "mean" not in trusted:
            raise UntrustedTypeError(str(path / "mean.json"), ["mean"])
        return Mean(json.loads((path / "mean.json").read_text()))


mean_format = MeanFormat()
FORMAT = "tests.core.test_tasks_remote:mean_format"
TRUSTED = ("mean", FORMAT)


def stored(number: float = 3.0, uri: str = URI, overwrite: str = "error", work: Path = Path("work")) -> str:
    bunch = read_data_bunch({"train": pa_file(work)}, roles={"index": "id", "features": "a", "targets": "y"})
    bundle = fit_model(bunch, lambda bunch: Mean(number))
    place = store_model(bundle, work / f"m{number}", format=FORMAT, remote=uri, overwrite=overwrite)
    assert place.uri == uri
    return uri


def pa_file(work: Path) -> Path:
    work.mkdir(exist_ok=True)
    (work / "rows.csv").write_bytes(CSV)
    return work / "rows.csv"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def entries(site: Site) -> list[Path]:
    return sorted((site.cache / "models").iterdir())


# --- read ---


def test_a_reader_without_a_store_reads_a_copy_that_was_verified(here: Path) -> None:
    store("mem://b/rows.csv", CSV)
    seen = []

    def reader(source: str, *, columns: Any = None) -> Any:
        seen.append(Path(source).read_bytes())
        seen.append(source)
        return pa.table({"a": [1]})

    assert read_data_bunch("mem://b/rows.csv", roles={"features": ["a", "b"], "targets": "y"})["data"].num_rows == 2
    read_data_bunch("mem://b/rows.csv", reader=reader)
    assert seen[0] == CSV
    assert Path(seen[1]).name == "rows.csv"
    assert not Path(seen[1]).exists()


def test_a_reader_with_a_store_is_given_it_and_nobody_else_may(here: Path) -> None:
    given = []

    def reader(source: str, *, store: Any = None) -> Any:
        given.append((source, store))
        return pa.table({"a": [1]})

    settings = {"mem": {"endpoint_url": "http://one"}, "mem://b/two": {"endpoint_url": "http://two"}}
    for uri in ("mem://b/one/x", "mem://b/two/x"):
        read_data_bunch(uri, reader=reader, stores=settings)
    (here / "x").touch()
    read_data_bunch("x", reader=reader, stores=settings)
    assert [(source, store and store.endpoint_url) for source, store in given] == [
        ("mem://b/one/x", "http://one"),
        ("mem://b/two/x", "http://two"),
        ("x", None),
    ]
    assert not ASKED
    with pytest.raises(ArgumentsError, match=r"'store' of .* is given by Mercury"):
        read_data_bunch("x", reader=reader, store=3)


def test_a_scheme_without_a_store_is_the_business_of_the_reader() -> None:
    def reader(source: str) -> Any:
        return pa.table({"a": [source]})

    bunch = read_data_bunch("weather://10382", reader=reader)
    assert bunch["data"].features.to("arrow").underlying.to_pydict() == {"a": ["weather://10382"]}


def test_errors_name_the_source_and_not_the_copy() -> None:
    with pytest.raises(ObjectNotFoundError, match=r"stored at mem://b/rows\.csv:"):
        read_data_bunch("mem://b/rows.csv")
    store("mem://b/rows.csv", b"")
    with pytest.raises(ReadError, match=r"^Cannot read mem://b/rows\.csv: it is empty") as caught:
        read_data_bunch("mem://b/rows.csv")
    assert caught.value.source == "mem://b/rows.csv"
    store("mem://b/rows.csv", CSV)
    with pytest.raises(MissingColumnsError, match=r"^mem://b/rows\.csv lacks the column 'c'"):
        read_data_bunch("mem://b/rows.csv", roles={"features": "c"})
    with pytest.raises(ArgumentsError, match=r"no parameter 'endpoint'"):
        read_data_bunch("mem://b/rows.csv", stores={"mem": {"endpoint": "x"}})
    GONE.add("b")
    with pytest.raises(StoreAccessError, match=r"there is no bucket 'b'"):
        read_data_bunch("mem://b/rows.csv")


# --- store and load ---


def test_a_model_is_stored_and_loaded_and_kept(site: Site) -> None:
    stored()
    assert sorted(OBJECTS) == [f"{URI}/{name}" for name in ("golden.parquet", "mercury.json", "model/mean.json")]
    model = load_model(URI, trusted=TRUSTED)
    assert model.underlying == 3.0
    (entry,) = entries(site)
    ASKED.clear()
    again = Bundle.load(URI + "/", trusted=TRUSTED)
    assert again.signature == model.signature
    assert [(what, uri) for what, uri, _ in ASKED] == [("open", f"{URI}/mercury.json")]
    assert entries(site) == [entry]


def test_a_model_that_was_replaced_is_noticed(site: Site) -> None:
    stored(3.0)
    assert load_model(URI, trusted=TRUSTED).underlying == 3.0
    stored(4.0, overwrite="replace")
    assert load_model(URI, trusted=TRUSTED).underlying == 4.0
    assert len(entries(site)) == 2


@pytest.mark.parametrize("harm", ["alter", "remove", "add", "manifest", "file"])
def test_an_entry_that_was_harmed_is_fetched_again(site: Site, harm: str) -> None:
    stored()
    load_model(URI, trusted=TRUSTED)
    (entry,) = entries(site)
    number = entry / "model/mean.json"
    if harm == "alter":
        number.write_text("9.0")
    elif harm == "remove":
        number.unlink()
    elif harm == "add":
        (entry / "extra").write_text("x")
    elif harm == "manifest":
        (entry / "mercury.json").write_text("{}")
    else:
        shutil.rmtree(entry)
        entry.write_text("no directory")
    ASKED.clear()
    assert load_model(URI, trusted=TRUSTED).underlying == 3.0
    assert fetched(f"{URI}/model/mean.json") == [3]
    assert entries(site) == [entry]
    assert sorted(path.name for path in entry.rglob("*")) == ["golden.parquet", "mean.json", "mercury.json", "model"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("model/more.bin", "model/more.bin was not there when it was saved"),
        ("model/mean.json", "model/mean.json has 7 bytes, expected 3"),
    ],
)
def test_what_the_manifest_does_not_name_is_refused_before_it_is_fetched(site: Site, name: str, said: str) -> None:
    stored()
    store(f"{URI}/{name}", b"x" * 7)
    ASKED.clear()
    with pytest.raises(CorruptBundleError, match=f"^The bundle mem://b/models/m was altered .*{said}"):
        load_model(URI, trusted=TRUSTED)
    assert {uri for what, uri, _ in ASKED if what == "open"} == {f"{URI}/mercury.json"}


def test_marks_of_directories_are_no_files(site: Site) -> None:
    stored()
    for mark in ("", "model/"):
        store(f"{URI}/{mark}", b"")
    assert load_model(URI, trusted=TRUSTED).underlying == 3.0


def test_what_is_no_bundle_is_said_by_its_uri(site: Site) -> None:
    with pytest.raises(ObjectNotFoundError, match=r"stored at mem://b/models/m:"):
        load_model(URI)
    store(f"{URI}/other", b"x")
    with pytest.raises(BundleFormatError, match=r"^mem://b/models/m is not a bundle .*it holds no mercury.json"):
        load_model(URI)
    store(f"{URI}/mercury.json", b"no json")
    with pytest.raises(BundleFormatError, match=r"^mem://b/models/m is not a bundle"):
        load_model(URI)
    assert entries(site) == []


def test_a_stored_model_that_was_altered_is_refused_and_not_kept(site: Site) -> None:
    stored()
    store(f"{URI}/model/mean.json", b"9.0")
    with pytest.raises(CorruptBundleError, match=r"^The bundle mem://b/models/m was altered") as caught:
        load_model(URI, trusted=TRUSTED)
    assert caught.value.where == URI
    assert entries(site) == []


def test_what_is_not_trusted_is_said_by_its_uri(site: Site) -> None:
    stored()
    with pytest.raises(UntrustedTypeError, match=r"^mem://b/models/m holds types") as caught:
        load_model(URI)
    assert caught.value.types == (FORMAT,)
    with pytest.raises(UntrustedTypeError, match=r"^mem://b/models/m/model/mean\.json holds types"):
        load_model(URI, trusted=[FORMAT])
    assert len(entries(site)) == 1


def test_a_model_that_is_replaced_while_it_is_fetched_is_fetched_again(monkeypatch: pytest.MonkeyPatch) -> None:
    stored(3.0)
    copied = cache.copy
    times = []

    def slow(uri: str, target: Any, **named: Any) -> Any:
        done = copied(uri, target, **named)
        times.append(1)
        if len(times) == 1:  # one file of the new one has come, and the manifest is that of the old one
            stored(4.0, overwrite="replace")
            (target / "model/mean.json").write_text("4.0")
        return done

    monkeypatch.setattr(cache, "copy", slow)
    assert load_model(URI, trusted=TRUSTED).underlying == 4.0
    assert len(times) == 2


def test_a_process_that_was_faster_has_brought_the_same(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    stored()
    copied = cache.copy

    def overtaken(uri: str, target: Any, **named: Any) -> Any:
        monkeypatch.setattr(cache, "copy", copied)
        assert load_model(URI, trusted=TRUSTED).underlying == 3.0
        return copied(uri, target, **named)

    monkeypatch.setattr(cache, "copy", overtaken)
    assert load_model(URI, trusted=TRUSTED).underlying == 3.0
    assert len(entries(site)) == 1


def test_without_a_cache_that_can_be_written_a_model_is_loaded_all_the_same(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored()
    (here / "file").touch()
    monkeypatch.setenv("MERCURY_CACHE_DIR", str(here / "file"))
    assert load_model(URI, trusted=TRUSTED).underlying == 3.0


def test_what_was_not_used_for_longest_goes(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "MOST_BYTES", 1)
    old = time.time() - 3 * cache.IN_USE
    kept = []
    for number in (1.0, 2.0):
        stored(number, f"{URI}{number}")
        load_model(f"{URI}{number}", trusted=TRUSTED)
        kept.append(set(entries(site)))
        if number == 1.0:
            (first,) = entries(site)
            os.utime(first, (old, old))
    assert len(kept[1]) == 1
    assert first not in kept[1]
    # What was used within the hour stays, whatever it needs.
    stored(5.0, f"{URI}5")
    load_model(f"{URI}5", trusted=TRUSTED)
    assert len(entries(site)) == 2
    begun = site.cache / "models/.fetch-killed"
    begun.mkdir()
    os.utime(begun, (old, old))
    stored(6.0, f"{URI}6")
    load_model(f"{URI}6", trusted=TRUSTED)
    assert begun.exists()
    os.utime(begun, (old - 90_000, old - 90_000))
    stored(7.0, f"{URI}7")
    load_model(f"{URI}7", trusted=TRUSTED)
    assert not begun.exists()


def test_settings_of_stores_reach_every_store(here: Path) -> None:
    wrong = {"mem": {"endpoint": "x"}}
    stored()
    calls: list[Any] = [
        lambda: load_model(URI, stores=wrong),
        lambda: store_artifact({"a": 1}, "a.json", remote="mem://b/a.json", stores=wrong),
        lambda: store_model(Mean(1.0), "other", format=FORMAT, remote="mem://b/other", stores=wrong),
        lambda: predict_to_file(URI, "mem://b/rows.csv", "out.csv", stores=wrong),
    ]
    for call in calls:
        with pytest.raises(ArgumentsError, match=r"no parameter 'endpoint'"):
            call()
    store_artifact({"a": 1}, "b.json", remote="mem://b/b.json", stores={"mem": {"max_concurrency": 1}})
    assert json.loads(OBJECTS["mem://b/b.json"][1]) == {"a": 1}
    with pytest.raises(ObjectExistsError):
        store_artifact({"a": 1}, "c.json", remote="mem://b/b.json")


def test_predictions_of_a_source_and_a_model_that_lie_elsewhere(here: Path) -> None:
    stored()
    store("mem://b/rows.csv", CSV)
    predict_to_file(URI, "mem://b/rows.csv", "out.csv", trusted=TRUSTED)
    assert Path("out.csv").read_text() == '"id","prediction"\n1,3\n2,3\n'
    for _ in range(2):
        predict_to_file(URI, "mem://b/rows.csv", "mem://b/out.JSON", trusted=TRUSTED)
    assert json.loads(OBJECTS["mem://b/out.JSON"][1]) == [{"id": 1, "prediction": 3.0}, {"id": 2, "prediction": 3.0}]
    with pytest.raises(UnknownEndingError, match=r"the ending of mem://b/out\.txt"):
        predict_to_file(URI, "mem://b/rows.csv", "mem://b/out.txt")

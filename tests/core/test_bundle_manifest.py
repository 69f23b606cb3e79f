"""The manifest: versions that are read, lies that are refused before anything is loaded, pickle, and inspect."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from mercury_core import Bundle, DataBunch, load_model, store_model, transform_data_bunch as transform, verify
from mercury_core.cli import main
from mercury_core.errors import (
    ArgumentsError,
    BundleError,
    BundleFormatError,
    CorruptBundleError,
    MercuryError,
    ObjectNotFoundError,
    UntrustedPickleError,
)
from mercury_core.predicting import predict_to_file
from mercury_core.workflow import run_workflow
from tests.core.bundle_parts import FORMAT, HERE, TRUSTED, Shift, SumFormat, SumModel, data_set, make_importable, values
from tests.core.remote_parts import ASKED, memory

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["memory"]
SAMPLES = Path(__file__).parent / "data"


@pytest.fixture(autouse=True)
def _parts_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    make_importable(monkeypatch)


@pytest.fixture
def bundle() -> Bundle:
    bunch = DataBunch({"train": data_set([1.0, 2.0], [3.0, 4.0])})
    return Bundle.of(SumModel(offset=0.5), transform(transform(bunch, f"{HERE}:Shift"), f"{HERE}:double", times=3))


@pytest.fixture
def saved(tmp_path: Path, bundle: Bundle) -> Path:
    store_model(bundle, tmp_path / "m", format=FORMAT, license="MIT", description="A sum.")
    return tmp_path / "m"


@pytest.fixture
def original(saved: Path) -> str:
    return (saved / "mercury.json").read_text()


# --- versions ---


@pytest.mark.parametrize("version", [1, 2])
def test_a_stored_sample_is_read(version: int, tmp_path: Path) -> None:
    sample = SAMPLES / f"bundle-{version}"
    bundle = load_model(sample, trusted=TRUSTED)
    assert values(bundle.predict(pa.table({"a": [1.0, 2.0], "b": [3, 4]}))) == [-23.5, -17.5]
    assert [field.name for field in bundle.signature.inputs] == ["a", "b"]
    assert (bundle.run, bundle.metrics) == ("20261124-sample", {"train": {"r2": 0.5}})
    assert Bundle.inspect(sample).format_version == version
    if version == 1:
        assert (bundle.license, bundle.description, bundle.golden) == ("", "", None)
        with pytest.raises(BundleError, match="it has no golden rows"):
            verify(sample, trusted=TRUSTED)
    else:
        assert bundle.license == "MIT"
        assert bundle.description.startswith("Three times a and b")
        assert verify(sample, trusted=TRUSTED).holds
    again = store_model(bundle, tmp_path / "again", format=FORMAT)
    assert load_model(again.uri, trusted=TRUSTED).signature == bundle.signature


@pytest.mark.parametrize("version", [0, 3])
def test_another_version_is_refused(saved: Path, version: int) -> None:
    altered(saved, lambda told: told.update(format_version=version))
    with pytest.raises(BundleFormatError, match=f"its format version is {version}, this Mercury reads 1 to 2: install"):
        Bundle.inspect(saved)


def test_what_a_later_minor_version_adds_is_left_alone(saved: Path) -> None:
    altered(saved, lambda told: told.update(colour="blue"))
    assert load_model(saved, trusted=TRUSTED).license == "MIT"


# --- licence and description ---


def test_licence_and_description_stay_with_the_model(saved: Path, tmp_path: Path) -> None:
    loaded = load_model(saved, trusted=TRUSTED)
    assert (loaded.license, loaded.description) == ("MIT", "A sum.")
    again = load_model(store_model(loaded, tmp_path / "n", format=FORMAT, license="").uri, trusted=TRUSTED)
    assert (again.license, again.description) == ("", "A sum.")


def test_a_workflow_says_them(tmp_path: Path, capsys: pytest.CaptureFixture[str], saved: Path) -> None:
    text = f"""
load: {{uri: {saved}, trusted: [{", ".join(TRUSTED)}]}}
save: {{use: "{FORMAT}", path: n, license: Apache-2.0, description: Another sum.}}
"""
    (tmp_path / "w.yaml").write_text(text)
    run_workflow(tmp_path / "w.yaml", runs=tmp_path / "runs")
    found = Bundle.inspect(tmp_path / "n")
    assert (found.license, found.description) == ("Apache-2.0", "Another sum.")
    (tmp_path / "w.yaml").write_text(text.replace("Apache-2.0", "2").replace("trusted:", "trust: maybe, trusted:"))
    assert main(["check", str(tmp_path / "w.yaml")]) == 2
    said = capsys.readouterr().err
    assert "w.yaml:3:" in said
    assert "`license` is text; found 2" in said
    assert "`trust` is true or false; found the text 'maybe'" in said


# --- lies ---


def altered(saved: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    told = json.loads((saved / "mercury.json").read_text())
    change(told)
    (saved / "mercury.json").write_text(json.dumps(told))


def _files(name: str, **other: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda told: told["files"].setdefault(name, {"size": 1, "sha256": "0" * 64}).update(other)


PLACES = ("../other", "/etc", "model/../../x", "a//b", "./model", ".", "a\\b", "C:x", "mercury.json", "model/", "a\0b")


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("what", ["model", "transform", "golden", "file"])
def test_a_place_outside_is_refused(saved: Path, what: str, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    changes: dict[str, Callable[[dict[str, Any]], Any]] = {
        "model": lambda told: told["model"].update(path=place),
        "transform": lambda told: told["transforms"][0].update(path=place),
        "golden": lambda told: told["golden"].update(path=place),
        "file": _files(place),
    }
    altered(saved, changes[what])
    refused(saved, "leads outside the bundle", monkeypatch)


def refused(saved: Path, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for part in (SumFormat, Shift):
        monkeypatch.setattr(part, "load", lambda *_, **__: pytest.fail("something was loaded"))
    with pytest.raises((BundleError, ArgumentsError), match=said):
        load_model(saved, trusted=TRUSTED)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_files("model/offset.txt", size=4), r"model/offset\.txt has 3 bytes, expected 4"),
        (_files("model/offset.txt", size=-1), r"damaged: Expected `int` >= 0 - at `\$\.files\[\.\.\.\]\.size`"),
        (_files("model/offset.txt", sha256="0" * 64), "another SHA-256"),
        (_files("model/offset.txt", sha256="0"), "damaged: Expected `str` matching regex"),
        (_files("model/more.txt"), r"model/more\.txt is missing"),
        (lambda told: told["files"].pop("model/note.txt"), r"model/note\.txt was not there when it was saved"),
        (lambda told: told["model"].update(path="transforms/02"), "transforms/02 has no file that mercury.json proves"),
        (lambda told: told["transforms"][0].update(path="transforms/07"), "transforms/07 is missing"),
        (lambda told: told["golden"].update(path="model"), "model is no file that mercury.json proves"),
        (lambda told: told["golden"].update(path="model/note.txt"), "no Parquet file that can be read"),
        (lambda told: told["golden"].update(tolerance=-1.0), "damaged: Expected `float` >= 0"),
        (lambda told: told["golden"].update(rows="many"), "damaged: Expected `int`, got `str`"),
        (lambda told: told["golden"].update(rows=9), r"golden\.parquet has 2 rows, expected 9"),
        (lambda told: told["signature"]["inputs"][0].update(type="int64"), "has double in the column 'a', and the sig"),
        (lambda told: told["signature"]["inputs"][0].update(name="b"), "the input 'b' is there twice"),
        (lambda told: told["signature"]["inputs"][0].update(type=7), "damaged: Expected `str`, got `int`"),
        (lambda told: told["signature"]["inputs"][0].update(categories=[["x"]]), "the categories of 'a' are no labels"),
        (lambda told: told["signature"]["inputs"][0].update(categories=[]), "the categories of 'a' are no labels"),
        (lambda told: told["signature"]["inputs"][0].update(categories=["x"]), "has categories, and is of type double"),
        (lambda told: told["transforms"][1].update(params={"times": "x"}), "The parameter 'times' of .* must be int"),
        (lambda told: told["signature"].update(classes=[{"x": 1}]), "the classes are no labels"),
        (lambda told: told["transforms"][0].pop("path"), "Shift' is fitted, and nothing was kept of it"),
        (lambda told: told["transforms"][1].update(path="model"), "double' is a function, and has no files"),
        (lambda told: told["signature"].update(inputs=7), "damaged: Expected `array`, got `int`"),
        (lambda told: told.update(files=[]), "damaged: Expected `object`, got `array`"),
    ],
)
def test_a_manifest_that_lies_is_refused_before_anything_is_loaded(
    saved: Path, change: Any, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    altered(saved, change)
    refused(saved, said, monkeypatch)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 2**70) | st.floats() | st.text(max_size=9) | st.just("list<item: x>"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_it_ends_in_an_error_of_ours_or_in_the_model(
    saved: Path, original: str, data: st.DataObject
) -> None:
    told = json.loads(original)
    at: Any = told
    while True:
        key = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else range(len(at))))
        if not isinstance(at[key], (dict, list)) or not at[key] or data.draw(st.booleans()):
            break
        at = at[key]
    at[key] = data.draw(JSON)
    (saved / "mercury.json").write_text(json.dumps(told))
    for act in (lambda: load_model(saved, trusted=TRUSTED), lambda: verify(saved, trusted=TRUSTED)):
        with suppress(MercuryError):
            act()
    with suppress(MercuryError):
        bundle = load_model(saved, trusted=TRUSTED)
        bundle.predict(pa.table({"a": [1.0], "b": [2.0]}))


def test_a_format_that_the_manifest_makes_up_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    altered(saved, lambda told: told["model"].update(format="os:system"))
    refused(saved, r"types that are not trusted, and nothing was loaded: os:system", monkeypatch)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_what_is_neither_a_file_nor_a_directory_is_refused(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(saved / "model/pipe")
    refused(saved, "model/pipe is neither a file nor a directory", monkeypatch)


def test_a_manifest_that_is_no_file_is_refused_and_not_waited_for(saved: Path) -> None:
    (saved / "mercury.json").unlink()
    for make in (Path.mkdir, *([os.mkfifo] if hasattr(os, "mkfifo") else [])):
        make(saved / "mercury.json")
        for use in (load_model, Bundle.inspect, verify):
            with pytest.raises(BundleFormatError, match=r"its mercury\.json is no file"):
                use(saved)
        (saved / "mercury.json").rmdir() if (saved / "mercury.json").is_dir() else None


# --- pickle ---


def test_a_format_that_needs_pickle_is_loaded_where_that_was_allowed(
    saved: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(SumFormat, "needs_pickle", "whatever the file brings, through joblib", raising=False)
    loads: list[Path] = []
    load = SumFormat.load

    def noting(self: SumFormat, path: Path, **params: Any) -> SumModel:
        loads.append(path)
        return load(self, path, **params)

    monkeypatch.setattr(SumFormat, "load", noting)
    with pytest.raises(UntrustedPickleError) as caught:
        load_model(saved, trusted=TRUSTED)
    assert str(caught.value) == (
        f"{saved} needs pickle, and nothing was loaded: '{FORMAT}' runs whatever the file brings, through joblib. "
        f"If you trust where it comes from, load it with trust=True; on the command line, with --trust-pickle."
    )
    trusted = [word for name in TRUSTED for word in ("--trust", name)]
    assert main(["verify", str(saved), *trusted]) == 1
    assert "needs pickle" in capsys.readouterr().err
    assert loads == []
    assert load_model(saved, trusted=TRUSTED, trust=True).underlying == SumModel(0.5)
    assert verify(saved, trusted=TRUSTED, trust=True).holds
    assert main(["verify", str(saved), "--trust-pickle", *trusted]) == 0
    (tmp_path / "rows.csv").write_text("a,b\n1,2\n")
    predict_to_file(saved, tmp_path / "rows.csv", tmp_path / "p.csv", trusted=TRUSTED, trust=True)
    assert len(loads) == 4


def test_a_transform_may_need_it_too(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shift, "needs_pickle", "whatever it brings", raising=False)
    with pytest.raises(UntrustedPickleError, match=f"'{HERE}:Shift' runs whatever it brings"):
        load_model(saved, trusted=TRUSTED)
    assert load_model(saved, trusted=TRUSTED, trust=True)


# --- inspect ---


def test_of_a_model_in_a_store_the_manifest_alone_is_fetched(bundle: Bundle, memory: Any, tmp_path: Path) -> None:
    store_model(bundle, tmp_path / "m", format=FORMAT, remote="mem://b/m")
    ASKED.clear()
    found = Bundle.inspect("mem://b/m/")
    assert [(what, uri) for what, uri, _ in ASKED] == [("open", "mem://b/m/mercury.json")]
    assert found.signature == bundle.signature
    assert found.golden is not None
    assert (found.golden.rows, found.golden.tolerance) == (2, 0.0)
    with pytest.raises(ObjectNotFoundError, match="stored at mem://b/none"):
        Bundle.inspect("mem://b/none")


def test_no_bundle(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/file").write_text("x")
    with pytest.raises(BundleFormatError, match=r"holds no mercury\.json"):
        Bundle.inspect(tmp_path / "other")
    with pytest.raises(ObjectNotFoundError):
        Bundle.inspect(tmp_path / "none")
    (tmp_path / "other/mercury.json").write_bytes(b"\xff")
    with pytest.raises(BundleFormatError, match="damaged"):
        Bundle.inspect(tmp_path / "other")


def test_what_contradicts_itself_is_refused_without_its_files(saved: Path) -> None:
    altered(saved, lambda told: told["model"].update(path="../m"))
    with pytest.raises(CorruptBundleError, match="leads outside"):
        Bundle.inspect(saved)


def test_the_command_shows_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(SAMPLES / "bundle-2")]) == 0
    said = capsys.readouterr().out
    lines = {line.split("  ")[0]: line.split("  ", 1)[-1].strip() for line in said.splitlines()}
    assert lines["license"] == "MIT"
    assert lines["model"] == FORMAT
    assert lines["transforms"] == f"{HERE}:double, {HERE}:Shift"
    assert lines["golden rows"] == "4, to the last bit"
    assert lines["files"] == "4, 1.2 kB"
    assert [line.split() for line in said.splitlines()[-7:]] == [
        ["column", "role", "type", "nulls"],
        ["a", "input", "double", "yes"],
        ["b", "input", "int64", "no"],
        ["y", "target", "double", "no"],
        [],
        ["metric", "train"],
        ["r2", "0.5000"],
    ]
    assert main(["inspect", str(SAMPLES / "bundle-1"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["format_version"], told["golden"], told["run"]) == (1, None, "20261124-sample")
    assert main(["inspect", "no/such/model"]) == 1
    assert "Nothing is stored at" in capsys.readouterr().err


def test_labels_and_shapes_are_shown(saved: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def change(told: dict[str, Any]) -> None:
        first, second = told["signature"]["inputs"]
        first.update(type="dictionary<string>", categories=[f"c{n}" for n in range(10)])
        second.update(shape=[28, 28, 1])
        told["signature"].update(classes=list(range(14)))
        told["golden"].update(tolerance=1e-5)

    altered(saved, change)
    assert main(["inspect", str(saved)]) == 0
    said = capsys.readouterr().out
    assert "c0, c1, c2, c3, c4, c5, c6, c7, … 2 more" in said
    assert "arrays of 28 × 28 × 1" in said
    assert "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, … 2 more" in said
    assert "2, within 1e-05" in said


def test_inspecting_loads_no_library_of_models_or_data() -> None:
    code = (
        "import sys\nfrom mercury_core.cli import main\n"
        f"assert main(['inspect', {str(SAMPLES / 'bundle-2')!r}]) == 0\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & {"pyarrow", "numpy", "pandas", "polars", "sklearn", "skops", "keras", "torch", "tensorflow"}


def test_the_page_tells_of_every_field() -> None:
    page = (Path(__file__).parents[2] / "docs/bundle.md").read_text()

    def names(kind: Any) -> list[str]:
        info = msgspec.inspect.type_info(kind)
        return [field.encode_name for field in info.fields]  # type: ignore[attr-defined]

    from mercury_core.bundle import Field, Manifest, Signature, manifest

    records = (Manifest, manifest.SavedModel, manifest.SavedTransform, manifest.SavedGolden, manifest.FileProof)
    for record in (*records, Signature, Field):
        for name in names(record):
            assert f"`{name}`" in page, f"docs/bundle.md tells nothing of {name!r} of {record.__name__}"


def test_a_copy_of_the_sample_is_the_sample(tmp_path: Path) -> None:
    shutil.copytree(SAMPLES / "bundle-2", tmp_path / "copy")
    assert (
        load_model(tmp_path / "copy", trusted=TRUSTED).golden
        == load_model(SAMPLES / "bundle-2", trusted=TRUSTED).golden
    )

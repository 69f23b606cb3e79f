"""Bundles: what is written, what is proven before it is loaded, and that nothing is transformed twice."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mercury_core import (
    Bundle,
    DataBunch,
    DataSet,
    DataWrapper,
    load_model,
    store_model,
    transform_data_bunch as transform,
)
from mercury_core.bundle import Field
from mercury_core.errors import (
    ArgumentsError,
    BundleError,
    BundleFormatError,
    CorruptBundleError,
    DataError,
    ObjectExistsError,
    ObjectNotFoundError,
    PredictError,
    StoreAccessError,
    UntrustedTypeError,
)
from tests.core.bundle_parts import FORMAT, HERE, TRUSTED, SumFormat, SumModel, data_set, make_importable, values

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _parts_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    make_importable(monkeypatch)


@pytest.fixture
def bunch() -> DataBunch:
    return DataBunch({"train": data_set([1.0, 2.0], [3.0, 4.0]), "test": data_set([10.0], [20.0])})


@pytest.fixture
def bundle(bunch: DataBunch) -> Bundle:
    shifted = transform(transform(bunch, f"{HERE}:Shift"), f"{HERE}:double", times=3)
    return Bundle.of(SumModel(offset=0.5), shifted)


def test_raw_rows_get_every_transform_and_training_data_none(bunch: DataBunch, bundle: Bundle) -> None:
    shifted = transform(bunch, f"{HERE}:Shift")
    assert values(bundle.predict(pa.table({"a": [10.0], "b": [20.0]}))) == [((10 - 4) + (20 - 4)) * 3 + 0.5]
    done = DataBunch({"train": shifted["train"]})
    assert values(Bundle.of(SumModel(), done).predict(shifted["test"])) == [(10 - 4) + (20 - 4)]


def test_data_that_went_part_of_the_way_goes_the_rest(bunch: DataBunch) -> None:
    first = transform(bunch, f"{HERE}:Shift")
    second = transform(first, f"{HERE}:double")
    bundle = Bundle.of(SumModel(), second)
    expected = values(bundle.predict(bunch["test"]))
    assert values(bundle.predict(first["test"])) == expected
    assert values(bundle.predict(second["test"])) == expected


def test_data_that_went_another_way_is_refused(bunch: DataBunch, bundle: Bundle) -> None:
    other = transform(bunch, f"{HERE}:double")
    with pytest.raises(PredictError, match=r"not the model's\. Give it the raw rows"):
        bundle.predict(other["test"])


def test_round_trip_predicts_the_same(tmp_path: Path, bunch: DataBunch, bundle: Bundle) -> None:
    stored = store_model(bundle, tmp_path / "m", format=FORMAT, metrics={"test": {"r2": 1.0}}, run="r1", note="n")
    loaded = load_model(stored.uri, trusted=TRUSTED)
    assert values(loaded.predict(bunch["test"])) == values(bundle.predict(bunch["test"]))
    assert loaded.signature == bundle.signature
    assert loaded.signature.inputs == (Field("a", "double", nullable=False), Field("b", "double", nullable=False))
    assert (loaded.metrics, loaded.run) == ({"test": {"r2": 1.0}}, "r1")
    assert (tmp_path / "m" / "model" / "note.txt").read_text() == "n"
    # The transforms are known again: data of the training session is not transformed twice.
    shifted = transform(bunch, f"{HERE}:Shift")
    with pytest.raises(PredictError):
        loaded.predict(shifted["test"])
    assert repr(loaded) == f"Bundle({HERE}:Shift -> {HERE}:double -> SumModel)"


def test_a_loaded_bundle_knows_the_data_of_its_training(tmp_path: Path, bunch: DataBunch) -> None:
    shifted = transform(bunch, f"{HERE}:Shift")
    bundle = Bundle.of(SumModel(), shifted)
    bundle.save(tmp_path / "m", format=FORMAT)
    loaded = Bundle.load(tmp_path / "m", trusted=TRUSTED)
    assert values(loaded.predict(shifted["test"])) == values(bundle.predict(shifted["test"]))


def test_the_manifest_can_be_read_by_people(tmp_path: Path, bundle: Bundle) -> None:
    bundle.save(tmp_path / "m", format=FORMAT)
    manifest = json.loads((tmp_path / "m" / "mercury.json").read_text())
    assert manifest["format_version"] == 2
    assert manifest["model"] == {"format": FORMAT, "path": "model"}
    assert [step["use"] for step in manifest["transforms"]] == [f"{HERE}:Shift", f"{HERE}:double"]
    assert manifest["transforms"][1]["params"] == {"times": 3}
    assert set(manifest["files"]) == {"golden.parquet", "model/offset.txt", "model/note.txt", "transforms/00/by.txt"}
    assert {"python", "mercury_core", "numpy"} <= set(manifest["packages"])


def test_what_is_there_is_kept_skipped_or_replaced(tmp_path: Path, bundle: Bundle) -> None:
    bundle.save(tmp_path / "m", format=FORMAT, note="first")
    with pytest.raises(ObjectExistsError, match="exists already"):
        bundle.save(tmp_path / "m", format=FORMAT, note="second")
    bundle.save(tmp_path / "m", format=FORMAT, overwrite="skip", note="third")
    assert (tmp_path / "m/model/note.txt").read_text() == "first"
    bundle.save(tmp_path / "m", format=FORMAT, overwrite="replace", note="fourth")
    assert (tmp_path / "m/model/note.txt").read_text() == "fourth"
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def _damage_content(m: Path) -> None:
    (m / "model/offset.txt").write_text("9.9")


def _damage_size(m: Path) -> None:
    (m / "model/offset.txt").write_text("1234567")


def _remove(m: Path) -> None:
    (m / "transforms/00/by.txt").unlink()


def _add(m: Path) -> None:
    (m / "model/extra.txt").write_text("x")


def _link(m: Path) -> None:
    (m / "model/extra.txt").symlink_to("/etc/passwd")


def _lead_outside(m: Path) -> None:
    text = (m / "mercury.json").read_text()
    (m / "mercury.json").write_text(text.replace('"path": "model"', '"path": "../other"'))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (_damage_content, "model/offset.txt has another SHA-256 than expected"),
        (_damage_size, "model/offset.txt has 7 bytes, expected 3"),
        (_remove, "transforms/00/by.txt is missing"),
        (_add, "model/extra.txt was not there when it was saved"),
        (_link, "model/extra.txt is a link"),
        (_lead_outside, "'../other' leads outside the bundle"),
    ],
)
def test_what_was_altered_is_refused_before_anything_is_loaded(
    tmp_path: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch, damage: Any, said: str
) -> None:
    bundle.save(tmp_path / "m", format=FORMAT)
    damage(tmp_path / "m")
    loads: list[Path] = []
    monkeypatch.setattr(SumFormat, "load", lambda _self, path, **_: loads.append(path))
    with pytest.raises(CorruptBundleError, match="nothing of it was loaded") as caught:
        load_model(tmp_path / "m", trusted=TRUSTED)
    assert said in str(caught.value)
    assert loads == []


def test_only_bundles_are_replaced(tmp_path: Path, bundle: Bundle) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/diary.txt").write_text("dear diary")
    for place in ("mine", "mine/diary.txt"):
        with pytest.raises(
            StoreAccessError, match=r"it is no bundle, and nothing else is replaced as a whole\. Choose"
        ):
            store_model(bundle, tmp_path / place, format=FORMAT, overwrite="replace")
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "diary.txt"]
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        store_model(bundle, tmp_path / "empty", format=FORMAT, overwrite="replace")
    assert values(load_model(tmp_path / "empty", trusted=TRUSTED).predict(pa.table({"a": [10.0], "b": [20.0]})))
    with pytest.raises(ArgumentsError, match="'overwrite' is 'yes': expected 'error', 'skip' or 'replace'"):
        store_model(bundle, tmp_path / "other", format=FORMAT, overwrite="yes")
    assert not (tmp_path / "other").exists()


def test_what_is_no_bundle_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError, match="Nothing is stored at"):
        load_model(tmp_path / "nothing")
    with pytest.raises(BundleFormatError, match=r"holds no mercury\.json"):
        load_model(tmp_path)
    (tmp_path / "mercury.json").write_text('{"format_version": 9}')
    with pytest.raises(BundleFormatError, match="its format version is 9, this Mercury reads 1 to 2"):
        load_model(tmp_path)
    (tmp_path / "mercury.json").write_text('{"format_version": 1, "model": 3}')
    with pytest.raises(BundleFormatError, match=r"its mercury\.json is damaged: Expected `object`, got `int`"):
        load_model(tmp_path)
    (tmp_path / "mercury.json").write_text("{")
    with pytest.raises(BundleFormatError, match="damaged"):
        load_model(tmp_path)


def test_functions_named_by_the_file_itself_are_not_trusted(tmp_path: Path, bundle: Bundle) -> None:
    bundle.save(tmp_path / "m", format=FORMAT)
    with pytest.raises(UntrustedTypeError, match=f"trusted=\\['{HERE}:double'\\]"):
        load_model(tmp_path / "m", trusted=[FORMAT, f"{HERE}:Shift"])


def test_a_transform_without_a_name_cannot_be_kept(tmp_path: Path, bunch: DataBunch) -> None:
    bundle = Bundle.of(SumModel(), transform(bunch, lambda data_set: data_set))
    with pytest.raises(BundleError, match="cannot be found again by name"):
        bundle.save(tmp_path / "m", format=FORMAT)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:The model has no golden rows")
def test_a_parameter_that_is_no_plain_value_cannot_be_kept(tmp_path: Path, bunch: DataBunch) -> None:
    made = transform(bunch, f"{HERE}:double", times=3)
    step = made["train"].applied[0]
    object.__setattr__(step, "params", {"times": object()})
    with pytest.raises(BundleError, match="no plain value"):
        Bundle.of(SumModel(), made).save(tmp_path / "m", format=FORMAT)
    assert list(tmp_path.iterdir()) == []


def test_an_artifact_format_saves_no_model(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(ArgumentsError, match="writes tables and dicts, not models"):
        bundle.save(tmp_path / "m", format="json")


def test_a_format_is_given_only_its_own_parameters(tmp_path: Path, bundle: Bundle) -> None:
    with pytest.raises(ArgumentsError, match="nte"):
        bundle.save(tmp_path / "m", format=FORMAT, nte="x")
    assert list(tmp_path.iterdir()) == []


def test_a_transform_is_fitted_on_train(bunch: DataBunch) -> None:
    with pytest.raises(DataError, match="fitted on the data set 'train', and the bunch has only: test"):
        transform(bunch.select(["test"]), f"{HERE}:Shift")


def test_a_matrix_as_in_training_and_others_that_are_made_to_fit() -> None:
    rows = np.array([[1.0, 2.0], [3.0, 4.0]])
    train = DataSet({"features": DataWrapper(rows, ["a", "b"])})
    bundle = Bundle.of(SumModel(), DataBunch({"train": train}))
    seen: list[DataWrapper] = []
    bundle.model.predict = lambda data_set: seen.append(data_set.features) or SumModel().predict(data_set)  # type: ignore[method-assign, func-returns-value]
    same = DataWrapper(rows, ["a", "b"])
    for features in (same, DataWrapper(rows[:, ::-1], ["b", "a"]), DataWrapper(rows.astype("i4"), ["a", "b"])):
        assert values(bundle.predict(DataSet({"features": features}))) == [3.0, 7.0]
    assert seen[0] is same
    assert all(features.field_names == ("a", "b") and features.schema.types == [pa.float64()] * 2 for features in seen)
    with pytest.raises(DataError, match="'b'"):
        bundle.predict(DataSet({"features": DataWrapper(rows[:, :1], ["a"])}))

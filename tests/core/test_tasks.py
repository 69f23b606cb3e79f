"""Level 4: the functions that compose providers, with providers that stand in this file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mercury_core import (
    DataBunch,
    DataSet,
    DataWrapper,
    Predictions,
    evaluate_model,
    fit_model,
    read_data_bunch,
    store_artifact,
    store_model,
    transform_data_bunch,
)
from mercury_core.errors import (
    ArgumentsError,
    DataError,
    MetricError,
    MissingColumnsError,
    ObjectExistsError,
    UnknownProviderError,
)

if TYPE_CHECKING:
    from pathlib import Path

ROLES = {"index": "id", "features": ["a", "b"], "targets": "y"}


@dataclass
class Constant:
    value: float

    @property
    def underlying(self) -> float:
        return self.value

    def predict(self, data_set: DataSet) -> Predictions:
        return Predictions(DataWrapper(np.full((data_set.num_rows, 1), self.value), ["y"]))


def fit_mean(bunch: DataBunch, *, plus: float = 0.0) -> Constant:
    return Constant(float(bunch["train"].targets.to("numpy").underlying.mean()) + plus)


def mean_error(targets: DataWrapper, predictions: Predictions, sample_weight: Any = None, power: int = 1) -> float:
    errors = np.abs(targets.to("numpy").underlying - predictions.values.to("numpy").underlying).ravel() ** power
    return float(np.average(errors, weights=sample_weight))


def halves(bunch: DataBunch, names: tuple[str, str] = ("train", "test")) -> DataBunch:
    (data_set,) = bunch.values()
    half = data_set.num_rows // 2
    return DataBunch({names[0]: data_set.slice(0, half), names[1]: data_set.slice(half, half)})


@pytest.fixture
def table() -> pa.Table:
    return pa.table({"id": [1, 2, 3, 4], "a": [1.0, 2.0, 3.0, 4.0], "b": [0.5] * 4, "y": [10.0, 20.0, 30.0, 50.0]})


@pytest.fixture
def bunch(table: pa.Table) -> DataBunch:
    return transform_data_bunch(read_data_bunch("here", reader=lambda source: table, roles=ROLES), halves)


def test_one_source_is_read_as_data_and_named_ones_by_name(table: pa.Table) -> None:
    assert list(read_data_bunch("here", reader=lambda source: table)) == ["data"]
    read = read_data_bunch({"train": "x", "test": "y"}, reader=lambda source: table, roles=ROLES)
    assert list(read) == ["train", "test"]
    assert [list(data_set) for data_set in read.values()] == [["index", "features", "targets"]] * 2
    assert read["train"].features.field_names == ("a", "b")


def test_a_reader_is_given_the_columns_of_the_roles(table: pa.Table) -> None:
    asked: list[Any] = []

    def reader(source: str, *, columns: list[str] | None = None) -> pa.Table:
        asked.append((source, columns))
        return table.select(columns) if columns else table

    read_data_bunch("one", reader=reader, roles=ROLES)
    read_data_bunch("all", reader=reader, roles={"targets": "y"})
    assert asked == [("one", ["id", "a", "b", "y"]), ("all", None)]


def test_a_missing_column_is_named_with_its_source(table: pa.Table) -> None:
    with pytest.raises(
        MissingColumnsError, match=r"here lacks the column 'yy'; it has: id, a, b, y\. Did you mean 'y'"
    ):
        read_data_bunch("here", reader=lambda source: table, roles={"targets": "yy"})


def test_a_reader_may_give_a_data_set_of_its_own(table: pa.Table) -> None:
    made = DataSet({"features": DataWrapper(table)})
    assert read_data_bunch("here", reader=lambda source: made)["data"] is made


def test_a_reader_is_given_only_its_own_parameters(table: pa.Table) -> None:
    def reader(source: str, *, delimiter: str = ",") -> pa.Table:
        return table

    with pytest.raises(ArgumentsError, match="delimiter"):
        read_data_bunch("here", reader=reader, delimeter=";")
    with pytest.raises(ArgumentsError, match="must be str: got int"):
        read_data_bunch("here", reader=reader, delimiter=3)


def test_a_function_on_the_bunch_takes_the_place_of_what_it_got(table: pa.Table) -> None:
    two = read_data_bunch({"old": "x", "new": "y"}, reader=lambda source: table, roles=ROLES)
    made = transform_data_bunch(two, halves, data=["old"], names=("train", "valid"))
    assert list(made) == ["new", "train", "valid"]
    with pytest.raises(DataError, match="has a data set 'new' already"):
        transform_data_bunch(two, halves, data=["old"], names=("train", "new"))
    with pytest.raises(DataError, match="has no data set 'odl'; it has: old, new"):
        transform_data_bunch(two, halves, data=["odl"])


def test_only_functions_on_the_bunch_choose_their_data(bunch: DataBunch) -> None:
    with pytest.raises(ArgumentsError, match="applied to every data set"):
        transform_data_bunch(bunch, lambda data_set: data_set, data=["train"])


def test_a_converter_is_for_one_wrapper(bunch: DataBunch) -> None:
    with pytest.raises(ArgumentsError, match=r"'to\.numpy' converts one wrapper, as in data_set\.features\.to"):
        transform_data_bunch(bunch, "to.numpy")


def test_a_model_is_fitted_on_train(bunch: DataBunch) -> None:
    model = fit_model(bunch, fit_mean, plus=1.0)
    assert model.underlying == 16.0
    assert model.signature.index == ("id",)
    assert model.signature.target_names == ["y"]
    with pytest.raises(DataError, match="the bunch has only: test"):
        fit_model(bunch.select(["test"]), fit_mean)
    with pytest.raises(ArgumentsError, match="pluss"):
        fit_model(bunch, fit_mean, pluss=1.0)


def test_a_model_is_measured_on_all_but_train(bunch: DataBunch) -> None:
    model = fit_model(bunch, fit_mean)
    assert evaluate_model(model, bunch, [mean_error]) == {"test": {"mean_error": 25.0}}
    squared = {"use": mean_error, "name": "squared", "power": 2}
    assert evaluate_model(model, bunch, [mean_error, squared], data=["train", "test"]) == {
        "train": {"mean_error": 5.0, "squared": 25.0},
        "test": {"mean_error": 25.0, "squared": (15.0**2 + 35.0**2) / 2},
    }
    assert list(evaluate_model(model, bunch.select(["train"]), [mean_error])) == ["train"]
    assert list(evaluate_model(model, bunch, [mean_error], data="train")) == ["train"]


def test_one_metric_may_be_named_alone_and_none_at_all(bunch: DataBunch) -> None:
    model = fit_model(bunch, fit_mean)
    with pytest.raises(UnknownProviderError, match="No provider 'nothing' for 'evaluate'"):
        evaluate_model(model, bunch, "nothing")
    bare = DataBunch({"test": DataSet({"features": bunch["test"].features})})
    assert evaluate_model(model, bare, []) == {"test": {}}


def test_rows_weigh_what_their_role_says(table: pa.Table) -> None:
    weighed = table.append_column("w", pa.array([1.0, 1.0, 3.0, 1.0]))
    read = read_data_bunch("x", reader=lambda source: weighed, roles={**ROLES, "sample_weight": "w"})
    bunch = transform_data_bunch(read, halves)
    assert evaluate_model(fit_model(bunch, fit_mean), bunch, [mean_error])["test"]["mean_error"] == (3 * 15 + 35) / 4


@pytest.mark.parametrize(
    ("metrics", "data", "said"),
    [
        ([mean_error, mean_error], None, "asked for twice: give each a 'name'"),
        ([{"name": "m"}], None, "needs 'use'"),
        ([{"use": mean_error, "powr": 2}], None, "powr"),
        ([mean_error], ["tset"], "has no data set 'tset'; it has: train, test"),
    ],
)
def test_what_cannot_be_measured_is_said(bunch: DataBunch, metrics: Any, data: Any, said: str) -> None:
    with pytest.raises((ArgumentsError, DataError), match=said):
        evaluate_model(fit_model(bunch, fit_mean), bunch, metrics, data=data)


def test_without_targets_nothing_is_measured(bunch: DataBunch) -> None:
    model = fit_model(bunch, fit_mean)
    bare = DataBunch({"test": DataSet({"features": bunch["test"].features})})
    with pytest.raises(MetricError, match="the data set 'test' has no targets"):
        evaluate_model(model, bare, [mean_error])


def test_an_artifact_is_written_by_its_ending_and_sent(tmp_path: Path) -> None:
    where = store_artifact({"a": 1}, tmp_path / "a.json", remote=f"{tmp_path}/store/")
    assert where == str(tmp_path / "store/a.json")
    assert (tmp_path / "store/a.json").read_bytes() == (tmp_path / "a.json").read_bytes()
    with pytest.raises(ObjectExistsError):
        store_artifact({"a": 2}, tmp_path / "a.json")
    before = (tmp_path / "a.json").read_bytes()
    assert store_artifact({"a": 2}, tmp_path / "a.json", overwrite="skip") == str(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_bytes() == before
    store_artifact({"a": 2}, tmp_path / "a.json", overwrite="replace")
    assert (tmp_path / "a.json").read_bytes() != before


def test_a_format_of_models_writes_no_artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mercury_core import registry

    monkeypatch.setattr(registry, "resolve", lambda verb, key: object())
    with pytest.raises(ArgumentsError, match="writes models, not tables and dicts"):
        store_artifact({"a": 1}, tmp_path / "a", format="some.model")


def test_a_stored_model_says_where_it_is(tmp_path: Path, bunch: DataBunch, monkeypatch: pytest.MonkeyPatch) -> None:
    from mercury_core import registry

    class Format:
        def save(self, model: Any, path: Path) -> Path:
            path.write_text(str(model.underlying))
            return path

        def load(self, path: Path, **_: Any) -> Constant:
            return Constant(float(path.read_text()))

    resolve = registry.resolve
    monkeypatch.setattr(registry, "resolve", lambda verb, key: Format() if key == "text" else resolve(verb, key))
    stored = store_model(fit_model(bunch, fit_mean), tmp_path / "m", format="text", remote=f"{tmp_path}/store/")
    assert (stored.path, stored.uri) == (tmp_path / "m", str(tmp_path / "store/m"))
    assert repr(stored) == f"StoredModel(path={str(stored.path)!r}, uri={stored.uri!r})"


def same(data_set: DataSet) -> DataSet:
    return data_set


def test_nulls_that_the_model_will_refuse_are_warned_of(table: pa.Table) -> None:
    gaps = table.set_column(2, "b", pa.array([0.5, None, 0.5, 0.5]))
    read = read_data_bunch({"train": "full", "test": "gaps"}, reader={"full": table, "gaps": gaps}.get, roles=ROLES)
    with pytest.warns(UserWarning, match="The data set 'test' has nulls in 'b', where 'train' has none: .* refused"):
        transformed = transform_data_bunch(read, same)
    transform_data_bunch(transformed, same)  # once is enough
    transform_data_bunch(DataBunch({"train": read["test"], "test": read["train"]}), same)

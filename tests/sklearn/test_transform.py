"""`sklearn.transform`: any transformer by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from mercury_sklearn import transform
from mercury_sklearn.transform import FittedTransform, Transform
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mercury_core.data import DataBunch, DataSet
from mercury_core.errors import (
    ArgumentsError,
    BundleFormatError,
    DataError,
    FitError,
    MercuryError,
    MissingColumnsError,
    PredictError,
)

if TYPE_CHECKING:
    from pathlib import Path

RNG = np.random.default_rng(5)
X = RNG.normal(size=(40, 3))
TABLE = pa.table(
    {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "town": ["Oslo", "Rome"] * 20, "text": ["cold snow", "warm sun"] * 20}
)
TARGETS = pa.table({"y": ["n" if value > 0 else "s" for value in X[:, 1]]})
NUMBERS = ["a", "b", "c"]


def rows(features: pa.Table = TABLE, targets: pa.Table | None = TARGETS) -> DataSet:
    return DataSet({"features": features, **({} if targets is None else {"targets": targets})})


def fitted(
    transformer: Any, params: dict[str, Any] | None = None, data: DataSet | None = None, **more: Any
) -> FittedTransform:
    return Transform(transformer, params, **more).fit(DataBunch({"train": rows() if data is None else data}))


def columns(work: FittedTransform, data: DataSet | None = None) -> dict[str, list[Any]]:
    table = work.apply(rows() if data is None else data).features.to("arrow").underlying
    return dict(table.to_pydict())


def test_all_columns() -> None:
    data = rows(TABLE.select(NUMBERS))
    made = fitted("PCA", {"n_components": 2}, data).apply(data)
    assert made.features.field_names == ("pca0", "pca1")
    np.testing.assert_array_equal(made.features.underlying, PCA(2).fit(X).transform(X))
    assert made.targets is data.targets


def test_some_columns_the_others_stand_before() -> None:
    made = columns(fitted("StandardScaler", columns=["c", "a"]))
    assert list(made) == ["b", "town", "text", "c", "a"]
    np.testing.assert_array_equal(np.column_stack([made["c"], made["a"]]), StandardScaler().fit_transform(X[:, [2, 0]]))
    assert made["town"] == ["Oslo", "Rome"] * 20


def test_a_list_is_one_after_another() -> None:
    steps = [{"use": "StandardScaler"}, {"use": "PCA", "params": {"n_components": 1}}]
    made = columns(fitted(steps, columns=NUMBERS))
    expected = make_pipeline(StandardScaler(), PCA(1)).fit(X).transform(X)
    np.testing.assert_allclose(made["pca0"], expected[:, 0], rtol=1e-9)


def test_words() -> None:
    made = columns(fitted("OneHotEncoder", columns=["town"]))
    assert made["town_Oslo"] == [1.0, 0.0] * 20
    both = columns(fitted("OrdinalEncoder", columns=["town", "text"]))
    assert both["text"] == [0.0, 1.0] * 20


def test_documents() -> None:
    made = columns(fitted("TfidfVectorizer", columns=["text"]))
    plain = TfidfVectorizer().fit(["cold snow", "warm sun"] * 20)
    assert list(made)[-4:] == list(plain.get_feature_names_out())
    assert made["cold"] == plain.transform(["cold snow", "warm sun"] * 20).toarray()[:, 0].tolist()


def test_words_stay_words() -> None:
    table = pa.table({"town": pa.array(["Oslo", None, "Oslo"])})
    params = {"strategy": "most_frequent"}
    data = rows(table, None)
    assert columns(fitted("SimpleImputer", params, data), data) == {"town": ["Oslo"] * 3}


@pytest.mark.parametrize(
    "selector",
    [("SelectKBest", {"k": 1}), ("SelectFromModel", {"estimator": {"use": "LogisticRegression"}, "max_features": 1})],
)
def test_supervised_transformers_get_the_targets(selector: tuple[str, dict[str, Any]]) -> None:
    work = fitted(*selector, columns=NUMBERS)
    assert list(columns(work)) == ["town", "text", "b"]
    np.testing.assert_array_equal(columns(work)["b"], X[:, 1])
    assert isinstance(SelectKBest(k=1).fit(X, TARGETS["y"].to_pylist()), SelectKBest)


def test_targets_that_are_ignored_may_be_anything() -> None:
    odd = rows(targets=pa.table({"y": pa.array([None] * 40, pa.date32())}))
    assert "pca0" in columns(fitted("PCA", {"n_components": 1}, odd, columns=NUMBERS), odd)


def test_another_role() -> None:
    data = rows()
    made = fitted("LabelEncoder", role="targets").apply(data)
    assert made.targets.field_names == ("y",)
    assert set(made.targets.to("numpy").underlying.ravel()) == {0, 1}
    assert made.features is data.features


def test_a_function() -> None:
    positive = pa.table({"a": np.exp(X[:, 0])})
    data = rows(positive)
    np.testing.assert_allclose(columns(fitted("FunctionTransformer", {"func": "numpy:log"}, data), data)["a"], X[:, 0])


def test_only_train_is_looked_at_and_fitting_twice_gives_two() -> None:
    scaler = Transform("StandardScaler", columns=["a"])
    first = scaler.fit(DataBunch({"train": rows(), "test": rows(TABLE.slice(0, 2), None)}))
    second = scaler.fit(DataBunch({"train": rows(TABLE.slice(0, 10), TARGETS.slice(0, 10))}))
    assert first.underlying.mean_ == pytest.approx(X[:, 0].mean())
    assert second.underlying.mean_ == pytest.approx(X[:10, 0].mean())


def test_columns_are_taken_by_name() -> None:
    work = fitted("StandardScaler", columns=["a", "b"])
    shuffled = rows(TABLE.select(["b", "a"]))
    assert columns(work, shuffled)["a"] == columns(work)["a"]
    with pytest.raises(MissingColumnsError, match="The data to transform lacks the column 'b'; it has: a"):
        work.apply(rows(TABLE.select(["a"])))


# --- what is refused ---


@pytest.mark.parametrize(
    ("params", "path", "message"),
    [
        ({"transformer": "PCB"}, ("transformer",), "There is no estimator 'PCB' in scikit-learn"),
        (
            {"transformer": "PCA", "params": {"n_component": 2}},
            ("params", "n_component"),
            "Did you mean 'n_components'?",
        ),
        (
            {"transformer": ["PCA", {"use": "PCA", "params": {"x": 1}}]},
            ("transformer", 1, "params", "x"),
            "no parameter 'x'",
        ),
        ({"transformer": "Ridge"}, ("transformer",), "Ridge predicts and transforms nothing: use it in sklearn.fit."),
        (
            {"transformer": "TSNE"},
            ("transformer",),
            "TSNE transforms only the rows that it is fitted on: choose another",
        ),
        (
            {"transformer": "TargetEncoder"},
            ("transformer",),
            "TargetEncoder treats rows of training unlike others: use it",
        ),
    ],
)
def test_the_check_before_any_work(params: dict[str, Any], path: tuple[Any, ...], message: str) -> None:
    (fault,) = Transform.check_params(params)
    assert fault.path == path
    assert message in fault.message
    with pytest.raises(ArgumentsError) as caught:
        Transform(**params)
    assert caught.value.faults == (fault.message,)
    assert list(Transform.check_params({"transformer": "PCA"})) == []


def test_data_that_a_transformer_refuses() -> None:
    with pytest.raises(
        FitError, match=r"Cannot fit PCA: it takes numbers, and the column 'town' \(string\) holds none"
    ):
        fitted("PCA", columns=["a", "town"])
    with pytest.raises(FitError, match="Cannot fit PCA: the column 'a' has missing values"):
        fitted("PCA", data=rows(pa.table({"a": [1.0, None]}), None))
    work = fitted("StandardScaler", columns=["a"])
    with pytest.raises(PredictError, match=r"Cannot predict with StandardScaler: the column 'a' has infinite values"):
        work.apply(rows(pa.table({"a": [float("inf")]}), None))


def test_columns_roles_and_targets_that_are_not_there() -> None:
    with pytest.raises(
        MissingColumnsError, match=r"The data set 'train' lacks the column 'A'; it has: a, .* Did you mean 'a'"
    ):
        fitted("PCA", columns=["A"])
    with pytest.raises(FitError, match=r"Cannot fit PCA: the data set 'train' has no extras\. Name them in the roles"):
        fitted("PCA", role="extras")
    with pytest.raises(
        FitError, match="Cannot fit LinearDiscriminantAnalysis: it needs targets, and the data set 'train' has none"
    ):
        fitted("LinearDiscriminantAnalysis", data=rows(targets=None), columns=NUMBERS)


def test_a_new_column_called_like_a_kept_one() -> None:
    table = pa.table({"a": [1.0, 2.0], "pca0": [1.0, 2.0]})
    with pytest.raises(DataError, match="PCA makes a column 'pca0', and one of that name is kept: rename it before"):
        columns(fitted("PCA", data=rows(table, None), columns=["a"]), rows(table, None))


def test_a_sparse_result_that_would_be_too_wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transform, "_MOST_BYTES", 100)
    work = fitted("CountVectorizer", columns=["text"])
    with pytest.raises(
        PredictError, match=r"its sparse result would be a table of 4 columns and 0\.0 GB\. Use it in a list in"
    ):
        work.apply(rows())


# --- save and load ---


@pytest.mark.parametrize(
    ("transformer", "params", "names"),
    [
        ("PCA", {"n_components": 2}, NUMBERS),
        ("TfidfVectorizer", {}, ["text"]),
        ("OneHotEncoder", {"handle_unknown": "ignore"}, ["town", "text"]),
        ("KBinsDiscretizer", {"n_bins": 3, "quantile_method": "averaged_inverted_cdf"}, NUMBERS),
        (["StandardScaler", {"use": "PolynomialFeatures"}], {}, NUMBERS),
    ],
)
def test_saved_and_loaded_to_the_last_bit(
    transformer: Any, params: dict[str, Any], names: list[str], tmp_path: Path
) -> None:
    work = fitted(transformer, params, columns=names)
    work.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["transform.json", "transformer.skops"]
    again = Transform.load(tmp_path)
    assert columns(again) == columns(work)
    assert repr(again) == repr(work)


def test_a_directory_that_is_something_else(tmp_path: Path) -> None:
    with pytest.raises(BundleFormatError, match="FileNotFoundError"):
        Transform.load(tmp_path)
    fitted("PCA", columns=NUMBERS).save(tmp_path)
    (tmp_path / "transform.json").write_text("{}")
    with pytest.raises(BundleFormatError, match="KeyError: 'columns'"):
        Transform.load(tmp_path)
    fitted("PCA", columns=NUMBERS).save(tmp_path)
    (tmp_path / "transformer.skops").write_bytes(b"no")
    with pytest.raises(MercuryError):
        Transform.load(tmp_path)

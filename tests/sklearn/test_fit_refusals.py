"""Data that cannot be fitted or predicted: one sentence each of what is wrong and what to do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from mercury_sklearn.fit import fit

from mercury_core.data import DataBunch, DataSet
from mercury_core.errors import ArgumentsError, FitError, MercuryError, PredictError

N = 12
NUMBERS = pa.array(np.arange(N) / 4)
LABELS = pa.array(["a", "b"] * (N // 2))


def bunch(features: dict[str, Any] | None = None, targets: dict[str, Any] | None = None, **roles: Any) -> DataBunch:
    given = {"features": pa.table(features or {"x": NUMBERS}), **roles}
    return DataBunch({"train": DataSet({**given, **({"targets": pa.table(targets)} if targets else {})})})


def refusal(data: DataBunch, estimator: Any = "LogisticRegression", **params: Any) -> str:
    with pytest.raises(FitError) as caught:
        fit(data, estimator=estimator, **params)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def holes(kind: pa.DataType | None = None) -> pa.Array:
    return pa.array([None if place == 3 else place for place in range(N)], kind or pa.float64())


def test_missing_values_in_features() -> None:
    message = refusal(bunch({"a": holes(), "x": NUMBERS, "b": holes(pa.int64())}, {"y": LABELS}))
    assert message == (
        "Cannot fit LogisticRegression: the columns 'a', 'b' have missing values, and missing values are "
        "refused. Fill them "
        "with sklearn.preprocess, or choose an estimator that takes them, as HistGradientBoostingClassifier or "
        "Regressor."
    )


@pytest.mark.parametrize("kind", [pa.null(), pa.float64()])
def test_a_feature_without_values(kind: pa.DataType) -> None:
    assert refusal(bunch({"x": NUMBERS, "e": pa.nulls(N, kind)}, {"y": LABELS})) == (
        "Cannot fit LogisticRegression: the column 'e' has no value in any row. Leave out of the features what "
        "holds nothing."
    )


def test_nan_and_infinity_in_features() -> None:
    nan = pa.array([float("nan"), *range(1, N)], pa.float64())
    assert "the column 'x' has missing values" in refusal(bunch({"x": nan}, {"y": LABELS}))
    infinite = pa.array([float("inf"), *range(1, N)], pa.float64())
    message = refusal(bunch({"x": infinite}, {"y": LABELS}))
    assert message == "Cannot fit LogisticRegression: the column 'x' has infinite values. Replace them before."


def test_words_among_features() -> None:
    assert refusal(bunch({"x": NUMBERS, "town": LABELS}, {"y": LABELS}), ["StandardScaler", "LogisticRegression"]) == (
        "Cannot fit StandardScaler -> LogisticRegression: it takes numbers, and the column 'town' (string) holds none. "
        "Encode with sklearn.preprocess, or leave out of the features."
    )


def test_one_word_in_a_column_of_numbers() -> None:
    mixed = pa.array([*map(str, range(N - 1)), "n/a"])
    assert refusal(bunch({"x": mixed}, {"y": LABELS})) == (
        "Cannot fit LogisticRegression: the column 'x' holds 'n/a' among numbers. Correct it in the source, or "
        "name it to "
        "the reader as a missing value, null_values: ['n/a']."
    )


def test_columns_by_name_need_a_library_of_data_frames() -> None:
    encoder = {"use": "ColumnTransformer", "params": {"transformers": [{"use": "OneHotEncoder", "columns": ["w"]}]}}
    estimator = [encoder, {"use": "LogisticRegression"}]
    data = bunch({"w": LABELS, "x": NUMBERS}, {"y": LABELS})
    assert refusal(data, estimator, input="numpy").endswith(
        "it takes columns by name, and a matrix has none. A data frame has names: pip install pandas, and leave "
        "`input` out or set it to pandas."
    )


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_targets(missing: Any) -> None:
    target = pa.array([missing, missing, *range(2, N)], pa.float64())
    assert refusal(bunch(targets={"y": target}), "Ridge") == (
        "Cannot fit Ridge: the target 'y' has 2 missing values in 12 rows. Leave out these rows."
    )
    one = pa.array([None, *["a", "b"] * 5, "a"])
    assert "the target 'y' has 1 missing value in 12 rows" in refusal(bunch(targets={"y": one}))


@pytest.mark.parametrize(
    "estimator", ["LogisticRegression", "DecisionTreeClassifier", ["StandardScaler", "GaussianNB"]]
)
def test_one_class(estimator: Any) -> None:
    assert "the target 'y' has one class only, 'a'. A classifier needs rows of two classes at least" in refusal(
        bunch(targets={"y": pa.array(["a"] * N)}), estimator
    )
    late = pa.array(["a"] * 1500 + ["b"])
    fit(bunch({"x": pa.array(np.arange(1501.0))}, {"y": late}), estimator=estimator)


def test_numbers_that_are_no_classes() -> None:
    message = refusal(bunch(targets={"y": NUMBERS}), "RandomForestClassifier")
    assert message == (
        "Cannot fit RandomForestClassifier: the target 'y' holds numbers that are no classes, as 0.25. Choose a "
        "regressor, or "
        "make classes of them first."
    )


def test_words_for_a_regressor() -> None:
    assert refusal(bunch(targets={"y": LABELS}), "Ridge") == (
        "Cannot fit Ridge: the target 'y' holds words, as 'a', and a regressor predicts numbers. Choose a "
        "classifier, or name "
        "another target."
    )


def test_a_target_of_a_type_that_is_none() -> None:
    message = refusal(bunch(targets={"y": pa.array(range(N), pa.timestamp("s"))}), "Ridge")
    assert message.startswith(
        "Cannot fit Ridge: the target 'y' is of type timestamp[s]. Expected numbers, texts or booleans"
    )


def test_targets_of_two_kinds() -> None:
    data = bunch(targets={"y": LABELS, "z": pa.array(range(N))})
    assert "its targets are words and numbers at once. Fit one model for each" in refusal(
        data, "DecisionTreeClassifier"
    )


def test_no_targets() -> None:
    assert refusal(bunch(), "Ridge") == (
        "Cannot fit Ridge: it needs targets, and the data set 'train' has none. Name them in the roles of the reader."
    )


def test_no_rows_and_no_features() -> None:
    empty = DataBunch({"train": bunch(targets={"y": LABELS})["train"].slice(0, 0)})
    assert "the data set 'train' has no rows. Look at the source and at the split." in refusal(empty, "Ridge")
    bare = DataBunch({"train": DataSet({"targets": pa.table({"y": LABELS})})})
    assert "the data set 'train' has no features" in refusal(bare, "Ridge")


def test_no_train() -> None:
    with pytest.raises(MercuryError, match="train"):
        fit(DataBunch({"data": bunch()["train"]}), estimator="Ridge")


def test_sample_weights() -> None:
    targets = {"y": LABELS}
    weights = {"sample_weight": {"w": np.ones(N)}}
    assert refusal(bunch(None, targets, **weights), "KNeighborsClassifier") == (
        "Cannot fit KNeighborsClassifier: it takes no sample weights, and the data set 'train' has some. Leave "
        "out the role "
        "sample_weight, or choose another estimator."
    )
    assert "it takes no sample weights" in refusal(
        bunch(None, targets, **weights), ["StandardScaler", "KNeighborsClassifier"]
    )
    voters = [{"use": "LogisticRegression"}, {"use": "KNeighborsClassifier"}]
    assert "VotingClassifier: it takes no sample weights" in refusal(
        bunch(None, targets, **weights), "VotingClassifier", params={"estimators": voters}
    )
    two = {"sample_weight": {"w": np.ones(N), "v": np.ones(N)}}
    assert "the role sample_weight has 2 columns. Name one." in refusal(bunch(None, targets, **two))
    for wrong in (float("nan"), float("inf"), -1.0):
        odd = {"sample_weight": {"w": np.array([wrong, *np.ones(N - 1)])}}
        assert "the sample weights are not all numbers from 0 upwards." in refusal(bunch(None, targets, **odd))


def test_what_the_data_cannot_explain_is_said_in_the_estimators_own_words() -> None:
    message = refusal(bunch(), "KMeans", params={"n_clusters": 50})
    assert message == "Cannot fit KMeans: n_samples=12 should be >= n_clusters=50."


def test_an_error_of_the_estimators_own_code_has_its_type_and_is_chained() -> None:
    class Broken:
        def fit(self, X: Any, y: Any = None) -> None:
            raise AttributeError("no such thing")

        def predict(self, X: Any) -> Any: ...

    with pytest.raises(FitError, match="Cannot fit Broken: AttributeError: no such thing") as caught:
        fit(bunch(targets={"y": LABELS}), estimator=Broken)
    assert isinstance(caught.value.__cause__, AttributeError)


def test_wrong_arguments_in_python() -> None:
    with pytest.raises(ArgumentsError) as caught:
        fit(bunch(), estimator=["StandardScalar", "Rige"])
    assert len(caught.value.faults) == 2
    assert "'StandardScaler'" in str(caught.value)
    assert "'Ridge'" in str(caught.value)


def test_predict() -> None:
    model = fit(bunch(targets={"y": LABELS}), estimator="LogisticRegression")
    with pytest.raises(PredictError) as caught:
        model.predict(DataSet({"features": pa.table({"x": pa.array([1.0, None])})}))
    assert str(caught.value).startswith(
        "Cannot predict with LogisticRegression: the column 'x' has missing values, and missing values are refused."
    )
    with pytest.raises(PredictError, match=r"it takes numbers, and the column 'x' \(string\) holds none"):
        model.predict(DataSet({"features": pa.table({"x": pa.array(["u", "v"])})}))

"""`sklearn.fit`: the models that it gives."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from mercury_sklearn.fit import fit
from mercury_sklearn.model import SklearnModel
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge

from mercury_core.data import DataBunch, DataSet, DataWrapper
from mercury_core.errors import ArgumentsError, ConversionError, MissingColumnsError

RNG = np.random.default_rng(7)
X = RNG.normal(size=(60, 3))
NAMES = ["a", "b", "c"]
SPECIES = np.where(X[:, 0] > 0.5, "Adelie", np.where(X[:, 1] > 0, "Chinstrap", "Gentoo"))


def bunch(targets: Any = None, features: Any = None, **roles: Any) -> DataBunch:
    features = DataWrapper(X, NAMES) if features is None else features
    given = {"features": features, **({} if targets is None else {"targets": targets}), **roles}
    return DataBunch({"train": DataSet(given)})


def values(model: SklearnModel, data: DataBunch, column: str = "y") -> list[Any]:
    return model.predict(data["train"]).values.to("arrow").underlying[column].to_pylist()


# --- labels keep their type ---


@pytest.mark.parametrize(
    ("targets", "kind"),
    [
        (pa.array(SPECIES), "string"),
        (pa.array(SPECIES).dictionary_encode(), "string"),
        (pa.array(SPECIES, pa.large_string()), "string"),
        (pa.array(X[:, 0] > 0), "bool"),
        (pa.array((X[:, 0] > 0).astype("int8")), "int8"),
        (pa.array(np.where(X[:, 0] > 0, 2**40, -5)), "int64"),
        (pa.array(np.where(X[:, 0] > 0, 1.0, 0.0)), "double"),
    ],
)
@pytest.mark.parametrize("estimator", ["DecisionTreeClassifier", "LogisticRegression", "MLPClassifier"])
def test_labels_come_back_as_they_went_in(targets: pa.Array, kind: str, estimator: str) -> None:
    data = bunch(pa.table({"y": targets}))
    params = {"max_iter": 5} if estimator == "MLPClassifier" else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = fit(data, estimator=estimator, params=params)
    predictions = model.predict(data["train"])
    assert str(predictions.values.schema.field("y").type) == kind
    labels = sorted(set(targets.to_pylist()))
    assert predictions.classes == model.classes == tuple(labels)
    assert [type(label) for label in model.classes] == [type(label) for label in labels]
    assert predictions.scores is not None
    assert predictions.scores.field_names == tuple(map(str, labels))
    if estimator == "DecisionTreeClassifier":
        assert values(model, data) == targets.to_pylist()


def test_predictions_are_those_of_the_estimator() -> None:
    data = bunch({"y": SPECIES})
    model = fit(data, estimator="LogisticRegression", params={"C": 3})
    plain = LogisticRegression(C=3).fit(X, SPECIES)
    assert values(model, data) == plain.predict(X).tolist()
    scores = model.predict(data["train"]).scores
    assert scores is not None
    np.testing.assert_array_equal(scores.underlying, plain.predict_proba(X))


@pytest.mark.parametrize("kind", ["arrow", "pandas", "polars", "numpy"])
def test_the_format_of_the_features_is_all_the_same(kind: str) -> None:
    pytest.importorskip("pyarrow" if kind == "arrow" else kind)
    data = bunch({"y": X @ [1.0, 2.0, 3.0]})
    other = bunch({"y": X @ [1.0, 2.0, 3.0]}, DataWrapper(X, NAMES).to(kind))
    # Not to the last bit: BLAS adds up in another order where columns, not rows, lie in one piece.
    expected = pytest.approx(values(fit(data, estimator="Ridge"), data), rel=1e-9)
    assert values(fit(other, estimator="Ridge"), other) == expected


def test_features_are_taken_by_name_in_the_order_of_training() -> None:
    data = bunch({"y": X @ [1.0, 2.0, 3.0]})
    model = fit(data, estimator="Ridge")
    shuffled = DataSet({"features": pa.table({"c": X[:, 2], "more": ["?"] * 60, "a": X[:, 0], "b": X[:, 1]})})
    expected = pytest.approx(values(model, data), rel=1e-9)
    assert values(model, DataBunch({"train": shuffled})) == expected
    with pytest.raises(
        MissingColumnsError, match=r"The data to predict lacks the column 'b'; it has: a, B, c\. Did you mean 'B'\?"
    ):
        model.predict(DataSet({"features": {"a": [1.0], "B": [1.0], "c": [1.0]}}))


# --- scores ---


def test_decision_values_stand_in_where_there_are_no_probabilities() -> None:
    two = bunch({"y": (X[:, 0] > 0).astype(int)})
    model = fit(two, estimator="LinearSVC")
    predictions = model.predict(two["train"])
    assert predictions.scores is not None
    scores = predictions.scores.underlying
    np.testing.assert_array_equal(scores[:, 1], model.underlying.decision_function(X))
    np.testing.assert_array_equal(scores.sum(axis=1), np.zeros(60))
    assert [predictions.classes[place] for place in scores.argmax(axis=1)] == values(model, two)
    three = bunch({"y": SPECIES})
    predictions = fit(three, estimator="SVC").predict(three["train"])
    assert predictions.scores is not None
    assert predictions.scores.field_names == ("Adelie", "Chinstrap", "Gentoo")


def test_a_classifier_without_scores_has_none() -> None:
    data = bunch({"y": SPECIES})
    assert (
        fit(data, estimator="SVC", params={"decision_function_shape": "ovo"}).predict(data["train"]).scores is not None
    )
    voting = {"estimators": [{"use": "SVC"}, {"use": "GaussianNB"}]}
    predictions = fit(data, estimator="VotingClassifier", params=voting).predict(data["train"])
    assert predictions.scores is None
    assert predictions.classes is None


def test_one_against_one_scores_say_nothing_of_a_class() -> None:
    labels = (np.arange(60) % 4).astype(str)
    data = bunch({"y": labels})
    model = fit(data, estimator="SVC", params={"decision_function_shape": "ovo"})
    assert model.predict(data["train"]).scores is None


def test_a_regressor_has_no_scores_and_no_classes() -> None:
    data = bunch({"y": X[:, 0]})
    model = fit(data, estimator="RandomForestRegressor", params={"n_estimators": 3})
    predictions = model.predict(data["train"])
    assert (predictions.scores, predictions.classes, model.classes) == (None, None, None)


# --- several targets ---


@pytest.mark.parametrize(
    "estimator",
    [
        "RandomForestClassifier",
        "KNeighborsClassifier",
        "MLPClassifier",
        {"use": "OneVsRestClassifier"},
        {"use": "ClassifierChain"},
    ],
)
def test_several_labels_have_a_score_each(estimator: Any) -> None:
    red, big = X[:, 0] > 0, X[:, 1] > 0
    data = bunch({"red": red, "big": big})
    params: dict[str, Any] = {"estimator": {"use": "LogisticRegression"}} if isinstance(estimator, dict) else {}
    if estimator == "ClassifierChain":
        params = {"estimator": {"use": "LogisticRegression"}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = fit(data, estimator=estimator, params=params)
    predictions = model.predict(data["train"])
    assert [str(kind) for kind in predictions.values.schema.types] == ["bool", "bool"]
    assert predictions.values.field_names == ("red", "big")
    assert predictions.classes is None
    assert predictions.scores is not None
    assert predictions.scores.field_names == ("red", "big")
    scores = predictions.scores.underlying
    assert scores[red, 0].mean() > 0.5 > scores[~red, 0].mean()
    assert scores[big, 1].mean() > 0.5 > scores[~big, 1].mean()


def test_a_label_that_was_never_there_scores_nothing() -> None:
    data = bunch({"red": X[:, 0] > 0, "none": np.zeros(60, bool), "all": np.ones(60, bool)})
    scores = fit(data, estimator="DecisionTreeClassifier").predict(data["train"]).scores
    assert scores is not None
    np.testing.assert_array_equal(scores.underlying[:, 1:], [[0.0, 1.0]] * 60)


def test_several_targets_of_many_classes_have_values_only() -> None:
    data = bunch({"kind": SPECIES, "side": np.where(X[:, 2] > 0, "left", "right")})
    model = fit(data, estimator="DecisionTreeClassifier")
    predictions = model.predict(data["train"])
    assert values(model, data, "kind") == SPECIES.tolist()
    assert set(values(model, data, "side")) == {"left", "right"}
    assert (predictions.scores, predictions.classes) == (None, None)


def test_several_numbers() -> None:
    data = bunch({"u": X[:, 0], "v": X[:, 1]})
    plain = Ridge().fit(X, X[:, :2])
    model = fit(data, estimator="Ridge")
    np.testing.assert_array_equal(model.predict(data["train"]).values.to("numpy").underlying, plain.predict(X))


# --- without targets ---


@pytest.mark.parametrize("estimator", ["KMeans", "IsolationForest", "GaussianMixture", ["StandardScaler", "KMeans"]])
def test_unsupervised(estimator: Any) -> None:
    model = fit(bunch(), estimator=estimator)
    predictions = model.predict(bunch()["train"])
    assert predictions.values.field_names == ("prediction",)
    assert (predictions.scores, predictions.classes, model.target_names) == (None, None, ())
    assert fit(bunch({"y": SPECIES}), estimator=estimator).predict(bunch()["train"]).values.field_names == ("y",)


# --- data frames, documents ---


def test_words_reach_an_estimator_that_deals_with_them() -> None:
    pytest.importorskip("pandas")
    pytest.importorskip("polars")
    features = pa.table({"town": ["Oslo", "Rome"] * 30, "age": X[:, 0]})
    transformers = [{"use": "OneHotEncoder", "columns": ["town"]}, {"use": "StandardScaler", "columns": ["age"]}]
    steps = [{"use": "ColumnTransformer", "params": {"transformers": transformers}}, {"use": "LogisticRegression"}]
    data = bunch({"y": ["n", "s"] * 30}, features)
    model = fit(data, estimator=steps)
    assert model.input == "pandas"
    assert values(model, data) == ["n", "s"] * 30
    by_polars = fit(data, estimator=steps, input="polars")
    assert by_polars.input == "polars"
    assert values(by_polars, data) == ["n", "s"] * 30


def test_an_encoder_needs_no_data_frame() -> None:
    data = bunch({"y": ["n", "s"] * 30}, pa.table({"town": ["Oslo", "Rome"] * 30}))
    model = fit(data, estimator=["OneHotEncoder", "LogisticRegression"], input="numpy")
    assert values(model, data) == ["n", "s"] * 30


def test_documents() -> None:
    data = bunch({"y": ["n", "s"] * 30}, pa.table({"text": ["cold snow", "warm sun"] * 30}))
    model = fit(data, estimator=["TfidfVectorizer", "LogisticRegression"])
    assert model.input == "text"
    assert values(model, data) == ["n", "s"] * 30


def test_missing_values_reach_an_estimator_that_takes_them() -> None:
    features = pa.table({"a": pa.array([1.0, None, 3.0] * 20), "n": pa.array([1, None, 3] * 20)})
    data = bunch({"y": ["u", "v", "w"] * 20}, features)
    assert values(fit(data, estimator="DecisionTreeClassifier"), data) == ["u", "v", "w"] * 20


def test_booleans_are_numbers() -> None:
    data = bunch({"y": ["n", "s"] * 30}, pa.table({"cold": [True, False] * 30, "a": X[:, 0]}))
    model = fit(data, estimator="DecisionTreeClassifier")
    assert model.input == "numpy"
    assert values(model, data) == ["n", "s"] * 30


def test_numbers_with_nulls_beside_words_are_floats_in_the_data_frame() -> None:
    pytest.importorskip("pandas")
    numbers = pa.array([None if n % 7 == 0 else n for n in range(60)], pa.int64())
    flags = pa.array([None if n % 5 == 0 else n % 2 == 0 for n in range(60)])
    data = bunch({"y": ["n", "s"] * 30}, pa.table({"w": ["a", "b"] * 30, "n": numbers, "f": flags}))
    encode = {"transformers": [{"use": "OneHotEncoder", "columns": ["w"]}], "remainder": "passthrough"}
    trees = {"use": "HistGradientBoostingClassifier", "params": {"min_samples_leaf": 2}}
    steps = [{"use": "ColumnTransformer", "params": encode}, trees]
    model = fit(data, estimator=steps)
    assert model.input == "pandas"
    assert values(model, data) == ["n", "s"] * 30
    long = bunch({"y": ["n", "s"] * 30}, pa.table({"w": ["a", "b"] * 30, "n": [2**53 + 1, None] * 30}))
    with pytest.raises(ConversionError, match=r"'n' .*numbers that float64 would round"):
        fit(long, estimator=steps)


# --- sample weights ---


@pytest.mark.parametrize(
    ("estimator", "params"),
    [
        ("Ridge", {}),
        (["StandardScaler", "Ridge"], {}),
        ("GridSearchCV", {"estimator": {"use": "Ridge"}, "param_grid": {"alpha": [1.0]}, "cv": 2}),
        ("VotingRegressor", {"estimators": [{"use": "Ridge"}, {"use": "LinearRegression"}]}),
        ("StackingRegressor", {"estimators": [{"use": "Ridge"}], "final_estimator": {"use": "LinearRegression"}}),
    ],
)
def test_sample_weights_reach_the_last_step(estimator: Any, params: dict[str, Any]) -> None:
    weights = np.arange(60) % 2
    data = bunch({"y": np.where(weights == 1, 5.0, -5.0)}, sample_weight={"w": weights})
    assert np.allclose(values(fit(data, estimator=estimator, params=params), data), 5.0)


# --- estimators of others ---


class Majority(ClassifierMixin, BaseEstimator):
    """As a package of somebody else might have it."""

    def __init__(self, bias: int = 0) -> None:
        self.bias = bias

    def fit(self, X: Any, y: Any) -> Majority:
        self.classes_, counts = np.unique(y, return_counts=True)
        self.most_ = self.classes_[counts.argmax()]
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.most_)


class Bare:
    """With the four methods, and nothing of scikit-learn."""

    _estimator_type = "regressor"

    def __init__(self, shift: float = 0.0) -> None:
        self.shift = shift

    def fit(self, X: Any, y: Any) -> Bare:
        self.mean_ = float(np.mean(y)) + self.shift
        return self

    def predict(self, X: Any) -> Any:
        return np.full(len(X), self.mean_)


def test_an_estimator_of_another_package(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "others_models.py").write_text(
        "import numpy as np\n"
        "from sklearn.base import BaseEstimator, RegressorMixin\n"
        "class Constant(RegressorMixin, BaseEstimator):\n"
        "    def __init__(self, value=0.0):\n"
        "        self.value = value\n"
        "    def fit(self, X, y):\n"
        "        return self\n"
        "    def predict(self, X):\n"
        "        return np.full(len(X), self.value)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    data = bunch({"y": X[:, 0]})
    for name in ("others_models.Constant", "others_models:Constant"):
        assert values(fit(data, estimator=name, params={"value": 4.0}), data) == [4.0] * 60
    with pytest.raises(ArgumentsError, match=r"Constant has no parameter 'valu'\. Did you mean 'value'\?"):
        fit(data, estimator="others_models.Constant", params={"valu": 4.0})


def test_estimators_with_little_of_the_api() -> None:
    labelled, numbered = bunch({"y": ["s"] * 59 + ["n"]}), bunch({"y": [2.0] * 60})
    model = fit(labelled, estimator=Majority, params={"bias": 1})
    assert values(model, labelled) == ["s"] * 60
    assert model.classes == ("n", "s")
    assert values(fit(numbered, estimator=Bare, params={"shift": 1.0}), numbered) == [3.0] * 60


# --- manners ---


def test_the_given_estimator_and_the_data_stay_as_they_are() -> None:
    given = Ridge()
    before = X.copy()
    fit(bunch({"y": X[:, 0]}), estimator=given)
    assert not hasattr(given, "coef_")
    np.testing.assert_array_equal(X, before)


def test_warnings_of_the_estimator_pass_through() -> None:
    with pytest.warns(ConvergenceWarning):
        fit(bunch({"y": SPECIES}), estimator="MLPClassifier", params={"max_iter": 1})


def test_metadata_make_the_model_again() -> None:
    data = bunch({"red": X[:, 0] > 0, "big": X[:, 1] > 0})
    model = fit(data, estimator="DecisionTreeClassifier")
    again = SklearnModel.from_metadata(model.underlying, model.metadata())
    assert again.predict(data["train"]).values == model.predict(data["train"]).values
    assert again.metadata() == model.metadata()
    assert repr(again) == "SklearnModel(DecisionTreeClassifier: 3 features -> red, big)"


def test_pandas_columns_keep_their_meaning_through_the_model() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"town": pd.Categorical(["Oslo", "Rome"] * 30), "a": X[:, 0]})
    data = bunch({"y": ["n", "s"] * 30}, frame)
    params = {"categorical_features": "from_dtype", "max_iter": 5, "min_samples_leaf": 2}
    model = fit(data, estimator="HistGradientBoostingClassifier", params=params)
    assert values(model, data) == ["n", "s"] * 30

"""Every estimator of scikit-learn: saved, loaded with no trust but the plugin's, and the same to the last bit.

The table of those that cannot be saved, in docs/sklearn-formats.md, is checked here; run as a program, this file
writes it anew.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import threadpoolctl
from mercury_sklearn import skops_format
from sklearn import (
    cluster,
    ensemble,
    feature_selection,
    gaussian_process,
    linear_model,
    metrics,
    model_selection,
    neighbors,
    neural_network,
    preprocessing,
    svm,
)
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.decomposition import SparseCoder
from sklearn.feature_extraction import DictVectorizer, FeatureHasher
from sklearn.feature_extraction.image import PatchExtractor
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.gaussian_process import kernels
from sklearn.manifold import TSNE
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, LabelBinarizer, LabelEncoder, MultiLabelBinarizer
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances
from sklearn.utils.estimator_checks import _enforce_estimator_tags_X, _enforce_estimator_tags_y, set_random_state

from mercury_core.errors import UnsavableModelError

PAGE = Path(__file__).parents[2] / "docs" / "sklearn-formats.md"
WHY = {
    "Birch": "skops refuses it: its tree of clusters is a web of nodes that point at each other. Fit `KMeans` or "
    "`MiniBatchKMeans` instead, or `NearestCentroid` on the labels that Birch found.",
}

_random = np.random.RandomState(0)
X = _random.normal(size=(40, 4))
Y = (X[:, 0] + 0.3 * X[:, 1] > 0).astype(int)
TEXTS = ["one fish", "two fish", "red fish", "blue fish"]
IMAGES = np.arange(32.0).reshape(2, 4, 4)
DICTS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
METHODS = ("predict", "predict_proba", "decision_function", "transform", "score_samples")

#: Estimators that want other data than numbers, or other arguments than a table and labels.
SPECIAL: dict[str, Callable[[], tuple[Any, Any]]] = {
    "CountVectorizer": lambda: (CountVectorizer().fit(TEXTS), TEXTS),
    "DictVectorizer": lambda: (DictVectorizer().fit(DICTS), DICTS),
    "FeatureHasher": lambda: (FeatureHasher(8).fit(DICTS), DICTS),
    "HashingVectorizer": lambda: (HashingVectorizer(n_features=8).fit(TEXTS), TEXTS),
    "PatchExtractor": lambda: (PatchExtractor(patch_size=(2, 2), random_state=0).fit(IMAGES), IMAGES),
    "FrozenEstimator": lambda: (FrozenEstimator(linear_model.Ridge().fit(X, Y)), X),
    "LabelBinarizer": lambda: (LabelBinarizer().fit(["a", "b", "c"]), ["c", "a"]),
    "LabelEncoder": lambda: (LabelEncoder().fit(["a", "b", "c"]), ["c", "a"]),
    "MultiLabelBinarizer": lambda: (MultiLabelBinarizer().fit([["a"], ["b", "c"]]), [["c", "a"]]),
    "SparseCoder": lambda: (SparseCoder(np.eye(4)).fit(X), X),
    "TSNE": lambda: (TSNE(max_iter=250, perplexity=3, init="random").fit(X[:8]), X),
    "TfidfVectorizer": lambda: (TfidfVectorizer().fit(TEXTS), TEXTS),
}
NAMES = [name for name, _ in all_estimators()]


def fitted(name: str, kind: type) -> Iterator[tuple[Any, Any]]:
    """Fitted estimators of a class, as many as scikit-learn's own tests make, each with rows for it."""
    if name in SPECIAL:
        yield SPECIAL[name]()
        return
    for instance in _construct_instances(kind):
        estimator = clone(instance)
        set_random_state(estimator)
        rows = _enforce_estimator_tags_X(estimator, X)
        yield estimator.fit(rows, _enforce_estimator_tags_y(estimator, Y)), rows


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Toy sets gain nothing from threads, and threads that wait for each other on a busy machine cost minutes."""
    with threadpoolctl.threadpool_limits(1):
        yield


def same(left: Any, right: Any) -> bool:
    if isinstance(left, list | tuple):
        return len(left) == len(right) and all(same(one, other) for one, other in zip(left, right, strict=True))
    if scipy.sparse.issparse(left):
        left, right = left.toarray(), right.toarray()
    left, right = np.asarray(left), np.asarray(right)
    return left.dtype == right.dtype and (left.tobytes() == right.tobytes() or np.array_equal(left, right))


def outputs(estimator: Any, rows: Any) -> dict[str, Any]:
    # An estimator that draws when it predicts draws the same only from the same state; one that keeps the very array
    # that it was fitted on takes another way for that array than for the same rows elsewhere.
    np.random.seed(0)
    return {method: getattr(estimator, method)(deepcopy(rows)) for method in METHODS if hasattr(estimator, method)}


def round_trip(estimator: Any, rows: Any, path: Path) -> None:
    skops_format.dump(estimator, path)
    loaded = skops_format.load(path)
    assert type(loaded) is type(estimator)
    before, after = outputs(estimator, rows), outputs(loaded, rows)
    assert before.keys() == after.keys()
    for method in before:
        assert same(before[method], after[method]), method
    kept = {
        name: value
        for name, value in vars(estimator).items()
        if isinstance(value, np.ndarray) and value.dtype != object
    }
    for name, value in kept.items():
        assert same(value, getattr(loaded, name)), name


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "kind"), all_estimators(), ids=NAMES)
def test_every_estimator_comes_back_the_same(name: str, kind: type, tmp_path: Path) -> None:
    found = 0
    for estimator, rows in fitted(name, kind):
        found += 1
        if name in WHY:
            with pytest.raises(UnsavableModelError, match=f"Cannot save {name}: "):
                skops_format.dump(estimator, tmp_path / "model.skops")
            assert not list(tmp_path.iterdir())
        else:
            round_trip(estimator, rows, tmp_path / "model.skops")
    assert found


def test_the_table_of_what_cannot_be_saved_is_current() -> None:
    assert set(WHY) <= set(NAMES)
    assert table() in PAGE.read_text(encoding="utf-8"), "run this file as a program to write it anew"


def table() -> str:
    rows = "\n".join(f"| `{name}` | {why} |" for name, why in sorted(WHY.items()))
    return f"| estimator | why |\n|---|---|\n{rows}\n"


# --- parameters that put other types into the same estimators ---

positive = np.abs(X)
mixed = np.column_stack([X[:, :3], _random.randint(0, 5, 40)])
search = {"alpha": [0.1, 1.0]}
VARIED: dict[str, tuple[Callable[[], Any], Any, Any]] = {
    "trees": (lambda: DecisionTreeClassifier(max_leaf_nodes=5), X, Y),
    "trees of several targets": (lambda: DecisionTreeRegressor(max_depth=3), X, np.column_stack([Y, X[:, 0]])),
    "trees of several labels": (lambda: ensemble.RandomForestClassifier(3), X, np.column_stack([Y, 1 - Y])),
    "a tree of one leaf": (lambda: DecisionTreeClassifier(max_depth=1), np.zeros((4, 1)), [0, 1, 0, 1]),
    "pruned": (lambda: DecisionTreeRegressor(ccp_alpha=0.05), X, X[:, 0]),
    "missing values": (lambda: DecisionTreeRegressor(max_depth=3), np.where(X > 1, np.nan, X), X[:, 0]),
    "isolation of some features": (
        lambda: ensemble.IsolationForest(n_estimators=5, max_features=0.5, random_state=0),
        X,
        None,
    ),
    "isolation": (lambda: ensemble.IsolationForest(n_estimators=5, random_state=0), X, None),
    "gradient boosting of classes": (lambda: ensemble.GradientBoostingClassifier(n_estimators=3), X, np.arange(40) % 3),
    "gradient boosting from zero": (lambda: ensemble.GradientBoostingClassifier(n_estimators=3, init="zero"), X, Y),
    "gradient boosting from a model": (
        lambda: ensemble.GradientBoostingRegressor(n_estimators=3, init=linear_model.Ridge()),
        X,
        X[:, 1],
    ),
    "gradient boosting of quantiles": (
        lambda: ensemble.GradientBoostingRegressor(n_estimators=3, loss="quantile"),
        X,
        X[:, 1],
    ),
    "gradient boosting, huber": (lambda: ensemble.GradientBoostingRegressor(n_estimators=3, loss="huber"), X, X[:, 1]),
    "histograms of classes": (lambda: ensemble.HistGradientBoostingClassifier(max_iter=3), X, np.arange(40) % 3),
    "histograms of categories": (
        lambda: ensemble.HistGradientBoostingClassifier(max_iter=3, categorical_features=[3], min_samples_leaf=2),
        mixed,
        Y,
    ),
    **{
        f"histograms, {loss}": (
            lambda loss=loss: ensemble.HistGradientBoostingRegressor(
                loss=loss, quantile=0.3 if loss == "quantile" else None, max_iter=3
            ),
            X,
            positive[:, 0],
        )
        for loss in ("squared_error", "absolute_error", "gamma", "poisson", "quantile")
    },
    **{
        f"neighbours, {algorithm}, {metric}": (
            lambda algorithm=algorithm, metric=metric, more=more: neighbors.KNeighborsRegressor(
                3, algorithm=algorithm, leaf_size=4, metric=metric, metric_params=more
            ),
            X,
            X[:, 0],
        )
        for algorithm in ("kd_tree", "ball_tree")
        for metric, more in (
            ("euclidean", None),
            ("manhattan", None),
            ("chebyshev", None),
            ("minkowski", {"p": 3}),
            *(
                ()
                if algorithm == "kd_tree"
                else (
                    ("seuclidean", {"V": np.ones(4)}),
                    ("mahalanobis", {"V": np.eye(4)}),
                    ("canberra", None),
                    ("braycurtis", None),
                    ("hamming", None),
                )
            ),
        )
    },
    "haversine": (lambda: neighbors.KNeighborsRegressor(3, metric="haversine", algorithm="ball_tree"), X[:, :2], Y),
    "density": (lambda: neighbors.KernelDensity(), X, None),
    "outliers": (lambda: neighbors.LocalOutlierFactor(5, novelty=True), X, None),
    **{
        f"kernel {kernel}": (
            lambda kernel=kernel: gaussian_process.GaussianProcessRegressor(kernel, optimizer=None, alpha=10.0),
            X,
            X[:, 0],
        )
        for kernel in (
            kernels.RBF() + kernels.WhiteKernel(),
            kernels.Matern() * kernels.ConstantKernel(2.0),
            kernels.RationalQuadratic() ** 2.0,
            kernels.ExpSineSquared(),
            kernels.DotProduct(),
            kernels.PairwiseKernel(metric="rbf"),
        )
    },
    "Gaussian process of classes": (
        lambda: gaussian_process.GaussianProcessClassifier(optimizer=None),
        X,
        np.arange(40) % 3,
    ),
    **{
        f"calibration, {method}": (
            lambda method=method: CalibratedClassifierCV(linear_model.LogisticRegression(), method=method, cv=2),
            X,
            Y,
        )
        for method in ("sigmoid", "isotonic")
    },
    **{
        f"search by {scoring}": (
            lambda scoring=scoring: model_selection.GridSearchCV(
                linear_model.Ridge(), search, scoring=scoring, refit=refit_of(scoring), cv=2
            ),
            X,
            X[:, 0],
        )
        for scoring in ("r2", "neg_mean_absolute_error", ["r2", "neg_max_error"])
    },
    **{
        f"search with {type(cv).__name__}": (
            lambda cv=cv: model_selection.GridSearchCV(linear_model.RidgeClassifier(), search, scoring="f1", cv=cv),
            X,
            Y,
        )
        for cv in (
            model_selection.RepeatedKFold(n_splits=2, n_repeats=1, random_state=0),
            model_selection.RepeatedStratifiedKFold(n_splits=2, n_repeats=1, random_state=np.random.RandomState(0)),
            model_selection.ShuffleSplit(2, random_state=0),
            model_selection.TimeSeriesSplit(2),
            model_selection.PredefinedSplit(np.arange(40) % 2),
        )
    },
    "a scorer of one's own": (
        lambda: model_selection.GridSearchCV(
            linear_model.Ridge(), search, scoring=metrics.make_scorer(metrics.mean_pinball_loss, alpha=0.3), cv=2
        ),
        X,
        X[:, 0],
    ),
    **{
        f"selection by {score.__name__}": (lambda score=score: feature_selection.SelectKBest(score, k=2), positive, Y)
        for score in (
            feature_selection.chi2,
            feature_selection.f_classif,
            feature_selection.f_regression,
            feature_selection.r_regression,
            feature_selection.mutual_info_classif,
            feature_selection.mutual_info_regression,
        )
    },
    **{
        f"SGD, {loss}": (lambda loss=loss: linear_model.SGDClassifier(loss=loss, random_state=0), X, Y)
        for loss in ("hinge", "log_loss", "modified_huber", "perceptron", "squared_hinge")
    },
    **{
        f"network, {solver}": (
            lambda solver=solver: neural_network.MLPClassifier((3,), solver=solver, max_iter=5, random_state=0),
            X,
            Y,
        )
        for solver in ("adam", "sgd", "lbfgs")
    },
    **{
        f"generalised linear, {power}": (
            lambda power=power: linear_model.TweedieRegressor(power=power, link="log"),
            X,
            positive[:, 0],
        )
        for power in (0, 1, 1.5, 2)
    },
    **{
        f"support vectors, {kernel}": (lambda kernel=kernel: svm.SVC(kernel=kernel), X, np.arange(40) % 3)
        for kernel in ("linear", "poly", "rbf", "sigmoid")
    },
    "support vectors of sparse rows": (lambda: svm.SVC(), scipy.sparse.csr_matrix(X), Y),
    "support vectors of distances": (lambda: svm.SVC(kernel="precomputed"), X @ X.T, Y),
    "support vectors of numbers": (lambda: svm.NuSVR(), X, X[:, 0]),
    "one class": (lambda: svm.OneClassSVM(), X, None),
    "k-means, Elkan": (lambda: cluster.KMeans(3, algorithm="elkan", n_init=1, random_state=0), X, None),
    "bisecting k-means, Elkan": (lambda: cluster.BisectingKMeans(3, algorithm="elkan", random_state=0), X, None),
    "pooled by the median": (lambda: cluster.FeatureAgglomeration(2, pooling_func=np.median), X, None),
    "constant class": (
        lambda: OneVsRestClassifier(linear_model.LogisticRegression()),
        X,
        np.column_stack([Y, np.ones(40)]),
    ),
    "one-hot, sparse": (lambda: preprocessing.OneHotEncoder(), np.array([["a", 1], ["b", 2]], dtype=object), None),
    "splines, sparse": (lambda: preprocessing.SplineTransformer(sparse_output=True, extrapolation="linear"), X, None),
    "log": (lambda: FunctionTransformer(np.log1p, inverse_func=np.expm1), positive, None),
    "columns": (
        lambda: make_column_transformer(
            (preprocessing.StandardScaler(), [0, 1]),
            (preprocessing.KBinsDiscretizer(3, quantile_method="averaged_inverted_cdf"), [2]),
        ),
        X,
        None,
    ),
    "slices of columns": (
        lambda: ColumnTransformer([("s", preprocessing.StandardScaler(), slice(0, 2))], remainder="passthrough"),
        X,
        None,
    ),
    "pipeline": (
        lambda: make_pipeline(preprocessing.StandardScaler(), ensemble.RandomForestClassifier(3, random_state=0)),
        X,
        Y,
    ),
    "a generator of random numbers": (
        lambda: ensemble.ExtraTreesRegressor(3, random_state=np.random.RandomState(3)),
        X,
        X[:, 0],
    ),
}


def refit_of(scoring: Any) -> Any:
    return True if isinstance(scoring, str) else scoring[0]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", VARIED)
def test_with_other_parameters_too(name: str, tmp_path: Path) -> None:
    make, rows, labels = VARIED[name]
    estimator = make()
    estimator.fit(rows) if labels is None else estimator.fit(rows, labels)
    round_trip(estimator, rows, tmp_path / "model.skops")


def write_page() -> None:
    """Write the table on the page anew."""
    head, mark, rest = PAGE.read_text(encoding="utf-8").partition("| estimator | why |\n")
    assert mark
    after = rest[rest.index("\n\n") + 1 :] if "\n\n" in rest else ""
    PAGE.write_text(head + table() + after, encoding="utf-8")


if __name__ == "__main__":
    write_page()

"""Crafted content: every index that compiled code would follow out of bounds is found before it is used."""

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import threadpoolctl
from mercury_sklearn.skops_format import dump, load
from sklearn.cluster import BisectingKMeans, KMeans
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    IsolationForest,
    RandomForestClassifier,
)
from sklearn.neighbors import BallTree, KDTree, KNeighborsClassifier
from sklearn.preprocessing import SplineTransformer
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from mercury_core.errors import BundleFormatError, CorruptBundleError

_random = np.random.RandomState(0)
X = np.column_stack([_random.normal(size=(40, 3)), _random.randint(0, 5, 40)])
Y = (X[:, 0] + X[:, 1] > 0).astype(int)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Toy sets gain nothing from threads, and threads that wait for each other on a busy machine cost minutes."""
    with threadpoolctl.threadpool_limits(1):
        yield


def refused(thing: Any, path: Path, match: str) -> None:
    dump(thing, path)
    with pytest.raises(CorruptBundleError, match=match):
        load(path)


def edit(path: Path, name: str, value: Any) -> None:
    """Change a plain value of every state in a skops file."""
    with zipfile.ZipFile(path) as archive:
        files = {each: archive.read(each) for each in archive.namelist()}
    schema = json.loads(files.pop("schema.json"))
    stack, found = [schema], 0
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, dict):
            stack.extend(node.values())
            if isinstance(node.get(name), dict) and "content" in node[name]:
                node[name]["content"], found = json.dumps(value), found + 1
    assert found
    with zipfile.ZipFile(path, "w") as archive:
        for each, data in {**files, "schema.json": json.dumps(schema).encode()}.items():
            archive.writestr(each, data)


# --- trees ---


def with_nodes(change: Callable[[Any], None]) -> DecisionTreeClassifier:
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, Y)
    state = model.tree_.__getstate__()
    state = {**state, "nodes": state["nodes"].copy(), "values": state["values"].copy()}
    change(state["nodes"])
    model.tree_.__setstate__(state)
    return model


TREES: dict[str, tuple[tuple[str, int, int], str]] = {
    "a child beyond the end": (("right_child", 0, 10**6), "out of bounds, or that have no parent or two"),
    "a child before the start": (("left_child", 0, -7), "out of bounds, or that have no parent or two"),
    "a node that is its own child": (("left_child", 0, 0), "out of bounds, or that have no parent or two"),
    "a child of two": (("right_child", 0, 1), "out of bounds, or that have no parent or two"),
    "one child": (("left_child", 0, -1), "nodes with one child"),
    "a feature beyond the end": (("feature", 0, 4), "features that are not among its 4"),
    "a feature before the start": (("feature", 0, -3), "features that are not among its 4"),
}


@pytest.mark.parametrize("case", TREES)
def test_a_crafted_tree(tmp_path: Path, case: str) -> None:
    (field, place, value), match = TREES[case]

    def change(nodes: Any) -> None:
        nodes[field][place] = value

    refused(
        with_nodes(change), tmp_path / "m", f"was altered or damaged, and nothing of it was loaded: a tree .*{match}"
    )


def test_a_tree_whose_nodes_go_round_in_a_circle(tmp_path: Path) -> None:
    def change(nodes: Any) -> None:
        # Of all nodes, each stays the child of one: 1's child and the root's change places.
        inner = int(nodes["left_child"][1])
        assert inner > 1
        nodes["left_child"][0], nodes["left_child"][1] = inner, 1

    refused(with_nodes(change), tmp_path / "m", "child nodes that come before their parents")


@pytest.mark.parametrize(
    ("name", "value"), [("node_count", 10**6), ("node_count", 0), ("node_count", -1), ("max_depth", 1)]
)
def test_a_tree_that_says_another_size(tmp_path: Path, name: str, value: int) -> None:
    dump(with_nodes(lambda nodes: None), tmp_path / "m")
    edit(tmp_path / "m", name, value)
    with pytest.raises(CorruptBundleError, match=f"says that it (has|is) {value} "):
        load(tmp_path / "m")


def test_a_tree_of_other_features_than_its_estimator_checks(tmp_path: Path) -> None:
    model = DecisionTreeClassifier().fit(X, Y)
    model.n_features_in_ = 2
    refused(model, tmp_path / "m", "takes 2 features, and its tree splits by 4")
    del model.n_features_in_
    refused(model, tmp_path / "m", "is not as scikit-learn makes it .*n_features_in_")


def test_a_forest_of_other_features_than_its_trees(tmp_path: Path) -> None:
    model = RandomForestClassifier(2, random_state=0).fit(X, Y)
    model.n_features_in_ = 2
    refused(model, tmp_path / "m", "a RandomForestClassifier takes 2 features, and a tree of it 4")


def test_an_isolation_forest_that_gives_its_trees_other_features(tmp_path: Path) -> None:
    model = IsolationForest(n_estimators=2, random_state=0).fit(X)
    model.estimators_features_ = [np.arange(2), np.arange(4)]
    refused(model, tmp_path / "m", "gives its trees other features than they take")
    model = IsolationForest(n_estimators=2, random_state=0, max_features=2).fit(X)
    model._max_features = 4
    refused(model, tmp_path / "m", "gives its trees other features than they take")


def test_gradient_boosting_that_would_write_more_columns_than_there_are(tmp_path: Path) -> None:
    model = GradientBoostingClassifier(n_estimators=2, random_state=0).fit(X, np.arange(40) % 3)
    model.init_ = "zero"
    model.n_trees_per_iteration_ = 1
    refused(model, tmp_path / "m", "has 3 trees a stage and starts from 1 values")


def test_gradient_boosting_of_other_features_than_its_trees(tmp_path: Path) -> None:
    model = GradientBoostingClassifier(n_estimators=2, random_state=0).fit(X, Y)
    model.n_features_in_ = 3
    refused(model, tmp_path / "m", "a GradientBoostingClassifier takes 3 features, and a tree of it 4")


# --- histogram gradient boosting ---


@pytest.fixture
def hist() -> HistGradientBoostingClassifier:
    model = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=2, categorical_features=[3]).fit(X, Y)
    # The encoder puts the categories first.
    assert all(predictor.nodes["is_categorical"].any() or len(predictor.nodes) for (predictor,) in model._predictors)
    return model


@pytest.mark.parametrize(
    ("field", "value", "match"),
    [
        ("left", 10**6, "out of bounds"),
        ("right", 0, "out of bounds"),
        ("feature_idx", 4, "features that are not among its 4"),
        ("feature_idx", -1, "features that are not among its 4"),
    ],
)
def test_a_crafted_histogram_tree(
    tmp_path: Path, hist: HistGradientBoostingClassifier, field: str, value: int, match: str
) -> None:
    hist._predictors[1][0].nodes[field][0] = value
    refused(hist, tmp_path / "m", match)


def test_a_histogram_tree_that_splits_by_categories_that_are_not_there(
    tmp_path: Path, hist: HistGradientBoostingClassifier
) -> None:
    nodes = hist._predictors[0][0].nodes
    nodes["is_categorical"][0], nodes["bitset_idx"][0], nodes["feature_idx"][0] = 1, 99, 0
    refused(hist, tmp_path / "m", "a TreePredictor has splits by categories that it does not hold")


def test_a_histogram_tree_that_splits_by_categories_of_a_number(
    tmp_path: Path, hist: HistGradientBoostingClassifier
) -> None:
    predictor = hist._predictors[0][0]
    predictor.raw_left_cat_bitsets = predictor.binned_left_cat_bitsets = np.zeros((1, 8), dtype=np.uint32)
    nodes = predictor.nodes
    nodes["is_categorical"], nodes["bitset_idx"] = 0, 0
    nodes["is_categorical"][0], nodes["feature_idx"][0] = 1, 2
    refused(hist, tmp_path / "m", "split by categories of features that have none")


def test_a_histogram_model_whose_encoder_drops_columns(tmp_path: Path, hist: HistGradientBoostingClassifier) -> None:
    hist._preprocessor.transformers_[1] = ("numerical", "drop", [])
    refused(hist, tmp_path / "m", "a HistGradientBoostingClassifier is not as scikit-learn makes it")


def test_a_histogram_model_that_bins_other_features(tmp_path: Path, hist: HistGradientBoostingClassifier) -> None:
    hist.n_features_in_ = 3
    refused(hist, tmp_path / "m", "takes 3 features, and bins 4")


# --- neighbours ---


def with_state(kind: type, place: int, change: Callable[[Any], Any], **params: Any) -> KNeighborsClassifier:
    model = KNeighborsClassifier(3, algorithm="kd_tree", leaf_size=4).fit(X, Y)
    tree = kind(X, leaf_size=4, **params)
    state = list(tree.__getstate__())
    state[place] = change(state[place].copy() if hasattr(state[place], "copy") else state[place])
    tree.__setstate__(tuple(state))
    model._tree = tree
    return model


def put(field: str | None, place: int, value: Any) -> Callable[[Any], Any]:
    def change(array: Any) -> Any:
        (array if field is None else array[field])[place] = value
        return array

    return change


@pytest.mark.parametrize("kind", [KDTree, BallTree])
@pytest.mark.parametrize(
    ("place", "change", "match"),
    [
        (1, put(None, 0, 10**6), "places that are not among its rows"),
        (1, put(None, 0, -1), "places that are not among its rows"),
        (1, lambda places: places[:-1], "places that are not among its rows"),
        (2, put("idx_end", 0, 10**6), "nodes whose rows are not those of their children"),
        (2, put("idx_start", 1, -4), "nodes whose rows are not those of their children"),
        (2, put("idx_end", 1, 40), "nodes whose rows are not those of their children"),
        (2, put("is_leaf", -1, 0), "child nodes that are out of bounds"),
        (2, lambda nodes: nodes[:-1], "nodes and leaves of 4"),
        (3, lambda bounds: bounds[:, :-1].copy(), "bounds of the shape"),
        (3, lambda bounds: bounds[:, :, :-1].copy(), "bounds of the shape"),
        (4, lambda size: 0, "leaves of 0"),
        (6, lambda count: count + 1000, "nodes and leaves of 4"),
        (12, lambda weight: np.ones(3), "3 weights for 40 rows"),
    ],
)
def test_a_crafted_neighbour_tree(tmp_path: Path, kind: type, place: int, change: Any, match: str) -> None:
    refused(with_state(kind, place, change), tmp_path / "m", f"a {kind.__name__} has .*{match}")


def test_a_neighbour_tree_with_the_distance_of_other_features(tmp_path: Path) -> None:
    other = BallTree(X[:, :2], metric="seuclidean", V=[1.0, 1.0]).__getstate__()[11]
    refused(
        with_state(BallTree, 11, lambda metric: other),
        tmp_path / "m",
        "measures 4 features with a SEuclideanDistance64",
    )


def test_a_neighbour_tree_without_a_state(tmp_path: Path) -> None:
    dump(KDTree(X), tmp_path / "m")
    with zipfile.ZipFile(tmp_path / "m") as archive:
        schema = json.loads(archive.read("schema.json"))
    del schema["content"]
    with zipfile.ZipFile(tmp_path / "m", "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    with pytest.raises(CorruptBundleError, match="a KDTree is not as scikit-learn makes it"):
        load(tmp_path / "m")


# --- support vectors, sparse matrices, splines, centres ---


@pytest.mark.parametrize(
    ("name", "change", "match"),
    [
        ("_n_support", lambda found: found + 1000, "support vectors, and"),
        ("_n_support", lambda found: found[:1], "coefficients of the shape|support vectors, and"),
        ("_dual_coef_", lambda found: found[:, :-1].copy(), "coefficients of the shape"),
        ("_intercept_", lambda found: found[:0], "coefficients of the shape"),
        ("support_vectors_", lambda found: found[:, :-1].copy(), "in an array of the shape"),
        ("support_vectors_", lambda found: found[:-1], "in an array of the shape"),
        ("_probA", lambda found: np.ones(7), "probabilities of other pairs"),
        ("n_features_in_", lambda found: 2, "in an array of the shape"),
    ],
)
@pytest.mark.parametrize("kind", [SVC, SVR])
def test_crafted_support_vectors(tmp_path: Path, kind: type, name: str, change: Any, match: str) -> None:
    if kind is SVR and name == "_n_support":
        kind = SVC  # for numbers libsvm does not look at it
    model = kind().fit(X, Y)
    setattr(model, name, change(getattr(model, name)))
    refused(model, tmp_path / "m", f"a {kind.__name__} has .*({match})")


def test_support_vectors_that_are_not_among_the_distances(tmp_path: Path) -> None:
    model = SVC(kernel="precomputed").fit(X @ X.T, Y)
    model.support_ = model.support_ + 1000
    refused(model, tmp_path / "m", "support vectors that are not among the rows")


@pytest.mark.parametrize("form", ["csr", "csc", "bsr", "coo"])
def test_a_sparse_matrix_with_places_out_of_bounds(tmp_path: Path, form: str) -> None:
    matrix = scipy.sparse.random_array((5, 5), density=0.5, format=form, rng=np.random.default_rng(0))
    (matrix.coords[0] if form == "coo" else matrix.indices)[0] = 99
    dump(matrix, tmp_path / "m")
    with pytest.raises((CorruptBundleError, BundleFormatError), match=r"must be < 5|index .*exceeds|not in its shape"):
        load(tmp_path / "m")


@pytest.mark.parametrize(("name", "value"), [("k", 40), ("k", -1), ("c", np.zeros((1, 1))), ("axis", 1)])
def test_a_crafted_spline(tmp_path: Path, name: str, value: Any) -> None:
    model = SplineTransformer().fit(X)
    vars(model.bsplines_[0])[name if name in vars(model.bsplines_[0]) else f"_{name}"] = value
    refused(model, tmp_path / "m", "a BSpline (of degree|has knots)")


def test_centres_of_other_features(tmp_path: Path) -> None:
    model = KMeans(3, n_init=1, random_state=0).fit(X)
    model.cluster_centers_ = model.cluster_centers_[:, :1]
    refused(model, tmp_path / "m", "a KMeans takes 4 features, and its centres have")
    parts = BisectingKMeans(3, random_state=0).fit(X)
    parts._bisecting_tree.left.center = np.zeros(1)
    refused(parts, tmp_path / "m", "a BisectingKMeans takes 4 features, and a centre of it has")


def test_many_faults_are_told_in_short(tmp_path: Path) -> None:
    model = RandomForestClassifier(3, random_state=0).fit(X, Y)
    models = []
    for count in range(5, 20):
        models.append(DecisionTreeClassifier().fit(X, Y))
        models[-1].n_features_in_ = count
    dump([model, *models], tmp_path / "m")
    with pytest.raises(CorruptBundleError) as caught:
        load(tmp_path / "m")
    assert len(caught.value.faults) == 6
    assert caught.value.faults[-1] == "and 10 more"

"""The content of a skops file that compiled code indexes by: checked before it is used.

A type that runs no code of the file can still be given content that scikit-learn never writes: a tree whose child is
node one million makes `predict` read memory that is not its own. scikit-learn, SciPy and libsvm do not look; so this
does, by what they do with each value. `before` looks at the state of an object that is not made yet, since making it
copies already; `within` at objects that were made, alone and with what holds them (a forest's trees were all fitted
on the forest's features).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    Array = NDArray[Any]


def before(node: Any) -> Iterator[str]:
    """What is wrong with the state of an object that a node of skops would make.

    Args:
        node: A node, whose types were all found to be trusted.

    Returns:
        One sentence a fault.
    """
    name = f"{node.module_name}.{node.class_name}"
    kind = type(node).__name__
    if kind == "TreeNode":
        yield from _faults("a tree", lambda: _tree_state(node.args.construct(), node.attrs.construct()))
    elif kind == "ObjectNode" and name in _NEIGHBOUR_TREES:
        state = None if node.attrs is None else node.attrs.construct()
        yield from _faults(f"a {node.class_name}", lambda: _neighbour_tree(state, bounds=_NEIGHBOUR_TREES[name]))


def within(made: Any) -> Iterator[str]:
    """What is wrong with an object that was made.

    Args:
        made: Any object of the file.

    Returns:
        One sentence a fault.
    """
    names = {kind.__name__ for kind in type(made).__mro__}
    for name, check in _CHECKS.items():
        if name in names:
            yield from _faults(f"a {type(made).__name__}", lambda check=check: check(made))  # type: ignore[misc]


def _faults(what: str, check: Callable[[], Iterator[str]]) -> Iterator[str]:
    try:
        for fault in check():
            yield f"{what} {fault}"
            return
    except Exception as error:  # noqa: BLE001  (content of any kind: whatever looking at it raises, it is wrong)
        yield f"{what} is not as scikit-learn makes it ({type(error).__name__}: {error})"


# --- trees ---


def _tree_state(arguments: Any, state: Any) -> Iterator[str]:
    n_features, n_classes, n_outputs = arguments
    if not (
        _is_count(n_features) and _is_count(n_outputs) and n_classes.shape == (n_outputs,) and (n_classes >= 1).all()
    ):
        yield f"has {n_outputs} outputs and classes for {n_classes.shape[0]}"
    nodes = state["nodes"]
    count = len(nodes)
    if state["node_count"] != count or count < 1:
        yield f"says that it has {state['node_count']} nodes and has {count}"
    left, right, feature = (nodes[name].astype(np.int64) for name in ("left_child", "right_child", "feature"))
    leaf = left == -1
    if ((right == -1) != leaf).any():
        yield "has nodes with one child"
    yield from _children(left[~leaf], right[~leaf], np.flatnonzero(~leaf), count)
    if not _inside(feature[~leaf], n_features):
        yield f"splits by features that are not among its {n_features}"
    depth = _depth(left, right, ~leaf)
    if state["max_depth"] != depth:
        yield f"says that it is {state['max_depth']} deep and is {depth}"


def _children(left: Array, right: Array, parents: Array, count: int) -> Iterator[str]:
    """Every node but the first is the child of exactly one node before it: no cycle, and nothing out of bounds."""
    children = np.concatenate([left, right])
    if not np.array_equal(np.sort(children), np.arange(1, count)):
        yield "has child nodes that are out of bounds, or that have no parent or two"
    elif (left <= parents).any() or (right <= parents).any():
        yield "has child nodes that come before their parents"


def _depth(left: Array, right: Array, inner: Array) -> int:
    level, depth = np.zeros(1, dtype=np.int64), 0
    while (level := level[inner[level]]).size:
        level, depth = np.concatenate([left[level], right[level]]), depth + 1
    return depth


def _tree_holder(estimator: Any) -> Iterator[str]:
    if hasattr(estimator, "tree_") and estimator.tree_.n_features != _features(estimator):
        yield f"takes {estimator.n_features_in_} features, and its tree splits by {estimator.tree_.n_features}"


def _forest(estimator: Any) -> Iterator[str]:
    """A forest checks rows once, and its trees not again."""
    for tree in getattr(estimator, "estimators_", ()):
        if _features(tree) != _features(estimator):
            yield f"takes {estimator.n_features_in_} features, and a tree of it {tree.n_features_in_}"


def _isolation_forest(estimator: Any) -> Iterator[str]:
    for tree, features in zip(estimator.estimators_, estimator.estimators_features_, strict=True):
        if not _inside(np.asarray(features), _features(estimator)) or _features(tree) != len(features):
            yield "gives its trees other features than they take"
        if estimator._max_features == _features(estimator) != _features(tree):
            yield "gives its trees other features than they take"


def _gradient_boosting(estimator: Any) -> Iterator[str]:
    if not hasattr(estimator, "estimators_"):
        return
    trees = estimator.estimators_
    for tree in trees.ravel():
        if _features(tree) != _features(estimator) or tree.tree_.value.shape[1:] != (1, 1):
            yield f"takes {estimator.n_features_in_} features, and a tree of it {tree.n_features_in_}"
    # The compiled loop writes a column a tree of a stage into an array of this shape.
    start = estimator._raw_predict_init(np.zeros((1, _features(estimator)), dtype=np.float32))
    if start.shape != (1, trees.shape[1]):
        yield f"has {trees.shape[1]} trees a stage and starts from {start.shape[1]} values"


# --- histogram gradient boosting ---


def _predictor(predictor: Any) -> Iterator[str]:
    nodes = predictor.nodes
    inner = nodes["is_leaf"] == 0
    yield from _children(
        nodes["left"][inner].astype(np.int64), nodes["right"][inner].astype(np.int64), np.flatnonzero(inner), len(nodes)
    )
    if len(nodes) < 1:
        yield "has no nodes"
    split = inner & (nodes["is_categorical"] != 0)
    for bitsets in (predictor.raw_left_cat_bitsets, predictor.binned_left_cat_bitsets):
        if bitsets.ndim != 2 or bitsets.shape[1] != 8 or not _inside(nodes["bitset_idx"][split], len(bitsets)):
            yield "has splits by categories that it does not hold"


def _hist_gradient_boosting(estimator: Any) -> Iterator[str]:
    if not hasattr(estimator, "_predictors"):
        return
    count = _features(estimator)
    categorical = np.asarray(estimator._bin_mapper.is_categorical_).astype(bool)
    if categorical.shape != (count,):
        yield f"takes {count} features, and bins {categorical.size}"
    if estimator._preprocessor is not None:
        yield from _encoder(estimator._preprocessor, count)
    for predictor in (predictor for stage in estimator._predictors for predictor in stage):
        nodes = predictor.nodes[predictor.nodes["is_leaf"] == 0]
        if not _inside(nodes["feature_idx"], count):
            yield f"has trees that split by features that are not among its {count}"
        if not categorical[nodes["feature_idx"][nodes["is_categorical"] != 0]].all():
            yield "has trees that split by categories of features that have none"


def _encoder(columns: Any, count: int) -> Iterator[str]:
    """The preprocessor gives back as many columns as it takes: categories as numbers first, then the rest as it is."""
    (_, encoder, coded), (_, rest, kept), *others = (part for part in columns.transformers_ if part[1] != "drop")
    names = [type(columns).__name__, type(encoder).__name__, type(rest).__name__]
    if names != ["ColumnTransformer", "OrdinalEncoder", "FunctionTransformer"] or others:
        yield f"encodes categories with {', '.join(names)}"
    elif len(encoder.categories_) != np.sum(coded) or np.sum(coded) + np.sum(kept) != count or len(coded) != len(kept):
        yield f"encodes {len(encoder.categories_)} categorical columns of {count}"


# --- neighbours ---


def _neighbour_tree(state: Any, bounds: int) -> Iterator[str]:
    data, places, nodes, limits, leaf_size, _, count = state[:7]
    metric, weight = state[11], state[12]
    rows, features = data.shape
    if rows < 1 or features < 1 or leaf_size < 1 or len(nodes) != count or count < 1:
        yield f"has {rows} rows, {count} nodes and leaves of {leaf_size}"
    if places.shape != (rows,) or not _inside(places, rows):
        yield "has places that are not among its rows"
    if limits.shape != (bounds, count, features):
        yield f"has bounds of the shape {limits.shape} for {count} nodes and {features} features"
    if weight is not None and np.shape(weight) != (rows,):
        yield f"has {np.size(weight)} weights for {rows} rows"
    start, end, leaf = nodes["idx_start"], nodes["idx_end"], nodes["is_leaf"] != 0
    inner = np.flatnonzero(~leaf)
    first, second = 2 * inner + 1, 2 * inner + 2
    if second.size and second.max() >= count:
        yield "has child nodes that are out of bounds"
    # The rows of a node are those of its children, each once: results are written into arrays of that size.
    elif (
        (start[0], end[0]) != (0, rows)
        or (start > end).any()
        or ((start[first] != start[inner]) | (end[first] != start[second]) | (end[second] != end[inner])).any()
    ):
        yield "has nodes whose rows are not those of their children"
    yield from _metric(metric, features)


def _metric(metric: Any, features: int) -> Iterator[str]:
    _, vector, matrix = metric.__getstate__()[:3]
    name = type(metric).__name__
    if (
        (name.startswith("SEuclidean") and len(vector) != features)
        or (name.startswith("Minkowski") and len(vector) not in (0, features))
        or (name.startswith("Mahalanobis") and matrix.shape != (features, features))
        or (name.startswith("Haversine") and features != 2)
    ):
        yield f"measures {features} features with a {name} of others"


# --- what else indexes without looking ---


def _libsvm(estimator: Any) -> Iterator[str]:
    """Libsvm takes sizes from the numbers of classes and of support vectors, and pointers to the rest."""
    if not hasattr(estimator, "support_vectors_"):
        return
    vectors, support = estimator.support_vectors_, estimator.support_
    count, per_class = len(support), estimator._n_support
    precomputed = estimator.kernel == "precomputed"
    if precomputed:
        if not _inside(support, estimator.shape_fit_[0]):
            yield "has support vectors that are not among the rows that it was fitted on"
    elif vectors.shape != (count, _features(estimator)) or estimator.shape_fit_[1] != _features(estimator):
        yield f"has {count} support vectors of {_features(estimator)} features in an array of the shape {vectors.shape}"
    classes = len(per_class) if estimator._impl in ("c_svc", "nu_svc") else 2
    pairs = classes * (classes - 1) // 2
    if estimator._impl in ("c_svc", "nu_svc") and (per_class.sum() != count or (per_class < 0).any()):
        yield f"has {count} support vectors, and {per_class.tolist()} by class"
    if len(per_class) < 2 or estimator._dual_coef_.shape != (classes - 1, count) or len(estimator._intercept_) != pairs:
        shape = estimator._dual_coef_.shape
        yield f"has coefficients of the shape {shape} for {classes} classes and {count} support vectors"
    if any(len(found) not in (0, pairs) for found in (estimator._probA, estimator._probB)):
        yield f"has the probabilities of other pairs than its {pairs}"


def _centres(estimator: Any) -> Iterator[str]:
    centres = getattr(estimator, "cluster_centers_", None)
    if centres is not None and centres.shape[1:] != (_features(estimator),):
        yield f"takes {_features(estimator)} features, and its centres have {centres.shape[1:]}"


def _bisecting(estimator: Any) -> Iterator[str]:
    yield from _centres(estimator)
    stack = [getattr(estimator, "_bisecting_tree", None)]
    while stack:
        node = stack.pop()
        if node is not None:
            if np.shape(node.center) != (_features(estimator),):
                yield f"takes {_features(estimator)} features, and a centre of it has {np.shape(node.center)}"
            stack += [node.left, node.right]


def _sparse(matrix: Any) -> Iterator[str]:
    if hasattr(matrix, "check_format"):
        matrix.check_format(full_check=True)
    elif matrix.nnz and hasattr(matrix, "coords"):
        for places, size in zip(matrix.coords, matrix.shape, strict=True):
            if not _inside(places, size):
                yield f"has places that are not in its shape {matrix.shape}"


def _spline(spline: Any) -> Iterator[str]:
    knots, degree = spline.t, spline.k
    if (
        not _is_count(degree + 1)
        or knots.ndim != 1
        or spline.c.shape[0] < len(knots) - degree - 1
        or len(knots) < 2 * degree + 2
    ):
        yield f"of degree {degree} has {len(knots)} knots and coefficients of the shape {spline.c.shape}"
    if spline.axis != 0 or not np.isfinite(knots).all() or (np.diff(knots) < 0).any():
        yield "has knots that are not in order"


def _features(estimator: Any) -> int:
    """How many features an estimator takes; scikit-learn checks rows only where this is known."""
    count: int = estimator.n_features_in_
    if not _is_count(count):
        raise ValueError(f"n_features_in_ is {count!r}")
    return count


def _is_count(value: Any) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 1)


def _inside(places: Array, size: int) -> bool:
    return places.dtype.kind in "iu" and bool(((places >= 0) & (places < size)).all())


_NEIGHBOUR_TREES = {"sklearn.neighbors._kd_tree.KDTree": 2, "sklearn.neighbors._ball_tree.BallTree": 1}
#: By the name of a class, so that subclasses are looked at too and nothing is imported.
_CHECKS: dict[str, Callable[[Any], Iterator[str]]] = {
    "BaseDecisionTree": _tree_holder,
    "BaseForest": _forest,
    "IsolationForest": _isolation_forest,
    "BaseGradientBoosting": _gradient_boosting,
    "TreePredictor": _predictor,
    "BaseHistGradientBoosting": _hist_gradient_boosting,
    "BaseLibSVM": _libsvm,
    "_BaseKMeans": _centres,
    "BisectingKMeans": _bisecting,
    "_spbase": _sparse,
    "BSpline": _spline,
}

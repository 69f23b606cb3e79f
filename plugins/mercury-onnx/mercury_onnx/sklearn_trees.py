"""Trees to ONNX, in place of skl2onnx's own way.

That compares and sums in 32 bits what scikit-learn does in 64, so that a vote that is a tie there may be none here; and
of histogram gradient boosting it fails with current versions of protobuf. The operator TreeEnsemble, of version 5 of
``ai.onnx.ml``, computes in the type of its input.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    VotingClassifier,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, ExtraTreeClassifier, ExtraTreeRegressor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Array = np.ndarray[Any, Any]
    #: Of one tree, by node: whether it is a leaf, its feature, threshold, whether what is missing goes to the left, its
    #: children, and what a leaf gives; and the target that this is for.
    Tree = tuple[Array, Array, Array, Array, Array, Array, Array, int]

_ML, _VERSION = "ai.onnx.ml", 13
# skl2onnx knows versions up to the third, and refuses later ones; `finished` puts it right.
_KNOWN_ML, _ML_VERSION = 3, 5
_SUM, _NOTHING_AFTER, _LESS_OR_EQUAL = 1, 0, 0
#: Beyond so many nodes a forest is written as skl2onnx does it, which needs no copies of it.
_MOST_NODES = 2_000_000
_FLOAT, _INT64, _STRING, _DOUBLE = 1, 7, 8, 11  # as ONNX numbers its types


def finished(model: Any) -> Any:
    """A model of skl2onnx that says of which version its operators are."""
    if any(node.op_type == "TreeEnsemble" for node in model.graph.node):
        for opset in model.opset_import:
            if opset.domain == _ML:
                opset.version = _ML_VERSION
    return model


def convert_boosting_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Histogram gradient boosting: labels, and a probability for each of them."""
    estimator, add = operator.raw_operator, _Adder(scope, container, operator)
    raw = _boosted(add, estimator)
    if estimator.n_trees_per_iteration_ == 1:
        # 1 - p would lose what is small: the other one is the sigmoid of the other sign.
        scores = add("Concat", [add("Sigmoid", [add("Neg", [raw])]), add("Sigmoid", [raw])], axis=1)
        above = add("Cast", [add("Greater", [raw, add.constant(np.zeros(1))])], to=_INT64)
        place = add("Squeeze", [above, add.constant(np.array([1], np.int64))])
    else:
        scores = add("Softmax", [raw], axis=1)
        place = add("ArgMax", [raw], axis=1, keepdims=0)
    add.give_classes(estimator.classes_, place, scores)


def convert_boosting_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Histogram gradient boosting of numbers."""
    estimator, add = operator.raw_operator, _Adder(scope, container, operator)
    link = type(estimator._loss.link).__name__
    inverse = {"IdentityLink": "Identity", "LogLink": "Exp"}.get(link)
    if inverse is None:
        raise NotImplementedError(f"ONNX has no inverse of {link}")
    add.give(0, add(inverse, [_boosted(add, estimator)]))


def convert_forest_classifier(scope: Any, operator: Any, container: Any) -> None:
    """A tree or a forest: the mean of the shares that the leaves have of each class."""
    estimator = operator.raw_operator
    parts, classes = _parts(estimator), estimator.classes_
    # A leaf gives one number, so that there is a copy of the trees for each class but one.
    copies = 1 if len(classes) == 2 else len(classes)
    if estimator.n_outputs_ > 1 or copies * sum(part.tree_.node_count for part in parts) > _MOST_NODES:
        _own_converter(operator)(scope, operator, container)
        return
    add = _Adder(scope, container, operator)
    trees = (
        _plain_tree(part.tree_, part.tree_.value[:, 0, place - copies], place)
        for part in parts
        for place in range(copies)
    )
    votes, count = add.trees(add.narrowed(), copies, trees), add.constant(np.array([len(parts)], np.float64))
    if copies == 1:
        votes = add("Concat", [add("Sub", [count, votes]), votes], axis=1)
    scores = add("Div", [votes, count])
    add.give_classes(classes, add("ArgMax", [scores], axis=1, keepdims=0), scores)


def convert_forest_regressor(scope: Any, operator: Any, container: Any) -> None:
    """A tree or a forest: the mean of its trees, for each target."""
    estimator, add = operator.raw_operator, _Adder(scope, container, operator)
    parts, targets = _parts(estimator), int(estimator.n_outputs_)
    trees = (
        _plain_tree(part.tree_, part.tree_.value[:, target, 0], target) for part in parts for target in range(targets)
    )
    total = add.trees(add.narrowed(), targets, trees)
    add.give(0, add("Div", [total, add.constant(np.array([len(parts)], np.float64))]))


def convert_voting_classifier(scope: Any, operator: Any, container: Any) -> None:
    """As skl2onnx does it, which refuses an option that says nothing of predictions."""
    estimator = operator.raw_operator
    flat, estimator.flatten_transform = estimator.flatten_transform, False
    try:
        _own_converter(operator)(scope, operator, container)
    finally:
        estimator.flatten_transform = flat


#: What skl2onnx takes as ``custom_conversion_functions``.
CONVERTERS = {
    HistGradientBoostingClassifier: convert_boosting_classifier,
    HistGradientBoostingRegressor: convert_boosting_regressor,
    **dict.fromkeys(
        (DecisionTreeClassifier, ExtraTreeClassifier, RandomForestClassifier, ExtraTreesClassifier),
        convert_forest_classifier,
    ),
    **dict.fromkeys(
        (DecisionTreeRegressor, ExtraTreeRegressor, RandomForestRegressor, ExtraTreesRegressor),
        convert_forest_regressor,
    ),
    VotingClassifier: convert_voting_classifier,
}


class _Adder:
    """Adds nodes and constants under names of their own; numbers have 64 bits, whatever goes in and out."""

    def __init__(self, scope: Any, container: Any, operator: Any) -> None:
        self._scope, self._container, self._operator = scope, container, operator

    def __call__(self, op: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Add a node and give the name of what comes out."""
        output = output or self._scope.get_unique_variable_name(op.lower())
        self._container.add_node(
            op,
            list(inputs),
            output,
            name=self._scope.get_unique_operator_name(op),
            op_domain=_ML if op == "TreeEnsemble" else "",
            op_version=_KNOWN_ML if op == "TreeEnsemble" else _VERSION,
            **attributes,
        )
        return output

    def constant(self, array: Array) -> str:
        """Add a constant and give its name."""
        from onnx.numpy_helper import from_array

        name: str = self._scope.get_unique_variable_name("constant")
        if array.dtype.kind in "OUS":
            self._container.add_initializer(name, _STRING, array.shape, [str(one).encode() for one in array])
        else:
            self._container.add_initializer(name, None, None, from_array(array, name))
        return name

    def taken(self) -> str:
        """What goes in."""
        return self("Cast", [self._operator.inputs[0].full_name], to=_DOUBLE)

    def narrowed(self) -> str:
        """What goes in, as trees of scikit-learn take it: rounded to 32 bits."""
        return self("Cast", [self("Cast", [self._operator.inputs[0].full_name], to=_FLOAT)], to=_DOUBLE)

    def give(self, place: int, name: str) -> None:
        """Let numbers come out, in the type that was promised."""
        from skl2onnx.common.data_types import guess_proto_type

        out = self._operator.outputs[place]
        self("Cast", [name], out.full_name, to=guess_proto_type(out.type))

    def give_classes(self, classes: Array, place: str, scores: str) -> None:
        """Let labels come out, by their places, and scores."""
        labels = self.constant(classes if classes.dtype.kind in "OUS" else classes.astype(np.int64))
        self("Gather", [labels, place], self._operator.outputs[0].full_name, axis=0)
        self.give(1, scores)

    def trees(self, x: str, targets: int, trees: Iterable[Tree]) -> str:
        """Add trees that are summed: rows × targets."""
        return self(
            "TreeEnsemble",
            [x],
            n_targets=targets,
            aggregate_function=_SUM,
            post_transform=_NOTHING_AFTER,
            **_attributes(list(trees)),
        )


def _own_converter(operator: Any) -> Any:
    from skl2onnx._supported_operators import sklearn_operator_name_map
    from skl2onnx.common._registration import get_converter

    return get_converter(sklearn_operator_name_map[type(operator.raw_operator)])


def _parts(estimator: Any) -> list[Any]:
    return list(getattr(estimator, "estimators_", [estimator]))


def _plain_tree(tree: Any, values: Array, target: int = 0) -> Tree:
    left, right, missing = tree.children_left, tree.children_right, tree.missing_go_to_left
    return left < 0, tree.feature, tree.threshold, missing, left, right, values, target


def _boosted(add: _Adder, estimator: Any) -> str:
    """All trees, summed: rows × trees an iteration, before the inverse of the link."""
    if getattr(estimator, "is_categorical_", None) is not None and np.any(estimator.is_categorical_):
        raise NotImplementedError("its splits by category have no converter: encode categories before it")
    each = int(estimator.n_trees_per_iteration_)
    raw = add.trees(add.taken(), each, _boosted_trees(estimator._predictors))
    return add("Add", [raw, add.constant(np.asarray(estimator._baseline_prediction, np.float64).reshape(1, each))])


def _boosted_trees(predictors: Any) -> Iterable[Tree]:
    names = ("feature_idx", "num_threshold", "missing_go_to_left", "left", "right", "value")
    for iteration in predictors:
        for target, tree in enumerate(iteration):
            feature, threshold, missing, left, right, value = (tree.nodes[name] for name in names)
            yield tree.nodes["is_leaf"].astype(bool), feature, threshold, missing, left, right, value, target


def _attributes(trees: Sequence[Tree]) -> dict[str, Any]:
    """The attributes of TreeEnsemble: inner nodes and leaves of all trees, each in one list."""
    from onnx.numpy_helper import from_array

    inner: list[list[Array]] = []
    leaves: list[tuple[Array, Array]] = []
    # A tree that is nothing but a leaf gets an inner node, from which both ways lead there.
    sizes = [max(1, int((~tree[0]).sum())) for tree in trees]
    first_leaves = [0, *accumulate(int(tree[0].sum()) for tree in trees)]
    roots = [0, *accumulate(sizes)][:-1]
    for (is_leaf, *columns, left, right, value, target), root, first_leaf in zip(
        trees, roots, first_leaves, strict=False
    ):
        place = np.where(is_leaf, first_leaf + np.cumsum(is_leaf) - 1, root + np.cumsum(~is_leaf) - 1)
        leaves.append((np.full(int(is_leaf.sum()), target), value[is_leaf]))
        if is_leaf[0]:
            inner.append([*(np.zeros(1) for _ in columns), *(np.array([one]) for one in (first_leaf, 1) * 2)])
            continue
        ways = [each for child in (left[~is_leaf], right[~is_leaf]) for each in (place[child], is_leaf[child])]
        inner.append([*(column[~is_leaf] for column in columns), *ways])
    joined = [np.concatenate(parts) for parts in zip(*inner, strict=True)]
    names = (
        "nodes_featureids",
        "nodes_splits",
        "nodes_missing_value_tracks_true",
        "nodes_truenodeids",
        "nodes_trueleafs",
        "nodes_falsenodeids",
        "nodes_falseleafs",
    )
    found: dict[str, Any] = {
        name: column.astype(np.int64).tolist()
        for name, column in zip(names, joined, strict=True)
        if name != "nodes_splits"
    }
    targets, weights = (np.concatenate(parts) for parts in zip(*leaves, strict=True))
    return {
        **found,
        "tree_roots": roots,
        "nodes_splits": from_array(joined[1].astype(np.float64), "splits"),
        "nodes_modes": from_array(np.full(len(joined[0]), _LESS_OR_EQUAL, np.uint8), "modes"),
        "leaf_targetids": targets.astype(np.int64).tolist(),
        "leaf_weights": from_array(weights.astype(np.float64), "weights"),
    }

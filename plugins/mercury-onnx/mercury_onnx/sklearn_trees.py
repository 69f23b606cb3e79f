"""Histogram gradient boosting to ONNX, in place of skl2onnx's own way.

That fails with current versions of protobuf, and compares in 32 bits what scikit-learn compares in 64. The operator
TreeEnsemble, of version 5 of ``ai.onnx.ml``, compares and sums in the type of its input.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

if TYPE_CHECKING:
    from collections.abc import Sequence

_ML, _VERSION = "ai.onnx.ml", 13
# skl2onnx knows versions up to the third, and refuses later ones; `finished` puts it right.
_KNOWN_ML, _ML_VERSION = 3, 5
_SUM, _NOTHING_AFTER = 1, 0
_LESS_OR_EQUAL = 0


def convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a classifier: labels, and a probability for each of them."""
    label, scores = (one.full_name for one in operator.outputs)
    estimator = operator.raw_operator
    add = _Adder(scope, container)
    raw = _ensemble(add, operator)
    if estimator.n_trees_per_iteration_ == 1:
        second = add("Sigmoid", [raw])
        # 1 - p would lose what is small: the other one is the sigmoid of the other sign.
        add("Concat", [add("Sigmoid", [add("Neg", [raw])]), second], scores, axis=1)
        place = add("Cast", [add("Greater", [raw, add.constant("zero", np.zeros(1, add.dtype))])], to=_INT64)
        place = add("Squeeze", [place, add.constant("axes", np.array([1], np.int64))])
    else:
        add("Softmax", [raw], scores, axis=1)
        place = add("ArgMax", [raw], axis=1, keepdims=0)
    add("Gather", [add.labels(estimator.classes_), place], label, axis=0)


def convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    """Add the nodes of a regressor."""
    add = _Adder(scope, container)
    out, link = operator.outputs[0].full_name, type(operator.raw_operator._loss.link).__name__
    inverse = {"IdentityLink": "Identity", "LogLink": "Exp"}.get(link)
    if inverse is None:
        raise NotImplementedError(f"ONNX has no inverse of {link}")
    add(inverse, [_ensemble(add, operator)], out)


#: What skl2onnx takes as ``custom_conversion_functions``.
CONVERTERS = {HistGradientBoostingClassifier: convert_classifier, HistGradientBoostingRegressor: convert_regressor}


def finished(model: Any) -> Any:
    """A model of skl2onnx that says of which version its operators are."""
    if any(node.op_type == "TreeEnsemble" for node in model.graph.node):
        for opset in model.opset_import:
            if opset.domain == _ML:
                opset.version = _ML_VERSION
    return model


_FLOAT, _INT64 = 1, 7  # as ONNX numbers its types


class _Adder:
    """Adds nodes and constants under names of their own."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container
        #: Of the numbers: 64 or 32 bits.
        self.dtype = np.dtype(np.float64)

    def __call__(self, op: str, inputs: Sequence[str], output: str = "", **attributes: Any) -> str:
        """Add a node and give the name of what comes out; `domain` and `version` are those of its operator."""
        output = output or self._scope.get_unique_variable_name(op.lower())
        self._container.add_node(
            op,
            list(inputs),
            output,
            name=self._scope.get_unique_operator_name(op),
            op_domain=attributes.pop("domain", ""),
            op_version=attributes.pop("version", _VERSION),
            **attributes,
        )
        return output

    def constant(self, name: str, array: Any) -> str:
        from onnx.numpy_helper import from_array

        name = self._scope.get_unique_variable_name(name)
        tensor = from_array(array, name)
        self._container.add_initializer(name, None, None, tensor)
        return name

    def labels(self, classes: Any) -> str:
        is_text = classes.dtype.kind in "OUS"
        return self.constant("classes", classes.astype(object) if is_text else classes.astype(np.int64))


def _ensemble(add: _Adder, operator: Any) -> str:
    """All trees, summed: rows × trees an iteration, before the inverse of the link."""
    from skl2onnx.common.data_types import DoubleTensorType

    estimator, given = operator.raw_operator, operator.inputs[0]
    if getattr(estimator, "is_categorical_", None) is not None and np.any(estimator.is_categorical_):
        raise NotImplementedError("its splits by category have no converter: encode categories before it")
    is_double = isinstance(given.type, DoubleTensorType)
    add.dtype = np.dtype(np.float64 if is_double else np.float32)
    x = given.full_name if is_double else add("Cast", [given.full_name], to=_FLOAT)
    trees = _trees(estimator._predictors, add.dtype)
    each = int(estimator.n_trees_per_iteration_)
    raw = add(
        "TreeEnsemble",
        [x],
        domain=_ML,
        version=_KNOWN_ML,
        n_targets=each,
        aggregate_function=_SUM,
        post_transform=_NOTHING_AFTER,
        **trees,
    )
    base = np.asarray(estimator._baseline_prediction, add.dtype).reshape(1, each)
    return add("Add", [raw, add.constant("baseline", base)])


def _trees(predictors: Any, dtype: Any) -> dict[str, Any]:
    """The attributes of TreeEnsemble: inner nodes and leaves of all trees, each in one list."""
    from onnx.numpy_helper import from_array

    inner: list[tuple[Any, ...]] = []  # feature, split, missing goes to the left, then left and right as (place, leaf)
    leaves: list[tuple[int, float]] = []
    roots = []
    for iteration in predictors:
        for target, tree in enumerate(iteration):
            nodes = tree.nodes
            is_leaf = nodes["is_leaf"].astype(bool)
            places = np.where(is_leaf, len(leaves) + np.cumsum(is_leaf) - 1, len(inner) + np.cumsum(~is_leaf) - 1)
            leaves += [(target, value) for value in nodes["value"][is_leaf].tolist()]
            roots.append(len(inner))
            if is_leaf[0]:  # a tree that is nothing but a leaf: both ways lead there
                inner.append((0, 0.0, 0, (places[0], 1), (places[0], 1)))
            for node in nodes[~is_leaf]:
                ways = [(places[child], int(is_leaf[child])) for child in (node["left"], node["right"])]
                inner.append((node["feature_idx"], node["num_threshold"], node["missing_go_to_left"], *ways))
    features, splits, missing, left, right = zip(*inner, strict=True)
    targets, weights = zip(*leaves, strict=True)
    return {
        "tree_roots": roots,
        "nodes_featureids": [int(one) for one in features],
        "nodes_modes": from_array(np.full(len(inner), _LESS_OR_EQUAL, np.uint8), "modes"),
        "nodes_splits": from_array(np.array(splits, dtype), "splits"),
        "nodes_missing_value_tracks_true": [int(one) for one in missing],
        "nodes_truenodeids": [int(place) for place, _ in left],
        "nodes_trueleafs": [leaf for _, leaf in left],
        "nodes_falsenodeids": [int(place) for place, _ in right],
        "nodes_falseleafs": [leaf for _, leaf in right],
        "leaf_targetids": list(targets),
        "leaf_weights": from_array(np.array(weights, dtype), "weights"),
    }

"""What scikit-learn's metrics give back, as plain numbers, lists and mappings that can be written as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The parts of a result that is a tuple.
PARTS = {
    "class_likelihood_ratios": ("positive_likelihood_ratio", "negative_likelihood_ratio"),
    "confusion_matrix_at_thresholds": ("tns", "fps", "fns", "tps", "thresholds"),
    "det_curve": ("fpr", "fnr", "thresholds"),
    "homogeneity_completeness_v_measure": ("homogeneity", "completeness", "v_measure"),
    "precision_recall_curve": ("precision", "recall", "thresholds"),
    "precision_recall_fscore_support": ("precision", "recall", "f_score", "support"),
    "roc_curve": ("fpr", "tpr", "thresholds"),
}


def as_plain(name: str, result: Any, labels: Sequence[Any]) -> Any:
    """The result of a metric in Python's own types.

    Args:
        name: The name of the metric.
        result: What scikit-learn gave.
        labels: What the places of an array stand for: classes, or targets.

    Returns:
        A number; a mapping from label (as text) to number, where the metric gave one a label; a mapping from part to
        value, where it gave a tuple; lists for curves and matrices.
    """
    if name == "confusion_matrix":
        return {"labels": list(labels), "matrix": result.tolist()}
    if name == "precision_recall_fscore_support" and np.ndim(result[0]):
        rows = zip(labels, *(part.tolist() for part in result), strict=True)
        return {str(label): dict(zip(PARTS[name], row, strict=True)) for label, *row in rows}
    if name in PARTS:
        return {part: _plain(value) for part, value in zip(PARTS[name], result, strict=True)}
    if isinstance(result, np.ndarray) and result.ndim and name != "pair_confusion_matrix":
        if len(labels) == len(result):
            return {str(label): value for label, value in zip(labels, result.tolist(), strict=True)}
        return result.tolist()
    return _plain(result)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value

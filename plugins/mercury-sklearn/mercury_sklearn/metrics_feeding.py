"""What each metric of `sklearn.metrics` is fed with: labels, probabilities, decision values, rankings or numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mercury_sklearn.metrics_inputs import Array, Measured

    #: Targets, predictions, the parameters to pass, and what the places of a result that is an array stand for.
    Fed = tuple[Array, Array, dict[str, Any], Sequence[Any]]
    Feeder = Callable[[Measured, dict[str, Any]], Fed]


def feed(name: str, measured: Measured, params: dict[str, Any]) -> Fed:
    """The arrays and parameters to call a metric of scikit-learn with.

    Args:
        name: The name of the metric.
        measured: Targets and predictions.
        params: Every parameter of the metric, with its default where it was not given.

    Returns:
        Targets, predictions, parameters, and labels of the result.

    Raises:
        MetricError: Predictions of another kind than the metric needs.
    """
    return _FEEDERS[name](measured, params)


# --- labels ---


def _labels(measured: Measured, params: dict[str, Any]) -> Fed:
    measured.need_labels()
    if measured.several:
        if params.get("average") == "binary":
            raise measured.error(
                f"average is 'binary' with {len(measured.names)} targets: {', '.join(measured.names)}",
                "Set average to macro, micro, weighted or samples, or to null for a value of each target.",
            )
        return measured.truth, measured.values, params, params.get("labels") or measured.names
    if params.get("average") == "binary":
        return _binary_labels(measured, params)
    # scikit-learn warns of a pos_label that an average over classes does not use.
    passed = {name: value for name, value in params.items() if name != "pos_label"}
    found = params.get("labels")
    shown = np.unique(np.concatenate([measured.truth, measured.values])).tolist() if found is None else found
    return measured.truth, measured.values, passed, shown


def _binary_labels(measured: Measured, params: dict[str, Any]) -> Fed:
    asked = None if params["pos_label"] == 1 and 1 not in measured.classes else params["pos_label"]
    if len(measured.classes) > 2 and asked in (None, 1):
        raise measured.error(
            f"average is 'binary' with {len(measured.classes)} classes: {', '.join(map(str, measured.classes))}",
            "Set average to macro, micro or weighted, or to null for a value of each class.",
        )
    positive = measured.positive(asked, 1)
    passed = params | {"pos_label": 1, "labels": None}
    return (measured.truth == positive).astype(int), (measured.values == positive).astype(int), passed, ()


def _report(measured: Measured, params: dict[str, Any]) -> Fed:
    truth, values, passed, labels = _labels(measured, params)
    names = params["target_names"] or [str(label) for label in labels]
    return truth, values, passed | {"labels": params["labels"], "target_names": names, "output_dict": True}, labels


def _one_target(measured: Measured, params: dict[str, Any]) -> Fed:
    measured.need_one_target()
    return _labels(measured, params)


def _confusion(measured: Measured, params: dict[str, Any]) -> Fed:
    measured.need_one_target()
    measured.need_labels()
    labels = list(measured.all_classes) if params["labels"] is None else params["labels"]
    return measured.truth, measured.values, params | {"labels": labels}, labels


# --- scores of classes ---


def _curve(measured: Measured, params: dict[str, Any]) -> Fed:
    measured.need_scores()
    measured.need_one_target()
    return _against_rest(measured, params, measured.positive(params["pos_label"], 1))


def _against_rest(measured: Measured, params: dict[str, Any], positive: Any) -> Fed:
    truth, scores = measured.against_rest(positive)
    return truth, scores, params | ({"pos_label": 1} if "pos_label" in params else {}) | _without(params, "labels"), ()


def _without(params: dict[str, Any], *names: str) -> dict[str, Any]:
    return dict.fromkeys(params.keys() & set(names))


def _roc_auc(measured: Measured, params: dict[str, Any]) -> Fed:
    scores = measured.need_scores()
    if measured.several:
        measured.need_indicators()
        return measured.truth, _of_targets(measured, scores), params | {"labels": None}, measured.names
    if len(measured.classes) <= 2:
        return _against_rest(measured, params, measured.positive(None, None))
    measured.need_probabilities()
    truth, scores = measured.codes()
    return truth, scores, params | {"labels": range(len(measured.classes))}, measured.classes


def _average_precision(measured: Measured, params: dict[str, Any]) -> Fed:
    scores = measured.need_scores()
    if measured.several:
        measured.need_indicators()
        return measured.truth, _of_targets(measured, scores), params | {"pos_label": 1}, measured.names
    asked = None if params["pos_label"] == 1 else params["pos_label"]
    if len(measured.classes) <= 2 or asked is not None:
        return _against_rest(measured, params, measured.positive(asked, 1))
    codes, scores = measured.codes()
    return np.eye(len(measured.classes), dtype=int)[codes], scores, params | {"pos_label": 1}, measured.classes


def _probabilities(measured: Measured, params: dict[str, Any]) -> Fed:
    measured.need_scores()
    measured.need_one_target()
    measured.need_probabilities()
    truth, scores = measured.codes()
    return truth, scores, params | {"labels": list(range(len(measured.classes)))}, ()


def _brier(measured: Measured, params: dict[str, Any]) -> Fed:
    measured.need_scores()
    measured.need_one_target()
    measured.need_probabilities()
    if len(measured.classes) <= 2 or params["pos_label"] is not None:
        truth, scores, passed, _ = _against_rest(measured, params, measured.positive(params["pos_label"], 1))
        return truth, scores, passed | ({"labels": [0, 1]} if "labels" in params else {}), ()
    truth, scores, passed, _ = _probabilities(measured, params)
    return truth, scores, passed, ()


def _top_k(measured: Measured, params: dict[str, Any]) -> Fed:
    measured.need_scores()
    measured.need_one_target()
    truth, scores = measured.codes()
    labels = list(range(len(measured.classes)))
    if len(labels) == 2:
        scores = scores[:, 1] if measured.probabilities else scores[:, 1] - scores[:, 0]
    return truth, scores, params | {"labels": labels}, ()


def _hinge(measured: Measured, params: dict[str, Any]) -> Fed:
    measured.need_scores()
    measured.need_one_target()
    measured.need_decisions()
    truth, scores = measured.codes()
    labels = list(range(len(measured.classes)))
    return truth, scores[:, 1] if len(labels) == 2 else scores, params | {"labels": labels}, ()


# --- rankings ---


def _ranking(measured: Measured, params: dict[str, Any]) -> Fed:
    _need_label_columns(measured)
    scores = measured.need_scores()
    measured.need_indicators()
    return measured.truth, _of_targets(measured, scores), params, ()


def _gain(measured: Measured, params: dict[str, Any]) -> Fed:
    _need_label_columns(measured)
    scores = measured.scores
    measured.need_numbers()
    return measured.truth, measured.values if scores is None else _of_targets(measured, scores), params, ()


def _need_label_columns(measured: Measured) -> None:
    if not measured.several:
        raise measured.error(
            "it ranks the labels of each row, and there is one target",
            "Give it several targets, one column a label; for one target choose sklearn.top_k_accuracy_score.",
        )


def _of_targets(measured: Measured, scores: Array) -> Array:
    if scores.shape != measured.truth.shape:
        raise measured.error(
            f"the scores have {scores.shape[1]} columns, and there are {len(measured.names)} targets: "
            f"{', '.join(measured.names)}",
            "Give Predictions one score column a target.",
        )
    return scores


# --- numbers and groups ---


def _numbers(measured: Measured, params: dict[str, Any]) -> Fed:
    measured.need_numbers()
    return measured.truth, measured.values, params, measured.names


def _groups(measured: Measured, params: dict[str, Any]) -> Fed:
    measured.need_one_target()
    if measured.numbers:
        raise measured.error(
            "it compares groups, and the predictions are numbers",
            "Choose a metric of numbers, such as sklearn.r2_score.",
        )
    return measured.truth, measured.values, params, ()


_FEEDERS: dict[str, Feeder] = {
    **dict.fromkeys(
        (
            "accuracy_score",
            "f1_score",
            "fbeta_score",
            "hamming_loss",
            "jaccard_score",
            "multilabel_confusion_matrix",
            "precision_recall_fscore_support",
            "precision_score",
            "recall_score",
            "zero_one_loss",
        ),
        _labels,
    ),
    **dict.fromkeys(
        ("balanced_accuracy_score", "class_likelihood_ratios", "cohen_kappa_score", "matthews_corrcoef"), _one_target
    ),
    "classification_report": _report,
    "confusion_matrix": _confusion,
    **dict.fromkeys(("confusion_matrix_at_thresholds", "det_curve", "precision_recall_curve", "roc_curve"), _curve),
    "roc_auc_score": _roc_auc,
    "average_precision_score": _average_precision,
    **dict.fromkeys(("log_loss", "d2_log_loss_score"), _probabilities),
    **dict.fromkeys(("brier_score_loss", "d2_brier_score"), _brier),
    "top_k_accuracy_score": _top_k,
    "hinge_loss": _hinge,
    **dict.fromkeys(
        ("coverage_error", "label_ranking_average_precision_score", "label_ranking_loss"),
        _ranking,
    ),
    **dict.fromkeys(("dcg_score", "ndcg_score"), _gain),
    **dict.fromkeys(
        (
            "d2_absolute_error_score",
            "d2_pinball_score",
            "d2_tweedie_score",
            "explained_variance_score",
            "max_error",
            "mean_absolute_error",
            "mean_absolute_percentage_error",
            "mean_gamma_deviance",
            "mean_pinball_loss",
            "mean_poisson_deviance",
            "mean_squared_error",
            "mean_squared_log_error",
            "mean_tweedie_deviance",
            "median_absolute_error",
            "r2_score",
            "root_mean_squared_error",
            "root_mean_squared_log_error",
        ),
        _numbers,
    ),
    **dict.fromkeys(
        (
            "adjusted_mutual_info_score",
            "adjusted_rand_score",
            "completeness_score",
            "fowlkes_mallows_score",
            "homogeneity_completeness_v_measure",
            "homogeneity_score",
            "mutual_info_score",
            "normalized_mutual_info_score",
            "pair_confusion_matrix",
            "rand_score",
            "v_measure_score",
        ),
        _groups,
    ),
}

"""Metrics of training, made to go with the targets and with what the model gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercury_core.errors import ArgumentsError, FitError
from mercury_keras import names
from mercury_keras.backend import keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mercury_core.contracts import Fault
    from mercury_keras.specs import OutputSpec

#: Names that stand for whatever goes with the targets.
ACCURACY = ("accuracy", "acc", "Accuracy")
CROSSENTROPY = ("crossentropy", "ce")

_SPARSE = {"SparseCategoricalAccuracy", "SparseCategoricalCrossentropy", "SparseTopKCategoricalAccuracy"}
_ONE_HOT = {
    "CategoricalAccuracy",
    "CategoricalCrossentropy",
    "CategoricalHinge",
    "KLDivergence",
    "OneHotIoU",
    "OneHotMeanIoU",
    "TopKCategoricalAccuracy",
}
_YES_OR_NO = {"BinaryAccuracy", "BinaryCrossentropy", "BinaryIoU", "Hinge", "SquaredHinge"}
_BY_THRESHOLD = {
    "AUC",
    "F1Score",
    "FBetaScore",
    "FalseNegatives",
    "FalsePositives",
    "Precision",
    "PrecisionAtRecall",
    "Recall",
    "RecallAtPrecision",
    "SensitivityAtSpecificity",
    "SpecificityAtSensitivity",
    "TrueNegatives",
    "TruePositives",
}
_NUMBERS = {
    "ConcordanceCorrelation",
    "CosineSimilarity",
    "LogCoshError",
    "MeanAbsoluteError",
    "MeanAbsolutePercentageError",
    "MeanSquaredError",
    "MeanSquaredLogarithmicError",
    "PearsonCorrelation",
    "Poisson",
    "R2Score",
    "RootMeanSquaredError",
}
#: Those that compare with a threshold between 0 and 1, by the parameter that says it.
_THRESHOLDS = {
    "BinaryAccuracy": "threshold",
    **dict.fromkeys(
        ("FalseNegatives", "FalsePositives", "Precision", "Recall", "TrueNegatives", "TruePositives"), "thresholds"
    ),
}
#: Those that are right on logits as on probabilities: they look at the order of the numbers only.
_BY_ORDER = {
    "CategoricalAccuracy",
    "SparseCategoricalAccuracy",
    "SparseTopKCategoricalAccuracy",
    "TopKCategoricalAccuracy",
    "Hinge",
    "SquaredHinge",
    "CategoricalHinge",
}


def check_metrics(metrics: Any, at: tuple[str | int, ...]) -> list[Fault]:
    """What is wrong with metrics as ``keras.fit`` takes them, without knowing the targets."""
    from mercury_keras.targets import by_output

    if metrics is None or _is_short(metrics):
        return []
    if by_output(metrics):
        return [fault for name, each in metrics.items() for fault in check_metrics(each, (*at, name))]
    if isinstance(metrics, list | tuple):
        return [fault for place, each in enumerate(metrics) for fault in check_metrics(each, (*at, place))]
    return _made(metrics, at, {"num_classes": 2})[1]


def make_metrics(items: Sequence[Any], output: OutputSpec, what: str) -> list[Any]:
    """The metrics of one output.

    Where the model gives logits, thresholds are set to 0 and ``from_logits`` is said; F scores of several classes are
    their mean, unless `average` says otherwise.

    Args:
        items: As ``keras.fit`` takes them; ``accuracy`` and ``crossentropy`` are those that go with the targets.
        output: What is measured, with what its loss tells.
        what: The model, for the errors.

    Raises:
        ArgumentsError: A name or a parameter that Keras does not have.
        FitError: A metric that does not go with the targets or with what the model gives.
    """
    return [_metric(item, output, what) for item in items]


def wants_one_hot(items: Sequence[Any]) -> bool:
    """Whether metrics of several classes need labels as one column a class, and none needs their places."""
    kinds = {_kind(item) for item in items}
    return bool(kinds & (_ONE_HOT | _BY_THRESHOLD)) and not kinds & _SPARSE


def _is_short(item: Any) -> bool:
    return isinstance(item, str) and item in (*ACCURACY, *CROSSENTROPY)


def _kind(item: Any) -> str:
    if _is_short(item):
        return ""
    found = names.class_of("metric", item)
    return "" if found is None else found.__name__


def _metric(item: Any, output: OutputSpec, what: str) -> Any:
    meant: Any = _meant(item, output, what) if _is_short(item) else item
    kind = _kind(meant)
    _check(kind, output, what)
    labels = output.classes is not None or output.task == "multilabel"
    more: dict[str, Any] = {"num_classes": output.units}
    if labels and output.logits:
        more |= {"from_logits": True}
        more |= {_THRESHOLDS[kind]: 0.0} if kind in _THRESHOLDS else {}
    if kind in ("F1Score", "FBetaScore"):
        more |= {"average": "macro"} | ({"threshold": 0.5} if output.task in ("binary", "multilabel") else {})
    made, faults = _made(meant, ("metrics",), more)
    if faults:
        raise ArgumentsError("fit", "keras.fit", [fault.message for fault in faults])
    if isinstance(item, str) and ":" not in item and hasattr(made, "update_state"):
        made.name = item  # as Keras does: what the user wrote stands in the history
    return made


def _made(item: Any, at: tuple[str | int, ...], more: dict[str, Any]) -> tuple[Any, list[Fault]]:
    """A metric; where there is none of that name, the mean of a loss."""
    made, faults = names.make("metric", item, at=at, more=more)
    if not faults or names.class_of("loss", item) is None:
        return made, faults
    loss, faults = names.make("loss", item, at=at, more=more)
    if faults:
        return None, faults
    return keras().metrics.MeanMetricWrapper(loss.call, name=loss.name), []


def _meant(item: str, output: OutputSpec, what: str) -> str:
    if output.task == "regression":
        raise FitError(
            what,
            f"the metric {item} is of labels, and the targets are numbers",
            "Choose mean_absolute_error, or another metric of numbers.",
        )
    form = "Binary" if output.units == 1 or output.task == "multilabel" else "Categorical"
    form = "SparseCategorical" if form == "Categorical" and not output.one_hot else form
    return form + ("Accuracy" if item in ACCURACY else "Crossentropy")


def _check(kind: str, output: OutputSpec, what: str) -> None:
    """Refuse a metric that Keras would compute, and that would mean nothing."""
    several = output.classes is not None and output.units > 1
    one_hot = several and output.one_hot
    yes_or_no = output.task == "multilabel" or (output.classes is not None and output.units == 1)
    numbers = output.task == "regression"
    wrong = (
        (kind in _SPARSE and (not several or one_hot))
        or (kind in _ONE_HOT and not one_hot and not (numbers and kind == "KLDivergence"))
        or (kind in _YES_OR_NO and not yes_or_no)
        or (kind in _BY_THRESHOLD and not (yes_or_no or one_hot))
        or (kind in _NUMBERS and not (numbers or yes_or_no or one_hot))
    )
    if wrong and several and not one_hot and kind in (_ONE_HOT | _BY_THRESHOLD):
        raise FitError(
            what,
            f"the metric {kind} takes labels as one column a class, and the loss takes their places",
            "Choose the loss categorical_crossentropy, or leave the loss out.",
        )
    if wrong:
        usual = "mean_absolute_error" if numbers else "accuracy"
        kinds = "numbers" if numbers else f"{output.task} labels"
        raise FitError(
            what, f"the metric {kind} is not for {kinds} ({', '.join(output.targets[:4])})", f"Choose {usual}."
        )
    if not output.logits or kind in _BY_ORDER or kind in _THRESHOLDS or not kind:
        return
    if not names.takes(names.class_of("metric", kind), "from_logits") and not (one_hot and kind == "F1Score"):
        raise FitError(
            what,
            f"the metric {kind} takes probabilities, and the model gives logits",
            f"End the model in {'softmax' if several else 'sigmoid'}, or leave out the metric.",
        )

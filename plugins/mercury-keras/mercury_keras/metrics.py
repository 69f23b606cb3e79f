"""Keras's own metrics and losses on predictions: ``keras.evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError
from mercury_keras import names
from mercury_keras.metrics_inputs import Measured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np

    from mercury_core.data import DataWrapper, Predictions

    Array = np.ndarray[Any, Any]

# What Keras's compile understands by these depends on the model, and here on the predictions.
_SHORT = {"accuracy": "accuracy", "acc": "accuracy", "crossentropy": "crossentropy", "ce": "crossentropy"}
_MEANT = {
    ("accuracy", "binary"): "BinaryAccuracy",
    ("accuracy", "multiclass"): "SparseCategoricalAccuracy",
    ("accuracy", "multilabel"): "BinaryAccuracy",
    ("accuracy", "labels"): "Accuracy",
    ("crossentropy", "binary"): "BinaryCrossentropy",
    ("crossentropy", "multiclass"): "SparseCategoricalCrossentropy",
    ("crossentropy", "multilabel"): "BinaryCrossentropy",
}
_USUAL = {"numbers": ("mean_squared_error", "mean_absolute_error"), "labels": ("accuracy",)}
_ROWS = 8_192  # at a time: metrics with thresholds hold hundreds of numbers a row


class KerasEvaluation:
    """Measures predictions, of whatever model, with Keras's own metrics and losses.

    Examples:
        >>> import numpy as np
        >>> from mercury_core import DataWrapper, Predictions
        >>> targets = DataWrapper({"sick": ["no", "yes", "yes", "no"]})
        >>> scores = DataWrapper(np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]]), ["no", "yes"])
        >>> values = DataWrapper({"sick": ["no", "yes", "no", "no"]})
        >>> evaluate(targets, Predictions(values, scores, ("no", "yes")), metrics=["accuracy", "AUC"])
        {'accuracy': 0.75, 'AUC': 1.0}
    """

    def __call__(
        self,
        targets: DataWrapper,
        predictions: Predictions,
        *,
        metrics: str | list[Any] | None = None,
        target: str | None = None,
        sample_weight: Any = None,
    ) -> dict[str, Any]:
        """Measure.

        Args:
            targets: What is true, a column a target.
            predictions: What was predicted, of the same rows.
            metrics: Metrics or losses of Keras, or of one's own, each a name (``AUC``, ``mean_squared_error``), ``{use:
                NAME, name: …, **params}``, Keras's serialised ``{class_name: …, config: …}`` or ``module:name``.
                ``accuracy`` and ``crossentropy`` are those that suit the predictions, which are the default as well;
                for numbers it is ``mean_squared_error`` and ``mean_absolute_error``.
            target: The one target to measure, of several.
            sample_weight: A weight a row, as Mercury hands it over.

        Returns:
            A number by name; a mapping from class or target to number, where the metric gives several.

        Raises:
            MetricError: Predictions of another kind than a metric needs, or which Keras refused.
            ArgumentsError: A metric that there is not, or parameters that it does not have.
        """
        import numpy as np

        measured = Measured(targets, predictions, target)
        usual = _USUAL.get(measured.kind, ("accuracy", "crossentropy"))
        items = list(usual) if metrics is None else _listed(metrics)
        weights = None if sample_weight is None else np.asarray(sample_weight, np.float32).ravel()
        return {_label(item): self._measure(item, measured, weights) for item in _distinct(items)}

    def check_params(self, params: Mapping[str, Any]) -> Iterator[Fault]:
        """Names and parameters of the metrics, as far as Keras knows them."""
        items = _listed(params.get("metrics"))
        for place, item in enumerate(items):
            if not _is_short(item):
                yield from _made(item, ("metrics", place), {"num_classes": 2})[1]
        labels = [_label(item) for item in items]
        for place, label in enumerate(labels):
            if label in labels[:place]:
                yield Fault(("metrics", place), f"The metric {label!r} is asked for twice: give each a 'name'.")

    def _measure(self, item: Any, measured: Measured, weights: Array | None) -> Any:
        meant = item
        if _is_short(item):
            meant = _MEANT.get((_SHORT[item], measured.kind))
            if meant is None:
                raise measured.error(
                    f"{item} measures classes, and {measured.described}", "Choose another metric, or fit a classifier."
                )
        # Some count in whole numbers unless told otherwise, and would cut off weights.
        more = {"num_classes": len(measured.labels), **({} if weights is None else {"dtype": "float32"})}
        if measured.kind == "multilabel":  # without one, some look for the one label that is the most likely
            more["threshold"] = 0.5
        made, faults = _made(meant, (), more)
        if faults:
            raise ArgumentsError("evaluate", "keras.evaluate", [fault.message for fault in faults])
        metric, name = _as_metric(made)
        truth, predicted = measured.arrays(name, threshold=getattr(metric, "threshold", None) is not None)
        try:
            for start in range(0, max(len(truth), 1), _ROWS):
                rows = slice(start, start + _ROWS)
                weight = None if weights is None else _beside(weights[rows], metric, predicted)
                metric.update_state(truth[rows], predicted[rows], sample_weight=weight)
            result = _as_array(metric.result())
        except (ValueError, TypeError, RuntimeError, AssertionError) as error:
            why = " ".join(str(error).split())[:300]
            raise measured.error(f"{_label(item)}: Keras refused: {why}", f"Here {measured.described}.") from error
        if not result.ndim:
            return result.item()
        if result.shape == (len(measured.labels),):
            return {str(label): value for label, value in zip(measured.labels, result.tolist(), strict=True)}
        return result.tolist()

    def __repr__(self) -> str:
        return "<metric keras.evaluate>"


def _listed(metrics: Any) -> list[Any]:
    return [] if metrics is None else list(metrics) if isinstance(metrics, list | tuple) else [metrics]


def _distinct(items: Sequence[Any]) -> Sequence[Any]:
    labels = [_label(item) for item in items]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        told = f"The metric {twice[0]!r} is asked for twice: give each a 'name'."
        raise ArgumentsError("evaluate", "keras.evaluate", [told])
    return items


def _is_short(item: Any) -> bool:
    return isinstance(item, str) and item in _SHORT


def _label(item: Any) -> str:
    """The name under which a result is told: what the user wrote."""
    if isinstance(item, Mapping):
        config = item.get("config")
        named = config.get("name") if isinstance(config, Mapping) else None
        return str(item.get("name") or item.get("use") or named or item.get("class_name"))
    return item if isinstance(item, str) else str(getattr(item, "name", None) or getattr(item, "__name__", item))


def _made(item: Any, at: tuple[str | int, ...], more: Mapping[str, Any]) -> tuple[Any, list[Fault]]:
    """A metric of Keras; where there is none by that name, a loss."""
    metric, faults = names.make("metric", item, at=at, more=more)
    if not faults:
        return metric, []
    loss, wrong = names.make("loss", item, at=at)
    return (None, faults) if wrong else (loss, [])


def _as_metric(made: Any) -> tuple[Any, str]:
    """A metric, of a loss its mean, and the plain name of what it measures."""
    from mercury_keras.backend import keras

    metrics = keras().metrics
    if isinstance(made, metrics.Metric):
        return made, _plain(type(made).__name__)
    if isinstance(made, keras().losses.Loss):
        # The values by row: the loss itself would give the mean of a batch.
        return metrics.MeanMetricWrapper(fn=made.call, name=made.name), _plain(type(made).__name__)
    return metrics.MeanMetricWrapper(fn=made, name=made.__name__), _plain(made.__name__)


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


def _beside(weights: Array, metric: Any, predicted: Array) -> Array:
    """Weights in the shape that a metric takes: one a row, or for those that count by threshold one a column."""
    from mercury_keras.backend import keras

    metrics = keras().metrics
    by_row = isinstance(metric, metrics.Mean | metrics.FBetaScore | metrics.R2Score | metrics.IoU)
    return weights if by_row or predicted.ndim == 1 else weights[:, None].repeat(predicted.shape[1], axis=1)


def _as_array(result: Any) -> Array:
    from mercury_keras.backend import keras

    array: Array = keras().ops.convert_to_numpy(result)
    return array


evaluate = KerasEvaluation()

"""Targets and predictions as Keras's metrics take them: places of classes, one-hot rows, probabilities, numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from mercury_core.errors import ConversionError, MetricError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mercury_core.data import DataWrapper, Predictions

Array = np.ndarray[Any, Any]

#: What predictions are of: two classes, more of them, several labels of yes and no, numbers, or labels without scores.
Kind = Literal["binary", "multiclass", "multilabel", "numbers", "labels"]

# With two classes as well, these take a column a class. (F1Score and FBetaScore only without a threshold.)
_BY_CLASS = ("categorical", "onehot", "kldivergence", "kld", "cosinesimilarity", "f1score", "fbetascore")
_OF_PLACES = ("accuracy", "iou", "meaniou")


class Measured:
    """Targets and predictions of the same rows.

    Args:
        targets: A column a target.
        predictions: Of the same rows.
        target: The one target to measure; None for all.

    Attributes:
        kind: See `Kind`.
        labels: The classes, or else the names of the targets: what the places of a result stand for.

    Raises:
        MetricError: Rows, columns or labels that do not fit, or missing values.
    """

    kind: Kind

    def __init__(self, targets: DataWrapper, predictions: Predictions, target: str | None = None) -> None:
        names = list(predictions.target_names if target is None else [target])
        for where, known in (("targets", targets.field_names), ("predictions", predictions.target_names)):
            missing = [name for name in names if name not in known]
            if missing:
                raise self.error(
                    f"the {where} lack {missing[0]!r}; they have {', '.join(map(repr, known))}",
                    "Name the target that was predicted.",
                )
        if targets.num_rows != predictions.num_rows:
            raise self.error(f"there are {targets.num_rows} targets and {predictions.num_rows} predictions")
        self._targets, self._values = targets.select(names), predictions.values.select(names)
        self._classes, self._scores = predictions.classes, self._scores_of(predictions, names)
        self.kind = self._kind()
        self.labels: Sequence[Any] = self._classes or names

    def error(self, why: str, todo: str = "") -> MetricError:
        """The error of ``keras.evaluate``."""
        return MetricError("keras.evaluate", why, todo)

    @property
    def described(self) -> str:
        """What is measured, for messages."""
        kinds = {
            "binary": "there are two classes with probabilities",
            "multiclass": f"there are {len(self.labels)} classes with probabilities",
            "multilabel": f"there are {len(self.labels)} labels of yes and no with probabilities",
            "numbers": "the predictions are numbers",
            "labels": "the predictions are labels without scores",
        }
        return kinds[self.kind]

    def arrays(self, name: str, *, threshold: bool = False) -> tuple[Array, Array]:
        """What a metric is fed with.

        Args:
            name: That of its class or function, in small letters and without underscores.
            threshold: Whether it has one; then two classes are one column.

        Returns:
            Truth and prediction: of two classes (rows, 1) with the probability of the second, or (rows, 2) where the
            metric goes by class; of more, one-hot rows, or places of classes where the metric's name begins with
            ``sparse``, and (rows, classes); of several labels and of numbers (rows, targets).

        Raises:
            MetricError: Predictions of another kind than the metric needs.
        """
        if self.kind == "numbers":
            return self._numbers(self._targets, "targets"), self._numbers(self._values, "predictions")
        if name in _OF_PLACES and self.kind != "multilabel":
            return self._places(self._targets, "targets"), self._places(self._values, "predictions")
        scores = self._probabilities(name)
        if self.kind == "multilabel":
            return self._indicators(), scores
        places = self._places(self._targets, "targets")
        if name.startswith("sparse"):
            return places, scores
        if self.kind == "binary" and (threshold or not any(part in name for part in _BY_CLASS)):
            return places[:, None].astype(np.float32), scores[:, 1:]
        return np.eye(len(self.labels), dtype=np.float32)[places], scores

    def _scores_of(self, predictions: Predictions, names: list[str]) -> Array | None:
        if predictions.scores is None:
            return None
        scores: Array = predictions.scores.to("numpy").underlying
        if predictions.classes is None:  # a column a target
            scores = scores[:, [predictions.target_names.index(name) for name in names]]
        return scores.astype(np.float32, copy=False)

    def _kind(self) -> Kind:
        if self._scores is not None:
            if self._classes is None:
                return "multilabel"
            return "binary" if len(self._classes) == 2 else "multiclass"
        import pyarrow as pa

        # Whole numbers alone may be labels, as those of one output among several are.
        values, targets = self._values.schema.types, self._targets.schema.types
        numbers = all(pa.types.is_integer(kind) or pa.types.is_floating(kind) for kind in values)
        broken = any(pa.types.is_floating(kind) for kind in [*values, *targets])
        return "numbers" if numbers and broken and self._classes is None else "labels"

    def _probabilities(self, name: str) -> Array:
        if self._scores is None:
            raise self.error(
                f"{name} needs probabilities, and {self.described}",
                "Choose accuracy, or a metric of labels such as sklearn.accuracy_score.",
            )
        if "hinge" not in name and not ((self._scores >= 0) & (self._scores <= 1)).all():
            raise self.error(
                f"{name} needs probabilities, and the scores are from {self._scores.min():g} to {self._scores.max():g}",
                "Choose a model that gives probabilities, or a metric of labels such as sklearn.accuracy_score.",
            )
        return self._scores

    def _numbers(self, wrapper: DataWrapper, what: str) -> Array:
        try:
            numbers: Array = np.asarray(wrapper.to("numpy", dtype="float32").underlying)
        except ConversionError as error:
            raise self.error(f"the {what} are no numbers as the predictions are", f"{error}") from error
        missing = int(np.isnan(numbers).any(axis=1).sum())
        if missing:
            raise self.error(f"the {what} have {missing} rows with missing values", "Leave those rows out.")
        return numbers

    def _indicators(self) -> Array:
        numbers = self._numbers(self._targets, "targets")
        if not np.isin(numbers, (0, 1)).all():
            raise self.error("the targets are not only 0 and 1", "Several labels are columns of yes and no.")
        return numbers

    def _places(self, wrapper: DataWrapper, what: str) -> Array:
        """Every label as its place among the classes; without those, among all labels that there are."""
        columns = [self._column(wrapper, name, what) for name in wrapper.field_names]
        if len(columns) > 1:
            raise self.error(
                f"it compares the labels of one target, and there are {len(columns)}: {', '.join(wrapper.field_names)}",
                "Name the one to measure with target.",
            )
        known = self._classes
        if known is None:
            both = (self._column(one, one.field_names[0], what) for one in (self._targets, self._values))
            known = tuple(sorted({value for column in both for value in column}, key=lambda one: (str(type(one)), one)))
        places = {label: place for place, label in enumerate(known)}
        strange = sorted({repr(value) for value in columns[0] if value not in places})
        if strange:
            raise self.error(
                f"the {what} hold {', '.join(strange[:5])}, which the model does not know",
                f"It knows {', '.join(map(repr, known))}.",
            )
        return np.array([places[value] for value in columns[0]], dtype=np.int32)

    def _column(self, wrapper: DataWrapper, name: str, what: str) -> list[Any]:
        values: list[Any] = wrapper.select([name]).to("arrow").underlying.column(0).to_pylist()
        missing = sum(value is None or value != value for value in values)
        if missing:
            raise self.error(f"the {what} have {missing} missing values in {name!r}", "Leave those rows out.")
        return values

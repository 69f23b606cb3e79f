"""What is measured: targets and predictions as the arrays that scikit-learn's metrics take."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from mercury_core.errors import ConversionError, MetricError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from mercury_core.data import DataWrapper, Predictions

    Array = NDArray[Any]


class Measured:
    """Targets and predictions of the same rows, for one call of one metric.

    Attributes:
        metric: The key of the metric, for messages.
        names: The names of the targets.
        truth: What was measured, shape (rows,) for one target and (rows, targets) for several.
        values: What was predicted, of the same shape.
        scores: One column a class, or one a label where there are several targets; None where the model gave none.
    """

    def __init__(
        self, metric: str, targets: DataWrapper, predictions: Predictions, labels: Sequence[Any] | None
    ) -> None:
        self.metric = metric
        self.names = tuple(targets.field_names)
        self.truth = self._columns(targets, "the targets")
        self.values = self._columns(predictions.values, "the predictions")
        self.scores = None if predictions.scores is None else self._matrix(predictions.scores)
        self._classes = None if predictions.classes is None else tuple(map(plain, predictions.classes))
        self._labels = None if labels is None else tuple(map(plain, labels))
        if self.truth.shape != self.values.shape:
            raise self.error(
                f"the targets have {_shape(self.truth)}, and the predictions {_shape(self.values)}",
                "Measure predictions of the same rows and targets.",
            )
        if not len(self.truth):
            raise self.error("there are no rows", "Measure on a data set that has some.")

    def error(self, why: str, todo: str) -> MetricError:
        """The error of this metric."""
        return MetricError(self.metric, why, todo)

    # --- what kind of predictions they are ---

    @property
    def several(self) -> bool:
        """Whether there are several targets."""
        return self.truth.ndim == 2

    @property
    def numbers(self) -> bool:
        """Whether the predictions are numbers and not labels."""
        return self._classes is None and (_continuous(self.values) or _continuous(self.truth))

    @property
    def kind(self) -> str:
        """What the predictions are, in words."""
        if self.numbers:
            return f"the predictions are numbers{' of several targets' if self.several else ''}"
        if self.several:
            what = f"labels of {len(self.names)} targets"
        elif self.values.dtype.kind in "OUST":
            what = f"labels of {len(self.classes)} classes, as text"
        else:
            what = f"labels of {len(self.classes)} classes"
        scores = "without scores" if self.scores is None else "with scores"
        return f"the predictions are {what}, {scores}"

    @cached_property
    def classes(self) -> tuple[Any, ...]:
        """The classes of one target, in the order of the score columns.

        The model's own; where it does not say, those that the metric's parameter `labels` lists, or those that are
        found.
        """
        if self._classes is not None:
            return self._classes
        if self._labels is not None:
            return self._labels
        return tuple(map(plain, self._present()))

    @cached_property
    def all_classes(self) -> tuple[Any, ...]:
        """The classes of the model, and after them those that only the targets have."""
        known = set(self.classes)
        return self.classes + tuple(label for label in map(plain, self._present()) if label not in known)

    def _present(self) -> Array:
        if _text(self.truth) != _text(self.values):
            one, other = ("text", "numbers") if _text(self.truth) else ("numbers", "text")
            raise self.error(
                f"the targets are {one} and the predictions {other}, so that none would ever be right",
                "Measure on targets of the type that the model was fitted on.",
            )
        return np.unique(np.concatenate([self.truth.ravel(), self.values.ravel()]))

    @cached_property
    def probabilities(self) -> bool:
        """Whether the scores are probabilities: within 0..1 and, for one target, with rows that sum to 1."""
        scores = self.need_scores()
        if scores.size and (np.nanmin(scores) < 0 or np.nanmax(scores) > 1):
            return False
        return self.several or scores.shape[1] == 1 or bool(np.allclose(scores.sum(axis=1), 1, atol=1e-3))

    # --- what a metric needs ---

    def need_labels(self) -> None:
        """Refuse numbers, and several targets that are no labels of yes and no."""
        if self.numbers:
            raise self.error(
                f"it compares labels, and {self.kind}",
                "Choose a metric of numbers, such as sklearn.r2_score, or fit a classifier.",
            )
        if self.several:
            self.need_indicators()
        else:
            self._present()

    def need_one_target(self) -> None:
        """Refuse several targets."""
        if self.several:
            raise self.error(
                f"it takes one target, and there are {len(self.names)}: {', '.join(self.names)}",
                "Measure a model of one of them, or choose a metric that takes several.",
            )

    def need_indicators(self) -> None:
        """Refuse several targets that are not 0 or 1 each; make them integers."""
        for array in (self.truth, self.values):
            if array.dtype.kind not in "biuf" or not np.isin(array, (0, 1)).all():
                raise self.error(
                    "it takes several targets only as labels that a row has or has not, each column 0 or 1",
                    "Measure one target at a time.",
                )
        self.truth, self.values = self.truth.astype(int), self.values.astype(int)

    def need_scores(self) -> Array:
        """The scores, or an error where the model gave none."""
        if self.scores is None:
            raise self.error(
                f"it needs a score for every class, and {self.kind}",
                "Fit a classifier that has predict_proba or decision_function, or choose a metric of labels, such as "
                "sklearn.accuracy_score.",
            )
        return self.scores

    def need_probabilities(self) -> None:
        """Refuse decision values."""
        if not self.probabilities:
            raise self.error(
                "it needs probabilities, and the scores are decision values",
                "Fit a classifier that has predict_proba, for instance by wrapping it in CalibratedClassifierCV.",
            )

    def need_decisions(self) -> None:
        """Refuse probabilities."""
        if self.probabilities:
            raise self.error(
                "it needs decision values, and the scores are probabilities",
                "Choose sklearn.log_loss, or fit a classifier that has decision_function only, such as LinearSVC.",
            )

    def need_numbers(self) -> None:
        """Refuse labels that are no numbers; make the rest floats."""
        for array in (self.truth, self.values):
            if array.dtype.kind not in "iuf":
                raise self.error(
                    f"it measures numbers, and {self.kind}",
                    "Choose a metric of labels, such as sklearn.accuracy_score, or fit a regressor.",
                )
        self.truth, self.values = self.truth.astype(float), self.values.astype(float)

    # --- targets and scores, encoded, so that the order and the type of the labels no longer matter ---

    def positive(self, asked: Any, default: Any) -> Any:
        """The class that counts as positive.

        Args:
            asked: What the user asked for, or None.
            default: What scikit-learn takes by default.

        Returns:
            `asked`; or `default`, where it is a class; or the second class.
        """
        if asked is not None:
            if asked not in self.classes:
                raise self.error(
                    f"pos_label is {asked!r}, and the classes are {', '.join(map(repr, self.classes))}",
                    "Choose one of them.",
                )
            return self.classes[self.classes.index(asked)]
        if len(self.classes) > 2:
            raise self.error(
                f"it takes two classes, and there are {len(self.classes)}: {', '.join(map(str, self.classes))}",
                "Name the one to hold against the rest with pos_label, or choose a metric of several classes.",
            )
        if default in self.classes:
            return self.classes[self.classes.index(default)]
        return self.classes[-1]

    def against_rest(self, positive: Any) -> tuple[Array, Array]:
        """Targets as 1 for the positive class and 0 for any other, and its scores; both of shape (rows,)."""
        self._known()
        scores = self._class_scores()
        place = self.classes.index(positive)
        if scores.shape[1] == 1:
            column = scores[:, 0]
            if place == 0:
                column = 1 - column if self.probabilities else -column
        else:
            column = scores[:, place]
        return (self.truth == positive).astype(int), column

    def codes(self) -> tuple[Array, Array]:
        """Targets as places in `classes`, shape (rows,), and scores, shape (rows, classes)."""
        self._known()
        scores = self._class_scores()
        if scores.shape[1] == 1:
            other = 1 - scores if self.probabilities else -scores
            scores = np.hstack([other, scores])
        places = {label: place for place, label in enumerate(self.classes)}
        return np.array([places[label] for label in self.truth.tolist()], dtype=int), scores

    def _known(self) -> None:
        extra = [label for label in self.all_classes[len(self.classes) :] if (self.truth == label).any()]
        if extra:
            raise self.error(
                f"the targets hold {', '.join(map(repr, extra))}, which the model does not know",
                "Leave those rows out, or fit on data that has every class.",
            )
        if self._labels is not None and set(self._labels) != set(self.classes):
            raise self.error(
                f"labels lists {', '.join(map(repr, self._labels))}, and the scores are those of "
                f"{', '.join(map(repr, self.classes))}",
                "Leave labels out: the predictions bring the classes.",
            )

    def _class_scores(self) -> Array:
        scores = self.need_scores()
        count = len(self.classes)
        if scores.shape[1] != count and not (scores.shape[1] == 1 and count == 2):
            raise self.error(
                f"the scores have {scores.shape[1]} columns, and there are {count} classes: "
                f"{', '.join(map(str, self.classes))}",
                "Give Predictions the classes, in the order of the columns.",
            )
        return scores

    # --- arrays ---

    def _columns(self, wrapper: DataWrapper, what: str) -> Array:
        columns = [self._column(wrapper, name, what) for name in wrapper.field_names]
        return columns[0] if len(columns) == 1 else np.column_stack(columns)

    def _column(self, wrapper: DataWrapper, name: str, what: str) -> Array:
        try:
            column: Array = np.asarray(wrapper[name].to("numpy").underlying).ravel()
        except ConversionError:  # categories, or integers and booleans with nulls: NumPy has no type like them
            column = np.asarray(wrapper[name].to("numpy", dtype="object").underlying).ravel()
        missing = column != column if column.dtype.kind in "fO" else np.zeros(1, dtype=bool)
        if column.dtype.kind == "O":
            missing = missing | np.array([value is None for value in column], dtype=bool)
        if np.any(missing):
            raise self.error(
                f"{what} have {int(np.sum(missing))} missing values in {name!r}", "Leave those rows out, or fill them."
            )
        if column.dtype.kind != "O":
            return column
        # Text stays a column of objects; numbers and booleans that came as objects get their own type.
        return column if any(isinstance(value, str) for value in column) else np.array(column.tolist())

    def _matrix(self, wrapper: DataWrapper) -> Array:
        matrix = np.asarray(wrapper.to("numpy").underlying)
        if matrix.dtype != np.float32:  # whose probabilities sum to 1 as nearly as it can say, by which they are judged
            matrix = matrix.astype(float, copy=False)
        return matrix.reshape(len(matrix), -1)


def plain(value: Any) -> Any:
    """A scalar of NumPy as Python's own; anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value


def _continuous(array: Array) -> bool:
    return array.dtype.kind == "f" and bool((array != np.floor(array)).any())


def _text(array: Array) -> bool:
    return array.dtype.kind in "OUST"


def _shape(array: Array) -> str:
    targets = array.shape[1] if array.ndim == 2 else 1
    return f"{len(array)} rows of {targets} target{'s' if targets > 1 else ''}"

"""`Predictions`: what a model gives back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mercury_core.data.wrapper import DataWrapper
from mercury_core.errors import DataError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True, slots=True)
class Predictions:
    """The predictions of a model, one a row; frozen.

    Attributes:
        values: Labels or numbers: a column a target, under the target's name. Data that is not wrapped is wrapped.
        scores: A column a class (probabilities, or what else ranks the classes), in the order of `classes`; for
            several targets of yes and no, a column a target. None where the model gives none.
        classes: The labels in the order of the columns of `scores`; None where those are targets, and for numbers.

    Raises:
        DataError: Numbers of rows that differ, scores that are not a column a class, or a class twice.

    Examples:
        >>> import numpy as np
        >>> scores = DataWrapper(np.array([[0.9, 0.1], [0.2, 0.8]]), ["no", "yes"])
        >>> predictions = Predictions(DataWrapper({"paid": ["no", "yes"]}), scores, ("no", "yes"))
        >>> predictions
        Predictions: 2 rows
          values  2 × 1 arrow (paid: string)
          scores  2 × 2 numpy (no: float64, yes: float64)
          classes 'no', 'yes'
        >>> predictions.scores_of("yes")
        array([0.1, 0.8])
    """

    values: DataWrapper
    scores: DataWrapper | None = None
    classes: tuple[Any, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("values", "scores"):
            data = getattr(self, name)
            if data is not None and not isinstance(data, DataWrapper):
                object.__setattr__(self, name, DataWrapper(data))
        if self.classes is not None:
            object.__setattr__(self, "classes", tuple(self.classes))
        self._check()

    def _check(self) -> None:
        values, scores, classes = self.values, self.scores, self.classes
        if not len(values):
            raise DataError("Predictions need values, a column a target, and there is none.")
        if scores is not None and scores.num_rows != values.num_rows:
            raise DataError(
                f"Predictions have {values.num_rows} values and {scores.num_rows} scores: expected one of each a row."
            )
        if classes is None:
            if scores is not None and len(scores) != len(values):
                raise DataError(
                    f"Predictions without classes have {len(scores)} columns of scores for {len(values)} targets: "
                    f"expected a column a target, or the classes."
                )
            return
        if len(set(classes)) != len(classes):
            raise DataError(f"Predictions have a class twice: {', '.join(map(repr, classes))}.")
        if scores is not None and len(scores) != len(classes):
            raise DataError(
                f"Predictions have {len(scores)} columns of scores for {len(classes)} classes: expected "
                f"a column a class."
            )

    @property
    def num_rows(self) -> int:
        """How many rows were predicted."""
        return self.values.num_rows

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names of the targets."""
        return self.values.field_names

    def scores_of(self, label: Any) -> np.ndarray[Any, Any]:
        """The scores of one class, or (without classes) of one target.

        Args:
            label: One of `classes`; without those, the name of a target.

        Returns:
            One number a row, of shape (rows,); a view where the scores are a NumPy array.

        Raises:
            DataError: There are no scores, or none of that class.
        """
        if self.scores is None:
            raise DataError(f"There are no scores of {label!r}: the model predicts labels or numbers only.")
        known = self.classes if self.classes is not None else self.target_names
        if label not in known:
            raise DataError(f"There are no scores of {label!r}: there are those of {', '.join(map(repr, known))}.")
        column = self.scores.select([self.scores.field_names[known.index(label)]])
        scores: np.ndarray[Any, Any] = column.to("numpy").underlying[:, 0]
        return scores

    def take(self, indices: Any) -> Predictions:
        """The predictions of some rows, by position; see `DataWrapper.take`."""
        scores = None if self.scores is None else self.scores.take(indices)
        return Predictions(self.values.take(indices), scores, self.classes)

    def __repr__(self) -> str:
        from mercury_core.data.describe import describe_wrapper

        lines = [f"Predictions: {self.num_rows:,} rows", f"  values  {describe_wrapper(self.values)}"]
        if self.scores is not None:
            lines.append(f"  scores  {describe_wrapper(self.scores)}")
        if self.classes is not None:
            more = f", … {len(self.classes) - 8} more" if len(self.classes) > 8 else ""
            lines.append(f"  classes {', '.join(map(repr, self.classes[:8]))}{more}")
        return "\n".join(lines)

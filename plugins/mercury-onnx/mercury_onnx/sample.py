"""Rows that a scikit-learn model predicts, made up from what it learnt: an export is tried with them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mercury_core.data import DataWrapper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mercury_sklearn.model import SklearnModel

    Array = np.ndarray[Any, Any]

_ROWS = 24


@dataclass(frozen=True, slots=True)
class Kind:
    """What a column holds, as far as the first steps of a model tell.

    Attributes:
        values: The categories that it may have, or the words of its documents; none for numbers.
        is_document: Whether a value is several of those words.
        mean: Of its numbers.
        scale: Likewise.
    """

    values: tuple[Any, ...] = ()
    is_document: bool = False
    mean: float = 0.0
    scale: float = 1.0

    @property
    def is_text(self) -> bool:
        """Whether it holds texts."""
        return any(isinstance(value, str) for value in self.values)

    def drawn(self, random: np.random.Generator, rows: int) -> Array:
        """Some values."""
        if not self.values:
            return random.normal(self.mean, self.scale, rows)
        places = random.integers(0, len(self.values), (rows, 4 if self.is_document else 1))
        if self.is_document:
            return np.array([" ".join(str(self.values[place]) for place in row) for row in places], object)
        chosen = [self.values[place] for place in places[:, 0]]
        return np.array(chosen, object if self.is_text else np.float64)


def kinds_of(estimator: Any, names: Sequence[str]) -> dict[str, Kind]:
    """What each column holds.

    Args:
        estimator: A fitted estimator.
        names: The columns that it takes.
    """
    kinds = dict.fromkeys(names, Kind())
    _look(estimator, list(names), kinds)
    return kinds


def sample(model: SklearnModel, kinds: dict[str, Kind]) -> DataWrapper:
    """Rows of such columns: a matrix where the model takes one."""
    random = np.random.default_rng(0)
    columns = {name: kind.drawn(random, _ROWS) for name, kind in kinds.items()}
    if model.input == "numpy":
        return DataWrapper(np.column_stack([*columns.values()]), model.feature_names)
    return DataWrapper(columns)


def _look(estimator: Any, names: list[str], kinds: dict[str, Kind]) -> None:
    estimator = getattr(estimator, "best_estimator_", estimator)
    if hasattr(estimator, "steps"):
        for _, step in estimator.steps:
            if step is None or step == "passthrough":
                continue
            _look(step, names, kinds)
            if _widens(step, len(names)):
                return
    elif hasattr(estimator, "transformers_"):
        for _, inner, columns in estimator.transformers_:
            if not isinstance(inner, str):
                _look(inner, _named(columns, names), kinds)
    elif hasattr(estimator, "vocabulary_"):
        words = tuple(sorted(estimator.vocabulary_))
        kinds.update(dict.fromkeys(names, Kind(words, is_document=True)))
    elif len(found := getattr(estimator, "categories_", ())) == len(names):
        kinds.update(
            {
                name: Kind(tuple(one for one in labels.tolist() if one is not None and one == one))
                for name, labels in zip(names, found, strict=True)
            }
        )
    elif getattr(estimator, "mean_", None) is not None and np.shape(estimator.mean_) == (len(names),):
        scale = getattr(estimator, "scale_", None)
        scale = np.ones(len(names)) if scale is None else scale
        for name, mean, each in zip(names, estimator.mean_, scale, strict=True):
            kinds[name] = kinds[name] if kinds[name].values else Kind(mean=float(mean), scale=float(each))


def _widens(step: Any, columns: int) -> bool:
    """Whether what comes out of a step are other columns than went in."""
    if hasattr(step, "categories_") or hasattr(step, "transformers_") or hasattr(step, "vocabulary_"):
        return True
    return not hasattr(step, "get_feature_names_out") or len(step.get_feature_names_out()) != columns


def _named(columns: Any, names: list[str]) -> list[str]:
    """The names of what a step of a ColumnTransformer takes."""
    if isinstance(columns, str):
        return [columns]
    if isinstance(columns, slice):
        return names[columns]
    chosen = np.atleast_1d(np.asarray(columns))
    if chosen.dtype.kind == "b":
        chosen = np.flatnonzero(chosen)
    return [name if isinstance(name, str) else names[name] for name in chosen.tolist()]

"""Predictions: their shapes, and the scores of a class."""

from __future__ import annotations

import copy
import pickle
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from mercury_core import DataWrapper, Predictions
from mercury_core.errors import DataError

LABELS = {"y": ["no", "yes"]}
SCORES = np.array([[0.9, 0.1], [0.2, 0.8]])


def test_scores_are_found_by_their_class() -> None:
    predictions = Predictions(DataWrapper(LABELS), DataWrapper(SCORES), ("no", "yes"))
    assert predictions.scores_of("yes").tolist() == [0.1, 0.8]
    assert (predictions.num_rows, predictions.target_names) == (2, ("y",))
    assert predictions.take([1]).scores_of("no").tolist() == [0.2]
    assert predictions.take([1]).classes == ("no", "yes")
    assert pickle.loads(pickle.dumps(predictions)) == copy.deepcopy(predictions) == predictions


def test_scores_of_several_targets_are_found_by_target() -> None:
    targets = DataWrapper({"a": [1, 0], "b": [0, 1]})
    predictions = Predictions(targets, DataWrapper(SCORES, ["a", "b"]))
    assert predictions.scores_of("b").tolist() == [0.1, 0.8]


def test_data_that_is_not_wrapped_is_wrapped() -> None:
    predictions = Predictions(np.array([1.0, 2.0]))  # type: ignore[arg-type]
    assert isinstance(predictions.values, DataWrapper)
    assert predictions.take([1]).values.underlying.tolist() == [[2.0]]


def test_nothing_can_be_set() -> None:
    with pytest.raises(FrozenInstanceError):
        Predictions(DataWrapper(LABELS)).scores = None  # type: ignore[misc]


@pytest.mark.parametrize(
    ("values", "scores", "classes", "why"),
    [
        (LABELS, SCORES, ("no", "yes", "maybe"), "2 columns of scores for 3 classes: expected a column a class"),
        (LABELS, SCORES[:1], ("no", "yes"), "2 values and 1 scores: expected one of each a row"),
        (LABELS, SCORES, ("no", "no"), "a class twice: 'no', 'no'"),
        (LABELS, SCORES, None, "2 columns of scores for 1 targets: expected a column a target, or the classes"),
        ({}, None, None, "need values, a column a target"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(values: Any, scores: Any, classes: Any, why: str) -> None:
    with pytest.raises(DataError, match=why):
        Predictions(values, scores, classes)


def test_scores_that_are_not_there_are_named() -> None:
    with pytest.raises(DataError, match="no scores of 'yes': the model predicts labels or numbers only"):
        Predictions(DataWrapper(LABELS)).scores_of("yes")
    with pytest.raises(DataError, match="no scores of 'maybe': there are those of 'no', 'yes'"):
        Predictions(DataWrapper(LABELS), DataWrapper(SCORES), ("no", "yes")).scores_of("maybe")


def test_the_repr_shows_shapes_and_the_first_classes() -> None:
    shown = repr(Predictions(DataWrapper(LABELS), DataWrapper(np.zeros((2, 10))), tuple(range(10))))
    assert "values  2 × 1 arrow (y: string)" in shown
    assert "classes 0, 1, 2, 3, 4, 5, 6, 7, … 2 more" in shown

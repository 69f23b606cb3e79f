"""Weighted binary cross-entropy: against the formula, against Keras, and through a saved form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from hypothesis.extra.numpy import arrays
from mercury_keras.backend import keras
from mercury_keras.losses import WeightedBinaryCrossentropy

K = keras()
SHAPE = (6, 3)
RNG = np.random.default_rng(7)
TRUTH = np.array([[0, 1, 1], [1, 0, 1], [0, 0, 1], [0, 0, 0], [0, 0, 1], [0, 1, 1]], "float32")
LOGITS = RNG.normal(size=SHAPE).astype("float32")


def value(loss: Any, truth: Any, given: Any) -> float:
    return float(K.ops.convert_to_numpy(loss(truth, given)))


@settings(deadline=None, max_examples=50)
@given(
    arrays("float32", SHAPE, elements=st.sampled_from([0.0, 1.0])),
    arrays("float32", SHAPE, elements=st.floats(-8, 8, width=32)),
    st.lists(st.floats(0.125, 16, width=32), min_size=3, max_size=3),
    st.floats(0.125, 16, width=32),
)
def test_it_is_the_formula(truth: Any, logits: Any, positive: list[float], negative: float) -> None:
    likely = 1 / (1 + np.exp(-logits.astype("float64")))
    expected = -(np.array(positive) * truth * np.log(likely) + negative * (1 - truth) * np.log(1 - likely)).mean()
    from_logits = WeightedBinaryCrossentropy(positive, negative, from_logits=True)
    assert value(from_logits, truth, logits) == pytest.approx(expected, rel=1e-4, abs=1e-6)
    plain = WeightedBinaryCrossentropy(positive, negative)
    assert value(plain, truth, likely.astype("float32")) == pytest.approx(expected, rel=2e-3, abs=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("from_logits", [False, True])
def test_weights_of_one_make_it_that_of_keras(smoothing: float, from_logits: bool) -> None:
    given = LOGITS if from_logits else 1 / (1 + np.exp(-LOGITS))
    own = WeightedBinaryCrossentropy(1, 1, from_logits=from_logits, label_smoothing=smoothing)
    theirs = K.losses.BinaryCrossentropy(from_logits=from_logits, label_smoothing=smoothing)
    assert value(own, TRUTH, given) == pytest.approx(value(theirs, TRUTH, given), rel=1e-5)


def test_large_logits_give_neither_infinity_nor_nan() -> None:
    truth, logits = np.array([[0.0, 1.0]], "float32"), np.array([[200.0, -200.0]], "float32")
    assert value(WeightedBinaryCrossentropy(1, 1, from_logits=True), truth, logits) == pytest.approx(200)
    assert np.isfinite(value(WeightedBinaryCrossentropy(1, 1), truth, np.array([[1.0, 0.0]], "float32")))


def test_balanced_weights_let_both_sides_of_each_label_count_the_same() -> None:
    loss = WeightedBinaryCrossentropy().balanced(TRUTH)
    assert not loss.is_balanced
    has = TRUTH.sum(axis=0)
    np.testing.assert_allclose(np.array(loss.positive) * has, [3, 3, 3])
    np.testing.assert_allclose(np.array(loss.negative) * (6 - has), [3, 3, 3])
    half = WeightedBinaryCrossentropy(positive=5.0).balanced(TRUTH)
    assert half.positive == 5.0
    assert half.negative == loss.negative


def test_it_is_saved_as_keras_saves_its_own() -> None:
    loss = WeightedBinaryCrossentropy([1.0, 2.0, 3.0], 0.5, from_logits=True, label_smoothing=0.1)
    back = K.saving.deserialize_keras_object(K.saving.serialize_keras_object(loss))
    assert isinstance(back, WeightedBinaryCrossentropy)
    assert back.get_config() == loss.get_config()
    assert value(back, TRUTH, LOGITS) == value(loss, TRUTH, LOGITS)


def test_balanced_weights_are_not_guessed() -> None:
    with pytest.raises(ValueError, match=r"the weights are 'balanced', which keras\.fit computes"):
        WeightedBinaryCrossentropy()(TRUTH, LOGITS)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"positive": 0}, r"positive is 0: expected 'balanced', a number above 0"),
        ({"negative": [1.0, -2.0]}, r"negative is \[1\.0, -2\.0\]"),
        ({"positive": []}, r"positive is \[\]"),
        ({"positive": "equal"}, r"positive is 'equal'"),
        ({"label_smoothing": 1.5}, r"label_smoothing is 1\.5: expected a number from 0 to 1"),
    ],
)
def test_weights_that_are_none(options: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        WeightedBinaryCrossentropy(**options)

"""A loss that Keras lacks: binary cross-entropy that weighs the rows that have a label against those that have not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercury_keras.backend import keras

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

_keras = keras()
_Loss: Any = _keras.losses.Loss


@_keras.saving.register_keras_serializable("mercury_keras")
class WeightedBinaryCrossentropy(_Loss):  # type: ignore[misc]
    """Binary cross-entropy with a weight for each label that a row has, and one for each that it has not.

    For targets of which few rows have a label: with ``balanced`` weights the rows that have a label count as much as
    those that have it not, and no label counts more than another. For one row of targets ``y`` and predictions ``p``,
    over its labels ``j``::

        loss = mean_j(-positive[j] * y[j] * log(p[j]) - negative[j] * (1 - y[j]) * log(1 - p[j]))

    Args:
        positive: The weight of a label that a row has: a number for all labels, or one for each in their order; or
            ``balanced``, for which ``keras.fit`` takes rows / (2 × rows that have the label), of the targets of
            training (King and Zeng, "Logistic Regression in Rare Events Data", 2001, as in scikit-learn).
        negative: Likewise of a label that a row has not: rows / (2 × rows that have it not).
        from_logits: Whether the model gives logits, and not probabilities.
        label_smoothing: From 0 to 1: how far the targets are drawn towards 0.5.
        reduction: As of every loss of Keras.
        name: Likewise.
        dtype: Likewise.

    Raises:
        ValueError: A weight that is no number above 0; a smoothing outside 0 to 1.
    """

    def __init__(
        self,
        positive: float | Sequence[float] | str = "balanced",
        negative: float | Sequence[float] | str = "balanced",
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        reduction: str = "sum_over_batch_size",
        name: str = "weighted_binary_crossentropy",
        dtype: Any = None,
    ) -> None:
        super().__init__(reduction=reduction, name=name, dtype=dtype)
        for side, weights in (("positive", positive), ("negative", negative)):
            numbers = weights if isinstance(weights, list | tuple) else [weights]
            right = all(isinstance(one, int | float) and one > 0 for one in numbers)
            if weights != "balanced" and not (numbers and right):
                raise ValueError(f"{side} is {weights!r}: expected 'balanced', a number above 0, or one for each label")
        if not 0 <= label_smoothing <= 1:
            raise ValueError(f"label_smoothing is {label_smoothing!r}: expected a number from 0 to 1")
        self.positive, self.negative = positive, negative
        self.from_logits, self.label_smoothing = from_logits, label_smoothing

    @property
    def is_balanced(self) -> bool:
        """Whether weights are still to be computed from the targets of training."""
        return "balanced" in (self.positive, self.negative)

    def balanced(self, targets: np.ndarray[Any, Any]) -> WeightedBinaryCrossentropy:
        """The same loss with numbers where it says ``balanced``.

        Args:
            targets: 0 and 1, rows × labels; every label in some rows and not in others.
        """
        rows, has = targets.shape[0], targets.sum(axis=0)
        config = self.get_config()
        if self.positive == "balanced":
            config["positive"] = (rows / (2 * has)).tolist()
        if self.negative == "balanced":
            config["negative"] = (rows / (2 * (rows - has))).tolist()
        return type(self)(**config)

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each row; Keras calls it.

        Args:
            y_true: 0 and 1, rows × labels.
            y_pred: Probabilities, or logits, of the same shape.

        Raises:
            ValueError: The weights are still to be computed.
        """
        if self.is_balanced:
            raise ValueError("the weights are 'balanced', which keras.fit computes: give numbers elsewhere")
        ops = _keras.ops
        y_pred = ops.convert_to_tensor(y_pred)
        y_true = ops.cast(y_true, y_pred.dtype)
        y_true = y_true * (1 - self.label_smoothing) + 0.5 * self.label_smoothing
        positive = ops.cast(ops.convert_to_tensor(self.positive), y_pred.dtype)
        negative = ops.cast(ops.convert_to_tensor(self.negative), y_pred.dtype)
        if self.from_logits:  # -log(sigmoid(z)) is softplus(-z), which neither overflows nor loses digits
            has, lacks = ops.softplus(-y_pred), ops.softplus(y_pred)
        else:
            epsilon = _keras.config.epsilon()
            y_pred = ops.clip(y_pred, epsilon, 1 - epsilon)
            has, lacks = -ops.log(y_pred), -ops.log(1 - y_pred)
        return ops.mean(positive * y_true * has + negative * (1 - y_true) * lacks, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` makes the same loss of."""
        return {
            **super().get_config(),
            "positive": self.positive,
            "negative": self.negative,
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
        }

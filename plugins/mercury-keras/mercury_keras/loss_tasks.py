"""Which loss is for which targets, and how it takes them."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from mercury_keras.names import class_of

if TYPE_CHECKING:
    from mercury_keras.specs import OutputSpec, Task


@dataclass(frozen=True, slots=True)
class Traits:
    """What a loss of Keras's takes.

    Attributes:
        tasks: The targets that it is for; none where it is for something that this plugin does not train.
        one_hot: Whether it takes labels as one column a class; else as their places.
        lowest: The least number that it takes as a target of ``regression``.
        highest: The greatest one.
        soft: Whether it is for ``regression`` too where the task says so: of targets between `lowest` and `highest`.
        scores: Whether it takes scores around 0, and no probabilities, without a parameter ``from_logits``.
        above_0: Whether what the model gives must be above 0.
    """

    tasks: frozenset[Task]
    one_hot: bool = False
    lowest: float = -inf
    highest: float = inf
    soft: bool = False
    scores: bool = False
    above_0: bool = False


_YES_OR_NO: frozenset[Task] = frozenset({"binary", "multilabel"})
_CLASSES: frozenset[Task] = frozenset({"multiclass"})
_NUMBERS: frozenset[Task] = frozenset({"regression"})
_NONE: frozenset[Task] = frozenset()

_TRAITS = {
    "BinaryCrossentropy": Traits(_YES_OR_NO, lowest=0, highest=1, soft=True),
    "BinaryFocalCrossentropy": Traits(_YES_OR_NO),
    "WeightedBinaryCrossentropy": Traits(_YES_OR_NO),
    "Hinge": Traits(_YES_OR_NO, scores=True),
    "SquaredHinge": Traits(_YES_OR_NO, scores=True),
    "SparseCategoricalCrossentropy": Traits(_CLASSES),
    "CategoricalCrossentropy": Traits(_CLASSES, one_hot=True, lowest=0, highest=1, soft=True),
    "CategoricalFocalCrossentropy": Traits(_CLASSES, one_hot=True),
    "CategoricalGeneralizedCrossEntropy": Traits(_CLASSES),
    "CategoricalHinge": Traits(_CLASSES, one_hot=True, scores=True),
    "KLDivergence": Traits(_CLASSES | _NUMBERS, one_hot=True, lowest=0, highest=1),
    "Dice": Traits(_YES_OR_NO | _CLASSES, one_hot=True),
    "Tversky": Traits(_YES_OR_NO | _CLASSES, one_hot=True),
    "MeanSquaredError": Traits(_NUMBERS),
    "MeanAbsoluteError": Traits(_NUMBERS),
    "MeanAbsolutePercentageError": Traits(_NUMBERS),
    "MeanSquaredLogarithmicError": Traits(_NUMBERS, lowest=0),
    "CosineSimilarity": Traits(_NUMBERS),
    "Huber": Traits(_NUMBERS),
    "LogCosh": Traits(_NUMBERS),
    "Poisson": Traits(_NUMBERS, lowest=0, above_0=True),
    "Circle": Traits(_NONE),
    "CTC": Traits(_NONE),
}

#: What Keras calls the cross-entropy that goes with the targets.
AUTOMATIC = ("crossentropy", "ce")


def traits_of(loss: Any) -> Traits | None:
    """What a loss takes; None of somebody's own, which may take anything, and of none at all."""
    found = None if loss is None else class_of("loss", loss)
    return None if found is None else _TRAITS.get(found.__name__)


def tasks_of(loss: Any) -> frozenset[Task]:
    """The tasks that a loss speaks for; empty where it leaves them open."""
    if isinstance(loss, str) and loss in AUTOMATIC:
        return _YES_OR_NO | _CLASSES
    traits = traits_of(loss)
    return _NONE if traits is None else traits.tasks


def usual(output: OutputSpec, *, one_hot: bool = False) -> str:
    """The loss that goes with the targets of an output."""
    if output.task == "regression":
        return "mean_squared_error"
    if output.units == 1 or output.task == "multilabel":
        return "binary_crossentropy"
    return "categorical_crossentropy" if one_hot else "sparse_categorical_crossentropy"


def suits(traits: Traits, output: OutputSpec) -> bool:
    """Whether a loss is for the targets of an output."""
    if output.task == "binary" and output.units == 2:  # two classes by a softmax
        return "multiclass" in traits.tasks
    return output.task in traits.tasks or (traits.soft and output.task == "regression")


def speaks_for(traits: Traits, task: str) -> bool:
    """Whether a loss is for a task, by whatever units the model gives it."""
    by_softmax = task == "binary" and "multiclass" in traits.tasks
    return task in traits.tasks or (traits.soft and task == "regression") or by_softmax

"""How much each row counts in training: the role ``sample_weight``, and weights of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mercury_core.errors import FitError, did_you_mean

if TYPE_CHECKING:
    import numpy as np

    from mercury_core.data import DataSet
    from mercury_keras.specs import OutputSpec

    Array = np.ndarray[Any, Any]


def sample_weights(data_set: DataSet, where: str, what: str) -> Array | None:
    """The role ``sample_weight`` of a data set.

    Args:
        data_set: It may have none.
        where: Its name, for the errors.
        what: The model, for the errors.

    Returns:
        float32, one number a row; None where there is no such role.

    Raises:
        FitError: Several columns, or weights that are not all numbers from 0 upwards.
    """
    import numpy as np

    if "sample_weight" not in data_set:
        return None
    weights: Array = data_set["sample_weight"].to("numpy", dtype="float32").underlying
    if weights.shape[1] != 1:
        raise FitError(what, f"the role sample_weight of {where!r} has {weights.shape[1]} columns", "Name one.")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise FitError(
            what, f"the sample weights of {where!r} are not all numbers from 0 upwards", "Correct them in the source."
        )
    return np.ascontiguousarray(weights.ravel())


def row_weights(
    rows: Array | None,
    targets: Mapping[str, Array],
    outputs: tuple[OutputSpec, ...],
    class_weight: Any,
    what: str,
) -> dict[str, Array] | None:
    """What every row of training counts, by output: its own weight times that of its class.

    Args:
        rows: From `sample_weights`.
        targets: By output, as `mercury_keras.targets.encode` gives them.
        outputs: What the model gives.
        class_weight: None; ``balanced``: rows / (classes × rows of the class), as scikit-learn has it; or by label,
            where a label that is left out counts 1. By output where there are several.
        what: The model, for the errors.

    Returns:
        float32, one number a row; None where all rows count the same.

    Raises:
        FitError: Labels that training does not have, or targets that are no labels.
    """
    weighted = _by_output(class_weight, outputs, what)
    if rows is None and not weighted:
        return None
    import numpy as np

    found = {}
    for output in outputs:
        asked = weighted.get(output.name)
        of_class = None if asked is None else _of_classes(targets[output.name], output, asked, what)
        if of_class is None:
            own = rows if rows is not None else np.ones(len(targets[output.name]), "float32")
        else:
            own = of_class if rows is None else rows * of_class
        found[output.name] = own
    return found


def _by_output(class_weight: Any, outputs: tuple[OutputSpec, ...], what: str) -> dict[str, Any]:
    if class_weight is None:
        return {}
    labelled = [output for output in outputs if output.classes is not None]
    if len(outputs) == 1 or class_weight == "balanced":
        if not labelled:
            raise FitError(
                what,
                f"class_weight is for targets of one label a row, and these are for {outputs[0].task}",
                "Use the loss {use: WeightedBinaryCrossentropy} for several labels a row, or the role sample_weight.",
            )
        return {output.name: class_weight for output in labelled}
    for name in class_weight:
        names = [output.name for output in labelled]
        if name not in names:
            raise FitError(
                what,
                f"class_weight names {name!r}, which is no output of labels",
                f"Of several outputs it is given by output, as {{{(names or ['OUTPUT'])[0]}: balanced}}."
                + did_you_mean(str(name), names),
            )
    return dict(class_weight)


def _of_classes(targets: Array, output: OutputSpec, asked: Any, what: str) -> Array:
    import numpy as np

    classes = output.classes or ()
    places = targets.argmax(axis=1) if output.one_hot else targets.ravel().astype(np.int64)
    if asked == "balanced":
        counts = np.bincount(places, minlength=len(classes))
        # A class of a stored model that no row has here weighs nothing, and divides by nothing.
        present = np.maximum(counts, 1)
        balanced: Array = len(places) / ((counts > 0).sum() * present)
        return np.asarray(balanced[places], "float32")
    if not isinstance(asked, Mapping):
        raise FitError(what, f"class_weight is {asked!r}", "Expected balanced, or a number by label.")
    known = {str(label): place for place, label in enumerate(classes)}
    weights: Array = np.ones(len(classes), "float32")
    for label, weight in asked.items():
        if str(label) not in known:
            raise FitError(
                what,
                f"class_weight names the label {label!r}, which the targets do not have",
                f"They have: {', '.join(map(repr, classes[:12]))}.{did_you_mean(str(label), known)}",
            )
        if isinstance(weight, bool) or not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            raise FitError(what, f"class_weight of {label!r} is {weight!r}", "Expected a number from 0 upwards.")
        weights[known[str(label)]] = weight
    return np.asarray(weights[places])

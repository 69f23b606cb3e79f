"""Whether a model fits the data: what it takes against the features, what it gives against the targets."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mercury_core.errors import FitError, did_you_mean
from mercury_keras.names import said

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mercury_keras.specs import InputSpec, OutputSpec

_MANY = 8


@dataclass(frozen=True, slots=True)
class Ending:
    """What one output of a model gives.

    Attributes:
        name: As Keras has it; None where a model of one output does not name it.
        shape: Of one row.
        activation: The last one by Keras's name, as ``softmax``; ``linear`` for none; None where it cannot be told.
    """

    name: str | None
    shape: tuple[int | None, ...]
    activation: str | None


def match_inputs(model: Any, inputs: Sequence[InputSpec], what: str) -> None:
    """Refuse a model that takes other inputs than the features make.

    Raises:
        FitError: Another number, other names, or other shapes.
    """
    taken = getattr(model, "inputs", None)
    if not taken:  # a class of one's own: it tells when it is called
        return
    if len(taken) == 1 and len(inputs) == 1:
        _match_shape(taken[0], inputs[0], what)
        return
    shapes = {tensor.name: tensor for tensor in taken}
    known = {one.name: one for one in inputs}
    if shapes.keys() != known.keys():
        made = ", ".join(f"{one.name} {_shape(one.shape)}" for one in inputs)
        wrong = next((name for name in shapes if name not in known), "")
        raise FitError(
            what,
            f"it takes the input{'s' * (len(shapes) > 1)} {', '.join(shapes)}, and the features make {made}",
            "Name its inputs like these; all columns of numbers make one, named table." + did_you_mean(wrong, known),
        )
    for name, tensor in shapes.items():
        _match_shape(tensor, known[name], what)


def endings(model: Any, inputs: Sequence[InputSpec], what: str) -> list[Ending]:
    """What a model gives; one that is not built yet is built, by a batch of one row of zeros.

    Raises:
        FitError: It refuses such a row.
    """
    if not getattr(model, "outputs", None):
        import numpy as np

        rows = {one.name: np.zeros((1, *one.shape), np.float32) for one in inputs}
        try:
            given = model(rows if len(rows) > 1 else next(iter(rows.values())), training=False)
        except Exception as error:
            shapes = ", ".join(f"{one.name} {_shape(one.shape)}" for one in inputs)
            raise FitError(
                what, f"it refuses a row of {shapes}: {said(error)}", "Mend the model, or choose other features."
            ) from error
        if not getattr(model, "outputs", None):
            parts = (
                given
                if isinstance(given, dict)
                else dict(enumerate(given if isinstance(given, list | tuple) else [given]))
            )
            return [
                Ending(name if isinstance(name, str) else None, tuple(part.shape[1:]), None)
                for name, part in parts.items()
            ]
    names = list(getattr(model, "output_names", None) or [None] * len(model.outputs))
    return [
        Ending(name, tuple(tensor.shape[1:]), _activation(tensor))
        for name, tensor in zip(names, model.outputs, strict=True)
    ]


def match_outputs(found: Sequence[Ending], outputs: Sequence[OutputSpec], what: str) -> list[tuple[OutputSpec, Ending]]:
    """Which output of a model is for which targets; what the model tells of each is filled in.

    Raises:
        FitError: Another number of outputs, other names, numbers that are too many or too few for the targets, or a
            last activation that cannot give them.
    """
    alone = len(found) == 1 and len(outputs) == 1
    pairs = [(outputs[0], found[0])] if alone else _by_name(found, outputs, what)
    return [(_completed(output, ending, what), ending) for output, ending in pairs]


def splits(found: Sequence[Ending], outputs: Sequence[OutputSpec]) -> bool:
    """Whether the targets that make one output are each an output of the model's own."""
    if len(found) < 2 or len(outputs) != 1:
        return False
    return {ending.name for ending in found} == set(outputs[0].targets)


def check_range(output: OutputSpec, ending: Ending, low: float, high: float, what: str) -> None:
    """Refuse numbers that the last activation never gives.

    Args:
        output: A regression.
        ending: Its output.
        low: The least target.
        high: The greatest one.
        what: The model, for the errors.

    Raises:
        FitError: Targets beyond the range of the activation.
    """
    least, most = _RANGES.get(ending.activation or "linear", (-float("inf"), float("inf")))
    if low < least or high > most:
        between = f"from {least:g} to {most:g}" if most < float("inf") else f"from {least:g} upwards"
        raise FitError(
            what,
            f"it ends in {ending.activation}, which gives numbers {between}, and {_targets(output)} "
            f"reach{'es' * (len(output.targets) == 1)} from {low:g} to {high:g}",
            "End it in a layer without an activation, or scale the targets.",
        )


#: What activations give.
_RANGES = {
    "sigmoid": (0.0, 1.0),
    "softmax": (0.0, 1.0),
    "hard_sigmoid": (0.0, 1.0),
    "tanh": (-1.0, 1.0),
    "relu": (0.0, float("inf")),
    "softplus": (0.0, float("inf")),
    "exponential": (0.0, float("inf")),
}
#: Last activations that make probabilities or logits, by what is predicted.
_YES_OR_NO = ("sigmoid", "hard_sigmoid", "linear", "tanh")
_CLASSES = ("softmax", "linear")


def _by_name(found: Sequence[Ending], outputs: Sequence[OutputSpec], what: str) -> list[tuple[OutputSpec, Ending]]:
    endings_of = {ending.name: ending for ending in found}
    wanted = [output.name for output in outputs]
    if len(found) == len(outputs) and set(endings_of) == set(wanted):
        return [(output, endings_of[output.name]) for output in outputs]
    given = [str(ending.name or f"number {place}") for place, ending in enumerate(found, 1)]
    if len(outputs) == 1:
        raise FitError(
            what,
            f"it has {len(found)} outputs: {', '.join(given)}",
            f"Say with outputs which targets each is for, as outputs: {{{given[0]}: [{outputs[0].targets[0]}]}}.",
        )
    wrong = next((name for name in wanted if name not in endings_of), "")
    raise FitError(
        what,
        f"it has the output{'s' * (len(given) > 1)} {', '.join(given)}, and the targets are for {', '.join(wanted)}",
        "Give the outputs these names, or say with outputs which targets each is for." + did_you_mean(wrong, given),
    )


def _completed(output: OutputSpec, ending: Ending, what: str) -> OutputSpec:
    units = ending.shape[0] if len(ending.shape) == 1 else None
    if units is None:
        raise FitError(
            what,
            f"{_output(output)}gives {_shape(ending.shape)} a row",
            f"Expected {_expected(output)} in one dimension: end it in Flatten, pooling and Dense.",
        )
    output = _with_units(output, units, what)
    yes_or_no = output.task == "multilabel" or (output.task == "binary" and units == 1)
    allowed = _YES_OR_NO if yes_or_no else _CLASSES
    if output.task != "regression" and ending.activation not in (None, *allowed):
        why = (
            "a softmax of one unit is always 1"
            if (ending.activation, units) == ("softmax", 1)
            else (
                "the labels of a row do not exclude one another"
                if yes_or_no and ending.activation == "softmax"
                else f"{_targets(output)} {'are' if len(output.targets) > 1 else 'is'} of labels"
            )
        )
        raise FitError(
            what,
            f"{_output(output)}ends in {ending.activation}, and {why}",
            f"End it in {allowed[0]}, or in no activation.",
        )
    return replace(output, logits=output.task != "regression" and ending.activation in ("linear", "tanh"))


def _with_units(output: OutputSpec, units: int, what: str) -> OutputSpec:
    if output.classes is None:
        right = units == len(output.targets)
    elif output.task == "binary":
        right = units in (1, 2)
    else:
        if units > len(output.classes) and _are_places(output.classes, units):
            output = replace(output, classes=tuple(range(units)))  # not every label is in every data set
        right = 1 < units == len(output.classes or ())
    if not right:
        raise FitError(
            what,
            f"{_output(output)}gives {units} number{'s' * (units != 1)} a row, and {_targets(output)} "
            f"{'need' if len(output.targets) > 1 else 'needs'} {_expected(output)}",
            "Change the units of its last layer, or the targets.",
        )
    return replace(output, units=units)


def _are_places(classes: Sequence[Any], units: int) -> bool:
    return all(isinstance(one, int) and not isinstance(one, bool) and 0 <= one < units for one in classes)


def _expected(output: OutputSpec) -> str:
    if output.classes is None:
        return str(len(output.targets))
    shown = ", ".join(map(str, output.classes[:_MANY])) + (" …" if len(output.classes) > _MANY else "")
    count = "1 or 2" if output.task == "binary" else str(len(output.classes))
    return f"{count}, for the classes {shown}"


def _targets(output: OutputSpec) -> str:
    shown = ", ".join(map(repr, output.targets[:_MANY])) + (" …" if len(output.targets) > _MANY else "")
    return f"the target{'s' * (len(output.targets) > 1)} {shown}"


def _output(output: OutputSpec) -> str:
    """The subject of a sentence about an output: the model itself where it has one."""
    from mercury_keras.targets import OUTPUT

    return "it " if output.name == OUTPUT else f"its output {output.name!r} "


def _match_shape(tensor: Any, spec: InputSpec, what: str) -> None:
    taken = tuple(tensor.shape[1:])
    if len(taken) == len(spec.shape) and all(one in (None, two) for one, two in zip(taken, spec.shape, strict=True)):
        return
    if spec.image is not None:
        made, todo = f"the images of {spec.name!r} are {_shape(spec.shape)}", "Change image_size or color_mode of them."
    else:
        made, todo = f"there are {spec.shape[0]} feature columns of numbers", "Change the model or the features."
    raise FitError(what, f"it takes {_shape(taken)} a row, and {made}", todo)


def _shape(shape: Sequence[int | None]) -> str:
    return " × ".join("any" if size is None else str(size) for size in shape) or "one number"


# --- the last activation ---


def _activation(tensor: Any) -> str | None:
    operation = tensor._keras_history.operation
    while getattr(operation, "outputs", None) and hasattr(operation, "layers"):  # a model in the model
        operation = operation.outputs[tensor._keras_history.tensor_index]._keras_history.operation
    activation = getattr(operation, "activation", None)
    if activation is not None:
        return getattr(activation, "__name__", None)
    kind = type(operation).__name__.lower()
    return kind if kind in _RANGES else None

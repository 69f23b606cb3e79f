"""Losses, metrics and the optimizer of a model, made to go with its outputs and compiled into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError, FitError
from mercury_keras import loss_tasks, names
from mercury_keras.backend import keras
from mercury_keras.matching import check_range
from mercury_keras.metric_tasks import make_metrics
from mercury_keras.targets import by_output, encode, loss_of

if TYPE_CHECKING:
    from mercury_core.data import DataWrapper
    from mercury_keras.building import BuildSettings
    from mercury_keras.matching import Ending
    from mercury_keras.specs import OutputSpec


def make_optimizer(optimizer: Any, learning_rate: Any) -> tuple[Any, list[Fault]]:
    """The optimizer with its learning rate.

    Args:
        optimizer: As ``keras.fit`` takes it; None for ``adam``.
        learning_rate: A number, a schedule as a mapping or an object, or None for the optimizer's own.

    Returns:
        The optimizer (None where there are faults), and what is wrong.
    """
    faults: list[Fault] = []
    rate = learning_rate
    at = ("learning_rate",)
    if isinstance(rate, bool) or (isinstance(rate, int | float) and rate <= 0):
        faults.append(Fault(at, f"learning_rate is {rate!r}: expected a number above 0."))
        rate = None
    elif rate is not None and not isinstance(rate, int | float):
        rate, faults = names.make("schedule", rate, at=at)
    if optimizer is None:
        optimizer = "adam"
    given = optimizer.get("config", optimizer) if isinstance(optimizer, Mapping) else {}
    if rate is not None and isinstance(given, Mapping) and "learning_rate" in given:
        faults.append(Fault(at, "learning_rate is given here and to the optimizer as well: leave out one of them."))
    more = {} if rate is None else {"learning_rate": rate}
    if more and isinstance(optimizer, Mapping) and "class_name" in optimizer:
        plain = rate if isinstance(rate, int | float) else keras().saving.serialize_keras_object(rate)
        optimizer = {**optimizer, "config": {**(given or {}), "learning_rate": plain}}
    made, wrong = names.make("optimizer", optimizer, at=("optimizer",), more=more)
    if more and made is optimizer:  # somebody's own object
        made.learning_rate = rate
    return made, [*faults, *wrong]


def compile_model(
    model: Any,
    settings: BuildSettings,
    pairs: Sequence[tuple[OutputSpec, Ending]],
    targets: DataWrapper | None,
    what: str,
) -> tuple[OutputSpec, ...]:
    """Compile a model.

    Args:
        model: It fits the data, as `mercury_keras.matching` has seen.
        settings: What to compile it with.
        pairs: Its outputs.
        targets: Those of training.
        what: The model, for the errors.

    Returns:
        The outputs, each with what its loss tells: `logits` and `one_hot`.

    Raises:
        ArgumentsError: A name or a parameter that Keras does not have.
        FitError: A loss or a metric that is not for the targets.
    """
    optimizer, faults = make_optimizer(settings.optimizer, settings.learning_rate)
    if faults:
        raise ArgumentsError("fit", "keras.fit", [fault.message for fault in faults])
    outputs = [output for output, _ in pairs]
    _check_names("loss", settings.loss, outputs, what)
    losses, completed = {}, []
    for output, ending in pairs:
        watched = [*_listed(settings.metrics, output), *_listed(settings.weighted_metrics, output)]
        item = loss_of(settings.loss, output.name, alone=len(pairs) == 1)
        made, output = _loss(item, output, ending, targets, watched, what)
        losses[output.name] = made
        completed.append(output)
    kept = {}
    for name in ("metrics", "weighted_metrics"):
        asked = getattr(settings, name)
        _check_names(name, asked, outputs, what)
        kept[name] = {output.name: make_metrics(_listed(asked, output), output, what) for output in completed}
    weights = settings.loss_weights or {}
    _check_names("loss_weights", weights, outputs, what)
    alone = completed[0].name if len(completed) == 1 else None
    model.compile(
        optimizer=optimizer,
        loss=losses if alone is None else losses[alone],
        loss_weights=None if alone is not None or not weights else {name: weights.get(name, 1.0) for name in losses},
        **{name: each if alone is None else each[alone] for name, each in kept.items()},
    )
    return tuple(completed)


def _listed(metrics: Any, output: OutputSpec) -> list[Any]:
    """The metrics of one output: those given for it, or for all."""
    if by_output(metrics):
        metrics = metrics.get(output.name)
    if metrics is None:
        return []
    return list(metrics) if isinstance(metrics, list | tuple) else [metrics]


def _check_names(parameter: str, given: Any, outputs: Sequence[OutputSpec], what: str) -> None:
    """Refuse what is given by output and names none."""
    from mercury_core.errors import did_you_mean

    if not by_output(given) or (len(outputs) == 1 and len(given) == 1):
        return
    known = [output.name for output in outputs]
    for name in given:
        if name not in known:
            raise FitError(
                what,
                f"{parameter} names the output {name!r}, which is none of {', '.join(known)}",
                "Give it by the names of the outputs." + did_you_mean(str(name), known),
            )


# --- the loss of one output ---


def _loss(
    item: Any, output: OutputSpec, ending: Ending, targets: DataWrapper | None, metrics: Sequence[Any], what: str
) -> tuple[Any, OutputSpec]:
    from mercury_keras.metric_tasks import wants_one_hot

    if item is None or (isinstance(item, str) and item in loss_tasks.AUTOMATIC):
        one_hot = output.units > 1 and output.classes is not None and wants_one_hot(metrics)
        item = loss_tasks.usual(output, one_hot=one_hot)
    traits = loss_tasks.traits_of(item)
    if traits is None:
        made = names.create("loss", item)
        told = getattr(made, "from_logits", None)
        return made, output if told is None or ending.activation is not None else replace(output, logits=told)
    name = names.class_of("loss", item).__name__  # type: ignore[union-attr]
    if not loss_tasks.suits(traits, output):
        raise FitError(
            what, f"the loss {name} is not for {_described(output)}", f"Expected {loss_tasks.usual(output)}."
        )
    if output.task == "regression" and targets is not None:
        _check_numbers(name, traits, output, ending, targets, what)
    explicit = _explicit(item)
    if explicit is not None and ending.activation is None:
        output = replace(output, logits=explicit)
    _check_logits(name, explicit, traits, output, ending, what)
    logits = output.logits if output.task != "regression" else ending.activation == "linear"
    made, faults = names.make("loss", item, at=("loss",), more={"from_logits": logits})
    if faults:
        raise ArgumentsError("fit", "keras.fit", [fault.message for fault in faults])
    if getattr(made, "is_balanced", False):
        made = _balanced(made, output, targets, what)
    _check_weights(made, output, what)
    return made, replace(output, one_hot=traits.one_hot and output.units > 1 and output.classes is not None)


def _described(output: OutputSpec) -> str:
    words = {
        "binary": "a target of two classes",
        "multiclass": f"a target of {len(output.classes or ())} classes",
        "multilabel": "labels of yes and no",
        "regression": "targets that are numbers",
    }
    units = f", of which the model gives {output.units} numbers" if (output.task, output.units) == ("binary", 2) else ""
    return f"{words[output.task]}{units} ({', '.join(output.targets[:4])})"


def _explicit(item: Any) -> bool | None:
    """What is said of logits where the loss is named; None where nothing is."""
    if isinstance(item, Mapping):
        config = item.get("config")
        told = item.get("from_logits", config.get("from_logits") if isinstance(config, Mapping) else None)
    else:
        told = None if isinstance(item, str | type) else getattr(item, "from_logits", None)
    return told if isinstance(told, bool) else None


def _check_logits(
    name: str, explicit: bool | None, traits: loss_tasks.Traits, output: OutputSpec, ending: Ending, what: str
) -> None:
    """Refuse probabilities where logits are expected, and the other way round: neither fails, and nothing is learnt."""
    from mercury_keras.names import class_of, takes

    if output.task == "regression" or ending.activation is None:
        return
    usual = "softmax" if output.task == "multiclass" or output.units == 2 else "sigmoid"
    if traits.scores and not output.logits:
        raise FitError(
            what,
            f"the loss {name} takes scores around 0, and the model ends in {ending.activation}",
            "End it in no activation or in tanh, or choose another loss: " + loss_tasks.usual(output) + ".",
        )
    if traits.scores:
        return
    if output.logits and ending.activation == "tanh":
        raise FitError(what, f"it ends in tanh, and the loss {name} takes probabilities", f"End it in {usual}.")
    parameter = takes(class_of("loss", name), "from_logits")
    if output.logits and not parameter:
        raise FitError(what, f"the loss {name} takes probabilities, and the model gives logits", f"End it in {usual}.")
    if explicit is not None and explicit != output.logits:
        given = "logits, without a last activation" if output.logits else f"probabilities, by {ending.activation}"
        raise FitError(
            what,
            f"the loss {name} is told from_logits: {str(explicit).lower()}, and the model gives {given}",
            "Leave from_logits out, or change the last layer.",
        )


def _check_numbers(
    name: str, traits: loss_tasks.Traits, output: OutputSpec, ending: Ending, targets: DataWrapper, what: str
) -> None:
    numbers = encode(targets, output, what=what)
    low, high = float(numbers.min()), float(numbers.max())
    if low < traits.lowest or high > traits.highest:
        most = f" to {traits.highest:g}" if traits.highest < float("inf") else " upwards"
        raise FitError(
            what,
            f"the loss {name} takes numbers from {traits.lowest:g}{most}, and the targets go from {low:g} to {high:g}",
            "Choose another loss, as mean_squared_error, or scale the targets.",
        )
    if traits.above_0 and ending.activation in ("linear", "tanh"):
        raise FitError(
            what,
            f"the loss {name} takes predictions above 0, and the model may give others",
            "End it in softplus or exponential: keras.mlp and keras.convnet have output_activation for it.",
        )
    check_range(output, ending, low, high, what)


def _balanced(loss: Any, output: OutputSpec, targets: DataWrapper | None, what: str) -> Any:
    if targets is None:
        raise FitError(what, "the loss is to be balanced, and there are no targets", "Give it numbers.")
    encoded = encode(targets, output, what=what)
    rows, has = len(encoded), encoded.sum(axis=0)
    labels = output.targets if output.classes is None else (f"{output.targets[0]} {output.classes[-1]}",)
    for label, count in zip(labels, has.tolist(), strict=True):
        if count in (0, rows):
            rows_with = "no row has" if count == 0 else "every row has"
            raise FitError(
                what,
                f"the loss is to be balanced, and {rows_with} the label {label!r}",
                "Leave out the label, or give the loss numbers: positive and negative.",
            )
    return loss.balanced(encoded)


def _check_weights(loss: Any, output: OutputSpec, what: str) -> None:
    for side in ("positive", "negative"):
        weights = getattr(loss, side, None)
        if isinstance(weights, list | tuple) and len(weights) != output.units:
            raise FitError(
                what,
                f"{side} has {len(weights)} weight{'s' * (len(weights) != 1)}, and the targets are {output.units}",
                "Give one number for all, or one for each target in its order.",
            )

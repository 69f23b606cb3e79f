"""From settings to a compiled model that fits the data."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError, FitError, did_you_mean
from mercury_keras import names
from mercury_keras.backend import keras
from mercury_keras.loss_tasks import AUTOMATIC
from mercury_keras.targets import by_output

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from mercury_core.data import DataWrapper
    from mercury_keras.specs import InputSpec, OutputSpec

#: Policies of mixed precision: how operations compute; weights stay in float32.
POLICIES = ("mixed_bfloat16", "mixed_float16")


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """Which model, and how it is compiled: parameters of ``keras.fit`` under their own names.

    Exactly one of `model`, `config` and `bundle` says which model.

    Attributes:
        model: ``keras.mlp``, ``keras.convnet``, ``module:function``, ``{use: any of those, **params}``, a function,
            or a Keras model. A function is given what it has parameters for: ``inputs`` and ``outputs`` (the specs of
            `mercury_keras.specs`), ``input_shape`` and ``units``. What it compiled the model with holds where the
            settings do not say otherwise.
        config: A file of Keras's own JSON (``model.to_json()``).
        bundle: A stored bundle whose model is trained further: a directory or a URI.
        trusted: What its definition holds beyond Keras's own, and is trusted, as ``my_layers:Scaled``.
        trainable: What of it is: ``all`` (of a bundle everything, of another model what its maker left so), ``last``
            (the layers that give the outputs), or the names of layers.
        task: ``auto``, ``binary``, ``multiclass``, ``multilabel`` or ``regression``.
        outputs: The target columns of each output of a model of several.
        loss: A name of Keras's, ``{use: NAME, **params}``, Keras's serialised form, ``module:name``, or a mapping of
            those by output; None for the one that goes with the targets.
        loss_weights: How much the loss of each output counts.
        optimizer: A name, or a mapping as of `loss`; None for ``adam``.
        learning_rate: A number, or a schedule as ``{use: CosineDecay, **params}``; None for the optimizer's own.
        metrics: A list of metrics, or a mapping of lists by output.
        weighted_metrics: Likewise, of those that count rows by their weights.
        mixed_precision: True for ``mixed_bfloat16``, or the name of that policy or ``mixed_float16``.
    """

    model: Any = None
    config: Path | None = None
    bundle: str | Path | None = None
    trusted: Sequence[str] | None = None
    trainable: Any = "all"
    task: str = "auto"
    outputs: Mapping[str, Sequence[str]] | None = None
    loss: Any = None
    loss_weights: Mapping[str, float] | None = None
    optimizer: Any = None
    learning_rate: Any = None
    metrics: Any = None
    weighted_metrics: Any = None
    mixed_precision: bool | str = False


def check(settings: BuildSettings) -> list[Fault]:
    """What is wrong with settings, as far as it can be told without data; imports Keras, and no backend beyond that."""
    from mercury_keras.compiling import make_optimizer
    from mercury_keras.metric_tasks import check_metrics
    from mercury_keras.obtaining import check_source

    faults = check_source(settings)
    faults += _check_trainable(settings.trainable)
    faults += _check_losses(settings.loss) or _check_task(settings)
    faults += make_optimizer(settings.optimizer, settings.learning_rate)[1]
    faults += check_metrics(settings.metrics, ("metrics",))
    faults += check_metrics(settings.weighted_metrics, ("weighted_metrics",))
    policy = settings.mixed_precision
    if not isinstance(policy, bool) and policy not in POLICIES:
        near = did_you_mean(policy, POLICIES) if isinstance(policy, str) else ""
        expected = f"true, false or {' or '.join(POLICIES)}"
        faults.append(Fault(("mixed_precision",), f"mixed_precision is {policy!r}: expected {expected}.{near}"))
    return faults


def build(
    settings: BuildSettings,
    inputs: Sequence[InputSpec],
    outputs: Sequence[OutputSpec],
    targets: DataWrapper | None = None,
    what: str = "a Keras model",
) -> tuple[Any, tuple[InputSpec, ...], tuple[OutputSpec, ...]]:
    """Make the model, compile it, and see that it fits the data.

    Args:
        settings: Which model, and how.
        inputs: What it takes, by `mercury_keras.inputs.input_specs`.
        outputs: What it is to give, by `mercury_keras.targets.output_specs`.
        targets: Those of training: weights by ``balanced`` and the range of what a loss takes are told by them.
        what: The model, for the errors.

    Returns:
        The compiled Keras model; `inputs` in the order in which it takes them; and `outputs` with what it tells: names,
        classes, units, logits, one_hot.

    Raises:
        ArgumentsError: A setting that is wrong by itself.
        FitError: A model that does not fit the data, or a loss that does not fit the targets.
        MissingColumnsError: Features are missing that a stored model takes.
    """
    from mercury_keras.compiling import compile_model
    from mercury_keras.matching import endings, match_inputs, match_outputs, splits
    from mercury_keras.obtaining import obtain
    from mercury_keras.targets import output_specs

    if faults := check(settings):
        raise ArgumentsError("fit", "keras.fit", [fault.message for fault in faults])
    policy = _policy(settings.mixed_precision)
    with _computing(policy):
        model, inputs, outputs = obtain(settings, inputs, outputs, what)
    match_inputs(model, inputs, what)
    found = endings(model, inputs, what)
    if splits(found, outputs) and targets is not None:
        by_target = {str(ending.name): [str(ending.name)] for ending in found}
        outputs = output_specs(targets, loss=settings.loss, outputs=by_target, what=what)
    pairs = match_outputs(found, outputs, what)
    if policy is not None and settings.model is None:
        _recast(model, policy)
    _freeze(model, settings, what)
    settings = _with_compiled(model, settings)
    return model, tuple(inputs), compile_model(model, settings, pairs, targets, what)


def _with_compiled(model: Any, settings: BuildSettings) -> BuildSettings:
    """The settings, and where they say nothing what somebody's own function has compiled the model with.

    A bundle is compiled anew: its loss of then may not be for the targets of now.
    """
    if settings.bundle is not None or not getattr(model, "compiled", False):
        return settings
    told: dict[str, Any] = {}
    if settings.loss is None:
        told["loss"] = _by_name(getattr(model, "loss", None), model)
    if settings.optimizer is None:
        told["optimizer"] = model.optimizer
    metrics = getattr(model, "_compile_metrics", None)
    if settings.metrics is None and metrics is not None:
        told["metrics"] = _by_name(metrics._user_metrics, model)
    return replace(settings, **told)


def _by_name(given: Any, model: Any) -> Any:
    """What Keras takes as a list for several outputs, as a mapping by output."""
    names_of = getattr(model, "output_names", None) or []
    if isinstance(given, list | tuple) and len(names_of) > 1 and len(given) == len(names_of):
        return dict(zip(names_of, given, strict=True))
    return given


# --- settings by themselves ---


def _check_trainable(trainable: Any) -> list[Fault]:
    if trainable in ("all", "last"):
        return []
    listed = trainable if isinstance(trainable, list | tuple) else ()
    if listed and all(isinstance(name, str) for name in listed):
        return []
    return [Fault(("trainable",), f"trainable is {trainable!r}: expected all, last, or a list of names of layers.")]


def _check_losses(loss: Any) -> list[Fault]:
    if loss is None or (isinstance(loss, str) and loss in AUTOMATIC):
        return []
    if by_output(loss):
        return [
            Fault(("loss", str(name), *fault.path[1:]), fault.message)
            for name, each in loss.items()
            for fault in _check_losses(each)
        ]
    return names.make("loss", loss, at=("loss",))[1]


def _check_task(settings: BuildSettings) -> list[Fault]:
    """A loss that is for other targets than those that `task` says there are."""
    from mercury_keras.loss_tasks import speaks_for, traits_of

    if settings.task == "auto" or by_output(settings.loss):
        return []
    traits = traits_of(settings.loss)
    if traits is None or speaks_for(traits, settings.task):
        return []
    name = names.class_of("loss", settings.loss).__name__  # type: ignore[union-attr]
    others = ", ".join(sorted(traits.tasks))
    expected = f"it is for {others}" if others else "no task that is trained here has it"
    return [Fault(("loss",), f"The loss {name} is not for task: {settings.task}; {expected}.")]


# --- mixed precision ---


def _policy(mixed_precision: bool | str) -> str | None:
    if isinstance(mixed_precision, str):
        return mixed_precision
    return POLICIES[0] if mixed_precision else None


@contextmanager
def _computing(policy: str | None) -> Iterator[None]:
    """Within this context, layers are made with that policy."""
    if policy is None:
        yield
        return
    config = keras().config
    before = config.dtype_policy()
    config.set_dtype_policy(policy)
    try:
        yield
    finally:
        config.set_dtype_policy(before)


def _recast(model: Any, policy: str) -> None:
    """Set the policy of a model that brings its own, of all layers but those that give the outputs."""
    last = {tensor._keras_history.operation.name for tensor in getattr(model, "outputs", None) or ()}
    model.dtype_policy = policy
    for layer in model._flatten_layers(include_self=False):
        if layer.name not in last:
            layer.dtype_policy = policy


# --- what is trained ---


def _freeze(model: Any, settings: BuildSettings, what: str) -> None:
    wanted = settings.trainable
    if wanted == "all":
        if settings.bundle is not None:
            _thaw(model)
        return
    known = {layer.name: layer for layer in model._flatten_layers(include_self=False) if layer.weights}
    chosen = _last(model, list(known)) if wanted == "last" else list(wanted)
    for name in chosen:
        if name not in known:
            shown = ", ".join(list(known)[:20]) + (" …" if len(known) > 20 else "")
            raise FitError(
                what,
                f"trainable names the layer {name!r}, and those with weights are {shown}",
                "Name some of them." + did_you_mean(name, known),
            )
    _thaw(model)
    _freeze_others(model, set(chosen))


def _thaw(model: Any) -> None:
    """Let every layer learn: each is told, since TensorFlow passes over a model that is said to learn already."""
    for layer in model._flatten_layers():
        layer.trainable = True


def _last(model: Any, known: Sequence[str]) -> list[str]:
    """The layers that give the outputs, as far as they have weights; else the last of the model that has some."""
    giving = [tensor._keras_history.operation.name for tensor in getattr(model, "outputs", None) or ()]
    found = [name for name in giving if name in known]
    return found or [layer.name for layer in model.layers if layer.name in known][-1:]


def _freeze_others(layer: Any, chosen: set[str]) -> None:
    """Freeze all layers in this one but those; a layer in which one of them lies stays as it is."""
    for part in layer._flatten_layers(include_self=False, recursive=False):
        if part.name in chosen:
            continue
        if any(inner.name in chosen for inner in part._flatten_layers(include_self=False)):
            _freeze_others(part, chosen)
        else:
            part.trainable = False

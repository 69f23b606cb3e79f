"""Where a model comes from: a ready definition, a function of one's own, Keras's JSON, or a stored bundle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mercury_core import registry
from mercury_core.contracts import Fault
from mercury_core.errors import FitError, MissingColumnsError, PluginError, did_you_mean
from mercury_core.storage.uri import is_remote
from mercury_keras import definitions
from mercury_keras.backend import keras
from mercury_keras.definitions import DEFINITIONS
from mercury_keras.names import said

if TYPE_CHECKING:
    from mercury_keras.building import BuildSettings
    from mercury_keras.specs import InputSpec, OutputSpec

#: What a function that makes a model may ask for by the names of its parameters.
GIVEN = ("inputs", "outputs", "input_shape", "units")


def check_source(settings: BuildSettings) -> list[Fault]:
    """What is wrong with where the model comes from, without data."""
    given = [name for name in ("model", "config", "bundle") if getattr(settings, name) is not None]
    if len(given) != 1:
        return [
            Fault(
                (given[1],) if given else (),
                f"{' and '.join(given)} are given, and each says which model: leave out all but one."
                if given
                else "No model is named: say model (keras.mlp, keras.convnet, module:function), config or bundle.",
            )
        ]
    if settings.trusted and settings.bundle is None:
        return [Fault(("trusted",), "trusted is for a bundle, and none is given: leave it out.")]
    if settings.model is not None:
        return _function(settings.model)[2]
    if settings.config is not None:
        return _check_config(Path(settings.config))
    return _check_bundle(str(settings.bundle))


def obtain(
    settings: BuildSettings, inputs: Sequence[InputSpec], outputs: Sequence[OutputSpec], what: str
) -> tuple[Any, Sequence[InputSpec], Sequence[OutputSpec]]:
    """The model, not yet compiled for these data, with the inputs in its order and the outputs with its classes.

    Raises:
        FitError: It cannot be made, or a stored one is of other data.
        MissingColumnsError: Features are missing that a stored one takes.
    """
    if settings.bundle is not None:
        return _stored(str(settings.bundle), settings.trusted or (), inputs, outputs, what)
    if settings.config is not None:
        return _from_json(Path(settings.config), what), inputs, outputs
    if isinstance(settings.model, keras().Model):
        return settings.model, inputs, outputs
    function, params, _ = _function(settings.model)
    return _called(function, params, inputs, outputs, what), inputs, outputs


# --- a definition, or a function of one's own ---


def _function(model: Any) -> tuple[Any, dict[str, Any], list[Fault]]:
    """The function that makes a model, its parameters, and what is wrong with them."""
    at: tuple[str | int, ...] = ("model",)
    params: dict[str, Any] = {}
    if isinstance(model, keras().Model):
        return None, {}, []
    name = model
    if isinstance(model, Mapping):
        if "use" not in model:
            return (
                None,
                {},
                [Fault(at, "A model as a mapping needs 'use': {use: keras.mlp, and its parameters}.")],
            )
        name, params = model["use"], {str(key): value for key, value in model.items() if key != "use"}
        at = ("model", "use")
    if not isinstance(name, str):
        function = name
    elif ":" in name:
        try:
            function = registry.resolve("fit", name)
        except PluginError as error:
            return None, {}, [Fault(at, str(error))]
    else:
        function = DEFINITIONS.get(name)
        if function is None:
            near = did_you_mean(name, DEFINITIONS)
            told = f"There is no model {name!r}.{near} Expected {', '.join(DEFINITIONS)}, or module:function."
            return None, {}, [Fault(at, told)]
    if isinstance(function, keras().Model):
        return (lambda: function), {}, []
    if not callable(function):
        return None, {}, [Fault(at, f"{name!r} is no function that makes a model.")]
    return function, params, _check_params(function, params, name)


def _check_params(function: Callable[..., Any], params: Mapping[str, Any], name: Any) -> list[Fault]:
    from mercury_core.parameters import check

    try:
        parameters = signature(function).parameters
    except ValueError:  # written in C, without a signature
        return []
    given = tuple(one for one in GIVEN if one in parameters and one not in params) or ("inputs",)
    key = name if isinstance(name, str) else getattr(name, "__name__", "the model")
    faults = check("fit", key, function, params, given)
    if not faults and function in DEFINITIONS.values():
        faults = definitions.check(params)
    return [Fault(("model", *fault.path), fault.message) for fault in faults]


def _called(
    function: Callable[..., Any],
    params: Mapping[str, Any],
    inputs: Sequence[InputSpec],
    outputs: Sequence[OutputSpec],
    what: str,
) -> Any:
    one_input, one_output = len(inputs) == 1, len(outputs) == 1
    known = {
        "inputs": tuple(inputs),
        "outputs": tuple(outputs),
        "input_shape": inputs[0].shape if one_input else {one.name: one.shape for one in inputs},
        "units": outputs[0].units if one_output else {one.name: one.units for one in outputs},
    }
    takes = signature(function).parameters
    named = {
        name: value
        for name, value in known.items()
        if name in takes and takes[name].kind is not Parameter.VAR_POSITIONAL
    }
    try:
        model = function(**{**named, **params})
    except FitError:
        raise
    except Exception as error:
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        todo = "Change its parameters or the function."
        raise FitError(what, f"it cannot be made: {kind}{said(error)}", todo) from error
    if not isinstance(model, keras().Model):
        raise FitError(what, f"the function gives {type(model).__name__}", "Expected a Keras model.")
    return model


# --- Keras's JSON ---


def _check_config(path: Path) -> list[Fault]:
    import json

    at = ("config",)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return [Fault(at, f"There is no file {path}: expected what model.to_json() gives.")]
    except (OSError, ValueError) as error:
        return [Fault(at, f"{path} cannot be read as JSON: {said(error)}.")]
    if not isinstance(content, Mapping) or "class_name" not in content or "config" not in content:
        return [Fault(at, f"{path} is no model of Keras's: expected class_name and config, as model.to_json() gives.")]
    from mercury_keras.formats.trust import contents

    if refused := contents(content).refused:
        todo = "Make the model in a function of your own, model: module:function."
        return [Fault(at, f"{path} holds {'; '.join(dict.fromkeys(refused))}. {todo}")]
    return []


def _from_json(path: Path, what: str) -> Any:
    from mercury_keras import losses  # noqa: F401  (registers the loss with Keras)

    try:
        model = keras().models.model_from_json(path.read_text(encoding="utf-8"))
    except Exception as error:  # Keras raises whatever its layers raise
        todo = "Write it with model.to_json() of a Keras version like this one; it runs no code that the file brings."
        raise FitError(what, f"{path} makes no model: {said(error)}", todo) from error
    if not isinstance(model, keras().Model):
        raise FitError(what, f"{path} describes {type(model).__name__}", "Expected a model, as model.to_json() gives.")
    return model


# --- a stored bundle ---


def _check_bundle(place: str) -> list[Fault]:
    if is_remote(place) or (Path(place) / "mercury.json").is_file():
        return []
    return [Fault(("bundle",), f"There is no bundle at {place}: expected a directory that Mercury has saved.")]


def _stored(
    place: str, trusted: Sequence[str], inputs: Sequence[InputSpec], outputs: Sequence[OutputSpec], what: str
) -> tuple[Any, Sequence[InputSpec], Sequence[OutputSpec]]:
    from mercury_core import Bundle
    from mercury_keras.model import KerasModel

    stored = Bundle.load(place, trusted=trusted).model
    if not isinstance(stored, KerasModel) or not isinstance(stored.underlying, keras().Model):
        kind = type(stored.underlying).__name__
        raise FitError(
            what,
            f"{place} holds {kind}, which cannot be trained",
            "Expected a bundle of the format keras.native, keras.hdf5 or keras.weights.",
        )
    return stored.underlying, _same_inputs(stored.spec.inputs, inputs, what), _same_outputs(stored.spec, outputs, what)


def _same_inputs(known: Sequence[InputSpec], inputs: Sequence[InputSpec], what: str) -> tuple[InputSpec, ...]:
    given = [name for one in inputs for name in one.columns]
    missing = [name for one in known for name in one.columns if name not in given]
    if missing:
        raise MissingColumnsError("The training data of a stored model", missing, given)
    of_images = {one.name for one in inputs if one.image is not None}
    for one in known:
        if (one.image is not None) != (one.columns[0] in of_images):
            kind = "images" if one.image is not None else "numbers"
            raise FitError(what, f"the stored model takes {one.columns[0]!r} as {kind}", "Read the features likewise.")
    return tuple(known)


def _same_outputs(spec: Any, outputs: Sequence[OutputSpec], what: str) -> tuple[OutputSpec, ...]:
    """The outputs of now, with the classes of the stored model, which may be more than these data have."""
    from dataclasses import replace

    known = {one.name: one for one in spec.outputs}
    found = []
    for output in outputs:
        before = known.get(output.name)
        if before is None and len(outputs) == len(known) == 1:
            before = spec.outputs[0]
        if before is None:
            raise FitError(
                what,
                f"the stored model has the output{'s' * (len(known) > 1)} {', '.join(known)}, and these data make "
                f"{output.name}",
                "Name the targets of each output with outputs.",
            )
        if before.classes is None and output.classes is None:
            found.append(_in_order_of(before, output))
            continue
        new = [label for label in output.classes or () if label not in (before.classes or ())]
        if new or output.classes is None:
            shown = ", ".join(map(repr, before.classes or ())) or "numbers"
            raise FitError(
                what,
                f"the stored model predicts {shown}, and the target {output.targets[0]!r} has "
                f"{', '.join(map(repr, new)) or 'numbers'}",
                "Train on labels that it knows, or give it another last layer in a function of your own.",
            )
        found.append(replace(output, task=before.task, classes=before.classes, units=before.units))
    return tuple(found)


def _in_order_of(before: OutputSpec, output: OutputSpec) -> OutputSpec:
    """An output of now with its targets as the stored model has them, where these are the same ones."""
    from dataclasses import replace

    if sorted(before.targets) != sorted(output.targets):
        return output
    places = [output.targets.index(name) for name in before.targets]
    return replace(output, targets=before.targets, types=tuple(output.types[place] for place in places))

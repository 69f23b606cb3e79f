"""What the definition of a model would make Keras call: looked at before Keras sees it.

Keras's own layers, operations, initializers and so on are trusted. A class or a function of anybody else is one that
the user trusts by its full name, ``module:name``; and code that lies in the file itself is never run.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mercury_core.errors import BundleFormatError, UnsavableModelError, UntrustedTypeError
from mercury_keras.backend import keras
from mercury_keras.formats.common import NAME, first_line

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

_PLAIN = frozenset(
    {"__keras_tensor__", "__tensor__", "__numpy__", "__bytes__", "__ellipsis__", "__slice__", "__lambda__", "function"}
)
# Where Keras looks for a name that stands without a module.
_SPACES = ("activations", "constraints", "initializers", "losses", "metrics", "optimizers", "regularizers")
# Layers that hold code of their own, or read it from a file.
_CODE = frozenset({"TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
_VOCABULARY = frozenset({"StringLookup", "IntegerLookup", "TextVectorization"})


@dataclass(slots=True)
class Contents:
    """What stands in a definition.

    Attributes:
        custom: Names of classes and functions that are no part of Keras.
        refused: What is never loaded, each as part of a sentence.
        operations: Names of bare operations (``keras.ops``), which are no layers.
    """

    custom: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)
    operations: set[str] = field(default_factory=set)


def contents(config: Any) -> Contents:
    """Everything in a definition, as Keras writes it in any of its formats, that Keras would look up.

    Args:
        config: What JSON gave. How the outermost model was compiled is left out, since nothing here compiles it.
    """
    found = Contents()
    outermost = {key: value for key, value in config.items() if key != "compile_config"} if _is_dict(config) else config
    for node in _nodes(outermost):
        if isinstance(node, str):
            if node in _registered():
                found.custom.add(node)
        elif isinstance(node.get("class_name"), str):
            _look(node, found)
        elif "class_name" in node:
            found.refused.append(f"a class named {str(node['class_name'])[:40]}")
    return found


def objects(path: Any, config: Any, custom: Mapping[str, str], trusted: Collection[str]) -> dict[str, Any]:
    """What Keras is to be given as ``custom_objects``, once everything in a definition is trusted.

    Args:
        path: The file, for messages.
        config: The definition.
        custom: The full names that stand beside it; see `common.Beside`.
        trusted: The full names (or the names under which a class is registered with Keras) that the user trusts.

    Raises:
        BundleFormatError: It holds code, or a class that cannot be imported.
        UntrustedTypeError: It names classes or functions that are not trusted.
    """
    trusted = {trusted} if isinstance(trusted, str) else set(trusted)
    found = contents(config)
    if found.refused:
        raise BundleFormatError(str(path), f"it holds {'; '.join(dict.fromkeys(found.refused))}")
    foreign = {custom.get(name, name) for name in found.custom if not {name, custom.get(name)} & trusted}
    if foreign:
        raise UntrustedTypeError(str(path), foreign)
    # A full name that stands in the file is only followed where it is the one that was trusted.
    references = {name: custom[name] if custom.get(name) in trusted else "" for name in sorted(found.custom)}
    return {name: _imported(path, name, reference) for name, reference in references.items()}


def customs(model: Any, config: Any, what: str, *, legacy: bool = False) -> dict[str, str]:
    """The full names of what a model uses beyond Keras, by the names that its definition has for them.

    Args:
        model: A Keras model.
        config: Its definition.
        what: The model, for messages.
        legacy: Whether it is for the older format, which knows layers only.

    Raises:
        UnsavableModelError: It uses something that could not be found again.
    """
    found = contents(config)
    if found.refused:
        todo = "Write a layer of your own in a module, with @keras.saving.register_keras_serializable()."
        raise UnsavableModelError(what, f"it holds {'; '.join(dict.fromkeys(found.refused))}", todo)
    other = f"calls {', '.join(sorted(found.operations))} of keras.ops" if found.operations else ""
    if not isinstance(model, (keras().Sequential, sys.modules["keras.src.models"].Functional)):
        other = f"is a class of its own, {type(model).__qualname__}"
    if legacy and other:
        why = f"a .h5 file keeps nothing but layers, and the model {other}"
        raise UnsavableModelError(what, why, "Choose the format keras.native.")
    used = {_name_of(type(layer)): type(layer) for layer in _layers(model)}
    full = {}
    for name in sorted(found.custom):
        obj = used.get(name) or _registered().get(name)
        reference = f"{getattr(obj, '__module__', None)}:{getattr(obj, '__qualname__', None)}"
        if obj is None or obj.__module__ == "__main__" or "<" in reference or _at(reference) is not obj:
            raise UnsavableModelError(
                what,
                f"no name leads to {name!r} again",
                "Define it at the top level of a module that can be imported wherever the model is loaded, with "
                "@keras.saving.register_keras_serializable().",
            )
        full[name] = reference
    return full


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _nodes(root: Any) -> Iterator[Any]:
    """Every mapping and every text in it, without recursion, which a file could exhaust."""
    stack = [root]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, str):
            yield node


def _look(node: dict[str, Any], found: Contents) -> None:
    name, module, inner = node["class_name"], node.get("module"), node.get("config")
    if name == "__lambda__":
        found.refused.append("a Python lambda, whose code lies in the file")
    elif name == "function":
        if not isinstance(inner, str):
            found.refused.append("a function without a name")
        elif not _is_keras_function(module, inner):
            found.custom.add(inner)
    elif name not in _PLAIN:
        registered = node.get("registered_name")
        registered = registered if isinstance(registered, str) else name
        is_own = bool({registered, name} & _registered().keys())
        cls = None if is_own else _keras_class(module, name)
        if cls is None and not is_own and _is_lacking(module, name):
            found.refused.append(f"{name} of {module}, which Keras {keras().__version__} does not have")
        elif cls is None:
            found.custom.add(registered)
        if cls is None:
            return
        if issubclass(cls, keras().Operation) and not issubclass(cls, keras().layers.Layer):
            found.operations.add(name)
        _look_at_layer(cls.__name__, inner if isinstance(inner, dict) else {}, found)


def _look_at_layer(name: str, config: dict[str, Any], found: Contents) -> None:
    if name in _CODE:
        found.refused.append(f"the layer {name}, which brings code of its own")
    elif name == "Lambda" and not _is_named(config.get("function")):
        found.refused.append("a Lambda layer, whose code lies in the file")
    elif name in _VOCABULARY and isinstance(config.get("vocabulary"), str):
        found.refused.append(f"a {name} that reads the file {config['vocabulary']!r} of this machine")


def _is_named(function: Any) -> bool:
    return isinstance(function, dict) and function.get("class_name") == "function"


def _registered() -> Mapping[str, Any]:
    """Everything that was registered with Keras in this process: it goes before Keras's own names."""
    found: Mapping[str, Any] = keras().saving.get_custom_objects()
    return found


def _keras_class(module: Any, name: str) -> type | None:
    """A class of Keras that a model may be made of; no module is imported for it."""
    k = keras()
    bases = (
        k.Operation,
        k.Initializer,
        k.Regularizer,
        k.constraints.Constraint,
        k.Loss,
        k.Metric,
        k.Optimizer,
        k.optimizers.schedules.LearningRateSchedule,
        k.DTypePolicy,
        k.Quantizer,
        getattr(k.quantizers, "QuantizationConfig", k.Quantizer),  # of later versions
    )
    if module is None:
        spaces = [k, k.layers, k.models, *(getattr(k, space) for space in _SPACES), sys.modules["keras.src.models"]]
    elif isinstance(module, str) and (module == "keras" or module.startswith("keras.")):
        spaces = [_public(module), sys.modules.get(module)]
    else:
        spaces = []
    for space in spaces:
        cls = getattr(space, name, None)
        if isinstance(cls, type) and issubclass(cls, bases) and cls.__module__.startswith("keras."):
            return cls
    return None


def _is_lacking(module: Any, name: str) -> bool:
    """Whether a public name space of Keras has no such name: that of another version may."""
    space = _public(module) if isinstance(module, str) and module.startswith("keras.") else None
    return space is not None and not hasattr(space, name)


def _is_keras_function(module: Any, name: str) -> bool:
    if name in _registered():
        return False
    k = keras()
    if module in (None, "builtins"):
        spaces = [getattr(k, space) for space in _SPACES]
    elif isinstance(module, str) and module in ("keras.ops", *(f"keras.{space}" for space in _SPACES)):
        spaces = [_public(module)]
    else:
        spaces = []
    return any(callable(getattr(space, name, None)) for space in spaces)


def _public(module: str) -> Any:
    """A public name space of Keras, as ``keras.optimizers.schedules``, or None."""
    space = keras()
    for part in module.split(".")[1:]:
        space = getattr(space, part, None)
    return space


def _layers(model: Any) -> Iterator[Any]:
    """The model and all layers in it, however deep, each once."""
    seen: set[int] = set()
    stack = [model]
    while stack:
        layer = stack.pop()
        if id(layer) not in seen:
            seen.add(id(layer))
            yield layer
            stack.extend(getattr(layer, "_layers", ()))


def _name_of(cls: type) -> str:
    name: str = keras().saving.get_registered_name(cls)
    return name


def _at(reference: str) -> Any:
    """What is at ``module:name``, among the modules that are imported; else None."""
    module, _, name = reference.partition(":")
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _imported(path: Any, name: str, reference: str) -> Any:
    """What is trusted: by its full name, or without one by the name under which it was registered in this process."""
    if reference:
        try:
            import_module(reference.partition(":")[0])
        except Exception as error:  # the module of the user may raise anything
            todo = "install it, or put its directory on PYTHONPATH"
            raise BundleFormatError(
                str(path), f"{reference} cannot be imported ({first_line(error)}): {todo}"
            ) from error
    registered = _registered().get(name)
    found = _at(reference) if reference else registered
    if found is not None and registered not in (None, found):  # Keras would take the one that is registered
        why = f"its {name!r} is {reference} by its {NAME}, and something else is registered with Keras as that"
        raise BundleFormatError(str(path), why)
    if found is None:
        why = f"nothing is registered with Keras as {name!r}: import the module that defines it"
        raise BundleFormatError(str(path), f"{reference} is not there" if reference else why)
    return found

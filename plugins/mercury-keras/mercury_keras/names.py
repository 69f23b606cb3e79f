"""Keras's objects by Keras's own names: optimizers, losses, metrics, callbacks, schedules, layers.

A name is that of the class, in any case, with or without underscores (``EarlyStopping``, ``early_stopping``), or one of
Keras's short forms (``mse``). Everything that is wrong is found at once, before anything is trained.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import Parameter, isclass, isfunction, signature
from typing import Any, Literal

from mercury_core import registry
from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError, PluginError, did_you_mean
from mercury_keras.backend import keras

Kind = Literal[
    "optimizer", "loss", "metric", "callback", "schedule", "layer", "regularizer", "initializer", "constraint"
]
Path = tuple[str | int, ...]

#: Where Keras keeps each kind, and the class that all of it derives from.
_HOMES: dict[Kind, tuple[str, str]] = {
    "optimizer": ("optimizers", "Optimizer"),
    "loss": ("losses", "Loss"),
    "metric": ("metrics", "Metric"),
    "callback": ("callbacks", "Callback"),
    "schedule": ("optimizers.schedules", "LearningRateSchedule"),
    "layer": ("layers", "Layer"),
    "regularizer": ("regularizers", "Regularizer"),
    "initializer": ("initializers", "Initializer"),
    "constraint": ("constraints", "Constraint"),
}
_ARTICLES = {"optimizer": "an optimizer", "initializer": "an initializer"}
#: What stands there and is none to choose.
_NO_CHOICE = {"CallbackList", "Mean", "MeanMetricWrapper", "Sum"}
_SHORT = {
    "bce": "binarycrossentropy",
    "kld": "kldivergence",
    "mae": "meanabsoluteerror",
    "mape": "meanabsolutepercentageerror",
    "mse": "meansquarederror",
    "msle": "meansquaredlogarithmicerror",
}
#: Parameters whose value is another object of Keras's, by how their names end.
_NESTED: dict[str, Kind] = {
    "learning_rate": "schedule",
    "optimizer": "optimizer",
    "regularizer": "regularizer",
    "initializer": "initializer",
    "constraint": "constraint",
    "layer": "layer",
    "layers": "layer",
}
#: Parameters of callbacks that take a function.
_FUNCTIONS = ("schedule", "on_")


def make(kind: Kind, item: Any, *, at: Path = (), more: Mapping[str, Any] | None = None) -> tuple[Any, list[Fault]]:
    """Make one of Keras's objects.

    Args:
        kind: What it must be.
        item: A name of Keras's (``Adam`` or ``adam``), ``{use: NAME, **params}``, Keras's serialised ``{class_name: …,
            config: …}``, ``module:name`` of one's own, or such an object, which is given back.
        at: Where it stands, for the faults.
        more: Parameters that hold where `item` does not give them, and where the object has them.

    Returns:
        The object (None where there are faults), and everything that is wrong with it. An own function is given back
        with its parameters bound; it is called for the object only where it takes no targets and predictions.

    Examples:
        >>> make("optimizer", {"use": "adam", "learning_rat": 0.1})[1][0].message
        "Adam has no parameter 'learning_rat'. Did you mean 'learning_rate'?"
        >>> make("callback", "early_stoping")[1][0].message
        "Keras has no callback 'early_stoping'. Did you mean 'EarlyStopping'?"
    """
    maker = _Maker()
    made = maker.make(kind, item, at, dict(more or {}))
    return (None if maker.faults else made), maker.faults


def create(kind: Kind, item: Any, *, use: str = "keras.fit", verb: str = "fit") -> Any:
    """As `make`, and raise what is wrong.

    Raises:
        ArgumentsError: With every fault, for the provider `use` of `verb`.
    """
    made, faults = make(kind, item)
    if faults:
        raise ArgumentsError(verb, use, [fault.message for fault in faults])
    return made


def names_of(kind: Kind) -> tuple[str, ...]:
    """The class names of that kind, sorted."""
    return tuple(sorted({name for name, _ in _named(kind).values()}))


def key_of(item: Any) -> str | None:
    """The name in `item`, as it is written there; None for an object and for what names nothing."""
    if isinstance(item, Mapping):
        item = item.get("use", item.get("class_name"))
    return item if isinstance(item, str) else None


def class_of(kind: Kind, item: Any) -> type | None:
    """The class that `item` names or is an instance of; None for an own function and for an unknown name."""
    if isinstance(item, _base(kind)):
        return type(item)
    key = key_of(item)
    return None if key is None or ":" in key else _classes(kind).get(_plain(key))


def _base(kind: Kind) -> type:
    module, base = _HOMES[kind]
    found: type = getattr(_module(module), base)
    return found


def _module(path: str) -> Any:
    found = keras()
    for part in path.split("."):
        found = getattr(found, part)
    return found


def _classes(kind: Kind) -> dict[str, Any]:
    """The classes of a kind by their plain names, and by Keras's short forms."""
    found = {plain: value for plain, (_, value) in _named(kind).items()}
    if kind in ("loss", "metric"):
        found.update({short: found[full] for short, full in _SHORT.items() if full in found})
    return found


def _named(kind: Kind) -> dict[str, tuple[str, Any]]:
    """Names and classes by plain names."""
    home, base = _module(_HOMES[kind][0]), _base(kind)
    found = {
        _plain(name): (name, value)
        for name, value in vars(home).items()
        if name not in _NO_CHOICE and isclass(value) and issubclass(value, base) and value is not base
    }
    if kind == "loss":
        from mercury_keras.losses import WeightedBinaryCrossentropy

        found["weightedbinarycrossentropy"] = ("WeightedBinaryCrossentropy", WeightedBinaryCrossentropy)
    return found


def _plain(name: str) -> str:
    return name.replace("_", "").lower()


class _Maker:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, path: Path, message: str) -> None:
        self.faults.append(Fault(path, message))

    def make(self, kind: Kind, item: Any, at: Path, more: dict[str, Any]) -> Any:
        if isinstance(item, _base(kind)):
            return item
        if isinstance(item, Mapping) and "class_name" in item:
            return self.serialised(kind, item, at)
        if isinstance(item, Mapping) and "use" in item:
            params = {str(name): value for name, value in item.items() if name != "use"}
            return self.named(kind, item["use"], params, (*at, "use"), at, more)
        if isinstance(item, str) or callable(item):
            return self.named(kind, item, {}, at, at, more)
        return self.fault(
            at,
            f"{item!r} is no {kind}: expected a name of Keras's, {{use: NAME, and its parameters}}, or module:name of "
            f"one's own.",
        )

    def named(
        self, kind: Kind, name: Any, params: dict[str, Any], name_at: Path, at: Path, more: dict[str, Any]
    ) -> Any:
        if callable(name):
            return self.own(kind, name, params, name_at, at, more)
        if not isinstance(name, str):
            return self.fault(name_at, f"{name!r} is no name of {_ARTICLES.get(kind, f'a {kind}')}.")
        if ":" in name:
            try:
                found = registry.resolve("fit", name)
            except PluginError as error:
                return self.fault(name_at, str(error))
            return self.own(kind, found, params, name_at, at, more)
        found = _classes(kind).get(_plain(name))
        if found is None:
            return self.unknown(kind, name, name_at)
        return self.instance(found, params, at, more)

    def unknown(self, kind: Kind, name: str, at: Path) -> None:
        names = names_of(kind)
        near = did_you_mean(name, names) or did_you_mean(name.replace("_", ""), names)
        self.fault(at, f"Keras has no {kind} {name!r}.{near or f' It has: {chr(44).join(names)}.'.replace(',', ', ')}")

    def own(self, kind: Kind, found: Any, params: dict[str, Any], name_at: Path, at: Path, more: dict[str, Any]) -> Any:
        """What somebody's own reference leads to: an object, a class, a function that is one or that makes one."""
        base = _base(kind)
        if isinstance(found, base):
            return found
        if kind in ("loss", "metric") and isfunction(found) and _takes_two(found, params):
            return self.measure(kind, found, params, at)
        made = self.instance(found, params, at, more if isclass(found) else {})
        if made is None or isinstance(made, base) or (kind in ("loss", "metric") and callable(made)):
            return made
        return self.fault(name_at, f"{_name(found)} gives {type(made).__name__}, and not {base.__name__} of Keras.")

    def measure(self, kind: Kind, function: Any, params: dict[str, Any], at: Path) -> Any:
        """A function of targets and predictions, with its further parameters bound."""
        if not params:
            return function
        if not self.fits(function, params, at, given=2):
            return None
        if kind == "loss":
            bound = lambda y_true, y_pred: function(y_true, y_pred, **params)  # noqa: E731
            bound.__name__ = _name(function)
            return bound
        return keras().metrics.MeanMetricWrapper(function, name=_name(function), **params)

    def serialised(self, kind: Kind, item: Mapping[str, Any], at: Path) -> Any:
        """Keras's own form, of what Keras has or what is registered with it; no code of the config is run."""
        loaded = keras()
        name, config = item["class_name"], item.get("config") or {}
        if not isinstance(name, str) or not isinstance(config, Mapping):
            return self.fault(at, "Keras's serialised form is {class_name: NAME, config: {...}}.")
        registered = item.get("registered_name")
        own = loaded.saving.get_registered_object(registered or name)
        found = own or _classes(kind).get(_plain(name))
        if found is None:
            return self.unknown(kind, name, (*at, "class_name"))
        if not self.fits(found, config, (*at, "config")):
            return None
        module = None if own else f"keras.{_HOMES[kind][0]}"
        form = {"module": module, "class_name": found.__name__, "config": dict(config), "registered_name": registered}
        return self.called(found, (*at, "config"), lambda: loaded.saving.deserialize_keras_object(form))

    def instance(self, found: Any, params: dict[str, Any], at: Path, more: dict[str, Any]) -> Any:
        before = len(self.faults)
        accepted = _parameters(found)
        params = {name: value for name, value in more.items() if name in accepted} | params
        self.fits(found, params, at, need=True)
        values = {name: self.value(name, value, (*at, name)) for name, value in params.items()}
        if len(self.faults) > before:
            return None
        return self.called(found, at, lambda: found(**values))

    def fits(self, found: Any, params: Mapping[str, Any], at: Path, *, given: int = 0, need: bool = False) -> bool:
        """Whether parameters are those of a class or function, whose first `given` ones are not to be named."""
        accepted = _parameters(found)
        names = [name for name in accepted if name is not None][given:]
        before = len(self.faults)
        for name, value in params.items():
            if name not in names and None not in accepted:
                near = did_you_mean(name, names) or (f" It has: {', '.join(names)}." if names else " It has none.")
                self.fault((*at, name), f"{_name(found)} has no parameter {name!r}.{near}")
            elif isinstance(value, str) and type(accepted.get(name)) in (bool, int, float):
                self.fault((*at, name), f"{name} of {_name(found)} must be a number: got the text {value!r}.")
        for name in names if need else ():
            if accepted[name] is Parameter.empty and name not in params:
                self.fault(at, f"{_name(found)} needs the parameter {name!r}.")
        return len(self.faults) == before

    def value(self, name: str, value: Any, at: Path) -> Any:
        """A parameter: an object of Keras's where it is written as one."""
        if isinstance(value, str) and ":" in value and name.startswith(_FUNCTIONS):
            try:
                return registry.resolve("fit", value)
            except PluginError as error:
                return self.fault(at, str(error))
        if isinstance(value, list):
            return [self.value(name, each, (*at, place)) for place, each in enumerate(value)]
        if not isinstance(value, Mapping) or not ("use" in value or "class_name" in value):
            return value
        kind = next((kind for end, kind in _NESTED.items() if name.endswith(end)), None)
        if kind is None:
            return self.fault(at, f"{name} takes no object of Keras's: expected a plain value.")
        return self.make(kind, value, at, {})

    def called(self, found: Any, at: Path, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except Exception as error:  # noqa: BLE001 - whatever refuses its arguments is a fault of this config
            return self.fault(at, f"{_name(found)} cannot be made: {said(error)}.")


def said(error: BaseException, most: int = 300) -> str:
    """What an error of Keras's says, in one line without a full stop; its class where it says nothing."""
    text = " ".join(str(error).split()).rstrip(".")
    return (text if len(text) <= most else f"{text[:most]} …") or type(error).__name__


def _name(found: Any) -> str:
    return getattr(found, "__name__", type(found).__name__)


def _takes_two(function: Any, params: Mapping[str, Any]) -> bool:
    """Whether a function takes targets and predictions, and so is a loss or a metric, and does not make one."""
    needed = [
        one.name
        for one in signature(function).parameters.values()
        if one.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
        and one.default is Parameter.empty
        and one.name not in params
    ]
    return len(needed) == 2


def _parameters(found: Any) -> dict[str | None, Any]:
    """The default of each parameter; the key None says that it takes any.

    What a class hands on as ``**kwargs`` is that of the classes above it.
    """
    if not isclass(found):
        return _of(found)
    accepted: dict[str | None, Any] = {}
    for each in found.__mro__:
        if "__init__" not in vars(each):
            continue
        own = _of(vars(each)["__init__"], skip=1)
        # What a class above needs, the one below gives.
        needed = None if accepted else Parameter.empty
        own = {name: needed if default is Parameter.empty else default for name, default in own.items()}
        accepted = {**{name: default for name, default in own.items() if name is not None}, **accepted}
        if None not in own:
            return accepted
        if each is keras().layers.Layer or each.__module__.endswith("base_optimizer"):
            return accepted  # which refuse what is left
    return {**accepted, None: None}


def _of(function: Any, skip: int = 0) -> dict[str | None, Any]:
    try:
        parameters = list(signature(function).parameters.values())[skip:]
    except ValueError:  # written in C, without a signature
        return {None: None}
    return {
        None if one.kind is Parameter.VAR_KEYWORD else one.name: one.default
        for one in parameters
        if one.kind is not Parameter.VAR_POSITIONAL
    }


def takes(found: Any, parameter: str) -> bool:
    """Whether a class or function has a parameter of that name."""
    return parameter in _parameters(found)

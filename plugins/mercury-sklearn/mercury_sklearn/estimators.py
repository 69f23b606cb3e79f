"""From a config to an estimator: class names, import paths, nested estimators, pipelines; everything wrong at once."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from inspect import Parameter, signature
from typing import Any

from mercury_core.contracts import Fault
from mercury_core.errors import did_you_mean
from mercury_sklearn.names import ESTIMATORS, EXPERIMENTAL, MODULES

Path = tuple[str | int, ...]

# Parameters that hold named estimators, each a list of (name, estimator) or (name, estimator, columns).
_NAMED = ("estimators", "steps", "transformer_list", "transformers")
_KEYS = ("use", "params", "name", "columns")


def build(
    estimator: Any,
    params: Mapping[str, Any] | None = None,
    *,
    at: Path = ("estimator",),
    params_at: Path = ("params",),
) -> tuple[Any, list[Fault]]:
    """Make an unfitted estimator.

    Args:
        estimator: A class name of scikit-learn, an import path (``package.module.Class`` or ``package.module:Class``),
            a class, an estimator (which is cloned), ``{use: NAME, params: {...}}``, or a list of those, which makes
            a pipeline.
        params: Its parameters; nested estimators as ``{use: NAME, params: {...}}``.
        at: Where `estimator` stands, for the faults.
        params_at: Where `params` stand.

    Returns:
        The estimator (None where there are faults) and everything that is wrong with it.

    Examples:
        >>> build("Ridge", {"alpha": 2})[0]
        Ridge(alpha=2)
        >>> build("Ridge", {"alfa": 2})[1][0].message
        "Ridge has no parameter 'alfa'. Did you mean 'alpha'?"
    """
    builder = _Builder()
    made = builder.make(estimator, dict(params or {}), at, params_at)
    return (None if builder.faults else made), builder.faults


def describe(estimator: Any) -> str:
    """The class names of an estimator, those of a pipeline in their order."""
    steps = getattr(estimator, "steps", None)
    if isinstance(steps, list) and type(estimator).__name__ == "Pipeline":
        return " -> ".join(part if isinstance(part, str) else describe(part) for _, part in steps)
    return type(estimator).__name__


class _Builder:
    def __init__(self) -> None:
        self.faults: list[Fault] = []

    def fault(self, path: Path, message: str) -> Any:
        """Note a fault; gives back None, in place of what could not be made."""
        self.faults.append(Fault(path, message))
        return None

    def make(self, spec: Any, params: dict[str, Any], at: Path, params_at: Path) -> Any:
        if isinstance(spec, str):
            found = self.find(spec, at)
            return None if found is None else self.instance(found, params, params_at)
        if isinstance(spec, Mapping):
            return self.nested(spec, at, params)
        if isinstance(spec, list | tuple):
            from sklearn.pipeline import Pipeline

            if not spec:
                return self.fault(
                    at, "The list of steps is empty: name at least one estimator, as [{use: LinearRegression}]."
                )
            return self.instance(Pipeline, {"steps": spec, **params}, params_at, {"steps": at})
        if isinstance(spec, type):
            return self.instance(spec, params, params_at)
        if hasattr(spec, "fit"):
            return self.clone(spec, params, params_at)
        return self.fault(
            at,
            f"{spec!r} is no estimator: expected a class name as LogisticRegression, an import path as "
            f"package.module.Class, {{use: NAME, params: {{...}}}} or a list of those.",
        )

    def nested(self, spec: Mapping[str, Any], at: Path, more: Mapping[str, Any] | None = None) -> Any:
        unknown = [key for key in spec if key not in _KEYS]
        for key in unknown:
            self.fault(
                (*at, str(key)),
                f"An estimator has no key {str(key)!r}: expected use and params.{did_you_mean(str(key), _KEYS)}",
            )
        if "use" not in spec:
            return self.fault(
                at, "An estimator given as a mapping needs 'use', its class name: {use: NAME, params: {...}}."
            )
        params = spec.get("params") or {}
        if not isinstance(params, Mapping):
            return self.fault((*at, "params"), f"params is {params!r}: expected a mapping from parameter to value.")
        return self.make(spec["use"], {**params, **(more or {})}, (*at, "use"), (*at, "params"))

    def find(self, name: str, at: Path) -> Any:
        module, colon, attribute = name.partition(":")
        if not colon:
            module, _, attribute = name.rpartition(".")
        known = MODULES.get(name)
        if known:
            module, attribute = known, name
        elif not module:
            from sklearn import __version__

            near = did_you_mean(name, ESTIMATORS)
            return self.fault(
                at,
                f"There is no estimator {name!r} in scikit-learn {__version__}.{near} "
                f"An estimator of another package is named by its import path, package.module.Class.",
            )
        try:
            if name in EXPERIMENTAL:
                importlib.import_module(EXPERIMENTAL[name])
            holder = importlib.import_module(module)
        except Exception as error:  # noqa: BLE001 - whatever somebody else's import raises is a fault of this config
            return self.fault(at, f"The estimator {name!r} cannot be imported: {type(error).__name__}: {error}.")
        found: Any = holder
        for part in attribute.split("."):
            found = getattr(found, part, None)
        if isinstance(found, type):
            return found
        if known:
            from sklearn import __version__

            return self.fault(at, f"scikit-learn {__version__} has no {name}: choose another estimator or version.")
        classes = [key for key, value in vars(holder).items() if isinstance(value, type)]
        return self.fault(at, f"The module {module} has no class {attribute!r}.{did_you_mean(attribute, classes)}")

    def instance(self, kind: type, params: dict[str, Any], at: Path, places: Mapping[str, Path] | None = None) -> Any:
        accepted = _parameters(kind)
        own = {name: value for name, value in params.items() if name in accepted or "__" not in name}
        deep = {name: value for name, value in params.items() if name not in own}
        before = len(self.faults)
        values: dict[str, Any] = {}
        for name, value in own.items():
            place = (places or {}).get(name, (*at, name))
            if name not in accepted and None not in accepted:
                near = did_you_mean(name, [key for key in accepted if key])
                self.fault(place, f"{kind.__name__} has no parameter {name!r}.{near}")
                continue
            so_far = len(self.faults)
            made = self.named(value, place) if name in _NAMED else self.value(value, place)
            values[name] = made if len(self.faults) > so_far else self.valid(kind, name, made, place)
        for needed in [key for key, required in accepted.items() if required and key not in params]:
            self.fault(at, f"{kind.__name__} needs the parameter {needed!r}.")
        if len(self.faults) > before:
            return None
        try:
            estimator = kind(**values)
        except Exception as error:  # noqa: BLE001 - a constructor that refuses its arguments is a fault of this config
            return self.fault(at, f"{kind.__name__} cannot be made: {type(error).__name__}: {error}.")
        return self.assign(estimator, deep, at)

    def clone(self, estimator: Any, params: dict[str, Any], at: Path) -> Any:
        if not params and not hasattr(estimator, "get_params"):
            return estimator
        from sklearn.base import clone

        return self.assign(clone(estimator), params, at)

    def assign(self, estimator: Any, params: Mapping[str, Any], at: Path) -> Any:
        """Set parameters by scikit-learn's deep names, as ``logisticregression__C``."""
        for name, value in params.items():
            known = estimator.get_params(deep=True) if hasattr(estimator, "get_params") else {}
            if name not in known:
                self.fault((*at, name), f"{describe(estimator)} has no parameter {name!r}.{did_you_mean(name, known)}")
                continue
            owner = known[name.rpartition("__")[0]] if "__" in name else estimator
            so_far = len(self.faults)
            made = self.value(value, (*at, name))
            if len(self.faults) == so_far:
                made = self.valid(type(owner), name.rpartition("__")[2], made, (*at, name))
                estimator.set_params(**{name: made})
        return estimator

    def value(self, value: Any, at: Path) -> Any:
        if isinstance(value, Mapping):
            return (
                self.nested(value, at)
                if "use" in value
                else {key: self.value(part, (*at, key)) for key, part in value.items()}
            )
        if isinstance(value, list | tuple):
            return type(value)([self.value(part, (*at, place)) for place, part in enumerate(value)])
        return value

    def named(self, value: Any, at: Path) -> Any:
        """Named estimators, from ``{name: {use: …}}`` or a list of ``{use: …}``, class names, ``[name, {use: …}]``."""
        if isinstance(value, Mapping):
            return [(name, self.estimator(part, (*at, name)), *_columns(part)) for name, part in value.items()]
        if not isinstance(value, list | tuple):
            return value
        parts = [self.part(part, (*at, place)) for place, part in enumerate(value)]
        automatic = [part[1] for part in parts if part[0] is None]
        names = iter(_names(automatic))
        return [(next(names) if name is None else name, *rest) for name, *rest in parts]

    def part(self, part: Any, at: Path) -> tuple[Any, ...]:
        if isinstance(part, list | tuple) and part and isinstance(part[0], str):
            made = [self.estimator(part[1], (*at, 1))] if len(part) > 1 else []
            return (part[0], *made, *part[2:])
        name = part.get("name") if isinstance(part, Mapping) else None
        return (name, self.estimator(part, at), *_columns(part))

    def estimator(self, spec: Any, at: Path) -> Any:
        return spec if spec in ("passthrough", "drop", None) else self.make(spec, {}, at, at)

    def valid(self, kind: type, name: str, value: Any, at: Path) -> Any:
        """A value that scikit-learn's own constraints take: a list as a tuple, ``module:name`` as its function."""
        constraints = getattr(kind, "_parameter_constraints", {})
        if not isinstance(constraints, dict) or name not in constraints:
            return value
        from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

        tries = [value]
        if isinstance(value, list):
            tries.append(tuple(value))
        if isinstance(value, str) and ":" in value and (function := _function(value)) is not None:
            tries.append(function)
        refusal = ""
        for attempt in tries:
            try:
                validate_parameter_constraints({name: constraints[name]}, {name: attempt}, kind.__name__)
            except InvalidParameterError as error:
                refusal = refusal or str(error)
            else:
                return attempt
        return self.fault(at, refusal)


def _parameters(kind: type) -> dict[str | None, bool]:
    """Whether each parameter of a class is required; the key None says that it takes any."""
    found: dict[str | None, bool] = {}
    try:
        parameters = signature(kind).parameters
    except ValueError:  # a class written in C, without a signature
        return {None: False}
    for parameter in parameters.values():
        if parameter.kind is Parameter.VAR_KEYWORD:
            found[None] = False
        elif parameter.kind is not Parameter.VAR_POSITIONAL:
            found[parameter.name] = parameter.default is Parameter.empty
    return found


def _columns(part: Any) -> tuple[Any, ...]:
    return (part["columns"],) if isinstance(part, Mapping) and "columns" in part else ()


def _function(reference: str) -> Any:
    module, _, name = reference.partition(":")
    try:
        found = getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None
    return found if callable(found) else None


def _names(estimators: list[Any]) -> list[str]:
    """Lower-case class names, numbered where one comes more than once: as scikit-learn's `make_pipeline` does."""
    names = [part if isinstance(part, str) else type(part).__name__.lower() for part in estimators]
    return [
        f"{name}-{names[: place + 1].count(name)}" if names.count(name) > 1 else name
        for place, name in enumerate(names)
    ]

"""Arguments of a provider, compared with what it takes: names, types, and what it knows of them itself.

A provider needs to do nothing for it: its signature and its type hints are read.
"""

from __future__ import annotations

import inspect
import re
from pathlib import PurePath
from types import UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

from mercury_core.contracts import Fault, ParamsChecker
from mercury_core.errors import ArgumentsError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

#: What the core hands over itself, where a caller does not say otherwise. Of a transform function it is the data.
GIVEN = {
    "read": ("source", "columns", "store"),
    "fit": ("bunch",),
    "evaluate": ("targets", "predictions", "sample_weight"),
    "save": ("model", "artifact", "path"),
    "serve": ("bundle",),
}
_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
_REDUNDANT = re.compile(r"^Expected [\w| ]+, (?=got [a-zA-Z])")
_PLAIN = (str, int, float, bool, type(None))  # seen to fit without msgspec, whose import takes 8 ms
_STEP = re.compile(r"\[(\d+)\]|\.(\w+)")


def check(verb: str, key: str, provider: Any, params: Mapping[str, Any], given: Collection[str] = ()) -> list[Fault]:
    """Compare arguments with a provider's signature and type hints, without calling it.

    An int serves for a float, a string for a path, a list for a tuple or a set. A hint that cannot be resolved or
    checked accepts anything, and so does ``**params`` of a provider.

    Args:
        verb: The verb of the provider.
        key: Its key, for messages.
        provider: The provider: a function, a class (its ``__init__`` counts), an object with ``__call__``, or a format.
        params: Its keyword arguments.
        given: The names that the core hands over: they are neither missing nor to be given. Without it, those that
            the verb implies.

    Returns:
        Everything that is wrong, in the order of `params`, then what is missing. A provider that is a `ParamsChecker`
        is asked only where nothing else is wrong.

    Examples:
        >>> def read_lines(source: str, max_rows: int = 100) -> list[str]: ...
        >>> [fault.message for fault in check("read", "lines", read_lines, {"max_row": 5})]
        ["The provider 'lines' has no parameter 'max_row'. Did you mean 'max_rows'?"]
        >>> [fault.message for fault in check("read", "lines", read_lines, {"max_rows": "many"})]
        ["The parameter 'max_rows' of 'lines' must be int: got str."]
    """
    function = _called(verb, provider)
    try:
        signature = inspect.signature(function)
    except ValueError:  # written in C, without a signature
        return _own_faults(provider, params)
    hints = _hints(function)
    taken = _given(verb, function, signature, given)
    named = {
        name: parameter
        for name, parameter in signature.parameters.items()
        if parameter.kind in (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    }
    free = {name: parameter for name, parameter in named.items() if name not in taken}
    rest = next((name for name, one in signature.parameters.items() if one.kind is inspect.Parameter.VAR_KEYWORD), None)
    faults = []
    for name, value in params.items():
        if name in taken:
            faults.append(Fault((name,), f"The parameter {name!r} of {key!r} is given by Mercury: leave it out."))
        elif name in free:
            faults += _type_faults(key, name, value, hints.get(name, Any))
        elif rest is not None:
            faults += _type_faults(key, name, value, hints.get(rest, Any))
        else:
            hint = did_you_mean(name, free) or (f" It has: {', '.join(free)}." if free else " It has none.")
            faults.append(Fault((name,), f"The provider {key!r} has no parameter {name!r}.{hint}"))
    for name, parameter in free.items():
        if parameter.default is inspect.Parameter.empty and name not in params:
            expected = f": {_shown(hints[name])}" if name in hints else ""
            faults.append(Fault((name,), f"The provider {key!r} needs the parameter {name!r}{expected}."))
    return faults or _own_faults(provider, params)


def require(verb: str, key: str, provider: Any, params: Mapping[str, Any], given: Collection[str] = ()) -> None:
    """As `check`, and raise what it finds.

    Raises:
        ArgumentsError: With all faults.
    """
    if faults := check(verb, key, provider, params, given):
        raise ArgumentsError(verb, key, [fault.message for fault in faults])


def paths_in(verb: str, provider: Any) -> frozenset[str]:
    """The parameters of a provider that are paths: those with the hint ``Path``, alone or in a union.

    Examples:
        >>> def read_lines(source: str, labels: PurePath | None = None, separator: str = ";") -> list[str]: ...
        >>> sorted(paths_in("read", read_lines))
        ['labels']
    """
    hints = _hints(_called(verb, provider))
    return frozenset(name for name, hint in hints.items() if any(map(_is_path, get_args(hint) or (hint,))))


def _is_path(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, PurePath)


def _called(verb: str, provider: Any) -> Callable[..., Any]:
    """What the parameters are handed to."""
    if verb == "save" and not inspect.isroutine(provider):
        method = getattr(provider, "save", None) or getattr(provider, "write", None)
        if method is not None:
            return method  # type: ignore[no-any-return]
    return provider  # type: ignore[no-any-return]


def _given(
    verb: str, function: Callable[..., Any], signature: inspect.Signature, given: Collection[str]
) -> Collection[str]:
    if given:
        return given
    if verb == "transform" and not inspect.isclass(function):
        first = next((name for name, one in signature.parameters.items() if one.kind in _POSITIONAL), None)
        return () if first is None else (first,)
    return GIVEN.get(verb, ())


def _own_faults(provider: Any, params: Mapping[str, Any]) -> list[Fault]:
    return list(provider.check_params(params)) if isinstance(provider, ParamsChecker) else []


# --- types ---


def _hints(function: Any) -> dict[str, Any]:
    """The type hints by parameter; `Any` for one that names what cannot be imported."""
    if inspect.isclass(function):
        function = function.__init__
    elif not inspect.isroutine(function):
        function = getattr(function, "func", None) or type(function).__call__  # a functools.partial has func
    function = inspect.unwrap(function)
    try:
        return get_type_hints(function, include_extras=True)
    except Exception:  # noqa: BLE001  (evaluating somebody else's annotations can raise anything)
        space = getattr(function, "__globals__", {})
        return {name: _resolved(hint, space) for name, hint in getattr(function, "__annotations__", {}).items()}


def _resolved(hint: Any, space: dict[str, Any]) -> Any:
    def holder() -> None: ...

    holder.__annotations__ = {"hint": hint}
    try:
        return get_type_hints(holder, space, include_extras=True)["hint"]
    except Exception:  # noqa: BLE001  (as above)
        return Any


def _type_faults(key: str, name: str, value: Any, hint: Any) -> list[Fault]:
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        value = value.item()  # a scalar of NumPy's
    wrong = _wrong(value, hint)
    if wrong is None:
        return []
    where, what = wrong
    if isinstance(value, str) and (choices := _choices(hint)):
        what = f"not {value!r}.{did_you_mean(value, choices)}"
    where = where.partition("[...]")[0]  # which key of a mapping is not told
    steps = tuple(int(index) if index else word for index, word in _STEP.findall(where))
    return [Fault((name, *steps), f"The parameter {name + where!r} of {key!r} must be {_shown(hint)}: {what}")]


def _wrong(value: Any, hint: Any) -> tuple[str, str] | None:
    """Where in a value something does not fit, as msgspec writes it, and what; or None."""
    is_union = get_origin(hint) in (Union, UnionType)
    if type(value) in _PLAIN and type(value) in (get_args(hint) if is_union else (hint,)):
        return None
    import msgspec

    if is_union:  # msgspec refuses some unions
        wrongs = [_wrong(value, part) for part in get_args(hint)]
        deepest = max((wrong for wrong in wrongs if wrong), key=lambda wrong: len(wrong[0]), default=None)
        if None in wrongs or deepest is None:
            return None
        return deepest if deepest[0] else ("", f"got {type(value).__name__}.")
    try:
        msgspec.convert(value, hint, dec_hook=_converted)
    except msgspec.ValidationError as error:
        what, _, where = str(error).replace("`", "").partition(" - at $")
        if not where:
            what = _REDUNDANT.sub("", what)  # the hint is shown beside it
        return where, f"{what[0].lower()}{what[1:]}."
    except TypeError:  # a hint that msgspec does not know
        return None
    return None


def _converted(kind: Any, value: Any) -> Any:
    """What msgspec checks against a type that is not its own."""
    return kind(value) if isinstance(kind, type) and issubclass(kind, PurePath) and isinstance(value, str) else value


def _choices(hint: Any) -> list[str]:
    if get_origin(hint) is Literal:
        return [choice for choice in get_args(hint) if isinstance(choice, str)]
    return [choice for part in get_args(hint) for choice in _choices(part)] if get_origin(hint) is not list else []


def _shown(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return " or ".join(map(repr, get_args(hint)))
    return re.sub(r"\b(typing|pathlib(\._local)?|collections\.abc)\.", "", inspect.formatannotation(hint))

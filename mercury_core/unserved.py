"""What is not a registered key, and which of the errors is right where nothing can be served.

Imported only then: the usual way of a key goes past all this.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, NoReturn

from mercury_core.discovery import normalise
from mercury_core.errors import (
    ArgumentsError,
    BrokenPluginError,
    BrokenProviderError,
    ProviderNotInstalledError,
    UnknownProviderError,
    UnknownReferenceError,
    did_you_mean,
)
from mercury_core.known import KEYS, distribution_of

if TYPE_CHECKING:
    from mercury_core.discovery import Index, Row


def as_given(verb: str, given: Any) -> Any:
    """What was passed in place of a key."""
    # A format of the verb save is an object with methods, not a callable.
    if callable(given) or hasattr(given, "save") or hasattr(given, "write"):
        return given
    raise ArgumentsError(verb, type(given).__name__, ["Expected a key, 'package.module:function' or a callable."])


def referred(verb: str, reference: str) -> Any:
    """What a ``package.module:name`` names."""
    module, _, names = reference.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), *names.split("."))):
        raise UnknownReferenceError(verb, reference, "it is not of that form")
    try:
        __import__(module)
    except ModuleNotFoundError as cause:
        if is_own(cause.name, reference):
            raise UnknownReferenceError(verb, reference, f"there is no module {cause.name!r}") from cause
        raise BrokenProviderError(verb, reference, module, reference, cause) from cause
    except (Exception, SystemExit) as cause:
        raise BrokenProviderError(verb, reference, module, reference, cause) from cause
    found: Any = sys.modules[module]
    for name in names.split("."):
        if not hasattr(found, name):
            raise UnknownReferenceError(
                verb, reference, f"{found.__name__} has no {name!r}", did_you_mean(name, dir(found))
            )
        found = getattr(found, name)
    if not callable(found) and not any(hasattr(found, ability) for ability in ("save", "write", "fit", "apply")):
        raise UnknownReferenceError(
            verb, reference, f"it names a value of type {type(found).__name__}, which does nothing"
        )
    return found


def is_own(missing: str | None, target: str) -> bool:
    """Whether a module that was not found is the target itself, or a package around it."""
    return bool(missing) and f"{target.partition(':')[0]}.".startswith(f"{missing}.")


def not_found(index: Index, verb: str, key: str) -> NoReturn:
    """Raise what is right for a key that no plugin registers: broken, not installed, or unknown."""
    name, _, owner = key.partition("@")
    bringer = normalise(owner) or distribution_of(verb, name)
    installed = [plugin for plugin in index.plugins if plugin[3]]  # the others are only named by MERCURY_PLUGINS
    aside = [f"{plugin[0]}: {plugin[5]}" for plugin in index.plugins if not plugin[3]]
    for distribution, _, entry_point, value, status, reason in installed:
        is_bringer = normalise(distribution) == bringer or entry_point == name.partition(".")[0]
        if status in ("broken", "incompatible") and is_bringer:
            cause = index.causes.get((distribution, entry_point)) or BrokenPluginError([reason])
            raise BrokenProviderError(verb, key, distribution, value, cause) from cause
        if status != "ok" and (is_bringer or status != "disabled"):
            aside.append(f"{distribution}: {reason}")
    is_there = any(normalise(plugin[0]) == bringer for plugin in installed)
    known = distribution_of(verb, name)
    if known and known == bringer and not is_there:
        raise ProviderNotInstalledError(verb, key, known)
    keys = {row[1] for row in index.rows if row[0] == verb} | {known for of, known in KEYS if of == verb}
    keys.discard(key)  # its plugin was set aside, which is said
    keys |= {f"{row[1]}@{row[5]}" for row in index.rows if owner and (row[0], row[1]) == (verb, name)}
    raise UnknownProviderError(verb, key, sorted(keys), aside)


def not_loaded(row: Row, cause: BaseException) -> NoReturn:
    """Raise what is right for a provider whose target cannot be imported."""
    verb, key, target, install, _, owner, *_ = row
    top = target.partition(":")[0].partition(".")[0]
    if install and isinstance(cause, ModuleNotFoundError) and (cause.name or "").partition(".")[0] != top:
        raise ProviderNotInstalledError(verb, key, install) from cause
    raise BrokenProviderError(verb, key, owner, target, cause) from cause

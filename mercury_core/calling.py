"""How a provider wants to be called, and what it is called."""

from __future__ import annotations

from inspect import signature

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def takes(provider: Any, name: str) -> bool:
    """Whether a provider has a parameter of that name."""
    return name in signature(provider).parameters


def works_on_bunch(provider: Any) -> bool:
    """Whether a transform is a function on the whole bunch: its first parameter is annotated `DataBunch`."""
    if isinstance(provider, type) or hasattr(provider, "fit") or hasattr(provider, "apply"):
        return False
    first = next(iter(signature(provider).parameters.values()), None)
    annotation = first.annotation if first is not None else None
    return (annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")).endswith("DataBunch")


def why_no_step(key: Any) -> str:
    """Why a key of the verb transform is none to transform data sets with: it is a converter. Else nothing."""
    if not isinstance(key, str) or not key.startswith("to."):
        return ""
    into = key.removeprefix("to.").partition("@")[0]
    return f"{key!r} converts one wrapper, as in data_set.features.to({into!r}), and transforms no data set."


def name_of(provider: Any) -> str:
    """What to call a provider in a message: its key, or the name of the object."""
    return provider if isinstance(provider, str) else getattr(provider, "__qualname__", type(provider).__name__)


def reference_to(provider: Any) -> str:
    """How a transform can be found again: its key, or ``module:name``; nothing where neither leads to it."""
    if isinstance(provider, str):
        return provider
    maker = provider if hasattr(provider, "__qualname__") else type(provider)
    if maker is not provider and not hasattr(maker, "load"):
        return ""
    module, name = getattr(maker, "__module__", ""), maker.__qualname__
    return f"{module}:{name}" if module != "__main__" and name.isidentifier() else ""

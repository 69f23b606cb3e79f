"""Files and trees of files, on a disk and in any store that a plugin brings."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.storage.copying import (
        CopyProgress as CopyProgress,
        CopyReport as CopyReport,
        copy as copy,
        resolve_target as resolve_target,
    )
    from mercury_core.storage.stores import Stores as Stores

__all__ = ["CopyProgress", "CopyReport", "Stores", "copy", "resolve_target"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: whoever needs one URI split needs no copy engine."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module(f"{__name__}.{'stores' if name == 'Stores' else 'copying'}")
    value: object = getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

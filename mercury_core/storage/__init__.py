"""Files and trees of files, on a disk and in any store that a plugin brings."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.storage.copy import CopyReport as CopyReport
    from mercury_core.storage.copy import copy as copy

__all__ = ["CopyReport", "copy"]


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: whoever needs one URI split needs no copy engine."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = import_module("mercury_core.storage.copy")
    # Importing a submodule puts the module under its name here; the function is what is meant by it.
    globals().update({public: getattr(module, public) for public in __all__})
    return globals()[name]

"""What a plugin must do, as tests for its authors: ``pip install 'mercury-ml-core[testing]'``.

A suite is a class of tests. Its author makes a subclass in a test file of the plugin, says there how to set things up
without the code under test, and runs pytest; see ``docs/testing-plugins.md``.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.testing.stores import StoreSuite as StoreSuite

__all__ = ["StoreSuite"]


def __getattr__(name: str) -> object:
    """Import a suite when it is first used: what else is in this package needs no pytest."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        import pytest
    except ImportError as error:
        raise ImportError("The suites need pytest: pip install 'mercury-ml-core[testing]'") from error
    parts = ("reading", "writing", "abilities", "copying", "many", "parts", "setup")
    modules = (f"{__name__}.suite", *(f"{__name__}.stores_{part}" for part in parts))
    # Of one that a test imported by itself pytest would warn that it comes too late.
    pytest.register_assert_rewrite(*(module for module in modules if module not in sys.modules))
    from mercury_core.testing.stores import StoreSuite

    return StoreSuite

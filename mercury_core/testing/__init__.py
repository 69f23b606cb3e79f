"""What a plugin must do, as tests for its authors: ``pip install 'mercury-ml-core[testing]'``.

A suite is a class of tests. Its author makes a subclass in a test file of the plugin, says there how to set things up
without the code under test, and runs pytest; see ``docs/testing-plugins.md``.
"""

from __future__ import annotations

try:
    import pytest
except ImportError as error:  # pragma: no cover — the tests cannot run without it
    raise ImportError("The suites need pytest: pip install 'mercury-ml-core[testing]'") from error

pytest.register_assert_rewrite(f"{__name__}.suite", *(f"{__name__}.stores_{part}" for part in ("reading", "writing")))
pytest.register_assert_rewrite(*(f"{__name__}.stores_{part}" for part in ("abilities", "copying", "parts", "setup")))

from mercury_core.testing.stores import StoreSuite  # noqa: E402 — asserts are rewritten at import

__all__ = ["StoreSuite"]

"""The documentation names every hook and every public name."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

import mercury_core
from mercury_core import hookspecs

ROOT = Path(__file__).parents[2]
HOOKS = {name: hook for name, hook in vars(hookspecs).items() if name.startswith("mercury_")}


@pytest.mark.parametrize("name", sorted(HOOKS))
def test_every_hook_is_documented_with_its_arguments(name: str) -> None:
    rows = [line for line in (ROOT / "docs/plugins.md").read_text().splitlines() if line.startswith(f"| `{name}` |")]
    assert len(rows) == 1
    for argument in inspect.signature(HOOKS[name]).parameters:
        assert f"`{argument}`" in rows[0]


@pytest.mark.parametrize("name", mercury_core.__all__)
def test_every_public_name_can_be_imported_and_is_documented(name: str) -> None:
    value = getattr(mercury_core, name)
    assert inspect.ismodule(value) or inspect.getdoc(value)

"""What docs/testing-plugins.md shows is what runs, and it names all that an author gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mercury_core.testing import StoreSuite
from mercury_core.testing.stores_parts import PartsTests
from mercury_core.testing.stores_setup import StoreSetup
from mercury_core.testing.suite import Suite
from tests.core import store_mutants, store_mutants_abilities  # noqa: F401 — they note their faults
from tests.core.store_faults import FOUND_BY

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/testing-plugins.md").read_text(encoding="utf-8")
HELPERS = {"names", "fill", "check_info", "store", "base"}


def test_the_example_is_the_test_of_the_sample_plugin() -> None:
    example = re.findall(r"^```python\n# tests/test_memory.py\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    file = (ROOT / "tests/third_party/project/tests/test_memory.py").read_text(encoding="utf-8")
    assert [text.strip() for text in example] == [file.partition("\n\n")[2].strip()]


def given() -> list[str]:
    """All that a subclass may say."""
    named = {name for each in (Suite, StoreSetup) for name in vars(each)}
    named |= set(PartsTests.__annotations__)
    return sorted(name for name in named - HELPERS if not name.startswith(("_", "test_")))


@pytest.mark.parametrize("name", given())
def test_what_an_author_gives_is_named(name: str) -> None:
    assert re.search(rf"^\|.*`{name}[`(]", PAGE, re.MULTILINE)
    assert hasattr(StoreSuite, name)


def test_the_tests_that_the_page_waives_are_there() -> None:
    named = set(re.findall(r'"(test_\w+)[\["]', PAGE))
    assert len(named) == 2
    assert all(callable(getattr(StoreSuite, name)) for name in named)
    assert len(FOUND_BY) > 70

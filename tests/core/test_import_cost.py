"""What is loaded, and when: the causes of the import costs that the benchmarks measure. Nothing here is timed."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conftest import Site

CORE = Path(__file__).parents[2] / "mercury_core"
SDKS = {
    "pandas", "pyarrow", "polars", "numpy", "narwhals", "sklearn", "skops", "scipy", "keras", "torch", "tensorflow",
    "boto3", "google", "ray", "fsspec",
}  # fmt: skip
SHOWN = "import sys; print(*sorted({name.partition('.')[0] for name in sys.modules} - before))"
BEFORE = "import sys; before = {name.partition('.')[0] for name in sys.modules}\n"


def loaded(site: Site, code: str, **env: str) -> set[str]:
    """The top-level modules that some code loads in a process of its own."""
    return set(site.run(f"{BEFORE}{code}\n{SHOWN}", **env).splitlines()[-1].split())


def test_the_core_imports_only_itself(site: Site) -> None:
    assert loaded(site, "import mercury_core") == {"mercury_core"}
    listed = loaded(site, "import mercury_core; dir(mercury_core); mercury_core.__version__")
    assert listed <= {"mercury_core", "importlib", "warnings"}


def test_listing_providers_loads_no_sdk(site: Site) -> None:
    assert not SDKS & loaded(site, "from mercury_core import registry; registry.providers(); registry.plugins()")


def test_the_command_that_lists_providers_loads_no_sdk(site: Site) -> None:
    pytest.importorskip("mercury_core.cli")
    code = (
        "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()):\n"
        "    from mercury_core.cli import main\n    try: main(['providers'])\n    except SystemExit: pass"
    )
    assert not SDKS & loaded(site, code)


def test_a_remembered_key_loads_no_plugin_machinery(site: Site) -> None:
    site.plugin("acme", "acme.rows")
    site.age()
    code = "from mercury_core import registry; registry.resolve('read', 'acme.rows')"
    assert {"pluggy", "importlib_metadata", "acme"} <= loaded(site, code)
    assert loaded(site, code) <= {"mercury_core", "acme", "zlib", "_thread", "_collections_abc"}


def test_a_run_without_observers_loads_no_plugin_machinery(site: Site) -> None:
    site.age()
    code = "from mercury_core import registry; registry.lifecycle('mercury_run_started', run='r', config={})"
    loaded(site, code)
    assert loaded(site, code) <= {"mercury_core", "zlib"}


def imported_at_module_level(path: Path) -> Iterator[str]:
    """The top-level packages that importing a file imports."""

    def statements(nodes: list[ast.stmt]) -> Iterator[ast.stmt]:
        for node in nodes:
            yield node
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
                yield from statements(node.orelse)
            elif isinstance(node, ast.If | ast.Try | ast.With | ast.ClassDef):
                for field in ("body", "orelse", "finalbody"):
                    yield from statements(getattr(node, field, []))

    for node in statements(ast.parse(path.read_text()).body):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield str(node.module).partition(".")[0]


FILES = sorted(CORE.rglob("*.py")) + sorted(CORE.parent.glob("plugins/*/*/hooks.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CORE.parent)))
def test_no_technology_is_imported_at_module_level(path: Path) -> None:
    assert not SDKS & set(imported_at_module_level(path))


def test_that_the_look_at_imports_sees_them(tmp_path: Path) -> None:
    file = tmp_path / "some.py"
    file.write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import polars\nelse:\n    import numpy\n"
        "try:\n    import pandas.io\nexcept ImportError: ...\ndef f():\n    import sklearn\n"
    )
    assert SDKS & set(imported_at_module_level(file)) == {"numpy", "pandas"}

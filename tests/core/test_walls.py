"""The walls that import-linter cannot see: what is imported when a module is, and not later inside a function."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "mercury_core"
SDKS = {
    "boto3",
    "google",
    "keras",
    "narwhals",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "scipy",
    "skops",
    "sklearn",
    "tensorflow",
    "torch",
}
CORE_FILES = sorted(CORE.rglob("*.py"))
HOOK_FILES = sorted(ROOT.glob("plugins/*/*/hooks.py"))


def imported_at_once(path: Path) -> set[str]:
    """The first names of all that a file imports when it is imported itself."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        for inner in ast.iter_child_nodes(node):
            if isinstance(inner, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
                continue
            if isinstance(inner, ast.If) and "TYPE_CHECKING" in ast.unparse(inner.test):
                for other in inner.orelse:
                    visit(ast.Module([other], []))
                continue
            if isinstance(inner, ast.Import):
                found.update(alias.name.split(".")[0] for alias in inner.names)
            elif isinstance(inner, ast.ImportFrom) and inner.module and not inner.level:
                found.add(inner.module.split(".")[0])
            visit(inner)

    visit(ast.parse(path.read_text(encoding="utf-8")))
    return found


def test_the_files_are_found() -> None:
    assert len(CORE_FILES) > 10
    assert HOOK_FILES


@pytest.mark.parametrize("path", [*CORE_FILES, *HOOK_FILES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_sdk_is_imported_before_it_is_needed(path: Path) -> None:
    assert not imported_at_once(path) & SDKS


def test_an_import_under_an_if_a_class_or_a_try_counts(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(
        "TYPE_CHECKING = False\n"
        "if TYPE_CHECKING:\n    import torch\nelse:\n    import boto3\n"
        "try:\n    import pandas.api\nexcept ImportError:\n    from polars import Series\n"
        "class A:\n    import numpy as np\n"
        "def later():\n    import sklearn\n"
    )
    assert imported_at_once(file) == {"boto3", "pandas", "polars", "numpy"}


@pytest.mark.parametrize("name", ["spelling", "contracts/stores", "provider"])
def test_the_words_import_nothing_of_mercury_that_stands_above_them(name: str) -> None:
    assert "mercury_core" not in imported_at_once(CORE / f"{name}.py")


def test_the_contracts_import_nothing_but_themselves() -> None:
    names = re.findall(r"^from (mercury_core\S*)", (CORE / "contracts/__init__.py").read_text(), re.MULTILINE)
    assert set(names) == {"mercury_core.contracts.stores"}


def test_importing_the_core_runs_nothing() -> None:
    code = "import sys; old = set(sys.modules); import mercury_core; print(*sorted(set(sys.modules) - old))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(said.split()) <= {"mercury_core", "__future__"}


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    import mercury_core

    assert set(mercury_core.__all__) <= set(dir(mercury_core))
    with pytest.raises(AttributeError, match="no attribute 'Datawrapper'"):
        mercury_core.Datawrapper  # noqa: B018

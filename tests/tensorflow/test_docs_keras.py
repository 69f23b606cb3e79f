"""What the pages show of Keras, run as it is printed; and every key that they name is one."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from mercury_core import DataBunch, DataSet, fit_model, load_model, registry
from mercury_core.workflow import run_workflow

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
VERBS = ("read", "transform", "fit", "evaluate", "save", "copy", "serve", "execute")
PAGES = ("docs/keras.md", "docs/migrating.md", "docs/levels.md", "plugins/mercury-keras/README.md")


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory of its own, with the table of penguins in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    shutil.copytree(ROOT / "examples/penguins/data", tmp_path / "data")
    yield tmp_path
    sys.modules.pop("my_models", None)


@pytest.mark.parametrize("page", ["docs/keras.md", "plugins/mercury-keras/README.md"])
def test_the_workflow_of_a_page_runs(page: str) -> None:
    (text,) = [block for block in blocks(page, "yaml") if block.startswith("name:")]
    Path("workflow.yaml").write_text(text)
    record = run_workflow("workflow.yaml", ["fit.epochs=10"])
    assert record.metrics["test"]["keras.evaluate"]["accuracy"] > 0.8
    assert load_model("models/penguins").signature.classes == ("Adelie", "Chinstrap", "Gentoo")


def test_the_python_of_the_page_runs(here: Path) -> None:
    own, tensors = blocks("docs/keras.md", "python")
    (here / "my_models.py").write_text(own)
    for targets in ({"y": ["a", "b", "c"] * 4}, {"y": [True, False] * 6}, {"y": [0.5, 1.5] * 6}):
        train = DataSet({"features": {"a": [float(n) for n in range(12)]}, "targets": targets})
        fit_model(DataBunch({"train": train}), "keras.fit", model={"use": "my_models:small", "units": 4}, epochs=1)
    names: dict[str, object] = {}
    exec(compile(tensors, "keras.md", "exec"), names)
    assert names["tensor"].shape == (2, 2)  # type: ignore[attr-defined]
    assert names["batches"][0][1].tolist() == [[0], [1]]  # type: ignore[index]


def test_the_python_of_the_plugin_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("plugins/mercury-keras/README.md", "python")
    exec(compile(code, "README.md", "exec"), {})
    assert "{'test': {'keras.evaluate': {'accuracy': 0.9" in capsys.readouterr().out
    assert load_model("models/penguins").signature.target_names == ["species"]


@pytest.mark.parametrize("page", PAGES)
def test_every_key_that_a_page_names_is_one(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`[^`\n]*?\b((?:keras|sklearn)\.[a-z0-9_]+)\b[^`\n]*`", text))
    ready = {"keras.mlp", "keras.convnet", "keras.json", "keras.saving", "keras.ops"}
    unknown = {key for key in named - ready if not any(registry.provider_of(verb, key) for verb in VERBS)}
    assert not unknown

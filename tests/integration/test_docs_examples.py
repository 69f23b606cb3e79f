"""What the documentation shows, run as it is printed; and both examples, each as a workflow and as Python."""

from __future__ import annotations

import json
import os
import re
import runpy
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from mercury_core import evaluate_model, fit_model, load_model, read_data_bunch, transform_data_bunch
from mercury_core.cli import main
from mercury_core.workflow import check_workflow, run_workflow

pytest.importorskip("mercury_sklearn")

if TYPE_CHECKING:
    from conftest import Site

ROOT = Path(__file__).parents[2]
EXAMPLES = ("penguins", "diabetes")
PAGES = ("README.md", "docs/workflow.md", "plugins/mercury-sklearn/README.md")


def blocks(page: str, language: str) -> list[str]:
    """The code blocks of a page."""
    found = re.findall(
        rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    assert found, f"{page} has no block of {language}"
    return found


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of its own, with the table of penguins in it."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples/penguins/data", tmp_path / "data")
    return tmp_path


# --- the examples ---


def example(name: str, into: Path) -> Path:
    """A copy of an example, without what was left by running it where it stands."""
    leave = shutil.ignore_patterns("runs", "models", "store", "out")
    return Path(shutil.copytree(ROOT / "examples" / name, into / name, ignore=leave))


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_as_a_workflow(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = example(name, here)
    assert main(["run", str(folder / "workflow.yaml"), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["status"] == "succeeded"
    if name == "penguins":
        assert min(said["metrics"][part]["sklearn.roc_auc_score"] for part in ("valid", "test")) > 0.95
        assert len(list((folder / "store/penguins").iterdir())) == 1
        assert main(["predict", str(folder / "models/penguins"), "data/penguins.csv", "--to", "out.csv"]) == 0
        lines = (here / "out.csv").read_text().replace('"', "").splitlines()
        assert lines[0] == "id,prediction,score_Adelie,score_Chinstrap,score_Gentoo"
        assert len(lines) == 345
    else:
        assert min(said["metrics"][model]["test"]["sklearn.r2_score"] for model in ("ridge", "forest")) > 0.35
        model = load_model(folder / "models/ridge")
        raw = read_data_bunch("diabetes", reader="sklearn.dataset", roles={"targets": "target"})
        assert evaluate_model(model, raw, ["sklearn.r2_score"])["data"]["sklearn.r2_score"] > 0.35


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_as_python(name: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = example(name, here)
    runpy.run_path(str(folder / f"{name}.py"), run_name="__main__")
    last = capsys.readouterr().out.splitlines()[-1]
    if name == "penguins":
        assert last == f"{folder / 'store/by-python/penguins'} predicts 344 penguins"
        assert load_model(folder / "models/penguins").signature.target_names == ["species"]
    else:
        assert last.endswith(f"is the better one: {folder / 'models/best'}")
        assert load_model(folder / "models/best").signature.target_names == ["target"]


# --- the pages ---


@pytest.mark.parametrize("page", PAGES)
def test_the_workflow_of_a_page_runs(page: str, here: Path) -> None:
    (text,) = [block for block in blocks(page, "yaml") if block.startswith("name:")]
    (here / "workflow.yaml").write_text(text)
    record = run_workflow("workflow.yaml", [] if "iris" in text else ["fit.params.max_iter=20"])
    # The printed features are few, and of 20 iterations.
    assert record.metrics["test"]["sklearn.accuracy_score"] > 0.55
    saved = load_model(yaml.safe_load(text)["save"]["path"])
    assert saved.signature.classes in (("Adelie", "Chinstrap", "Gentoo"), ("setosa", "versicolor", "virginica"))


def fragments(page: str) -> list[Any]:
    return [yaml.safe_load(block) for block in blocks(page, "yaml") if not block.startswith("name:")]


def test_the_steps_that_the_plugin_shows_run(here: Path) -> None:
    fit, preprocess, transform = fragments("plugins/mercury-sklearn/README.md")
    assert [fit["fit"]["use"], preprocess[0]["use"], transform[0]["use"]] == [
        "sklearn.fit",
        "sklearn.preprocess",
        "sklearn.transform",
    ]
    rows = range(60)
    table = {name: [float((n * step) % 7) for n in rows] for step, name in enumerate("abcde", 2)}
    table |= {"year": [2007 + n % 3 for n in rows], "weight": [3.0 + n for n in rows], "code": [f"c{n}" for n in rows]}
    table |= {"ratio": [n / 60 for n in rows], "sex": ["male", "female"] * 30, "y": ["no", "yes", "yes"] * 20}
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table(table), here / "rows.parquet")
    bunch = read_data_bunch({"train": here / "rows.parquet"}, roles={"targets": "y"})
    for step in (*preprocess, *transform):
        bunch = transform_data_bunch(bunch, step.pop("use"), **step)
    names = bunch.train.features.field_names
    assert {"year", "weight", "ratio", "sex_female", "sex_male"} <= set(names)
    assert "code" not in names
    assert not set("abcde") & set(names)
    model = fit_model(bunch, fit["fit"].pop("use"), **fit["fit"])
    assert [type(step).__name__ for _, step in model.underlying.steps] == ["StandardScaler", "GridSearchCV"]


def test_the_python_of_the_plugin_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks("plugins/mercury-sklearn/README.md", "python")
    exec(compile(code, "README.md", "exec"), {})
    assert "'sklearn.accuracy_score': 0.9" in capsys.readouterr().out
    assert load_model("models/iris").signature.target_names == ["target"]


def test_the_plugin_that_the_page_writes_works_as_it_says(site: Site, here: Path) -> None:
    hooks, stations = blocks("docs/plugins.md", "python")
    (project,) = blocks("docs/plugins.md", "toml")
    assert 'weather = "mercury_weather.hooks"' in project
    modules = {
        "mercury_weather/__init__.py": "",
        "mercury_weather/hooks.py": hooks,
        "mercury_weather/stations.py": stations,
    }
    site.install("mercury-weather", modules, {"weather": "mercury_weather.hooks"})
    (step,) = re.findall(r"`(\{use: weather.*?\})`", (ROOT / "docs/plugins.md").read_text())
    said = site.run(
        f"""
        import sys
        from mercury_core import SourceReaders
        from mercury_core.errors import WorkflowFileError
        from mercury_core.workflow import run_workflow
        assert "weather" in SourceReaders and "mercury_weather.stations" not in sys.modules
        def run(step):
            open("w.yaml", "w").write("read: {{train: " + step + "}}")
            return run_workflow("w.yaml")
        print(run({step!r}).to_json()["steps"][0]["result"]["rows"])
        try:
            run({step.replace("48", "many")!r})
        except WorkflowFileError as error:
            print(error)
        """
    )
    rows, fault = said.splitlines()
    assert rows == "{'train': 48}"
    assert re.fullmatch(r"w\.yaml:1:\d+: The parameter 'hours' of 'weather' must be int: got str\.", fault)


def test_the_commands_that_the_readme_names_exist(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = set(re.findall(r"`?mercury-ml ([a-z-]+)", text))
    assert {"run", "check", "predict", "providers", "plugins"} <= commands
    for command in commands:
        assert main([command, "--help"]) == 0
        assert f"usage: mercury-ml {command}" in capsys.readouterr().out


def test_every_link_of_the_pages_leads_somewhere() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *ROOT.glob("plugins/*/README.md")]
    for page in pages:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name} links to {link}"


def test_an_estimator_beside_the_file_is_named_by_its_import_path(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = here / "job"
    folder.mkdir()
    (folder / "estimators_of_test.py").write_text(
        "from sklearn.dummy import DummyClassifier\n\nclass Majority(DummyClassifier):\n    pass\n"
    )
    (folder / "w.yaml").write_text(
        "read: {train: {use: sklearn.dataset, source: iris, roles: {targets: target}}}\n"
        "fit: {use: sklearn.fit, estimator: estimators_of_test.Majority}\n"
        "evaluate: {metrics: [sklearn.accuracy_score]}\n"
    )
    record = run_workflow("job/w.yaml")
    assert record.metrics["train"]["sklearn.accuracy_score"] == pytest.approx(1 / 3)


def test_the_scalars_of_a_file_are_those_that_the_page_tells(here: Path) -> None:
    (here / "w.yaml").write_text(
        "vars: {a: no, b: 1e-3, c: 2024-01-31, d: 12:30, e: true}\nread: {use: csv, source: data/penguins.csv}\n"
    )
    assert check_workflow("w.yaml").config["vars"] == {
        "a": "no",
        "b": 0.001,
        "c": "2024-01-31",
        "d": "12:30",
        "e": True,
    }


def test_what_the_page_says_of_help_shows_the_parameters() -> None:
    (command,) = re.findall(r'`python -c "(.*?)"`', (ROOT / "docs/workflow.md").read_text())
    kept = {name: value for name, value in os.environ.items() if not name.startswith("COV_")}
    done = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True, env=kept)
    for name in ("into", "stratify", "group", "time", "seed", "shuffle"):
        assert f"{name}:" in done.stdout

"""Somebody else's plugin: built by three backends, installed as a wheel, used without a line changed in the core."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
import venv
from pathlib import Path

import pytest

pytestmark = pytest.mark.install
pytest.importorskip("build", reason="building needs the distribution 'build'")

ROOT = Path(__file__).parents[2]
PROJECT = Path(__file__).parent / "project"
KEYS = {
    *("read:acme.fixed", "transform:acme.clip", "fit:acme.mean", "save:acme.text", "evaluate:acme.within"),
    "copy:mem",
}


def ran(command: list[str], cwd: Path, **env: str) -> str:
    """Run a command that must succeed, away from this tree; give back what it prints."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_", "MERCURY_"))}
    done = subprocess.run(command, cwd=cwd, env={**kept, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def build(project: Path, folder: Path) -> Path:
    """Build a wheel in isolation, as a publisher does."""
    ran([sys.executable, "-m", "build", "--wheel", "--outdir", str(folder), str(project)], cwd=folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the core, built from a copy, since building leaves things behind."""
    copy = tmp_path_factory.mktemp("core")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "mercury_core", copy / "mercury_core", ignore=shutil.ignore_patterns("__pycache__"))
    return build(copy, tmp_path_factory.mktemp("core-wheel"))


class Environment:
    """A virtual environment with the core, which borrows third-party libraries from the one that runs the tests."""

    def __init__(self, home: Path, core: Path) -> None:
        self.home = home
        venv.create(home / "venv", with_pip=True, symlinks=os.name != "nt")
        self.python = str(home / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python")
        where = ran([self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], home)
        self.site = Path(where.strip())
        (self.site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        self.install(core)

    def install(self, wheel: Path) -> None:
        ran([self.python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", "-I", str(wheel)], self.home)

    def run(self, *words: str) -> str:
        # The borrowed libraries bring plugins of their own, which this environment is not about.
        env = {"MERCURY_PLUGINS": "acme-mercury", "MERCURY_CACHE_DIR": str(self.home / "cache"), "MERCURY_STRICT": "1"}
        return ran([self.python, *words], self.home, ACME_LOG=str(self.home / "steps.log"), **env)


@pytest.fixture(scope="module", params=["setuptools", "hatchling", "flit"])
def environment(request: pytest.FixtureRequest, core: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The plugin, built by one backend and installed."""
    project = tmp_path_factory.mktemp(request.param)
    shutil.copytree(PROJECT, project, dirs_exist_ok=True)
    (project / f"pyproject.{request.param}.toml").rename(project / "pyproject.toml")
    wheel = build(project, tmp_path_factory.mktemp("wheel"))
    made = Environment(tmp_path_factory.mktemp("home"), core)
    made.install(wheel)
    for name in ("workflow.yaml", "rows.txt"):
        shutil.copy(PROJECT / name, made.home)
    return made


def test_nothing_of_it_can_be_imported_here() -> None:
    done = subprocess.run([sys.executable, "-c", "import acme_mercury"], cwd=ROOT, capture_output=True, text=True)
    assert "No module named 'acme_mercury'" in done.stderr


def test_it_is_listed_and_resolved(environment: Environment) -> None:
    code = """if True:
        import json
        from mercury_core import registry
        listed = [[p.distribution, p.version, p.entry_point, p.status, *p.providers] for p in registry.plugins()]
        reader = registry.resolve("read", "acme.fixed")
        module = __import__("sys").modules[reader.__module__]
        print(json.dumps([listed, registry.SourceReaders["acme.fixed@acme_mercury"] is reader, module.__file__]))
    """
    listed, same, file = json.loads(environment.run("-c", code))
    (own,) = [each for each in listed if each[0] == "acme-mercury"]
    assert own[1:4] == ["1.2.0", "acme", "ok"]
    assert set(own[4:]) == KEYS
    assert same
    assert Path(file).is_relative_to(environment.home)


def test_its_keys_work_at_the_level_of_tasks(environment: Environment) -> None:
    code = """if True:
        from mercury_core import evaluate_model, fit_model, read_data_bunch, transform_data_bunch
        from mercury_core.errors import ArgumentsError
        roles = {"features": ["x"], "targets": ["y"]}
        bunch = read_data_bunch({"train": "rows.txt"}, reader="acme.fixed", roles=roles, width=6)
        bunch = transform_data_bunch(bunch, "acme.clip", part=0.5)
        model = fit_model(bunch, "acme.mean", offset=0.5)
        print(model.underlying, evaluate_model(model, bunch, [{"use": "acme.within", "tolerance": 10}]))
        try:
            fit_model(bunch, "acme.mean", ofset=1)
        except ArgumentsError as error:
            print(error)
    """
    first, second = environment.run("-c", code).splitlines()
    assert first == "{'y': 19.5} {'train': {'acme.within': 0.5}}"
    assert "has no parameter 'ofset'. Did you mean 'offset'?" in second


def test_a_workflow_uses_it(environment: Environment) -> None:
    environment.run("-m", "mercury_core", "check", "workflow.yaml")
    told = json.loads(environment.run("-m", "mercury_core", "run", "workflow.yaml", "--json", "--runs", "runs"))
    assert told["status"] == "succeeded"
    assert told["metrics"] == {"test": {"acme.within": 1.0}}
    code = "from mercury_core import load_model; print(load_model('models/acme').underlying['y'])"
    assert 0.5 < float(environment.run("-c", code)) < 38.5
    steps = (environment.home / "steps.log").read_text().split()
    assert len(steps) >= 5  # its observer was told of every step


def test_its_wrong_parameters_are_found_before_any_work(environment: Environment) -> None:
    home = environment.home
    text = (home / "workflow.yaml").read_text().replace("width: 6", "width: six").replace("offset", "ofset")
    (home / "wrong.yaml").write_text(text)
    done = subprocess.run(
        [environment.python, "-m", "mercury_core", "check", "wrong.yaml"],
        cwd=home,
        env={**os.environ, "MERCURY_PLUGINS": "acme-mercury", "MERCURY_CACHE_DIR": str(home / "cache")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    said = done.stdout + done.stderr
    assert "wrong.yaml:3:" in said
    assert "'width' of 'acme.fixed' must be int" in said
    assert "Did you mean 'offset'" in said


def test_its_store_passes_the_suite_for_stores(environment: Environment) -> None:
    shutil.copytree(PROJECT / "tests", environment.home / "tests")
    said = environment.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "tests")
    assert re.fullmatch(r"\d\d\d passed in .*", said.splitlines()[-1])


def test_a_tree_is_copied_to_its_store_and_back(environment: Environment) -> None:
    code = """if True:
        from pathlib import Path
        from mercury_core import copy
        for name in ("tree/a.txt", "tree/deep/b.txt"):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            Path(name).write_text(name)
        there = copy("tree", "mem://bucket/models/", stores={"mem": {"shelf": "mine"}})
        back = copy("mem://bucket/models/tree", "back", stores={"mem": {"shelf": "mine"}})
        print(there.target, back.files, Path("back/deep/b.txt").read_text())
    """
    assert environment.run("-c", code) == "mem://bucket/models/tree 2 tree/deep/b.txt\n"


def test_it_goes_away_when_it_is_uninstalled(environment: Environment) -> None:
    ran([environment.python, "-m", "pip", "uninstall", "-q", "-y", "acme-mercury"], environment.home)
    code = """if True:
        from mercury_core import registry
        from mercury_core.errors import UnknownProviderError
        try:
            registry.resolve("read", "acme.fixed")
        except UnknownProviderError as error:
            print(error)
    """
    environment_without = {"MERCURY_CACHE_DIR": str(environment.home / "cache")}
    assert "No provider 'acme.fixed'" in ran([environment.python, "-c", code], environment.home, **environment_without)


def test_an_editable_install_is_followed_when_it_is_edited(core: Path, tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project)
    (project / "pyproject.setuptools.toml").rename(project / "pyproject.toml")
    environment = Environment(tmp_path, core)
    ran([environment.python, "-m", "pip", "install", "-q", "--no-deps", "-e", str(project)], tmp_path)
    code = """if True:
        import sys
        from mercury_core import registry
        summary = registry.provider_of("read", "acme.fixed").summary
        print(summary, "searched" if "pluggy" in sys.modules else "remembered", sep=", ")
    """
    assert environment.run("-c", code).strip() == "Fixed-width text, searched"
    an_hour_ago = time.time() - 3600
    for folder in (project, environment.site):
        for path in (*folder.rglob("*"), folder):
            os.utime(path, (an_hour_ago, an_hour_ago))
    environment.run("-c", code)
    assert environment.run("-c", code).strip() == "Fixed-width text, remembered"
    hooks = project / "src" / "acme_mercury" / "hooks.py"
    hooks.write_text(hooks.read_text().replace('"Fixed-width text"', '"Edited"'))
    assert environment.run("-c", code).strip() == "Edited, searched"

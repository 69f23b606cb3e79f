"""The distributions, as a user gets them: built, installed into a bare environment, used outside this tree."""

import email
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("build", reason="building needs the distribution 'build': nox -s dist")

ROOT = Path(__file__).parents[2]
PROJECTS = {"mercury_ml_core": ".", "mercury_sklearn": "plugins/mercury-sklearn"}
PACKAGES = {"mercury_ml_core": "mercury_core", "mercury_sklearn": "mercury_sklearn"}


def ran(command: list[str], cwd: Path, **env: str) -> str:
    """Run a command that must succeed, away from this tree and its environment; give back its stdout."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COV_", "MERCURY_"))}
    done = subprocess.run(command, cwd=cwd, env={**kept, **env}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is built, since building leaves things behind."""
    copy = tmp_path_factory.mktemp("tree") / "mercury"
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "constraints.txt"):
        shutil.copy(ROOT / name, copy)
    leave = shutil.ignore_patterns("__pycache__", "*.egg-info", "build", "dist")
    shutil.copytree(ROOT / "mercury_core", copy / "mercury_core", ignore=leave)
    shutil.copytree(ROOT / "plugins", copy / "plugins", ignore=leave)
    return copy


@pytest.fixture(scope="module")
def built(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdists, and the wheels that were built from them."""
    folder = tmp_path_factory.mktemp("dist")
    for project in PROJECTS.values():
        ran([sys.executable, "-m", "build", "--outdir", str(folder), str(tree / project)], cwd=folder)
    return folder


class Bare:
    """An environment that has nothing but what is installed into it."""

    def __init__(self, home: Path, constraints: Path) -> None:
        self.home, self.constraints = home, constraints
        venv.create(home / "venv", with_pip=True, symlinks=os.name != "nt")
        self.bin = home / "venv" / ("Scripts" if os.name == "nt" else "bin")

    def install(self, *what: Path) -> None:
        ran([*self.python, "-m", "pip", "install", "-q", "-c", str(self.constraints), *map(str, what)], cwd=self.home)

    @property
    def python(self) -> list[str]:
        return [str(self.bin / "python")]

    def mercury(self, *words: str) -> str:
        # The index of what was found belongs to the user; this one starts with none.
        return ran([str(self.bin / "mercury-ml"), *words], cwd=self.home, MERCURY_CACHE_DIR=str(self.home / "cache"))

    def distributions(self) -> set[str]:
        listed = ran([*self.python, "-m", "pip", "list", "--format=json"], cwd=self.home)
        return {each["name"] for each in json.loads(listed)}


@pytest.fixture(scope="module")
def bare(tree: Path, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Bare:
    """An environment with the core alone, installed as ``pip install .`` does."""
    environment = Bare(tmp_path_factory.mktemp("bare"), tree / "constraints.txt")
    environment.install(tree)
    return environment


def wheel_of(built: Path, name: str) -> Path:
    (wheel,) = built.glob(f"{name}-*-py3-none-any.whl")
    return wheel


@pytest.mark.parametrize("name", PROJECTS)
def test_a_wheel_holds_its_package_its_types_its_licence_and_nothing_else(built: Path, name: str) -> None:
    with zipfile.ZipFile(wheel_of(built, name)) as wheel:
        names = set(wheel.namelist())
    package = PACKAGES[name]
    assert f"{package}/py.typed" in names
    assert any(each.endswith(".dist-info/licenses/LICENSE") for each in names)
    assert {each.split("/")[0] for each in names if ".dist-info/" not in each} == {package}
    source = (ROOT / PROJECTS[name] / package).rglob("*.py")
    expected = {f"{package}/{path.relative_to(ROOT / PROJECTS[name] / package).as_posix()}" for path in source}
    assert {each for each in names if each.endswith(".py")} == expected


@pytest.mark.parametrize("name", PROJECTS)
def test_the_metadata_is_what_an_index_asks_for(built: Path, name: str) -> None:
    with zipfile.ZipFile(wheel_of(built, name)) as wheel:
        folder = next(each.split("/")[0] for each in wheel.namelist() if ".dist-info/" in each)
        metadata = email.message_from_bytes(wheel.read(f"{folder}/METADATA"))
        entry_points = wheel.read(f"{folder}/entry_points.txt").decode()
    project = tomllib.loads((ROOT / PROJECTS[name] / "pyproject.toml").read_text())["project"]
    assert metadata["Name"] == project["name"]
    assert metadata["Version"] == project["version"]
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.11"
    assert metadata["Summary"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload().strip()
    assert "[mercury]" in entry_points
    assert ("mercury-ml = mercury_core.cli:main" in entry_points) == (name == "mercury_ml_core")


@pytest.mark.parametrize("name", PROJECTS)
def test_an_sdist_can_be_built_from_and_has_the_licence(built: Path, name: str) -> None:
    (archive,) = built.glob(f"{name}-*.tar.gz")
    with tarfile.open(archive) as sdist:
        names = {each.partition("/")[2] for each in sdist.getnames()}
    assert {"pyproject.toml", "README.md", "LICENSE", "PKG-INFO", f"{PACKAGES[name]}/py.typed"} <= names


def test_the_core_brings_no_plugin_and_works(bare: Bare) -> None:
    installed = bare.distributions()
    assert "mercury-ml-core" in installed
    assert not {name for name in installed if name.startswith("mercury-")} - {"mercury-ml-core"}
    assert not installed & {"scikit-learn", "pandas", "polars"}
    providers = json.loads(bare.mercury("providers", "--json"))
    assert {"csv", "parquet"} <= {each["key"] for each in providers if each["verb"] == "read"}
    assert {each["distribution"] for each in providers} == {"mercury-ml-core"}
    (plugin,) = json.loads(bare.mercury("plugins", "--json"))
    assert (plugin["distribution"], plugin["status"]) == ("mercury-ml-core", "ok")


def test_the_installed_core_is_typed_and_its_versions_agree(bare: Bare) -> None:
    code = (
        "import importlib.metadata, importlib.util, pathlib, mercury_core\n"
        "print(mercury_core.__version__ == importlib.metadata.version('mercury-ml-core'))\n"
        "print(pathlib.Path(mercury_core.__file__).with_name('py.typed').exists())"
    )
    assert ran([*bare.python, "-c", code], cwd=bare.home).split() == ["True", "True"]
    assert ran([*bare.python, "-m", "mercury_core", "--version"], cwd=bare.home).startswith("mercury-ml ")


WORKFLOW = """\
name: flowers
read:
  flowers: {use: csv, source: flowers.csv, roles: {index: [id], features: [petal, sepal], targets: [kind]}}
transform:
  - {use: split, from: flowers, into: {train: 0.7, test: 0.3}, stratify: kind, seed: 1}
  - {use: sklearn.preprocess}
fit: {use: sklearn.fit, estimator: LogisticRegression}
evaluate: {data: [test], metrics: [sklearn.accuracy_score]}
save: {use: sklearn.skops, path: models/flowers}
copy: {to: store/flowers}
"""


def test_with_the_plugin_the_main_job_works(bare: Bare, built: Path) -> None:
    bare.install(wheel_of(built, "mercury_sklearn"))
    keys = {each["key"] for each in json.loads(bare.mercury("providers", "--json"))}
    assert {"sklearn.fit", "sklearn.skops"} <= keys
    ran([*bare.python, "-m", "pip", "check"], cwd=bare.home)
    rows = [f"{n},{n % 10}.5,{'' if n % 7 == 0 else n % 3},{'ab'[n % 10 > 4]}" for n in range(100)]
    (bare.home / "flowers.csv").write_text("id,petal,sepal,kind\n" + "\n".join(rows) + "\n")
    (bare.home / "workflow.yaml").write_text(WORKFLOW)
    ran_well = json.loads(bare.mercury("run", "workflow.yaml", "--json"))
    assert ran_well["status"] == "succeeded"
    assert ran_well["metrics"]["test"]["sklearn.accuracy_score"] > 0.9
    bare.mercury("predict", "store/flowers", "flowers.csv", "--to", "out.csv")
    lines = (bare.home / "out.csv").read_text().replace('"', "").splitlines()
    assert lines[0] == "id,prediction,score_a,score_b"
    assert len(lines) == 101

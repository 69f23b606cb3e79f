"""Every job of this project: ``nox -l`` lists them, ``nox -s NAME`` runs one, in an environment of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).parent
PYPROJECT = nox.project.load_toml(ROOT / "pyproject.toml")
PYTHONS = ("3.11", "3.12", "3.13")
PLUGINS = sorted(path.name.removeprefix("mercury-") for path in (ROOT / "plugins").glob("mercury-*"))

#: Plugins whose tests talk to servers, or as clients of many kinds; and the dependency group that these come in.
TALKING = {"gcs": "servers", "http": "clients", "s3": "servers"}
#: Plugins whose tests need gigabytes of SDKs: on one Python, in sessions of their own, with the extras that they need.
DEEP = {"keras": "[torch,onnx,images]"}
#: Extras of others that their tests need.
EXTRAS = {"onnx": "[export]"}
#: Plugins that those extras need, which no index has in the version of this tree.
BESIDE = {"keras": ("onnx",), "onnx": ("sklearn",)}
#: Plugins that are tested alone on one Python only, for the time that it takes.
ONCE = {*TALKING, "onnx"}
LIGHT = [name for name in PLUGINS if name not in DEEP]

RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHERS = tuple(version for version in PYTHONS if version != RUNNING)
#: Tests run beside each other: numeric libraries that each took every core would only wait for one another.
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")

nox.options.sessions = ["tests", "lint", "types"]
nox.options.error_on_missing_interpreters = False


def _runs(python: str, version: str) -> bool:
    """Whether a command is that Python: a version manager's stand-in may be there, and refuse."""
    ask = [python, "-c", "import sys, venv, zlib; print('%d.%d' % sys.version_info[:2])"]
    try:
        said = subprocess.run(ask, capture_output=True, text=True, timeout=30, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return False
    return said.strip() == version


def _put_on_path(version: str) -> None:
    """Let nox find an interpreter that works, where one is installed, even behind a version manager."""
    command = f"python{version}"
    if (found := shutil.which(command)) and _runs(found, version):
        return
    homes = (
        os.environ.get("PYENV_ROOT", "~/.pyenv") + "/versions",
        "~/.local/share/uv/python",
        "~/.asdf/installs/python",
    )
    for home in homes:
        for python in sorted(Path(home).expanduser().glob(f"*{version}*/bin/{command}"), reverse=True):
            if _runs(str(python), version):
                os.environ["PATH"] = os.pathsep.join([str(python.parent), os.environ["PATH"]])
                return


for _version in PYTHONS:
    _put_on_path(_version)


def _plugin_runs() -> list[object]:
    """Which plugin is tested on which Python; None for this one. Tests that take their time: on two.

    The tag ``alone`` is on those that say something that the session tests does not: other Pythons, fewer packages.
    """
    others = {**dict.fromkeys(ONCE, OTHERS[-1:]), **dict.fromkeys(DEEP, ())}
    runs: list[object] = []
    for name in PLUGINS:
        pythons = (None, *others.get(name, OTHERS))
        alone = set() if name in DEEP else {pythons[-1]}
        for python in pythons:
            tags = ["alone"] if python in alone else []
            runs.append(nox.param(python, name, id=f"{name}-{python}" if python else name, tags=tags))
    return runs


def _install(session: nox.Session, *what: str, groups: tuple[str, ...] = ()) -> None:
    """Install with pip, held to the versions that this project was tested with."""
    tools = [tool for group in groups for tool in nox.project.dependency_groups(PYPROJECT, group)]
    session.install("--constraint", "constraints.txt", *what, *tools)


def _editable(*paths: str) -> list[str]:
    return [word for path in paths for word in ("--editable", path)]


def _plugin_paths(names: Iterable[str] = PLUGINS) -> list[str]:
    return [f"./plugins/mercury-{name}{EXTRAS.get(name, '')}" for name in names]


def _whole_plugin_paths() -> list[str]:
    return [f"./plugins/mercury-{name}{(DEEP | EXTRAS).get(name, '')}" for name in PLUGINS]


@nox.session
def demo(session: nox.Session) -> None:
    """Run examples/penguins from data to a stored model and a file of predictions."""
    _install(session, ".", "./plugins/mercury-sklearn")
    home = Path("examples/penguins")
    session.run("mercury-ml", "run", str(home / "workflow.yaml"), "--runs", str(home / "runs"))
    source, predictions = str(home / "data/penguins.csv"), home / "out/predictions.csv"
    predictions.parent.mkdir(exist_ok=True)
    session.run("mercury-ml", "predict", str(home / "models/penguins"), source, "--to", str(predictions))
    with predictions.open(encoding="utf-8") as lines:
        first = [line.rstrip() for line, _ in zip(lines, range(4), strict=False)]
    command = os.path.relpath(Path(session.bin) / "mercury-ml", ROOT)
    told = f"""
The workflow {home / "workflow.yaml"} read {source}, fitted a model on 70 % of it and measured it on the rest.
The model is in {home / "models/penguins"} and, under the id of the run, in {home / "store/penguins"}.
Each run is recorded in {home / "runs"}. `mercury-ml predict` then loaded the saved model and wrote
{predictions}, which begins:

    {(chr(10) + "    ").join(first)}

Change a line of {home / "workflow.yaml"} and run it again, or say it on the command line:

    {command} run {home / "workflow.yaml"} fit.params.max_iter=20
"""
    session.log(told)


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test on this interpreter: core, plugins, integration, third parties, and the examples in docstrings.

    What needs gigabytes of SDKs follows in the sessions plugin(keras) and tensorflow: torch alone would double the time
    of everything else, since scikit-learn imports it where it is there.
    """
    _install(
        session, *_editable(".[pandas,polars]", *_plugin_paths(LIGHT)), groups=("test", "build", "servers", "clients")
    )
    if session.posargs:
        session.run("python", "-m", "pytest", "-W", "error", *session.posargs)
        return
    for name in DEEP:
        session.notify(f"plugin({name})")
    session.notify("tensorflow")
    packages = ["mercury_core", *(f"plugins/mercury-{name}/mercury_{name}" for name in LIGHT)]
    session.run(
        *(
            "python",
            "-m",
            "pytest",
            "-W",
            "error",
            "-n",
            "2",
            "--dist",
            "loadfile",
            "--doctest-modules",
            "tests",
            *packages,
        ),
        # It has no examples; looking for some makes every lazy name import itself while its namespace is walked.
        *("--ignore", "mercury_core/__init__.py"),
        *("--ignore", "tests/tensorflow"),
        *(word for name in DEEP for word in ("--ignore", f"tests/{name}")),
        *("--cov", "--cov-report=term", "--durations=10"),
        env=ONE_THREAD,
    )


@nox.session(python=PYTHONS, tags=["alone"])
def core(session: nox.Session) -> None:
    """Test the core with nothing else installed, on every supported Python that is found."""
    _install(session, *_editable("."), groups=("test",))
    session.run("python", "-m", "pytest", "-W", "error", "-n", "2", "--dist", "loadfile", "tests/core", env=ONE_THREAD)


@nox.session
@nox.parametrize(("python", "plugin"), _plugin_runs())
def plugin(session: nox.Session, plugin: str) -> None:
    """Test one plugin, alone with the core; NAME runs on this interpreter, NAME-3.x on another."""
    groups = ("test", TALKING[plugin]) if plugin in TALKING else ("test",)
    extras = (DEEP | EXTRAS).get(plugin, "")
    beside = [f"./plugins/mercury-{name}" for name in BESIDE.get(plugin, ())]
    _install(session, *_editable(".", f"./plugins/mercury-{plugin}{extras}", *beside), groups=groups)
    tested = [f"tests/{plugin}"]
    if plugin in DEEP:  # nowhere else is it covered, and are its examples run
        home = f"plugins/mercury-{plugin}"
        tested += ["--doctest-modules", f"{home}/mercury_{plugin}", "--durations=10"]
        tested += ["--cov", f"--cov-config={home}/pyproject.toml", "--cov-report=term"]
    session.run("python", "-m", "pytest", "-W", "error", "-n", "2", "--dist", "loadfile", *tested, env=ONE_THREAD)


@nox.session
def tensorflow(session: nox.Session) -> None:
    """Test what needs TensorFlow, beside torch and all plugins: formats across backends, the examples with Keras."""
    _install(
        session, *_editable(".", *_whole_plugin_paths()), "tensorflow-cpu", "tensorboard", groups=("test", "servers")
    )
    session.run(
        *("python", "-m", "pytest", "-W", "error", "-n", "2", "--dist", "loadfile", "tests/tensorflow"), env=ONE_THREAD
    )


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format, the walls between the parts, and that no file holds a path of somebody's machine."""
    _install(session, groups=("lint",))
    session.install("--no-deps", *_editable(".", *_plugin_paths()))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports", "--no-cache")
    _refuse_machine_paths(session)


@nox.session
def types(session: nox.Session) -> None:
    """Check the types, strictly."""
    _install(session, *_editable(".[pandas,polars]", *_plugin_paths()), groups=("types",))
    packages = [f"plugins/mercury-{name}/mercury_{name}" for name in PLUGINS]
    session.run("mypy", "mercury_core", "noxfile.py", *packages)


@nox.session
def dist(session: nox.Session) -> None:
    """Build wheels and sdists, install them into bare environments, use them outside this tree."""
    _install(session, groups=("test", "build"))
    session.run("python", "-m", "pytest", "-W", "error", "tests/integration/test_dist.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure the published figures against their peers, by turns; name programs to run only those."""
    _install(session, ".[pandas,polars]", *_whole_plugin_paths(), groups=("bench",))
    programs = session.posargs or sorted(
        path.name for path in Path("benchmarks").glob("*.py") if path.name != "harness.py"
    )
    missed = []
    for name in programs:
        try:
            session.run("python", f"benchmarks/{Path(name).stem}.py")
        except nox.command.CommandFailed:
            missed.append(name)
    if missed:
        session.error(f"a limit was missed in: {', '.join(missed)}")


def _refuse_machine_paths(session: nox.Session) -> None:
    """Look for absolute paths of a home or of a checkout in what git tracks."""
    tracked = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    path = re.compile(r"(?<![\w.$}:/-])/(?:home|Users|root|opt|srv)/\w")
    found = []
    for name in filter(None, tracked.split("\0")):
        text = (ROOT / name).read_bytes()
        if b"\0" in text[:8192]:
            continue
        for number, line in enumerate(text.decode(errors="replace").splitlines(), 1):
            if path.search(line):
                found.append(f"{name}:{number}: {line.strip()[:120]}")
    if found:
        session.error("paths of one machine in tracked files:\n" + "\n".join(found))


if __name__ == "__main__":
    sys.exit("run it with nox: pip install nox && nox -l")

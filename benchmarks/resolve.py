"""One key resolved in a large environment: ``registry.resolve("copy", "file")`` against stevedore's DriverManager.

Two environments of this program's own, with 300 and with 3,000 distributions, of which 20 have plugins that both sides
see. Both sides import the same target, in a whole process, with a warm cache. Needs stevedore.
Run: ``python benchmarks/resolve.py``.
"""

from __future__ import annotations

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness import compare, print_ratios

PLUGINS = 20
NEEDED = ("pluggy", "importlib-metadata", "stevedore")
HOOKS = """
from mercury_core import Provider, hookimpl

@hookimpl
def mercury_copy():
    return [Provider("bench{n}.{{}}".format(k), "bench_plugin_{n}.store:Store", "A store") for k in range(5)]
"""
MERCURY = "from mercury_core import registry; registry.resolve('copy', 'file')"
STEVEDORE = "from stevedore.driver import DriverManager; DriverManager('mercury_bench.copy', 'file').driver"


def write_distribution(site: Path, name: str, entry_points: str) -> None:
    folder = site / f"{name}-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nSummary: Fake\n\n{'text ' * 400}"
    )
    (folder / "RECORD").write_text("".join(f"{name}/module_{n}.py,,\n" for n in range(20)))
    if entry_points:
        (folder / "entry_points.txt").write_text(entry_points)


def copy_distribution(name: str, site: Path, copied: set[str]) -> None:
    """Install what is installed here, and what it requires, without asking any index."""
    if name in copied:
        return
    copied.add(name)
    try:
        distribution = importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        if name in NEEDED:
            raise SystemExit(f"This benchmark needs {name}: pip install {name}") from None
        return  # required for another platform or Python only
    for file in distribution.files or ():
        source = Path(str(file.locate()))
        if ".." not in file.parts and source.is_file():
            (site / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, site / file)
    for requirement in distribution.requires or ():
        if "extra ==" not in requirement:
            copy_distribution(re.split(r"[\s;<>=!~\[(]", requirement)[0], site, copied)


def make_environment(folder: Path, distributions: int) -> tuple[str, Path]:
    """A virtual environment with that many distributions, as an installer leaves them; its interpreter and cache."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    asked = subprocess.run(
        [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    site = Path(asked.stdout.strip())
    copied: set[str] = set()
    for name in NEEDED:
        copy_distribution(name, site, copied)
    core = Path(__file__).parents[1] / "mercury_core"
    shutil.copytree(core, site / "mercury_core", ignore=shutil.ignore_patterns("__pycache__"))
    write_distribution(
        site,
        "mercury_ml_core",
        "[mercury]\nbuiltin = mercury_core.builtin.hooks\n\n"
        "[mercury_bench.copy]\nfile = mercury_core.builtin.disk:FileStore\n",
    )
    (site / "mercury_ml_core-1.0.dist-info" / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: mercury-ml-core\nVersion: 1.0\n"
    )
    for number in range(PLUGINS):
        package = site / f"bench_plugin_{number}"
        package.mkdir()
        (package / "__init__.py").write_text("")
        (package / "hooks.py").write_text(HOOKS.format(n=number))
        (package / "store.py").write_text("class Store: ...\n")
        points = f"[mercury]\nbench{number} = bench_plugin_{number}.hooks\n\n[mercury_bench.copy]\n"
        points += "".join(f"bench{number}.{key} = bench_plugin_{number}.store:Store\n" for key in range(5))
        write_distribution(site, package.name, points)
    for number in range(distributions - PLUGINS - len(copied) - 1):
        scripts = f"[console_scripts]\nbench-{number} = bench_{number}:main\n" if number % 3 == 0 else ""
        write_distribution(site, f"bench_other_{number}", scripts)
    subprocess.run([str(python), "-m", "compileall", "-q", str(site)], check=True)
    then = time.time() - 3600  # what was just installed is not remembered yet: see mercury_core.discovery
    for parent, _, files in os.walk(site, topdown=False):
        for path in (*(Path(parent, name) for name in files), Path(parent)):
            if path.suffix != ".pyc" and path.suffix != ".py":  # bytecode is tied to the time of its source
                os.utime(path, (then, then))
    return str(python), site


def main() -> int:
    # stevedore keeps no cache for an interpreter below /tmp.
    home = Path.home() / ".cache"
    home.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mercury-bench-", dir=home) as root:
        cache = Path(root, "cache")
        env = {"XDG_CACHE_HOME": str(cache), "MERCURY_CACHE_DIR": str(cache / "mercury-ml")}
        small, _ = make_environment(Path(root, "small"), 300)
        large, _ = make_environment(Path(root, "large"), 3000)
        time.sleep(2.1)  # until the sources of the plugins are old enough to be remembered

        def clear(name: str) -> None:
            if name.endswith("cold"):
                shutil.rmtree(cache / "mercury-ml", ignore_errors=True)

        commands = {
            "mercury": [small, "-c", MERCURY],
            "stevedore": [small, "-c", STEVEDORE],
            "python -c pass": [small, "-c", "pass"],
        }
        results = compare(commands, env=env, cwd=root)
        for name in ("mercury-ml", "python-entrypoints"):
            if not any((cache / name).iterdir()):
                raise SystemExit(f"{name} has no cache: this would compare something else.")
        kept = print_ratios(results, limits={"stevedore": 0.5}, title="300 distributions, 20 with plugins, warm")

        growth = {"3,000": [large, "-c", MERCURY], "300": [small, "-c", MERCURY]}
        grown = compare(growth, env=env, cwd=root)
        kept &= print_ratios(grown, ours="3,000", limits={"300": 1.5}, title="growing, warm")

        cold = {
            "mercury 300 cold": [small, "-c", MERCURY],
            "stevedore 300 warm": [small, "-c", STEVEDORE],
            "mercury 3,000 cold": [large, "-c", MERCURY],
        }
        print_ratios(
            compare(cold, rounds=5, env=env, setup=clear, cwd=root),
            ours="mercury 300 cold",
            title="for information: the first process after an installation",
        )
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

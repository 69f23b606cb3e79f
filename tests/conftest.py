"""What the tests of several parts share: real servers, and an environment into which plugins are installed as files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest

from tests.servers.counting import FaultSummary, faults
from tests.servers.fixtures import gcp_emulator, gcs_server, moto_server, proxy_to, s3_server

collect_ignore = ["third_party/project"]  # somebody else's: its tests run where it is installed
__all__ = ["faults", "gcp_emulator", "gcs_server", "moto_server", "proxy_to", "s3_server"]

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(FaultSummary())
    pytest.register_assert_rewrite("tests.integration.copy_faults", "tests.integration.copy_faults_setup")


class Site:
    """A directory on ``sys.path``, what is installed in it, and a cache of its own.

    Attributes:
        path: The directory.
        cache: Where the index is kept.
    """

    def __init__(self, path: Path, cache: Path) -> None:
        self.path, self.cache = path, cache
        path.mkdir(parents=True, exist_ok=True)

    def install(
        self,
        name: str,
        modules: Mapping[str, str],
        entry_points: Mapping[str, str] | str,
        version: str = "1.0",
        metadata: str = "dist-info",
        code: Path | None = None,
    ) -> Path:
        """Write modules (file to source) and metadata as an installer would, and give back the metadata directory."""
        for file, source in modules.items():
            path = (code or self.path) / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(source))
        stem = name.replace("-", "_")
        folder = self.path / (f"{stem}-{version}.dist-info" if metadata == "dist-info" else f"{stem}.{metadata}")
        folder.mkdir()
        about = "METADATA" if metadata == "dist-info" else "PKG-INFO"
        (folder / about).write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        if not isinstance(entry_points, str):
            entry_points = "\n".join(["[mercury]", *(f"{key} = {value}" for key, value in entry_points.items()), ""])
        (folder / "entry_points.txt").write_text(entry_points)
        return folder

    def plugin(self, name: str, key: str = "sample", verb: str = "read", version: str = "1.0", note: str = "") -> Path:
        """Install a plugin that provides one key; its target gives back `note`."""
        package = name.replace("-", "_").replace(".", "_").lower()
        modules = {
            f"{package}/__init__.py": "",
            f"{package}/hooks.py": f"""
                from mercury_core import Provider, hookimpl

                @hookimpl
                def mercury_{verb}():
                    return [Provider({key!r}, "{package}.target:provide", "Summary of {name}")]
                """,
            f"{package}/target.py": f"def provide(source=None):\n    return {note or name!r}\n",
        }
        return self.install(name, modules, {name: f"{package}.hooks"}, version)

    def another(self, name: str) -> Site:
        """A second directory beside this one, not on the path yet, with the same cache."""
        return Site(self.path.parent / name, self.cache)

    def remove(self, name: str) -> None:
        """Remove a distribution and its package."""
        stem = name.replace("-", "_")
        for path in [*self.path.glob(f"{stem}*"), *self.path.glob("__pycache__")]:
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def age(self, *roots: Path) -> None:
        """Make all that is installed an hour old, as it is for most processes."""
        then = time.time() - 3600
        for root in (self.path, *roots):
            for folder, _, files in os.walk(root, topdown=False):
                for name in files:
                    os.utime(os.path.join(folder, name), (then, then))
                os.utime(folder, (then, then))

    def run(self, code: str, *path: Path, python: str = sys.executable, **env: str) -> str:
        """What a process of its own prints, in an empty working directory, with this site first on its path."""
        cwd = self.cache.parent / "cwd"
        cwd.mkdir(exist_ok=True)
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("MERCURY_", "COV_"))}
        entries = os.pathsep.join(map(str, (self.path, *path)))
        child = subprocess.run(
            [python, "-B", "-c", textwrap.dedent(code)],
            env={**kept, "PYTHONPATH": entries, "MERCURY_CACHE_DIR": str(self.cache), **env},
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
        )
        assert child.returncode == 0, child.stderr
        return child.stdout.strip()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """An empty site, first on this process's path as well; what is imported from it is forgotten afterwards."""
    made = Site(tmp_path / "site", tmp_path / "cache")
    for name in [*os.environ]:
        if name.startswith("MERCURY_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("MERCURY_CACHE_DIR", str(made.cache))
    monkeypatch.setattr(sys, "path", [str(made.path), *sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield made
    for name, module in [*sys.modules.items()]:
        if str(getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]

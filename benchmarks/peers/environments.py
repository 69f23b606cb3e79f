"""Environments for peers, each with its own packages, in the user's cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def python_of(name: str, packages: Sequence[str], module: str) -> str:
    """A Python that has these packages; its environment is made where it is not there yet.

    Args:
        name: Of the environment.
        packages: What pip installs.
        module: What can be imported once they are.

    Raises:
        RuntimeError: They cannot be installed; with the end of what pip said.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = caches / "mercury-bench" / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    check = [str(python), "-c", f"import {module}"]
    if not python.exists() or subprocess.run(check, check=False, capture_output=True).returncode:
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *packages]
        done = subprocess.run(install, check=False, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{' '.join(packages)} cannot be installed: {done.stderr.strip()[-300:]}")
    return str(python)


def versions_of(python: str, packages: Sequence[str]) -> str:
    """Names and versions of packages in an environment, in words."""
    ask = (
        "import sys; from importlib.metadata import version as v; print(', '.join(f'{n} {v(n)}' for n in sys.argv[1:]))"
    )
    said = subprocess.run([python, "-c", ask, *packages], check=True, capture_output=True, text=True)
    return said.stdout.strip()

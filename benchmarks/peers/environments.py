"""Environments for peers, each with its own packages, in the user's cache."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def python_of(name: str, packages: Sequence[str]) -> str:
    """A Python that has these packages; its environment is made where there is none yet, or one of other packages.

    Args:
        name: Of the environment.
        packages: What pip installs.

    Raises:
        RuntimeError: They cannot be installed; with the end of what pip said.
    """
    caches = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    home = caches / "mercury-bench" / f"{name}-{sys.version_info.major}.{sys.version_info.minor}"
    python = home / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    asked, done = "\n".join(packages), home / "asked.txt"
    if not python.exists() or not done.exists() or done.read_text(encoding="utf-8") != asked:
        subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", *packages]
        said = subprocess.run(install, check=False, capture_output=True, text=True)
        if said.returncode:
            raise RuntimeError(f"{' '.join(packages)} cannot be installed: {said.stderr.strip()[-300:]}")
        done.write_text(asked, encoding="utf-8")
    return str(python)


def versions_of(python: str, packages: Sequence[str]) -> str:
    """Names and versions of packages in an environment, in words."""
    ask = (
        "import sys; from importlib.metadata import version as v; print(', '.join(f'{n} {v(n)}' for n in sys.argv[1:]))"
    )
    said = subprocess.run([python, "-c", ask, *packages], check=True, capture_output=True, text=True)
    return said.stdout.strip()

"""Starting: ``import mercury_core`` and ``mercury-ml --help``, whole processes, against a bare start and against peers.

Peers are measured where they are installed in this environment. Run: ``python benchmarks/imports.py``.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import sysconfig

from harness import compare, print_ratios

#: Package to command, both for peers.
PEERS = {"kedro": "kedro", "metaflow": "metaflow", "mlflow": "mlflow", "zenml": "zenml", "bentoml": "bentoml"}


def main() -> int:
    bare = [sys.executable, "-c", "pass"]
    peers = [name for name in PEERS if importlib.util.find_spec(name)]
    print(f"Python {sys.version.split()[0]}; peers installed here: {', '.join(peers) or 'none'}")

    imports = {"mercury": [sys.executable, "-c", "import mercury_core"], "python -c pass": bare}
    imports |= {name: [sys.executable, "-c", f"import {name}"] for name in peers}
    kept = print_ratios(compare(imports), limits={"python -c pass": 1.3}, title="import")

    scripts = sysconfig.get_path("scripts")
    helps = {"mercury": [sys.executable, "-m", "mercury_core", "--help"], "python -c pass": bare}
    if command := shutil.which("mercury-ml", path=scripts):
        helps["mercury"] = [command, "--help"]
    for name in peers:
        if command := shutil.which(PEERS[name], path=scripts):
            helps[name] = [command, "--help"]
    kept &= print_ratios(compare(helps), limits={"python -c pass": 4.0}, title="--help")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

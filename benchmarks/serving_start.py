"""From the start of `mercury-ml serve` to its readiness, against a script that loads the same model and predicts once.

    python benchmarks/serving_start.py [--rounds N]

Whole processes by turns. By hand means: the pipeline of scikit-learn, loaded by skops from the same file. Says also
whether `mercury-ml inspect` imports a library of machine learning. Ends with 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import re
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from peers.load import free_ports
from peers.servers import SERVERS

LIMIT = 1.2
HEAVY = {"catboost", "keras", "lightgbm", "onnx", "onnxruntime", "scipy", "sklearn", "skops", "tensorflow", "torch"}
BY_HAND = """
import numpy, skops.io
file = "bundle/model/model.skops"
model = skops.io.load(file, trusted=skops.io.get_untrusted_types(file=file))
print(model.predict(numpy.zeros((1, 20))))
"""


def until_ready(home: Path) -> float:
    """Seconds from the start of the server until it says that it is ready."""
    port = free_ports(1)[0]
    start = time.perf_counter()
    command = [sys.executable, "-m", "mercury_core", "serve", "bundle", "--port", str(port)]
    process = subprocess.Popen(command, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while process.poll() is None:
            with suppress(OSError, HTTPException):
                connection = HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/v2/health/ready")
                if connection.getresponse().status == 200:
                    return time.perf_counter() - start
            time.sleep(0.005)
        raise RuntimeError("the server ended")
    finally:
        process.terminate()
        process.wait()


def by_hand(home: Path) -> float:
    """Seconds of the script."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", BY_HAND], cwd=home, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def imported_by_inspect(home: Path) -> set[str]:
    """Which libraries of machine learning `mercury-ml inspect` imports."""
    command = [sys.executable, "-X", "importtime", "-m", "mercury_core", "inspect", "bundle"]
    said = subprocess.run(command, cwd=home, check=True, capture_output=True, text=True).stderr
    return {name.partition(".")[0] for name in re.findall(r"\|\s+([\w.]+)$", said, re.MULTILINE)} & HEAVY


def main() -> int:
    """Measure, print, and say whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as name:
        home, ours = Path(name), SERVERS["mercury"]
        subprocess.run([sys.executable, "-c", ours.make, ours.argument], cwd=home, check=True)
        taken: dict[str, list[float]] = {"serve until ready": [], "by hand": []}
        for round_ in range(rounds + 1):
            ready, loaded = until_ready(home), by_hand(home)
            if round_:  # the first one fills the caches
                taken["serve until ready"].append(ready)
                taken["by hand"].append(loaded)
        heavy = imported_by_inspect(home)
    for what, seconds in taken.items():
        print(f"{what:18} {statistics.median(seconds):6.2f} s ({min(seconds):.2f} … {max(seconds):.2f})")
    ratio = statistics.median(taken["serve until ready"]) / statistics.median(taken["by hand"])
    print(f"ratio {ratio:.2f} (<= {LIMIT}: {'kept' if ratio <= LIMIT else 'MISSED'})")
    print(f"inspect imports {', '.join(sorted(heavy)) or 'no library of machine learning'}")
    return int(ratio > LIMIT or bool(heavy))


if __name__ == "__main__":
    sys.exit(main())

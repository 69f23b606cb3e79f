"""Requests a second of one worker on one core: ours, against an application written by hand for this one model.

The same scikit-learn pipeline (20 features, scaler and logistic regression) answers to ``wrk``, which has the other
core, with 1 and 64 connections and 1 and 100 rows a request, by turns. Both answer with the label alone, as servers do
that only predict.
It needs ``wrk`` and ``taskset``, and the packages uvicorn, starlette and httptools for the application written by hand.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from http.client import HTTPConnection
from pathlib import Path

ROUNDS, SECONDS = 3, 2
CASES = ((1, 64), (100, 64), (1, 1))
#: Ours is to be at least so many times as fast as the application written by hand, by rows and connections.
LIMITS = {(1, 64): 3.0}
MOST_MEMORY, MOST_P99 = 250.0, 15.0

BY_HAND = """
import sys, pickle, msgspec, numpy, uvicorn
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
model = pickle.load(open(sys.argv[1], "rb"))
class Tensor(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    data: list[float]
class Request(msgspec.Struct):
    inputs: list[Tensor]
decode, encode = msgspec.json.Decoder(Request).decode, msgspec.json.Encoder().encode
async def infer(request):
    tensor = decode(await request.body()).inputs[0]
    found = model.predict(numpy.array(tensor.data).reshape(tensor.shape)).tolist()
    output = {"name": "prediction", "datatype": "INT64", "shape": [len(found)], "data": found}
    return Response(encode({"model_name": "model", "outputs": [output]}), media_type="application/json")
async def ready(request):
    return Response(b"{}", media_type="application/json")
routes = [Route("/v2/models/model/infer", infer, methods=["POST"]), Route("/v2/health/ready", ready)]
uvicorn.run(Starlette(routes=routes), port=int(sys.argv[2]), log_level="error", access_log=False)
"""

LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.body = [==[{body}]==]
"""


def made(home: Path) -> None:
    """Fit the pipeline, and keep it as a bundle and for the application written by hand."""
    import pickle

    import numpy as np
    import pyarrow as pa
    from mercury_sklearn.model import SklearnModel
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from mercury_core import Bundle, DataBunch, DataSet, store_model

    random = np.random.default_rng(7)
    rows = random.normal(size=(2000, 20))
    labels = (rows @ random.normal(size=20) + random.normal(size=2000) > 0).astype(int)
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)
    (home / "model.pickle").write_bytes(pickle.dumps(pipeline))
    names = [f"x{place}" for place in range(20)]
    table = pa.table([*rows.T.copy(), labels], names=[*names, "y"])
    train = DataBunch({"train": DataSet.from_table(table, {"targets": "y"})})
    model = Bundle.of(SklearnModel(pipeline, names, ["y"], "numpy", ["int64"]), train)
    store_model(model, home / "bundle", format="sklearn.skops")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


def started(command: list[str], port: int) -> subprocess.Popen[bytes]:
    """Start a server on the first core, and return when it is ready."""
    process = subprocess.Popen(["taskset", "-c", "0", *command], stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            connection = HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/v2/health/ready")
            if connection.getresponse().status == 200:
                return process
        except OSError:
            time.sleep(0.02)
    process.kill()
    raise RuntimeError(f"{command[0]} did not become ready")


def asked(port: int, home: Path, rows: int, connections: int) -> tuple[float, float]:
    """Requests a second, and milliseconds of the slowest one in a hundred."""
    data = [round(place / 17 % 3 - 1.5, 15) + 1e-13 * place for place in range(20 * rows)]
    tensor = {"name": "features", "shape": [rows, 20], "datatype": "FP64", "data": data}
    script = home / f"{rows}.lua"
    body = json.dumps({"inputs": [tensor], "outputs": [{"name": "prediction"}]})
    script.write_text(LUA.replace("{body}", body))
    url = f"http://127.0.0.1:{port}/v2/models/model/infer"
    wrk = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{SECONDS}", "--latency", "-s", str(script), url]
    said = subprocess.run(wrk, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        raise RuntimeError(said)
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    if slow is None or rate is None:
        raise RuntimeError(said)
    return float(rate[1]), float(slow[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[slow[2]]


def peak(process: subprocess.Popen[bytes]) -> float:
    """The most MiB that a process has had."""
    text = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+)", text)
    return int(found[1]) / 1024 if found else 0.0


def main() -> int:
    if not shutil.which("wrk") or not shutil.which("taskset") or (os.cpu_count() or 1) < 2:
        print("Left out: it needs wrk, taskset and two cores.")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        made(home)
        (home / "by_hand.py").write_text(BY_HAND)
        ports = {"mercury": free_port(), "by hand": free_port()}
        serve = [sys.executable, "-m", "mercury_core", "serve", str(home / "bundle"), "--port", str(ports["mercury"])]
        by_hand = [sys.executable, str(home / "by_hand.py"), str(home / "model.pickle"), str(ports["by hand"])]
        servers: dict[str, subprocess.Popen[bytes]] = {}
        found: dict[str, dict[tuple[int, int], list[tuple[float, float]]]] = {}
        try:
            for name, command in (("mercury", serve), ("by hand", by_hand)):
                servers[name] = started(command, ports[name])
                found[name] = {case: [] for case in CASES}
            for _ in range(ROUNDS):
                for case in CASES:
                    for name in servers:
                        found[name][case].append(asked(ports[name], home, *case))
            memory = peak(servers["mercury"])
        finally:
            for process in servers.values():
                process.send_signal(signal.SIGTERM)
            for process in servers.values():
                process.wait(30)
    return 0 if told(found, memory) else 1


def told(found: dict[str, dict[tuple[int, int], list[tuple[float, float]]]], memory: float) -> bool:
    """Print the medians as ratios, and whether the limits hold."""
    kept = memory <= MOST_MEMORY
    for case in CASES:
        rows, connections = case
        rates = {name: statistics.median(rate for rate, _ in cases[case]) for name, cases in found.items()}
        slow = statistics.median(late for _, late in found["mercury"][case])
        ratio = rates["mercury"] / rates["by hand"]
        line = f"{rows:4} rows, {connections:3} connections: {rates['mercury']:8.0f} requests/s, "
        line += f"99 % within {slow:6.2f} ms; by hand {rates['by hand']:8.0f}; ratio {ratio:5.2f}"
        if case in LIMITS:
            right = ratio >= LIMITS[case] and slow <= MOST_P99
            line += f" (>= {LIMITS[case]}, and within {MOST_P99:g} ms: {'kept' if right else 'MISSED'})"
            kept = kept and right
        print(line)
    print(f"peak memory {memory:.0f} MiB (<= {MOST_MEMORY:g}: {'kept' if memory <= MOST_MEMORY else 'MISSED'})")
    return kept


if __name__ == "__main__":
    sys.exit(main())

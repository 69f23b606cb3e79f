"""A server under load for minutes: does its memory level off, is every answer right, is nobody left waiting?

Clients ask for what is right (JSON, bytes, CSV, of one row and of many) and for what is wrong, drip, cut off, and send
noise, while the model is replaced by another version again and again, and, where that is asked for, workers are killed.
Every minute it prints what the processes hold together. It ends with 1 where an answer was wrong, an error of the
server's, or missing, or where the memory after the last minute is more than a tenth above that after the second.

    python benchmarks/soak.py --minutes 10
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable

COLUMNS, ROWS = 20, 100
NAMES = [f"x{place}" for place in range(COLUMNS)]
MOST_GROWTH = 1.1
INFER = "/v2/models/model/infer"


def made(home: Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Two versions of a model, some rows, and what each version predicts of them."""
    from mercury_core import fit_model, load_model, read_data_bunch, store_model, transform_data_bunch

    random_state = np.random.default_rng(7)
    rows = random_state.normal(size=(ROWS, COLUMNS))
    expected = {}
    for version, weight in (("one", 1.0), ("two", -1.0)):
        train = random_state.normal(size=(2000, COLUMNS))
        labels = (weight * train[:, 0] + train[:, 1] > 0).astype(int)
        text = "\n".join(",".join(map(str, [*row, label])) for row, label in zip(train, labels, strict=True))
        (home / f"{version}.csv").write_text(f"{','.join([*NAMES, 'y'])}\n{text}\n")
        roles = {"features": NAMES, "targets": "y"}
        bunch = read_data_bunch({"train": str(home / f"{version}.csv")}, roles=roles)
        bunch = transform_data_bunch(bunch, "sklearn.preprocess")
        model = fit_model(bunch, "sklearn.fit", estimator="LogisticRegression")
        store_model(model, home / version, format="sklearn.skops", run=version)
        scores = load_model(home / version).predict(dict(zip(NAMES, rows.T, strict=True))).scores
        assert scores is not None
        expected[version] = scores.to("numpy").underlying
    return rows, expected


class Soak:
    """Clients, and what they saw."""

    def __init__(self, url: str, rows: np.ndarray, expected: dict[str, np.ndarray], *, kills: bool) -> None:
        self.kills = kills
        self.address = ("127.0.0.1", int(url.rpartition(":")[2]))
        self.rows, self.expected = rows, expected
        self.seen: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.over = threading.Event()
        self._lock = threading.Lock()

    def note(self, what: str, fault: str = "") -> None:
        """Count what was done, and what was wrong with it."""
        with self._lock:
            self.seen[what] += 1
            if fault:
                self.faults[f"{what}: {fault}"] += 1

    def keep(self, pause: float, work: Callable[[random.Random], None]) -> threading.Thread:
        """Do something again and again until it is over."""

        def again(seed: float) -> None:
            chance = random.Random(seed)
            while not self.over.wait(pause * (0.5 + chance.random())):
                try:
                    work(chance)
                except (OSError, http.client.HTTPException) as error:
                    # What a worker had that was killed is lost, and nothing else may be.
                    self.note("closed" if self.kills else work.__name__, "" if self.kills else repr(error))
                except Exception as error:  # noqa: BLE001  whatever it was, it is counted
                    self.note(work.__name__, f"{type(error).__name__}: {error}"[:200])

        thread = threading.Thread(target=again, args=(random.random(),), daemon=True)
        thread.start()
        return thread

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes, Any]:
        connection = http.client.HTTPConnection(*self.address, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.headers
        finally:
            connection.close()

    # --- what is right ---

    def good(self, chance: random.Random) -> None:
        """A request that has to be answered, and rightly, by whichever version is there."""
        count = chance.choice((1, 1, 1, 10, ROWS))
        rows = self.rows[:count]
        tensor: dict[str, Any] = {"name": "features", "shape": [count, COLUMNS], "datatype": "FP64"}
        kind = chance.choice(("json", "bytes", "people", "csv"))
        headers = {"Content-Type": "application/json"}
        if kind == "json":
            body = json.dumps({"inputs": [{**tensor, "data": rows.ravel().tolist()}]}).encode()
        elif kind == "bytes":
            content = rows.tobytes()
            head = json.dumps({"inputs": [{**tensor, "parameters": {"binary_data_size": len(content)}}]}).encode()
            body, headers = head + content, {"Inference-Header-Content-Length": str(len(head))}
        elif kind == "people":
            body = json.dumps([dict(zip(NAMES, row, strict=True)) for row in rows.tolist()]).encode()
        else:
            lines = [NAMES, *([repr(float(one)) for one in row] for row in rows)]
            body, headers = "\n".join(map(",".join, lines)).encode(), {"Content-Type": "text/csv"}
            headers["Accept"] = "application/json"
        of_the_protocol = kind in ("json", "bytes")
        status, told, _ = self._ask("POST", INFER if of_the_protocol else "/predict", body, headers)
        if status != 200:
            return self.note(f"good {kind}", f"{status} {told[:100]!r}")
        answer = json.loads(told)
        if of_the_protocol:
            scores = np.array(answer["outputs"][1]["data"]).reshape(count, 2)
            versions = [answer["model_version"]]
        else:
            scores = np.array([[row["score_0"], row["score_1"]] for row in answer["predictions"]])
            versions = list(self.expected)
        right = any(np.allclose(scores, self.expected[one][:count], rtol=1e-9, atol=1e-12) for one in versions)
        return self.note(f"good {kind}", "" if right else "another prediction")

    # --- what is wrong ---

    def bad(self, chance: random.Random) -> None:
        """A request that has to be refused with 4xx."""
        tensor: dict[str, Any] = {
            "name": "features",
            "shape": [1, COLUMNS],
            "datatype": "FP64",
            "data": [0.0] * COLUMNS,
        }
        method, path, body = chance.choice(
            [
                ("POST", INFER, b"{"),
                ("POST", INFER, json.dumps({"inputs": [{**tensor, "shape": [2, COLUMNS]}]}).encode()),
                ("POST", INFER, json.dumps({"inputs": [{**tensor, "datatype": "BYTES"}]}).encode()),
                ("POST", INFER, json.dumps({"inputs": [tensor], "outputs": [{"name": "nothing"}]}).encode()),
                ("POST", "/v2/models/nobody/infer", json.dumps({"inputs": [tensor]}).encode()),
                ("PUT", INFER, b"{}"),
                ("GET", "/nowhere", None),
                ("POST", "/predict", b'[{"x0": "text"}]'),
            ]
        )
        status, told, _ = self._ask(method, path, body, {})
        self.note("bad", "" if 400 <= status < 500 and "error" in json.loads(told) else f"{status} {told[:100]!r}")

    def noise(self, chance: random.Random) -> None:
        """Random bytes, bodies cut short, and bodies of 100 MB that are announced and begun."""
        begin = f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: "
        size = chance.choice((50, 5_000, 100 << 20))
        with suppress(OSError), socket.create_connection(self.address, timeout=30) as connection:
            head = chance.choice((b"", f"{begin}{size}\r\n\r\n".encode()))
            connection.sendall(head + chance.randbytes(chance.randrange(40)))
            if not head or size > 5_000:
                answer = connection.recv(4096)
                return self.note("noise", "500" if b"HTTP/1.1 5" in answer else "")
        return self.note("noise")

    def slow(self, chance: random.Random) -> None:
        """A head or a body that drips, and has to be given up: answered with 408, or closed."""
        body = chance.random() < 0.5
        with suppress(ConnectionError), socket.create_connection(self.address, timeout=60) as connection:
            head = (
                f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n{chr(13) + chr(10) if body else 'X-A: '}"
            )
            connection.sendall(head.encode())
            began = time.monotonic()
            connection.settimeout(1.0)
            while time.monotonic() - began < 60 and not self.over.is_set():
                connection.sendall(b"a")
                with suppress(TimeoutError):
                    answer = connection.recv(4096)
                    return self.note("slow", "" if not answer or b" 408 " in answer[:20] else repr(answer[:40]))
            if not self.over.is_set():
                return self.note("slow", "it was waited for")
        return self.note("slow")


def memory_of(server: int) -> tuple[int, int]:
    """What a process and its children hold together, in KiB, and how many they are."""
    pids, total = [server], 0
    with suppress(FileNotFoundError):
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        tasks = [path.read_text().split() for path in Path(f"/proc/{server}/task").glob("*/children")]
        pids += sorted({int(pid) for each in [children, *tasks] for pid in each})
    for pid in pids:
        with suppress(FileNotFoundError, IndexError):
            total += int(Path(f"/proc/{pid}/status").read_text().split("VmRSS:")[1].split()[0])
    return total, len(pids)


def replace(home: Path, version: str) -> None:
    """Put a version where the server loads its model from, at once."""
    from mercury_core import copy

    copy(home / version, home / "served", overwrite="replace")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--kill", type=float, default=0.0, metavar="SECONDS", help="kill a worker as often as that")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mercury-soak-") as folder:
        return soak(Path(folder), args.minutes, args.workers, args.kill)


def soak(home: Path, minutes: float, workers: int, kill: float) -> int:
    rows, expected = made(home)
    replace(home, "one")
    command = [
        sys.executable,
        "-m",
        "mercury_core",
        "serve",
        str(home / "served"),
        "--port",
        "0",
        "--workers",
        str(workers),
    ]
    server = subprocess.Popen(
        [*command, "header_timeout=5", "body_timeout=5"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1]
        work = Soak(url, rows, expected, kills=kill > 0)
        threads = [work.keep(0.02, work.good) for _ in range(4)]
        threads += [
            work.keep(0.1, work.bad),
            work.keep(0.2, work.noise),
            *(work.keep(0.1, work.slow) for _ in range(20)),
        ]
        marks, began, turn, killed = [], time.monotonic(), 0, 0.0
        while len(marks) < minutes:
            time.sleep(1.0)
            now = time.monotonic() - began
            if now // 10 > turn:
                turn = int(now // 10)
                replace(home, ("one", "two")[turn % 2])
                server.send_signal(signal.SIGHUP)
            if kill and workers > 1 and now - killed > kill:
                killed = now
                children = subprocess.run(["pgrep", "-P", str(server.pid)], capture_output=True, text=True, check=False)
                os.kill(int(random.choice(children.stdout.split())), signal.SIGKILL)
            if now >= 60 * min(len(marks) + 1, minutes):
                held, count = memory_of(server.pid)
                marks.append(held)
                print(
                    f"minute {now / 60:4.1f}: {held / 1024:6.0f} MiB in {count} processes, {turn} reloads, "
                    f"{sum(work.seen.values())} requests, {sum(work.faults.values())} faults",
                    flush=True,
                )
        work.over.set()
        for thread in threads:
            thread.join(70)
        stuck = sum(thread.is_alive() for thread in threads)
        server.send_signal(signal.SIGTERM)
        code = server.wait(60)
    finally:
        server.kill()
    growth = marks[-1] / marks[min(1, len(marks) - 1)]
    print(f"\n{dict(sorted(work.seen.items()))}")
    for fault, count in work.faults.most_common(20):
        print(f"{count} × {fault}")
    print(f"memory: last / second minute = {growth:.3f}, at most {MOST_GROWTH}")
    print(f"{stuck} clients still wait; the server ended with {code}")
    return int(work.faults.total() > 0 or growth > MOST_GROWTH or stuck > 0 or code != 0)


if __name__ == "__main__":
    sys.exit(main())

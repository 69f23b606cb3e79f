"""Servers under load: started on one core, asked by ``wrk`` from another."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from peers.servers import COLUMNS, python_for

if TYPE_CHECKING:
    from peers.servers import Server

_PATIENCE = 90.0

_LUA = """
local file = io.open("{file}", "rb")
wrk.method = "POST"
wrk.body = file:read("*a")
file:close()
{headers}
"""


class Answer(NamedTuple):
    """What ``wrk`` measured: requests a second, and milliseconds of the slowest one in a hundred."""

    rate: float
    late: float


def missing() -> str:
    """What this machine lacks for it, in words; empty where it has all."""
    if sys.platform != "linux" or (os.cpu_count() or 1) < 2:
        return "it needs Linux and two cores"
    lacking = [name for name in ("wrk", "taskset") if not shutil.which(name)]
    return f"it needs {' and '.join(lacking)}" if lacking else ""


def rows_of(count: int) -> list[list[float]]:
    """Rows of numbers with as many digits as numbers have, some for each label."""
    values = [round(place / 17 % 3 - 1.5, 15) + 1e-13 * place for place in range(COLUMNS * count)]
    return [values[start : start + COLUMNS] for start in range(0, COLUMNS * count, COLUMNS)]


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens at."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


class Running:
    """A server on the first core, in a directory of its own, that is asleep but while it is asked.

    Args:
        server: Which.
        home: A directory, which is made.

    Raises:
        RuntimeError: It cannot be installed, or does not become ready.
    """

    def __init__(self, server: Server, home: Path) -> None:
        self.server, self.home = server, home
        python = python_for(server)
        home.mkdir()
        self.ports = free_ports(3)
        for name, text in server.files(self.ports).items():
            (home / name).write_text(text, encoding="utf-8")
        made = subprocess.run(
            [python, "-c", server.make, server.argument], cwd=home, check=False, capture_output=True, text=True
        )
        if made.returncode:
            raise RuntimeError(f"its model cannot be made: {made.stderr.strip()[-300:]}")
        self.log = (home / "log.txt").open("wb")
        # Commands of an environment are found there by those that start others.
        path = f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"
        self.process = subprocess.Popen(
            ["taskset", "-c", "0", *server.command(python, self.ports)],
            cwd=home,
            env={**os.environ, "PATH": path, **(server.env or {})},
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        try:
            self._until_ready()
        except BaseException:
            self.stop()
            raise

    def _until_ready(self) -> None:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until and self.process.poll() is None:
            with suppress(OSError, HTTPException):
                if self.asked("GET", self.server.ready)[0] == 200:
                    return
            time.sleep(0.05)
        said = (self.home / "log.txt").read_text(encoding="utf-8", errors="replace").strip()
        raise RuntimeError(f"it does not become ready: {said[-400:]}")

    def asked(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """One request."""
        connection = HTTPConnection("127.0.0.1", self.ports[0], timeout=30)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def labels(self, count: int) -> list[int]:
        """What it predicts for `rows_of` so many."""
        body = json.dumps(self.server.body(rows_of(count))).encode()
        status, said = self.asked("POST", self.server.path, body)
        if status != 200:
            raise RuntimeError(f"{self.server.name} answers {status}: {said[:300]!r}")
        return [int(label) for label in self.server.labels(json.loads(said))]

    def measured(self, count: int, connections: int, seconds: int) -> Answer:
        """What ``wrk`` sees of requests with so many rows."""
        body = json.dumps(self.server.body(rows_of(count))).encode()
        return self.measured_with(body, {"Content-Type": "application/json"}, self.server.path, connections, seconds)

    def measured_with(self, body: bytes, headers: dict[str, str], path: str, connections: int, seconds: int) -> Answer:
        """What ``wrk`` sees of requests with a body."""
        file, script = self.home / "body", self.home / "wrk.lua"
        file.write_bytes(body)
        lines = "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in headers.items())
        script.write_text(_LUA.replace("{file}", str(file)).replace("{headers}", lines))
        url = f"http://127.0.0.1:{self.ports[0]}{path}"
        wrk = ["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--timeout", "30"]
        self.wake()
        try:
            said = subprocess.run(
                [*wrk, "--latency", "-s", str(script), url], capture_output=True, text=True, check=True
            )
        finally:
            self.sleep()
        slow = re.search(r"99%\s+([\d.]+)(us|ms|s|m)\b", said.stdout)
        rate = re.search(r"Requests/sec:\s+([\d.]+)", said.stdout)
        if "Non-2xx" in said.stdout or slow is None or rate is None:
            raise RuntimeError(f"{self.server.name}: {said.stdout}")
        unit = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[slow[2]]
        return Answer(float(rate[1]), float(slow[1]) * unit)

    def wake(self) -> None:
        """Let it run."""
        self._signal(signal.SIGCONT)

    def sleep(self) -> None:
        """Halt it, so that it takes nothing from the others."""
        self._signal(signal.SIGSTOP)

    def peak(self) -> float:
        """The most MiB that its processes have had, all together."""
        return sum(_peak(pid) for pid in _family(self.process.pid))

    def stop(self) -> None:
        """End it."""
        family = _family(self.process.pid)
        self.wake()
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        for pid in family:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def _signal(self, number: int) -> None:
        for pid in _family(self.process.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, number)


def _family(first: int) -> list[int]:
    """A process and all that descend from it: some servers give each of theirs a group of its own."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text(encoding="ascii").rpartition(")")[2].split()[1])
    found = [first] if first in parents else []
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _peak(pid: int) -> float:
    text: Any = ""
    with suppress(OSError):
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmHWM:\s+(\d+)", text)
    return int(found[1]) / 1024 if found else 0.0

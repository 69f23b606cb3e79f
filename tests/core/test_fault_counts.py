"""Faults are counted over all tests, whatever process they ran in, and told at the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

TESTS = """
import socket
import pytest
from tests.servers.counting import FaultSummary, faults
from tests.servers.faults import Reset

@pytest.mark.parametrize("place", range(3))
def test_resets(faults, place):
    proxy = faults.proxy("http://127.0.0.1:1")
    proxy.fail(Reset())
    with socket.create_connection(proxy.url.removeprefix("http://").split(":")) as connection:
        connection.sendall(b"GET / HTTP/1.1\\r\\n\\r\\n")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    faults.count["killed"] += place

def test_none(faults):
    pass

def test_of_something_else():
    pass
"""


def test_the_summary(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(TESTS)
    hook = "def pytest_configure(config):\n    config.pluginmanager.register(FaultSummary())\n"
    (tmp_path / "conftest.py").write_text(f"from tests.servers.counting import FaultSummary\n\n{hook}")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    for more in ([], ["-n", "2"]):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:cov", *more],
            cwd=tmp_path,
            env={**kept, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "faults: 6 injected in 4 tests (3 killed, 3 reset)" in done.stdout, done.stdout + done.stderr
        assert "this test is about faults, and there were none" in done.stdout
        assert "5 passed, 1 error" in done.stdout

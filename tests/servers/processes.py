"""Programs that serve on free ports of loopback until they are told to go."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sysconfig
import tempfile
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence


class NotReady(Exception):
    """What a check raises while its server does not serve yet."""


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on, all different; another process may still take one before it is used."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()


def program(name: str) -> str | None:
    """The path of a program that a wheel installed beside this Python, or that is on the path."""
    return shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)


@contextmanager
def scratch(prefix: str) -> Iterator[Path]:
    """A directory for what a server keeps: in memory where the system has such a place, for speed."""
    memory = Path("/dev/shm")
    home = memory if memory.is_dir() and shutil.disk_usage(memory).free > 2 << 30 else None
    with tempfile.TemporaryDirectory(prefix=prefix, dir=home, ignore_cleanup_errors=True) as made:
        yield Path(made)


@contextmanager
def serving(
    command: Callable[[list[int], Path], Sequence[str]],
    ports: int,
    ready: Callable[[list[int]], None],
    *,
    environment: Mapping[str, str] | None = None,
    seconds: float = 60,
) -> Iterator[list[int]]:
    """Run a server.

    Args:
        command: From the ports that it is to use and the directory that it may use, what to run.
        ports: How many it needs.
        ready: Raises `NotReady`, or an `OSError`, while it does not serve on those ports.
        environment: All of it; that of this process by default.
        seconds: How long it may take to be ready.

    Yields:
        Its ports.
    """
    attempts = 3
    for _ in range(attempts):
        chosen = free_ports(ports)
        with scratch("mercury-server-") as home:
            log = home / "log"
            with (
                log.open("wb") as output,
                subprocess.Popen(
                    command(chosen, home),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=home,
                    env=None if environment is None else dict(environment),
                ) as process,
            ):
                try:
                    if _is_up(process, partial(ready, chosen), seconds):
                        yield chosen
                        return
                finally:
                    process.kill()
            # Somebody else took one of the ports, most likely: other ones then.
            said = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"the server did not start in {attempts} attempts; it said last: {said}")


def _is_up(process: subprocess.Popen[bytes], ready: Callable[[], None], seconds: float) -> bool:
    limit = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < limit:
        with suppress(NotReady, OSError):
            ready()
            return True
        time.sleep(0.02)
    return False

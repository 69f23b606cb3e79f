"""One of several processes that answer; see `workers`, which starts it with ``python -m mercury_http.worker``."""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import signal
import sys
import threading
import time
from contextlib import suppress
from typing import TextIO

from mercury_http.service import HttpService

log = logging.getLogger(__name__)


def main() -> int:
    """Serve what stdin says, and end when it does."""
    # Who is told to stop is the process that started this one.
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a model prints
    commands = sys.stdin.buffer
    content = commands.read(int.from_bytes(commands.read(8), "little"))
    if not content:  # whoever started this process was stopped in that very moment
        return 0
    job = pickle.loads(content)  # noqa: S301  from the process that started this one, and from nobody else
    sources, settings, host, port = job
    service = HttpService(sources, settings, host, port, loaded_first=True, listener=int(sys.argv[1]))
    signal.signal(signal.SIGTERM, lambda _number, _frame: threading.Thread(target=service.stop).start())
    try:
        service.start()
        service.wait_until_ready()
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001  told to whoever asked for it
        _tell(answers, _line(error))
        return 1
    _tell(answers, "")
    threading.Thread(target=_end_where_it_hangs, args=(service,), daemon=True).start()
    for line in commands:
        if line == b"reload\n":
            try:
                service.reload()
            except Exception as error:  # noqa: BLE001  likewise
                _tell(answers, _line(error))
            else:
                _tell(answers, "")
    service.stop()
    return 0


def _tell(answers: TextIO, line: str) -> None:
    """Answer whoever asked; where nobody is left to hear it, stdin has ended as well, and so does this process."""
    with suppress(BrokenPipeError):
        print(line, file=answers)


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _end_where_it_hangs(service: HttpService) -> None:
    """A call that never comes back cannot be ended from within; another process takes the place of this one."""
    while not service.app.shelf.hangs:
        time.sleep(0.5)
    log.error("A model hangs: this worker ends.")
    os._exit(70)


if __name__ == "__main__":
    sys.exit(main())

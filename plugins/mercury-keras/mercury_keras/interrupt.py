"""Ctrl-C during training: noted, so that training ends between two batches and what was learnt is kept."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Interrupt:
    """Whether somebody pressed Ctrl-C.

    Attributes:
        asked: Likewise.
    """

    def __init__(self) -> None:
        self.asked = False


class TrainingInterrupted(KeyboardInterrupt):
    """Raised between two batches, and caught by whoever trains: no callback takes it for an error of its own."""


@contextmanager
def noting_ctrl_c() -> Iterator[Interrupt]:
    """Within this context the first SIGINT is noted; the second one raises KeyboardInterrupt, as it would outside.

    Only in the main thread, the only one that may, and where nobody else handles the signal.

    Yields:
        What tells of it.
    """
    noted = Interrupt()
    ours = (
        threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    )
    if not ours:
        yield noted
        return

    def note(_number: int, _frame: object) -> None:
        noted.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, note)
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)

"""Progress of a copy in plain lines, for logs and pipes: one every few seconds."""

from __future__ import annotations

from time import monotonic

from mercury_core.cli import output
from mercury_core.cli.plain import human

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from mercury_core.storage import CopyProgress

#: Between two lines.
SECONDS = 5.0


class CopyLines:
    """Called with the progress of a copy; tells of it on stderr."""

    def __init__(self) -> None:
        self._began = self._told = monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __call__(self, done: CopyProgress) -> None:
        """The copy went on."""
        now = monotonic()
        if now - self._told >= SECONDS:
            self._told = now
            output.say(line(done, now - self._began))


def line(done: CopyProgress, seconds: float) -> str:
    """How far a copy is.

    Examples:
        >>> from mercury_core.storage import CopyProgress
        >>> line(CopyProgress(3, 6_000_000, 10, 20_000_000), 2.0), line(CopyProgress(3, 600), 2.0)
        ('3 of 10 files, 6.0 MB of 20.0 MB, 3.0 MB/s', '3 files, 600 B, 300.0 B/s')
    """
    files = f"{done.files} files" if done.files_total is None else f"{done.files} of {done.files_total} files"
    size = human(done.bytes) if done.bytes_total is None else f"{human(done.bytes)} of {human(done.bytes_total)}"
    return f"{files}, {size}, {human(done.bytes / max(seconds, 1e-3))}/s"

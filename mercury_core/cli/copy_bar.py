"""Progress of a copy on a terminal: a bar of bytes, files beside it, the rate and the time that is left."""

from __future__ import annotations

from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

from mercury_core.cli import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from mercury_core.storage import CopyProgress

# Between two updates: a terminal shows no more than ten in a second.
_SECONDS = 0.05


class CopyBar:
    """Called with the progress of a copy; shows it on stderr.

    Args:
        target: What is shown beside the bar.
        console: Where to; the terminal of stderr by default.
    """

    def __init__(self, target: str, console: Console | None = None) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[files]}", markup=False),
            TimeRemainingColumn(),
            console=console or Console(stderr=True, highlight=False),
            redirect_stdout=False,
            redirect_stderr=False,
        )
        name = output.short(target)
        shown = name if len(name) <= 32 else f"…{name[-31:]}"
        self._task = self._progress.add_task(shown, total=None, files="")
        self._last: CopyProgress | None = None
        self._shown = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._show()
        self._progress.stop()

    def __call__(self, done: CopyProgress) -> None:
        """The copy went on."""
        self._last = done
        if monotonic() - self._shown >= _SECONDS:
            self._show()

    def _show(self) -> None:
        done = self._last
        if done is None:
            return
        self._shown = monotonic()
        of = "" if done.files_total is None else f"/{done.files_total}"
        self._progress.update(self._task, completed=done.bytes, total=done.bytes_total, files=f"{done.files}{of} files")

"""Progress on a terminal: a line a step, and below them what is going on now."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

from mercury_core.cli import output
from mercury_core.cli.plain import described, human

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self

#: Of the column of providers: a line with what came of a step fits into 80 columns.
WIDTH = 18


class TerminalProgress:
    """Listens to a run and shows it on stderr.

    Args:
        console: Where to; the terminal of stderr by default.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False)
        self._status = self._console.status("starting")
        self._running: dict[str, str] = {}

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._status.stop()

    def run_started(self, run: str, config: Mapping[str, Any]) -> None:
        """A run begins."""
        name = str(config.get("name") or "run")
        self._console.print(f"[bold]{escape(name)}[/]  [dim]{escape(run)}[/]")

    def step_started(self, step: str, provider: str, **_: Any) -> None:
        """A step begins."""
        self._running[step] = output.short(provider)
        self._status.update(f"{escape(step)}  [dim]{escape(_cut(output.short(provider)))}[/]")

    def step_finished(self, step: str, seconds: float, result: Mapping[str, Any], **_: Any) -> None:
        """A step succeeded."""
        self._line("[green]✓[/]", step, f"{seconds:6.2f} s", described(result))

    def step_failed(self, step: str, seconds: float, **_: Any) -> None:
        """A step failed; why is said at the end."""
        self._line("[red]✗[/]", step, f"{seconds:6.2f} s", "failed")

    def step_skipped(self, step: str, reason: str, **_: Any) -> None:
        """A step was not run."""
        self._line("[dim]–[/]", step, "", reason)

    def copy_progress(self, target: str, files: int, size: int, **_: Any) -> None:
        """A copy went on."""
        self._status.update(f"copy  [dim]{escape(_cut(output.short(target)))}  {files} files, {human(size)}[/]")

    def _line(self, mark: str, step: str, time: str, said: str) -> None:
        provider = self._running.pop(step, "")
        self._console.print(
            f"{mark} {escape(step):14} [cyan]{escape(_cut(provider)):{WIDTH}}[/] {time:>9}  [dim]{escape(said)}[/]",
            overflow="ellipsis",
            no_wrap=True,
        )


def _cut(provider: str) -> str:
    return provider if len(provider) <= WIDTH else provider[: WIDTH - 1] + "…"

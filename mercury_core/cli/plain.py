"""Progress in plain lines, for logs and pipes: one a step, when it is done."""

from __future__ import annotations

from mercury_core.cli import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Self


class PlainProgress:
    """Listens to a run and tells of it on stderr."""

    def __init__(self) -> None:
        self._providers: dict[str, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def run_started(self, run: str, **_: Any) -> None:
        """A run begins."""
        output.say(f"run {run}")

    def step_started(self, step: str, provider: str, **_: Any) -> None:
        """A step begins; it is told of when it ends."""
        self._providers[step] = output.short(provider)

    def step_finished(self, step: str, seconds: float, result: Mapping[str, Any], **_: Any) -> None:
        """A step succeeded."""
        said = described(result)
        output.say(f"{step} ({self._providers[step]}): {seconds:.2f} s{said and ', '}{said}")

    def step_failed(self, step: str, seconds: float, **_: Any) -> None:
        """A step failed; why is said at the end."""
        output.say(f"{step} ({self._providers[step]}): failed after {seconds:.2f} s")

    def step_skipped(self, step: str, reason: str, **_: Any) -> None:
        """A step was not run."""
        output.say(f"{step}: skipped, {reason}")


def described(result: Mapping[str, Any]) -> str:
    """The result of a step in a few words; metrics come at the end of the run, in their table.

    Examples:
        >>> described({"rows": {"train": 240, "test": 104}})
        'train 240, test 104 rows'
        >>> described({"path": "models/m", "size": 12_345})
        'models/m, 12.3 kB'
        >>> described({"model": "Sequential", "training": {"epochs": 12, "stopped": "interrupted"}})
        'Sequential, 12 epochs (interrupted)'
    """
    said = []
    for key, value in result.items():
        if key == "rows":
            said.append(", ".join(f"{name} {number}" for name, number in value.items()) + " rows")
        elif key == "training":
            epochs, stopped = value.get("epochs"), value.get("stopped")
            early = stopped not in (None, "epochs")  # all of them were done
            said += [f"{epochs} epochs" + f" ({stopped})" * early] if epochs is not None else []
        elif key in ("size", "bytes"):
            said.append(human(value))
        elif isinstance(value, str):
            said.append(output.short(value))
        elif isinstance(value, list):
            said += [output.short(each) for each in value]
    return ", ".join(said)


def human(size: float) -> str:
    """A size in bytes as people say it.

    Examples:
        >>> human(999), human(12_345), human(2_000_000_000)
        ('999 B', '12.3 kB', '2.0 GB')
    """
    if size < 1000:
        return f"{size:.1f} B" if isinstance(size, float) else f"{size} B"
    for unit in ("kB", "MB", "GB"):
        size /= 1000
        if size < 1000 or unit == "GB":
            break
    return f"{size:.1f} {unit}"

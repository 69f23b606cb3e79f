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
        self._providers[step] = provider

    def step_finished(self, step: str, seconds: float, result: Mapping[str, Any], **_: Any) -> None:
        """A step succeeded."""
        said = described(result)
        output.say(f"{step} ({self._providers[step]}): {seconds:.2f} s{', ' + said if said else ''}")

    def step_failed(self, step: str, seconds: float, **_: Any) -> None:
        """A step failed; why is said at the end."""
        output.say(f"{step} ({self._providers[step]}): failed after {seconds:.2f} s")

    def step_skipped(self, step: str, reason: str, **_: Any) -> None:
        """A step was not run."""
        output.say(f"{step}: skipped, {reason}")


def described(result: Mapping[str, Any]) -> str:
    """The result of a step in a few words: what is short of it.

    Examples:
        >>> described({"rows": {"train": 240, "test": 104}, "path": "models/m", "metrics": {"test": {"f1": 0.97}}})
        'rows train 240, test 104; path models/m'
    """
    from collections.abc import Mapping

    said = []
    for key, value in result.items():
        if isinstance(value, Mapping):
            if value and all(isinstance(inner, (int, str)) for inner in value.values()):
                said.append(f"{key} {', '.join(f'{name} {inner}' for name, inner in value.items())}")
        elif isinstance(value, (str, int, float)):
            said.append(f"{key} {value}")
    return "; ".join(said)

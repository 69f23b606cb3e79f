"""What providers print while they work goes to stderr: stdout holds the result of a command, and nothing else."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def prints_aside() -> Iterator[None]:
    """Send to stderr what is printed meanwhile, by Python and by compiled code; warnings to the user as sentences."""
    kept = _led_aside()
    try:
        with redirect_stdout(sys.stderr), _warnings_as_sentences():
            yield
    finally:
        if kept is not None:
            if "ctypes" in sys.modules and os.name == "posix":  # what C has printed is in its buffer still
                sys.modules["ctypes"].CDLL(None).fflush(None)
            os.dup2(kept, 1)
            os.close(kept)


@contextmanager
def _warnings_as_sentences() -> Iterator[None]:
    """Show warnings to the user without the line of code that gave them; those to programmers stay as they are."""
    before = warnings.formatwarning

    def shown(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
    ) -> str:
        if category is UserWarning:
            return f"Warning: {message}\n"
        return before(message, category, filename, lineno, line)

    warnings.formatwarning = shown
    try:
        yield
    finally:
        warnings.formatwarning = before


def _led_aside() -> int | None:
    """Where stdout led before; None where this process has no stdout, or no stderr."""
    try:
        os.fstat(2)
        kept = os.dup(1)
    except OSError:
        return None
    os.dup2(2, 1)
    return kept

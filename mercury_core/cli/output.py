"""What the command writes: results to stdout, all else to stderr, and never a traceback unasked."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO


def write(text: str) -> bool:
    """Write a result to stdout, at once. A reader that has gone away (``| head``) is no failure.

    Returns:
        Whether anybody reads on.

    Raises:
        StoreAccessError: What stdout leads to is full, or otherwise refuses.
    """
    stream = sys.stdout
    if stream is None:
        return False
    try:
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
        stream.flush()
    except BrokenPipeError:
        _lead_nowhere(stream)
        return False
    except OSError as error:
        from mercury_core.errors import StoreAccessError

        _lead_nowhere(stream)
        raise StoreAccessError("write to", "stdout", error.strerror or str(error)) from error
    return True


def say(message: str) -> None:
    """Tell the person who watches: a line on stderr. Where nobody can be told, the work goes on."""
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write(message + "\n")
        stream.flush()
    except OSError:
        _lead_nowhere(stream)


def flush() -> None:
    """Write out what argparse left in stdout's buffer."""
    if sys.stdout is not None:
        try:
            sys.stdout.flush()
        except OSError:
            _lead_nowhere(sys.stdout)


def _lead_nowhere(stream: TextIO) -> None:
    """Point a stream that refuses at the null device, so that the interpreter's flush at exit does not complain."""
    import os

    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def sentence(error: BaseException, *, debug: bool) -> str:
    """An error as it is shown: its own sentence, or the whole traceback where that was asked for."""
    from mercury_core.errors import MercuryError

    if debug:
        import traceback

        return "".join(traceback.format_exception(error)).rstrip()
    if isinstance(error, KeyboardInterrupt):
        return "Interrupted."
    if isinstance(error, MercuryError):
        return str(error)
    said = " ".join(str(error).split()) or "no message"
    return f"unexpected {type(error).__name__}: {said}; run again with --debug to see where it comes from."


def exit_code(error: BaseException) -> int:
    """1 the job failed, 2 the input is wrong, 130 after Ctrl-C; 128 and its number after another signal."""
    from mercury_core.errors import MercuryError

    if isinstance(error, KeyboardInterrupt):
        return getattr(error, "code", 130)
    return error.exit_code if isinstance(error, MercuryError) else 1


def is_terminal(stream: TextIO | None) -> bool:
    """Whether somebody watches: then, and only then, rich is worth its import."""
    return stream is not None and stream.isatty()


def write_json(value: Any) -> None:
    """One JSON document on stdout, strictly: no NaN and no infinity, which become null."""
    from mercury_core.strict_json import dumps

    write(dumps(value, indent=2))


def short(path: object) -> str:
    """A path as it is nearest to type: relative where it lies below the working directory; URIs as they are."""
    from pathlib import Path

    text, here = str(path), Path.cwd()
    return str(Path(text).relative_to(here)) if Path(text).is_absolute() and here in Path(text).parents else text

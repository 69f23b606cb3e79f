"""Sessions of onnxruntime: made of files that were looked at, with threads that suit a server on few cores."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mercury_core.errors import ArgumentsError, BundleFormatError, CorruptBundleError, ProviderNotInstalledError
from mercury_onnx import guard

if TYPE_CHECKING:
    from pathlib import Path

#: By how much predictions may move, relative to their size where that is above one.
TOLERANCE = 1e-5
#: The variable of the environment that says on how many threads a model computes, whatever it was saved with.
THREADS = "MERCURY_ONNX_THREADS"
_FATAL = 4


def need(key: str, install: str, *packages: str) -> None:
    """See that packages are there.

    Raises:
        ProviderNotInstalledError: One is missing.
    """
    if any(find_spec(package) is None for package in packages):
        raise ProviderNotInstalledError("save", key, install)


def opened(file: Path, *, threads: int | None = 1, advice: str = "") -> Any:
    """A session for a file that was found to be sound; it can be used from several threads at once.

    Args:
        file: An ONNX file.
        threads: On how many threads one operator computes; None for one a core. `THREADS` goes before it.
        advice: Ends the error where the file cannot be read, as what wrote it.

    Raises:
        CorruptBundleError: It refers to files outside of its directory, uses operators that are not of the standard, or
            claims numbers that are not there.
        BundleFormatError: It is no ONNX file that can be read.
    """
    content = guard.content_of(file)
    try:
        model = guard.parsed(content)
        faults = list(dict.fromkeys(guard.faults(model, file.parent)))
    except Exception as error:  # whatever protobuf raises, of a file that anybody may have written
        raise unreadable(file, error, advice) from error
    if faults:
        raise CorruptBundleError(str(file), faults[:5])
    # What was looked at is what is read; only data beside the file are found by its path.
    source = str(file) if guard.has_external_data(model) else content
    del model
    try:
        return of(source, threads=threads)
    except Exception as error:  # whatever onnxruntime raises
        raise unreadable(file, error, advice) from error


def of(source: str | bytes, *, threads: int | None = 1) -> Any:
    """A session for a file, or for the content of one, that is trusted or was looked at.

    Raises:
        Exception: Of onnxruntime, which cannot read it.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL  # what is said below that is raised, too
    options.intra_op_num_threads = _threads(threads)
    options.inter_op_num_threads = 1
    # Threads that wait must not keep a core busy that the server needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.add_session_config_entry("session.load_model_format", "ONNX")
    there = onnxruntime.get_available_providers()
    wanted = [name for name in ("CUDAExecutionProvider", "CPUExecutionProvider") if name in there]
    return onnxruntime.InferenceSession(source, options, providers=wanted)


def unreadable(file: Path, error: BaseException, advice: str = "") -> BundleFormatError:
    """What a library said when it could not read a file."""
    said = "there is not enough memory for it" if isinstance(error, MemoryError) else first_line(error)
    return BundleFormatError(str(file), f"it cannot be read ({said}){advice}")


def first_line(error: BaseException) -> str:
    """An error in one line that is not too long: ``ValueError: no such thing``."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = f"{type(error).__name__}: {lines[0]}".rstrip(". ") if lines else type(error).__name__
    return line if len(line) <= 300 else f"{line[:300]} …"


def _threads(threads: int | None) -> int:
    """For onnxruntime, to which 0 is one a core."""
    said = os.environ.get(THREADS, "")
    if said and not (said.isdecimal() and int(said) <= 1024):
        raise ArgumentsError("save", "onnx", [f"{THREADS} is {said!r}: expected a whole number, 0 for one a core."])
    return int(said) if said else threads or 0

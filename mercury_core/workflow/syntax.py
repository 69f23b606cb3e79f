"""A workflow file as text, and what is wrong where it is no YAML: one sentence, with its place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from mercury_core.errors import WorkflowFileError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import yaml


class Place(NamedTuple):
    """A place in a file, both numbers from 1 on."""

    line: int
    column: int


def text_of(file: Path) -> str:
    """The text of a workflow file.

    Raises:
        WorkflowFileError: There is none that can be read.
    """
    try:
        raw = file.read_bytes()
    except FileNotFoundError:
        near = _beside(file)
        raise WorkflowFileError([f"{file}: There is no such file.{near}"]) from None
    except IsADirectoryError:
        raise WorkflowFileError(
            [f"{file}: This is a directory: expected a workflow file, as {file / 'workflow.yaml'}."]
        ) from None
    except OSError as error:
        raise WorkflowFileError([f"{file}: The file cannot be read: {error.strerror or error}."]) from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - (raw.rfind(b"\n", 0, error.start) + 1) + 1
        raise WorkflowFileError(
            [f"{file}:{line}:{column}: The byte 0x{raw[error.start]:02x} here is not UTF-8: save the file as UTF-8."]
        ) from None


def _beside(file: Path) -> str:
    from mercury_core.errors import did_you_mean

    try:
        names: Sequence[str] = [str(one) for one in file.parent.iterdir() if one.suffix in (".yaml", ".yml")]
    except OSError:
        return ""
    return did_you_mean(str(file), names)


def syntax_fault(error: yaml.YAMLError, text: str) -> tuple[Place, str]:
    """Where YAML ends to be YAML, and why, in one sentence."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        position = getattr(error, "position", 0)
        line = text.count("\n", 0, position) + 1
        column = position - (text.rfind("\n", 0, position) + 1) + 1
        return Place(line, column), "A character here cannot stand in YAML: remove it."
    place = Place(mark.line + 1, mark.column + 1)
    lines = text.splitlines()
    here = lines[mark.line] if mark.line < len(lines) else ""
    if "\t" in here[: mark.column + 1] and not here[: mark.column + 1].strip():
        return place, "A tab indents this line: YAML is indented with spaces."
    said = " ".join(part for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part)
    if re.search(r"[:\[{,]\s*[^\s\"'#,]*\$\{", here) and re.search(r"[\[{].*\$\{", here):
        return place, f'This is not YAML ({said}): inside of braces or brackets, write "${{…}}" in quotes.'
    return place, f"This is not YAML: {said}."

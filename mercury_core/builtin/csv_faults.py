"""What pyarrow says about delimited text, in one sentence with the line and the column."""

from __future__ import annotations

import re

from mercury_core.builtin.sources import first_line
from mercury_core.errors import ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.builtin.csv_file import CsvFile

_RAGGED = re.compile(r"(?:Row #(\d+): )?Expected (\d+) columns, got (\d+): (.*)", re.DOTALL)
_UNFIT = re.compile(r"In CSV column #(\d+): (?:Row #(\d+): )?CSV conversion error to ([^:]+): (.*)", re.DOTALL)


def explained(file: CsvFile, error: Exception) -> ReadError:
    """The error to raise in place of one of pyarrow's.

    Args:
        file: The file; it is read again, by one thread, where that tells the row.
        error: What pyarrow, or the decoder, raised.
    """
    if isinstance(error, UnicodeError):
        return ReadError(file.source, f"it is not {file.dialect.encoding} text", "Give encoding='latin-1', or its own.")
    if isinstance(error, OSError):
        return ReadError(
            file.source, f"it cannot be unpacked ({first_line(error)})", "Check what packed it, or copy it again."
        )
    said = _with_row(file, str(error))
    if ragged := _RAGGED.search(said):
        return _ragged(file, *ragged.groups())
    if unfit := _UNFIT.search(said):
        return _unfit(file, *unfit.groups())
    if "Empty CSV file" in said:
        return ReadError(file.source, "it has no line with text in it", "Check what wrote it.")
    if "Could not skip initial" in said:
        why = f"it has fewer lines than skip_rows={file.dialect.skip_rows}"
        return ReadError(file.source, why, "Skip fewer.")
    if "straddling" in said:
        why = "a row is longer than 1 MiB"
        return ReadError(file.source, why, "Check that its lines end in line breaks and that its quotes are closed.")
    if "out of sync" in said:
        return ReadError(file.source, "a quoted value goes over several lines", "Give newlines_in_values=True.")
    return ReadError(file.source, first_line(error), "Check its delimiter, quotes and encoding.")


def _with_row(file: CsvFile, said: str) -> str:
    import pyarrow as pa

    if "Row #" in said or not (_RAGGED.search(said) or _UNFIT.search(said)):
        return said
    try:
        file.whole(threads=False)
    except pa.ArrowInvalid as error:
        return str(error)
    return said


def _ragged(file: CsvFile, row: str | None, expected: str, found: str, text: str) -> ReadError:
    from mercury_core.builtin.csv_file import other_delimiter

    where = _line(file, int(row), text) if row else "a line"
    names = f"the header has {expected}" if file.dialect.column_names is None else f"{expected} were named"
    fields = "field" if found == "1" else "fields"
    header = _header(file)
    other = other_delimiter([header]) if expected == "1" else other_delimiter([text]) if found == "1" else None
    todo = (
        f"Did you mean delimiter={other!r}?"
        if other
        else "Mend the line, or leave such lines out with invalid_rows='skip'."
    )
    return ReadError(file.source, f"{where} has {found} {fields} where {names}", todo)


def _unfit(file: CsvFile, column: str, row: str | None, kind: str, why: str) -> ReadError:
    name = file.names()[int(column)]
    value = re.search(r"invalid value '(.*)'", why, re.DOTALL)
    if "invalid UTF8" in why:
        what, todo = "is not UTF-8", "Give encoding='latin-1', say."
    else:
        what = (
            f"holds {value[1]!r}, which is no {kind}"
            if value
            else f"does not fit {kind} ({first_line(ValueError(why))})"
        )
        todo = "Mend the value, add it to null_values if it stands for a missing one, or change column_types."
    where = f" in {_line(file, int(row))}" if row else ""
    return ReadError(file.source, f"the column {name!r}{where} {what}", todo)


def _header(file: CsvFile) -> str:
    import io

    with io.TextIOWrapper(io.BufferedReader(file.stream()), file.dialect.encoding, "replace") as lines:
        for _ in range(file.dialect.skip_rows):
            lines.readline()
        return lines.readline()


def _line(file: CsvFile, row: int, text: str = "") -> str:
    """Where a row is, as an editor counts: pyarrow counts no empty lines, and a row with line breaks as one."""
    import io

    begins = text.partition("\n")[0].rstrip("\r").encode(file.dialect.encoding, "replace")
    seen = 0
    with io.BufferedReader(file.stream()) as lines:
        for number, line in enumerate(lines, 1):
            if number > file.dialect.skip_rows and file.dialect.ignore_empty_lines and not line.strip(b"\r\n"):
                continue
            seen += 1
            if seen == row:
                return f"line {number}" if line.startswith(begins) else f"row {row}"
    return f"row {row}"

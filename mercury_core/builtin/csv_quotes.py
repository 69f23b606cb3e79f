"""Quotes that nothing closes: pyarrow takes the rows behind one for a part of its value, and says nothing of it."""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.builtin.csv_file import CsvFile

_BLOCK = 1 << 20


def is_odd(text: bytes, mark: bytes) -> bool:
    """Whether a text holds an odd number of quotes: then one of them may not be closed in it."""
    return mark in text and text.count(mark) % 2 == 1


def unclosed(file: CsvFile) -> int | None:
    """The line in which a quote opens that nothing closes.

    Args:
        file: A file in an encoding that writes ASCII as it is; others are not looked at.

    Returns:
        The line as an editor counts; None where every quote is closed.
    """
    quote = file.dialect.quote_char
    if not quote or f"{quote}\n".encode(file.dialect.encoding) != f"{quote}\n".encode():
        return None
    mark, odd = quote.encode(), False
    with file.stream() as stream:
        while block := stream.read(_BLOCK):
            odd ^= is_odd(block, mark)
    return _opened(file, mark) if odd else None


def _opened(file: CsvFile, mark: bytes) -> int | None:
    """Go through a file line by line; an odd number of quotes is no fault where one stands within a plain value."""
    import io

    quote, delimiter = re.escape(mark), re.escape(file.dialect.parse_options(file.path).delimiter.encode())
    inner = b"[^" + quote + b"]"
    if file.dialect.escape_char:
        escape = re.escape(file.dialect.escape_char.encode())
        inner = b"[^" + quote + escape + b"]|" + escape + b"."
    if file.dialect.double_quote:
        inner += b"|" + quote + quote
    rest = b"(?:" + inner + b")*+(" + quote + b")?"
    value = re.compile(b"(?:^|" + delimiter + b")" + quote + rest, re.DOTALL)
    close = re.compile(rest, re.DOTALL)
    opened: int | None = None
    with io.BufferedReader(file.stream()) as lines:
        for number, line in enumerate(lines, 1):
            begin = 0
            if number <= file.dialect.skip_rows:
                continue
            if number == 1:
                line = line.removeprefix(b"\xef\xbb\xbf")
            if opened is not None:
                closed = close.match(line)
                if closed is None or closed[1] is None:
                    continue
                begin, opened = closed.end(), None
            for found in value.finditer(line, begin):
                if found[1] is None:
                    opened = number
    return opened

"""Tables on stdout: ruled by rich on a terminal, aligned with spaces elsewhere."""

from __future__ import annotations

import sys

from mercury_core.cli import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def show_table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = False) -> None:
    """Print a table.

    Args:
        headers: One a column.
        rows: The cells, as text.
        numbers: Whether all columns but the first hold numbers, which stand on the right.
    """
    output.write(
        _ruled(headers, rows, numbers) if output.is_terminal(sys.stdout) else aligned(headers, rows, numbers=numbers)
    )


def aligned(headers: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: bool = False) -> str:
    """Lay out a table in plain text.

    Examples:
        >>> print(aligned(("metric", "test"), [("accuracy", "0.97"), ("f1", "0.9")], numbers=True))
        metric    test
        accuracy  0.97
        f1         0.9
    """
    lines = [list(headers), *map(list, rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = ["<"] + [">" if numbers else "<"] * (len(headers) - 1)
    return "\n".join(
        "  ".join(f"{cell:{side}{width}}" for cell, side, width in zip(line, sides, widths, strict=True)).rstrip()
        for line in lines
    )


def _ruled(headers: Sequence[str], rows: Sequence[Sequence[str]], numbers: bool) -> str:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for place, header in enumerate(headers):
        right = numbers and place > 0
        table.add_column(header, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(file=sys.stdout)
    with console.capture() as captured:
        console.print(table)
    return captured.get().strip("\n")

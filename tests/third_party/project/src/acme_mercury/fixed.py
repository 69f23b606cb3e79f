"""Fixed-width text."""

from pathlib import Path

import pyarrow as pa

from mercury_core.errors import MissingColumnsError, ReadError


def read_fixed(source: str, width: int = 8, columns: list[str] | None = None) -> pa.Table:
    """Read a table of numbers whose columns are all equally wide; the first line names them.

    Args:
        source: A path.
        width: Characters a column.
        columns: The columns to read; all by default.
    """
    lines = [
        [line[start : start + width].strip() for start in range(0, len(line), width)]
        for line in Path(source).read_text().splitlines()
    ]
    if not lines:
        raise ReadError(source, "it is empty", "The first line must name the columns.")
    names, *rows = lines
    if missing := [name for name in columns or () if name not in names]:
        raise MissingColumnsError(source, missing, names)
    kept = names if columns is None else columns
    return pa.table({name: pa.array([float(row[names.index(name)]) for row in rows], pa.float64()) for name in kept})

"""The reader `json`: one object a line, or one array of objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence  # noqa: TC003  (parameters are checked against these hints)
from pathlib import Path  # noqa: TC003
from typing import Any

from mercury_core.builtin.sources import chosen, first_line, local, types_of
from mercury_core.errors import ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pyarrow as pa

_CHANGED = re.compile(r"Column\(/(.*?)\) (?:changed from|was specified to be|was not)(.*)")
_LINE = re.compile(r" in row (\d+)")


class JsonReader:
    """Reads JSON, packed or not, into an Arrow table: one object a line, or one array of objects.

    An array goes through Python objects, so large tables are better kept one object a line. A column that is null in
    every object has the type null.
    """

    def __call__(
        self,
        source: str | Path,
        *,
        columns: Sequence[str] | None = None,
        column_types: Mapping[str, str] | None = None,
        newlines_in_values: bool = False,
        block_size: int = 1 << 20,
    ) -> pa.Table:
        """Read.

        Args:
            source: A path or a ``file:`` URI; ``.gz``, ``.bz2``, ``.zst`` and ``.lz4`` are unpacked.
            columns: The columns to keep, in this order; all by default.
            column_types: Column to type, by Arrow's names.
            newlines_in_values: Whether an object may span lines, where there is no array around them.
            block_size: Bytes that are read at once; more than the longest object.

        Returns:
            The columns asked for.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ReadError: Not such JSON, or columns that hold objects or lists.
            MissingColumnsError: A column is not there.
            ArgumentsError: A type that does not exist.
        """
        import pyarrow as pa

        path, name, types = local(source), str(source), types_of("json", column_types)
        try:
            with pa.input_stream(str(path), compression="detect") as stream:
                start = stream.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
            if start.startswith(b"["):
                table = _of_array(path, name, types)
            else:
                table = _of_lines(path, types, newlines_in_values, block_size)
        except (pa.ArrowException, OSError) as error:
            raise _explained(name, error) from error
        if not table.num_rows:
            raise ReadError(name, "it holds no object", "Check what wrote it.")
        table = table.select(chosen(name, columns, table.column_names))
        for field in table.schema:
            if pa.types.is_nested(field.type):
                why = f"the column {field.name!r} holds objects or lists"
                raise ReadError(name, why, "Flatten it where the file is written, or name only other columns.")
            _check_text(name, field.name, table.column(field.name))
        return table

    def schema(self, source: str | Path, **params: Any) -> pa.Schema:
        """Names and types; JSON has no header, so the file is read.

        Args:
            source: As for reading.
            **params: As for reading.

        Raises:
            The same as for reading.
        """
        return self(source, **params).schema


def _check_text(name: str, column: str, values: pa.ChunkedArray) -> None:
    import pyarrow as pa

    try:
        values.validate(full=True)
    except pa.ArrowInvalid as error:
        why = f"the column {column!r} holds bytes that are not UTF-8"
        raise ReadError(name, why, "JSON is UTF-8: convert the file.") from error


def _of_lines(path: Path, types: Mapping[str, pa.DataType], spanning: bool, block_size: int) -> pa.Table:
    import pyarrow as pa
    from pyarrow import json

    return json.read_json(
        pa.input_stream(str(path), compression="detect"),
        json.ReadOptions(block_size=block_size),
        json.ParseOptions(explicit_schema=pa.schema(types) if types else None, newlines_in_values=spanning),
    )


def _of_array(path: Path, name: str, types: Mapping[str, pa.DataType]) -> pa.Table:
    import msgspec
    import pyarrow as pa

    with pa.input_stream(str(path), compression="detect") as stream:
        text = stream.read().removeprefix(b"\xef\xbb\xbf")
    try:
        rows = msgspec.json.decode(text, type=list[dict[str, Any]])
    except msgspec.ValidationError as error:
        raise ReadError(
            name, f"it is not an array of objects ({first_line(error)})", "Write one object a row."
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ReadError(name, f"it is not JSON ({first_line(error)})", "Check what wrote it.") from error
    columns = {}
    for column in dict.fromkeys(key for row in rows for key in row):
        try:
            columns[column] = pa.array([row.get(column) for row in rows], types.get(column))
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
            why = f"the column {column!r} holds values of more than one kind, or not of its type ({first_line(error)})"
            raise ReadError(name, why, "Mend them where the file is written.") from error
    return pa.table(columns)


def _explained(name: str, error: Exception) -> ReadError:
    said = first_line(error)
    row = _LINE.search(said)
    # Counted from the block on, with several blocks; from the first row of the file only in the first.
    where = f", near row {int(row[1]) + 1} of a block" if row else ""
    if changed := _CHANGED.search(said):
        change = _LINE.sub("", changed[2]).strip()
        return ReadError(name, f"the column {changed[1]!r} changes its kind{where} ({change})", "Mend the value.")
    if "straddling" in said:
        return ReadError(
            name,
            "an object spans lines, or is longer than a block",
            "Give newlines_in_values=True, or a larger block_size.",
        )
    said = _LINE.sub("", said.removeprefix("JSON parse error: ")).rstrip(". ")
    return ReadError(name, f"it is not JSON, one object a line{where} ({said})", "Check what wrote it.")

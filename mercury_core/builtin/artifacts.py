"""Formats of artifacts: tables, dicts and lists as JSON, tables as Parquet and as CSV.

All are written whole or not at all. A table is whatever `DataWrapper` takes, a `DataWrapper`, a `DataSet` (its roles
side by side), `Predictions` (values, then ``score_CLASS`` columns), or a list of dicts with one row each.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Literal

from mercury_core.errors import ConversionError, DataError, ReadError
from mercury_core.storage.atomic import atomic_file
from mercury_core.storage.refusals import refusal
from mercury_core.storage.uri import local_path, to_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import TextIO

    import pyarrow as pa

_ROWS = 10_000  # held as Python objects at a time


class JsonFormat:
    """JSON in the strict sense: a table as an array with one object a row, all else as it is."""

    def write(self, artifact: Any, path: Path, *, lines: bool = False, indent: int | None = 2) -> Path:
        """Write.

        NaN and infinity become null; times are ISO 8601, durations seconds; NumPy's scalars and arrays, dataclasses
        and enums are written as what they hold; tables may be anywhere inside.

        Args:
            artifact: A table, a mapping, a list, a number, text.
            path: The file, replaced where it exists.
            lines: One row (or item of a list) a line, without an array around them.
            indent: Spaces a level, in what is no table; None for one line.

        Returns:
            `path`.

        Raises:
            DataError: Something that JSON cannot say, and where it is: a set, bytes, an object.
            StoreAccessError: The file cannot be written.
        """
        if is_table(artifact) or lines:
            if not is_table(artifact) and not isinstance(artifact, (list, tuple)):
                raise DataError(
                    f"A {type(artifact).__name__} has no lines: expected a table or a list, or lines=False."
                )
            with self.writing(path, lines=lines) as write:
                write(artifact)
            return to_path(path)
        with atomic_file(path) as beside, _text(beside) as file:
            file.write(_whole(artifact, indent) + "\n")
        return to_path(path)

    @contextmanager
    def writing(self, path: Path, *, lines: bool = False) -> Iterator[Callable[[Any], None]]:
        """Write a table piece by piece; see `mercury_core.contracts.PiecesFormat`."""
        from mercury_core.builtin.jsonable import jsonable
        from mercury_core.strict_json import dumps

        separator, written = "\n" if lines else ",\n ", 0
        with atomic_file(path) as beside, _text(beside) as file:

            def write(piece: Any) -> None:
                nonlocal written
                for row in rows_of(piece) if is_table(piece) else piece:
                    file.write((separator if written else "") + dumps(jsonable(row, f"[{written}]")))
                    written += 1

            file.write("" if lines else "[")
            yield write
            file.write("\n" if lines else "]\n")

    def read(self, path: Path) -> Any:
        """Read it again: dicts, lists, numbers, text; of a file of lines, a list.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ReadError: It is not JSON.
        """
        import json

        try:
            text = to_path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise refusal(error, "read", str(path)) from error
        except UnicodeDecodeError as error:
            raise ReadError(str(path), f"it is not UTF-8: {error}") from error
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            return _lines(text, ReadError(str(path), f"it is not JSON: {error.msg} in line {error.lineno}"))


class ParquetFormat:
    """Tables as Parquet: names, types, nulls and categories come back as they were."""

    def write(
        self, artifact: Any, path: Path, *, compression: Literal["none", "snappy", "gzip", "zstd", "lz4"] = "zstd"
    ) -> Path:
        """Write.

        Args:
            artifact: A table; see the module.
            path: The file, replaced where it exists.
            compression: Of the pages.

        Returns:
            `path`.

        Raises:
            DataError: It is no table, or has a column that Parquet cannot hold.
            StoreAccessError: The file cannot be written.
        """
        table = table_of(artifact)
        with self.writing(path, compression=compression) as write:
            write(table)
        return to_path(path)

    @contextmanager
    def writing(
        self, path: Path, *, compression: Literal["none", "snappy", "gzip", "zstd", "lz4"] = "zstd"
    ) -> Iterator[Callable[[Any], None]]:
        """Write a table piece by piece, each a row group; see `mercury_core.contracts.PiecesFormat`."""
        import pyarrow as pa
        from pyarrow import parquet

        writer: parquet.ParquetWriter | None = None
        with atomic_file(path) as beside, ExitStack() as opened:

            def write(piece: Any) -> None:
                nonlocal writer
                table = table_of(piece)
                try:
                    if writer is None:
                        made = parquet.ParquetWriter(beside, table.schema, compression=compression)
                        writer = opened.enter_context(made)
                    writer.write_table(table)
                except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
                    raise DataError(f"Cannot write {path} as Parquet: {error}.") from error

            yield write

    def read(self, path: Path) -> pa.Table:
        """Read it again.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ReadError: It is not Parquet.
        """
        import pyarrow as pa
        from pyarrow import parquet

        try:
            with parquet.ParquetFile(local_path(path)) as file:
                return file.read()
        except pa.ArrowInvalid as error:
            raise ReadError(str(path), f"it is not Parquet: {error}") from error
        except OSError as error:
            raise refusal(error, "read", str(path)) from error


class CsvFormat:
    """Tables as delimited text in UTF-8 below a line of names. A null is an empty field, empty text is ``""``."""

    def write(self, artifact: Any, path: Path, *, delimiter: str = ",", header: bool = True) -> Path:
        """Write.

        Args:
            artifact: A table; see the module.
            path: The file, replaced where it exists.
            delimiter: Between fields, one character.
            header: Whether the first line has the names.

        Returns:
            `path`.

        Raises:
            DataError: It is no table.
            ConversionError: A column of lists, structures or bytes.
            StoreAccessError: The file cannot be written.
        """
        table = _text_ready(table_of(artifact))
        with self.writing(path, delimiter=delimiter, header=header) as write:
            write(table)
        return to_path(path)

    @contextmanager
    def writing(self, path: Path, *, delimiter: str = ",", header: bool = True) -> Iterator[Callable[[Any], None]]:
        """Write a table piece by piece; see `mercury_core.contracts.PiecesFormat`."""
        from pyarrow import csv

        if len(delimiter.encode()) != 1 or delimiter in '"\r\n':
            raise DataError(f"The delimiter {delimiter!r} cannot part fields: expected one character of ASCII, as ';'.")
        options = csv.WriteOptions(include_header=header, delimiter=delimiter)
        writer: csv.CSVWriter | None = None
        with atomic_file(path) as beside, ExitStack() as opened:

            def write(piece: Any) -> None:
                nonlocal writer
                table = _text_ready(table_of(piece))
                if writer is None:
                    writer = opened.enter_context(csv.CSVWriter(beside, table.schema, write_options=options))
                writer.write_table(table)

            yield write

    def read(self, path: Path) -> pa.Table:
        """Read it again, types inferred; the reader ``csv`` has more options.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ReadError: It is not CSV.
        """
        import pyarrow as pa
        from pyarrow import csv

        try:
            options = csv.ConvertOptions(strings_can_be_null=True, quoted_strings_can_be_null=False)
            return csv.read_csv(local_path(path), convert_options=options)
        except pa.ArrowInvalid as error:
            raise ReadError(str(path), f"it is not CSV: {error}") from error
        except OSError as error:
            raise refusal(error, "read", str(path)) from error


json_format = JsonFormat()
parquet_format = ParquetFormat()
csv_format = CsvFormat()


def _text(path: Path) -> TextIO:
    """A file of JSON to be written."""
    # A lone surrogate, from a file name that is no UTF-8, has an escape in JSON, and no bytes in UTF-8.
    return path.open("w", encoding="utf-8", errors="backslashreplace", newline="\n")


def _lines(text: str, otherwise: ReadError) -> list[Any]:
    """One value a line."""
    import json

    found = [line for line in text.split("\n") if line.strip()]
    try:
        values = [json.loads(line) for line in found]
    except json.JSONDecodeError as error:
        raise otherwise from error
    if not values:
        raise otherwise
    return values


def is_table(artifact: Any) -> bool:
    """Whether it is a table by its type; dicts and lists, which may also be read as one, are not."""
    from mercury_core.data import DataSet, DataWrapper, Predictions

    if isinstance(artifact, (DataWrapper, DataSet, Predictions)) or hasattr(artifact, "__arrow_c_stream__"):
        return True
    return type(artifact).__module__.partition(".")[0] == "pandas" and hasattr(artifact, "columns")


def table_of(artifact: Any) -> pa.Table:
    """The table that an artifact is.

    Raises:
        DataError: It is none.
    """
    import pyarrow as pa

    from mercury_core.data import DataSet, DataWrapper, Predictions

    if isinstance(artifact, Predictions):
        table = artifact.values.to("arrow").underlying
        if artifact.scores is not None:
            scores = artifact.scores.to("arrow").underlying
            for label, column in zip(artifact.classes or artifact.scores.field_names, scores.columns, strict=True):
                table = table.append_column(f"score_{label}", column)
        return table
    if isinstance(artifact, DataSet):
        artifact = DataWrapper.concat_columns(artifact.values())
    elif isinstance(artifact, list) and artifact and all(isinstance(row, dict) for row in artifact):
        try:
            names = dict.fromkeys(name for row in artifact for name in row)  # a row may lack some
            artifact = pa.table({name: [row.get(name) for row in artifact] for name in names})
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise DataError(
                f"A list of dicts is no table, since a column of it has no single type: {error}."
            ) from error
    return (artifact if isinstance(artifact, DataWrapper) else DataWrapper(artifact)).to("arrow").underlying


def rows_of(artifact: Any) -> Iterator[dict[str, Any]]:
    """The rows of a table as dicts, a block at a time."""
    import pyarrow as pa

    table = table_of(artifact)
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            table = table.set_column(place, field.name, _without_nanoseconds(table.column(place)))
    for batch in table.to_batches(max_chunksize=_ROWS):
        yield from batch.to_pylist()


def _without_nanoseconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Times that Python can hold; those that it cannot, as text."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return column.cast(pa.timestamp("us", tz=column.type.tz))
    except pa.ArrowInvalid:
        return pc.replace_substring(column.cast(pa.string()), " ", "T")


def _text_ready(table: pa.Table) -> pa.Table:
    """Categories as what they stand for; what has no text is refused."""
    import pyarrow as pa

    fields = []
    for field in table.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            todo = "Leave it out, or write Parquet or JSON."
            raise ConversionError(field.name, str(kind), "CSV", "text has no form for it", todo)
        fields.append(field.with_type(kind))
    return table.cast(pa.schema(fields))


def _whole(artifact: Any, indent: int | None) -> str:
    from mercury_core.builtin.jsonable import jsonable
    from mercury_core.strict_json import dumps

    try:
        return dumps(jsonable(artifact), indent=indent)
    except RecursionError as error:
        raise DataError("JSON cannot hold what contains itself, or is nested some hundred levels deep.") from error

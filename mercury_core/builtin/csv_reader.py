"""The reader `csv`: delimited text, and what may be said about it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence  # noqa: TC003  (parameters are checked against these hints)
from pathlib import Path  # noqa: TC003
from typing import Any, Literal

from mercury_core.builtin.csv_file import CsvDialect, CsvFile
from mercury_core.builtin.sources import local, types_of
from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa


class CsvReader:
    r"""Reads delimited text, packed or not, into an Arrow table.

    Types are inferred over all rows of a column: the first of null, int64, bool, date32, time32, timestamp, float64,
    string that fits every value. A column that is empty in every row has the type null.

    Float64 columns of a large file lie side by side in memory, so that ``to("numpy")`` of neighbours copies nothing.

    Examples:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder, "a.csv")
        ...     _ = path.write_text("a;b\n1;x\n2;NA\n")
        ...     CsvReader()(path, columns=["b"], delimiter=";").to_pydict()
        {'b': ['x', None]}
    """

    def __call__(
        self,
        source: str | Path,
        *,
        columns: Sequence[str] | None = None,
        delimiter: str | None = None,
        quote_char: str | None = '"',
        double_quote: bool = True,
        escape_char: str | None = None,
        newlines_in_values: bool = False,
        ignore_empty_lines: bool = True,
        skip_rows: int = 0,
        skip_rows_after_names: int = 0,
        column_names: Sequence[str] | None = None,
        autogenerate_column_names: bool = False,
        encoding: str = "utf-8",
        null_values: Sequence[str] | None = None,
        true_values: Sequence[str] | None = None,
        false_values: Sequence[str] | None = None,
        strings_can_be_null: bool = True,
        quoted_strings_can_be_null: bool = True,
        decimal_point: str = ".",
        timestamp_parsers: Sequence[str] | None = None,
        column_types: Mapping[str, str] | None = None,
        invalid_rows: Literal["error", "skip"] = "error",
    ) -> pa.Table:
        """Read.

        Args:
            source: A path or a ``file:`` URI; ``.gz``, ``.bz2``, ``.zst`` and ``.lz4`` are unpacked.
            columns: The columns to read, in this order; all by default.
            delimiter: One character; by default a tab for ``.tsv`` and ``.tab``, a comma for all else.
            quote_char: What values that hold the delimiter stand in; None for no quoting.
            double_quote: Whether two quotes in a quoted value mean one.
            escape_char: What takes the meaning from the next character; None for none.
            newlines_in_values: Whether quoted values may hold line breaks (then one thread cuts the text into rows).
            ignore_empty_lines: Whether empty lines are no rows.
            skip_rows: Lines to skip at the start.
            skip_rows_after_names: Rows to skip after the header.
            column_names: Names for the columns of a file without a header.
            autogenerate_column_names: Whether to name the columns of such a file ``f0``, ``f1``, …
            encoding: Of the text.
            null_values: What stands for a missing value; by default the empty text, NA, NaN, null, N/A and their like.
            true_values: What stands for true; by default 1, true, True, TRUE.
            false_values: What stands for false; by default 0, false, False, FALSE.
            strings_can_be_null: Whether those stand for missing values among strings too.
            quoted_strings_can_be_null: Whether they do in quotes too.
            decimal_point: One character.
            timestamp_parsers: Formats of ``strptime`` to try, in this order; by default ISO 8601.
            column_types: Column to type, as ``{"zip": "string"}``: Arrow's names, or ``category``.
            invalid_rows: Whether a row with too many or too few values is an error or is left out.

        Returns:
            The columns asked for.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ReadError: Not such a file; names the line and the column where it can.
            MissingColumnsError: A column is not there.
            ArgumentsError: Parameters that contradict each other, or a type that does not exist.
        """
        return self._file(
            source,
            delimiter=delimiter,
            quote_char=quote_char,
            double_quote=double_quote,
            escape_char=escape_char,
            newlines_in_values=newlines_in_values,
            ignore_empty_lines=ignore_empty_lines,
            skip_rows=skip_rows,
            skip_rows_after_names=skip_rows_after_names,
            column_names=column_names,
            autogenerate_column_names=autogenerate_column_names,
            encoding=encoding,
            null_values=null_values,
            true_values=true_values,
            false_values=false_values,
            strings_can_be_null=strings_can_be_null,
            quoted_strings_can_be_null=quoted_strings_can_be_null,
            decimal_point=decimal_point,
            timestamp_parsers=timestamp_parsers,
            column_types=column_types,
            invalid_rows=invalid_rows,
        ).table(columns)

    def schema(self, source: str | Path, *, columns: Sequence[str] | None = None, **params: Any) -> pa.Schema:
        """Names and types from the header and the first block (1 MiB); a later row may widen a type.

        Args:
            source: As for reading.
            columns: As for reading.
            **params: As for reading.

        Raises:
            The same as for reading.
        """
        import pyarrow as pa

        file = self._file(source, **params)
        first = file.first_block()
        return pa.schema([first.field(name) for name in file.chosen(columns, first.names)])

    def batches(
        self, source: str | Path, *, rows: int, skip: int = 0, columns: Sequence[str] | None = None, **params: Any
    ) -> Iterator[pa.Table]:
        """Read piece by piece, in bounded memory; twice, since the types of the columns hang on every row.

        Args:
            source: As for reading.
            rows: How many a table holds; the last one may hold fewer.
            skip: Rows to leave out at the start.
            columns: As for reading.
            **params: As for reading.

        Raises:
            The same as for reading.
        """
        from mercury_core.builtin import csv_batches

        return csv_batches.batches(self._file(source, **params), columns, rows, skip)

    def _file(self, source: str | Path, **params: Any) -> CsvFile:
        faults = [fault.message for fault in self.check_params(params)]
        if faults:
            raise ArgumentsError("read", "csv", faults)
        return CsvFile(local(source), str(source), CsvDialect(**params))

    def check_params(self, params: Mapping[str, Any]) -> Iterable[Fault]:
        """Texts that are not one character, types that do not exist, names given and generated."""
        for name in ("delimiter", "quote_char", "escape_char", "decimal_point"):
            value = params.get(name)
            if value is not None and (not isinstance(value, str) or len(value.encode()) != 1):
                yield Fault((name,), f"{name}: expected one ASCII character, found {value!r}.")
        if params.get("column_names") is not None and params.get("autogenerate_column_names"):
            yield Fault(("autogenerate_column_names",), "Give column_names or autogenerate_column_names, not both.")
        try:
            "".encode(params.get("encoding", "utf-8"))
        except LookupError:
            message = f"encoding: no encoding {params['encoding']!r} is known; expected one as 'utf-8' or 'latin-1'."
            yield Fault(("encoding",), message)
        try:
            types_of("csv", params.get("column_types"))
        except ArgumentsError as error:
            yield from (Fault(("column_types",), fault) for fault in error.faults)

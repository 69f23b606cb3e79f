"""One file of delimited text: its first block, then all of it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from mercury_core.builtin.sources import chosen, types_of
from mercury_core.endings import PACKED
from mercury_core.errors import MissingColumnsError, ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from typing import Any, Literal

    import pyarrow as pa
    from pyarrow import csv

_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class CsvDialect:
    """How a file is written and what is to be made of it: the parameters of `CsvReader`, where they are described."""

    delimiter: str | None = None
    quote_char: str | None = '"'
    double_quote: bool = True
    escape_char: str | None = None
    newlines_in_values: bool = False
    ignore_empty_lines: bool = True
    skip_rows: int = 0
    skip_rows_after_names: int = 0
    column_names: Sequence[str] | None = None
    autogenerate_column_names: bool = False
    encoding: str = "utf-8"
    null_values: Sequence[str] | None = None
    true_values: Sequence[str] | None = None
    false_values: Sequence[str] | None = None
    strings_can_be_null: bool = True
    quoted_strings_can_be_null: bool = True
    decimal_point: str = "."
    timestamp_parsers: Sequence[str] | None = None
    column_types: Mapping[str, str] | None = None
    invalid_rows: Literal["error", "skip"] = "error"

    @property
    def is_utf8(self) -> bool:
        """Whether the text needs no decoding."""
        return self.encoding.lower().replace("_", "-") in ("utf-8", "utf8")

    def read_options(self, *, threads: bool) -> csv.ReadOptions:
        """How the file begins."""
        from pyarrow import csv

        return csv.ReadOptions(
            use_threads=threads,
            block_size=_BLOCK,
            skip_rows=self.skip_rows,
            skip_rows_after_names=self.skip_rows_after_names,
            column_names=None if self.column_names is None else list(self.column_names),
            autogenerate_column_names=self.autogenerate_column_names,
            encoding="utf8" if self.is_utf8 else self.encoding,
        )

    def parse_options(self, path: Path) -> csv.ParseOptions:
        """How rows are cut into values."""
        from pyarrow import csv

        tabs = path.name.lower().endswith(
            (".tsv", ".tab", *(f"{end}{packed}" for end in (".tsv", ".tab") for packed in PACKED))
        )
        return csv.ParseOptions(
            delimiter=self.delimiter or ("\t" if tabs else ","),
            quote_char=self.quote_char or False,
            double_quote=self.double_quote,
            escape_char=self.escape_char or False,
            newlines_in_values=self.newlines_in_values,
            ignore_empty_lines=self.ignore_empty_lines,
            invalid_row_handler=(lambda _row: "skip") if self.invalid_rows == "skip" else None,
        )

    def convert_options(
        self, columns: Sequence[str] | None = None, types: Mapping[str, pa.DataType] | None = None
    ) -> csv.ConvertOptions:
        """What becomes of the values.

        Args:
            columns: The columns to keep, all by default.
            types: Their types; by default those that were asked for.
        """
        from pyarrow import csv

        options: dict[str, Any] = {
            "null_values": self.null_values,
            "true_values": self.true_values,
            "false_values": self.false_values,
            "timestamp_parsers": self.timestamp_parsers,
            "include_columns": columns,
        }
        return csv.ConvertOptions(
            column_types=types_of("csv", self.column_types) if types is None else types,
            strings_can_be_null=self.strings_can_be_null,
            quoted_strings_can_be_null=self.quoted_strings_can_be_null,
            decimal_point=self.decimal_point,
            **{name: list(value) for name, value in options.items() if value is not None},
        )


@dataclass(frozen=True, slots=True)
class CsvFile:
    """One file.

    Attributes:
        path: Where it is.
        source: How it was named.
        dialect: How it is written.
    """

    path: Path
    source: str
    dialect: CsvDialect

    def first_block(self) -> pa.Schema:
        """The names of the columns, and the types that the first block shows.

        Raises:
            ReadError: No header, no row below it, not text, or a first block that cannot be cut into rows.
        """
        import pyarrow as pa
        from pyarrow import csv

        self._check_bytes()
        try:
            with csv.open_csv(
                self.stream(),
                self.dialect.read_options(threads=False),
                self.dialect.parse_options(self.path),
                self.dialect.convert_options(),
            ) as reader:
                schema = reader.schema
                schema.names  # noqa: B018  (raises where a name is not UTF-8)
                if not any(batch.num_rows for batch in reader):
                    why = f"it has a header ({', '.join(schema.names[:8])}) and no row below it"
                    raise ReadError(self.source, why, "Check what wrote it.")
        except (pa.ArrowException, OSError, UnicodeError) as error:
            raise self._explained(error) from error
        return schema

    def names(self) -> list[str]:
        """The names of the columns, where the first block can be cut into rows."""
        from pyarrow import csv

        dialect = self.dialect
        options = (
            dialect.read_options(threads=False),
            dialect.parse_options(self.path),
            dialect.convert_options(types={}),
        )
        with csv.open_csv(self.stream(), *options) as reader:
            names: list[str] = reader.schema.names
        return names

    def table(self, columns: Sequence[str] | None) -> pa.Table:
        """The columns asked for.

        Raises:
            ReadError: Not such a file.
            MissingColumnsError: A column that is not there.
        """
        import pyarrow as pa

        first = self.first_block()
        wanted = self.chosen(columns, first.names)
        try:
            table = self._by_parts(first, wanted)
            if table is None:
                self._check_quotes()
                table = self.whole(wanted)
        except (pa.ArrowException, OSError, UnicodeError) as error:
            raise self._explained(error) from error
        self.check_text(table.schema)
        return table

    def whole(self, columns: Sequence[str] | None = None, *, threads: bool = True) -> pa.Table:
        """All rows by pyarrow itself, types inferred over all of them; one thread tells the row in its errors."""
        from pyarrow import csv

        return csv.read_csv(
            self.stream(),
            self.dialect.read_options(threads=threads),
            self.dialect.parse_options(self.path),
            self.dialect.convert_options(columns),
        )

    def chosen(self, columns: Sequence[str] | None, names: Sequence[str]) -> list[str]:
        """The columns to read.

        Raises:
            ReadError: A header that looks as if it had another delimiter, or that has a name twice.
            MissingColumnsError: A column that is not there.
        """
        try:
            chosen(self.source, tuple(self.dialect.column_types or ()), names)
            return chosen(self.source, columns, names)
        except MissingColumnsError:
            other = other_delimiter(names)
            if other is None:
                raise
            why = f"its header is one column, {names[0]!r}"
            raise ReadError(self.source, why, f"Did you mean delimiter={other!r}?") from None

    def stream(self) -> pa.NativeFile:
        """Its bytes, unpacked."""
        import pyarrow as pa

        return pa.input_stream(str(self.path), compression="detect")

    def _by_parts(self, first: pa.Schema, wanted: Sequence[str]) -> pa.Table | None:
        """The table; None for a small file, one not to be cut at line ends, or one that outgrows its first types."""
        import pyarrow as pa

        from mercury_core.builtin.csv_parts import SMALLEST, read_parts

        dialect = self.dialect
        if self.path.suffix.lower() in PACKED or not dialect.is_utf8 or dialect.newlines_in_values or not wanted:
            return None
        if self.path.stat().st_size < SMALLEST or not hasattr(os, "pread"):  # Windows has no such call
            return None
        types = {name: first.field(name).type for name in wanted}
        try:
            return read_parts(
                self.path,
                dialect.read_options(threads=False),
                dialect.parse_options(self.path),
                dialect.convert_options(wanted, types),
                first.names,
            )
        except pa.ArrowInvalid:
            return None  # read whole: that finds wider types, or the same fault with its row

    def _check_bytes(self) -> None:
        """Refuse what is not text before it is taken for strange values."""
        if self.path.suffix.lower() in PACKED or not self.dialect.is_utf8:
            return
        with self.path.open("rb") as file:
            head = file.read(1 << 16)
        if head.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise ReadError(self.source, "it is UTF-16 text", "Give encoding='utf-16'.")
        if b"\0" in head:
            line = head.count(b"\n", 0, head.index(b"\0")) + 1
            raise ReadError(
                self.source,
                f"line {line} holds a null byte, which text never does",
                "Give its encoding, or its format.",
            )

    def _check_quotes(self) -> None:
        """Refuse a quote that nothing closes: the rows behind it would be lost in its value."""
        from mercury_core.builtin.csv_quotes import unclosed

        line = unclosed(self)
        if line is not None:
            raise ReadError(
                self.source,
                f"the quote that opens in line {line} is never closed",
                "Close it, or give quote_char=None where quotes are a part of the text.",
            )

    def check_text(self, schema: pa.Schema) -> None:
        """Refuse columns that pyarrow kept as bytes since they are no UTF-8.

        Raises:
            ReadError: There is one.
        """
        import pyarrow as pa

        types = types_of("csv", self.dialect.column_types)
        for field in schema:
            if pa.types.is_binary(field.type) and field.name not in types:
                raise ReadError(
                    self.source,
                    f"the column {field.name!r} holds bytes that are not UTF-8",
                    "Give encoding='latin-1', say.",
                )

    def _explained(self, error: Exception) -> ReadError:
        from mercury_core.builtin.csv_faults import explained

        return explained(self, error)


def other_delimiter(names: Sequence[str]) -> str | None:
    """What the header was cut with, if it is one column that holds another delimiter.

    Examples:
        >>> other_delimiter(["a;b;c"]), other_delimiter(["a"])
        (';', None)
    """
    if len(names) != 1:
        return None
    return next((mark for mark in (";", "\t", "|", ",") if mark in names[0]), None)

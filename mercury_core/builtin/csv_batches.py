"""Delimited text in bounded memory: once for the types, which need every row, and once for the rows.

The text is cut at line ends into parts of a few MiB, packed or not, and threads parse them. The types are those that
pyarrow infers over the whole: it tries types in a fixed order and takes the first that fits every value, so a type that
some part refuses is out, and the next in that order is tried on all parts.

What cannot be cut at line ends is read whole: quoted values that hold line breaks, quotes that stand in plain values,
encodings in which a line end is not one byte.
"""

from __future__ import annotations

from mercury_core.builtin.csv_faults import explained
from mercury_core.builtin.csv_parts import BLOCK, PART
from mercury_core.builtin.csv_quotes import is_odd
from mercury_core.builtin.sources import batched
from mercury_core.data.in_order import in_order

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow as pa

    from mercury_core.builtin.csv_file import CsvFile


def batches(file: CsvFile, columns: Sequence[str] | None, rows: int, skip: int) -> Iterator[pa.Table]:
    """Read piece by piece.

    Args:
        file: The file.
        columns: Which, in this order; all by default.
        rows: How many a piece holds; the last one may hold fewer.
        skip: Rows to leave out at the start; parts that hold nothing else are not parsed again.

    Raises:
        ReadError: Not such a file.
        MissingColumnsError: A column that is not there.
    """
    import pyarrow as pa

    first = file.first_block()
    wanted = file.chosen(columns, first.names)
    parts = _Parts(file, first, wanted)
    try:
        counts = parts.settle() if _can_be_cut(file) and wanted else None
        if counts is not None:
            file.check_text(pa.schema(list(parts.types.items())))
            before = 0
            while before < len(counts) - 1 and skip >= counts[before]:
                skip -= counts[before]
                before += 1
            yield from batched(parts.tables(before), rows, skip)
            return
    except (pa.ArrowException, OSError, UnicodeError) as error:
        raise explained(file, error) from error
    yield from batched([file.table(columns)], rows, skip)


def _can_be_cut(file: CsvFile) -> bool:
    dialect = file.dialect
    line_end = f"{dialect.quote_char or ''}\n"
    return not dialect.newlines_in_values and line_end.encode(dialect.encoding) == line_end.encode()


class _Parts:
    """The parts of a file, and the types that its columns have as far as is known.

    Attributes:
        types: By column.
    """

    def __init__(self, file: CsvFile, first: pa.Schema, wanted: Sequence[str]) -> None:
        from pyarrow import csv

        dialect = file.dialect
        self._file, self._wanted = file, list(wanted)
        self._given = set(dialect.column_types or ())
        self._parse = dialect.parse_options(file.path)
        self._mark = self._parse.quote_char.encode() if self._parse.quote_char else b""
        self._first = dialect.read_options(threads=False)
        self._later = csv.ReadOptions(
            use_threads=False, block_size=BLOCK, column_names=list(first.names), encoding=self._first.encoding
        )
        self.types: dict[str, pa.DataType] = {name: first.field(name).type for name in wanted}

    def settle(self) -> list[int] | None:
        """Find the types that fit all parts.

        Returns:
            How many rows each part has; None where the whole has to be read at once, be it for its error.
        """
        import pyarrow as pa

        while True:
            types = dict(self.types)
            counts: list[int] = []
            try:
                for count, fitting in in_order(self._fit, self._texts(), pa.cpu_count(), "mercury-csv"):
                    counts.append(count)
                    for name, kind in fitting.items():  # parts that are not begun yet are tried with these
                        self.types[name] = max(self.types[name], kind, key=_rank)
            except pa.ArrowInvalid:
                return None
            if types == self.types:
                return counts

    def tables(self, before: int) -> Iterator[pa.Table]:
        """The parts as tables.

        Args:
            before: Parts to leave out at the start.
        """
        import pyarrow as pa

        texts = (one for one in self._texts() if one[0] >= before)
        return in_order(lambda place, text: self._table(place, text, self.types), texts, pa.cpu_count(), "mercury-csv")

    def _texts(self) -> Iterator[tuple[int, bytes]]:
        """Each part with its number; a line longer than a part makes a longer part."""
        waiting: list[bytes] = []
        number = 0
        with self._file.stream() as stream:
            while block := stream.read(PART):
                end = block.rfind(b"\n") + 1
                if not end:
                    waiting.append(block)
                    continue
                yield number, b"".join((*waiting, block[:end]))
                waiting, number = [block[end:]], number + 1
        if last := b"".join(waiting):
            yield number, last

    def _table(self, place: int, text: bytes, types: Mapping[str, pa.DataType]) -> pa.Table:
        import pyarrow as pa
        from pyarrow import csv

        options = self._file.dialect.convert_options(list(types), types)
        return csv.read_csv(pa.BufferReader(text), self._later if place else self._first, self._parse, options)

    def _fit(self, place: int, text: bytes) -> tuple[int, dict[str, pa.DataType]]:
        """How many rows a part has, and the types that its columns need beyond those that are known."""
        import pyarrow as pa

        if self._mark and is_odd(text, self._mark):
            raise pa.ArrowInvalid("A part may end within quotes.")
        types = dict(self.types)
        try:
            return self._table(place, text, types).num_rows, {}
        except pa.ArrowInvalid:
            fitting = {name: self._fitting(place, text, name, kind) for name, kind in types.items()}
            return self._table(place, text, fitting).num_rows, fitting

    def _fitting(self, place: int, text: bytes, name: str, kind: pa.DataType) -> pa.DataType:
        """The first type that fits a column of a part, from one on."""
        import pyarrow as pa

        if name in self._given:
            return kind
        for wider in _order()[_rank(kind) : -1]:
            try:
                self._table(place, text, {name: wider})
            except pa.ArrowInvalid:
                continue
            return wider
        return _order()[-1]


def _order() -> list[pa.DataType]:
    """The types that pyarrow tries, in its order."""
    import pyarrow as pa

    times = [pa.timestamp(unit, zone) for zone in (None, "UTC") for unit in ("s", "ns")]
    return [
        *(pa.null(), pa.int64(), pa.bool_(), pa.date32(), pa.time32("s"), *times),
        *(pa.float64(), pa.string(), pa.binary()),
    ]


def _rank(kind: pa.DataType) -> int:
    order = _order()
    return order.index(kind) if kind in order else len(order)

"""Golden rows: some raw rows and what the model predicted of them when it was saved, so that it can prove itself."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from mercury_core.bundle.fields import MOST_CATEGORIES, name_of
from mercury_core.errors import CorruptBundleError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from mercury_core.bundle.bundle import Bundle
    from mercury_core.bundle.fields import Field
    from mercury_core.bundle.manifest import SavedGolden
    from mercury_core.bundle.signature import Signature
    from mercury_core.data import DataWrapper

NAME = "golden.parquet"
#: How many golden rows there are at the most.
MOST_ROWS = 10
#: In bytes, what they may hold together; where they hold more there are fewer, but one at least.
MOST_BYTES = 16 << 20
# Among so many rows, from the first on, rare labels are looked for.
_LOOKED_AT = 1000
# A column with more labels among those is one of words rather than of categories.
_MOST_LABELS = 100
_INPUT, _OUTPUT = "input:", "output:"


@dataclass(frozen=True, slots=True)
class Golden:
    """Raw rows and their predictions.

    Attributes:
        rows: The feature columns, at most `MOST_ROWS` of them; a column of file names holds the content of the files.
        predictions: What the model gave at save, as `mercury_core.data.prediction_table` lays it out.
        tolerance: By how much a prediction may move, relative to its size where that is above one.
    """

    rows: pa.Table
    predictions: pa.Table
    tolerance: float = 0.0

    def write(self, path: Path) -> bool:
        """Write them as a Parquet file: columns ``input:NAME``, then ``output:NAME``.

        Returns:
            Whether that was done: a type that Parquet does not have is warned of, and then there is no file.
        """
        import pyarrow as pa
        from pyarrow import parquet

        both = ((_INPUT, self.rows), (_OUTPUT, self.predictions))
        fields = [one.with_name(f"{prefix}{one.name}") for prefix, table in both for one in table.schema]
        table = pa.table([*self.rows.columns, *self.predictions.columns], schema=pa.schema(fields))
        try:
            parquet.write_table(table, path, use_compliant_nested_type=False)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            said = str(error).splitlines()[0].rstrip(".")
            warnings.warn(f"The model has no golden rows, since Parquet cannot hold them: {said}.", stacklevel=2)
            path.unlink(missing_ok=True)
            return False
        return True


def read(content: bytes, signature: Signature, noted: SavedGolden, where: str) -> Golden:
    """Read what `Golden.write` wrote.

    Args:
        content: Of the file.
        signature: Of the bundle that it is in.
        noted: What the manifest of that bundle says of it.
        where: The bundle, for errors.

    Raises:
        CorruptBundleError: It is not that, or not of a model with this signature.
    """
    import pyarrow as pa
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(pa.BufferReader(content)) as file:
            table = _as_written(file.read(), file.metadata.metadata or {})
    except (pa.ArrowException, OSError, ValueError) as error:
        said = str(error).splitlines()[0].rstrip(".")
        raise CorruptBundleError(where, [f"{NAME} is no Parquet file that can be read ({said})"]) from error
    rows, predictions = (_part(table, prefix) for prefix in (_INPUT, _OUTPUT))
    golden = Golden(rows, predictions, noted.tolerance)
    faults = list(_faults(golden, signature))
    if table.num_rows != noted.rows:
        faults.append(f"{NAME} has {table.num_rows} rows, expected {noted.rows}")
    if faults:
        raise CorruptBundleError(where, faults)
    return golden


def _as_written(table: pa.Table, noted: Mapping[bytes, bytes]) -> pa.Table:
    """The very types that were written, of which Parquet lacks some, as seconds; Arrow notes them beside."""
    import base64

    import pyarrow as pa

    if b"ARROW:schema" not in noted:
        return table
    written = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(noted[b"ARROW:schema"])))
    for place, (found, field) in enumerate(zip(table.schema, written, strict=True)):
        if found.type != field.type:
            table = table.set_column(place, field, table.column(place).cast(field.type))
    return table


def _part(table: pa.Table, prefix: str) -> pa.Table:
    import pyarrow as pa

    places = [place for place, name in enumerate(table.column_names) if name.startswith(prefix)]
    fields = [table.schema.field(place) for place in places]
    schema = pa.schema([one.with_name(one.name.removeprefix(prefix)) for one in fields])
    return pa.table([table.column(place) for place in places], schema=schema)


def _faults(golden: Golden, signature: Signature) -> Iterator[str]:
    names = golden.rows.column_names
    if names != signature.input_names:
        yield f"{NAME} has rows of {names}, and the signature has the inputs {signature.input_names}"
        return
    for field, column in zip(signature.inputs, golden.rows.columns, strict=True):
        found = name_of(column.type)
        # Of many categories the labels themselves are kept.
        if field.shape is None and found != field.type and not field.type.startswith(f"dictionary<{found}"):
            yield f"{NAME} has {found} in the column {field.name!r}, and the signature says {field.type}"
    if not golden.predictions.num_columns:
        yield f"{NAME} holds no predictions"


# --- which rows ---


def chosen(features: DataWrapper) -> pa.Table | None:
    """Some rows: the same ones whenever the data are the same.

    First those that say most: one with a null of each column, one with the rarest label of each; then some that are
    evenly spread.

    Args:
        features: The raw features of the training data.

    Returns:
        At most `MOST_ROWS` rows, copied out of the data; None where there is none.
    """
    from mercury_core.data.hub import arrow_of

    if not features.num_rows or not len(features):
        return None
    telling = list(dict.fromkeys(_telling(features)))[: MOST_ROWS // 2]
    spread = (place * features.num_rows // MOST_ROWS for place in range(MOST_ROWS))
    places = sorted(list(dict.fromkeys([*telling, *spread]))[:MOST_ROWS])
    table = arrow_of(features.take(places))
    while table.nbytes > MOST_BYTES and table.num_rows > 1:
        table = table.slice(0, table.num_rows // 2).combine_chunks()
    for place, column in enumerate(table.columns):
        if (plain := _without_many(column)) is not column:
            table = table.set_column(place, table.schema.field(place).with_type(plain.type), plain)
    return table


def _telling(features: DataWrapper) -> Iterator[int]:
    import pyarrow as pa

    from mercury_core.data.hub import arrow_of

    whole = features.underlying if features.format == "arrow" else arrow_of(features.slice(0, _LOOKED_AT))
    for column in whole.columns:
        if column.null_count:
            yield _first_null(column)
    kinds = pa.types
    labelled = (kinds.is_string, kinds.is_large_string, kinds.is_string_view, kinds.is_dictionary, kinds.is_boolean)
    for column in whole.columns:
        if not any(test(column.type) for test in labelled):
            continue
        labels = column.slice(0, _LOOKED_AT).to_pylist()
        counts = Counter(label for label in labels if label is not None)
        if 0 < len(counts) <= _MOST_LABELS:
            yield labels.index(min(counts, key=counts.__getitem__))


def _first_null(column: pa.ChunkedArray) -> int:
    """The place of the first null, by halves: counting nulls is quick, and imports no compute functions."""
    first, last = 0, len(column)
    while last - first > 1:
        middle = (first + last) // 2
        if column.slice(first, middle - first).null_count:
            last = middle
        else:
            first = middle
    return first


def _without_many(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The labels themselves, of a column that would carry a multitude of categories for a few rows."""
    import pyarrow as pa

    if not pa.types.is_dictionary(column.type) or all(
        len(chunk.dictionary) <= MOST_CATEGORIES for chunk in column.chunks
    ):
        return column
    return column.cast(column.type.value_type)


# --- what was predicted ---


def made(bundle: Bundle, rows: pa.Table, *, tolerance: float = 0.0) -> Golden | None:
    """Let a bundle predict golden rows; where it cannot, that is warned of, and the model has none.

    Args:
        bundle: A model that was just fitted.
        rows: What `chosen` gave.
        tolerance: Of the format in which it will be saved.
    """
    from mercury_core.data import DataSet
    from mercury_core.data.prediction_table import prediction_table

    try:
        rows = _with_contents(rows, bundle.signature.inputs)
        data_set = DataSet({"features": rows})
        predictions = prediction_table(data_set, bundle.predict(data_set))
    except Exception as error:  # noqa: BLE001  (whatever a model or a transform raises: a model that was trained is saved)
        said = " ".join(str(error).split()) or type(error).__name__
        warnings.warn(f"The model has no golden rows, since predicting them failed: {said}", stacklevel=3)
        return None
    if predictions.num_rows != rows.num_rows:
        said = f"it gave {predictions.num_rows} predictions of {rows.num_rows} rows"
        warnings.warn(f"The model has no golden rows: {said}.", stacklevel=3)
        return None
    return Golden(rows, predictions, tolerance)


def loosened(golden: Golden, tolerance: float) -> Golden:
    """The same rows for a format that keeps predictions less exactly; a tolerance never becomes less."""
    return replace(golden, tolerance=max(golden.tolerance, tolerance))


def _with_contents(rows: pa.Table, fields: Sequence[Field]) -> pa.Table:
    """Rows that need no file beside them: in place of the name of a file, its content."""
    import pyarrow as pa

    for place, field in enumerate(fields):
        column = rows.column(place)
        if field.shape is None or name_of(column.type) != "string":
            continue
        contents: list[bytes | None] = []
        size = 0
        for name in column.to_pylist():
            contents.append(None if name is None else _content(name))
            size += len(contents[-1] or b"")
            if size > MOST_BYTES:
                break
        if size > MOST_BYTES and len(contents) > 1:
            contents.pop()
        rows = rows.slice(0, len(contents))
        kept = rows.schema.field(place).with_type(pa.binary())
        rows = rows.set_column(place, kept, pa.chunked_array([pa.array(contents, pa.binary())]))
    return rows


def _content(name: str) -> bytes:
    from mercury_core.storage import Stores

    with Stores().of(name).open(name) as file:
        content: bytes = file.read()
    return content

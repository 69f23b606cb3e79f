"""Rows as people and other programs have them: JSON, CSV, Arrow; and predictions likewise."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from mercury_core.bundle.fields import type_of
from mercury_core.data import DataSet, DataWrapper
from mercury_core.errors import DataError
from mercury_http.inputs import Rows, parsed_columns
from mercury_http.refusals import RequestError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mercury_core.bundle import Signature

JSON, CSV = "application/json", "text/csv"
ARROW_STREAM, ARROW_FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"
KINDS = (JSON, CSV, ARROW_STREAM, ARROW_FILE)
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def kind_of(header: str | None) -> str:
    """What kind of content a request has.

    Raises:
        RequestError: Another than is known here.
    """
    kind = (header or JSON).partition(";")[0].strip().lower()
    if kind not in KINDS:
        raise RequestError(f"The content type {kind[:60]!r} is not known here; there are: {', '.join(KINDS)}.", 415)
    return kind


def answer_kind(accept: str | None, kind: str) -> str:
    """What kind the answer is to have: what is asked for, or that of the request."""
    asked = {part.partition(";")[0].strip().lower() for part in (accept or "*/*").split(",")}
    if kind in asked or asked & {"*/*", ""}:
        return kind
    return next((one for one in KINDS if one in asked), kind)


def rows_of(body: bytes, kind: str, signature: Signature) -> Rows:
    """The rows of a body, with the columns and types of the model.

    Args:
        body: The content.
        kind: One of `KINDS`.
        signature: Of the model.

    Raises:
        RequestError: It cannot be read, or does not fit the model.
    """
    with reading_rows():
        if kind == JSON:
            wrapper = _from_json(body, signature)
        else:
            wrapper = DataWrapper(_from_csv(body, signature) if kind == CSV else _from_arrow(body, kind))
        if not signature.inputs:
            return Rows.of(wrapper)
        fields = {field.name: field for field in signature.inputs}
        data_set = signature.fit_rows(DataSet({"features": parsed_columns(wrapper, fields)}), extra="error")
        return Rows.of(data_set.features)


@contextmanager
def reading_rows() -> Iterator[None]:
    """While it lasts, whatever cannot be read or converted is the fault of the rows.

    Raises:
        RequestError: In place of what was raised.
    """
    try:
        yield
    except DataError as error:
        raise RequestError(str(error)) from error
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise RequestError(f"The rows cannot be read: {said[:200].rstrip('.')}.") from error


def _from_json(body: bytes, signature: Signature) -> DataWrapper:
    try:
        rows = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"The body is no JSON: {str(error).rstrip('.')}.") from error
    if isinstance(rows, dict):
        rows = [rows]
    if not isinstance(rows, list):
        raise RequestError("The body is no list of rows: expected [{column: value, …}, …] or [[value, …], …].")
    names = signature.input_names
    if rows and all(isinstance(row, list) for row in rows):
        uneven = next((place for place, row in enumerate(rows) if len(row) != len(names)), None)
        if uneven is not None:
            given = len(rows[uneven])
            raise RequestError(
                f"Row {uneven}, counted from 0, has {given} value{'s' * (given != 1)}: expected {len(names)}, for "
                f"{', '.join(names[:20])}."
            )
        return DataWrapper({name: [row[place] for row in rows] for place, name in enumerate(names)})
    if not all(isinstance(row, dict) for row in rows):
        raise RequestError("The rows are neither all objects nor all arrays: expected [{column: value, …}, …].")
    if not rows:
        return DataWrapper({name: [] for name in names})
    found = dict.fromkeys(name for row in rows for name in row)
    return DataWrapper({name: [row.get(name) for row in rows] for name in found})


def _from_csv(body: bytes, signature: Signature) -> pa.Table:
    from pyarrow import csv

    types: dict[str, pa.DataType] = {}
    for field in signature.inputs:
        kind = type_of(field.type)
        if kind is not None and field.shape is None:
            types[field.name] = kind.value_type if pa.types.is_dictionary(kind) else kind
    options = csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    try:
        return csv.read_csv(pa.BufferReader(body), convert_options=options)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError, UnicodeDecodeError) as error:
        raise RequestError(f"The body is no CSV for this model: {str(error).splitlines()[0].rstrip('.')}.") from error


def _from_arrow(body: bytes, kind: str) -> pa.Table:
    try:
        source = pa.BufferReader(body)
        reader = pa.ipc.open_stream(source) if kind == ARROW_STREAM else pa.ipc.open_file(source)
        table = reader.read_all()
        table.validate(full=True)  # what others wrote is not trusted to keep within its own buffers
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowSerializationError, OSError, MemoryError) as error:
        raise RequestError(f"The body is no Arrow: {str(error).splitlines()[0].rstrip('.')}.") from error
    else:
        return table


def written(columns: Mapping[str, Any], kind: str) -> bytes:
    """Predictions as a body.

    Args:
        columns: By name, an array or a list.
        kind: One of `KINDS`.
    """
    if kind == JSON:
        lists = [values.tolist() if isinstance(values, np.ndarray) else values for values in columns.values()]
        names = list(columns)
        rows = [dict(zip(names, row, strict=True)) for row in zip(*lists, strict=True)]
        return _encode({"predictions": rows})
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    sink = pa.BufferOutputStream()
    if kind == CSV:
        from pyarrow import csv

        csv.write_csv(table, sink)
    else:
        make = pa.ipc.new_stream if kind == ARROW_STREAM else pa.ipc.new_file
        with make(sink, table.schema) as writer:
            writer.write_table(table)
    return bytes(sink.getvalue())

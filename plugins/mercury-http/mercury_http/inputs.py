"""From the tensors of a request to rows: a tensor a column, or one of two dimensions for all columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mercury_core.bundle.fields import type_of
from mercury_core.data import DataWrapper
from mercury_http.datatypes import BYTES, DATATYPES, NUMBERS, datatype_of, serves
from mercury_http.refusals import RequestError, unknown
from mercury_http.tensors import count_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from mercury_core.bundle import Field, Signature

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Tensor:
    """One tensor as it came: `values` is an array of `shape`, or a flat list where it has texts or nulls."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    values: Array | list[Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to predict, and what other rows they may be predicted with.

    Attributes:
        features: The columns.
        count: How many rows there are.
        kind: Rows of one kind may be put one after another.
    """

    features: DataWrapper
    count: int
    kind: Any

    @classmethod
    def of(cls, features: DataWrapper) -> Rows:
        """The rows of a wrapper of NumPy or Arrow."""
        data = features.underlying
        kind = (data.dtype, features.field_names) if features.format == "numpy" else data.schema
        return cls(features, features.num_rows, kind)

    @staticmethod
    def joined(parts: Sequence[Rows]) -> DataWrapper:
        """The rows of all parts, which are of one kind, one after another."""
        if len(parts) == 1:
            return parts[0].features
        first = parts[0].features
        if first.format == "numpy":
            return DataWrapper(np.concatenate([part.features.underlying for part in parts]), first.field_names)
        return DataWrapper.concat([part.features for part in parts])


class Inputs:
    """What tensors a model takes.

    Attributes:
        fields: The columns, by name.
        matrix: The name under which one tensor for all columns may come; empty where the model takes none.
        matrix_datatype: Its type.
    """

    def __init__(self, signature: Signature) -> None:
        self.fields: dict[str, Field] = {field.name: field for field in signature.inputs}
        types = {BYTES if field.shape else datatype_of(field.type) for field in signature.inputs}
        self.matrix, self.matrix_datatype = "", ""
        if types and BYTES not in types:
            self.matrix_datatype = types.pop() if len(types) == 1 else "FP64"
            self.matrix = "features"
            while self.matrix in self.fields:
                self.matrix += "_"
        self._names = tuple(self.fields)

    def metadata(self) -> list[dict[str, Any]]:
        """The tensors, as the metadata of a model has them."""
        return [
            {"name": field.name, "datatype": _datatype(field), "shape": [-1, *(field.shape or ())]}
            for field in self.fields.values()
        ]

    def rows(self, tensors: Sequence[Tensor]) -> Rows:
        """The rows that tensors hold.

        Raises:
            RequestError: A tensor that is missing, unknown, there twice, of another type or of another shape.
        """
        if len(tensors) == 1 and tensors[0].name == self.matrix:
            return self._from_matrix(tensors[0])
        if not self.fields:
            return _unsigned(tensors)
        named: dict[str, Tensor] = {}
        for tensor in tensors:
            if tensor.name not in self.fields:
                raise unknown("input", tensor.name, [*self._names, *([self.matrix] if self.matrix else [])])
            if tensor.name in named:
                raise RequestError(f"The input {tensor.name!r} is there twice.")
            named[tensor.name] = tensor
        missing = [name for name in self.fields if name not in named]
        if missing:
            other = f", or one tensor {self.matrix!r} of shape [rows, {len(self.fields)}]" if self.matrix else ""
            raise RequestError(
                f"The input{'s' * (len(missing) > 1)} {', '.join(map(repr, missing[:10]))} "
                f"{'are' if len(missing) > 1 else 'is'} missing: expected one tensor a column{other}."
            )
        for tensor in tensors:
            if not tensor.shape:
                raise RequestError(f"The input {tensor.name!r} has the shape []: expected [rows, …].")
        rows = {tensor.shape[0] for tensor in tensors}
        if len(rows) > 1:
            raise RequestError(f"The inputs have different numbers of rows: {', '.join(map(str, sorted(rows)))}.")
        return Rows.of(self._arrow({name: self._column(named[name], self.fields[name]) for name in self.fields}))

    def _from_matrix(self, tensor: Tensor) -> Rows:
        width = len(self.fields)
        if len(tensor.shape) != 2 or tensor.shape[1] != width:
            raise RequestError(
                f"The input {tensor.name!r} has the shape {list(tensor.shape)}: expected [rows, {width}], a column a "
                f"feature ({', '.join(self._names[:10])}{', …' * (width > 10)})."
            )
        _check_datatype(tensor, self.matrix_datatype)
        values = tensor.values
        if isinstance(values, list):
            columns = {name: values[place::width] for place, name in enumerate(self._names)}
            return Rows.of(self._arrow(columns))
        return Rows.of(DataWrapper(_in_type(tensor, values, self.matrix_datatype), self._names))

    def _column(self, tensor: Tensor, field: Field) -> Any:
        rest = tensor.shape[1:]
        if field.shape:
            return _array_column(tensor, field)
        if not tensor.shape or rest not in ((), (1,)):
            raise RequestError(
                f"The input {tensor.name!r} has the shape {list(tensor.shape)}: expected [rows] or [rows, 1]."
            )
        wanted = datatype_of(field.type)
        _check_datatype(tensor, wanted)
        if wanted == BYTES:
            return _texts(tensor, field)
        values = tensor.values
        return values if isinstance(values, list) else _in_type(tensor, values.reshape(-1), tensor.datatype)

    def _arrow(self, columns: Mapping[str, Any]) -> DataWrapper:
        return parsed_columns(DataWrapper(dict(columns)), self.fields)


def parsed_columns(wrapper: DataWrapper, fields: Mapping[str, Field]) -> DataWrapper:
    """The same columns in Arrow, texts parsed where the model was trained on dates, times or decimals.

    Raises:
        RequestError: A text that is none of these.
    """
    table = before = wrapper.to("arrow").underlying
    for place, name in enumerate(table.column_names):
        parsed = _parsed(table.column(place), fields[name]) if name in fields else None
        if parsed is not None:
            table = table.set_column(place, name, parsed)
    return wrapper if table is before else DataWrapper(table)


def _unsigned(tensors: Sequence[Tensor]) -> Rows:
    """Rows for a model that does not say what it takes: one tensor of numbers for all columns, or one a column."""
    for tensor in tensors:
        if len(tensor.shape) != 1 and (len(tensors) > 1 or len(tensor.shape) != 2):
            raise RequestError(f"The input {tensor.name!r} has the shape {list(tensor.shape)}: expected [rows].")
    if len(tensors) == 1 and len(tensors[0].shape) == 2 and not isinstance(tensors[0].values, list):
        return Rows.of(DataWrapper(tensors[0].values))
    if not tensors or len({tensor.shape for tensor in tensors}) > 1:
        raise RequestError("The inputs have different numbers of rows, or there is none.")
    return Rows.of(DataWrapper({tensor.name: tensor.values for tensor in tensors}))


def _datatype(field: Field) -> str:
    return datatype_of(field.type) if not field.shape else "UINT8" if len(field.shape) == 3 else "FP32"


def _check_datatype(tensor: Tensor, wanted: str) -> None:
    if tensor.datatype not in DATATYPES:
        raise unknown("datatype", tensor.datatype, DATATYPES)
    if not serves(tensor.datatype, wanted):
        raise RequestError(f"The input {tensor.name!r} has the datatype {tensor.datatype}: expected {wanted}.")


def _in_type(tensor: Tensor, values: Array, wanted: str) -> Array:
    """The values in another type, all of them kept."""
    if tensor.datatype == wanted:
        return values
    with np.errstate(over="ignore"):
        cast = values.astype(NUMBERS[wanted])
        kept = values.dtype.kind not in "iu" or (cast.astype(values.dtype) == values).all()
    if not kept:
        raise RequestError(f"A value of {tensor.name!r} does not fit into {wanted}.")
    return cast


def _texts(tensor: Tensor, field: Field) -> list[Any]:
    values = tensor.values
    if field.type == "binary":
        return [value.encode() if isinstance(value, str) else value for value in values]
    try:
        return [value.decode() if isinstance(value, bytes) else value for value in values]
    except UnicodeDecodeError as error:
        raise RequestError(f"An element of {tensor.name!r} is no text in UTF-8.") from error


def _array_column(tensor: Tensor, field: Field) -> Any:
    """A column of arrays, as of images; or of the content of files, where it is of BYTES."""
    import pyarrow as pa

    if tensor.datatype == BYTES and tensor.shape[1:] in ((), (1,)):
        content = any(isinstance(value, bytes) for value in tensor.values)
        return [value.encode() if content and isinstance(value, str) else value for value in tensor.values]
    shape = field.shape or ()
    if tensor.datatype not in NUMBERS or tensor.shape[1:] != shape or isinstance(tensor.values, list):
        raise RequestError(
            f"The input {tensor.name!r} has the datatype {tensor.datatype} and the shape {list(tensor.shape)}: "
            f"expected numbers of the shape {['rows', *shape]}, or BYTES with the content of one file a row."
        )
    storage = pa.FixedSizeListArray.from_arrays(
        pa.array(np.ascontiguousarray(tensor.values).reshape(-1)), count_of(tensor.name, shape)
    )
    kind = pa.fixed_shape_tensor(storage.type.value_type, shape)
    return pa.ExtensionArray.from_storage(kind, storage)


def _parsed(column: pa.ChunkedArray, field: Field) -> pa.ChunkedArray | None:
    """Text as what the model was trained on, where that is written as text; None where nothing is to be done."""
    import pyarrow as pa

    if field.shape:
        return _contents(column, field)
    kind = type_of(field.type)
    if kind is None or not pa.types.is_string(column.type):
        return None
    if not (pa.types.is_temporal(kind) or pa.types.is_decimal(kind)):
        return None
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise RequestError(f"A text of {field.name!r} is no {field.type}: {str(error).splitlines()[0]}.") from error


def _contents(column: pa.ChunkedArray, field: Field) -> pa.ChunkedArray | None:
    """The content of files that came as text; never names of files, which would be those of the server.

    Raises:
        RequestError: A text that is no base64, or a column that holds neither arrays nor contents.
    """
    import base64

    import pyarrow as pa

    kinds = pa.types
    kind = column.type
    if kinds.is_binary(kind) or kinds.is_large_binary(kind) or kinds.is_null(kind) or hasattr(kind, "shape"):
        return None
    texts = column.to_pylist()
    if not all(text is None or isinstance(text, str) for text in texts):
        raise RequestError(f"The column {field.name!r} is of type {kind}: expected arrays, or the content of files.")
    try:
        contents = [None if text is None else base64.b64decode(text, validate=True) for text in texts]
    except ValueError as error:
        raise RequestError(f"A text of {field.name!r} is no base64: expected the content of one file a row.") from error
    return pa.chunked_array([pa.array(contents, pa.binary())])

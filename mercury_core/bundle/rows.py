"""Raw rows made to fit a signature, or refused with the column, what was expected there and what was found."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mercury_core.bundle.fields import columns_of, is_matrix, name_of, type_of
from mercury_core.errors import SignatureError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from mercury_core.bundle.fields import Field
    from mercury_core.data import DataWrapper

_TODO = "Give it the type of the training data."


def fitted(features: DataWrapper, fields: Sequence[Field]) -> DataWrapper:
    """Columns in the types of fields.

    Args:
        features: The columns that the fields name, in their order.
        fields: What they are to be.

    Returns:
        The very wrapper where it fits as it is; else one of Arrow.

    Raises:
        SignatureError: A column that does not fit.
    """
    from mercury_core.data import DataWrapper
    from mercury_core.data.hub import arrow_of

    # NaN in a matrix is a number, though it is null once it is in Arrow.
    matrix = is_matrix(features)
    if matrix and all(
        have.type == type_of(want.type) and want.shape is None
        for have, want in zip(features.schema, fields, strict=True)
    ):
        return features
    changed = {}
    for place, (column, field) in enumerate(zip(columns_of(features), fields, strict=True)):
        if not field.nullable and column.null_count and not matrix:
            raise _null_in(column, field)
        made = _fit(column, field)
        if made is not column:
            changed[place] = made
    if not changed:
        return features
    import pyarrow as pa

    table = arrow_of(features)
    columns = [changed.get(place, column) for place, column in enumerate(table.columns)]
    schema = pa.schema([have.with_type(new.type) for have, new in zip(table.schema, columns, strict=True)])
    return DataWrapper(pa.table(columns, schema=schema))


def _fit(column: pa.ChunkedArray, field: Field) -> pa.ChunkedArray:
    found, wanted = column.type, type_of(field.type)
    if field.shape is not None:
        return _arrays(column, field)
    if wanted is None or (field.categories is None and (found == wanted or name_of(found) == field.type)):
        return column
    if not _widens(found, wanted):
        raise SignatureError(field.name, field.type, name_of(found), _TODO)
    import pyarrow as pa

    try:
        if field.categories is None:
            return _cast(column, wanted)
        return _recoded(column.cast(wanted) if pa.types.is_null(found) else column, field)
    except pa.ArrowInvalid as error:
        said = f"{name_of(found)} that it cannot hold ({str(error).splitlines()[0].rstrip('.')})"
        raise SignatureError(field.name, field.type, said, _TODO) from error


def _cast(column: pa.ChunkedArray, wanted: pa.DataType) -> pa.ChunkedArray:
    import pyarrow as pa

    made = column.cast(wanted)
    # Of a time Arrow takes the day without a word.
    if pa.types.is_date(wanted) and not made.cast(column.type).equals(column):
        raise pa.ArrowInvalid("a time of day would be lost")
    return made


def _arrays(column: pa.ChunkedArray, field: Field) -> pa.ChunkedArray:
    """A column of file names, of the content of files, or of arrays of the right shape."""
    import pyarrow as pa

    found = column.type
    if name_of(found) in ("string", "binary") or pa.types.is_null(found):
        return column
    is_tensor = isinstance(found, pa.FixedShapeTensorType)
    if is_tensor and tuple(found.shape) == field.shape:
        return column
    said = f"arrays of shape {tuple(found.shape)}" if is_tensor else name_of(found)
    expected = f"file names, the content of such files (binary), or arrays of shape {field.shape}"
    raise SignatureError(field.name, expected, said)


def _recoded(column: pa.ChunkedArray, field: Field) -> pa.ChunkedArray:
    """Labels by the codes of training: a model may have learnt the codes themselves."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted: Any = type_of(field.type)
    known = _dictionary(field.categories or (), wanted.value_type)
    is_coded = pa.types.is_dictionary(column.type)
    if is_coded and column.type.ordered == wanted.ordered:
        each = [chunk.dictionary for chunk in column.chunks]
        if all(one.equals(known) or one.cast(known.type).equals(known) for one in each):
            return column
    labels = column.cast(column.type.value_type).cast(known.type) if is_coded else column.cast(known.type)
    codes = pc.index_in(labels, value_set=known)
    if codes.null_count > labels.null_count:
        row = next(
            row for row, (code, label) in enumerate(zip(codes, labels, strict=True)) if label.is_valid > code.is_valid
        )
        raise _unknown(labels[row].as_py(), row, field)
    made = pa.dictionary(pa.int32(), known.type, ordered=wanted.ordered)
    chunks = [pa.DictionaryArray.from_arrays(chunk, known, ordered=wanted.ordered) for chunk in codes.chunks]
    return pa.chunked_array(chunks, made)


@lru_cache(maxsize=256)
def _dictionary(labels: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
    from mercury_core.data.backends.arrow import from_columns

    # Not `pyarrow.array`, which imports pandas.
    return from_columns({"": list(labels)}).column(0).combine_chunks().cast(kind)


def _unknown(label: Any, row: int, field: Field) -> SignatureError:
    known = [str(each) for each in field.categories or ()]
    shown = ", ".join(map(repr, (field.categories or ())[:12])) + (" …" if len(known) > 12 else "")
    said = f"{_short(label)} in row {row}, counted from 0"
    return SignatureError(
        field.name, f"one of the categories of training ({shown})", said, did_you_mean(str(label), known).strip()
    )


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _null_in(column: pa.ChunkedArray, field: Field) -> SignatureError:
    row = next(row for row, valid in enumerate(column.is_valid().to_pylist()) if not valid)
    count = column.null_count
    said = f"null in row {row}, counted from 0" + f", and in {count - 1} more" * (count > 1)
    todo = "Fill it, or train on data that has nulls there."
    return SignatureError(field.name, f"a value of type {field.type} in every row, as in training", said, todo)


def _widens(found: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether values of one type may be cast to the other, as far as they fit."""
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_null(found):
        return True
    if kinds.is_dictionary(wanted) or kinds.is_dictionary(found):
        return _labels(found) == _labels(wanted)
    if kinds.is_integer(found) or kinds.is_floating(found):
        return bool(kinds.is_integer(wanted) or kinds.is_floating(wanted))
    if _is_list(found) and _is_list(wanted):
        return _widens(found.value_type, wanted.value_type)
    if name_of(found) in ("string", "binary"):
        return name_of(found) == name_of(wanted)
    if kinds.is_timestamp(found) and kinds.is_timestamp(wanted) and (found.tz is None) != (wanted.tz is None):
        return False  # nobody knows in which zone the one without is
    return bool(kinds.is_temporal(found) and kinds.is_temporal(wanted))


def _is_list(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _labels(kind: pa.DataType) -> str:
    import pyarrow as pa

    return name_of(kind.value_type if pa.types.is_dictionary(kind) else kind)

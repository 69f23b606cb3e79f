"""Rows that are made up from a signature: to warm a model up, and to begin with in a form."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mercury_core.bundle.fields import type_of
from mercury_core.data import DataWrapper

if TYPE_CHECKING:
    from mercury_core.bundle import Field, Signature

_DAY = datetime(2000, 1, 1, tzinfo=UTC)


def example_rows(signature: Signature) -> pa.Table:
    """One row of the right types, and no more than that.

    Examples:
        >>> from mercury_core.bundle import Field, Signature
        >>> example_rows(Signature(inputs=(Field("age", "int64"), Field("name", "string")))).to_pylist()
        [{'age': 0, 'name': ''}]
    """
    return pa.table({field.name: _column(field) for field in signature.inputs})


def _column(field: Field) -> Any:
    if field.shape:
        kind = pa.fixed_shape_tensor(pa.uint8(), field.shape)
        size = int(np.prod(field.shape))
        storage = pa.FixedSizeListArray.from_arrays(pa.array(np.zeros(size, np.uint8)), size)
        return pa.ExtensionArray.from_storage(kind, storage)
    kind = type_of(field.type)
    if kind is None or pa.types.is_null(kind):
        return pa.nulls(1)
    value_type = kind.value_type if pa.types.is_dictionary(kind) else kind
    values = DataWrapper({"": [_value(field, value_type)]}).underlying.column(0)
    return values.cast(value_type)


def _value(field: Field, kind: pa.DataType) -> Any:
    if field.categories:
        return field.categories[0]
    if pa.types.is_boolean(kind):
        return False
    if pa.types.is_floating(kind):
        return 0.0
    if pa.types.is_integer(kind) or pa.types.is_decimal(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind):
        return 0
    if pa.types.is_temporal(kind):
        return _DAY if getattr(kind, "tz", None) else _DAY.replace(tzinfo=None)
    return b"" if pa.types.is_binary(kind) else "" if pa.types.is_string(kind) else None

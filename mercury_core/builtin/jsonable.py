"""What can be said in JSON, said in its types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from os import PathLike
from typing import Any
from uuid import UUID

from mercury_core.errors import DataError


def jsonable(value: Any, where: str = "") -> Any:
    """The same value in dicts, lists, text, numbers, booleans and None.

    Args:
        value: Any of these; mappings, tuples, dataclasses, enums, dates and times (ISO 8601), durations (seconds),
            decimals (text), paths, scalars and arrays of NumPy, tables (lists of rows).
        where: What leads to it, for the message.

    Raises:
        DataError: Something else, or a mapping with two keys of the same text.

    Examples:
        >>> from datetime import date
        >>> jsonable({"when": date(2024, 5, 1), 2: (1, None)})
        {'when': '2024-05-01', '2': [1, None]}
        >>> jsonable({"labels": {"b", "a"}})
        Traceback (most recent call last):
        ...
        mercury_core.errors.DataError: JSON cannot hold a set, which is at .labels: expected a list, as sorted(...).
    """
    if value is None or (isinstance(value, (bool, float, int, str)) and not isinstance(value, Enum)):
        return value
    if isinstance(value, Mapping) and not _is_table(value):
        return _mapping(value, where)
    if isinstance(value, (list, tuple)):
        return [jsonable(inner, f"{where}[{place}]") for place, inner in enumerate(value)]
    if is_dataclass(value) and not isinstance(value, type) and not _is_table(value):
        return {field.name: jsonable(getattr(value, field.name), f"{where}.{field.name}") for field in fields(value)}
    if (simple := _simple(value)) is not None:
        return simple
    if isinstance(value, Enum):
        return jsonable(value.value, where)
    if callable(plain := getattr(value, "tolist", None)):  # scalars and arrays of NumPy
        return jsonable(_times(value).tolist(), where) if hasattr(value, "dtype") else jsonable(plain(), where)
    if _is_table(value):
        from mercury_core.builtin.artifacts import rows_of

        return [jsonable(row, f"{where}[{place}]") for place, row in enumerate(rows_of(value))]
    todo = (
        "expected a list, as sorted(...)" if isinstance(value, (set, frozenset)) else "leave it out, or say it in text"
    )
    raise DataError(f"JSON cannot hold a {type(value).__name__}, which is at {where or 'the top'}: {todo}.")


def _mapping(value: Mapping[Any, Any], where: str) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for key, inner in value.items():
        name = key if isinstance(key, str) else str(jsonable(key, f"{where} (a key)"))
        if name in named:
            raise DataError(f"JSON cannot hold two keys {name!r}, which are at {where or 'the top'}: rename one.")
        named[name] = jsonable(inner, f"{where}.{name}")
    return named


def _simple(value: Any) -> Any:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, (Decimal, UUID)):
        return str(value)
    return str(value) if isinstance(value, PathLike) else None


def _times(value: Any) -> Any:
    """Times of NumPy as text and seconds: as numbers, which `tolist` may make of them, nobody would know them."""
    import numpy as np

    if value.dtype.kind == "M":
        return np.where(np.isnat(value), None, np.datetime_as_string(value)) if value.shape else _time(value)
    return value / np.timedelta64(1, "s") if value.dtype.kind == "m" else value


def _time(value: Any) -> Any:
    import numpy as np

    return np.array(None if np.isnat(value) else str(value), dtype=object)


def _is_table(value: Any) -> bool:
    from mercury_core.builtin.artifacts import is_table

    return is_table(value)

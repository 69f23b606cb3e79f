"""JSON in the strict sense: NaN and infinity, which it lacks, become null."""

from __future__ import annotations

import json
from collections.abc import Mapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def dumps(value: Any, *, indent: int | None = None) -> str:
    """Write any value as JSON.

    Args:
        value: Mappings, lists, numbers (NumPy's too), text; what JSON has no word for becomes its text.
        indent: Spaces a level; None for one line.

    Examples:
        >>> dumps({"auc": float("nan"), 1: ("é", None)})
        '{"auc": null, "1": ["é", null]}'
    """
    return json.dumps(strict(value), indent=indent, ensure_ascii=False, allow_nan=False)


def strict(value: Any) -> Any:
    """The same value in the types that JSON has.

    Examples:
        >>> strict({"auc": float("inf"), 1: ("a", None)})
        {'auc': None, '1': ['a', None]}
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, float):
        return float(value) if value - value == 0 else None
    if isinstance(value, Mapping):
        return {str(key): strict(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [strict(inner) for inner in value]
    if callable(plain := getattr(value, "tolist", None)):  # scalars and arrays of NumPy, without importing it
        return strict(plain())
    return value.isoformat() if callable(getattr(value, "isoformat", None)) else str(value)

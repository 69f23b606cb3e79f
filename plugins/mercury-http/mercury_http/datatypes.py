"""The tensor types of the protocol, and the columns of a signature as such.

Source: https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    Array = np.ndarray[Any, Any]

#: All types but BYTES, as they lie in binary tensors: little-endian.
NUMBERS: Mapping[str, np.dtype[Any]] = {
    "BOOL": np.dtype("?"),
    **{f"INT{8 * size}": np.dtype(f"<i{size}") for size in (1, 2, 4, 8)},
    **{f"UINT{8 * size}": np.dtype(f"<u{size}") for size in (1, 2, 4, 8)},
    **{f"FP{8 * size}": np.dtype(f"<f{size}") for size in (2, 4, 8)},
}
BYTES = "BYTES"
DATATYPES = (*NUMBERS, BYTES)

_BY_ARROW = {
    "bool": "BOOL",
    **{f"int{bits}": f"INT{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"UINT{bits}" for bits in (8, 16, 32, 64)},
    "halffloat": "FP16",
    "float": "FP32",
    "double": "FP64",
}
_BY_NUMPY = {dtype: name for name, dtype in NUMBERS.items()}


def datatype_of(arrow: str) -> str:
    """The tensor type for values of an Arrow type, by its own name; what is no number is text, and so BYTES.

    Examples:
        >>> [datatype_of(name) for name in ("int64", "float", "dictionary<string>", "timestamp[us]")]
        ['INT64', 'FP32', 'BYTES', 'BYTES']
    """
    return _BY_ARROW.get(arrow.removeprefix("dictionary<").removesuffix(">"), BYTES)


def datatype_of_array(array: Array) -> str:
    """The tensor type of an array of numbers.

    Raises:
        KeyError: It holds something else.
    """
    return _BY_NUMPY[array.dtype.newbyteorder("<")]


def serves(found: str, wanted: str) -> bool:
    """Whether a tensor of type `found` may stand where `wanted` is.

    Integers widen to any integer and any float, as long as every value is kept, which is looked at later; floats widen
    to longer floats.

    Examples:
        >>> serves("INT64", "FP64"), serves("FP32", "FP64"), serves("FP64", "FP32"), serves("FP64", "INT64")
        (True, True, False, False)
    """
    if found == wanted:
        return True
    if found not in NUMBERS or wanted not in NUMBERS or "BOOL" in (found, wanted):
        return False
    have, want = NUMBERS[found], NUMBERS[wanted]
    if have.kind in "iu":
        return want.kind in "iuf"
    return want.kind == "f" and want.itemsize > have.itemsize

"""The content of tensors, from JSON and from bytes, and to them.

Binary tensors: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

import math
import struct
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mercury_http.datatypes import BYTES, NUMBERS
from mercury_http.refusals import RequestError

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, Any]

#: More dimensions than any tensor here has; bounds what nested JSON may cost.
MOST_DIMENSIONS = 16

_PYTHON = {"b": bool, "i": int, "u": int, "f": float}
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "a text"}
_ANY = msgspec.json.Decoder(list[Any])


_DECODERS: dict[type, list[msgspec.json.Decoder[Any]]] = {
    bool: [msgspec.json.Decoder(kind) for kind in (list[bool], list[list[bool]], list[list[list[bool]]])],
    int: [msgspec.json.Decoder(kind) for kind in (list[int], list[list[int]], list[list[list[int]]])],
    float: [msgspec.json.Decoder(kind) for kind in (list[float], list[list[float]], list[list[list[float]]])],
    str: [msgspec.json.Decoder(kind) for kind in (list[str], list[list[str]], list[list[list[str]]])],
}


def count_of(name: str, shape: Sequence[int]) -> int:
    """How many values a tensor of that shape has.

    Raises:
        RequestError: A negative dimension, or too many of them.
    """
    if any(size < 0 for size in shape):
        raise RequestError(f"The shape {list(shape)} of {name!r} has a negative dimension.")
    if len(shape) > MOST_DIMENSIONS:
        raise RequestError(f"The shape of {name!r} has {len(shape)} dimensions: expected at most {MOST_DIMENSIONS}.")
    return math.prod(shape)


def other_count(name: str, found: int, shape: Sequence[int]) -> RequestError:
    """The data of a tensor has more or fewer values than its shape."""
    return RequestError(f"The data of {name!r} has {found} values, and its shape {list(shape)} has {math.prod(shape)}.")


def from_json(name: str, datatype: str, shape: Sequence[int], data: msgspec.Raw) -> Array | list[Any]:
    """Read the ``data`` of a tensor, flat or nested as its shape says.

    Args:
        name: Of the tensor, for messages.
        datatype: One of `NUMBERS`, or BYTES.
        shape: Its dimensions.
        data: The JSON text of an array.

    Returns:
        An array of that shape; a flat list where it is of texts, or where some are null.

    Raises:
        RequestError: It is not what datatype and shape say.
    """
    kind: type = str if datatype == BYTES else _PYTHON[NUMBERS[datatype].kind]
    wanted = count_of(name, shape)
    text = memoryview(data)
    depth = _depth(text)
    if not depth:
        raise RequestError(f"The data of {name!r} is no array.")
    values = _typed(kind, depth, text)
    if values is None:
        values = _by_hand(name, kind, depth, text)
    flat = values if depth == 1 else _flattened(name, values, depth, shape)
    if len(flat) != wanted:
        raise other_count(name, len(flat), shape)
    if kind is str or None in flat:
        return flat
    return to_array(name, datatype, flat).reshape(shape)


def to_array(name: str, datatype: str, values: list[Any]) -> Array:
    """Python numbers as an array of one dimension.

    Raises:
        RequestError: One that is too large for the type.
    """
    dtype = NUMBERS[datatype]
    if datatype == "FP64":
        return np.frombuffer(struct.pack(f"<{len(values)}d", *values), dtype)
    try:
        with np.errstate(over="ignore"):
            array = np.array(values, dtype)
    except OverflowError as error:
        raise RequestError(f"A value of {name!r} does not fit into {datatype}.") from error
    if dtype.kind == "f" and not np.isfinite(array).all():
        raise RequestError(f"A value of {name!r} does not fit into {datatype}.")
    return array


def _depth(text: memoryview) -> int:
    """How many brackets an array begins with."""
    depth = 0
    for byte in text:
        if byte == 0x5B:
            depth += 1
        elif byte not in b" \t\r\n":
            break
    return depth


def _typed(kind: type, depth: int, text: memoryview) -> Any:
    """The values where all are of one type, as they nearly always are; None where not."""
    if depth > len(_DECODERS[kind]):
        return None
    try:
        return _DECODERS[kind][depth - 1].decode(text)
    except msgspec.ValidationError:
        return None


def _by_hand(name: str, kind: type, depth: int, text: memoryview) -> list[Any]:
    """The values one by one: there are nulls, or something is wrong, and then it is said what."""

    def look(value: Any, level: int) -> Any:
        if level < depth:
            if not isinstance(value, list):
                raise _uneven(name)
            return [look(one, level + 1) for one in value]
        if value is None:
            return None
        if kind is float and type(value) is int:
            return float(value)
        if kind is int and type(value) is float and value.is_integer():
            return int(value)
        if type(value) is not kind:
            raise RequestError(f"The data of {name!r} has {_shown(value)}: expected {_WORDS[kind]}.")
        return value

    if depth > MOST_DIMENSIONS:
        raise RequestError(f"The data of {name!r} is nested {depth} deep: expected at most {MOST_DIMENSIONS}.")
    try:
        return [look(value, 1) for value in _ANY.decode(text)]
    except (OverflowError, msgspec.ValidationError) as error:  # 1e999 is JSON, and no number here
        raise RequestError(f"A value of {name!r} is too large for a number.") from error


def _shown(value: Any) -> str:
    words = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "an array"}
    return words.get(type(value), "an object")


def _uneven(name: str) -> RequestError:
    return RequestError(f"The data of {name!r} is nested unevenly: expected all rows alike.")


def _flattened(name: str, values: list[Any], depth: int, shape: Sequence[int]) -> list[Any]:
    """The values of nested arrays in their order, once each level was found to be as long as the shape says."""
    if depth != len(shape) and 0 not in shape:
        raise RequestError(
            f"The data of {name!r} is nested {depth} deep, and its shape {list(shape)} has {len(shape)} "
            f"dimensions: expected a flat array, or one nested as the shape."
        )
    for size in shape[1:depth]:
        lengths = set(map(len, values))
        if len(lengths) > 1:
            raise _uneven(name)
        if lengths and lengths != {size}:
            raise RequestError(f"The data of {name!r} has rows of {lengths.pop()}, and its shape is {list(shape)}.")
        values = list(chain.from_iterable(values))
    return values


def from_bytes(name: str, datatype: str, shape: Sequence[int], data: memoryview) -> Array | list[bytes]:
    """Read a binary tensor.

    Returns:
        An array of that shape; a flat list where it is of BYTES.

    Raises:
        RequestError: Its size does not match, or a BOOL is neither 0 nor 1.
    """
    count = count_of(name, shape)
    if datatype == BYTES:
        return _elements(name, count, data)
    dtype = NUMBERS[datatype]
    if count * dtype.itemsize != len(data):
        raise RequestError(
            f"The binary data of {name!r} has {len(data)} bytes, and its shape {list(shape)} of {datatype} needs "
            f"{count * dtype.itemsize}."
        )
    array: Array = np.frombuffer(data, np.uint8 if datatype == "BOOL" else dtype).reshape(shape)
    if datatype == "BOOL":
        if array.size and array.max() > 1:
            raise RequestError(f"The binary data of {name!r} has a BOOL that is neither 0 nor 1.")
        array = array.view(np.bool_)
    return array if array.flags.aligned else array.copy()


def _elements(name: str, count: int, data: memoryview) -> list[bytes]:
    """Elements that are each preceded by their length in four bytes."""
    found, at, size = [], 0, len(data)
    while at < size:
        end = at + 4
        if end <= size:
            end += int.from_bytes(data[at:end], "little")
        if end > size or at + 4 > size:
            raise RequestError(f"The binary data of {name!r} ends within an element.")
        found.append(bytes(data[at + 4 : end]))
        at = end
    if len(found) != count:
        raise RequestError(f"The binary data of {name!r} has {len(found)} elements, and its shape has {count}.")
    return found


def to_bytes(values: Array | Sequence[Any]) -> bytes:
    """A binary tensor of an array of numbers, or of texts and bytes; a null is an empty text."""
    if isinstance(values, np.ndarray):
        return np.ascontiguousarray(values, values.dtype.newbyteorder("<")).tobytes()
    parts = []
    for value in values:
        content = value if isinstance(value, bytes) else str("" if value is None else value).encode()
        parts += [len(content).to_bytes(4, "little"), content]
    return b"".join(parts)

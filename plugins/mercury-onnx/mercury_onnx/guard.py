"""What an ONNX file must not have: looked for before onnxruntime is given it."""

from __future__ import annotations

from math import prod
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from mercury_core.errors import BundleFormatError

if TYPE_CHECKING:
    from collections.abc import Iterator

# Operators of the standard; those of others may run code that onnxruntime was given, or read files.
_DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
#: What protobuf can hold.
_MOST_BYTES = 2**31 - 1
# In bits, by the number that ONNX has for a type of tensors; those that are not here have eight.
_BITS = {
    **dict.fromkeys((21, 22, 23), 4),
    **dict.fromkeys((4, 5, 10, 16), 16),
    **dict.fromkeys((1, 6, 12), 32),
    **dict.fromkeys((7, 11, 13, 14), 64),
    15: 128,
}
_TEXT = 8


def content_of(file: Path) -> bytes:
    """The content of a file that is small enough to be a model.

    Raises:
        BundleFormatError: It is not there, or too large.
    """
    try:
        size = file.stat().st_size
        if size > _MOST_BYTES:
            raise BundleFormatError(str(file), f"it has {size} bytes, and an ONNX file has {_MOST_BYTES} at most")
        return file.read_bytes()
    except OSError as error:
        raise BundleFormatError(str(file), f"it cannot be read ({error.strerror or error})") from error


def parsed(content: bytes) -> Any:
    """An ONNX model; data that it has in other files are not read.

    Args:
        content: Of a file.

    Raises:
        Exception: Of protobuf, where it is none.
    """
    import onnx

    return onnx.load_model_from_string(content)


def faults(model: Any, directory: Path) -> Iterator[str]:
    """What is wrong with a model: operators that nobody defines, data in other files than those beside it, sizes that
    are not those of the data.

    Args:
        model: What `parsed` gave.
        directory: Where its file lies.

    Yields:
        Each as part of a sentence.
    """
    own = {(function.domain, function.name) for function in model.functions}
    for part, tensors in _parts(model):
        for node in part.node:
            if node.domain not in _DOMAINS and (node.domain, node.op_type) not in own:
                yield f"it uses {node.domain}:{node.op_type}, which is no operator of the standard"
        for tensor in tensors:
            yield from _tensor_faults(tensor, directory)


def has_external_data(model: Any) -> bool:
    """Whether some of its numbers lie in other files."""
    return any(tensor.external_data for _, tensors in _parts(model) for tensor in tensors)


def _parts(model: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Every graph and function, however deep, with the tensors in it."""
    parts: list[Any] = [model.graph, *model.functions, *(info.initialization for info in model.training_info)]
    for place, part in enumerate(parts):  # grows while it goes on
        is_function = 1 <= place <= len(model.functions)
        tensors = [] if is_function else [*part.initializer]
        sparse = [] if is_function else [*part.sparse_initializer]
        attributes = [attribute for node in part.node for attribute in node.attribute]
        attributes += [*part.attribute_proto] if is_function else []
        for attribute in attributes:
            parts += [graph for graph in (attribute.g, *attribute.graphs) if graph.node or graph.initializer]
            tensors += [attribute.t, *attribute.tensors]
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
        tensors += [one for each in sparse for one in (each.values, each.indices)]
        yield part, tensors


def _tensor_faults(tensor: Any, directory: Path) -> Iterator[str]:
    places = {entry.key: entry.value for entry in tensor.external_data}
    claimed = -(-prod(tensor.dims) * _BITS.get(tensor.data_type, 8) // 8) if tensor.dims else 0
    if any(size < 0 for size in tensor.dims):
        yield f"its numbers {tensor.name!r} have the shape {list(tensor.dims)}"
    elif places:
        place = places.get("location", "")
        if len(PurePosixPath(place).parts) != 1 or place in (".", "..") or "\\" in place:
            yield f"its numbers {tensor.name!r} lie in {place!r}, outside of its directory"
            return
        beside = directory / place
        there = beside.stat().st_size if beside.is_file() and not beside.is_symlink() else -1
        if there < claimed:
            yield f"its numbers {tensor.name!r} claim {claimed} bytes of {place!r}, which has {max(there, 0)}"
    elif tensor.data_type != _TEXT and tensor.HasField("raw_data") and len(tensor.raw_data) != claimed and tensor.dims:
        yield f"its numbers {tensor.name!r} claim {claimed} bytes, and there are {len(tensor.raw_data)}"
    elif tensor.data_type == _TEXT or not tensor.HasField("raw_data"):
        # Numbers in lists of their own, at least one a value; complex ones are two.
        lists = (tensor.float_data, tensor.int32_data, tensor.string_data, tensor.int64_data, tensor.double_data)
        held = sum(map(len, (*lists, tensor.uint64_data)))
        if tensor.dims and prod(tensor.dims) > 2 * held:
            yield f"its numbers {tensor.name!r} have the shape {list(tensor.dims)}, and there are {held}"

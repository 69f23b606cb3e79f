"""Requests and answers of the Open Inference Protocol v2.

Sources: https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md and, for
tensors as bytes behind the JSON,
https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from mercury_http.datatypes import DATATYPES
from mercury_http.inputs import Tensor
from mercury_http.refusals import RequestError, unknown
from mercury_http.tensors import count_of, from_bytes, from_json, to_array

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mercury_http.outputs import Output

#: What a server says that it knows beyond the protocol.
EXTENSIONS = ("binary_tensor_data",)

# Of other servers; to ignore them would be to answer something else than what was asked for.
_NOT_HERE = ("shared_memory_region", "shared_memory_offset", "shared_memory_byte_size", "classification")


class RequestOutput(msgspec.Struct):
    """An output that is asked for."""

    name: str
    parameters: dict[str, Any] = {}


class RequestInput(msgspec.Struct):
    """A tensor that came."""

    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] = {}
    data: msgspec.Raw = msgspec.Raw()


class InferRequest(msgspec.Struct):
    """The JSON of a request."""

    inputs: list[RequestInput]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[RequestOutput] | None = None


class _FlatInput(msgspec.Struct):
    """A tensor of floats, as most are, read in one go."""

    name: str
    shape: list[int]
    datatype: str
    data: list[float]
    parameters: dict[str, Any] = {}


class _FlatRequest(msgspec.Struct):
    inputs: list[_FlatInput]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: list[RequestOutput] | None = None


class _IndexRequest(msgspec.Struct):
    ready: bool = False


_index = msgspec.json.Decoder(_IndexRequest).decode
_flat = msgspec.json.Decoder(_FlatRequest).decode
_any = msgspec.json.Decoder(InferRequest).decode
_encode = msgspec.json.Encoder().encode


class Asked(msgspec.Struct, frozen=True):
    """A request, understood.

    Attributes:
        id: To be given back; None where there was none.
        tensors: What came.
        outputs: The names of what is asked for, None for all.
        binary: By name, whether an output is to come as bytes; `every` where it does not say.
        every: Whether outputs are to come as bytes.
    """

    id: str | None
    tensors: list[Tensor]
    outputs: list[str] | None
    binary: dict[str, bool]
    every: bool


def read(body: bytes, header_length: str | None) -> Asked:
    """Understand the body of a request.

    Args:
        body: All of it.
        header_length: The header ``Inference-Header-Content-Length``, where there is one.

    Raises:
        RequestError: It is malformed.
    """
    text, rest = body, memoryview(b"")
    if header_length is not None:
        if not header_length.isascii() or not header_length.isdigit() or int(header_length) > len(body):
            raise RequestError(
                f"The header Inference-Header-Content-Length is {header_length[:40]!r}: expected the length of the "
                f"JSON in bytes, of a body of {len(body)}."
            )
        text, rest = body[: int(header_length)], memoryview(body)[int(header_length) :]
    try:
        flat = _flat(text)
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from error
    else:
        if not rest and all(tensor.datatype in ("FP64", "FP32") and not tensor.parameters for tensor in flat.inputs):
            return _asked(flat, [_floats(tensor) for tensor in flat.inputs])
    try:
        request = _any(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from error
    return _asked(request, _tensors(request.inputs, rest))


def wants_ready(body: bytes) -> bool:
    """Whether a request for the models of a server wants those only that are ready; its body may be empty.

    Raises:
        RequestError: It is malformed.
    """
    try:
        return _index(body).ready if body else False
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError('The body is no request for an index: expected {"ready": true}, or nothing.') from error


def _malformed(error: Exception) -> RequestError:
    if isinstance(error, msgspec.ValidationError):
        return RequestError(f"The body is no inference request: {error}.")
    why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error).rstrip(".")
    return RequestError(f"The body is no JSON: {why}.")


def _floats(tensor: _FlatInput) -> Tensor:
    wanted, found = count_of(tensor.name, tensor.shape), len(tensor.data)
    if wanted != found:
        raise RequestError(
            f"The data of {tensor.name!r} has {found} values, and its shape {tensor.shape} has {wanted}."
        )
    array = to_array(tensor.name, tensor.datatype, tensor.data)
    return Tensor(tensor.name, tensor.datatype, tuple(tensor.shape), array.reshape(tensor.shape))


def _tensors(inputs: Sequence[RequestInput], rest: memoryview) -> list[Tensor]:
    tensors, at = [], 0
    for one in inputs:
        if one.datatype not in DATATYPES:
            raise unknown("datatype", one.datatype, DATATYPES)
        for word in _NOT_HERE:
            if word in one.parameters:
                raise RequestError(f"The parameter {word!r} of {one.name!r} is not known here.")
        size = one.parameters.get("binary_data_size")
        if size is None:
            if not memoryview(one.data).nbytes:
                raise RequestError(f"The input {one.name!r} has neither data nor the parameter binary_data_size.")
            values: Any = from_json(one.name, one.datatype, one.shape, one.data)
        else:
            if type(size) is not int or size < 0:
                raise RequestError(f"The binary_data_size of {one.name!r} is no size in bytes.")
            if memoryview(one.data).nbytes:
                raise RequestError(f"The input {one.name!r} has data and the parameter binary_data_size: expected one.")
            if at + size > len(rest):
                raise RequestError(
                    f"The binary_data_size of {one.name!r} leads beyond the body, which has {len(rest)} bytes behind "
                    f"its JSON: the header Inference-Header-Content-Length says how long that is."
                )
            values = from_bytes(one.name, one.datatype, one.shape, rest[at : at + size])
            at += size
        tensors.append(Tensor(one.name, one.datatype, tuple(one.shape), values))
    if at != len(rest):
        raise RequestError(f"The body has {len(rest) - at} bytes behind its JSON that no input refers to.")
    return tensors


def _asked(request: InferRequest | _FlatRequest, tensors: list[Tensor]) -> Asked:
    every = request.parameters.get("binary_data_output", False)
    names, binary = None, {}
    if not isinstance(every, bool):
        raise RequestError("The parameter binary_data_output is neither true nor false.")
    if request.outputs:
        names = []
        for output in request.outputs:
            if output.name in names:
                raise RequestError(f"The output {output.name!r} is asked for twice.")
            names.append(output.name)
            if output.parameters:
                binary[output.name] = _binary(output, default=every)
    return Asked(request.id, tensors, names, binary, every)


def _binary(output: RequestOutput, *, default: bool) -> bool:
    for word in _NOT_HERE:
        if output.parameters.get(word):
            raise RequestError(f"The parameter {word!r} of {output.name!r} is not known here.")
    binary = output.parameters.get("binary_data", default)
    if not isinstance(binary, bool):
        raise RequestError(f"The parameter binary_data of {output.name!r} is neither true nor false.")
    return binary


def answer(head: bytes, asked: Asked, outputs: Sequence[Output], start: int, stop: int) -> tuple[bytes, int | None]:
    """The body of an answer.

    Args:
        head: Its beginning with the names of model and version, without the closing brace.
        asked: The request.
        outputs: The tensors of all rows that were predicted together.
        start: The first row of this answer.
        stop: The one after its last.

    Returns:
        The body, and how many bytes of it are JSON, where there are others behind it.
    """
    parts = [head]
    if asked.id is not None:
        parts += [b',"id":', _encode(asked.id)]
    parts.append(b',"outputs":[')
    content, binary = [], asked.binary
    for place, output in enumerate(outputs):
        if place:
            parts.append(b",")
        if binary.get(output.name, asked.every):
            described, bytes_of = output.binary(start, stop)
            parts.append(described)
            content.append(bytes_of)
        else:
            parts.append(output.json(start, stop))
    parts.append(b"]}")
    text = b"".join(parts)
    return (b"".join([text, *content]), len(text)) if content else (text, None)


def head_of(name: str, version: str) -> bytes:
    """How all answers of a model begin."""
    return _encode({"model_name": name, "model_version": version})[:-1]

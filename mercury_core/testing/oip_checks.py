"""Everything that is looked at; see `mercury_core.testing.oip`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mercury_core.testing.oip_client import SIZES, flattened, packed

if TYPE_CHECKING:
    from collections.abc import Callable

    from mercury_core.testing.oip_client import Client, Reply
    from mercury_core.testing.oip_requests import Samples

    Look = Callable[[Client, Samples], None]

_DATATYPES = {*SIZES, "BYTES", "BF16"}
_NOBODY = "no-model-of-that-name"


class Skip(Exception):  # noqa: N818  no fault of anybody
    """It cannot be looked at."""


class Wrong(Exception):  # noqa: N818  what `Check.found` says
    """Something else was found."""


@dataclass(frozen=True, slots=True)
class Looked:
    """One check: see `oip.Check`; `look` raises `Wrong` or `Skip`."""

    topic: str
    title: str
    level: str
    look: Look


CHECKS: list[Looked] = []


def _check(topic: str, title: str, level: str = "must") -> Callable[[Look], Look]:
    def add(look: Look) -> Look:
        CHECKS.append(Looked(topic, title, level, look))
        return look

    return add


def _require(holds: bool, found: str) -> None:
    if not holds:
        raise Wrong(found)


def _fine(reply: Reply, kind: type = dict) -> Any:
    _require(reply.status == 200, f"status {reply.status}: {reply.body[:120].decode(errors='replace')}")
    told = reply.json
    _require(isinstance(told, kind), "no JSON of the right kind")
    return told


def _refused(reply: Reply) -> None:
    _require(400 <= reply.status < 500, f"status {reply.status}")
    told = reply.json
    right = isinstance(told, dict) and isinstance(told.get("error"), str)
    _require(right, f'no {{"error": text}}: {reply.body[:80].decode(errors="replace")}')


def _infer(client: Client, request: Any, **more: Any) -> Reply:
    return client.ask(f"{client.model_path}/infer", request, **more)


def _data(told: Any) -> dict[str, Any]:
    """Of an answer: by the name of the output its datatype, its shape and its values."""
    return {one["name"]: (one["datatype"], one["shape"], flattened(one["data"])) for one in told["outputs"]}


# --- server ---


@_check("server", "GET v2 tells name, version and extensions")
def _server(client: Client, _samples: Samples) -> None:
    told = _fine(client.ask("/v2"))
    _require(all(isinstance(told.get(key), str) for key in ("name", "version")), "no name or no version")
    extensions = told.get("extensions")
    _require(isinstance(extensions, list) and all(isinstance(one, str) for one in extensions), "no list of extensions")


@_check("server", "v2/ with a slash at its end", "should")
def _server_slash(client: Client, _samples: Samples) -> None:
    _fine(client.ask("/v2/"))


@_check("server", "v2/health/live")
def _live(client: Client, _samples: Samples) -> None:
    reply = client.ask("/v2/health/live")
    _require(reply.status == 200, f"status {reply.status}")


@_check("server", "v2/health/ready")
def _ready(client: Client, _samples: Samples) -> None:
    reply = client.ask("/v2/health/ready")
    _require(reply.status == 200, f"status {reply.status}")


@_check("server", "another method is refused", "should")
def _server_method(client: Client, _samples: Samples) -> None:
    reply = client.ask("/v2/health/live", method="DELETE")
    _require(400 <= reply.status < 500, f"status {reply.status}")


# --- model ---


@_check("model", "metadata tells name, platform, inputs and outputs")
def _metadata(client: Client, _samples: Samples) -> None:
    told = _fine(client.ask(client.model_path))
    _require(told.get("name") == client.model, f"the name {told.get('name')!r}")
    _require(isinstance(told.get("platform"), str), "no platform")
    for side in ("inputs", "outputs"):
        tensors = told.get(side)
        _require(isinstance(tensors, list) and bool(tensors), f"no {side}")
        for tensor in tensors:
            _require(isinstance(tensor.get("name"), str), f"a tensor of {side} without a name")
            _require(tensor.get("datatype") in _DATATYPES, f"the datatype {tensor.get('datatype')!r}")
            shape = tensor.get("shape")
            right = isinstance(shape, list) and all(type(size) is int and size >= -1 for size in shape)
            _require(right, f"the shape {shape!r}")


@_check("model", "ready tells name and readiness")
def _model_ready(client: Client, _samples: Samples) -> None:
    reply = client.ask(f"{client.model_path}/ready")
    _require(reply.status == 200, f"status {reply.status}")


@_check("model", "ready answers {name, ready}", "should")
def _model_ready_body(client: Client, _samples: Samples) -> None:
    told = _fine(client.ask(f"{client.model_path}/ready"))
    _require(told.get("ready") is True and told.get("name") == client.model, json.dumps(told)[:80])


@_check("model", "metadata, ready and inference by version")
def _versions(client: Client, samples: Samples) -> None:
    if not samples.versions:
        raise Skip("the model has no versions")
    path = f"{client.model_path}/versions/{samples.versions[-1]}"
    _fine(client.ask(path))
    _require(client.ask(f"{path}/ready").status == 200, "not ready by version")
    _fine(client.ask(f"{path}/infer", samples.valid))


@_check("model", "an unknown model is refused with {error}")
def _unknown_model(client: Client, samples: Samples) -> None:
    _refused(client.ask(f"/v2/models/{_NOBODY}"))
    _refused(client.ask(f"/v2/models/{_NOBODY}/infer", samples.valid))


@_check("model", "an unknown version is refused with {error}")
def _unknown_version(client: Client, samples: Samples) -> None:
    if not samples.versions:
        raise Skip("the model has no versions")
    _refused(client.ask(f"{client.model_path}/versions/987654321"))
    _refused(client.ask(f"{client.model_path}/versions/987654321/infer", samples.valid))


# --- inference ---


@_check("inference", "an answer has model_name and all outputs of the metadata")
def _answer(client: Client, samples: Samples) -> None:
    told = _fine(_infer(client, samples.valid))
    _require(told.get("model_name") == client.model, f"model_name is {told.get('model_name')!r}")
    names = [one.get("name") for one in told.get("outputs") or []]
    _require(sorted(names) == sorted(samples.outputs), f"the outputs {names}")


@_check("inference", "outputs have the datatype of the metadata, and as many values as their shape")
def _answer_tensors(client: Client, samples: Samples) -> None:
    described = {one["name"]: one for one in samples.metadata.get("outputs") or []}
    for name, (datatype, shape, values) in _data(_fine(_infer(client, samples.valid))).items():
        expected = described.get(name, {}).get("datatype", datatype)
        _require(datatype == expected, f"{name!r} is {datatype}, and {expected} in the metadata")
        count = 1
        for size in shape:
            count *= size
        _require(len(values) == count, f"{name!r} has {len(values)} values for the shape {shape}")


@_check("inference", "an answer is application/json")
def _answer_type(client: Client, samples: Samples) -> None:
    kind = _infer(client, samples.valid).headers.get("content-type", "")
    _require(kind.partition(";")[0].strip() == "application/json", kind or "no content type")


@_check("inference", "an id is given back")
def _id(client: Client, samples: Samples) -> None:
    told = _fine(_infer(client, {**samples.valid, "id": "a-7"}))
    _require(told.get("id") == "a-7", f"id is {told.get('id')!r}")


@_check("inference", "what is optional is left out, and not null", "should")
def _nulls(client: Client, samples: Samples) -> None:
    told = _fine(_infer(client, samples.valid))
    nulls = [key for key, value in told.items() if value is None]
    nulls += [f"outputs.{key}" for one in told["outputs"] for key, value in one.items() if value is None]
    _require(not nulls, f"null in {', '.join(sorted(set(nulls)))}")


@_check("inference", "only the outputs that are asked for")
def _filtered(client: Client, samples: Samples) -> None:
    for name in samples.outputs:
        told = _fine(_infer(client, {**samples.valid, "outputs": [{"name": name}]}))
        found = [one["name"] for one in told["outputs"]]
        _require(found == [name], f"asked for {name!r}, got {found}")


@_check("inference", "nested data is the same as flat")
def _nested(client: Client, samples: Samples) -> None:
    flat = _data(_fine(_infer(client, samples.valid)))
    _require(_data(_fine(_infer(client, samples.nested()))) == flat, "another answer")


@_check("inference", "several rows, predicted as each alone", "should")
def _rows(client: Client, samples: Samples) -> None:
    request = samples.rows(3)
    if request is None:
        raise Skip("no dimension for rows")
    one, three = _data(_fine(_infer(client, samples.valid))), _data(_fine(_infer(client, request)))
    for name, (_, shape, values) in three.items():
        _require(shape[:1] == [3], f"the shape {shape} of {name!r} for three rows")
        _require(all(_near(a, b) for a, b in zip(values, one[name][2] * 3, strict=True)), f"other values in {name!r}")


def _near(found: Any, expected: Any) -> bool:
    if isinstance(found, float) and isinstance(expected, (int, float)):
        return abs(found - expected) <= 1e-5 * max(1.0, abs(expected))
    return bool(found == expected)


@_check("inference", "no rows give no rows, or are refused", "should")
def _no_rows(client: Client, samples: Samples) -> None:
    request = samples.rows(0)
    if request is None:
        raise Skip("no dimension for rows")
    reply = _infer(client, request)
    if reply.status != 200:
        _refused(reply)
        return
    for name, (_, shape, values) in _data(_fine(reply)).items():
        _require(shape[:1] == [0] and not values, f"{len(values)} values in {name!r}")


# --- refusals ---


def _wrong(title: str, change: Callable[[Samples], Any], level: str = "must") -> None:
    @_check("refusal", title, level)
    def look(client: Client, samples: Samples) -> None:
        _refused(_infer(client, change(samples)))


def _other_type(samples: Samples) -> Any:
    text = samples.first["datatype"] == "BYTES"

    def change(tensor: dict[str, Any]) -> None:
        count = len(flattened(tensor["data"]))
        tensor.update(datatype="FP64" if text else "BYTES", data=[0.5] * count if text else ["no number"] * count)

    return samples.changed(change)


_wrong("an unknown output", lambda samples: {**samples.valid, "outputs": [{"name": "no-output-of-that-name"}]})
_wrong("an unknown input", lambda samples: samples.changed(lambda one: one.update(name="no-input-of-that-name")))
_wrong("a further, unknown input", lambda samples: {
    **samples.valid, "inputs": [*samples.valid["inputs"], {**samples.first, "name": "no-input-of-that-name"}]
}, "should")  # fmt: skip
_wrong("a missing input", lambda samples: {**samples.valid, "inputs": samples.valid["inputs"][1:]})
_wrong("an input twice", lambda samples: {**samples.valid, "inputs": [*samples.valid["inputs"], samples.first]})
_wrong("another datatype than the model's", _other_type)
_wrong("a datatype that does not exist", lambda samples: samples.changed(lambda one: one.update(datatype="FP63")))
_wrong("fewer values than the shape", lambda samples: samples.changed(
    lambda one: one.update(shape=[7, *one["shape"][1:]])
))  # fmt: skip
_wrong("more values than the shape", lambda samples: samples.changed(
    lambda one: one.update(data=[*flattened(one["data"]), flattened(one["data"])[0]])
))  # fmt: skip
_wrong("a negative dimension", lambda samples: samples.changed(
    lambda one: one.update(shape=[-1, *one["shape"][1:]])
))  # fmt: skip
_wrong("an input without data", lambda samples: samples.changed(lambda one: one.pop("data")))
_wrong("an input without a shape", lambda samples: samples.changed(lambda one: one.pop("shape")))
_wrong("a request without inputs", lambda _samples: {"id": "1"})
_wrong("what is no JSON", lambda _samples: b'{"inputs": [')
_wrong("JSON that is no object", lambda _samples: b"[1, 2]")
_wrong("nothing", lambda _samples: b"")


@_check("refusal", "GET of infer")
def _get_infer(client: Client, _samples: Samples) -> None:
    reply = client.ask(f"{client.model_path}/infer")
    _require(400 <= reply.status < 500, f"status {reply.status}")


# --- binary tensors ---


def _binary(client: Client) -> None:
    extensions = (client.ask("/v2").json or {}).get("extensions") or []
    if not {"binary_tensor_data", "binary_data"} & set(extensions):
        raise Skip("the server does not say that it has binary tensors")


def _bytes_of(samples: Samples) -> tuple[bytes, int]:
    tensors = [packed(tensor) for tensor in samples.valid["inputs"]]
    head = json.dumps({**samples.valid, "inputs": [one for one, _ in tensors]}).encode()
    return head + b"".join(content for _, content in tensors), len(head)


def _in_bytes(client: Client, body: bytes, length: int | str) -> Reply:
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(length)}
    return _infer(client, body, headers=headers)


@_check("binary", "binary inputs give the same answer")
def _binary_inputs(client: Client, samples: Samples) -> None:
    _binary(client)
    told = _fine(_in_bytes(client, *_bytes_of(samples)))
    _require(_data(told) == _data(_fine(_infer(client, samples.valid))), "another answer")


@_check("binary", "binary outputs, for one output and for all")
def _binary_outputs(client: Client, samples: Samples) -> None:
    _binary(client)
    expected = _data(_fine(_infer(client, samples.valid)))
    each = [{"name": name, "parameters": {"binary_data": True}} for name in samples.outputs]
    for request in ({**samples.valid, "outputs": each}, {**samples.valid, "parameters": {"binary_data_output": True}}):
        reply = _infer(client, request)
        told = _fine(reply)
        _require("inference-header-content-length" in reply.headers, "no Inference-Header-Content-Length")
        rest = reply.tail
        for output in told["outputs"]:
            size = (output.get("parameters") or {}).get("binary_data_size")
            _require(type(size) is int and "data" not in output, f"{output['name']!r} has no binary_data_size")
            datatype, shape, values = expected[output["name"]]
            _require(output["shape"] == shape, f"the shape {output['shape']} of {output['name']!r}")
            _, content = packed({"name": "", "shape": shape, "datatype": datatype, "data": values})
            _require(rest[:size] == content, f"other bytes in {output['name']!r}")
            rest = rest[size:]
        _require(not rest, f"{len(rest)} bytes that nothing refers to")


@_check("binary", "a size that does not match is refused")
def _binary_sizes(client: Client, samples: Samples) -> None:
    _binary(client)
    body, length = _bytes_of(samples)
    _refused(_in_bytes(client, body[:-1], length))
    _refused(_in_bytes(client, body + b"x", length))


@_check("binary", "a header length beyond the body is refused")
def _binary_header(client: Client, samples: Samples) -> None:
    _binary(client)
    body, _ = _bytes_of(samples)
    _refused(_in_bytes(client, body, len(body) + 100))
    _refused(_in_bytes(client, body, "x"))

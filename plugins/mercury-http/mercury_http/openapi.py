"""The models of a server, described: for programs as an OpenAPI document, for the page as it needs it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec
import pyarrow as pa

from mercury_core import __version__
from mercury_http.datatypes import BYTES, DATATYPES, datatype_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mercury_core.bundle import Field
    from mercury_http.models import Served

_TEXT, _ARROW = {"type": "string"}, {"schema": {"type": "string", "format": "binary"}}
_SHAPE = {"type": "array", "items": {"type": "integer", "minimum": 0}, "maxItems": 16}
_FAULTS = {
    "400": "The request is wrong",
    "401": "The token is missing or wrong",
    "404": "There is no such model or version",
    "408": "The body did not arrive in time",
    "413": "The body or its rows are too many",
    "415": "The content is of an unknown type",
    "503": "Too much is under way, or the model is being loaded",
    "504": "The model did not answer in time",
}


def described(served: Served) -> dict[str, Any]:
    """What the page shows of a model: its signature, its metrics and a row to begin with."""
    signature = served.bundle.signature
    return {
        "name": served.name,
        "version": served.version,
        "model": type(served.bundle.underlying).__name__,
        "inputs": [
            {
                "name": field.name,
                "type": field.type,
                "nullable": field.nullable,
                "categories": list(field.categories) if field.categories else None,
                "shape": list(field.shape) if field.shape else None,
            }
            for field in signature.inputs
        ],
        "targets": [{"name": field.name, "type": field.type} for field in signature.targets],
        "classes": [str(label) for label in signature.classes or ()],
        "metrics": msgspec.to_builtins(served.bundle.metrics, enc_hook=str),
        "example": _example(served),
    }


def document(models: Sequence[Served], *, locked: bool) -> dict[str, Any]:
    """The OpenAPI document of a server.

    Args:
        models: Those that are loaded.
        locked: Whether a token is needed.
    """
    paths: dict[str, Any] = {
        "/v2": _get("What the server is", "Server"),
        "/v2/health/live": _get("Whether the server lives"),
        "/v2/health/ready": _get("Whether all models answer", also={"503": "Not yet"}),
        "/metrics": _get("What is counted, for Prometheus", kind="text/plain"),
    }
    index = {"application/json": {"schema": {"type": "object", "properties": {"ready": {"type": "boolean"}}}}}
    paths["/v2/repository/index"] = _post("Which models there are, and how they are", index, "Index", required=False)
    for served in models:
        for base in (f"/v2/models/{quote(served.name)}", f"/v2/models/{quote(served.name)}/versions/{served.version}"):
            paths[base] = _get(f"What {served.name!r} takes and gives")
            paths[f"{base}/ready"] = _get(f"Whether {served.name!r} answers", also={"503": "Not now"})
            asked = {"schema": {"$ref": "#/components/schemas/InferRequest"}, **_infer_example(served)}
            content = {"application/json": asked}
            paths[f"{base}/infer"] = _post(f"Predict with {served.name!r}, by the protocol", content, "InferResponse")
        paths[f"/predict/{quote(served.name)}"] = _post(
            f"Predict rows with {served.name!r}",
            {
                "application/json": {"schema": _rows(served), "example": [_example(served)]},
                "text/csv": {"schema": _TEXT},
                "application/vnd.apache.arrow.stream": _ARROW,
            },
            "Predictions",
        )
    told: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Models served by Mercury", "version": __version__},
        "paths": paths,
        "components": {"schemas": _schemas()},
    }
    if locked:
        told["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        told["security"] = [{"token": []}]
    return told


def _example(served: Served) -> dict[str, Any]:
    table = served.example()
    plain = [name for name in table.column_names if not isinstance(table.schema.field(name).type, pa.BaseExtensionType)]
    row = table.select(plain).slice(0, 1).to_pylist()
    return {name: _plain(value) for name, value in row[0].items()} if row else {}


def _infer_example(served: Served) -> dict[str, Any]:
    """A row by the protocol; nothing where there is none to begin with, as of a model of images without golden rows."""
    row, inputs = _example(served), served.inputs.metadata()
    if not row or any(one["name"] not in row for one in inputs):
        return {}
    tensors = [
        {"name": one["name"], "shape": [1], "data": [row[one["name"]]]}
        | {"datatype": one["datatype"] if one["shape"] == [-1] else BYTES}
        for one in inputs
    ]
    return {"example": {"inputs": tensors}}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return None
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value if value is None or isinstance(value, (bool, int, float, str)) else _text(value)


def _text(value: Any) -> str:
    return str(value.isoformat()) if hasattr(value, "isoformat") else str(value)


def _get(summary: str, schema: str | None = None, kind: str = "application/json", also: Any = None) -> dict[str, Any]:
    content = {"schema": {"$ref": f"#/components/schemas/{schema}"} if schema else {}}
    answers: dict[str, Any] = {"200": {"description": "It is told", "content": {kind: content}}}
    faults = {"401": _FAULTS["401"], "503": _FAULTS["503"], **(also or {})}
    return {"get": {"summary": summary, "responses": {**answers, **_errors(faults)}}}


def _post(summary: str, content: dict[str, Any], schema: str, *, required: bool = True) -> dict[str, Any]:
    told = {"schema": {"$ref": f"#/components/schemas/{schema}"}}
    kinds = {"application/json": told}
    if schema == "Predictions":
        kinds |= {"text/csv": {"schema": _TEXT}, "application/vnd.apache.arrow.stream": _ARROW}
    elif schema == "InferResponse":
        kinds["application/octet-stream"] = _ARROW
    answers = {"200": {"description": "What was asked for", "content": kinds}, **_errors(_FAULTS)}
    asked = {"required": required, "content": content}
    return {"post": {"summary": summary, "requestBody": asked, "responses": answers}}


def _errors(faults: dict[str, str]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {status: {"description": why, "content": content} for status, why in faults.items()}


def _rows(served: Served) -> dict[str, Any]:
    fields = served.bundle.signature.inputs
    record = {
        "type": "object",
        "properties": {field.name: _schema_of(field) for field in fields},
        "required": [field.name for field in fields],
        "additionalProperties": False,
    }
    return {"type": "array", "items": record}


def _schema_of(field: Field) -> dict[str, Any]:
    datatype = BYTES if field.shape else datatype_of(field.type)
    kind = "boolean" if datatype == "BOOL" else "integer" if "INT" in datatype else "number"
    schema: dict[str, Any] = {"type": "string" if datatype == BYTES else kind}
    if field.categories:
        schema = {"enum": [*field.categories, *([None] if field.nullable else [])]}
    elif field.nullable:
        schema["type"] = [schema["type"], "null"]
    return {**schema, "description": "the content of a file, in base64" if field.shape else field.type}


def _schemas() -> dict[str, Any]:
    parameters = {"type": "object"}
    tensor = {
        "type": "object",
        "properties": {
            "name": _TEXT,
            "shape": _SHAPE,
            "datatype": {"enum": list(DATATYPES)},
            "parameters": parameters,
            "data": {"type": "array"},
        },
        "required": ["name", "shape", "datatype"],
    }
    output = {"type": "object", "properties": {"name": _TEXT, "parameters": parameters}, "required": ["name"]}
    return {
        "Error": {"type": "object", "properties": {"error": _TEXT}, "required": ["error"]},
        "Server": {
            "type": "object",
            "properties": {"name": _TEXT, "version": _TEXT, "extensions": {"type": "array", "items": _TEXT}},
            "required": ["name", "version", "extensions"],
        },
        "Tensor": tensor,
        "InferRequest": {
            "type": "object",
            "properties": {
                "id": _TEXT,
                "parameters": parameters,
                "inputs": {"type": "array", "items": {"$ref": "#/components/schemas/Tensor"}},
                "outputs": {"type": "array", "items": output},
            },
            "required": ["inputs"],
        },
        "InferResponse": {
            "type": "object",
            "properties": {
                "id": _TEXT,
                "model_name": _TEXT,
                "model_version": _TEXT,
                "outputs": {"type": "array", "items": {"$ref": "#/components/schemas/Tensor"}},
            },
            "required": ["model_name", "outputs"],
        },
        "Index": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": dict.fromkeys(("name", "version", "state", "reason"), _TEXT),
                "required": ["name", "version", "state", "reason"],
            },
        },
        "Predictions": {
            "type": "object",
            "properties": {"predictions": {"type": "array", "items": {"type": "object"}}},
            "required": ["predictions"],
        },
    }

"""The Open Inference Protocol v2: what is answered, and what is refused."""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import pytest

from tests.http.conftest import ask
from tests.http.models import TYPES, WEIGHTS

ROW = {"name": "features", "shape": [1, 3], "datatype": "FP64", "data": [1.0, 2.0, 3.0]}
PAID = "/v2/models/paid"


def infer(url: str, model: str, *inputs: dict[str, Any], **more: Any) -> Any:
    return ask(url, f"/v2/models/{model}/infer", {"inputs": list(inputs), **more})


def tensor(name: str, datatype: str, data: list[Any], shape: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": [len(data)] if shape is None else shape, "data": data}


def test_server_and_health(url: str) -> None:
    for path in ("/v2", "/v2/"):
        told = ask(url, path).json
        assert told["name"] == "mercury"
        assert told["extensions"] == ["binary_tensor_data"]
    assert ask(url, "/v2/health/live").json == {"live": True}
    assert ask(url, "/v2/health/ready/").status == 200


@pytest.mark.parametrize("path", ["", "/", "/versions/run-7", "/versions/run-7/"])
def test_metadata_of_a_model(url: str, path: str) -> None:
    told = ask(url, PAID + path).json
    assert told["name"] == "paid"
    assert told["versions"] == ["run-7"]
    assert told["inputs"] == [{"name": name, "datatype": "FP64", "shape": [-1]} for name in "abc"]
    assert [(one["name"], one["datatype"], one["shape"]) for one in told["outputs"]] == [
        ("prediction", "BYTES", [-1]),
        ("scores", "FP64", [-1, 2]),
    ]
    assert told["outputs"][1]["parameters"] == {"columns": ["no", "yes"]}
    assert told["parameters"]["matrix"] == {"name": "features", "datatype": "FP64", "shape": [-1, 3]}
    ready = ask(url, f"{PAID}{path.rstrip('/')}/ready")
    assert (ready.status, ready.json) == (200, {"name": "paid", "ready": True})


@pytest.mark.parametrize("path", ["/infer", "/infer/", "/versions/run-7/infer", "/versions/run-7/infer/"])
def test_inference(url: str, path: str) -> None:
    answer = ask(url, PAID + path, {"id": "42", "inputs": [ROW]})
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    yes = 1 / (1 + np.exp(-(np.array([1.0, 2.0, 3.0]) * WEIGHTS).sum()))
    assert answer.json == {
        "model_name": "paid",
        "model_version": "run-7",
        "id": "42",
        "outputs": [
            {"name": "prediction", "datatype": "BYTES", "shape": [1], "data": ["no"]},
            {"name": "scores", "datatype": "FP64", "shape": [1, 2], "data": [1 - yes, yes]},
        ],
    }


def test_an_id_is_given_back_only_where_there_was_one(url: str) -> None:
    assert "id" not in infer(url, "paid", ROW).json
    assert infer(url, "paid", ROW, id="").json["id"] == ""


def test_outputs_are_those_that_are_asked_for(url: str) -> None:
    told = infer(url, "paid", ROW, outputs=[{"name": "scores"}]).json
    assert [output["name"] for output in told["outputs"]] == ["scores"]
    told = infer(url, "paid", ROW, outputs=[{"name": "scores"}, {"name": "prediction"}]).json
    assert [output["name"] for output in told["outputs"]] == ["scores", "prediction"]
    assert len(infer(url, "paid", ROW, outputs=[]).json["outputs"]) == 2


def test_a_tensor_a_column_is_the_same_as_one_for_all(url: str) -> None:
    by_column = [tensor(name, "FP64", [value]) for name, value in zip("cab", (3.0, 1.0, 2.0), strict=True)]
    assert infer(url, "paid", *by_column).json == infer(url, "paid", ROW).json
    upright = [{**one, "shape": [1, 1]} for one in by_column]
    assert infer(url, "paid", *upright).json == infer(url, "paid", ROW).json


def test_nested_data_is_the_same_as_flat(url: str) -> None:
    flat = infer(url, "paid", tensor("features", "FP64", [1, 2, 3, 4, 5, 6], [2, 3])).json
    assert infer(url, "paid", tensor("features", "FP64", [[1, 2, 3], [4, 5, 6]], [2, 3])).json == flat


VALUES: dict[str, list[Any]] = {
    "BOOL": [True, False],
    **{f"INT{bits}": [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1] for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": [0, 2**bits - 1] for bits in (8, 16, 32, 64)},
    "FP16": [0.5, -65504.0],
    "FP32": [0.10000000149011612, -3.4028234663852886e38],
    "FP64": [0.1, -1.7976931348623157e308],
    "BYTES": ["", "Grüße\n"],
}


def test_every_datatype_in_json(url: str) -> None:
    answer = infer(url, "echo", *(tensor(name.lower(), name, VALUES[name]) for name in TYPES))
    assert answer.status == 200, answer.body
    told = {one["name"]: (one["datatype"], one["data"]) for one in answer.json["outputs"]}
    assert told == {f"prediction_{name.lower()}": (name, VALUES[name]) for name in TYPES}


def binary_of(name: str) -> bytes:
    if name == "BYTES":
        return b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in VALUES[name])
    kind = {"BOOL": "?", "INT": "<i", "UINT": "<u", "FP": "<f"}[name.rstrip("0123456789")]
    size = "" if name == "BOOL" else str(int(name.lstrip("UINTFP")) // 8)
    return np.array(VALUES[name], kind + size).tobytes()


def binary_request(inputs: list[tuple[str, str, list[int], bytes]], **more: Any) -> tuple[bytes, dict[str, str]]:
    heads = [
        {"name": name, "datatype": kind, "shape": shape, "parameters": {"binary_data_size": len(content)}}
        for name, kind, shape, content in inputs
    ]
    text = json.dumps({"inputs": heads, **more}).encode()
    body = text + b"".join(content for *_, content in inputs)
    return body, {"Inference-Header-Content-Length": str(len(text))}


def test_every_datatype_in_bytes(url: str) -> None:
    body, headers = binary_request(
        [(name.lower(), name, [2], binary_of(name)) for name in TYPES], parameters={"binary_data_output": True}
    )
    answer = ask(url, "/v2/models/echo/infer", body, headers=headers)
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers["inference-header-content-length"])
    told, rest = json.loads(answer.body[:length]), answer.body[length:]
    for output in told["outputs"]:
        size = output["parameters"]["binary_data_size"]
        assert "data" not in output
        assert rest[:size] == binary_of(output["datatype"]), output
        rest = rest[size:]
    assert not rest


def test_one_output_in_bytes_and_another_in_json(url: str) -> None:
    outputs = [{"name": "prediction"}, {"name": "scores", "parameters": {"binary_data": True}}]
    answer = infer(url, "paid", ROW, outputs=outputs)
    length = int(answer.headers["inference-header-content-length"])
    told = json.loads(answer.body[:length])["outputs"]
    assert told[0]["data"] == ["no"]
    assert np.frombuffer(answer.body[length:]).tolist() == infer(url, "paid", ROW).json["outputs"][1]["data"]
    over = [{"name": "prediction", "parameters": {"binary_data": False}}]
    answer = infer(url, "paid", ROW, outputs=over, parameters={"binary_data_output": True})
    assert answer.json["outputs"][0]["data"] == ["no"]


def test_nothing_in_nothing_out(url: str) -> None:
    told = infer(url, "paid", tensor("features", "FP64", [], [0, 3])).json["outputs"]
    assert [(one["shape"], one["data"]) for one in told] == [([0], []), ([0, 2], [])]
    assert infer(url, "paid", *(tensor(name, "FP64", []) for name in "abc")).status == 200


def test_what_is_no_number_comes_as_bytes_and_goes_as_null(url: str) -> None:
    body, headers = binary_request([("features", "FP64", [1, 3], np.array([np.nan, 1, 2]).tobytes())])
    told = ask(url, f"{PAID}/infer", body, headers=headers).json["outputs"]
    assert told[1]["data"] == [None, None]
    refused = ask(
        url, f"{PAID}/infer", b'{"inputs":[{"name":"features","shape":[1,3],"datatype":"FP64","data":[NaN,1,2]}]}'
    )
    assert refused.status == 400
    assert "no JSON" in refused.error


def test_whole_numbers_beyond_those_of_floats_stay_what_they_are(url: str) -> None:
    inputs = [tensor(name.lower(), name, VALUES[name][:1]) for name in TYPES]
    large = 2**53 + 1
    inputs[4] = tensor("int64", "INT64", [large])
    told = infer(url, "echo", *inputs).json["outputs"]
    assert next(one["data"] for one in told if one["name"] == "prediction_int64") == [large]
    refused = infer(url, "paid", *(tensor(name, "INT64", [large]) for name in "abc"))
    assert refused.status == 400
    assert "'a'" in refused.error


def test_shorter_numbers_serve_for_longer(url: str) -> None:
    expected = infer(url, "paid", ROW).json
    assert infer(url, "paid", {**ROW, "datatype": "FP32"}).json == expected
    assert infer(url, "paid", {**ROW, "datatype": "INT8", "data": [1, 2, 3]}).json == expected


def test_columns_as_people_have_them(url: str) -> None:
    inputs = [
        tensor("age", "INT64", [31, None]),
        tensor("city", "BYTES", ["Köln", None]),
        tensor("day", "BYTES", ["2026-11-24", None]),
    ]
    answer = infer(url, "mixed", *inputs)
    assert answer.json["outputs"][0]["data"] == [31 + 4 + 24, 0]
    inputs[1]["data"][0] = "Paris"
    refused = infer(url, "mixed", *inputs)
    assert refused.status == 400
    assert "'city'" in refused.error
    assert "Bonn" in refused.error


def test_images_are_one_tensor(url: str) -> None:
    assert ask(url, "/v2/models/images").json["inputs"] == [
        {"name": "image", "datatype": "UINT8", "shape": [-1, 2, 3, 1]}
    ]
    answer = infer(url, "images", tensor("image", "UINT8", list(range(12)), [2, 2, 3, 1]))
    assert answer.json["outputs"][0]["data"] == [15, 51]
    wrong = infer(url, "images", tensor("image", "UINT8", list(range(12)), [2, 3, 2, 1]))
    assert wrong.status == 400


# --- what is refused ---

BC = [tensor(name, "FP64", [1.0]) for name in "bc"]
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "missing input": ({"inputs": [tensor("a", "FP64", [1.0])]}, "'b', 'c' are missing"),
    "no input": ({"inputs": []}, "missing"),
    "unknown input": ({"inputs": [tensor("fetures", "FP64", [1.0])]}, "Did you mean 'features'"),
    "input twice": ({"inputs": [tensor(name, "FP64", [1.0]) for name in "abca"]}, "twice"),
    "unknown output": ({"inputs": [ROW], "outputs": [{"name": "score"}]}, "Did you mean 'scores'"),
    "output twice": ({"inputs": [ROW], "outputs": [{"name": "scores"}] * 2}, "twice"),
    "another datatype": ({"inputs": [{**ROW, "datatype": "BOOL", "data": [True] * 3}]}, "expected FP64"),
    "text for numbers": ({"inputs": [{**ROW, "datatype": "BYTES", "data": ["1", "2", "3"]}]}, "expected FP64"),
    "unknown datatype": ({"inputs": [{**ROW, "datatype": "FP63"}]}, "Did you mean"),
    "small datatype": ({"inputs": [{**ROW, "datatype": "fp64"}]}, "FP64"),
    "text in numbers": ({"inputs": [{**ROW, "data": [1, "2", 3]}]}, "a text: expected a number"),
    "truth in numbers": ({"inputs": [{**ROW, "data": [1, True, 3]}]}, "expected a number"),
    "null in numbers": ({"inputs": [{**ROW, "data": [1, None, 3]}]}, "'b'"),
    "too few values": ({"inputs": [{**ROW, "data": [1, 2]}]}, "2 values"),
    "too many values": ({"inputs": [{**ROW, "shape": [2, 3]}]}, "3 values"),
    "negative": ({"inputs": [{**ROW, "shape": [-1, 3]}]}, "negative"),
    "both negative": ({"inputs": [{**ROW, "shape": [-1, -3]}]}, "negative"),
    "huge": ({"inputs": [{**ROW, "shape": [2**62, 2**62]}]}, "3 values"),
    "other width": ({"inputs": [{**ROW, "shape": [3, 1]}]}, "expected [rows, 3]"),
    "one dimension": ({"inputs": [{**ROW, "shape": [3]}]}, "expected [rows, 3]"),
    "no dimension": ({"inputs": [tensor(name, "FP64", [1.0], []) for name in "abc"]}, "the shape []"),
    "no dimension of one": ({"inputs": [tensor("a", "FP64", [1.0], []), *BC]}, "the shape []"),
    "other nesting": ({"inputs": [{**ROW, "data": [[1], [2], [3]]}]}, "rows of 1"),
    "uneven nesting": ({"inputs": [{**ROW, "shape": [2, 3], "data": [[1, 2, 3], [4, 5]]}]}, "unevenly"),
    "mixed nesting": ({"inputs": [{**ROW, "shape": [2, 3], "data": [[1, 2, 3], 4]}]}, "unevenly"),
    "deep nesting": ({"inputs": [{**ROW, "data": [[[1, 2, 3]]]}]}, "3 deep"),
    "other row counts": (
        {"inputs": [tensor("a", "FP64", [1.0]), *(tensor(n, "FP64", [1.0, 2]) for n in "bc")]},
        "1, 2",
    ),
    "no data": ({"inputs": [{"name": "features", "shape": [1, 3], "datatype": "FP64"}]}, "neither data"),
    "data is no array": ({"inputs": [{**ROW, "data": 5}]}, "no array"),
    "data and bytes": ({"inputs": [{**ROW, "parameters": {"binary_data_size": 24}}]}, "expected one"),
    "shared memory": ({"inputs": [{**ROW, "parameters": {"shared_memory_region": "x"}}]}, "not known here"),
    "classification": (
        {"inputs": [ROW], "outputs": [{"name": "scores", "parameters": {"classification": 1}}]},
        "known",
    ),
    "no inputs": ({"id": "1"}, "inputs"),
    "number as id": ({"id": 1, "inputs": [ROW]}, "id"),
    "shape of texts": ({"inputs": [{**ROW, "shape": ["1", "3"]}]}, "shape"),
    "broken shape": ({"inputs": [{**ROW, "shape": [1.5, 2]}]}, "shape"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_wrong_is_refused(url: str, case: str) -> None:
    body, expected = REFUSED[case]
    answer = ask(url, f"{PAID}/infer", body)
    assert answer.status == 400
    assert expected in answer.error


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b"[" * 100_000, b'{"inputs":' + b"[" * 9999]
)
def test_what_is_no_request_is_refused(url: str, body: bytes) -> None:
    answer = ask(url, f"{PAID}/infer", body, method="POST")
    assert answer.status == 400
    assert "The body is no" in answer.error


def test_a_number_that_no_float_holds_is_refused(url: str) -> None:
    for data in ("[1e999]", "[[1, -1e999]]", "[9" + "9" * 400 + ".0]"):
        body = b'{"inputs":[{"name":"features","shape":[1,3],"datatype":"FP64","data":%b}]}' % data.encode()
        answer = ask(url, f"{PAID}/infer", body)
        assert (answer.status, answer.error) == (400, "A value of 'features' is too large for a number.")
        assert ask(url, "/predict/paid", b'[{"a": %b, "b": 1, "c": 2}]' % data.encode()).status == 400


@pytest.mark.parametrize(
    ("name", "value"),
    [("INT8", 128), ("UINT8", -1), ("UINT64", 2**64), ("INT64", -(2**63) - 1), ("FP16", 1e5), ("FP32", 1e39)],
)
def test_numbers_that_do_not_fit_are_refused(url: str, name: str, value: float) -> None:
    inputs = [tensor(kind.lower(), kind, [value] if kind == name else VALUES[kind][:1]) for kind in TYPES]
    answer = infer(url, "echo", *inputs)
    assert answer.status == 400
    assert f"'{name.lower()}'" in answer.error


@pytest.mark.parametrize(
    ("inputs", "length", "expected"),
    [
        ([("features", "FP64", [1, 3], bytes(23))], None, "needs 24"),
        ([("features", "FP64", [1, 3], bytes(25))], None, "needs 24"),
        ([("features", "FP64", [1, 3], bytes(24))], "9999", "Inference-Header-Content-Length"),
        ([("features", "FP64", [1, 3], bytes(24))], "-1", "Inference-Header-Content-Length"),
        ([("features", "FP64", [1, 3], bytes(24))], "x", "Inference-Header-Content-Length"),
        ([("a", "BOOL", [1], b"\2")], None, "neither 0 nor 1"),
        ([("a", "BYTES", [1], b"\1\0\0")], None, "ends within"),
        ([("a", "BYTES", [1], b"\5\0\0\0ab")], None, "ends within"),
        ([("a", "BYTES", [2], b"\1\0\0\0a")], None, "1 elements"),
    ],
)
def test_bytes_of_another_size_are_refused(url: str, inputs: Any, length: str | None, expected: str) -> None:
    body, headers = binary_request(inputs)
    if length is not None:
        headers["Inference-Header-Content-Length"] = length
    answer = ask(url, f"{PAID}/infer", body, headers=headers)
    assert answer.status == 400
    assert expected in answer.error


def test_bytes_that_nothing_refers_to_are_refused(url: str) -> None:
    body, headers = binary_request([("features", "FP64", [1, 3], bytes(24))])
    assert "1 bytes" in ask(url, f"{PAID}/infer", body + b"x", headers=headers).error
    assert "leads beyond" in ask(url, f"{PAID}/infer", body[:-1], headers=headers).error
    assert ask(url, f"{PAID}/infer", body[: int(next(iter(headers.values())))]).status == 400


def test_bytes_that_are_no_text_are_refused(url: str) -> None:
    inputs = [(name.lower(), name, [2], binary_of(name)) for name in TYPES if name != "BYTES"]
    body, headers = binary_request([*inputs, ("bytes", "BYTES", [2], b"\1\0\0\0\xff" * 2)])
    assert "UTF-8" in ask(url, "/v2/models/echo/infer", body, headers=headers).error


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/models/piad", 404),
        ("/v2/models/piad/ready", 404),
        ("/v2/models/paid/versions/2", 404),
        ("/v2/models/paid/versions", 404),
        ("/v2/models", 404),
        ("/v2/health", 404),
        ("/v2/health/live/more", 404),
        ("/v3", 404),
        ("/v2/models/paid/infer", 405),
    ],
)
def test_what_is_not_there(url: str, path: str, status: int) -> None:
    answer = ask(url, path)
    assert answer.status == status
    assert answer.error


def test_models_and_versions_that_are_not_there(url: str) -> None:
    answer = ask(url, "/v2/models/piad/infer", {"inputs": [ROW]})
    assert answer.status == 404
    assert "Did you mean 'paid'" in answer.error
    assert ask(url, f"{PAID}/versions/1/infer", {"inputs": [ROW]}).status == 404


@pytest.mark.parametrize("path", ["/v2", "/v2/health/live", "/v2/models/paid", "/v2/models/paid/ready"])
def test_other_methods_are_refused(url: str, path: str) -> None:
    answer = ask(url, path, {"inputs": []})
    assert (answer.status, answer.headers["allow"]) == (405, "GET")
    assert answer.error
    assert ask(url, path, method="DELETE").status == 405
    assert ask(url, f"{PAID}/infer", method="PUT", body=b"{}").headers["allow"] == "POST"


def test_a_model_that_refuses_rows_says_so(url: str) -> None:
    answer = infer(url, "refusing", {**ROW, "data": [13, 0, 0]})
    assert answer.status == 400
    assert "Leave it out" in answer.error


def test_a_model_that_fails_tells_nobody_why(url: str, caplog: pytest.LogCaptureFixture) -> None:
    answer = infer(url, "failing", {**ROW, "data": [13, 0, 0]})
    assert answer.status == 500
    assert "secret" not in answer.error
    assert "ZeroDivision" not in answer.error
    known = answer.error.rpartition(" ")[2].rstrip(".")
    said = next(record.getMessage() for record in caplog.records if known in record.getMessage())
    assert "ZeroDivisionError" in said
    assert "models.py" in said
    assert "secret" not in said

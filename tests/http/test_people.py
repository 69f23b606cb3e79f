"""Rows as people and other programs have them, and pages."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from mercury_http.server import serve
from pyarrow import csv

from tests.http import models
from tests.http.conftest import ask

RECORDS = [{"a": 1.0, "b": 2.0, "c": 3.0}, {"a": 0.5, "b": -1, "c": 4}]
STREAM, FILE = "application/vnd.apache.arrow.stream", "application/vnd.apache.arrow.file"


def predict(url: str, model: str, body: Any, kind: str = "application/json", **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask(url, f"/predict/{model}", content, headers={"Content-Type": kind, **headers})


def test_records_rows_and_one_row(url: str) -> None:
    told = predict(url, "paid", RECORDS).json["predictions"]
    assert [row["prediction"] for row in told] == ["no", "yes"]
    assert list(told[0]) == ["prediction", "score_no", "score_yes"]
    assert predict(url, "paid", [list(row.values()) for row in RECORDS]).json["predictions"] == told
    assert predict(url, "paid", RECORDS[0]).json["predictions"] == told[:1]
    assert predict(url, "paid", []).json == {"predictions": []}


def test_predictions_are_those_of_the_protocol(url: str) -> None:
    rows = [value for row in RECORDS for value in row.values()]
    tensor = {"name": "features", "shape": [2, 3], "datatype": "FP64", "data": rows}
    outputs = ask(url, "/v2/models/paid/infer", {"inputs": [tensor]}).json["outputs"]
    told = predict(url, "paid", RECORDS).json["predictions"]
    assert [value for row in told for value in (row["score_no"], row["score_yes"])] == outputs[1]["data"]


def test_csv(url: str) -> None:
    answer = predict(url, "mixed", 'day,city,age\n2026-11-24,"Köln",31\n,,\n'.encode(), "text/csv; charset=utf-8")
    assert answer.headers["content-type"] == "text/csv"
    assert csv.read_csv(io.BytesIO(answer.body)).to_pylist() == [{"prediction": 59}, {"prediction": 0}]
    as_json = predict(url, "mixed", b"day,city,age\n,,31\n", "text/csv", Accept="application/json")
    assert as_json.json == {"predictions": [{"prediction": 31}]}


@pytest.mark.parametrize(("kind", "make", "read"), [
    (STREAM, pa.ipc.new_stream, pa.ipc.open_stream), (FILE, pa.ipc.new_file, pa.ipc.open_file)
])  # fmt: skip
def test_arrow(url: str, kind: str, make: Any, read: Any) -> None:
    table = pa.table({"age": pa.array([31, None], pa.int32()), "day": ["2026-11-24", None], "city": ["Köln", None]})
    sink = io.BytesIO()
    with make(sink, table.schema) as writer:
        writer.write_table(table)
    answer = predict(url, "mixed", sink.getvalue(), kind)
    assert answer.headers["content-type"] == kind
    assert read(answer.body).read_all().to_pydict() == {"prediction": [59, 0]}
    broken = predict(url, "mixed", sink.getvalue()[:-40], kind)
    assert broken.status in (200, 400)  # a stream may lack its end
    assert predict(url, "mixed", b"no arrow", kind).status == 400


def test_nulls_dates_and_categories(url: str) -> None:
    rows = [{"age": None, "city": "Bonn", "day": "2026-11-05"}, {"age": 2**53 + 1, "city": None, "day": None}]
    told = predict(url, "mixed", rows).json["predictions"]
    assert [row["prediction"] for row in told] == [4 + 5, 2**53 + 1]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "no JSON"),
        (b"5", "no list of rows"),
        (b"[5]", "neither all objects nor all arrays"),
        (b'[{"a": 1}, [1, 2, 3]]', "neither all objects nor all arrays"),
        (b"[[1, 2]]", "has 2 values: expected 3"),
        (b'[{"a": 1, "b": 2}]', "'c'"),
        (b'[{"a": 1, "b": 2, "c": 3, "d": 4}]', "'d'"),
        (b'[{"a": "x", "b": 2, "c": 3}]', "'a'"),
        (b'[{"a": null, "b": 2, "c": 3}]', "'a'"),
        (b'[{"a": {"x": 1}, "b": 2, "c": 3}]', "'a'"),
        (b'[{"a": 18446744073709551616, "b": 2, "c": 3}]', "'a' has a whole number that is too large"),
        (b"[{}]", "lacks the columns 'a', 'b', 'c'; it has: none."),
    ],
)
def test_what_is_wrong_is_refused(url: str, body: bytes, expected: str) -> None:
    answer = predict(url, "paid", body)
    assert answer.status == 400
    assert expected in answer.error


def test_what_is_wrong_with_columns_is_told(url: str) -> None:
    assert "no date32[day]" in predict(url, "mixed", [{"age": 1, "city": "Bonn", "day": "soon"}]).error
    assert "'city'" in predict(url, "mixed", [{"age": 1, "city": "Paris", "day": None}]).error
    assert "no CSV for this model" in predict(url, "mixed", b"age,city,day\nx,Bonn,\n", "text/csv").error
    assert "no CSV for this model" in predict(url, "mixed", b"", "text/csv").error
    assert predict(url, "paid", b"x", "text/plain").status == 415
    assert "ask for /predict/NAME" in ask(url, "/predict", b"[]").error
    assert ask(url, "/predict/nobody", b"[]").status == 404
    assert ask(url, "/predict/paid").status == 405


def test_one_model_needs_no_name() -> None:
    with serve(models.classifier(), port=0) as service:
        assert ask(service.url, "/predict", json.dumps(RECORDS).encode()).status == 200


def test_pages_and_what_they_ask_for(url: str) -> None:
    for path, kind in (("/", "text/html"), ("/docs", "text/html"), ("/static/page.js", "text/javascript")):
        answer = ask(url, path)
        assert answer.status == 200
        assert answer.headers["content-type"].startswith(kind)
        assert answer.headers["content-security-policy"].startswith("default-src 'self'")
    told = {model["name"]: model for model in ask(url, "/models.json").json["models"]}
    assert told["mixed"]["inputs"][1] == {
        "name": "city", "type": "dictionary<string>", "nullable": True, "categories": ["Bonn", "Köln"], "shape": None
    }  # fmt: skip
    assert told["mixed"]["example"] == {"age": 0, "city": "Bonn", "day": "2000-01-01"}
    assert told["paid"]["classes"] == ["no", "yes"]
    assert predict(url, "mixed", told["mixed"]["example"]).status == 200


def test_the_openapi_document(url: str) -> None:
    document = ask(url, "/openapi.json").json
    assert document["openapi"] == "3.1.0"
    assert {"/v2/models/paid/infer", "/predict/paid", "/v2/health/ready"} <= document["paths"].keys()
    for path, methods in document["paths"].items():
        if "get" in methods:
            assert ask(url, path).status == 200, path


def test_the_examples_of_the_document_are_answered(url: str) -> None:
    def tried(url: str) -> list[str]:
        document = ask(url, "/openapi.json").json
        kinds = {
            path: methods["post"]["requestBody"]["content"]["application/json"]
            for path, methods in document["paths"].items()
            if "post" in methods
        }
        examples = {path: kind["example"] for path, kind in kinds.items() if kind.get("example") not in (None, [{}])}
        for path, example in examples.items():
            answer = ask(url, path, json.dumps(example).encode())
            assert answer.status == 200, (path, answer.body)
        return list(examples)

    assert {"/v2/models/paid/infer", "/v2/models/echo/infer", "/v2/models/mixed/versions/1/infer"} <= set(tried(url))
    with serve(models.pictures(), port=0) as service:
        assert "/v2/models/model/infer" in tried(service.url)


def test_a_request_for_the_index_is_read(url: str) -> None:
    assert ask(url, "/v2/repository/index").status == 405
    for body in (b"5", b"{", b'{"ready": 1}'):
        assert "expected {" in ask(url, "/v2/repository/index", body).error


def test_metrics(url: str) -> None:
    predict(url, "paid", RECORDS)
    text = ask(url, "/metrics").body.decode()
    for line in (
        'mercury_requests_total{model="paid",status="200"}',
        'mercury_rows_total{model="paid"}',
        'mercury_request_seconds_bucket{le="0.001",model="paid"}',
        'mercury_batch_rows_count{model="paid"}',
        'mercury_queue{model="paid"} 0.0',
        'mercury_ready{model="paid"} 1.0',
    ):
        assert line in text


def test_every_way_of_asking_is_counted_however_it_ends() -> None:
    asked = {"inputs": [{"name": "features", "shape": [1, 3], "datatype": "FP64", "data": [1, 2, 3]}]}
    with serve({"a b%20": models.classifier()}, port=0) as service:
        base = "/v2/models/a%20b%2520"
        for path in ("/infer", "/infer/", "/versions/run-7/infer"):
            assert ask(service.url, base + path, asked).status == 200
            assert ask(service.url, base + path, b"{").status == 400
        for path in ("/predict", "/predict/", "/predict/a%20b%2520"):
            assert ask(service.url, path, json.dumps(RECORDS).encode()).status == 200
            assert ask(service.url, path, b"{").status == 400
        assert ask(service.url, "/predict/nobody", b"{").status == 404
        lines = ask(service.url, "/metrics").body.decode().splitlines()
    for status in (200, 400):
        assert f'mercury_requests_total{{model="a b%20",status="{status}"}} 6.0' in lines


def in_arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def test_files_come_as_their_content_and_never_by_a_name_on_the_server(url: str) -> None:
    content = b"\x89PNG" * 5
    text = base64.b64encode(content).decode()
    assert predict(url, "files", [{"image": text}]).json == {"predictions": [{"prediction": 20}]}
    assert predict(url, "files", f"image\n{text}\n".encode(), "text/csv").body.split() == [b'"prediction"', b"20"]
    tables = [pa.table({"image": pa.array([content], kind)}) for kind in (pa.binary(), pa.large_binary())]
    texts = pa.array([text])
    laid_out = (texts, texts.cast(pa.large_string()), texts.cast(pa.string_view()), texts.dictionary_encode())
    tables += [pa.table({"image": column}) for column in laid_out]
    for table in tables:
        answer = predict(url, "files", in_arrow(table), STREAM, Accept="application/json")
        assert answer.json == {"predictions": [{"prediction": 20}]}, table.schema
    name = __file__
    tensor = {"name": "image", "shape": [1], "datatype": "BYTES", "data": [name]}
    refused = [
        predict(url, "files", [{"image": name}]),
        predict(url, "files", f"image\n{name}\n".encode(), "text/csv"),
        predict(url, "files", in_arrow(pa.table({"image": pa.array([name]).dictionary_encode()})), STREAM),
        ask(url, "/v2/models/files/infer", {"inputs": [tensor]}),
    ]
    assert [answer.status for answer in refused] == [400] * 4
    assert {"no base64" in answer.error for answer in refused} == {True}
    assert predict(url, "files", [{"image": 5}]).status == 400

"""The checker of the protocol, on servers that do not keep it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.cli import main
from mercury_core.cli.options import token_in
from mercury_core.errors import ArgumentsError, PredictError, StoreAccessError, UriError
from mercury_core.testing.oip import check_server
from mercury_core.testing.oip_client import packed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INPUT = {"name": "x", "datatype": "FP32", "shape": [-1, 2]}
METADATA = {
    "name": "m",
    "versions": ["1"],
    "platform": "none",
    "inputs": [INPUT],
    "outputs": [{"name": "y", "datatype": "INT64", "shape": [-1]}],
}


class Lax(BaseHTTPRequestHandler):
    """Answers to everything, and always the same: as servers do that look at nothing."""

    protocol_version = "HTTP/1.1"

    def answer(self, told: Any, status: int = 200) -> None:
        content = json.dumps(told).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_GET(self) -> None:
        if self.path == "/v2":
            self.answer({"name": "lax", "version": "1", "extensions": []})
        elif self.path.endswith("m"):
            self.answer(METADATA)
        else:
            self.answer({"detail": "nothing"}, 404 if "no-model" in self.path else 200)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not body.endswith(b"}"):
            self.answer({"error": "broken"}, 500)
            return
        output = {"name": "y", "datatype": "INT64", "shape": [1], "data": [1], "parameters": None}
        self.answer({"model_name": "m", "id": None, "outputs": [output]})

    def do_DELETE(self) -> None:
        self.answer({})

    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Lax)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_what_does_not_hold_is_found(url: str) -> None:
    report = check_server(url, "m")
    assert not report.holds
    found = {check.title: check for check in report.checks}
    for title in (
        "an unknown input",
        "a missing input",
        "another datatype than the model's",
        "fewer values than the shape",
        "a negative dimension",
        "an id is given back",
        "what is no JSON",
    ):
        assert found[title].outcome == "fails", title
    assert found["what is no JSON"].found == "status 500"
    assert found["an unknown model is refused with {error}"].found.startswith("no {")
    assert found["what is optional is left out, and not null"].found == "null in id, outputs.parameters"
    assert found["several rows, predicted as each alone"].found == "the shape [1] of 'y' for three rows"
    assert found["binary inputs give the same answer"].outcome == "skipped"
    assert found["GET v2 tells name, version and extensions"].outcome == "holds"
    assert sum(map(report.count, ("holds", "fails", "skipped"))) == len(report.checks)


def test_the_command_prints_a_table(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["oip-check", url, "--model", "m"]) == 1
    printed = capsys.readouterr().out
    assert "refusal    a negative dimension" in printed
    assert "status 200" in printed
    assert main(["oip-check", url, "--model", "m", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["holds"] is False


def test_a_request_from_a_file(url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "request.json"
    file.write_text(json.dumps({"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}))
    assert main(["oip-check", url, "--model", "m", "--request", str(file)]) == 1
    for content in ("{", "[]", '{"inputs": []}'):
        file.write_text(content)
        assert main(["oip-check", url, "--request", str(file)]) == 1
        assert "Expected an inference request in JSON" in capsys.readouterr().err


def test_what_cannot_be_checked(url: str) -> None:
    with pytest.raises(PredictError, match="answers 404 when asked for the model"):
        check_server(url, "no-model")
    with pytest.raises(UriError, match="no URL of a server"):
        check_server("localhost:80")
    with pytest.raises(UriError, match="no URL of a server"):
        check_server("http://localhost:port")
    with pytest.raises(ArgumentsError, match="'NO_SUCH_VARIABLE', of --token-env, is not set"):
        token_in("NO_SUCH_VARIABLE", "oip-check")
    with pytest.raises(StoreAccessError, match="Is it running"):
        check_server("http://127.0.0.1:1")


def test_tensors_in_bytes() -> None:
    tensor = {"name": "t", "shape": [2], "datatype": "BYTES", "data": ["a", ""]}
    head, content = packed(tensor)
    assert head["parameters"] == {"binary_data_size": 9}
    assert content == b"\1\0\0\0a\0\0\0\0"

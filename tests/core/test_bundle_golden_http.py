"""Golden rows that a server replays, and the command that asks for it."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from datetime import UTC, date, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest

from mercury_core import (
    Bundle,
    store_model,
    verify,
)
from mercury_core.bundle import Field, Golden, Signature
from mercury_core.cli import main
from mercury_core.errors import PredictError, UriError
from tests.core.bundle_parts import FORMAT, TRUSTED, SumModel
from tests.core.golden_parts import bundle, parts_can_be_imported, saved
from tests.core.remote_parts import ASKED, memory

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["bundle", "memory", "parts_can_be_imported", "saved"]
TRUST = [word for name in TRUSTED for word in ("--trust", name)]


class Server:
    """A server of the protocol, that gives fixed predictions.

    Attributes:
        url: Where it answers.
        asked: The path, the header and the rest of each request with a body.
        tokens: What was given as authorization.
    """

    def __init__(
        self,
        outputs: list[dict[str, Any]],
        datatypes: dict[str, str],
        raw: tuple[int, bytes] | None,
        index: tuple[int, bytes],
    ) -> None:
        self.asked: list[tuple[str, Any, bytes]] = []
        self.tokens: list[str | None] = []
        inputs = [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in datatypes.items()]
        asked, tokens = self.asked, self.tokens

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                tokens.append(self.headers.get("Authorization"))
                self.answer(raw or (200, json.dumps({"name": "m", "inputs": inputs}).encode()))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v2/repository/index":
                    self.answer(index)
                    return
                length = int(self.headers.get("Inference-Header-Content-Length") or len(body))
                asked.append((self.path, json.loads(body[:length]), body[length:]))
                self.answer((200, json.dumps({"outputs": outputs}).encode()))

            def answer(self, told: tuple[int, bytes]) -> None:
                self.send_response(told[0])
                self.send_header("Content-Length", str(len(told[1])))
                self.end_headers()
                self.wfile.write(told[1])

            def log_message(self, *_: Any) -> None:
                pass

        self.http = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"


@contextmanager
def serving(
    values: list[Any] | None = None,
    outputs: list[dict[str, Any]] | None = None,
    datatypes: dict[str, str] | None = None,
    raw: tuple[int, bytes] | None = None,
    index: tuple[int, bytes] = (404, b""),
) -> Iterator[Server]:
    if outputs is None:
        outputs = [{"name": "prediction", "datatype": "FP64", "shape": [len(values or [])], "data": values}]
    server = Server(outputs, datatypes or {"a": "FP64", "b": "FP64"}, raw, index)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        server.http.shutdown()
        thread.join()
        server.http.server_close()


def test_a_server_that_gives_the_same(saved: str) -> None:
    with serving([-11.5, -5.5]) as server:
        assert verify(saved, against=server.url, token="t0ken").holds
        (path, asked, rest), *_ = server.asked
        assert (path, rest) == ("/v2/models/model/infer", b"")
        assert asked == {
            "inputs": [
                {"name": "a", "datatype": "FP64", "shape": [2], "data": [1.0, 2.0]},
                {"name": "b", "datatype": "FP64", "shape": [2], "data": [3.0, 4.0]},
            ]
        }
        assert server.tokens == ["Bearer t0ken"]
        assert verify(saved, against=f"{server.url}/v2/models/other/").holds
        assert server.asked[-1][0] == "/v2/models/other/infer"


def test_of_a_bundle_in_a_store_only_what_is_needed_is_fetched(bundle: Bundle, memory: Any, tmp_path: Path) -> None:
    store_model(bundle, tmp_path / "m", format=FORMAT, remote="mem://b/m")
    with serving([-11.5, -5.5]) as server:
        ASKED.clear()
        assert verify("mem://b/m", against=server.url).holds
    assert {uri for _, uri, _ in ASKED} == {"mem://b/m/mercury.json", "mem://b/m/golden.parquet"}


def test_a_server_that_gives_something_else(saved: str) -> None:
    with serving([-11.5, -5.0]) as server:
        report = verify(saved, against=server.url)
    assert not report.holds
    assert report.where == "prediction of row 1: expected -5.5, found -5.0"


def golden_bundle(tmp_path: Path, rows: pa.Table, predictions: pa.Table) -> str:
    signature = Signature(inputs=tuple(Field(one.name, str(one.type)) for one in rows.schema))
    bundle = Bundle(SumModel(), signature=signature, golden=Golden(rows, predictions))
    return store_model(bundle, tmp_path / "g", format=FORMAT).uri


def test_nulls_texts_times_and_labels_go_there_and_back(tmp_path: Path) -> None:
    moment = datetime(2026, 1, 2, 3, tzinfo=UTC)
    rows = pa.table(
        {"n": [2**60 + 1, None], "t": ["é", None], "w": pa.array([moment, None], pa.timestamp("us", "UTC"))}
    )
    predictions = pa.table({"prediction": [7, 8], "score_7": [0.75, float("nan")], "score_8": [0.25, 1.0]})
    uri = golden_bundle(tmp_path, rows, predictions)
    outputs = [
        {"name": "prediction", "datatype": "INT64", "shape": [2], "data": [7, 8]},
        {"name": "scores", "datatype": "FP64", "shape": [2, 2], "data": [[0.75, 0.25], [None, 1.0]]},
    ]
    with serving(outputs=outputs, datatypes={"n": "INT64", "t": "BYTES", "w": "BYTES"}) as server:
        assert verify(uri, against=server.url).holds
        assert [one["data"] for one in server.asked[0][1]["inputs"]] == [
            [2**60 + 1, None],
            ["é", None],
            ["2026-01-02T03:00:00+00:00", None],
        ]
    flat = [outputs[0], {**outputs[1], "data": [0.75, 0.25, None, 1.0]}]
    with serving(outputs=flat, datatypes={"n": "INT64", "t": "BYTES", "w": "BYTES"}) as server:
        assert verify(uri, against=server.url).holds


def test_what_json_has_no_words_for_goes_as_bytes(tmp_path: Path) -> None:
    rows = pa.table({"x": [float("nan"), float("inf")], "f": pa.array([b"PNG", b""])})
    uri = golden_bundle(tmp_path, rows, pa.table({"prediction": pa.array([moment := date(2026, 1, 1), moment])}))
    outputs = [{"name": "prediction", "datatype": "BYTES", "shape": [2], "data": [str(moment), moment.isoformat()]}]
    with serving(outputs=outputs, datatypes={"x": "FP64", "f": "UINT8"}) as server:
        assert verify(uri, against=server.url).holds
        head, content = server.asked[0][1:]
    assert [(one["datatype"], one["parameters"]["binary_data_size"]) for one in head["inputs"]] == [
        ("FP64", 16),
        ("BYTES", 11),
    ]
    assert content == np.array([np.nan, np.inf]).tobytes() + b"\3\0\0\0PNG\0\0\0\0"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (
            (404, b'{"error": "no model of that name."}'),
            r"the server answered 404: no model of that name\. Name the model, as http://.*/v2/models/NAME$",
        ),
        ((500, b"<html>"), "the server answered 500$"),
        ((200, b"<html>"), "what answered is no JSON"),
        ((200, b"[]"), "what answered is no server of the protocol"),
        ((200, b"{}"), "its answer has no inputs of the protocol"),
        ((200, b'{"inputs": [{"name": "z", "datatype": "FP64"}]}'), "it takes no input 'a', 'b'; it has: z"),
    ],
)
def test_what_is_no_server_of_the_model(saved: str, raw: tuple[int, bytes], said: str) -> None:
    with serving([], raw=raw) as server, pytest.raises(PredictError, match=said.replace("$", r"\.")):
        verify(saved, against=server.url)


def test_the_only_model_of_a_server_needs_no_name(saved: str) -> None:
    with serving([-11.5, -5.5], index=(200, b'[{"name": "a b", "version": "1"}, {"name": "a b"}]')) as server:
        assert verify(saved, against=f"{server.url}/v2/").holds
        assert [path for path, *_ in server.asked] == ["/v2/models/a%20b/infer"]
    for told in (b"{}", b"[1]"):
        with serving([-11.5, -5.5], index=(200, told)) as server:
            assert verify(saved, against=server.url).holds
            assert [path for path, *_ in server.asked] == ["/v2/models/model/infer"]


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ((200, b'[{"name": "a"}, {"name": "b"}]'), r"it has several models: a, b\. Name the model, as http://"),
        ((200, b"[]"), r"it has no model\. Name the model"),
        ((401, b'{"error": "A token is needed."}'), r"the server answered 401: A token is needed\.$"),
    ],
)
def test_which_model_of_a_server_has_to_be_said(saved: str, index: tuple[int, bytes], said: str) -> None:
    with serving([], index=index) as server, pytest.raises(PredictError, match=said):
        verify(saved, against=server.url)


def test_a_server_that_is_not_there(saved: str) -> None:
    with pytest.raises(PredictError, match=r"the server cannot be reached \(.*\)\. Start it"):
        verify(saved, against="http://127.0.0.1:1")
    for url in ("file:///etc/passwd", "models/m", "http://", "http://a:b", "http://a:99999", "http://[::1"):
        with pytest.raises(UriError, match="it is no URL of a server"):
            verify(saved, against=url)


# --- on the command line ---


def test_the_command(saved: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["verify", saved, *TRUST]) == 0
    assert capsys.readouterr().out == "2 golden rows predict what they did, to the last bit.\n"
    assert main(["verify", saved, "--json", *TRUST]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "model": saved,
        "against": None,
        "rows": 2,
        "largest": 0.0,
        "tolerance": 0.0,
        "holds": True,
        "where": "",
    }
    with serving([-11.5, -5.0]) as server:
        monkeypatch.setenv("SECRET", "s3cret")
        assert main(["verify", saved, "--against", server.url, "--token-env", "SECRET"]) == 1
        assert server.tokens == ["Bearer s3cret"]
        assert capsys.readouterr().out.splitlines() == [
            "2 golden rows moved: the largest difference is 0.0909, above the tolerance 0.",
            "prediction of row 1: expected -5.5, found -5.0",
        ]
        assert main(["verify", saved, "--against", server.url, "--tolerance", "0.1"]) == 0
        assert "hold: the largest difference is 0.0909, within the tolerance 0.1" in capsys.readouterr().out
    assert main(["verify", saved, "--token-env", "NOT_THERE"]) == 2
    assert "The environment variable 'NOT_THERE', of --token-env, is not set" in capsys.readouterr().err
    for tolerance in ("-1", "nan"):
        assert main(["verify", saved, "--tolerance", tolerance]) == 1
        assert capsys.readouterr().err == f"Cannot verify with tolerance={tolerance}: expected a number from 0 on.\n"
    assert main(["verify", saved]) == 1
    assert "not trusted, and nothing was loaded" in capsys.readouterr().err

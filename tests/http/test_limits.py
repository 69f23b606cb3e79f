"""Who may ask, and how much: tokens, sizes, times; and what clients do that are slow, broken or hostile."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from mercury_http.memory import memory_of
from mercury_http.people import KINDS
from mercury_http.server import serve
from mercury_http.settings import Settings

from tests.http import models
from tests.http.conftest import ask
from tests.http.test_batching import body

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "a long secret, of course"
INFER = "/v2/models/model/infer"


@pytest.fixture(scope="module")
def strict() -> Iterator[str]:
    limits: dict[str, Any] = {"most_bytes": 4000, "most_rows": 50, "header_timeout": 0.5, "body_timeout": 0.5}
    with serve(models.classifier(), port=0, token=TOKEN, **limits) as service:
        yield service.url


BEARER = {"Authorization": f"Bearer {TOKEN}"}


def address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


def said(connection: socket.socket) -> bytes:
    """All that a server says until it closes the connection, or has said what it had to."""
    connection.settimeout(30)
    parts = []
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer ä"]
)
def test_nobody_without_the_token(strict: str, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header}
    for path in ("/v2", "/v2/models/model", "/metrics", "/models.json", "/openapi.json"):
        answer = ask(strict, path, headers=headers)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert TOKEN not in answer.error
    assert ask(strict, INFER, body([1, 2, 3]), headers=headers).status == 401
    assert ask(strict, "/predict", b"[]", headers=headers).status == 401
    assert ask(strict, "/v2/repository/index", b"", headers=headers).status == 401


def test_health_and_pages_need_no_token(strict: str) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", "/", "/docs", "/static/page.js"):
        assert ask(strict, path).status == 200
    assert ask(strict, INFER, body([1, 2, 3]), headers=BEARER).status == 200
    assert ask(strict, "/openapi.json", headers=BEARER).json["security"] == [{"token": []}]


def test_bodies_and_rows_are_bounded(strict: str) -> None:
    large = ask(strict, INFER, b" " * 4001, headers=BEARER)
    assert large.status == 413
    assert "4000 bytes" in large.error
    rows = ask(strict, INFER, body([0.0] * 153), headers=BEARER)
    assert rows.status == 413
    assert "51 rows" in rows.error
    people = ask(strict, "/predict", json.dumps([[0, 0, 0]] * 51).encode(), headers=BEARER)
    assert people.status == 413


def test_bodies_in_chunks_are_bounded_and_read(strict: str) -> None:
    def chunks(content: bytes, size: int) -> Iterator[bytes]:
        for at in range(0, len(content), size):
            yield content[at : at + size]

    content = json.dumps(body([1, 2, 3])).encode()
    assert ask(strict, INFER, chunks(content, 7), headers=BEARER).status == 200  # type: ignore[arg-type]
    assert ask(strict, INFER, chunks(b" " * 4001, 1000), headers=BEARER).status == 413  # type: ignore[arg-type]


def test_what_is_compressed_is_refused(strict: str) -> None:
    answer = ask(strict, INFER, b"{}", headers={**BEARER, "Content-Encoding": "gzip"})
    assert answer.status == 415


def test_a_hundred_megabytes_are_refused_before_they_arrive(strict: str) -> None:
    head = f"POST {INFER} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: {100 << 20}\r\n\r\n"
    with socket.create_connection(address(strict)) as connection:
        connection.sendall(head.encode() + b" " * 1000)
        assert b" 413 " in connection.recv(65536).partition(b"\r\n")[0]


def test_a_hundred_megabytes_in_chunks_cost_no_memory(strict: str) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(100):
            yield bytes(1 << 20)

    before = memory_of(os.getpid())
    with contextlib.suppress(ConnectionError):  # it is refused, and not read to its end
        assert ask(strict, INFER, chunks(), headers=BEARER).status == 413  # type: ignore[arg-type]
    assert memory_of(os.getpid()) - before < 50 << 20


def test_a_body_that_does_not_come_is_given_up(strict: str) -> None:
    head = f"POST {INFER} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection(address(strict)) as connection:
        connection.sendall(head.encode() + b'{"inputs"')
        connection.settimeout(30)
        answer = connection.recv(65536)
    assert b" 408 " in answer.partition(b"\r\n")[0]
    assert b"did not arrive within 0.5 s" in answer


def test_a_head_that_does_not_come_is_given_up(strict: str) -> None:
    with socket.create_connection(address(strict)) as connection:
        connection.sendall(b"GET /v2 HTTP/1.1\r\nHost: ")
        answer = said(connection)
    assert not answer or answer.startswith(b"HTTP/1.1 4")


def test_bodies_that_are_cut_short_hurt_nobody(strict: str, caplog: pytest.LogCaptureFixture) -> None:
    for size in range(0, 100, 9):
        with socket.create_connection(address(strict)) as connection:
            head = f"POST {INFER} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\nContent-Length: 100\r\n\r\n"
            connection.sendall(head.encode() + b" " * size)
    assert ask(strict, INFER, body([1, 2, 3]), headers=BEARER).status == 200
    with socket.create_connection(address(strict)) as connection:
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        assert b"The body ended before all of it was there." in said(connection)
    assert not caplog.records  # a client that goes away is no fault of the server
    assert 'status="500"' not in ask(strict, "/metrics", headers=BEARER).body.decode()


def test_heads_are_bounded(strict: str) -> None:
    with socket.create_connection(address(strict)) as connection:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(b"GET /v2 HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 200_000)
        answer = said(connection)
    assert not answer or answer.startswith(b"HTTP/1.1 4")
    assert ask(strict, "/v2/health/live").status == 200


def test_slow_clients_keep_nobody_out(strict: str) -> None:
    """Slowloris: a hundred heads that never end."""
    slow = [socket.create_connection(address(strict)) for _ in range(100)]
    try:
        for connection in slow:
            connection.sendall(b"POST /v2 HTTP/1.1\r\nHost: a\r\nX-A: b")
        for _ in range(20):
            assert ask(strict, INFER, body([1, 2, 3]), headers=BEARER).status == 200
    finally:
        for connection in slow:
            connection.close()


BEGUN = ["", "GET ", "POST /v2/models/paid/infer HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n"]


def test_a_thousand_connections(url: str) -> None:
    content = json.dumps(body([1, 2, 3])).encode()
    request = (
        f"POST /v2/models/paid/infer HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n\r\n".encode() + content
    )
    connections = [socket.create_connection(address(url)) for _ in range(1000)]
    try:
        for _ in range(2):
            for connection in connections:
                connection.sendall(request)
            for connection in connections:
                connection.settimeout(30)
                assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    finally:
        for connection in connections:
            connection.close()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=300),
    st.sampled_from(["", "GET ", "POST /v2/models/paid/infer HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n"]),
)
def test_random_bytes_hurt_nobody(url: str, content: bytes, before: str) -> None:
    with socket.create_connection(address(url)) as connection:
        try:
            connection.sendall(before.encode() + content)
            connection.shutdown(socket.SHUT_WR)
            answer = said(connection)
        except OSError:
            answer = b""
    assert b"HTTP/1.1 5" not in answer
    assert ask(url, "/v2/health/live").status == 200


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
TENSORS = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["a", "b", "c", "features", ""]),
        "shape": st.lists(st.integers(-2, 4), max_size=3) | JSON,
        "datatype": st.sampled_from(["FP64", "FP32", "INT64", "BYTES", "BOOL", "FP16", "UINT8"]),
        "data": st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(), max_size=12) | JSON,
    },
    optional={"parameters": JSON},
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.fixed_dictionaries({"inputs": st.lists(TENSORS, max_size=4) | JSON}, optional={"outputs": JSON, "id": JSON}))
def test_random_requests_are_answered_or_refused(url: str, request: dict[str, Any]) -> None:
    answer = ask(url, "/v2/models/paid/infer", request)
    assert answer.status == 200 or (400 <= answer.status < 500 and answer.error)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(JSON, st.sampled_from(["paid", "mixed", "images"]))
def test_random_rows_are_answered_or_refused(url: str, rows: Any, model: str) -> None:
    answer = ask(url, f"/predict/{model}", json.dumps(rows).encode())
    assert answer.status == 200 or (400 <= answer.status < 500 and answer.error), answer.body


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200), st.sampled_from(KINDS[1:]))
def test_random_files_are_answered_or_refused(url: str, content: bytes, kind: str) -> None:
    answer = ask(url, "/predict/mixed", content, headers={"Content-Type": kind})
    assert answer.status == 200 or (400 <= answer.status < 500 and answer.error), answer.body


def test_the_token_does_not_show() -> None:
    assert "s3cret-t0ken" not in repr(Settings(token="s3cret-t0ken"))

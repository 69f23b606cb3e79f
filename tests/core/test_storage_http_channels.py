"""HTTP as servers speak it, and as they should not."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from mercury_core.storage.http.answers import LostError
from mercury_core.storage.http.channels import Channels, blocks

if TYPE_CHECKING:
    from collections.abc import Iterator

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@contextmanager
def server(*answers: bytes, reads: bool = True, closes: bool = False) -> Iterator[tuple[Channels, list[bytes]]]:
    """Give these answers to the requests that come, in their order, and say on which connection each came."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            left = list(answers)
            while left:
                connection, _ = listener.accept()
                with connection:
                    while left:
                        if reads:
                            head = _head(connection)
                            if not head:
                                break
                            asked.append(head)
                        connection.sendall(left.pop(0))
                        if closes:
                            break

        thread = Thread(target=serve)
        thread.start()
        channels = Channels(f"http://127.0.0.1:{listener.getsockname()[1]}", lambda: "", 4, service="a test")
        try:
            yield channels, asked
        finally:
            channels.keep = lambda channel: channel.close()  # type: ignore[method-assign]
            while channels._idle:
                channels._idle.pop().close()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)


def _head(connection: socket.socket) -> bytes:
    held = b""
    while b"\r\n\r\n" not in held:
        block = connection.recv(65536)
        if not block:
            return b""
        held += block
    return held


def _ask(channels: Channels) -> tuple[int, bytes]:
    response = channels.request("GET", "/a?b", {"x": "y"}, None, 0, 10)
    return response.status, response.read(1 << 20)


def test_a_connection_is_used_again() -> None:
    with server(OK, OK, OK) as (channels, asked):
        assert [_ask(channels) for _ in range(3)] == [(200, b"ok")] * 3
        assert len(channels._idle) == 1
        assert asked[0].startswith(b"GET /a?b HTTP/1.1\r\nhost: 127.0.0.1:")
        assert asked[0].endswith(b"\r\nx: y\r\n\r\n")


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6;x=y\r\n world\r\n0\r\n\r\n",
            b"hello world",
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nTrailer: t\r\n\r\n", b""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n", b""),
        (b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
    ],
)
def test_bodies_of_any_kind_leave_the_connection_usable(answer: bytes, body: bytes) -> None:
    with server(answer, OK) as (channels, _):
        assert _ask(channels) == (200, body)
        assert len(channels._idle) == 1
        assert _ask(channels) == (200, b"ok")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\n\r\nto the end",
        b"HTTP/1.0 200 OK\r\nContent-Length: 10\r\n\r\nto the end",
        b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 10\r\n\r\nto the end",
    ],
)
def test_a_connection_that_ends_is_not_kept(answer: bytes) -> None:
    with server(answer, OK, closes=True) as (channels, _):
        assert _ask(channels) == (200, b"to the end")
        assert not channels._idle
        assert _ask(channels) == (200, b"ok")


@pytest.mark.parametrize("status", [204, 304])
def test_a_status_without_a_body(status: int) -> None:
    with server(b"HTTP/1.1 %d None\r\nETag: e\r\n\r\n" % status, OK) as (channels, _):
        assert _ask(channels) == (status, b"")
        assert _ask(channels) == (200, b"ok")


def test_the_answer_to_head_has_a_length_and_no_body() -> None:
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", OK) as (channels, asked):
        response = channels.request("HEAD", "/", {}, None, 0, 10)
        assert (response.headers["content-length"], response.read(100)) == ("9", b"")
        assert _ask(channels) == (200, b"ok")
        assert b"content-length" not in asked[0]


def test_an_old_server_may_say_that_it_keeps_the_connection() -> None:
    answer = b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 2\r\n\r\nok"
    with server(answer, OK) as (channels, _):
        assert _ask(channels) == (200, b"ok")
        assert len(channels._idle) == 1
        assert _ask(channels) == (200, b"ok")


def test_a_header_is_one_line() -> None:
    with server() as (channels, _), pytest.raises(ValueError, match="line break"):
        channels.request("GET", "/", {"x": "y\r\nz: 1"}, None, 0, 10)


@pytest.mark.parametrize(
    "answer",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\na: " + b"b" * 70_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_what_is_not_http_is_said(answer: bytes) -> None:
    with server(answer, closes=True) as (channels, _):
        with pytest.raises(LostError, match="what it answered is not that of a test"):
            _ask(channels)
        assert not channels._idle


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
    ],
)
def test_what_breaks_off_is_lost(answer: bytes) -> None:
    with server(answer, closes=True) as (channels, _):
        with pytest.raises(LostError, match="the connection was cut"):
            _ask(channels)
        assert not channels._idle


def test_an_answer_that_is_too_long_is_not_held() -> None:
    with server(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + b"x" * 9999, closes=True) as (channels, _):
        response = channels.request("GET", "/", {}, None, 0, 10)
        with pytest.raises(LostError):
            response.read(100)


def test_an_answer_before_all_was_sent_is_heard() -> None:
    refusal = b"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 4\r\nConnection: close\r\n\r\ngone"
    with server(refusal, closes=True) as (channels, _):
        body = memoryview(bytes(64 << 20))
        response = channels.request("POST", "/", {}, blocks(body), body.nbytes, 10)
        assert (response.status, response.read(100)) == (412, b"gone")
        assert not channels._idle


def test_requests_go_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    with server(OK) as (channels, asked):
        monkeypatch.setenv("http_proxy", f"http://me:pass@127.0.0.1:{channels._port}")
        monkeypatch.setenv("no_proxy", "")
        through = Channels("http://storage.example:80", lambda: "", 1, service="a test")
        assert _ask(through) == (200, b"ok")
        assert asked[0].startswith(b"GET http://storage.example:80/a?b HTTP/1.1\r\nhost: storage.example:80\r\n")
        assert b"proxy-authorization: Basic bWU6cGFzcw==\r\n" in asked[0]
        while through._idle:
            through._idle.pop().close()

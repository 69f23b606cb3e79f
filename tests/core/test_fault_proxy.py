"""The proxy that the tests of faults rely on: transparent, and each fault is what it says."""

from __future__ import annotations

import http.client
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.servers.faults import (
    SLOW_DOWN,
    Call,
    Cut,
    CutRequest,
    Delay,
    FlipAnswer,
    FlipRequest,
    Hang,
    LoseAnswer,
    Reset,
    Shorten,
    Slow,
)
from tests.servers.proxy import ALWAYS, FaultProxy

if TYPE_CHECKING:
    from collections.abc import Iterator

BODY = bytes(range(256)) * 1000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    arrived: list[tuple[str, str, bytes]] = []

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.arrived.append((self.path, self.headers["Host"], b""))
        host, port = self.server.server_address[:2]
        if self.path == "/json":
            self.say(f'{{"link": "http://{host}:{port}/a"}}'.encode(), type="application/json")
        elif self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for start in range(0, len(BODY), 70_001):
                part = BODY[start : start + 70_001]
                self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
        elif self.path == "/empty":
            self.send_response(204)
            self.end_headers()
        else:
            self.say(BODY)

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        if self.path == "/refused":
            self.close_connection = True
            self.say(b"no", status=412)
            return
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers["Content-Length"]))
            if len(data) < int(self.headers["Content-Length"]):
                raise ConnectionError
        self.arrived.append((self.path, self.headers["Host"], data))
        self.say(b"done", location="http://{}:{}/session".format(*self.server.server_address[:2]))

    def handle_expect_100(self) -> bool:
        return self.path == "/refused" or super().handle_expect_100()

    def say(self, body: bytes, status: int = 200, type: str = "text/plain", location: str = "") -> None:  # noqa: A002
        self.send_response(status)
        self.send_header("Content-Type", type)
        self.send_header("Content-Length", str(len(body)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle(self) -> None:
        with suppress(ConnectionError):  # some of the faults
            super().handle()


@pytest.fixture
def proxy() -> Iterator[FaultProxy]:
    Handler.arrived = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with FaultProxy("http://{}:{}".format(*server.server_address[:2])) as made:
            yield made
        server.shutdown()
        thread.join()


def connect(proxy: FaultProxy) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(proxy.url.removeprefix("http://"), timeout=20)


def ask(proxy: FaultProxy, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    connection = connect(proxy)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def test_without_faults_it_is_not_noticed(proxy: FaultProxy) -> None:
    connection = connect(proxy)
    for path, body in (("/a%20b?q=1", BODY), ("/chunked", BODY), ("/empty", b""), ("/a", BODY)):
        connection.request("GET", path, headers={"Host": "signed.example"})
        assert connection.getresponse().read() == body
    connection.request("HEAD", "/a")
    head = connection.getresponse()
    assert (head.read(), head.headers["Content-Length"]) == (b"", str(len(BODY)))
    connection.request("PUT", "/a", BODY)
    answer = connection.getresponse()
    assert (answer.read(), answer.headers["Location"]) == (b"done", f"{proxy.url}/session")
    connection.request("PUT", "/b", iter([BODY[:10], BODY[10:]]), encode_chunked=True)
    assert connection.getresponse().read() == b"done"
    connection.request("GET", "/json")
    assert connection.getresponse().read() == f'{{"link": "{proxy.url}/a"}}'.encode()
    connection.close()
    assert Handler.arrived[0] == ("/a%20b?q=1", "signed.example", b"")
    assert [each[2] for each in Handler.arrived if each[2]] == [BODY, BODY]
    first = proxy.requests[0]
    assert (first.method, first.path, first.query, first.status) == ("GET", "/a b", "q=1", 200)
    assert proxy.received("^/a b$") == len(BODY)
    assert proxy.sent("^/[ab]$") == 2 * len(BODY)
    assert len(proxy.seen("GET|HEAD", "^/a$")) == 2
    assert proxy.injected == {}


@pytest.mark.parametrize(("path", "status"), [("/a", 200), ("/refused", 412)])
def test_a_client_that_waits_to_be_told_to_go_on(proxy: FaultProxy, path: str, status: int) -> None:
    connection = connect(proxy)
    connection.putrequest("PUT", path)
    connection.putheader("Content-Length", str(len(BODY)))
    connection.putheader("Expect", "100-continue")
    connection.endheaders()
    if status == 200:
        assert connection.sock.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.send(BODY)
    assert connection.getresponse().status == status
    connection.close()


def test_requests_are_chosen_by_method_path_query_and_their_place_in_the_row(proxy: FaultProxy) -> None:
    rule = proxy.fail(SLOW_DOWN, method="GET", path=r"^/a b$", query="part=1", on=range(1, 3))
    said = [ask(proxy, "GET", path)[0] for path in ["/a%20b?part=1", "/a%20b", "/c?part=1", *["/a%20b?part=1"] * 3]]
    assert said == [200, 200, 200, 503, 503, 200]
    assert (rule.matched, rule.injected, proxy.injected) == (4, 2, {"503": 2})
    assert b"<Code>SlowDown</Code>" in SLOW_DOWN.body


def test_faults_before_the_server(proxy: FaultProxy) -> None:
    proxy.fail(Reset(), path="/reset")
    with pytest.raises(ConnectionResetError):
        ask(proxy, "PUT", "/reset", BODY)
    proxy.fail(SLOW_DOWN, path="/busy")
    assert ask(proxy, "PUT", "/busy", BODY) == (503, SLOW_DOWN.body)
    proxy.fail(CutRequest(100_000), path="/half")
    with pytest.raises(ConnectionError):
        ask(proxy, "PUT", "/half", BODY)
    assert proxy.seen(path="/half")[0].sent == 100_000
    assert Handler.arrived == []
    called: list[int] = []
    proxy.fail(Call(lambda: called.append(1)), path="/called")
    proxy.fail(Delay(0.01), path="/late")
    assert ask(proxy, "GET", "/called") == ask(proxy, "GET", "/late") == (200, BODY)
    assert called == [1]


def test_faults_on_the_way(proxy: FaultProxy) -> None:
    proxy.fail(Cut(100_000), path="/cut", on=ALWAYS)
    with pytest.raises(http.client.IncompleteRead) as caught:
        ask(proxy, "GET", "/cut")
    assert (caught.value.partial, caught.value.expected) == (BODY[:100_000], len(BODY) - 100_000)
    proxy.fail(Shorten(100_000), path="/short")
    assert ask(proxy, "GET", "/short") == (200, BODY[:100_000])
    proxy.fail(FlipAnswer(100_000), path="/flip")
    said = ask(proxy, "GET", "/flip")[1]
    assert [place for place, (one, other) in enumerate(zip(said, BODY, strict=True)) if one != other] == [100_000]
    proxy.fail(FlipRequest(3), path="/wrong")
    ask(proxy, "PUT", "/wrong", b"abcdef")
    proxy.fail(LoseAnswer(), path="/lost")
    with pytest.raises(ConnectionResetError):
        ask(proxy, "PUT", "/lost", b"it is there")
    proxy.fail(Slow(100_000_000), path="/slow")
    ask(proxy, "PUT", "/slow", BODY)
    assert [each[2] for each in Handler.arrived if each[2]] == [b"abceef", b"it is there", BODY]
    assert proxy.injected == dict.fromkeys(
        ("cut answer", "truncated", "flipped down", "flipped up", "lost answer", "slow"), 1
    )


def test_what_hangs_ends_when_the_network_heals(proxy: FaultProxy) -> None:
    proxy.fail(Hang(), path="/hang")
    connection = connect(proxy)
    connection.request("GET", "/hang")
    while not proxy.injected:
        threading.Event().wait(0.001)
    proxy.heal()
    with pytest.raises(ConnectionResetError):
        connection.getresponse()
    connection.close()
    assert ask(proxy, "GET", "/hang") == (200, BODY)


def test_a_server_that_is_gone_is_a_lost_connection() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        url = "http://{}:{}".format(*server.server_address[:2])
    with FaultProxy(url) as proxy, pytest.raises(ConnectionResetError):
        ask(proxy, "GET", "/a")

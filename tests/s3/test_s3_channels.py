"""Connections: with TLS, through a proxy, kept and dropped."""

from __future__ import annotations

import datetime
import io
import ipaddress
import socket
import ssl
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("boto3")
pytest.importorskip("cryptography")

from cryptography import x509
from mercury_s3.store import S3Store

from mercury_core.errors import StoreAccessError
from tests.s3.old_service import old_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def _anybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A file with a key and a certificate for this machine, by nobody that is trusted."""
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    plain = serialization.NoEncryption()
    pem = serialization.Encoding.PEM
    path.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class Proxy:
    """A proxy of HTTP: passes on what is sent, by CONNECT as well.

    Attributes:
        url: Where it is.
        heads: What each request began with.
    """

    def __init__(self) -> None:
        self.heads: list[str] = []
        self.url = ""


@contextmanager
def http_proxy() -> Iterator[Proxy]:
    """Serve on loopback."""
    proxy, listener = Proxy(), socket.create_server(("127.0.0.1", 0))
    proxy.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    ends: list[socket.socket] = []

    def pump(source: socket.socket, target: socket.socket) -> None:
        try:
            while block := source.recv(1 << 16):
                target.sendall(block)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one of them is gone, and so is the other

    def serve(client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(1 << 16)
        proxy.heads.append(head.partition(b"\r\n\r\n")[0].decode())
        method, target, _ = head.decode("latin-1").split(" ", 2)
        host, port = (target if method == "CONNECT" else target.split("/")[2]).split(":")
        server = socket.create_connection((host, int(port)))
        ends.append(server)
        if method == "CONNECT":
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            server.sendall(head)
        back = threading.Thread(target=pump, args=(server, client))
        back.start()
        pump(client, server)
        back.join()

    def listen() -> None:
        workers = []
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                break
            ends.append(client)
            workers.append(threading.Thread(target=serve, args=(client,)))
            workers[-1].start()
        for end in ends:
            with suppress(OSError):  # ended already
                end.shutdown(socket.SHUT_RDWR)
        for worker in workers:
            worker.join()
        for end in ends:
            end.close()

    thread = threading.Thread(target=listen)
    thread.start()
    try:
        yield proxy
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_tls_by_an_authority_that_is_named(certificate: Path, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with old_service(server_side(certificate)) as service:
        store = S3Store(endpoint_url=service.url, transport=transport)
        for name in ("a", "b"):
            store.put(f"s3://bucket/{name}", io.BytesIO(b"x" * 100_000), overwrite=True)
            assert store.open(f"s3://bucket/{name}").read() == b"x" * 100_000


def test_tls_by_an_authority_that_is_not_trusted(certificate: Path, transport: str) -> None:
    with old_service(server_side(certificate)) as service:
        store = S3Store(endpoint_url=service.url, transport=transport)
        with pytest.raises(StoreAccessError, match=r"certificate of the service is not trusted.*AWS_CA_BUNDLE"):
            store.stat("s3://bucket/a")


def test_a_proxy(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with old_service() as service, http_proxy() as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//me:secret%21@"))
        monkeypatch.setenv("http_proxy", proxy.url.replace("//", "//me:secret%21@"))
        store = S3Store(endpoint_url=service.url, transport=transport)
        for name in ("a", "b"):
            store.put(f"s3://bucket/{name}", io.BytesIO(b"x"), overwrite=True)
        assert service.objects["/bucket/b"][0] == b"x"
        assert proxy.heads[0].startswith(f"PUT {service.url}/bucket/a HTTP/1.1")
        # "me:secret!", as a proxy wants it.
        assert "proxy-authorization: basic bWU6c2VjcmV0IQ==".lower() in proxy.heads[0].lower()
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        before = len(proxy.heads)
        S3Store(endpoint_url=service.url, transport=transport).stat("s3://bucket/a")
        assert len(proxy.heads) == before


def test_a_proxy_and_tls(certificate: Path, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", str(certificate))
    with old_service(server_side(certificate)) as service, http_proxy() as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url.replace("//", "//me:secret@"))
        monkeypatch.setenv("https_proxy", proxy.url.replace("//", "//me:secret@"))
        store = S3Store(endpoint_url=service.url, transport=transport)
        store.put("s3://bucket/a", io.BytesIO(b"x"), overwrite=True)
        assert proxy.heads[0].startswith(f"CONNECT {service.url.removeprefix('https://')} HTTP/1")
        assert "proxy-authorization" in proxy.heads[0].lower()


def test_a_proxy_that_is_not_there(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken, old_service() as service:
        taken.bind(("127.0.0.1", 0))
        url = f"http://me:hidden@127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("HTTP_PROXY", url)
        monkeypatch.setenv("http_proxy", url)
        with pytest.raises(StoreAccessError, match="the proxy") as caught:
            S3Store(endpoint_url=service.url, transport=transport, max_attempts=1).stat("s3://bucket/a")
        assert "hidden" not in str(caught.value)


def test_content_without_tls_to_another_machine_is_signed() -> None:
    from mercury_s3.environment import Route
    from mercury_s3.signing import NOTHING, UNSIGNED
    from mercury_s3.wire import _digest

    body = memoryview(b"content")
    sha256 = "ed7002b439e9ac845f22357d822bac1444730fbdb6016d3ec9432297b9ec9f73"
    assert _digest(Route("http://minio.example", "/b", "r"), body) == sha256
    assert _digest(Route("https://minio.example", "/b", "r"), body) == UNSIGNED
    assert _digest(Route("http://127.0.0.1:9000", "/b", "r"), body) == UNSIGNED
    assert _digest(Route("http://minio.example", "/b", "r"), None) == NOTHING


def test_connections_are_kept_and_no_more_than_are_needed() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with old_service() as service, http_proxy() as proxy:
        patch = pytest.MonkeyPatch()
        patch.setenv("HTTP_PROXY", proxy.url)
        try:
            store = S3Store(endpoint_url=service.url, max_concurrency=2)
            for _ in range(5):
                store.put("s3://bucket/a", io.BytesIO(b"x"), overwrite=True)
            assert len(proxy.heads) == 1, "each request had a connection of its own"
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(lambda n: store.put(f"s3://bucket/{n}", io.BytesIO(b"x"), overwrite=True), range(40)))
        finally:
            patch.undo()
    assert len(service.objects) == 41

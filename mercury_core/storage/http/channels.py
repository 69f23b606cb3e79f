"""Connections that are kept, and requests over them: HTTP/1.1.

For small objects the client costs more than the network. A request with its answer takes 0.02 ms of CPU here, 0.13 with
`http.client` and 0.34 with urllib3 (measured on loopback, 16 KiB each). Only the exchange is done here: `http.client`
connects, through proxies and with TLS. Content is sent from memory that the caller has, and read into such, without a
copy in between.
"""

from __future__ import annotations

import select
import socket
import weakref
from collections import deque
from functools import partial
from typing import cast
from urllib.parse import unquote, urlsplit

from mercury_core.storage.http.messages import Response, UnreadableError, lost

TYPE_CHECKING = False
if TYPE_CHECKING:
    import io
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from typing_extensions import Buffer

_CONNECTING = 10.0  # seconds; a host that takes longer is not there
_BUFFER = 1 << 16
_BLOCK = 1 << 20
# An answer that came before all was sent says why it was not taken; it is there at once, or not at all.
_EARLY = 1.0


class Channels:
    """Connections to one address."""

    def __init__(
        self, address: str, certificates: Callable[[], str], most: int, *, service: str, agent: str = "mercury"
    ) -> None:
        """Open none yet.

        Args:
            address: Scheme, host and port.
            certificates: The file of those that are trusted; asked for with the first connection that has TLS.
            most: How many are kept.
            service: Whose answers are expected, for errors: ``an S3 service``.
            agent: What requests name as their sender.
        """
        parts = urlsplit(address)
        self._tls, self._host = parts.scheme == "https", parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._certificates, self._context = certificates, None  # type: Callable[[], str], ssl.SSLContext | None
        self._idle: deque[_Channel] = deque()
        self._most, self._service = most, service
        self._proxy = _proxy_for(parts.scheme, self._host)
        #: What stands before the path in a request.
        self._before = address if self._proxy and not self._tls else ""
        self._headers = f"host: {parts.netloc}\r\nuser-agent: {agent}\r\n"
        if self._before and self._proxy and self._proxy.authorization:
            self._headers += f"proxy-authorization: {self._proxy.authorization}\r\n"
        weakref.finalize(self, _close, self._idle)  # nobody says when a store is not needed any more

    def request(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Iterable[Buffer] | None,
        length: int,
        patience: float,
    ) -> Response:
        """Send a request, and wait for the head of the answer.

        Args and errors: see `begin`.
        """
        return self.begin(method, target, headers, body, length, patience)()

    def begin(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: Iterable[Buffer] | None,
        length: int,
        patience: float,
    ) -> Callable[[], Response]:
        """Send a request; what is given waits for the head of the answer, when it is called.

        Args:
            method: Of HTTP.
            target: Path and query.
            headers: All but those of the connection (``host`` too) and the length.
            body: What is sent, in blocks, since `patience` is one for each; None for nothing.
            length: Of the body in bytes.
            patience: Seconds that the other side may be silent.

        Returns:
            What is to be called once; it raises LostError where there is no answer. Who does not want the answer any
            more lets go of it, and the connection is closed.

        Raises:
            LostError: There was no connection, or it was lost.
            OSError: The body could not be read.
            ValueError: A header holds a line break.
        """
        said = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if said.count("\n") != len(headers) or said.count("\r") != len(headers):
            raise ValueError("a header holds a line break")
        if body is not None or method in ("POST", "PUT"):
            said += f"content-length: {length}\r\n"
        head = f"{method} {self._before}{target} HTTP/1.1\r\n{self._headers}{said}\r\n".encode("latin-1")
        channel = self._take(patience)
        try:
            channel.send(head, body or ())
        except _SourceError as error:
            channel.close()
            raise error.cause from None
        except OSError as error:
            channel.close()
            raise lost(error, self._service) from None
        except BaseException:
            channel.close()
            raise
        asked = [channel]  # for the answer alone: an error, which holds all that led to it, is not to hold it
        return lambda: self._answer(asked.pop(), method == "HEAD")

    def _answer(self, channel: _Channel, bodiless: bool) -> Response:
        try:
            return Response(
                channel.file, partial(self.keep, channel), channel.close, service=self._service, bodiless=bodiless
            )
        except (OSError, UnreadableError) as error:
            channel.close()
            raise lost(error, self._service) from None
        except BaseException:
            channel.close()
            raise

    def _take(self, patience: float) -> _Channel:
        while self._idle:
            try:
                channel = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            if not _readable(channel.sock):
                channel.sock.settimeout(patience)
                return channel
            channel.close()  # the other side has closed it
        try:
            return self._open(patience)
        except OSError as error:
            raise lost(error, self._service, connecting=True) from None

    def _open(self, patience: float) -> _Channel:
        host, port = (self._proxy.host, self._proxy.port) if self._proxy else (self._host, self._port)
        limit = min(_CONNECTING, patience)
        if self._tls and self._proxy:
            sock = self._through(self._proxy, limit)
        else:
            # As bytes, since a text is converted by a codec that takes its time to be imported.
            name = host.encode("ascii") if host.isascii() else host
            sock = socket.create_connection((name, port), limit)  # type: ignore[arg-type]
            try:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._tls:
                    sock = self._tls_context().wrap_socket(sock, server_hostname=self._host)
            except BaseException:
                sock.close()
                raise
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.settimeout(patience)
        return _Channel(sock)

    def _through(self, proxy: _Proxy, limit: float) -> socket.socket:
        """A connection with TLS through a proxy."""
        import http.client  # here, since it takes its time to be imported, and few need it

        connection = http.client.HTTPSConnection(proxy.host, proxy.port, timeout=limit, context=self._tls_context())
        more = {"Proxy-Authorization": proxy.authorization} if proxy.authorization else {}
        connection.set_tunnel(self._host, self._port, more)
        try:
            connection.connect()
        except http.client.HTTPException as error:
            connection.close()
            raise ConnectionError from error
        except BaseException:
            connection.close()
            raise
        sock: socket.socket = connection.sock
        connection.sock = None
        return sock

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            import ssl

            self._context = ssl.create_default_context(cafile=self._certificates())
        return self._context

    def keep(self, channel: _Channel) -> None:
        """Use a connection again, whose answer was read to its end."""
        if channel.is_broken or len(self._idle) >= self._most:
            channel.close()
        else:
            self._idle.append(channel)


class _Channel:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.file = cast("io.BufferedReader", sock.makefile("rb", _BUFFER))
        #: Whether a request was not sent to its end, after which there can be no other.
        self.is_broken = False

    def __del__(self) -> None:
        """Close it where nobody waited for the answer."""
        self.close()

    def send(self, head: bytes, body: Iterable[Buffer]) -> None:
        """Send a request, or as much of it as is taken before there is an answer."""
        blocks = _own_errors(body)
        first = next(blocks, b"")
        if memoryview(first).nbytes < _BUFFER:
            head, first = b"".join((head, first)), b""  # as few packets as can be
        try:
            self.sock.sendall(head)
            if first:
                self.sock.sendall(first)
            for block in blocks:
                self.sock.sendall(block)
        except OSError:
            self.is_broken = True
            if not self._has_answered():
                raise

    def _has_answered(self) -> bool:
        self.sock.settimeout(_EARLY)
        try:
            return bool(self.file.peek(1))
        except OSError:
            return False

    def close(self) -> None:
        """Close it, with what is left in it."""
        self.file.close()
        self.sock.close()


def blocks(body: memoryview) -> Iterator[memoryview]:
    """A body in blocks, since a socket's limit of time is one for each."""
    for start in range(0, body.nbytes, _BLOCK):
        yield body[start : start + _BLOCK]


class _SourceError(Exception):
    """What is sent cannot be read: that is no error of the connection."""

    def __init__(self, cause: OSError) -> None:
        self.cause = cause


def _own_errors(body: Iterable[Buffer]) -> Iterator[Buffer]:
    try:
        yield from body
    except OSError as error:
        raise _SourceError(error) from error


class _Proxy:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        self.host, self.port = parts.hostname or "", parts.port or 80
        self.authorization = ""
        if parts.username:
            from base64 import b64encode

            user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            self.authorization = f"Basic {b64encode(user.encode()).decode()}"


def _proxy_for(scheme: str, host: str) -> _Proxy | None:
    import os

    if not any(name in os.environ for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY")):
        return None  # without urllib.request, which takes its time to be imported
    from urllib.request import getproxies, proxy_bypass

    url = getproxies().get(scheme)
    return _Proxy(url) if url and not proxy_bypass(host) else None


def _close(idle: deque[_Channel]) -> None:
    while idle:
        idle.pop().close()


def _readable(sock: socket.socket) -> bool:
    """Whether something is there to be read, which on an idle connection is its end."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))

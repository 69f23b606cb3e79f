"""Connections that are kept: HTTP/1.1, with TLS and through a proxy, from `http.client`.

Content is read into memory that the caller has, and sent from it, without a copy in between.
"""

from __future__ import annotations

import http.client
import select
import socket
import weakref
from collections import deque
from urllib.parse import unquote, urlsplit

from mercury_s3.answers import LostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping

_CONNECTING = 10.0  # seconds; a host that takes longer is not there
_BLOCK = 1 << 20
# An answer that came before all was sent says why it was not taken; it is there at once, or not at all.
_EARLY = 1.0


class Channels:
    """Connections to one address."""

    def __init__(self, address: str, certificates: Callable[[], str], most: int) -> None:
        """Open none yet.

        Args:
            address: Scheme, host and port.
            certificates: The file of those that are trusted.
            most: How many are kept.
        """
        parts = urlsplit(address)
        self._tls, self._host = parts.scheme == "https", parts.hostname or ""
        self._port = parts.port or (443 if self._tls else 80)
        self._certificates, self._context = certificates, None  # type: Callable[[], str], ssl.SSLContext | None
        self._idle: deque[http.client.HTTPConnection] = deque()
        self._most = most
        self._proxy = _proxy_for(parts.scheme, self._host)
        self._address = address
        weakref.finalize(self, _close, self._idle)  # nobody says when a store is not needed any more

    def request(
        self, method: str, target: str, headers: Mapping[str, str], body: memoryview | None, patience: float
    ) -> Response:
        """Send a request, and wait for the head of the answer.

        Args:
            method: Of HTTP.
            target: Path and query.
            headers: All but those of the length.
            body: What is sent.
            patience: Seconds that the other side may be silent.

        Raises:
            LostError: There was no answer.
        """
        connection = self._take(patience)
        try:
            answer = self._exchange(connection, method, target, headers, body)
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            raise lost(error) from None
        except BaseException:
            connection.close()
            raise
        return Response(self, connection, answer)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: memoryview | None,
    ) -> http.client.HTTPResponse:
        if self._proxy and not self._tls:
            target = f"{self._address}{target}"
        connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None or method in ("PUT", "POST"):
            connection.putheader("content-length", str(body.nbytes if body is not None else 0))
        if self._proxy and not self._tls and self._proxy.authorization:
            connection.putheader("proxy-authorization", self._proxy.authorization)
        connection.endheaders()
        if body is not None:
            try:
                # In blocks, since a socket's limit of time is one for each.
                for start in range(0, body.nbytes, _BLOCK):
                    connection.send(body[start : start + _BLOCK])
            except OSError:
                if connection.sock is None:
                    raise
                connection.sock.settimeout(_EARLY)
                try:
                    return connection.getresponse()
                except (http.client.HTTPException, OSError):
                    pass
                raise
        return connection.getresponse()

    def _take(self, patience: float) -> http.client.HTTPConnection:
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # another thread took the last one
                break
            if not _readable(connection.sock):
                connection.sock.settimeout(patience)
                return connection
            connection.close()  # the other side has closed it
        try:
            return self._open(patience)
        except (http.client.HTTPException, OSError) as error:
            raise lost(error, connecting=True) from None

    def _open(self, patience: float) -> http.client.HTTPConnection:
        host, port = (self._proxy.host, self._proxy.port) if self._proxy else (self._host, self._port)
        limit = min(_CONNECTING, patience)
        if self._tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, port, timeout=limit, context=self._tls_context()
            )
            if self._proxy:
                authorization = self._proxy.authorization
                more = {"Proxy-Authorization": authorization} if authorization else {}
                connection.set_tunnel(self._host, self._port, more)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=limit)
        try:
            connection.connect()
        except BaseException:
            connection.close()
            raise
        connection.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        connection.sock.settimeout(patience)
        return connection

    def _tls_context(self) -> ssl.SSLContext:
        if self._context is None:
            import ssl

            self._context = ssl.create_default_context(cafile=self._certificates())
        return self._context

    def keep(self, connection: http.client.HTTPConnection) -> None:
        """Use a connection again, whose answer was read to its end."""
        if len(self._idle) >= self._most:
            connection.close()
        else:
            self._idle.append(connection)


class Response:
    """An answer, of which the head has arrived.

    Attributes:
        status: Of HTTP.
        headers: By name in lower case.
    """

    def __init__(
        self, channels: Channels, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse
    ) -> None:
        """Read from `answer`."""
        self._channels, self._connection, self._answer = channels, connection, answer
        self.status = answer.status
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self._left = answer.length
        self._is_over = False
        if answer.isclosed():
            self._end()

    def readinto(self, buffer: memoryview, /) -> int:
        """Read at most as much as fits; 0 at the end.

        Raises:
            LostError: It broke off.
        """
        if self._is_over:
            return 0
        try:
            count = self._answer.readinto(buffer)
        except (http.client.HTTPException, OSError, ValueError) as error:
            self.close()
            raise lost(error) from None
        if self._left is not None:
            self._left -= count
            if not count and buffer.nbytes and self._left:
                self.close()
                raise LostError("the connection was cut")
        if self._answer.isclosed():
            self._end()
        return count

    def read(self, most: int) -> bytes:
        """All of a short answer.

        Raises:
            LostError: It broke off, or is longer than `most`.
        """
        held = bytearray()
        view = memoryview(bytearray(1 << 16))
        while count := self.readinto(view):
            held += view[:count]
            if len(held) > most:
                self.close()
                raise LostError("what it answered is not that of an S3 service")
        return bytes(held)

    def _end(self) -> None:
        """Give the connection back, once: nobody else may be given it twice."""
        self._is_over = True
        if self._connection.sock is not None:
            self._channels.keep(self._connection)

    def close(self) -> None:
        """Stop reading."""
        if not self._is_over:
            self._is_over = True
            self._answer.close()
            self._connection.close()


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


def _close(idle: deque[http.client.HTTPConnection]) -> None:
    while idle:
        idle.pop().close()


def _readable(sock: socket.socket) -> bool:
    """Whether something is there to be read, which on an idle connection is its end."""
    if not hasattr(select, "poll"):  # Windows
        return bool(select.select([sock], [], [], 0)[0])
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(0))


def lost(error: Exception, *, connecting: bool = False) -> LostError:
    """What an error of the network means."""
    import ssl

    if isinstance(error, ssl.SSLCertVerificationError):
        return LostError("the certificate of the service is not trusted", reached=False, final=True)
    if isinstance(error, socket.gaierror):
        return LostError("its name is not known (DNS)", reached=False)
    if isinstance(error, TimeoutError):
        return LostError("it did not answer in time", reached=not connecting)
    if connecting:
        return LostError("there is no connection to it", reached=False)
    if isinstance(error, (http.client.BadStatusLine, http.client.UnknownProtocol, http.client.LineTooLong)) and (
        not isinstance(error, http.client.RemoteDisconnected)
    ):
        return LostError("what it answered is not that of an S3 service")
    return LostError("the connection was cut")

"""Answers as they arrive: HTTP/1.1, with bodies of every kind, and nothing of them held."""

from __future__ import annotations

import socket

from mercury_core.storage.http.answers import LostError, not_an_answer

TYPE_CHECKING = False
if TYPE_CHECKING:
    import io
    from collections.abc import Callable

_BUFFER = 1 << 16
_LONGEST_LINE, _MOST_HEADERS = 1 << 16, 200
_WITHOUT_BODY = (204, 304)


class UnreadableError(Exception):
    """What came is not HTTP."""


class Response:
    """An answer, of which the head has arrived.

    Attributes:
        status: Of HTTP.
        headers: By name in lower case.
    """

    def __init__(
        self,
        file: io.BufferedReader,
        keep: Callable[[], None],
        close: Callable[[], None],
        *,
        service: str,
        bodiless: bool = False,
    ) -> None:
        """Read the head.

        Args:
            file: What comes over the connection.
            keep: Called at the end of an answer after which another request can have the connection.
            close: Called at any other end.
            service: Whose answer it should be, for errors.
            bodiless: Whether the head is all there is: after HEAD, which is told lengths all the same.

        Raises:
            OSError: The connection was lost.
            UnreadableError: What came is not HTTP.
        """
        self._file, self._keep, self._close, self._service = file, keep, close, service
        self._is_over = False
        self.status, self._keeps, self.headers = _head(file)
        while 100 <= self.status < 200:
            self.status, self._keeps, self.headers = _head(file)
        length = self.headers.get("content-length")
        self._is_chunked = "chunked" in self.headers.get("transfer-encoding", "").lower()
        #: Bytes until the end of the body, or of a chunk; None for up to the end of the connection.
        self._left: int | None = None
        if bodiless or self.status in _WITHOUT_BODY:
            self._left, self._is_chunked = 0, False
        elif self._is_chunked:
            self._left = _chunk(file)
        elif length is not None:
            if not length.isdigit():
                raise UnreadableError
            self._left = int(length)
        else:
            self._keeps = False
        if not self._left and self._left is not None:
            self._end()

    def readinto(self, buffer: memoryview, /) -> int:
        """Read at most as much as fits; 0 at the end.

        Raises:
            LostError: It broke off.
        """
        if self._is_over or not buffer.nbytes:
            return 0
        try:
            if self._left is None:
                count = self._file.readinto(buffer)
                if not count:
                    self._end()
                return count
            count = self._file.readinto(buffer[: self._left])
            self._left -= count
            if not count:
                raise ConnectionResetError
            if not self._left:
                if self._is_chunked:
                    _line(self._file)
                    self._left = _chunk(self._file)
                if not self._left:
                    self._end()
        except (OSError, ValueError, UnreadableError) as error:
            self.close()
            raise lost(error, self._service) from None
        return count

    def read(self, most: int) -> bytes:
        """All of an answer.

        Raises:
            LostError: It broke off, or is longer than `most`.
        """
        length = self._left if not self._is_chunked and self._left is not None else _BUFFER
        held = b""
        while not self._is_over:
            view = memoryview(bytearray(min(length, most) or 1))
            held += view[: self.readinto(view)]
            if len(held) > most:
                self.close()
                raise not_an_answer(self._service)
        return held

    def _end(self) -> None:
        """Give the connection back, once: nobody else may be given it twice."""
        self._let_go(self._keep if self._keeps else self._close)

    def close(self) -> None:
        """Stop reading."""
        if not self._is_over:
            self._let_go(self._close)

    def _let_go(self, how: Callable[[], None]) -> None:
        self._is_over = True
        del self._keep, self._close  # an error, which holds all that led to it, is not to hold the connection
        how()


def _head(file: io.BufferedReader) -> tuple[int, bool, dict[str, str]]:
    """The status, whether the connection can be kept, and the headers."""
    first, *lines = _lines(file)
    words = first.split(None, 2)
    if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
        raise UnreadableError
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    said = headers.get("connection", "").lower()
    keeps = "keep-alive" in said if words[0] == "HTTP/1.0" else "close" not in said
    return int(words[1]), keeps, headers


def _lines(file: io.BufferedReader) -> list[str]:
    """The lines of a head, with none of the end; mostly all of it is there at once."""
    end = file.peek(1).find(b"\r\n\r\n")
    if end >= 0:
        lines = file.read(end + 4)[:-4].decode("latin-1").split("\r\n")
    else:
        lines = [_line(file).decode("latin-1")]
        while lines[0].startswith("HTTP/") and len(lines) <= _MOST_HEADERS and (line := _line(file)):
            lines.append(line.decode("latin-1"))
    if not 0 < len(lines) <= _MOST_HEADERS or max(map(len, lines)) >= _LONGEST_LINE:
        raise UnreadableError
    return lines


def _chunk(file: io.BufferedReader) -> int:
    """The size of the chunk that begins; 0 at the end, of which all is read."""
    try:
        size = int(_line(file).partition(b";")[0], 16)
    except ValueError:
        raise UnreadableError from None
    while not size and _line(file):
        pass
    return size


def _line(file: io.BufferedReader) -> bytes:
    line = file.readline(_LONGEST_LINE)
    if not line.endswith(b"\n"):
        if len(line) == _LONGEST_LINE:
            raise UnreadableError
        raise ConnectionResetError
    return line.rstrip(b"\r\n")


def lost(error: Exception, service: str, *, connecting: bool = False) -> LostError:
    """What an error of the network means; without the address that it was sent to, which may be a secret."""
    if type(error).__name__ == "SSLCertVerificationError":
        return LostError("the certificate of the service is not trusted", reached=False, final=True)
    if isinstance(error, socket.gaierror):
        return LostError("its name is not known (DNS)", reached=False)
    if isinstance(error, TimeoutError):
        return LostError("it did not answer in time", reached=not connecting)
    if connecting:
        return LostError("there is no connection to it", reached=False)
    if isinstance(error, UnreadableError):
        return not_an_answer(service)
    return LostError("the connection was cut")

"""How the proxy passes one request and its answer on, with or without a fault."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from tests.servers.faults import Cut, CutRequest, FlipAnswer, FlipRequest, LoseAnswer, Shorten, Slow

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.servers.faults import Answer, Fault
    from tests.servers.proxy import Request

LIMIT = 1 << 20
_BLOCK = 1 << 16


class Lost(Exception):
    """The connection to the client is to be reset."""


@dataclass
class Head:
    """The first line of a message, and its headers as they were written."""

    first: str
    headers: list[tuple[str, str]]

    def get(self, name: str) -> str | None:
        """The value of a header, by its name in lower case."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def without(self, *names: str) -> Head:
        """The same, and none of some headers."""
        return Head(self.first, [(key, value) for key, value in self.headers if key.lower() not in names])

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        lines = [self.first, *(f"{key}: {value}" for key, value in self.headers)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    @property
    def chunked(self) -> bool:
        """Whether the body comes in chunks."""
        return "chunked" in (self.get("transfer-encoding") or "").lower()


async def read_head(reader: asyncio.StreamReader) -> Head | None:
    """The next head, or None where the connection ended instead."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    return Head(first, [(key, value.strip()) for key, _, value in (line.partition(":") for line in lines)])


def reset(writer: asyncio.StreamWriter) -> None:
    """Let the other side see a reset, not an end."""
    if (raw := writer.get_extra_info("socket")) is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def answer(head: Head, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, said: Answer) -> None:
    """Answer without a server, after the request's body; the connection ends then."""
    if head.get("expect") is None:
        async for _ in _body(head, reader, answers=False):
            pass
    phrase = HTTPStatus(said.status).phrase
    length = [("Content-Length", str(len(said.body))), ("Connection", "close")]
    body = b"" if head.first.startswith("HEAD ") else said.body
    writer.write(Head(f"HTTP/1.1 {said.status} {phrase}", [*said.headers.items(), *length]).encoded() + body)
    await writer.drain()


async def forward(
    head: Head,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    address: tuple[str, int],
    request: Request,
    fault: Fault | None,
    names: tuple[bytes, bytes],
) -> bool:
    """Pass a request to the server, and its answer back; whether the client's connection goes on.

    Args:
        head: Of the request.
        reader: From the client.
        writer: To the client.
        address: Of the server.
        request: What is counted.
        fault: What goes wrong.
        names: The server's URL, and what is put in its place in what it says.
    """
    up_reader, up_writer = await asyncio.open_connection(*address, limit=LIMIT)
    sending = None
    try:
        up_writer.write(head.encoded())
        await up_writer.drain()
        # A client that expects to be told to go on is told so by the server, or by nobody.
        going_on = asyncio.Event()
        if head.get("expect") is None:
            going_on.set()
        sending = asyncio.create_task(_send(head, reader, up_writer, request, fault, going_on))
        said = await _final_head(up_reader, writer, going_on, sending)
        whole = sending.done() and sending.exception() is None
        return await _give_back(said, head, up_reader, writer, request, fault, names) and whole
    except Lost:
        reset(up_writer)
        raise
    finally:
        up_writer.close()  # before anything is waited for: that may be cancelled
        if sending is not None:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def _send(
    head: Head,
    reader: asyncio.StreamReader,
    up: asyncio.StreamWriter,
    request: Request,
    fault: Fault | None,
    going_on: asyncio.Event,
) -> None:
    await going_on.wait()
    async for block in _body(head, reader, answers=False):
        data = block
        if isinstance(fault, FlipRequest):
            data = _flipped(data, fault.offset - request.sent)
        if isinstance(fault, CutRequest) and request.sent + len(data) > fault.after:
            data = data[: fault.after - request.sent]
            _write(up, data, head.chunked)
            request.sent += len(data)
            await up.drain()
            raise Lost
        _write(up, data, head.chunked)
        request.sent += len(data)
        await up.drain()
        if isinstance(fault, Slow):
            await asyncio.sleep(len(data) / fault.bytes_per_second)
    if isinstance(fault, CutRequest):
        raise Lost  # its body is shorter than the cut: it is lost all the same
    if head.chunked:
        up.write(b"0\r\n\r\n")
    await up.drain()


async def _final_head(
    up: asyncio.StreamReader, writer: asyncio.StreamWriter, going_on: asyncio.Event, sending: asyncio.Task[None]
) -> Head:
    """The head of the answer; those before it, which only say to go on, are passed on."""
    while True:
        reading = asyncio.create_task(read_head(up))
        await asyncio.wait({reading, sending}, return_when=asyncio.FIRST_COMPLETED)
        if sending.done() and isinstance(sending.exception(), (Lost, asyncio.IncompleteReadError)):
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            raise Lost
        said = await reading
        if said is None:
            raise Lost
        if int(said.first.split(" ", 2)[1]) != HTTPStatus.CONTINUE:
            return said
        writer.write(said.encoded())
        await writer.drain()
        going_on.set()


async def _give_back(
    said: Head,
    head: Head,
    up: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    request: Request,
    fault: Fault | None,
    names: tuple[bytes, bytes],
) -> bool:
    request.status = int(said.first.split(" ", 2)[1])
    empty = request.method == "HEAD" or request.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
    body = _nothing() if empty else _body(said, up, answers=True)
    said = Head(said.first, [(key, value.replace(names[0].decode(), names[1].decode())) for key, value in said.headers])
    if isinstance(fault, LoseAnswer):
        async for _ in body:
            pass
        raise Lost
    is_json = (said.get("content-type") or "").startswith("application/json") and not said.get("content-encoding")
    if (is_json or isinstance(fault, Shorten)) and not empty:
        whole = b"".join([block async for block in body])
        if is_json:
            whole = whole.replace(*names)
        if isinstance(fault, Shorten):
            whole = whole[: fault.to]
        said = said.without("content-length", "transfer-encoding")
        said.headers.append(("Content-Length", str(len(whole))))
        body = _just(whole)
    writer.write(said.encoded())
    async for block in body:
        data = block
        if isinstance(fault, FlipAnswer):
            data = _flipped(data, fault.offset - request.received)
        if isinstance(fault, Cut) and request.received + len(data) > fault.after:
            data = data[: fault.after - request.received]
            _write(writer, data, said.chunked)
            request.received += len(data)
            await writer.drain()
            return False
        _write(writer, data, said.chunked)
        request.received += len(data)
        await writer.drain()
        if isinstance(fault, Slow):
            await asyncio.sleep(len(data) / fault.bytes_per_second)
    if isinstance(fault, Cut):
        return False
    if said.chunked and not empty:
        writer.write(b"0\r\n\r\n")
    await writer.drain()
    framed = empty or said.chunked or said.get("content-length") is not None
    closing = "close" in (said.get("connection") or "").lower() or "close" in (head.get("connection") or "").lower()
    return framed and not closing and said.first.startswith("HTTP/1.1")


async def _body(head: Head, reader: asyncio.StreamReader, *, answers: bool) -> AsyncIterator[bytes]:
    """The body after a head, in blocks, without the marks of chunks."""
    if head.chunked:
        while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
            while size:
                block = await reader.readexactly(min(size, _BLOCK))
                size -= len(block)
                yield block
            await reader.readexactly(2)
        while await reader.readuntil(b"\r\n") != b"\r\n":
            pass
        return
    length = head.get("content-length")
    left = int(length) if length is not None else None
    if left is None and not answers:
        return
    while left != 0:
        block = await reader.read(_BLOCK if left is None else min(left, _BLOCK))
        if not block:
            if left is None:
                return
            raise asyncio.IncompleteReadError(b"", left)
        if left is not None:
            left -= len(block)
        yield block


async def _nothing() -> AsyncIterator[bytes]:
    for block in ():
        yield block


async def _just(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data


def _write(writer: asyncio.StreamWriter, data: bytes, chunked: bool) -> None:
    if chunked and data:
        writer.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
    else:
        writer.write(data)


def _flipped(data: bytes, place: int) -> bytes:
    if not 0 <= place < len(data):
        return data
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]

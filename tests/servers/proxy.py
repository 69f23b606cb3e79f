"""A proxy for HTTP/1.1 in which the network fails as a test wants it to.

::

    with FaultProxy(server.endpoint) as proxy:
        rule = proxy.fail(Answer(503), method="PUT", path=r"/a\\.bin$", on=range(3))
        ...  # the client is given proxy.url instead of server.endpoint
        assert rule.injected == 3

It is transparent otherwise: the client's Host is passed on, since signatures cover it; what the server says of its own
address becomes the proxy's. Each request has a connection of its own to the server.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tests.servers import relay
from tests.servers.faults import Answer, Call, Delay, Hang, Reset

if TYPE_CHECKING:
    from collections.abc import Container
    from types import TracebackType

    from tests.servers.faults import Fault

ALWAYS = range(sys.maxsize)


@dataclass
class Request:
    """One request that came by.

    Attributes:
        number: From 0, of all that the proxy saw.
        method: In capitals.
        path: Percent-decoded, without the query.
        query: As it was sent.
        headers: By lower-case name.
        sent: Bytes of its body that were passed on.
        received: Bytes of the answer's body that were passed on.
        status: That of the answer; None where there was none.
        fault: The kind of the fault that it met, if any.
    """

    number: int
    method: str
    path: str
    query: str
    headers: dict[str, str]
    sent: int = 0
    received: int = 0
    status: int | None = None
    fault: str | None = None


@dataclass
class Rule:
    """Which requests meet a fault.

    Attributes:
        fault: The fault.
        method: A regular expression for all of the method; None for any.
        path: One to be found in the decoded path.
        query: One to be found in the query.
        on: Which of the requests that match, counted from 0.
        matched: How many have matched.
        injected: How many met the fault.
    """

    fault: Fault
    method: re.Pattern[str] | None
    path: re.Pattern[str]
    query: re.Pattern[str]
    on: Container[int]
    matched: int = 0
    injected: int = 0

    def fires(self, request: Request) -> bool:
        """Whether it is this request's turn; counts it."""
        if self.method and not self.method.fullmatch(request.method):
            return False
        if not (self.path.search(request.path) and self.query.search(request.query)):
            return False
        self.matched += 1
        if self.matched - 1 not in self.on:
            return False
        self.injected += 1
        return True


@dataclass
class _Ears:
    """What belongs to the thread that listens."""

    loop: asyncio.AbstractEventLoop
    server: asyncio.Server
    released: asyncio.Event
    connections: set[asyncio.Task[None]] = field(default_factory=set)


class FaultProxy:
    """A proxy in a thread of its own; see the module.

    Attributes:
        url: What clients are given instead of the server's.
        requests: Every request so far.
        injected: How often each kind of fault was met.
    """

    def __init__(self, server: str) -> None:
        self._server = server.rstrip("/")
        split = urlsplit(self._server)
        assert split.hostname is not None
        assert split.port is not None
        self._address = (split.hostname, split.port)
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self.requests: list[Request] = []
        self.injected: Counter[str] = Counter()
        self.url = ""

    def __enter__(self) -> FaultProxy:
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen(started)), name="fault-proxy")
        self._thread.start()
        assert started.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ears.loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(30)

    def fail(
        self,
        fault: Fault,
        *,
        method: str | None = None,
        path: str = "",
        query: str = "",
        on: Container[int] = (0,),
    ) -> Rule:
        """Let requests meet a fault; of several rules that fit, the first whose turn it is counts.

        Args:
            fault: What happens to them.
            method: A regular expression for all of the method, such as ``PUT|POST``.
            path: One to be found in the decoded path.
            query: One to be found in the query.
            on: Which of those that match, counted from 0: ``(0,)``, ``range(3)``, `ALWAYS`.
        """
        rule = Rule(fault, re.compile(method) if method else None, re.compile(path), re.compile(query), on)
        with self._lock:
            self._rules.append(rule)
        return rule

    def heal(self) -> None:
        """Let nothing fail from now on, and end what hangs."""
        with self._lock:
            self._rules.clear()
        self._ears.loop.call_soon_threadsafe(self._ears.released.set)

    def seen(self, method: str = "", path: str = "", query: str = "") -> list[Request]:
        """The requests so far that fit; as in `fail`."""
        with self._lock:
            known = list(self.requests)
        return [
            request
            for request in known
            if (not method or re.fullmatch(method, request.method))
            and re.search(path, request.path)
            and re.search(query, request.query)
        ]

    def received(self, path: str = "") -> int:
        """Bytes of the bodies of all answers to GET so far, of the paths that fit."""
        return sum(request.received for request in self.seen("GET", path))

    def sent(self, path: str = "") -> int:
        """Bytes of the bodies of all requests so far, of the paths that fit."""
        return sum(request.sent for request in self.seen(path=path))

    # --- in the thread of its own ---

    async def _listen(self, started: threading.Event) -> None:
        self._stopped = asyncio.Event()
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=relay.LIMIT)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self._ears = _Ears(asyncio.get_running_loop(), server, asyncio.Event())
        started.set()
        await self._stopped.wait()
        server.close()
        for task in self._ears.connections:
            task.cancel()
        await asyncio.gather(*self._ears.connections, return_exceptions=True)
        await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._ears.connections.add(task)
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError, relay.Lost):
            relay.reset(writer)  # one side is gone: the other learns it
        except asyncio.CancelledError:
            relay.reset(writer)  # the end of the proxy, which nobody waits for
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
            self._ears.connections.discard(task)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Serve one request; whether the connection goes on."""
        head = await relay.read_head(reader)
        if head is None:
            return False
        method, target, _ = head.first.split(" ", 2)
        path, _, query = target.partition("?")
        request = Request(0, method, unquote(path), query, {name.lower(): value for name, value in head.headers})
        fault = self._met(request)
        if isinstance(fault, Reset):
            raise relay.Lost
        if isinstance(fault, Hang):
            await self._ears.released.wait()
            raise relay.Lost
        if isinstance(fault, Answer):
            request.status = fault.status
            await relay.answer(head, reader, writer, fault)
            return False
        if isinstance(fault, Delay):
            await asyncio.sleep(fault.seconds)
        if isinstance(fault, Call):
            await asyncio.to_thread(fault.function)
        return await relay.forward(
            head, reader, writer, self._address, request, fault, (self._server.encode(), self.url.encode())
        )

    def _met(self, request: Request) -> Fault | None:
        with self._lock:
            request.number = len(self.requests)
            self.requests.append(request)
            for rule in self._rules:
                if rule.fires(request):
                    request.fault = rule.fault.kind
                    self.injected[rule.fault.kind] += 1
                    return rule.fault
        return None

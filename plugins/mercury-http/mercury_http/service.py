"""A server in a thread of this process."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from mercury_http.app import App

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mercury_http.settings import Settings
    from mercury_http.shelf import Source

log = logging.getLogger(__name__)
_PATIENCE = 30.0
_MOMENT = 0.1
_BACKLOG = 2048


class HttpService:
    """Models that answer, from a thread of this process.

    Args:
        sources: By name a bundle, or a function that loads one.
        settings: The limits.
        host: The address to listen at.
        port: The port.
        loaded_first: Whether nobody is listened to before all models are loaded: where others answer meanwhile.
        listener: The number of a bound socket to listen at, which other processes may have as well; without one, the
            server makes its own.

    Attributes:
        url: Where.
    """

    def __init__(
        self,
        sources: Mapping[str, Source],
        settings: Settings,
        host: str,
        port: int,
        *,
        loaded_first: bool = False,
        listener: int | None = None,
    ) -> None:
        self._loaded_first, self._listener = loaded_first, listener
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self.settings = settings
        self._address = (host, port)
        self._started, self._ended = threading.Event(), threading.Event()
        self._loop = _new_loop()
        self._failed: BaseException | None = None
        self._server: Any = None
        self.app = App(sources, settings, self._started.set)
        self._thread = threading.Thread(target=self._run, name="mercury-http", daemon=True)

    def start(self) -> None:
        """Begin to answer; models are loaded meanwhile, or before.

        Raises:
            OSError: The address cannot be used.
            MercuryError: A model cannot be loaded, where that comes first.
        """
        self._thread.start()
        try:
            self._until_it_began()
            self._until_it_listens()
        except BaseException:
            self.stop()
            raise

    def wait_until_ready(self) -> None:
        """Return when every model is loaded and warm.

        Raises:
            MercuryError: One cannot be loaded; the server has stopped.
        """
        loading = asyncio.run_coroutine_threadsafe(self._loaded(), self._loop)
        try:
            loading.result()
        except BaseException:
            self.stop()
            raise

    def reload(self, name: str | None = None, source: Source | None = None) -> None:
        """Load models again, and let the new ones answer once they are warm; no request is lost.

        Args:
            name: Of one model; all without.
            source: What is loaded from now on in place of what `name` was loaded from.

        Raises:
            MercuryError: One cannot be loaded; the one that is there goes on.
        """
        if name is not None and source is not None:
            self.app.shelf.replace(name, source)
        for one in [name] if name is not None else self.app.shelf.names:
            asyncio.run_coroutine_threadsafe(self.app.shelf.load(one), self._loop).result()

    def wait(self) -> None:
        """Return when it has stopped."""
        # Not `join`: a signal that raises in it makes Python 3.11 take the thread for ended.
        self._ended.wait()

    def stop(self) -> None:
        """Finish what is in flight, but for what takes longer than `stop_timeout`; then stop."""
        if self._thread.is_alive():
            with suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._end)
            if not self._ended.wait(self.settings.stop_timeout):
                with suppress(RuntimeError):
                    self._loop.call_soon_threadsafe(self.app.give_up)
            self._ended.wait()
            self._thread.join()

    def __enter__(self) -> HttpService:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # --- the thread ---

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        except BaseException as error:  # noqa: BLE001  told by `start`
            self._failed = error
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.close()
            self._ended.set()

    def _end(self) -> None:
        if self._server is not None:
            self._server.stop()
        else:  # its models are being loaded, and nobody was listened to
            for task in asyncio.all_tasks(self._loop):
                task.cancel()

    async def _serve(self) -> None:
        if self._loaded_first:
            await self.app.shelf.load_all()
            for error in self.app.shelf.errors.values():
                raise error
        self._server = server_of(self.app, *self._address, self._listener)
        await self._server.serve()  # until it was stopped, and what was under way is answered
        # The server's own threads end in their own time, and an interpreter that ends before them makes them panic.
        await asyncio.sleep(_MOMENT)

    async def _loaded(self) -> None:
        shelf = self.app.shelf
        while not shelf.is_ready:
            for error in shelf.errors.values():
                raise error
            await asyncio.sleep(0.005)

    def _until_it_began(self) -> None:
        while not self._started.wait(0.1):
            if not self._thread.is_alive():
                raise self._failed or OSError("the server ended before it answered")

    def _until_it_listens(self) -> None:
        """Return once a connection is taken, which is a moment after the loop began."""
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                with socket.create_connection(self._address, timeout=_PATIENCE):
                    return
            except ConnectionRefusedError:
                if time.monotonic() > until or not self._thread.is_alive():
                    raise
                time.sleep(0.002)


class _SharingServer(Server):
    """The server, at a socket that was handed to it: what waits there is not lost where another that has it too ends.

    Args:
        listener: The number of the socket; None lets the server make one.
        **more: The server's own arguments.
    """

    def __init__(self, target: Any, listener: int | None, **more: Any) -> None:
        super().__init__(target, **more)
        self._listener = listener

    def _init_shared_socket(self) -> None:
        if self._listener is None:
            super()._init_shared_socket()  # type: ignore[no-untyped-call]
            return
        place = socket.socket(fileno=self._listener)
        place.setblocking(False)
        place.listen(_BACKLOG)
        made: Any = SocketHolder  # whose arguments its stubs do not tell
        self.__dict__.update(_ssp=None, _shd=made(place.detach(), False, _BACKLOG), _sfd=self._listener)


def server_of(app: App, host: str, port: int, listener: int | None) -> Any:
    """The HTTP server for an application."""
    settings = app.settings
    return _SharingServer(
        app,
        listener,
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http1,
        websockets=False,
        backlog=_BACKLOG,
        backpressure=settings.connections,
        http1_settings=HTTP1Settings(
            header_read_timeout=round(settings.header_timeout * 1000),
            max_buffer_size=max(8192, settings.most_header_bytes),
        ),
        log_enabled=False,
    )


def _new_loop() -> asyncio.AbstractEventLoop:
    """That of uvloop where there is one, which is everywhere but on Windows: a request costs less with it."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
    return loop

"""The provider: `serve`."""

from __future__ import annotations

import math
import socket
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mercury_core.bundle import Bundle
from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError, StoreAccessError
from mercury_http.memory import MEMORY
from mercury_http.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mercury_http.service import HttpService
    from mercury_http.workers import Workers

    Source = Bundle | Callable[[], Bundle]

_COUNTS = ("workers", "worker_memory", "batch_rows", "most_waiting", "most_rows", "most_bytes", "connections")
_LONGEST_HEADER, _SHORTEST_TOKEN = 60.0, 8
_SECONDS = ("batch_seconds", "header_timeout", "body_timeout", "predict_timeout", "stop_timeout")


class HttpServer:
    """The provider."""

    def __call__(
        self,
        bundle: Source | Mapping[str, Source],
        *,
        name: str = "model",
        host: str = "127.0.0.1",
        port: int = 8080,
        workers: int = 1,
        worker_memory: int | None = None,
        token: str | None = None,
        batch_rows: int = 8192,
        batch_seconds: float = 0.05,
        most_waiting: int = 2048,
        most_rows: int = 100_000,
        most_bytes: int = 32 << 20,
        connections: int = 4096,
        header_timeout: float = 15.0,
        body_timeout: float = 30.0,
        predict_timeout: float = 60.0,
        stop_timeout: float = 30.0,
    ) -> HttpService | Workers:
        """Serve models over HTTP.

        Args:
            bundle: A model; or several by name. Instead of one, a function that loads it: it can be loaded again.
            name: Of the model, where there is one.
            host: The address to listen at: by default only this machine can reach it.
            port: The port; 0 takes one that is free.
            workers: How many processes answer. Each loads the models itself: more than one need functions that load
                them, which `pickle` can take, as the paths of stored models become.
            worker_memory: Bytes of memory above which a process that answers is replaced by a fresh one, for models
                that leak; None replaces none. It makes also a single worker a process of its own.
            token: What requests have to bring as ``Authorization: Bearer TOKEN``. It is a secret: take it from the
                environment.
            batch_rows: Rows that one call of the model gets at most, where they are of several requests.
            batch_seconds: That one call is to take at most, where the rows are of several requests.
            most_waiting: Requests that may wait for a model; further ones get 503.
            most_rows: Rows of one request.
            most_bytes: Of the body of one request.
            connections: That may be open.
            header_timeout: Seconds in which the head of a request has to arrive, up to 60.
            body_timeout: Seconds in which the body has to arrive.
            predict_timeout: Seconds after which a call of the model counts as hanging.
            stop_timeout: Seconds that requests under way get to be answered when the server is stopped.

        Returns:
            The service, which is ready.

        Raises:
            ArgumentsError: A value that makes no sense.
            StoreAccessError: The address cannot be used.
            MercuryError: A model cannot be loaded.
        """
        settings = Settings(
            token=token,
            batch_rows=batch_rows,
            batch_seconds=batch_seconds,
            most_waiting=most_waiting,
            most_rows=most_rows,
            most_bytes=most_bytes,
            connections=connections,
            header_timeout=header_timeout,
            body_timeout=body_timeout,
            predict_timeout=predict_timeout,
            stop_timeout=stop_timeout,
        )
        sources = {name: bundle} if isinstance(bundle, Bundle) or callable(bundle) else dict(bundle)
        given = asdict(settings) | {"host": host, "port": port, "workers": workers, "worker_memory": worker_memory}
        faults = [fault.message for fault in self.check_params(given)]
        faults += _faults_of(sources, apart=workers > 1 or worker_memory is not None)
        if faults:
            raise ArgumentsError("serve", "http", faults)
        place = _reserved(host, port)
        port = place.getsockname()[1]
        service: HttpService | Workers
        if workers > 1 or worker_memory is not None:
            from mercury_http.workers import Workers

            service = Workers(sources, settings, place, host, workers, worker_memory)
        else:
            from mercury_http.service import HttpService

            service = HttpService(sources, settings, host, port)
            with place:
                service.start()
        service.wait_until_ready()
        return service

    def check_params(self, params: Mapping[str, Any]) -> Iterator[Fault]:
        """What is wrong with values of the right types; see `mercury_core.contracts.ParamsChecker`."""
        for name, value in params.items():
            if name in _COUNTS and value is not None and value < 1:
                yield Fault((name,), f"{name!r} is {value}: expected at least 1.")
            elif name in _SECONDS and not 0 < value < math.inf:
                yield Fault((name,), f"{name!r} is {value:g}: expected seconds.")
            elif why := _wrong(name, value):
                yield Fault((name,), why)


serve = HttpServer()


def _wrong(name: str, value: Any) -> str:
    """What is wrong with a parameter; nothing where it may be as it is."""
    if name == "name" and (not value or "/" in value):
        return f"The name {value!r} of a model is empty or has a '/'."
    if name == "host" and not value:
        return "'host' is empty: expected an address, as 127.0.0.1."
    if name == "port" and not 0 <= value <= 65535:
        return f"'port' is {value}: expected 0 to 65535."
    if name == "header_timeout" and value > _LONGEST_HEADER:
        return f"'header_timeout' is {value:g}: expected at most {_LONGEST_HEADER:g} s."
    if name == "token" and value is not None and (len(value) < _SHORTEST_TOKEN or not value.isprintable()):
        return f"'token' has fewer than {_SHORTEST_TOKEN} characters, or such as cannot be sent: choose a longer one."
    if name == "worker_memory" and value is not None and not MEMORY.exists():
        return "'worker_memory' needs to see processes in /proc, as on Linux: leave it out."
    return ""


def _faults_of(sources: Mapping[str, object], *, apart: bool) -> list[str]:
    faults = [why for name in sources if (why := _wrong("name", name))]
    if not sources:
        faults.append("There is no model to serve.")
    if apart and any(isinstance(source, Bundle) for source in sources.values()):
        faults.append("Workers load the models themselves: give the paths or URIs of stored models.")
    return faults


def _reserved(host: str, port: int) -> socket.socket:
    """A socket that keeps the port until the server has it; the server shares it, and nobody else has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))  # alone: the server's own sockets are shared among its workers
            port = probe.getsockname()[1]
        kept = socket.socket(family, socket.SOCK_STREAM)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind((host, port))
    except OSError as error:
        raise StoreAccessError(
            "listen at", f"{host}:{port}", error.strerror or str(error), "Choose another host or port."
        ) from error
    return kept

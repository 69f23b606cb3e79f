"""The provider: `serve`."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from mercury_core.bundle import Bundle
from mercury_core.errors import ArgumentsError, StoreAccessError
from mercury_http.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mercury_http.service import HttpService
    from mercury_http.workers import Workers

    Source = Bundle | Callable[[], Bundle]


def serve(
    bundle: Source | Mapping[str, Source],
    *,
    name: str = "model",
    host: str = "127.0.0.1",
    port: int = 8080,
    workers: int = 1,
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
        workers: How many processes answer. Each loads the models itself: more than one need functions that load them,
            which `pickle` can take, as the paths of stored models become.
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
    faults = list(_faults(settings, sources, host, port, workers))
    if faults:
        raise ArgumentsError("serve", "http", faults)
    place = _reserved(host, port)
    port = place.getsockname()[1]
    service: HttpService | Workers
    if workers > 1:
        from mercury_http.workers import Workers

        service = Workers(sources, settings, place, host, workers)
    else:
        from mercury_http.service import HttpService

        service = HttpService(sources, settings, host, port)
        with place:
            service.start()
    service.wait_until_ready()
    return service


def _faults(settings: Settings, sources: Mapping[str, object], host: str, port: int, workers: int) -> list[str]:
    faults = []
    if workers < 1:
        faults.append(f"'workers' is {workers}: expected at least 1.")
    if workers > 1 and any(isinstance(source, Bundle) for source in sources.values()):
        faults.append("Several workers load the models themselves: give the paths or URIs of stored models.")
    if not sources:
        faults.append("There is no model to serve.")
    faults += [f"The name {name!r} of a model is empty or has a '/'." for name in sources if not name or "/" in name]
    if not 0 <= port <= 65535:
        faults.append(f"'port' is {port}: expected 0 to 65535.")
    if settings.token is not None and (len(settings.token) < 8 or not settings.token.isprintable()):
        faults.append("'token' has fewer than 8 characters, or such as cannot be sent: choose a longer one.")
    if not host:
        faults.append("'host' is empty: expected an address, as 127.0.0.1.")
    for name in ("batch_rows", "most_waiting", "most_rows", "most_bytes", "connections"):
        if getattr(settings, name) < 1:
            faults.append(f"{name!r} is {getattr(settings, name)}: expected at least 1.")
    for name in ("batch_seconds", "header_timeout", "body_timeout", "predict_timeout", "stop_timeout"):
        if getattr(settings, name) <= 0:
            faults.append(f"{name!r} is {getattr(settings, name)}: expected seconds.")
    if settings.header_timeout > 60:
        faults.append(f"'header_timeout' is {settings.header_timeout:g}: expected at most 60 s.")
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

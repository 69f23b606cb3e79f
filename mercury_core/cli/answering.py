"""What ``serve`` and ``run --serve`` have in common: a service that answers until somebody stops it.

Ctrl-C and SIGTERM let requests in flight finish; SIGHUP loads the models again without a request being lost.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager

from mercury_core.cli import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from mercury_core.contracts import Service


def answer(
    models: Mapping[str, str],
    server: str,
    load: Mapping[str, Any],
    params: Mapping[str, Any],
    started: Callable[[str], None],
) -> None:
    """Serve models until somebody stops it.

    Args:
        models: By name a path or a URI.
        server: The key of the server.
        load: Arguments for loading the models.
        params: The server's own parameters.
        started: Told the URL, once the service answers.

    Raises:
        MercuryError: It cannot be served.
        KeyboardInterrupt: It was stopped before it answered.
    """
    from mercury_core.cli.aside import prints_aside
    from mercury_core.serving import serve_model
    from mercury_core.workflow.watch import clean_stop

    services: list[Service] = []
    with clean_stop(), _reloading(services):
        with prints_aside():
            services.append(serve_model(dict(models), server, load=load, **params))
        service = services[0]
        # What was imported and loaded stays: to look through it for garbage would hold up requests for 40 ms at a time.
        gc.collect()
        gc.freeze()
        try:
            started(service.url)
            with prints_aside():
                service.wait()
        except KeyboardInterrupt:
            output.say("Stopping: requests in flight are finished.")
            service.stop()
        except BaseException:
            service.stop()
            raise


@contextmanager
def _reloading(started: list[Service]) -> Iterator[None]:
    """Let SIGHUP load the models again, where the system has it, and the server is there and can."""
    import signal
    from threading import Thread

    def again() -> None:
        try:
            started[0].reload()  # type: ignore[attr-defined]
        except Exception as error:  # noqa: BLE001  said, and the model that is there goes on
            output.say(output.sentence(error, debug=False))
        else:
            output.say("Loaded again.")

    def hung_up(_number: int, _frame: object) -> None:
        if started and hasattr(started[0], "reload"):
            Thread(target=again, daemon=True).start()

    if not hasattr(signal, "SIGHUP"):
        yield
        return
    before = signal.signal(signal.SIGHUP, hung_up)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)

"""Around the steps of a run: who is told, what they warn of, and how they are stopped."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mercury_core import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_log = logging.getLogger(__name__)


class Watchers:
    """Everybody who is told of a run: a listener, and the plugins that observe."""

    def __init__(self, listener: object | None) -> None:
        self._listener = listener

    def tell(self, what: str, **fields: Any) -> None:
        """Tell everybody of an event of the lifecycle."""
        self.tell_listener(what, **fields)
        registry.lifecycle(f"mercury_{what}", **fields)

    def tell_listener(self, what: str, **fields: Any) -> None:
        """Tell the listener, of what the observers know already; if it raises, that is reported and breaks nothing."""
        heard = getattr(self._listener, what, None)
        if heard is not None:
            try:
                heard(**fields)
            except Exception as error:  # noqa: BLE001 -- whatever an observer raises, the run goes on
                _log.warning("The listener %r raised in %s: %s: %s", self._listener, what, type(error).__name__, error)


@contextmanager
def noting_warnings(note: Callable[[dict[str, Any]], None]) -> Iterator[None]:
    """Note every Python warning, and pass it on: filters and whoever else shows warnings stay as they are."""
    shown_before = warnings.showwarning

    def show(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *rest: Any, **named: Any
    ) -> None:
        note({"category": category.__name__, "message": str(message), "file": filename, "line": lineno})
        shown_before(message, category, filename, lineno, *rest, **named)

    warnings.showwarning = show
    try:
        yield
    finally:
        if warnings.showwarning is show:
            warnings.showwarning = shown_before


class Terminated(KeyboardInterrupt):
    """SIGTERM, as an exception of the kind of Ctrl-C: no provider's sys.exit is taken for it, and nothing catches it.

    Attributes:
        code: What a process that it ends exits with.
    """

    code = 128 + signal.SIGTERM


@contextmanager
def clean_stop() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does, by an exception: half-written files are removed, the record is kept.

    Only where nobody else handles it, and in the main thread, the only one that may.
    """
    ours = threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not ours:
        yield
        return

    def stop(_number: int, _frame: object) -> None:
        raise Terminated

    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

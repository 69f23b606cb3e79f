"""The bodies of requests, within limits of size and time."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

from granian._granian import RSGIProtocolClosed

from mercury_http.refusals import RequestError, busy

if TYPE_CHECKING:
    from mercury_http.settings import Settings

_EVERY = 1.0


class Bodies:
    """Reads bodies; those that do not arrive in time are given up by `watch`."""

    def __init__(self, settings: Settings) -> None:
        self._most, self._pending_most = settings.most_bytes, settings.most_pending_bytes
        self._timeout = settings.body_timeout
        self._pending = 0
        self._reading: dict[asyncio.Task[Any], float] = {}

    async def read(self, headers: Any, protocol: Any) -> bytes:
        """All of a body.

        Args:
            headers: Of the request.
            protocol: What it is read from.

        Raises:
            RequestError: It is too large or too slow, or compressed, or ends too early.
        """
        encoding = headers.get("content-encoding")
        if encoding is not None and encoding.lower() != "identity":
            raise RequestError(f"The content encoding {encoding[:40]!r} is not known here: send it as it is.", 415)
        announced = headers.get("content-length")
        size = int(announced) if announced is not None else 0
        if size > self._most:
            raise self._too_large()
        if self._pending + size > self._pending_most:
            raise busy("Too much is under way")
        task: Any = asyncio.current_task()
        self._reading[task] = time.monotonic()
        self._pending += size
        try:
            if announced is not None:
                content: bytes = await protocol()
                return content
            parts, size = [], 0
            async for part in protocol:
                size += len(part)
                self._pending += len(part)
                if size > self._most:
                    raise self._too_large()
                if self._pending > self._pending_most:
                    raise busy("Too much is under way")
                parts.append(bytes(part))
            return b"".join(parts)
        except RSGIProtocolClosed:
            raise RequestError("The body ended before all of it was there.") from None
        except asyncio.CancelledError:
            if task not in self._reading:  # given up by `watch`
                raise RequestError(f"The body did not arrive within {self._timeout:g} s.", 408) from None
            raise
        finally:
            self._reading.pop(task, None)
            self._pending -= size

    async def watch(self) -> None:
        """Give up bodies that do not arrive in time, for as long as the server runs."""
        while True:
            await asyncio.sleep(min(_EVERY, self._timeout / 4))
            late = time.monotonic() - self._timeout
            self._cancel([task for task, start in self._reading.items() if start < late])

    def give_up(self) -> None:
        """Wait for no body any more."""
        self._cancel(list(self._reading))

    def _cancel(self, tasks: list[asyncio.Task[Any]]) -> None:
        for task in tasks:
            del self._reading[task]
            task.cancel()

    def _too_large(self) -> RequestError:
        return RequestError(f"The body has more than {self._most} bytes, which is the most that is taken here.", 413)

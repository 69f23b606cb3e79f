"""What answers requests: the application that the HTTP server calls.

It speaks RSGI, the interface of granian: what ASGI does in several messages is one call there, and half of the cost of
a request is the way to the application.

Source: https://github.com/emmett-framework/granian/blob/master/docs/spec/RSGI.md
"""

from __future__ import annotations

import asyncio
import hmac
import os
import time
from typing import TYPE_CHECKING, Any

import msgspec

from mercury_core import __version__
from mercury_http.bodies import Bodies
from mercury_http.faults import report
from mercury_http.metrics import CONTENT_TYPE, DIRECTORY, Metrics, ModelMetrics
from mercury_http.openapi import described, document
from mercury_http.outputs import SCORES
from mercury_http.pages import PAGES
from mercury_http.people import answer_kind, kind_of, reading_rows, rows_of, written
from mercury_http.protocol import EXTENSIONS, answer, read, wants_ready
from mercury_http.refusals import RequestError, unknown
from mercury_http.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mercury_http.settings import Settings
    from mercury_http.shelf import Source

    Headers = list[tuple[str, str]]

_JSON: Headers = [("content-type", "application/json")]
_encode = msgspec.json.Encoder().encode


class App:
    """The application.

    Args:
        sources: By name a bundle, or a function that loads one.
        settings: The limits.
        started: Called in the server's loop, before the first request.
    """

    def __init__(
        self, sources: Mapping[str, Source], settings: Settings, started: Callable[[], None] = lambda: None
    ) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.shelf = Shelf(sources, settings, self.metrics)
        self._started = started
        self._bodies = Bodies(settings)
        self._token = settings.token.encode() if settings.token else None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._infer = {f"/v2/models/{name}/infer": name for name in sources}
        self._counters: dict[str, ModelMetrics] = {name: self.metrics.of(name) for name in sources}

    # --- the server's calls ---

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop runs."""
        for work in (self._bodies.watch(), self.shelf.load_all(), self._noting()):
            task = loop.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._started()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """The loop is about to end."""
        for task in self._tasks:
            task.cancel()
        self.shelf.close()

    async def _noting(self) -> None:
        """Keep how the models of this process are, where other processes can tell it."""
        while DIRECTORY in os.environ:
            self.metrics.note(self.shelf.states())
            await asyncio.sleep(1.0)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Answer one request."""
        if scope.proto != "http":
            protocol.close(403)
            return
        name = self._infer.get(scope.path)
        if name is not None and scope.method == "POST":
            await self._answered(self._counters[name], self._inferred(scope, protocol, name, None), protocol)
        else:
            await self._answered(self._counters_for(scope), self._routed(scope, protocol), protocol)

    def _counters_for(self, scope: Any) -> ModelMetrics | None:
        """Where a request for predictions is counted, however it ends; None of any other."""
        parts = scope.path.strip("/").split("/")
        if scope.method != "POST":
            return None
        if parts[0] == "predict":
            names = parts[1:] or (self.shelf.names if len(self.shelf.names) == 1 else [""])
            return self._counters.get(names[0])
        return self._counters.get(parts[2]) if parts[-1] == "infer" and len(parts) > 3 else None

    def give_up(self) -> None:
        """Answer every request under way with an error, since the server has to stop."""
        self._bodies.give_up()
        self.shelf.give_up()

    async def _answered(self, counters: ModelMetrics | None, work: Any, protocol: Any) -> None:
        start = time.perf_counter()
        try:
            status, headers, body = await work
        except RequestError as refusal:
            status, headers = refusal.status, [*_JSON, *refusal.headers]
            body = _encode({"error": str(refusal)})
        except ConnectionError:
            return
        except Exception as error:  # noqa: BLE001  nobody outside is told of it
            id = report(error, "the server")  # noqa: A001
            status, headers = 500, _JSON
            body = _encode({"error": f"The server failed; its log has more under {id}."})
        if counters is not None:
            counters.answered(status, time.perf_counter() - start)
        protocol.response_bytes(status, headers, body)

    # --- inference ---

    async def _inferred(self, scope: Any, protocol: Any, name: str, version: str | None) -> tuple[int, Headers, bytes]:
        headers = scope.headers
        self._authorise(headers)
        body = await self._bodies.read(headers, protocol)
        served = self.shelf.get(name, version)
        asked = read(body, headers.get("inference-header-content-length"))
        if asked.outputs is not None:
            served.require_outputs(asked.outputs)
        with reading_rows():
            rows = served.inputs.rows(asked.tensors)
        if rows.count > self.settings.most_rows:
            raise RequestError(f"There are {rows.count} rows: expected at most {self.settings.most_rows}.", 413)
        known = served.empty() if not rows.count else None
        if known is not None:
            outputs, at = known, 0
        else:
            outputs, at = await served.batcher.submit(rows, scores=asked.outputs is None or SCORES in asked.outputs)
        content, length = answer(served.head, asked, outputs.of(asked.outputs), at, at + rows.count)
        if length is None:
            return 200, _JSON, content
        kind = [("content-type", "application/octet-stream"), ("inference-header-content-length", str(length))]
        return 200, kind, content

    # --- everything else ---

    async def _routed(self, scope: Any, protocol: Any) -> tuple[int, Headers, bytes]:
        path, method = scope.path.rstrip("/"), scope.method
        parts = path.split("/")[1:]  # which are not quoted any more
        if parts[:1] == ["v2"]:
            return await self._protocol(parts[1:], method, scope, protocol)
        if parts[:1] == ["predict"] and len(parts) < 3:
            _require_method(method, "POST")
            return await self._predicted(scope, protocol, parts[1] if len(parts) == 2 else None)
        if parts in (["metrics"], ["models.json"], ["openapi.json"]):
            _require_method(method, "GET")
            self._authorise(scope.headers)
            return self._told(parts[0])
        page = PAGES.get(path)
        if page is not None:
            _require_method(method, "GET")
            return 200, page[0], page[1]
        raise unknown("page", scope.path, [], 404)

    async def _predicted(self, scope: Any, protocol: Any, name: str | None) -> tuple[int, Headers, bytes]:
        """Rows as people have them."""
        self._authorise(scope.headers)
        names = self.shelf.names
        if name is None:
            if len(names) > 1:
                raise RequestError(f"There are several models: ask for /predict/NAME, of {', '.join(names)}.", 404)
            name = names[0]
        body = await self._bodies.read(scope.headers, protocol)
        served = self.shelf.get(name)
        kind = kind_of(scope.headers.get("content-type"))
        wanted = answer_kind(scope.headers.get("accept"), kind)
        rows = rows_of(body, kind, served.bundle.signature)
        if rows.count > self.settings.most_rows:
            raise RequestError(f"There are {rows.count} rows: expected at most {self.settings.most_rows}.", 413)
        known = served.empty() if not rows.count else None
        outputs, at = (known, 0) if known is not None else await served.batcher.submit(rows, scores=True)
        columns = outputs.columns(at, at + rows.count, served.score_names)
        return 200, [("content-type", wanted)], written(columns, wanted)

    def _told(self, what: str) -> tuple[int, Headers, bytes]:
        if what == "metrics":
            self.metrics.note(self.shelf.states())
            return 200, [("content-type", CONTENT_TYPE)], self.metrics.text()
        served = self.shelf.served
        if what == "openapi.json":
            return 200, _JSON, _encode(document(served, locked=self._token is not None))
        return 200, _JSON, _encode({"models": [described(one) for one in served]})

    async def _protocol(self, parts: list[str], method: str, scope: Any, protocol: Any) -> tuple[int, Headers, bytes]:
        if parts in (["health", "live"], ["health", "ready"]):
            _require_method(method, "GET")
            return self._health(ready=parts[1] == "ready")
        if not parts:
            _require_method(method, "GET")
            self._authorise(scope.headers)
            return 200, _JSON, _encode({"name": "mercury", "version": __version__, "extensions": EXTENSIONS})
        if parts == ["repository", "index"]:
            _require_method(method, "POST")
            self._authorise(scope.headers)
            ready = wants_ready(await self._bodies.read(scope.headers, protocol))
            return 200, _JSON, _encode([one for one in self.shelf.index() if not ready or one["state"] == "READY"])
        if parts[0] != "models" or len(parts) < 2:
            raise unknown("page", scope.path, [], 404)
        name, rest, version = parts[1], parts[2:], None
        if rest[:1] == ["versions"] and len(rest) > 1:
            version, rest = rest[1], rest[2:]
        if rest == ["infer"]:
            _require_method(method, "POST")
            return await self._inferred(scope, protocol, name, version)
        if rest not in ([], ["ready"]):
            raise unknown("page", scope.path, [], 404)
        _require_method(method, "GET")
        self._authorise(scope.headers)
        served = self.shelf.get(name, version)
        if not rest:
            return 200, _JSON, _encode(served.metadata())
        ready = self.shelf.is_well(name)
        return 200 if ready else 503, _JSON, _encode({"name": name, "ready": ready})

    def _health(self, *, ready: bool) -> tuple[int, Headers, bytes]:
        if not ready:
            return 200, _JSON, b'{"live":true}'
        if self.shelf.is_ready:
            return 200, _JSON, b'{"live":true,"ready":true}'
        return 503, _JSON, b'{"live":true,"ready":false}'

    def _authorise(self, headers: Any) -> None:
        if self._token is None:
            return
        kind, _, given = (headers.get("authorization") or "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), self._token):
            raise RequestError(
                "A token is needed, as the header 'Authorization: Bearer TOKEN'.", 401, [("www-authenticate", "Bearer")]
            )


def _require_method(found: str, expected: str) -> None:
    if found != expected and not (found == "HEAD" and expected == "GET"):
        raise RequestError(
            f"The method {found[:20]} is not known here: expected {expected}.", 405, [("allow", expected)]
        )

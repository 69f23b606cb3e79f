"""What the server counts, for Prometheus."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Where workers keep what they count, so that each can tell of all; set in the workers by whoever started them.
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SIZES = tuple(2**power for power in range(15))


class State(NamedTuple):
    """How a model is: its name, the requests that wait for it, whether it is at work, whether it answers."""

    name: str
    waiting: int
    is_busy: bool
    is_ready: bool


class Metrics:
    """The counters of one server."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        labels, registry = ("model",), self._registry
        self._requests = Counter("mercury_requests", "Requests", ("model", "status"), registry=registry)
        self._rows = Counter("mercury_rows", "Rows that were predicted", labels, registry=registry)
        self._seconds = Histogram(
            "mercury_request_seconds", "From request to answer", labels, buckets=_SECONDS, registry=registry
        )
        self._predict = Histogram(
            "mercury_predict_seconds", "One call of the model", labels, buckets=_SECONDS, registry=registry
        )
        self._batch = Histogram("mercury_batch_rows", "Rows of one call", labels, buckets=_SIZES, registry=registry)
        self._queue = Gauge(
            "mercury_queue", "Requests that wait for the model", labels, registry=registry, multiprocess_mode="livesum"
        )
        self._busy = Gauge(
            "mercury_busy", "Whether the model is at work", labels, registry=registry, multiprocess_mode="livesum"
        )
        self._ready = Gauge(
            "mercury_ready", "Whether the model answers", labels, registry=registry, multiprocess_mode="livemin"
        )

    def of(self, model: str) -> ModelMetrics:
        """The counters of one model."""
        return ModelMetrics(self, model)

    def note(self, states: Iterable[State]) -> None:
        """Keep how models are.

        Args:
            states: How every model is.
        """
        for state in states:
            self._queue.labels(state.name).set(state.waiting)
            self._busy.labels(state.name).set(state.is_busy)
            self._ready.labels(state.name).set(state.is_ready)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        if DIRECTORY not in os.environ:
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        MultiProcessCollector(shared)  # type: ignore[no-untyped-call]
        return generate_latest(shared)


class ModelMetrics:
    """The counters of one model, found once."""

    def __init__(self, metrics: Metrics, model: str) -> None:
        self._model, self._all = model, metrics
        self._rows = metrics._rows.labels(model)
        self._seconds = metrics._seconds.labels(model)
        self._predict = metrics._predict.labels(model)
        self._batch = metrics._batch.labels(model)
        self._by_status: dict[int, Counter] = {}

    def answered(self, status: int, seconds: float) -> None:
        """A request was answered."""
        counter = self._by_status.get(status)
        if counter is None:
            counter = self._by_status[status] = self._all._requests.labels(self._model, str(status))
        counter.inc()
        self._seconds.observe(seconds)

    def predicted(self, requests: int, rows: int, seconds: float) -> None:  # noqa: ARG002
        """The model was called once."""
        self._rows.inc(rows)
        self._batch.observe(rows)
        self._predict.observe(seconds)

"""Predicting what waits together: one call of the model for the rows of many requests.

A request that finds the model idle is predicted at once. What comes while the model is busy waits, and is predicted
together as soon as it is idle: so the batches grow with the load, and nobody ever waits for others to come.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from queue import SimpleQueue
from typing import TYPE_CHECKING, Protocol

from mercury_core.errors import DataError, ModelError
from mercury_http.faults import report
from mercury_http.inputs import Rows
from mercury_http.refusals import RequestError, busy

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mercury_core.data import DataWrapper
    from mercury_http.outputs import Outputs

    #: Features, and whether scores are wanted.
    Predict = Callable[[DataWrapper, bool], Outputs]

log = logging.getLogger(__name__)


class Watcher(Protocol):
    """Whoever counts what is predicted."""

    def predicted(self, requests: int, rows: int, seconds: float) -> None:
        """The model was called once."""
        ...


@dataclass(slots=True)
class Waiting:
    """A request that waits for its predictions."""

    rows: Rows
    scores: bool
    future: asyncio.Future[tuple[Outputs, int]]


class Cost:
    """What a call of the model takes: so much, and so much more a row; learnt from the calls, the later count more.

    Examples:
        >>> cost = Cost()
        >>> for rows in (1, 8, 64, 1, 8, 64):
        ...     cost.learn(rows, 0.001 + 0.0001 * rows)
        >>> cost.rows_within(0.002)
        10
    """

    _KEPT = 0.95

    def __init__(self) -> None:
        self._n = self._x = self._y = self._xx = self._xy = 0.0

    def learn(self, rows: int, seconds: float) -> None:
        """A call of so many rows took so long."""
        kept = self._KEPT
        self._n = self._n * kept + 1
        self._x = self._x * kept + rows
        self._y = self._y * kept + seconds
        self._xx = self._xx * kept + rows * rows
        self._xy = self._xy * kept + rows * seconds

    def rows_within(self, seconds: float) -> int | None:
        """How many rows a call predicts in that time, at least 1; None where that is not known."""
        spread = self._n * self._xx - self._x * self._x
        if self._n < 3 or spread <= 1e-6 * self._xx:
            return None
        each = (self._n * self._xy - self._x * self._y) / spread
        if each <= 0:
            return None
        return max(1, round((seconds - (self._y - each * self._x) / self._n) / each))


class Batcher:
    """Hands rows to a model, in a thread of its own, as many at a time as are there.

    Args:
        predict: The model.
        most_rows: In one call; more only where one request has more.
        most_seconds: That one call is to take: no more rows are put together than it predicts in that time. So a model
            for which many rows take as long together as one by one is given few.
        most_waiting: Requests that may wait; further ones are refused.
        timeout: Seconds after which a call counts as hanging.
        watcher: Told of each call.
        name: Of the model, for the log.
    """

    def __init__(
        self,
        predict: Predict,
        *,
        most_rows: int,
        most_seconds: float,
        most_waiting: int,
        timeout: float,
        watcher: Watcher,
        name: str,
    ) -> None:
        self._predict = predict
        self._most_rows, self._most_seconds = most_rows, most_seconds
        self._most_waiting, self._timeout = most_waiting, timeout
        self._watcher, self._name = watcher, name
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Waiting] = deque()
        self._running: list[Waiting] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._began = 0.0
        self._due = False
        self._cost = Cost()
        self._limit = most_rows
        self._work: SimpleQueue[list[Waiting] | None] = SimpleQueue()
        self.hangs = self._closing = False
        threading.Thread(target=self._work_on, name=f"predict-{name}", daemon=True).start()

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether the model is at work."""
        return self._running is not None

    def submit(self, rows: Rows, *, scores: bool) -> asyncio.Future[tuple[Outputs, int]]:
        """Have rows predicted.

        Returns:
            What will be the tensors of a whole batch, and the place of the first of these rows in it.

        Raises:
            RequestError: Too many wait already, or the model hangs.
        """
        if self.hangs:
            raise busy("The model does not answer", 10)
        if len(self._waiting) >= self._most_waiting:
            raise busy("Too many requests wait for the model")
        future: asyncio.Future[tuple[Outputs, int]] = self._loop.create_future()
        self._waiting.append(Waiting(rows, scores, future))
        if self._running is None and not self._due:
            # After whatever else came in the same moment.
            self._due = True
            self._loop.call_soon(self._start)
        return future

    def close(self) -> None:
        """End the thread, once all that waits was predicted."""
        self._closing = True
        if self._running is None and not self._waiting:
            self._work.put(None)

    def _start(self) -> None:
        self._due = False
        batch = self._next()
        if not batch:
            self._running = None
            if self._closing:
                self._work.put(None)
            return
        self._running = batch
        self._began = self._loop.time()
        if self._timer is None:  # one for many calls: most are over long before it is due
            self._timer = self._loop.call_later(self._timeout, self._look)
        self._work.put(batch)

    def _next(self) -> list[Waiting]:
        """What is predicted together: of one kind, in the order of arrival, within the limits."""
        waiting = self._waiting
        batch: list[Waiting] = []
        rows, passed = 0, []
        while waiting:
            one = waiting[0]
            if batch and rows + one.rows.count > self._limit:
                break
            waiting.popleft()
            if one.future.done():
                continue
            if batch and one.rows.kind != batch[0].rows.kind:
                passed.append(one)
                continue
            batch.append(one)
            rows += one.rows.count
        waiting.extendleft(reversed(passed))
        return batch

    def _look(self) -> None:
        """Whether the call that is under way has taken too long; if not, look again when it will have."""
        self._timer = None
        if self._running is None:
            return
        left = self._began + self._timeout - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        elif not self.hangs:
            self._hung()

    def _hung(self) -> None:
        self.hangs = True
        log.error("The model %r has not answered for %g s.", self._name, self._timeout)
        self.give_up(RequestError(f"The model did not answer within {self._timeout:g} s.", 504))

    def give_up(self, refusal: RequestError) -> None:
        """Refuse whatever waits, also for the call that is under way."""
        for one in [*(self._running or ()), *self._waiting]:
            if not one.future.done():
                one.future.set_exception(refusal)
        self._waiting.clear()

    # --- in the thread ---

    def _work_on(self) -> None:
        while (batch := self._work.get()) is not None:
            start = time.perf_counter()
            results = self._results(batch)
            seconds = time.perf_counter() - start
            try:
                self._loop.call_soon_threadsafe(self._done, batch, results, seconds)
            except RuntimeError:  # the loop is closed: nobody waits any more
                return

    def _results(self, batch: Sequence[Waiting]) -> list[tuple[Outputs, int] | BaseException]:
        try:
            outputs = self._predict(Rows.joined([one.rows for one in batch]), any(one.scores for one in batch))
        except BaseException as error:  # noqa: BLE001  whatever a model raises, the server goes on
            if len(batch) > 1:  # it may be of one request only
                return [result for one in batch for result in self._results([one])]
            return [refusal_of(error, self._name)]
        results: list[tuple[Outputs, int] | BaseException] = []
        at = 0
        for one in batch:
            results.append((outputs, at))
            at += one.rows.count
        return results

    # --- in the loop again ---

    def _done(
        self, batch: Sequence[Waiting], results: Sequence[tuple[Outputs, int] | BaseException], seconds: float
    ) -> None:
        self.hangs = False
        rows = 0
        for one, result in zip(batch, results, strict=True):
            rows += one.rows.count
            if one.future.done():
                continue
            if isinstance(result, BaseException):
                one.future.set_exception(result)
            else:
                one.future.set_result(result)
        self._cost.learn(rows, seconds)
        self._limit = min(self._most_rows, self._cost.rows_within(self._most_seconds) or self._most_rows)
        self._watcher.predicted(len(batch), rows, seconds)
        if self._waiting and not self._due:
            self._due = True
            # After the answers, and whatever came meanwhile.
            self._loop.call_soon(self._start)
        elif not self._waiting:
            self._running = None
            if self._closing:
                self._work.put(None)


def refusal_of(error: BaseException, name: str) -> RequestError:
    """What the sender of rows is told of an error of the model: all of it where the rows are to blame."""
    if isinstance(error, RequestError):
        return error
    if isinstance(error, (DataError, ModelError)):
        return RequestError(str(error))
    return RequestError(f"The model failed; the log of the server has more under {report(error, name)}.", 500)

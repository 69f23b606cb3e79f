"""Threads that share the work of one copy, and the memory that they may use for it."""

from __future__ import annotations

import os
from contextlib import suppress
from mmap import mmap
from queue import Empty, SimpleQueue
from threading import Condition, Event, Lock, Thread
from time import monotonic, process_time
from typing import Generic, TypeVar

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, Self

T = TypeVar("T")

BUFFERS = 64 << 20
"""Bytes of all buffers of one copy together; two parts where those are larger than half of it."""

_UNCOUNTED = 64 << 10  # such small buffers are not worth a lock
# Seconds after which the main thread looks up: a signal that comes just before it waits does not wake it.
_GLANCE = 0.2
_PATIENCE = 2.0  # seconds that an interrupted copy waits for threads that hang in a call
#: Threads that begin with one large file; the others join them where the network keeps these waiting.
FIRST = 4
# The part of all processors above which more threads would only wait for each other.
_BUSY = 0.3


class CancelledError(Exception):
    """Another thread failed, or the user interrupted: what is under way is given up."""


class Pool:
    """Some threads that take tasks from a short queue.

    The first error wins: tasks that have not begun are dropped then, and those under way find out from `check`. Use it
    as a context: whatever happens in the body, the threads are gone at its end.
    """

    def __init__(self, threads: int) -> None:
        """Use at most `threads`; none is started before there is something to do."""
        self.threads = threads
        self._tasks: SimpleQueue[tuple[Callable[[], None], bool] | None] = SimpleQueue()
        self._places: SimpleQueue[None] = SimpleQueue()
        for _ in range(2 * threads):
            self._places.put(None)
        self._lock, self._idle = Lock(), Event()
        self._started: list[Thread] = []
        self._unfinished, self._closed = 0, False
        self._error: BaseException | None = None
        self._shared: set[_Shared[Any]] = set()
        self.budget = Budget(self)

    def add(self, task: Callable[[], None]) -> None:
        """Have a task done; waits while the queue is full.

        Raises:
            CancelledError: A task failed.
        """
        while True:
            with suppress(Empty):
                self._places.get(timeout=_GLANCE)
                break
        self.check()
        self._put(task, counted=True)

    def start(self, task: Callable[[], None]) -> None:
        """Have a task done as soon as a thread is free, without waiting for a place in the queue."""
        self._put(task, counted=False)

    def share(
        self,
        steps: Iterable[T],
        do: Callable[[T], None],
        *,
        most: int | None = None,
        admit: Callable[[T], None] | None = None,
    ) -> None:
        """Do the steps of one task, in this thread and in others that have nothing to do; returns when all are done.

        Args:
            steps: The steps; taken by one thread at a time, each when a thread is free for it.
            do: Does one.
            most: How many threads; None for all. Few begin, and more join them in `wait`, while processors are idle.
            admit: Called with each step, in their order, by one thread at a time; it may wait.

        Raises:
            BaseException: The first that a step raised; no further steps are begun then.
        """
        shared = _Shared(self, iter(steps), do, admit, min(most or self.threads, self.threads))
        with self._lock:
            self._shared.add(shared)
        try:
            shared.widen(FIRST)
            shared.join_in()
            shared.wait()
        finally:
            with self._lock:
                self._shared.discard(shared)
        self.check()

    def check(self) -> None:
        """Raise CancelledError where the copy is given up."""
        if self._error is not None:
            raise CancelledError

    @property
    def stopped(self) -> bool:
        """Whether the copy is given up."""
        return self._error is not None

    def wait(self) -> None:
        """Wait until all tasks are done.

        Raises:
            CancelledError: One of them failed.
        """
        with self._lock:
            self._closed = True
            if not self._unfinished:
                self._idle.set()
        load = _Load()
        while not self._idle.wait(_GLANCE):
            if load.is_low():
                with self._lock:
                    shared = list(self._shared)
                for one in shared:
                    one.widen()
        self.check()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None:
            self._fail(error)
        try:
            self._end()
        except BaseException as interrupt:  # Ctrl-C just now
            self._fail(interrupt)
            self._end()
            raise
        if self._error is not None and self._error is not error:
            context = self._error.__context__
            try:
                raise self._error
            finally:
                self._error.__context__ = context  # that this thread was told to give up says nothing to anybody

    def _end(self) -> None:
        self._tasks.put(None)  # each thread that finds it leaves it to the next one
        # A call that hangs is not waited for when the user has enough.
        ends = monotonic() + _PATIENCE if isinstance(self._error, KeyboardInterrupt) else None
        for thread in self._started:
            with suppress(RuntimeError):  # it was interrupted before it began
                thread.join(None if ends is None else max(ends - monotonic(), 0))
        self.budget.clear()

    def alive(self) -> bool:
        """Whether a thread is left, which hangs in a call."""
        return any(thread.is_alive() for thread in self._started)

    def _put(self, task: Callable[[], None], *, counted: bool) -> None:
        with self._lock:
            self._unfinished += 1
            # Once the copy is given up, the threads that there are have been told to end.
            if self._error is None and len(self._started) < min(self.threads, self._unfinished):
                thread = Thread(target=self._work, name=f"mercury-copy-{len(self._started)}", daemon=True)
                self._started.append(thread)
                thread.start()
        self._tasks.put((task, counted))

    def _work(self) -> None:
        while (taken := self._tasks.get()) is not None:
            task, counted = taken
            try:
                if self._error is None:
                    task()
            except BaseException as error:  # noqa: BLE001 — raised again in the main thread
                self._fail(error)
            del task, taken
            if counted:
                self._places.put(None)
            with self._lock:
                self._unfinished -= 1
                if self._closed and not self._unfinished:
                    self._idle.set()
        self._tasks.put(None)

    def _fail(self, error: BaseException) -> None:
        with self._lock:
            if self._error is None or isinstance(self._error, CancelledError):
                self._error = error
        self._places.put(None)  # the main thread may wait for a place
        self._idle.set()
        self.budget.wake()


class _Shared(Generic[T]):
    """The steps of one task, which threads join in to do."""

    def __init__(
        self,
        pool: Pool,
        steps: Iterator[T],
        do: Callable[[T], None],
        admit: Callable[[T], None] | None,
        most: int,
    ) -> None:
        self._pool, self._steps, self._do, self._admit, self._most = pool, steps, do, admit, most
        self._taking, self._state = Lock(), Condition()
        self._asked, self._inside, self._closed = 1, 0, False
        self._error: BaseException | None = None

    def widen(self, threads: int | None = None) -> None:
        """Ask others to join in: up to a number of them all together, or as many as there are."""
        with self._state:
            more = 0 if self._closed else min(threads or 2 * self._asked, self._most) - self._asked
            self._asked += max(more, 0)
        for _ in range(more):
            self._pool.start(self.join_in)

    def join_in(self) -> None:
        with self._state:
            if self._closed:
                return
            self._inside += 1
        try:
            for step in self._taken():
                self._do(step)
        except BaseException as error:  # noqa: BLE001 — raised again by the thread whose task it is
            self._fail(error)
        finally:
            with self._state:
                self._inside -= 1
                self._state.notify_all()

    def _taken(self) -> Iterator[T]:
        while True:
            with self._taking:
                if self._error is not None or self._pool.stopped:
                    return
                try:
                    step = next(self._steps)
                    if self._admit is not None:
                        self._admit(step)
                except StopIteration:
                    return
                except BaseException as error:
                    self._fail(error)  # before another thread takes a step that would wait for this one
                    raise
            yield step

    def _fail(self, error: BaseException) -> None:
        with self._state:
            # Who gave up because of an error may be faster than who has it.
            if self._error is None or isinstance(self._error, CancelledError):
                self._error = error

    def wait(self) -> None:
        with self._state:
            self._closed = True
            self._state.wait_for(lambda: not self._inside)
        if self._error is not None:
            raise self._error


class _Load:
    """How busy the processors are with this process."""

    def __init__(self) -> None:
        # Those that this process may use, where the system tells.
        self._processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        self._last = monotonic(), process_time()

    def is_low(self) -> bool:
        """Whether they were mostly idle, or at other work, since the last look."""
        (then, used), self._last = self._last, (monotonic(), process_time())
        return self._last[1] - used < _BUSY * self._processors * (self._last[0] - then)


class Budget:
    """The memory for buffers of one copy.

    Large buffers are mapped and used again: what threads allocate and free would stay with their allocators.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool, self._free = pool, Condition()
        self._used = 0
        self._spare: list[mmap] = []

    def take(self, size: int) -> None:
        """Wait until there is room for `size` more bytes.

        Raises:
            CancelledError: The copy is given up.
        """
        if size > _UNCOUNTED:
            with self._free:
                self._wait(size)

    def give(self, size: int) -> None:
        """Give back what was taken."""
        if size > _UNCOUNTED:
            with self._free:
                self._used -= size
                self._free.notify_all()

    def lend(self, size: int) -> mmap:
        """A buffer of `size` bytes, when there is room for it; hand it to `put_back` afterwards.

        Raises:
            CancelledError: The copy is given up.
        """
        with self._free:
            self._wait(size)
            fitting = [spare for spare in self._spare if len(spare) == size]
            if fitting:
                self._spare.remove(fitting[0])
                return fitting[0]
            while self._spare and self._used + sum(map(len, self._spare)) > BUFFERS:
                self._spare.pop()
        return mmap(-1, size)

    def put_back(self, buffer: mmap) -> None:
        """Have a buffer used again."""
        with self._free:
            self._spare.append(buffer)
            self._used -= len(buffer)
            self._free.notify_all()

    def clear(self) -> None:
        """Let go of the buffers that are kept to be used again."""
        with self._free:
            self._spare.clear()

    def wake(self) -> None:
        """Have those who wait look whether the copy was given up."""
        with self._free:
            self._free.notify_all()

    def _wait(self, size: int) -> None:
        while self._used and self._used + size > max(BUFFERS, 2 * size):
            self._pool.check()
            self._free.wait()
        self._pool.check()
        self._used += size

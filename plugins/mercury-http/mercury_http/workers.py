"""Several processes that answer at one port: started, watched, and started again where one dies."""

from __future__ import annotations

import logging
import os
import pickle
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

from mercury_core.errors import ArgumentsError, MercuryError
from mercury_http.memory import memory_of
from mercury_http.metrics import DIRECTORY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mercury_http.settings import Settings

log = logging.getLogger(__name__)

# One that dies sooner than that after its start, in seconds, is not started again at once.
_SOON = 2.0
_LONGEST_PAUSE = 30.0
# How often the memory of the processes is looked at, in seconds.
_EVERY = 1.0
_GONE = "the process has ended"


def shared(place: socket.socket) -> socket.socket:
    """Another socket at the same address, which nobody listens at yet: connections are spread over those that do."""
    another = socket.socket(place.family, place.type)
    another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    another.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    another.bind(place.getsockname())
    return another


class WorkerError(MercuryError):
    """A process that answers could not load its models."""


class Worker:
    """One process, and how it is told what to do: by lines to its stdin, to which it answers by lines.

    Args:
        job: What it is given first.
        env: Its environment.
        place: Where it is to listen once it has loaded its models.
    """

    def __init__(self, job: bytes, env: Mapping[str, str], place: socket.socket) -> None:
        self.began, self.place = time.monotonic(), place
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "mercury_http.worker", str(place.fileno())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=dict(env),
            pass_fds=[place.fileno()],
            process_group=0,  # so that Ctrl-C in a terminal reaches the one alone that started it
        )
        try:
            self._heard = threading.Condition()
            self._answers: list[str] = []
            self._first: str | None = None
            self._over = False
            self._listener = threading.Thread(target=self._listen, daemon=True)
            self._listener.start()
            self.tell(len(job).to_bytes(8, "little") + job)
        except BaseException:  # nobody knows yet of the process that has begun
            self.process.kill()
            raise

    def tell(self, what: bytes) -> None:
        """Send it something; what is gone hears nothing."""
        try:
            self.process.stdin.write(what)  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]
        except (BrokenPipeError, ValueError):
            return

    def _listen(self) -> None:
        """Take its answers until it has ended."""
        for line in self.process.stdout or ():
            said = line.decode().rstrip("\n")
            with self._heard:
                if self._first is None:
                    self._first = said
                else:
                    self._answers.append(said)
                self._heard.notify_all()
        self.process.wait()
        self._close(self.process.stdout)
        self._close(self.process.stdin)
        with self._heard:
            self._over = True
            self._heard.notify_all()

    def join(self) -> None:
        """Return when it has ended."""
        self._listener.join()

    def started(self) -> str:
        """Return when it answers requests: nothing, or why it does not."""
        with self._heard:
            self._heard.wait_for(lambda: self._first is not None or self._over)
            return _GONE if self._first is None else self._first

    def answer(self) -> str:
        """Its next answer to what it was told: nothing where all is well, else why not."""
        with self._heard:
            self._heard.wait_for(lambda: self._answers or self._over)
            return self._answers.pop(0) if self._answers else _GONE

    @staticmethod
    def _close(stream: IO[bytes] | None) -> None:
        with suppress(BrokenPipeError):
            if stream is not None:
                stream.close()

    def end(self, timeout: float) -> None:
        """Let it finish what is in flight, and end; one that has not answered anything yet has nothing to finish."""
        self._close(self.process.stdin)
        if self._first is None:
            self.process.kill()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Workers:
    """Models that answer, from several processes at one port.

    Attributes:
        url: Where.
        workers: The processes, of which each has its place.
    """

    def __init__(
        self,
        sources: Mapping[str, Any],
        settings: Settings,
        place: socket.socket,
        host: str,
        count: int,
        most_memory: int | None = None,
    ) -> None:
        port = place.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._settings, self._place, self._most_memory = settings, place, most_memory
        try:
            self._job = pickle.dumps((dict(sources), settings, host, port))
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            why = f"Workers need functions that pickle can take, to load the models: {error}."
            raise ArgumentsError("serve", "http", [why]) from error
        self._counts = TemporaryDirectory(prefix="mercury-http-", ignore_cleanup_errors=True)
        self._env = {**os.environ, DIRECTORY: self._counts.name}
        self._stopping, self._ended = threading.Event(), threading.Event()
        # One reload or renewal at a time; and no process is started once they are being stopped.
        self._turn, self._change = threading.Lock(), threading.Lock()
        self.workers: list[Worker] = []
        self._coming: list[Worker] = []
        self._threads: list[threading.Thread] = []
        try:
            for _ in range(count):
                self.workers.append(self._begun())
            for index in range(count):
                thread = threading.Thread(target=self._watch, args=(index,), daemon=True)
                thread.start()
                self._threads.append(thread)
        except BaseException:  # as Ctrl-C, or one process too many, which must leave none behind
            self.stop()
            raise

    def _begun(self, place: socket.socket | None = None) -> Worker:
        """Start a process, at a place of its own, or at that of another, which is to end."""
        return Worker(self._job, self._env, shared(self._place) if place is None else place)

    @property
    def pids(self) -> list[int]:
        """The ids of the processes."""
        return [worker.process.pid for worker in self.workers]

    def wait_until_ready(self) -> None:
        """Return when every process has loaded its models.

        Raises:
            WorkerError: One cannot, or holds too much memory by then; all have stopped.
        """
        try:
            self._require_begun()
        except BaseException:  # likewise
            self.stop()
            raise
        if self._most_memory is not None:
            self._threads.append(threading.Thread(target=self._renew_large, args=(self._most_memory,), daemon=True))
            self._threads[-1].start()

    def _require_begun(self) -> None:
        faults = {fault for worker in self.workers if (fault := self._fault_of(worker))}
        if faults:
            raise WorkerError("; ".join(sorted(faults)))

    def _fault_of(self, worker: Worker) -> str:
        """Nothing where a process has begun to answer, else why not."""
        fault, most = worker.started(), self._most_memory
        if fault or most is None or (held := memory_of(worker.process.pid)) <= most:
            return fault
        return (
            f"A worker holds {held >> 20} MiB of memory once its models are loaded, and 'worker_memory' is {most}: "
            f"give it more."
        )

    def reload(self) -> None:
        """Let every process load its models again, one after another; no request is lost.

        Raises:
            WorkerError: One cannot; what it had before goes on.
        """
        with self._turn:
            for worker in list(self.workers):
                worker.tell(b"reload\n")
                fault = worker.answer()
                if fault and fault != _GONE:  # another takes its place, which loads them as they are now
                    raise WorkerError(fault)

    def wait(self) -> None:
        """Return when it has stopped."""
        self._ended.wait()

    def stop(self) -> None:
        """Finish what is in flight, then stop."""
        with self._change:
            first, workers = not self._stopping.is_set(), [*self.workers, *self._coming]
            self._stopping.set()
        if not first:
            self._ended.wait()
            return
        enders = [threading.Thread(target=self._end, args=(worker,)) for worker in workers]
        for thread in enders:
            thread.start()
        for thread in [*enders, *self._threads]:
            thread.join()
        for place in [self._place, *(worker.place for worker in workers)]:
            place.close()
        self._counts.cleanup()
        self._ended.set()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def _end(self, worker: Worker) -> None:
        worker.end(self._settings.stop_timeout + 5.0)

    def _watch(self, index: int) -> None:
        """Start a process again whenever it ends unasked; later and later, where it does so at once."""
        from prometheus_client.multiprocess import mark_process_dead

        pause = 0.0
        while True:
            worker = self.workers[index]
            worker.join()
            mark_process_dead(worker.process.pid, self._counts.name)  # type: ignore[no-untyped-call]
            if self._stopping.is_set():
                return
            if worker is not self.workers[index]:  # it was renewed
                continue
            worker.place.close()  # the others get what would go there
            log.error("A worker has ended with %s; another is started.", worker.process.returncode)
            quick = time.monotonic() - worker.began < _SOON
            pause = min(max(0.5, 2 * pause), _LONGEST_PAUSE) if quick else 0.0
            if self._stopping.wait(pause):
                return
            with self._change:
                if self._stopping.is_set():
                    return
                if worker is self.workers[index]:
                    self.workers[index] = another = self._begun()
                    threading.Thread(target=self._say_how, args=(another,), daemon=True).start()

    @staticmethod
    def _say_how(worker: Worker) -> None:
        """Say why one that was started again does not answer."""
        fault = worker.started()
        if fault:
            log.error("The worker that was started again does not answer: %s", fault)

    # --- memory ---

    def _renew_large(self, most: int) -> None:
        """Look every second which processes hold more than so many bytes, and put others in their places."""
        while not self._stopping.wait(_EVERY):
            for index, worker in enumerate(self.workers):
                held = memory_of(worker.process.pid)
                if held > most and not worker.started():
                    log.warning("A worker holds %d MiB of memory: another takes its place.", held >> 20)
                    self._renew(index, worker)

    def _renew(self, index: int, worker: Worker) -> None:
        """Let another process take the place of one, which is asked to end only when the other answers."""
        with self._turn:
            with self._change:
                if self._stopping.is_set():
                    return
                another = self._begun(worker.place)  # so what waits to be answered by the one is by the other
                self._coming.append(another)
            fault = self._fault_of(another)
            with self._change:
                self._coming.remove(another)
                is_due = not fault and not self._stopping.is_set() and worker is self.workers[index]
                if is_due:
                    self.workers[index] = another
        if fault:
            log.error("The worker that was to take the place of another does not answer: %s", fault)
        self._end(worker if is_due else another)

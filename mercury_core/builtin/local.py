"""The engine of this process."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any, TypeVar

    from mercury_core.contracts import Fault

    T = TypeVar("T")


class LocalEngine:
    """Runs calls in this process, one after another or in threads.

    Examples:
        >>> LocalEngine(workers=2).run([lambda: 1, lambda: 2])
        [1, 2]
    """

    def __init__(self, workers: int = 1) -> None:
        """Make an engine; no thread is started before there is work.

        Args:
            workers: How many calls run at a time; 1 runs them in the caller's own thread.

        Raises:
            ArgumentsError: Fewer than 1.
        """
        faults = [fault.message for fault in self.check_params({"workers": workers})]
        if faults:
            from mercury_core.errors import ArgumentsError

            raise ArgumentsError("execute", "local", faults)
        self.workers = workers

    @staticmethod
    def check_params(params: Mapping[str, Any]) -> Iterable[Fault]:
        """What is wrong with the parameters; see `mercury_core.contracts.ParamsChecker`."""
        workers = params.get("workers", 1)
        if workers < 1:
            from mercury_core.contracts import Fault

            yield Fault(("workers",), f"'workers' is {workers}: expected 1 or more.")

    def run(self, calls: Sequence[Callable[[], T]]) -> list[T]:
        """Run all calls.

        Args:
            calls: Functions without arguments, which do not depend on one another.

        Returns:
            Their results, in the same order.

        Raises:
            BaseException: The error of the first call in order that failed, as it was. Calls not begun by then, or at
                Ctrl-C, are not begun any more; those in other threads are waited for.
        """
        if self.workers == 1 or len(calls) < 2:
            return [call() for call in calls]
        from collections import deque
        from queue import SimpleQueue
        from threading import Thread

        pending = deque(enumerate(calls))
        results: dict[int, T] = {}
        errors: dict[int, BaseException] = {}
        ended: SimpleQueue[None] = SimpleQueue()

        def work() -> None:
            while pending:
                try:
                    place, call = pending.popleft()
                except IndexError:  # another thread took the last one
                    break
                try:
                    results[place] = call()
                except BaseException as error:  # noqa: BLE001 -- raised below, as it was
                    errors[place] = error
                    pending.clear()
            ended.put(None)

        threads = [Thread(target=work, name=f"mercury-{n}") for n in range(min(self.workers, len(calls)))]
        begun: list[Thread] = []
        try:
            for thread in threads:
                thread.start()
                begun.append(thread)
            # Ctrl-C may come at any point of this wait. Waiting for futures would then leave one of their locks taken,
            # and the threads waiting for it for ever.
            for _ in threads:
                ended.get()
        finally:
            # Whether all is done, one failed, or Ctrl-C came: nothing new begins, and what began is waited for.
            pending.clear()
            for thread in begun:
                thread.join()
        if errors:
            raise errors[min(errors)]
        return [results[place] for place in range(len(calls))]

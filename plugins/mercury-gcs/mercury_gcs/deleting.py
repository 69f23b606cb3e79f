"""Many objects removed, several at a time.

The API takes a hundred removals in one request; each is done as if it had come alone, and takes as long.
"""

from __future__ import annotations

from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from itertools import islice

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

    from mercury_gcs.places import Place


def delete_many(delete: Callable[[Place], None], places: Iterator[Place], threads: int) -> None:
    """Call `delete` for each place.

    Raises:
        StoreAccessError: The first that it raised; no more are begun then.
    """
    with ThreadPoolExecutor(threads, thread_name_prefix="mercury-gcs-delete") as pool:
        waiting: set[Future[None]] = set()
        try:
            while True:
                waiting |= {pool.submit(delete, place) for place in islice(places, 2 * threads - len(waiting))}
                if not waiting:
                    return
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for one in done:
                    one.result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

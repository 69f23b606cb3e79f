"""Work of several threads on one thing after the other, whose results keep that order."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable
    from concurrent.futures import Future

T = TypeVar("T")


def in_order(
    work: Callable[..., T], items: Iterable[tuple[Any, ...]], threads: int, name: str
) -> Generator[T, None, None]:
    """Call a function for each item; only a few are begun ahead of the result that is taken.

    Args:
        work: What is to be done, by several threads at once.
        items: Its arguments, made by the calling thread when their turn comes.
        threads: How many work.
        name: What they are called.

    Yields:
        The results, in the order of the items; the error of an item comes in its place, and ends it.

    Examples:
        >>> list(in_order(pow, [(2, 1), (2, 2), (2, 3)], 2, "powers"))
        [2, 4, 8]
    """
    from concurrent.futures import ThreadPoolExecutor

    ahead: deque[Future[T]] = deque()
    pool = ThreadPoolExecutor(threads, name)
    try:
        for item in items:
            ahead.append(pool.submit(work, *item))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)

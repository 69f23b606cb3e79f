"""Why a request is not answered as its sender wished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mercury_core.errors import MercuryError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable


class RequestError(MercuryError):
    """A request that is refused; the message is what its sender is told.

    Attributes:
        status: The HTTP status: 4xx for what the sender got wrong, 503 where it may come again later.
        headers: More headers of the answer.
    """

    def __init__(self, message: str, status: int = 400, headers: Iterable[tuple[str, str]] = ()) -> None:
        self.status, self.headers = status, tuple(headers)
        super().__init__(message)


def unknown(what: str, name: str, known: Iterable[str], status: int = 400) -> RequestError:
    """A name that nothing has here.

    Examples:
        >>> str(unknown("input", "agee", ["age", "sex"]))
        "There is no input 'agee'; there are: 'age', 'sex'. Did you mean 'age'?"
    """
    known = list(known)
    there = f"; there are: {', '.join(map(repr, known[:20]))}{', …' * (len(known) > 20)}" if known else ""
    return RequestError(f"There is no {what} {name[:200]!r}{there}.{did_you_mean(name[:200], known)}", status)


def busy(why: str, seconds: int = 1) -> RequestError:
    """The server can do no more at this moment."""
    return RequestError(f"{why.rstrip('.')}; try again in {seconds} s.", 503, [("retry-after", str(seconds))])

"""What a service or the network refused, in Mercury's errors: the wording of what all such stores have in common.

None of the messages holds tokens or addresses that are signed, and the errors that they come from are not chained:
those of SDKs may.
"""

from __future__ import annotations

from contextlib import contextmanager

from mercury_core.errors import MercuryError, StoreAccessError
from mercury_core.storage.http.answers import LostError, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def translated(
    refusal: Callable[[RefusedError | LostError], MercuryError], other: Callable[[Exception], MercuryError | None]
) -> Iterator[None]:
    """Raise Mercury's errors for those of the service in the body.

    Args:
        refusal: The error for one of a request.
        other: The error for one of an SDK; None for what is none of those.
    """
    try:
        yield
    except (RefusedError, LostError) as error:
        raise refusal(error) from None
    except MercuryError:
        raise
    except Exception as error:
        said = other(error)
        if said is None:
            raise
        raise said from None


def bucket_of(uri: str) -> str:
    """The bucket in a URI."""
    return uri.partition("://")[2].partition("/")[0]


def no_bucket(action: str, uri: str) -> StoreAccessError:
    """The error for a bucket that is not there."""
    todo = "Look for a slip in its name, or make it first."
    return StoreAccessError(action, uri, f"there is no bucket {bucket_of(uri)!r}", todo)


def throttled(error: RefusedError, deadline: str) -> tuple[str, str]:
    """Why, and what to do, where a service asks for fewer requests; `deadline` is the name of that parameter."""
    code = f" ({error.code})" if error.code else ""
    tried = f"and still did after {error.tries} tries in {error.seconds:.0f} s"
    todo = f"Try later, with a smaller max_concurrency or a larger {deadline}."
    return f"the service asks for fewer requests{code}, {tried}", todo


def failed(error: RefusedError) -> tuple[str, str]:
    """Why, and what to do, where a service has an error of its own."""
    tried = f"after {error.tries} tries in {error.seconds:.0f} s"
    named = f" {error.code}" if error.code and not error.code.isdigit() else ""
    why = f"the service failed ({error.status}{named}), also {tried}"
    return why, "Try later; look whether the service is well."


def unreached(
    error: LostError, action: str, uri: str, *, where: str, certificates: str, deadline: str, address: str
) -> StoreAccessError:
    """The error where there was no answer.

    Args:
        error: What happened.
        action: What was to be done.
        uri: With what.
        where: The service, or its address.
        certificates: Where those that are trusted are named.
        deadline: The name of that parameter.
        address: The names of what says where the service is.
    """
    times = f" ({error.tries} tries in {error.seconds:.0f} s)" if error.tries > 1 else ""
    if "certificate" in error.why:
        todo = f"Name the right authority in {certificates}, or look where the address leads."
    elif error.reached:
        todo = f"Do it again; look at the network, or give a larger {deadline}."
    else:
        todo = f"Look at the network, the proxy, {address}."
    return StoreAccessError(action, uri, f"{where} cannot be reached: {error.why}{times}", todo)

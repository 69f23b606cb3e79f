"""What is wrong with the parameters that all such stores have."""

from __future__ import annotations

from mercury_core.contracts import Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any


def numbers(params: Mapping[str, Any], deadline: str, **least: int) -> Iterator[Fault]:
    """Faults of numbers.

    Args:
        params: Those that were given.
        deadline: The name of the one in seconds.
        **least: Others, and how much they are at least.
    """
    for name, lowest in least.items():
        if params.get(name, lowest) < lowest:
            yield Fault((name,), f"{name!r} is {params[name]}: expected {lowest} or more.")
    # Written this way round, it also refuses a number that is none.
    if not params.get(deadline, 1) > 0:
        yield Fault((deadline,), f"{deadline!r} is {params[deadline]}: expected seconds, more than 0.")


def empty(params: Mapping[str, Any], *names: str) -> Iterator[Fault]:
    """Faults of texts that are given and say nothing."""
    for name in names:
        if params.get(name) == "":
            yield Fault((name,), f"{name!r} is empty: leave it out, or say which.")


def address(params: Mapping[str, Any], name: str, credentials: str) -> Iterator[Fault]:
    """Faults of the address of a service.

    Args:
        params: Those that were given.
        name: Of the one that is an address.
        credentials: Where credentials come from, since they do not belong into it.
    """
    url = params.get(name)
    if url is None:
        return
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        sound = False
    if not sound:
        yield Fault((name,), f"{name!r} is no address of a service: write https://host or http://host:port.")
    elif parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        # It is not shown: a password may stand in it.
        why = f"{name!r} holds more than an address: credentials come from {credentials}"
        yield Fault((name,), f"{why}, so write https://host or http://host:port.")

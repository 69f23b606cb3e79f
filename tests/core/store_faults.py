"""Where stores with a fault are noted, and how a copy finds the one that is tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.third_party.project.src.acme_mercury.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

FOUND_BY: dict[type, tuple[str, ...]] = {}


def found_by(*tests: str) -> Callable[[type], type]:
    """Say which tests of the suite must fail."""

    def note(mutant: type) -> type:
        FOUND_BY[mutant] = tests
        return mutant

    return note


class Current:
    store_class: type = MemoryStore


current = Current()


def provide() -> Any:
    """The store under test, for copies."""
    return current.store_class(buckets=["bucket"])

"""How many threads one operation of the backend uses while a model is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def threads_for(model: Any, batch_size: int, threads: int | None = None) -> int | None:
    """How many threads to train with: None leaves the backend's own number.

    Args:
        model: A built Keras model.
        batch_size: Rows of a batch.
        threads: What the user asked for; None to choose.
    """
    raise NotImplementedError


def limited(threads: int | None) -> Iterator[None]:
    """Within this context, the backend uses that many threads an operation; None changes nothing."""
    raise NotImplementedError

"""Keras's objects by Keras's own names: optimizers, losses, metrics, callbacks, schedules, layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mercury_core.contracts import Fault

Kind = Literal["optimizer", "loss", "metric", "callback", "schedule", "layer"]
Path = tuple[str | int, ...]


def make(kind: Kind, item: Any, *, at: Path = (), more: Mapping[str, Any] | None = None) -> tuple[Any, list[Fault]]:
    """Make one of Keras's objects.

    Args:
        kind: What it must be.
        item: A name of Keras's (``Adam`` or ``adam``), ``{use: NAME, **params}``, Keras's serialised ``{class_name: …,
            config: …}``, ``module:name`` of one's own, or such an object, which is given back.
        at: Where it stands, for the faults.
        more: Parameters that hold where `item` does not give them, and where the object has them.

    Returns:
        The object (None where there are faults), and everything that is wrong with it.
    """
    raise NotImplementedError


def create(kind: Kind, item: Any, *, use: str = "keras.fit", verb: str = "fit") -> Any:
    """As `make`, and raise what is wrong.

    Raises:
        ArgumentsError: With every fault, for the provider `use` of `verb`.
    """
    raise NotImplementedError


def names_of(kind: Kind) -> tuple[str, ...]:
    """The class names of that kind, sorted."""
    raise NotImplementedError

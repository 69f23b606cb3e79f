"""Keras itself, on its backend: imported here and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercury_core.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator


class BackendError(PluginError, ImportError):
    """Keras has no backend, or another one than something needs."""


def keras() -> Any:
    """The module ``keras``, imported once a backend is chosen.

    The backend is that of ``KERAS_BACKEND`` or of ``~/.keras/keras.json``, where either says one; else torch where it
    is installed, else tensorflow, else jax.

    Raises:
        BackendError: None of them is installed, or the one that is set is not.
    """
    raise NotImplementedError


def name() -> str:
    """The backend that Keras runs on: ``torch``, ``tensorflow`` or ``jax``."""
    raise NotImplementedError


def lacks(backend: str) -> tuple[str, str] | None:
    """Why something that needs `backend` cannot be done here, and what to install or set; None where it can."""
    raise NotImplementedError


def require(backend: str, what: str) -> None:
    """Refuse what needs another backend.

    Args:
        backend: The one that is needed.
        what: What needs it, as the subject of a sentence: ``The format keras.saved_model``.

    Raises:
        BackendError: Keras runs on another one; it says what to install or set.
    """
    raise NotImplementedError


def seeded(seed: int | None) -> Iterator[None]:
    """Within this context, all random numbers of Python, NumPy, Keras and its backend follow from `seed`."""
    raise NotImplementedError

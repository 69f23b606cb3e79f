"""Keras itself, on its backend: imported here and nowhere else."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from mercury_core.errors import PluginError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The backends that train and predict, in the order in which one is chosen, and how each writes itself.
BACKENDS = {"torch": "torch", "tensorflow": "TensorFlow", "jax": "JAX"}


class BackendError(PluginError, ImportError):
    """Keras has no backend, or another one than something needs."""


def keras() -> Any:
    """The module ``keras``, imported once a backend is chosen.

    The backend is that of ``KERAS_BACKEND``, or of ``~/.keras/keras.json`` where that names another one than
    ``tensorflow``: Keras writes ``tensorflow`` there by itself at its first import, on whichever backend it runs. Where
    neither says one: torch if it is installed, else TensorFlow, else JAX.

    Raises:
        BackendError: Keras is not installed; or none of them is, or not the one that is asked for.
    """
    if not hasattr(sys.modules.get("keras"), "layers"):
        if "keras" not in sys.modules and find_spec("keras") is None:
            raise BackendError(
                "Keras is not installed: do `pip install 'mercury-keras[torch]'`, or [tensorflow] or [jax]. What was "
                "saved as keras.onnx predicts without it."
            )
        os.environ["KERAS_BACKEND"] = _choose()
    import keras as loaded

    return loaded


def name() -> str:
    """The backend that Keras runs on: ``torch``, ``tensorflow`` or ``jax``."""
    return str(keras().config.backend())


def lacks(backend: str) -> tuple[str, str] | None:
    """Why something that needs `backend` cannot be done here, and what to install or set; None where it can."""
    running = name()
    if running == backend:
        return None
    install = "Set" if find_spec(backend) else f"Do `pip install 'mercury-keras[{backend}]'`, and set"
    return (
        f"it needs the {BACKENDS[backend]} backend, and Keras runs on {BACKENDS.get(running, running)}",
        f"{install} KERAS_BACKEND={backend} before Python starts.",
    )


def require(backend: str, what: str) -> None:
    """Refuse what needs another backend.

    Args:
        backend: The one that is needed.
        what: What needs it, as the subject of a sentence: ``The format keras.saved_model``.

    Raises:
        BackendError: Keras runs on another one; it says what to install or set.
    """
    if (lack := lacks(backend)) is not None:
        why, todo = lack
        raise BackendError(f"{what} cannot be used: {why}. {todo}")


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Within this context, all random numbers of Python, NumPy, Keras and its backend follow from `seed`.

    Those of Python, NumPy and torch go on afterwards as if nothing had been drawn.

    Args:
        seed: From 0 to 2**32 - 1; None changes nothing.
    """
    if seed is None:
        yield
        return
    import random

    import numpy as np

    loaded = keras()
    python, numpy = random.getstate(), np.random.get_state()
    torch = sys.modules["torch"] if name() == "torch" else None
    state = None if torch is None else torch.get_rng_state()
    try:
        loaded.utils.set_random_seed(seed)
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if torch is not None:
            torch.set_rng_state(state)


def _choose() -> str:
    asked = os.environ.get("KERAS_BACKEND") or _configured()
    if asked:
        return _installed(asked)
    found = next((backend for backend in BACKENDS if find_spec(backend)), None)
    if found is None:
        raise BackendError(
            "Keras has no backend: none of torch, tensorflow and jax is installed. Do `pip install "
            "'mercury-keras[torch]'`, or [tensorflow] or [jax]."
        )
    return found


def _installed(asked: str) -> str:
    """`asked`, where Keras can run on it."""
    if asked not in BACKENDS:
        raise BackendError(
            f"Keras cannot train on the backend {asked!r} that KERAS_BACKEND or keras.json names: expected "
            f"{', '.join(BACKENDS)}.{did_you_mean(asked, BACKENDS)}"
        )
    if not find_spec(asked):
        raise BackendError(
            f"Keras is to run on {BACKENDS[asked]}, as KERAS_BACKEND or keras.json says, and it is not installed: do "
            f"`pip install 'mercury-keras[{asked}]'`, or set KERAS_BACKEND to one that is."
        )
    return asked


def _configured() -> str | None:
    """What Keras's own file of settings says, where a person wrote it."""
    import json
    from pathlib import Path

    home = os.environ.get("KERAS_HOME")
    path = (Path(home) if home else Path("~/.keras").expanduser()) / "keras.json"
    try:
        said = json.loads(path.read_text(encoding="utf-8")).get("backend")
    except (OSError, ValueError, AttributeError):  # as Keras does: a file that cannot be read says nothing
        return None
    return said if isinstance(said, str) and said != "tensorflow" else None

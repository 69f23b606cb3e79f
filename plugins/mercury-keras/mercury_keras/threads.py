"""How many threads one operation of torch uses while a model is trained.

By default torch spreads each operation over all cores, and the threads wait for one another at its end. For the
operations of a tiny model, which last some microseconds, that gains nothing, and it costs much as soon as something
else runs on one of the cores: all threads then wait for the one that has none. So a model is trained with one thread
where that loses next to nothing on an idle machine, and with torch's own number where it is large enough to gain.

``benchmarks/keras_threads.py`` measures it; docs/keras-training.md shows the figures and the rule.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from math import prod
from typing import TYPE_CHECKING, Any

from mercury_keras.backend import BackendError, name

if TYPE_CHECKING:
    from collections.abc import Iterator

#: A model is tiny where one batch, forwards, takes at most so many multiplications.
TINY_BATCH = 5_000_000
#: And where it has at most so many weights, all of which the optimizer goes through after each batch.
TINY_WEIGHTS = 200_000


def threads_for(model: Any, batch_size: int, threads: int | None = None) -> int | None:
    """How many threads to train with; None leaves torch its own number.

    Args:
        model: A built Keras model.
        batch_size: Rows of a batch.
        threads: What the user asked for; None to choose.

    Returns:
        `threads` where that is given. Else None under another backend than torch, and where the environment variable
        ``OMP_NUM_THREADS`` says a number. Else 1 where a batch takes at most `TINY_BATCH` multiplications forwards and
        the model has at most `TINY_WEIGHTS` weights; else None.
    """
    if threads is not None:
        return threads
    if name() != "torch" or os.environ.get("OMP_NUM_THREADS"):
        return None
    tiny = model.count_params() <= TINY_WEIGHTS and multiplications(model) * batch_size <= TINY_BATCH
    return 1 if tiny else None


def multiplications(model: Any) -> int:
    """About how many multiplications a built Keras model takes for one row, forwards.

    Every weight of a layer counts once for each place at which the layer applies it: those of a convolution at every
    pixel that it gives, those of a recurrent layer at every step, all others once.
    """
    return sum(
        layer.count_params() * _places(layer) for layer in model._flatten_layers(include_self=False) if _own(layer)
    )


def _own(layer: Any) -> bool:
    """Whether the weights of a layer are its own and not those of layers in it, which are counted for themselves."""
    return layer.built and not list(layer._flatten_layers(include_self=False, recursive=False))


def _places(layer: Any) -> int:
    """At how many places of a row a layer applies its weights."""
    shape = getattr(layer, "output", None) if layer._inbound_nodes else None
    shape = getattr(shape, "shape", None)
    if shape is None or len(shape) < 3:
        return 1
    return prod(size or 1 for size in shape[1:-1])


@contextmanager
def limited(threads: int | None) -> Iterator[None]:
    """Within this context, torch uses that many threads an operation.

    Args:
        threads: At least 1; None changes nothing.

    Raises:
        BackendError: Keras runs on another backend, whose threads are set before it starts.
    """
    if threads is None:
        yield
        return
    if name() != "torch":
        raise BackendError(
            "threads can be set under torch only: under TensorFlow set TF_NUM_INTRAOP_THREADS, under JAX XLA_FLAGS, "
            "before Python starts, and leave threads out."
        )
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)

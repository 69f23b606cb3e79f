"""Batches of rows as Keras takes them: images are decoded in threads, a few batches ahead, into arrays made for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy as np

    from mercury_core.data import DataWrapper
    from mercury_keras.specs import InputSpec

    Array = np.ndarray[Any, Any]


def batches(
    features: DataWrapper,
    inputs: Sequence[InputSpec],
    *,
    targets: Array | Mapping[str, Array] | None = None,
    sample_weight: Array | Mapping[str, Array] | None = None,
    batch_size: int = 32,
    shuffle: bool = False,
    seed: int = 0,
    augmentation: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    epoch: int = 0,
) -> Any:
    """The rows as a `keras.utils.PyDataset`, which training, evaluation and prediction take.

    Give it to ``model.fit`` with ``shuffle=False``: it shuffles by itself. Every epoch has an order of its own, which
    `seed` and the attribute ``epoch`` decide and nothing else, and so has what chance does in `augmentation`: a training
    that goes on sees the batches that it would have seen. Whoever trains sets ``epoch`` when an epoch begins.

    Args:
        features: The columns that `inputs` name, and maybe others.
        inputs: What the model takes. One of images decodes a column of file paths, of encoded images (binary), or of
            arrays (fixed-shape tensors) of that very shape.
        targets: One row a row; by name of the output where there are several.
        sample_weight: One number a row; likewise.
        batch_size: Rows of a batch; the last one has what is left.
        shuffle: Whether the order of the rows is another one in every epoch.
        seed: Of that order, and of `augmentation`.
        augmentation: By column of images, layers in Keras's serialised form, as `images.spec.augmentation_of` gives
            them; for training only.
        epoch: The first one.

    Returns:
        A data set of ``(x,)``, ``(x, y)`` or ``(x, y, w)``: x is an array where there is one input, else a dict by
        name; float32, of images rows × height × width × channels from 0 to 255, of numbers rows × columns.

    Raises:
        MissingColumnsError: A column of `inputs` is not there.
        DataError: A column that no input of that kind can be made of.
        ReadError: An image is missing or damaged; while batches are taken. See `own_errors`.
    """
    raise NotImplementedError


def arrays(features: DataWrapper, inputs: Sequence[InputSpec]) -> Array | dict[str, Array]:
    """All rows at once, for what fits into memory.

    Args:
        features: As for `batches`.
        inputs: As for `batches`.

    Returns:
        The x of one batch of all rows.

    Raises:
        The same as for `batches`.
    """
    raise NotImplementedError


def own_errors(*data: Any) -> Iterator[None]:
    """A context manager: what an image was refused for is raised as it was, where a backend wraps it (TensorFlow does).

    Args:
        *data: What `batches` gave, or None.
    """
    raise NotImplementedError


def blocks(features: DataWrapper, inputs: Sequence[InputSpec], batch_size: int) -> Iterator[Array | dict[str, Array]]:
    """The x of every batch, rows in order, decoded ahead in threads; without Keras.

    Args:
        features: As for `batches`.
        inputs: As for `batches`.
        batch_size: Rows of a block; the last one has what is left.

    Raises:
        The same as for `batches`.
    """
    raise NotImplementedError

"""`keras.augment`: Keras's own layers on the images of one data set, while it is trained on.

What is augmented is noted on the column, and nothing is computed before ``keras.fit`` takes batches of it: validation,
prediction and the saved model know nothing of it.
"""

from __future__ import annotations

import random
import sys
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from mercury_core.data import DataBunch, DataWrapper
from mercury_core.errors import ArgumentsError, DataError
from mercury_keras.images.spec import image_columns, with_augmentation

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mercury_core.contracts import Fault
    from mercury_core.data import DataSet
    from mercury_keras.specs import ImageSpec

    Array = np.ndarray[Any, Any]

_KEY = "keras.augment"
# What the batches are, whatever Keras is set to.
_OURS = {"data_format": "channels_last", "dtype": "float32"}
_TRAIN = "train"


class Augment:
    """Has the images of a data set augmented when a model is trained on it; `augment` is the one instance.

    In a workflow: ``{use: keras.augment, from: train, layers: [{use: RandomFlip, mode: horizontal}]}``.
    """

    def __call__(self, bunch: DataBunch, layers: list[Any], columns: list[str] | None = None) -> DataBunch:
        """Note the layers on the images of the data set ``train``; of a bunch of one data set, on that.

        Args:
            bunch: With images, as ``keras.images`` reads them.
            layers: In the order in which they are applied: names of Keras's layers (``RandomFlip``), ``{use: NAME,
                **parameters}``, or Keras's serialised form. What chance does follows from the seed of the training, and
                not from a ``seed`` of a layer.
            columns: The columns of images; all by default.

        Returns:
            The same bunch, but for that note.

        Raises:
            ArgumentsError: A layer, or a parameter, that Keras does not have.
            DataError: There are no such images, or a layer changes their size or has weights.
        """
        made, faults = _made(layers)
        if faults:
            raise ArgumentsError("transform", _KEY, [fault.message for fault in faults])
        name = _TRAIN if _TRAIN in bunch else next(iter(bunch), _TRAIN)
        if len(bunch) != 1 and name != _TRAIN:
            names = ", ".join(bunch) or "none"
            raise DataError(f"What is augmented is one data set, and there are: {names}. Name it, as from: {name}.")
        return DataBunch({**bunch, name: _noted(bunch[name], name, made, columns)})

    @staticmethod
    def check_params(params: Mapping[str, Any]) -> Iterable[Fault]:
        """Find, without data, layers and parameters that Keras does not have."""
        return _made(params.get("layers", ()))[1]


augment = Augment()


class Augmenter:
    """Layers, as they are applied to batches of images.

    Args:
        layers: In Keras's serialised form.
        seed: What chance does is told by it, by the epoch and by the batch, and by nothing else.
        column: The column of images, for messages.
    """

    def __init__(self, layers: Sequence[Mapping[str, Any]], seed: int, column: str) -> None:
        made, faults = _made(layers)
        if faults:
            raise DataError(f"The augmentation of the column {column!r} is none: {faults[0].message}")
        self._layers, self._seed, self._column, self._lock = made, seed, column, Lock()

    def __call__(self, images: Array, epoch: int, index: int) -> Array:
        """Augment a batch.

        Args:
            images: Rows × height × width × channels, from 0 to 255.
            epoch: From 0.
            index: Of the batch.

        Returns:
            As many images of that size.

        Raises:
            DataError: A layer gives others.
        """
        from mercury_keras.backend import keras

        with self._lock, keras().device("cpu"):
            given: Any = images
            for place, layer in enumerate(self._layers):
                with _seeded(layer, (self._seed, epoch, index, place)):
                    given = layer(given, training=True)
                if tuple(given.shape) != images.shape:
                    before, after = (" × ".join(map(str, tuple(shape)[1:])) for shape in (images.shape, given.shape))
                    raise DataError(
                        f"{type(layer).__name__} makes {after} of images of {before} (column {self._column!r}): "
                        f"expected a layer that keeps their size."
                    )
            return np.asarray(keras().ops.convert_to_numpy(given), np.float32)

    def check(self, image: ImageSpec) -> None:
        """Apply the layers once, to one black image.

        Raises:
            DataError: A layer changes its size, refuses it, or has weights, which nothing would train.
        """
        from mercury_keras.names import said

        try:
            self(np.zeros((1, *image.shape), np.float32), 0, 0)
        except DataError:
            raise
        except Exception as error:
            raise DataError(f"The images of the column {self._column!r} cannot be augmented: {said(error)}.") from error
        for layer in self._layers:
            if layer.weights:
                raise DataError(
                    f"{type(layer).__name__} has weights, which nothing would train: expected a layer of augmentation, "
                    f"as RandomFlip; make it part of the model."
                )


def _made(layers: Any) -> tuple[list[Any], list[Fault]]:
    from mercury_core.contracts import Fault
    from mercury_keras.names import make

    if not layers:
        return [], [Fault(("layers",), "'layers' names none: expected at least one, as RandomFlip.")]
    made = [make("layer", layer, at=("layers", place), more=_OURS) for place, layer in enumerate(layers)]
    return [layer for layer, _ in made], [fault for _, faults in made for fault in faults]


def _noted(data_set: DataSet, name: str, layers: Sequence[Any], columns: Sequence[str] | None) -> DataSet:
    from mercury_keras.backend import keras

    features = data_set.features
    images = image_columns(features)
    wanted = list(images) if columns is None else list(columns)
    for column in wanted:
        if column not in images:
            has = ", ".join(images) or "none"
            raise DataError(f"The data set {name!r} has no images {column!r}; its columns of images: {has}.")
    if not wanted:
        raise DataError(f"The data set {name!r} has no column of images to augment: read them with keras.images.")
    form = [keras().saving.serialize_keras_object(layer) for layer in layers]
    for column in wanted:
        Augmenter(form, 0, column).check(images[column])
    table = features.underlying
    for column in wanted:
        place = table.schema.get_field_index(column)
        table = table.set_column(place, with_augmentation(table.schema.field(place), form), table.column(place))
    return data_set.replace(features=DataWrapper(table))


@contextmanager
def _seeded(layer: Any, words: tuple[int, ...]) -> Iterator[None]:
    """Have these numbers say what chance does in a layer."""
    weights = {id(weight) for weight in layer.weights}
    states = [variable for variable in layer.variables if id(variable) not in weights]
    for place, state in enumerate(states):
        if tuple(state.shape) == (2,):
            state.assign(np.array([_start((*words, place)), 0], str(state.dtype)))
    if not hasattr(sys.modules[type(layer).__module__], "py_random"):
        yield
        return
    # AugMix asks Python's own generator as well, which belongs to everybody.
    before = random.getstate()
    random.seed(_start(words))
    try:
        yield
    finally:
        random.setstate(before)


def _start(words: tuple[int, ...]) -> int:
    """A number of 31 bits, since some backends keep the state in signed integers."""
    return int(np.random.SeedSequence(words).generate_state(1)[0]) >> 1

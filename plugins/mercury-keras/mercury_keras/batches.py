"""Batches of rows as Keras takes them: images are decoded in threads, a few batches ahead, each into its place.

Keras is imported where a data set of Keras's is asked for, and nowhere else.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from mercury_core.errors import DataError, MercuryError, MissingColumnsError
from mercury_keras.images.ahead import Pending, pool, thread_count
from mercury_keras.images.columns import ImageColumn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor

    from mercury_core.data import DataWrapper
    from mercury_keras.images.columns import Rows
    from mercury_keras.specs import InputSpec

    Array = np.ndarray[Any, Any]
    Arrays = Array | dict[str, Array]

# What may be decoded and not yet asked for; but one batch at least.
_MOST_BYTES_AHEAD = 256 * 1024**2


def batches(
    features: DataWrapper,
    inputs: Sequence[InputSpec],
    *,
    targets: Array | Mapping[str, Array] | None = None,
    sample_weight: Array | Mapping[str, Array] | tuple[Array, ...] | None = None,
    batch_size: int = 32,
    shuffle: bool = False,
    seed: int = 0,
    augmentation: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    epoch: int = 0,
) -> Any:
    """The rows as a `keras.utils.PyDataset`, which training, evaluation and prediction take.

    Give it to ``model.fit`` with ``shuffle=False``: it shuffles by itself. Every epoch has an order of its own, which
    `seed` and the attribute ``epoch`` decide and nothing else, and so has what chance does in `augmentation`: a
    training that goes on sees the batches that it would have seen. Whoever trains sets ``epoch`` when an epoch begins.

    Args:
        features: The columns that `inputs` name, and maybe others.
        inputs: What the model takes. One of images decodes a column of file paths, of encoded images (binary), or of
            arrays (fixed-shape tensors) of that very shape.
        targets: One row a row; by name of the output where there are several.
        sample_weight: One number a row; likewise, or a tuple in the order of the outputs, where the model gives a list.
        batch_size: Rows of a batch; the last one has what is left.
        shuffle: Whether the order of the rows is another one in every epoch.
        seed: Of that order, and of `augmentation`; not negative.
        augmentation: By column of images, layers in Keras's serialised form, as `images.spec.augmentation_of` gives
            them; for training only.
        epoch: The first one.

    Returns:
        A data set of ``(x,)``, ``(x, y)`` or ``(x, y, w)``: x is an array where there is one input, else a dict by
        name; float32, of images rows × height × width × channels from 0 to 255, of numbers rows × columns. Its
        attribute ``features`` has them.

    Raises:
        MissingColumnsError: A column of `inputs` is not there.
        DataError: A column that no input of that kind can be made of; targets or weights of another number of rows.
        ConversionError: A column that is no number.
        ReadError: An image is missing or damaged; while batches are taken. See `own_errors`.
    """
    return _class()(
        features,
        inputs,
        targets=targets,
        sample_weight=sample_weight,
        batch_size=batch_size,
        shuffle=shuffle,
        seed=seed,
        augmentation=augmentation,
        epoch=epoch,
    )


def blocks(features: DataWrapper, inputs: Sequence[InputSpec], batch_size: int) -> Iterator[Arrays]:
    """The x of every batch, rows in order, decoded ahead in threads; without Keras.

    Args:
        features: As for `batches`.
        inputs: As for `batches`.
        batch_size: Rows of a block; the last one has what is left.

    Raises:
        The same as for `batches`.
    """
    data = Batches(features, inputs, batch_size=batch_size)
    for index in range(len(data)):
        yield data[index][0]


def arrays(features: DataWrapper, inputs: Sequence[InputSpec]) -> Arrays:
    """All rows at once, for what fits into memory.

    Args:
        features: As for `batches`.
        inputs: As for `batches`.

    Returns:
        The x of one batch of all rows; a table in float32 and C order is that very array.

    Raises:
        The same as for `batches`.
    """
    feed = _Feed(features, inputs)
    return feed.result(feed.begin(slice(0, features.num_rows), thread_count()))


@contextmanager
def own_errors(*data: Any) -> Iterator[None]:
    """Within this context, what an image was refused for is raised as it was, where a backend wraps it.

    TensorFlow does so.

    Args:
        *data: What `batches` gave; others, and None, are passed over.
    """
    for one in data:
        if isinstance(one, Batches):
            one.failure = None
    try:
        yield
    except MercuryError:
        raise
    except Exception as error:
        for one in data:
            failure = getattr(one, "failure", None)
            if isinstance(failure, MercuryError):
                raise failure from error
        raise


class _Feed:
    """What a model takes of some rows: x, and what is left to do to fill it."""

    def __init__(self, features: DataWrapper, inputs: Sequence[InputSpec]) -> None:
        if not inputs:
            raise DataError("A model takes something: there is no input.")
        missing = [name for one in inputs for name in one.columns if name not in features]
        if missing:
            raise MissingColumnsError("The data", missing, features.field_names)
        self.inputs = inputs
        self.tables = {one.name: _matrix(features, one.columns) for one in inputs if one.image is None}
        self.images = {
            one.name: ImageColumn(features, one.columns[0], one.image) for one in inputs if one.image is not None
        }

    def bytes_a_row(self) -> int:
        """What the images of a row take in memory."""
        return sum(int(np.prod(one.image.shape)) * 4 for one in self.images.values())

    def begin(self, rows: Rows, threads: int) -> tuple[dict[str, Array], list[Callable[[], None]]]:
        """X by name of the input, and the tasks that fill it."""
        x = {name: matrix[rows] for name, matrix in self.tables.items()}
        tasks: list[Callable[[], None]] = []
        for name, column in self.images.items():
            x[name], more = column.begin(rows, threads)
            tasks += more
        return x, tasks

    def as_taken(self, x: dict[str, Array]) -> Arrays:
        """One array of one input, else a dict, in the order of the inputs."""
        return x[self.inputs[0].name] if len(self.inputs) == 1 else {one.name: x[one.name] for one in self.inputs}

    def result(self, begun: tuple[dict[str, Array], list[Callable[[], None]]]) -> Arrays:
        """Do the tasks, and wait."""
        x, tasks = begun
        pending = Pending(tasks, lambda: self.as_taken(x))
        threads = pool(thread_count()) if tasks else None
        pending.start(threads)
        return pending.result()


class Batches:
    """What `batches` describes, as a sequence, without Keras."""

    def __init__(
        self,
        features: DataWrapper,
        inputs: Sequence[InputSpec],
        *,
        targets: Array | Mapping[str, Array] | None = None,
        sample_weight: Array | Mapping[str, Array] | tuple[Array, ...] | None = None,
        batch_size: int = 32,
        shuffle: bool = False,
        seed: int = 0,
        augmentation: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        epoch: int = 0,
    ) -> None:
        if batch_size < 1:
            raise DataError(f"A batch has at least one row: batch_size is {batch_size}.")
        self.features, self.batch_size, self.shuffle, self.seed, self.epoch = features, batch_size, shuffle, seed, epoch
        #: The first error that a batch raised; a backend may hide it.
        self.failure: BaseException | None = None
        self._rows = features.num_rows
        self._feed = _Feed(features, inputs)
        self._targets = _checked(targets, "targets", self._rows)
        self._weights = _checked(sample_weight, "sample_weight", self._rows)
        self._augment = _augmenters(augmentation, self._feed, seed)
        self._threads = thread_count()
        self._pool: ThreadPoolExecutor | None = None
        self._begun: dict[tuple[int, int], Pending[Arrays]] = {}
        self._order: tuple[int, Array] | None = None
        self._lock = Lock()

    def __len__(self) -> int:
        return -(-self._rows // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Any, ...]:
        """One batch of this epoch; the next ones are begun."""
        if not 0 <= index < len(self):
            raise IndexError(f"There are {len(self)} batches: there is none at {index}.")
        try:
            x = self._pending(index).result()
        except BaseException as error:
            self.failure = self.failure or error
            while self._begun:  # or the process would wait for them before it ends
                self._begun.popitem()[1].cancel()
            raise
        rows = self.rows(index)
        y, weights = _of_rows(self._targets, rows), _of_rows(self._weights, rows)
        if weights is not None:
            return x, y, weights
        return (x,) if y is None else (x, y)

    def rows(self, index: int) -> Rows:
        """Which rows a batch of this epoch has: a slice where they are in order, else their places."""
        start = index * self.batch_size
        end = min(start + self.batch_size, self._rows)
        if not self.shuffle:
            return slice(start, end)
        # TensorFlow may still be taking batches of the last epoch, in a thread of its own: each keeps its own order.
        epoch, order = self.epoch, self._order
        if order is None or order[0] != epoch:
            self._order = order = epoch, np.random.default_rng([self.seed, epoch]).permutation(self._rows)
        return order[1][start:end]

    def _pending(self, index: int) -> Pending[Arrays]:
        ahead = self._ahead() if self._feed.images else 0
        with self._lock:
            wanted = [(self.epoch, place) for place in range(index, min(index + ahead + 1, len(self)))]
            for key in [key for key in self._begun if key not in wanted]:
                self._begun.pop(key).cancel()
            for key in wanted:
                if key not in self._begun:
                    self._begun[key] = self._begin(key[1])
            return self._begun.pop(wanted[0])

    def _ahead(self) -> int:
        """How many batches are begun beyond the one that is asked for: enough to keep all threads busy."""
        busy = max(2, -(-2 * self._threads // self.batch_size))
        return max(1, min(busy, _MOST_BYTES_AHEAD // (self.batch_size * self._feed.bytes_a_row())))

    def _begin(self, index: int) -> Pending[Arrays]:
        x, tasks = self._feed.begin(self.rows(index), self._threads)
        epoch = self.epoch

        def finish() -> Arrays:
            for name, augment in self._augment.items():
                x[name] = augment(x[name], epoch, index)
            return self._feed.as_taken(x)

        if tasks and self._pool is None:
            self._pool = pool(self._threads)
        pending = Pending(tasks, finish)
        pending.start(self._pool)
        return pending


@cache
def _class() -> Any:
    """The same as Keras knows it."""
    from mercury_keras.backend import keras

    class KerasBatches(Batches, keras().utils.PyDataset):  # type: ignore[misc]
        def __init__(self, *args: Any, **options: Any) -> None:
            Batches.__init__(self, *args, **options)
            # The threads are ours: Keras takes the batches one after another.
            keras().utils.PyDataset.__init__(self, workers=1, use_multiprocessing=False)

    return KerasBatches


def _matrix(features: DataWrapper, columns: Sequence[str]) -> Array:
    """Columns of numbers as rows × columns of float32, in C order; what is so already is not copied."""
    table = features if tuple(columns) == tuple(features.field_names) else features.select(columns)
    if table.format == "numpy" and table.underlying.dtype == np.float32:
        return np.ascontiguousarray(table.underlying)
    # By way of float64: whole numbers beyond 2**24 are rounded, as all numbers are, and not refused.
    return np.ascontiguousarray(table.to("numpy", dtype="float64").underlying, dtype=np.float32)


def _augmenters(layers: Any, feed: _Feed, seed: int) -> dict[str, Any]:
    if not layers:
        return {}
    from mercury_keras.images.augment import Augmenter

    by_column = {column.name: name for name, column in feed.images.items()}
    return {by_column[column]: Augmenter(each, seed, column) for column, each in layers.items() if column in by_column}


def _checked(given: Any, what: str, rows: int) -> Any:
    for name, one in _named(given):
        if one is not None and len(one) != rows:
            of = f" of {name!r}" if name else ""
            raise DataError(f"The {what}{of} have {len(one)} rows and the features {rows}: expected the same.")
    return given


def _named(given: Any) -> Iterable[tuple[Any, Any]]:
    if hasattr(given, "items"):
        return given.items()  # type: ignore[no-any-return]
    return enumerate(given, 1) if isinstance(given, tuple) else [("", given)]


def _of_rows(given: Any, rows: Rows) -> Any:
    if given is None:
        return None
    if isinstance(given, tuple):
        return tuple(one[rows] for one in given)
    return {name: one[rows] for name, one in given.items()} if hasattr(given, "items") else given[rows]

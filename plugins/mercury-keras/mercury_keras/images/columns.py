"""The images of a column, by row: from paths, from encoded bytes, or from arrays."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from mercury_core.errors import DataError, ReadError
from mercury_keras.images.decode import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pyarrow as pa

    from mercury_core.data import DataWrapper
    from mercury_keras.specs import ImageSpec

    Array = np.ndarray[Any, Any]
    Rows = slice | Array

# What a thread takes at a time: few enough that all have something to do, many enough that handing over costs nothing.
_IMAGES_A_TASK = 8


class ImageColumn:
    """The images of one column.

    Args:
        features: Has the column.
        name: Its name.
        image: How its images are decoded.

    Raises:
        DataError: A column of another type than paths, encoded images, or arrays of that shape.
    """

    def __init__(self, features: DataWrapper, name: str, image: ImageSpec) -> None:
        self.name, self.image = name, image
        self._column = features.select([name])
        self._kind = self._kind_of(self._column.schema.field(0).type)

    def begin(self, rows: Rows, threads: int) -> tuple[Array, list[Callable[[], None]]]:
        """Make room for the images of some rows.

        Args:
            rows: Which.
            threads: Among how many the work is to be shared out.

        Returns:
            Rows × height × width × channels of float32, and what has to be called, in any threads, to fill it.

        Raises:
            ReadError: A row that has no image.
        """
        count = rows.stop - rows.start if isinstance(rows, slice) else len(rows)
        out = np.empty((count, *self.image.shape), np.float32)
        chosen = self._column.slice(rows.start, count) if isinstance(rows, slice) else self._column.take(rows)
        column = chosen.to("arrow").underlying.column(0)
        if column.null_count:
            place = int(np.flatnonzero(column.is_null().to_numpy())[0])
            row = rows.start + place if isinstance(rows, slice) else rows[place]
            raise ReadError(f"the image of row {row} (column {self.name!r})", "it is missing", "Give every row one.")
        if self._kind == "arrays":
            self._copy(column, out)
            return out, []
        sources = column.to_pylist()
        places = range(rows.start, rows.stop) if isinstance(rows, slice) else rows.tolist()
        names = ["" if self._kind == "paths" else f"the image of row {row} (column {self.name!r})" for row in places]
        step = max(1, min(_IMAGES_A_TASK, -(-count // threads)))
        return out, [
            partial(self._decode, sources[start : start + step], names[start : start + step], out[start : start + step])
            for start in range(0, count, step)
        ]

    def _decode(self, sources: Sequence[str | bytes], names: Sequence[str], out: Array) -> None:
        for source, name, place in zip(sources, names, out, strict=True):
            decode(source, self.image, place, name)

    def _copy(self, column: pa.ChunkedArray, out: Array) -> None:
        start = 0
        for chunk in column.chunks:
            pixels = chunk.to_numpy_ndarray()
            out[start : start + len(chunk)] = pixels.reshape(len(chunk), *self.image.shape)
            start += len(chunk)

    def _kind_of(self, kind: pa.DataType) -> str:
        import pyarrow as pa

        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        if any(test(plain) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)):
            return "paths"
        if any(test(plain) for test in (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)):
            return "bytes"
        if isinstance(kind, pa.FixedShapeTensorType):
            shape = tuple(kind.shape)
            if shape in (self.image.shape, self.image.shape[:2] if self.image.channels == 1 else self.image.shape):
                return "arrays"
            found = f"arrays of {' × '.join(map(str, shape))}"
        else:
            found = str(kind)
        expected = " × ".join(map(str, self.image.shape))
        raise DataError(
            f"The column {self.name!r} is to be one of images, and it holds {found}: expected file paths, the bytes of "
            f"encoded images, or arrays of {expected}."
        )

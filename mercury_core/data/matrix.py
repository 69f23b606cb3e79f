"""Columns of numbers as one matrix: the way in (`SideBySide`) and the way out (`as_matrix`).

A table whose float64 columns lie side by side in one buffer *is* a matrix in column-major order already. The readers
lay them out like that while they read, each column still a whole Arrow column over its slice of the buffer; `as_matrix`
recognises neighbours by their addresses and gives back a view. What does not lie so is copied, column by column.
"""

from __future__ import annotations

from mercury_core.errors import ConversionError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    import pyarrow as pa
    from numpy.typing import DTypeLike

    from mercury_core.data import DataWrapper

    Array = np.ndarray[Any, Any]


def decimals_as_floats(features: DataWrapper) -> DataWrapper:
    """Columns of which the decimals are float64.

    NumPy has no decimals: as objects they would go into some models and fail in their arithmetic.

    Args:
        features: Any columns; without decimals they are given back as they are.
    """
    import pyarrow as pa

    if not any(pa.types.is_decimal(kind) for kind in features.schema.types):
        return features
    from mercury_core.data import DataWrapper

    table = features.to("arrow").underlying
    columns = [column.cast("float64") if pa.types.is_decimal(column.type) else column for column in table.columns]
    return DataWrapper(pa.table(columns, names=table.column_names))


def as_matrix(table: pa.Table, dtype: DTypeLike | None = None) -> Array:
    """A table of numbers as one two-dimensional array.

    Args:
        table: Columns of integers, floats, booleans, or of nothing but nulls (type null).
        dtype: The type of the result. By default the smallest that holds every column: booleans stay booleans and
            integers integers; one float column, or one null among integers or booleans, makes all of it float.

    Returns:
        Rows × columns, contiguous in column-major order; nulls are NaN. Where the columns are float64 and lie side by
        side in memory, as the core's readers lay them, it is a read-only view that copies nothing.

    Raises:
        ConversionError: A column that is no number, or that the type would change: a null where the type has no NaN, an
            integer beyond what the float type holds exactly. Names the column.

    Examples:
        >>> import pyarrow as pa
        >>> as_matrix(pa.table({"a": [1, 2], "b": [0.5, None]}))
        array([[1. , 0.5],
               [2. , nan]])
    """
    import numpy as np

    from mercury_core.data.exact import check_table

    holders = [_holder(name, column) for name, column in zip(table.column_names, table.columns, strict=True)]
    wanted = np.dtype(dtype) if dtype is not None else np.result_type(*holders) if holders else np.dtype(np.float64)
    if wanted.kind == "f":
        check_table(table, wanted)
    for name, column, holder in zip(table.column_names, table.columns, holders, strict=True):
        if wanted.kind != "f" and not np.can_cast(holder, wanted):
            nulls = f"{column.type} with {column.null_count} nulls" if column.null_count else f"{column.type}"
            todo = "Take a float type, or convert the column first."
            raise ConversionError(name, "Arrow", f"NumPy {wanted}", f"it is {nulls}", todo)
    view = _view(table) if wanted == np.float64 else None
    return view if view is not None else _copy(table, wanted)


def _holder(name: str, column: pa.ChunkedArray) -> np.dtype[Any]:
    """The NumPy type that has a word for everything in a column."""
    import numpy as np
    import pyarrow as pa

    kind = column.type
    if not any(
        check(kind) for check in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
    ):
        raise ConversionError(
            name, "Arrow", "a NumPy array of numbers", f"it is {kind}", "Encode it as numbers, or leave it out."
        )
    if column.null_count and not pa.types.is_floating(kind):
        return np.dtype(np.float64)
    return _type_of(kind)


def _type_of(kind: pa.DataType) -> np.dtype[Any]:
    import numpy as np
    import pyarrow as pa

    return np.dtype(np.float64) if pa.types.is_null(kind) else np.dtype(kind.to_pandas_dtype())


def _copy(table: pa.Table, wanted: np.dtype[Any]) -> Array:
    import numpy as np

    matrix = np.empty((table.num_rows, table.num_columns), wanted, order="F")
    for place, column in enumerate(table.columns):
        row = 0
        for chunk in column.chunks:
            part = matrix[row : row + len(chunk), place]
            row += len(chunk)
            part[:] = _values(chunk)
            if chunk.null_count:
                part[~_valid(chunk)] = np.nan
    return matrix


def _view(table: pa.Table) -> Array | None:
    """The matrix that the columns are already, if they are one."""
    import numpy as np

    rows, chunks = table.num_rows, [column.chunks for column in table.columns]
    if not rows or not chunks or any(len(one) != 1 or one[0].type != "double" for one in chunks):
        return None
    columns = [one[0] for one in chunks]
    addresses = [_address(column) for column in columns]
    if any(address != addresses[0] + place * rows * 8 for place, address in enumerate(addresses)):
        return None
    whole = columns[0].buffers()[1]
    if len(columns) > 1:
        whole = whole.parent
    if whole is None or addresses[-1] + rows * 8 > whole.address + whole.size:
        return None  # neighbours by chance, of different owners
    if not all(np.isnan(_values(column)[~_valid(column)]).all() for column in columns if column.null_count):
        return None
    flat = np.frombuffer(whole, np.float64, rows * len(columns), addresses[0] - whole.address)
    flat.flags.writeable = False
    return flat.reshape((rows, len(columns)), order="F")


def _address(column: pa.DoubleArray) -> int:
    start: int = column.buffers()[1].address
    offset: int = column.offset
    return start + offset * 8


def _values(chunk: pa.Array) -> Array:
    """A view of the numbers of an array; what stands where it is null is anything.

    `pyarrow.Array.to_numpy` would import pandas, where there is one, for each process that converts one array.
    """
    import numpy as np
    import pyarrow as pa

    if pa.types.is_null(chunk.type) or not len(chunk):
        return np.full(len(chunk), np.nan)
    if pa.types.is_boolean(chunk.type):
        return _bits(chunk, 1).view(np.bool_)
    kind = _type_of(chunk.type)
    return np.frombuffer(chunk.buffers()[1], kind, len(chunk), chunk.offset * kind.itemsize)


def _valid(chunk: pa.Array) -> Array:
    """Where an array with nulls has values."""
    import numpy as np
    import pyarrow as pa

    if pa.types.is_null(chunk.type):
        return np.zeros(len(chunk), np.bool_)
    return _bits(chunk, 0).view(np.bool_)


def _bits(chunk: pa.Array, buffer: int) -> Array:
    import numpy as np

    packed = np.frombuffer(chunk.buffers()[buffer], np.uint8)
    return np.unpackbits(packed, count=chunk.offset + len(chunk), bitorder="little")[chunk.offset :]


class SideBySide:
    """Float64 columns that grow by pieces into one buffer, column after column.

    It starts with room for about as many rows as there will be. Room that is never written costs no memory, so a
    generous guess is free; a guess that was too low costs one copy.

    Args:
        columns: How many.
        rows: How many are expected.
    """

    def __init__(self, columns: int, rows: int) -> None:
        import numpy as np

        self._matrix: Array = np.empty((columns, rows))
        self._valid: dict[int, Array] = {}

    def put(self, column: int, row: int, piece: pa.DoubleArray) -> None:
        """Copy a piece of a column to where it belongs, with NaN for its nulls.

        Args:
            column: Its place.
            row: That of its first value.
            piece: Values.
        """
        import numpy as np

        end = row + len(piece)
        if end > self._matrix.shape[1]:
            self._grow(end + end // 2)
        self._matrix[column, row:end] = _values(piece)
        if piece.null_count:
            valid = _valid(piece)
            self._matrix[column, row:end][~valid] = np.nan
            self._valid.setdefault(column, np.ones(self._matrix.shape[1], np.bool_))[row:end] = valid

    def arrays(self, rows: int) -> list[pa.DoubleArray]:
        """Close the ranks and give every column as an Arrow array over its part of the buffer.

        Args:
            rows: How many there are.

        Returns:
            One array a column. The buffer is theirs from here on.
        """
        import numpy as np
        import pyarrow as pa

        matrix, self._matrix = self._matrix, np.empty((0, 0))
        columns = matrix.shape[0]
        if rows < matrix.shape[1]:
            flat = matrix.reshape(-1)
            for place in range(1, columns):
                flat[place * rows : (place + 1) * rows] = matrix[place, :rows]
            del flat
            matrix.resize((columns, rows), refcheck=False)  # gives the rest back; no view of it is left
        whole = pa.py_buffer(matrix.reshape(-1))
        return [
            pa.Array.from_buffers(
                pa.float64(), rows, [self._bitmap(place, rows), whole.slice(place * rows * 8, rows * 8)]
            )
            for place in range(columns)
        ]

    def _bitmap(self, column: int, rows: int) -> pa.Buffer | None:
        import numpy as np
        import pyarrow as pa

        valid = self._valid.get(column)
        return None if valid is None else pa.py_buffer(np.packbits(valid[:rows], bitorder="little"))

    def _grow(self, rows: int) -> None:
        import numpy as np

        before = self._matrix.shape[1]
        larger = np.empty((len(self._matrix), rows))
        larger[:, :before] = self._matrix
        self._matrix = larger
        for column, valid in self._valid.items():
            self._valid[column] = np.concatenate([valid, np.ones(rows - before, np.bool_)])

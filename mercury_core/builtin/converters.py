"""Converters: from any format to one of the four that the core knows, by way of Arrow.

What is missing: Arrow and polars tell null from NaN; NumPy and pandas' float64 have NaN (NaT for times) for both, so
that on the way back from those NaN is null. Anything else that a format cannot say is refused, with the name of the
column.
"""

from __future__ import annotations

from mercury_core.data.hub import arrow_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import numpy as np
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    from mercury_core.data import DataWrapper


def to_arrow(wrapper: DataWrapper) -> pa.Table:
    """Convert to a pyarrow Table.

    Args:
        wrapper: Data in any format.

    Returns:
        A table, which shares what memory it can.

    Raises:
        ConversionError: A column of Python objects of several types, or of a type that Arrow does not have.

    Examples:
        >>> import numpy as np
        >>> from mercury_core.data import DataWrapper
        >>> to_arrow(DataWrapper(np.array([[1.5, 2.5], [3.5, float("nan")]]), ["a", "b"])).to_pydict()
        {'a': [1.5, 3.5], 'b': [2.5, None]}
    """
    return arrow_of(wrapper)


def to_numpy(wrapper: DataWrapper, *, dtype: Any = None) -> np.ndarray[Any, Any]:
    """Convert to a two-dimensional NumPy array.

    Args:
        wrapper: Data in any format.
        dtype: What the array is to hold: a number type, ``bool`` or ``object``. None for what the columns have in
            common: a number type for numbers and booleans (a float type where there are nulls); ``object`` for
                strings; ``datetime64``
            or ``timedelta64`` for dates, for durations, and for timestamps without a time zone, each of one unit.

    Returns:
        An array of rows × columns, read-only where it shares memory. Nulls are NaN or NaT; among strings and objects,
        None.

    Raises:
        ConversionError: Columns of different kinds, or with categories, time zones, lists, …, unless `dtype` is
            ``object``; whole numbers that a float would round; numbers that `dtype` cannot hold; nulls, where it has
            no word for them.
        DataError: A `dtype` that is none of these.

    Examples:
        >>> from mercury_core.data import DataWrapper
        >>> to_numpy(DataWrapper({"a": [1, None], "b": [True, False]}))
        array([[ 1.,  1.],
               [nan,  0.]])
    """
    from mercury_core.data.conversion.numpy import array_of, checked_type

    wanted = None if dtype is None else checked_type(dtype)
    if wrapper.format == "numpy" and wanted == wrapper.underlying.dtype:
        array: np.ndarray[Any, Any] = wrapper.underlying
        return array
    return array_of(arrow_of(wrapper), wanted)


def to_pandas(wrapper: DataWrapper) -> pd.DataFrame:
    """Convert to a pandas DataFrame, with the row numbers as its index.

    Args:
        wrapper: Data in any format.

    Returns:
        A frame: whole numbers and booleans with nulls have pandas' nullable types (``Int64``, ``boolean``), categories
        are ``category``, strings pandas' own ``str``; timestamps keep unit and time zone; what pandas has no type for
        (dates, times of day, decimals, bytes, lists) keeps its Arrow type as a `pandas.ArrowDtype`.

    Raises:
        ConversionError: A column that pandas cannot hold, as categories of which two are alike.

    Examples:
        >>> from mercury_core.data import DataWrapper
        >>> to_pandas(DataWrapper({"a": [1, None], "b": ["x", None]})).dtypes.map(str).to_dict()
        {'a': 'Int64', 'b': 'str'}
    """
    from mercury_core.data.conversion.pandas import frame_of

    return frame_of(arrow_of(wrapper))


def to_polars(wrapper: DataWrapper, *, enums: bool = False) -> pl.DataFrame:
    """Convert to a polars DataFrame.

    Args:
        wrapper: Data in any format.
        enums: Make an ``Enum`` also of categories without an order. By default these become ``Categorical``, which
            keeps no category that no row has; categories with an order always become an ``Enum``.

    Returns:
        A frame. polars has no seconds: timestamps and durations in seconds are in milliseconds.

    Raises:
        ConversionError: Categories that are no strings, or that no row has; a type or a time zone that polars lacks.

    Examples:
        >>> from mercury_core.data import DataWrapper
        >>> to_polars(DataWrapper({"a": [1, None], "b": ["x", None]})).schema
        Schema([('a', Int64), ('b', String)])
    """
    from mercury_core.data.conversion.polars import frame_of

    return frame_of(arrow_of(wrapper), enums=enums)

"""`DataWrapper`: some data, in whatever library it is, and the names of its fields."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from mercury_core.data.backends import recognise
from mercury_core.data.frozen import Frozen
from mercury_core.errors import DataError, MissingColumnsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any, NoReturn

    import numpy as np
    import pyarrow as pa

    from mercury_core.data.backends import Backend


class DataWrapper(Frozen, Mapping[str, "DataWrapper"]):
    """Some data and the names of its fields, immutable; a mapping from field name to the wrapper of that one column.

    What is wrapped stays what it is and is not copied: the wrapper does not change it, and whoever does so from outside
    changes what all views of it show.

    Args:
        underlying: A pyarrow Table, RecordBatch or stream; a pandas or polars DataFrame or Series; a NumPy array of
            one dimension (one column) or two (rows × columns); a dict of columns; anything with ``__arrow_c_stream__``
            (kept as an Arrow table); or an object of a library for which a plugin registers ``from.LIBRARY``.
        field_names: New names of the columns, in order. NumPy arrays, which have none, get ``x0``, ``x1``, … without
            it.

    Attributes:
        underlying: The data: a pyarrow Table, a pandas or polars DataFrame, a NumPy array of rows × columns, …
        field_names: A tuple of distinct texts.
        format: ``arrow``, ``numpy``, ``pandas``, ``polars``, or the name of a plugin's library.

    Raises:
        DataError: Nothing that can be wrapped; names that are double, or not one a column; a pandas index that would
            be lost. (An unnamed index of whole numbers counts as row numbers, which no conversion keeps.)

    Examples:
        >>> people = DataWrapper({"age": [31, 44], "name": ["Ada", None]})
        >>> people
        DataWrapper: 2 × 2 arrow (age: int64, name: string)
        >>> people.age.underlying["age"].to_pylist()
        [31, 44]
        >>> people.select(["age"]).to("numpy").underlying
        array([[31],
               [44]])
    """

    __slots__ = ("_backend", "_places", "field_names", "format", "underlying")

    _KIND = "data wrapper"
    _PART = "field"

    underlying: Any
    field_names: tuple[str, ...]
    format: str
    _backend: Backend
    _places: dict[str, int]

    def __init__(self, underlying: Any, field_names: Iterable[str] | None = None) -> None:
        if isinstance(underlying, DataWrapper):
            underlying, field_names = underlying.underlying, field_names or underlying.field_names
        format, backend, data = recognise(underlying)  # noqa: A001
        own = backend.names(data)
        if field_names is None:
            names = tuple(own) if own is not None else tuple(f"x{place}" for place in range(backend.num_columns(data)))
        else:
            names = (field_names,) if isinstance(field_names, str) else tuple(field_names)
        if len(names) != (columns := backend.num_columns(data)):
            raise DataError(f"There are {len(names)} field names for {columns} columns: expected one name a column.")
        places = _places_of(names)
        if own is not None and names != tuple(own):
            data = backend.rename(data, list(names))
        self._set(underlying=data, field_names=names, format=format, _backend=backend, _places=places)

    # --- what it is ---

    @property
    def num_rows(self) -> int:
        """How many rows; `len` is the number of fields, as of any mapping."""
        return self._backend.num_rows(self.underlying)

    @property
    def schema(self) -> pa.Schema:
        """Names and Arrow types. Converts nothing, except columns of Python objects, whose type nobody knows otherwise.

        Raises:
            ConversionError: A column of a type that Arrow does not have.
        """
        return self._backend.schema(self.underlying, self.field_names)

    def types(self) -> tuple[str, ...]:
        """The library's own word for the type of each field; never looks at a value."""
        return tuple(self._backend.types(self.underlying, self.field_names))

    def __len__(self) -> int:
        return len(self.field_names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.field_names)

    def __contains__(self, name: object) -> bool:
        return name in self._places

    def __getitem__(self, name: str) -> DataWrapper:
        return self.select([name])

    def __eq__(self, other: object) -> bool:
        """Whether names, types and values are the same, in whatever library; null equals null, and NaN equals NaN."""
        if not isinstance(other, DataWrapper):
            return NotImplemented
        from mercury_core.data.compare import same_values

        return self is other or same_values(self, other)

    def __hash__(self) -> int:
        return hash((self.field_names, self.num_rows))

    def __repr__(self) -> str:
        from mercury_core.data.describe import describe_wrapper

        return f"DataWrapper: {describe_wrapper(self)}"

    def __reduce__(self) -> tuple[Any, ...]:
        return DataWrapper, (self.underlying, self.field_names)

    def _missing(self, name: str) -> DataError:
        return MissingColumnsError("The data", [name], self.field_names)

    # --- other data from it ---

    def to(self, format: str, **options: Any) -> DataWrapper:  # noqa: A002
        """Convert to another library, through the provider ``to.FORMAT`` of the verb transform.

        Args:
            format: ``arrow``, ``numpy``, ``pandas``, ``polars``, or whatever a plugin brings.
            **options: The converter's own parameters.

        Returns:
            The data in that format; this very wrapper where it is in that format and there are no options.

        Raises:
            ConversionError: A column would lose its meaning; names it.
            PluginError: There is no such format, it has no such options, or its library is not installed.
        """
        if format == self.format and not options:
            return self
        from mercury_core import registry

        key = f"to.{format}"
        convert = registry.resolve("transform", key)
        if options:
            from mercury_core.parameters import require

            require("transform", key, convert, options, given=("wrapper",))
        try:
            converted = convert(self, **options)
        except ModuleNotFoundError as cause:
            provider = registry.provider_of("transform", key)
            if provider is None or not provider.install:
                raise
            from mercury_core.errors import ProviderNotInstalledError

            raise ProviderNotInstalledError("transform", key, provider.install) from cause
        if isinstance(converted, DataWrapper):
            return converted
        return DataWrapper(converted, self.field_names)

    def select(self, names: Iterable[str]) -> DataWrapper:
        """Some fields, in the order of `names`.

        Copies nothing, except fields of a NumPy array that are not evenly spaced.

        Raises:
            MissingColumnsError: Names that are not there.
            DataError: A name twice.
        """
        names = [names] if isinstance(names, str) else list(names)
        missing = [name for name in names if name not in self._places]
        if missing:
            raise MissingColumnsError("The data", missing, self.field_names)
        _places_of(tuple(names))
        return self._made(self._backend.select(self.underlying, [self._places[name] for name in names]), names)

    def take(self, indices: np.ndarray | Sequence[int]) -> DataWrapper:
        """Some rows, in the order of `indices`.

        Args:
            indices: Positions of rows, from 0; one may come several times.

        Raises:
            DataError: A position that is no whole number, or beyond the rows.
        """
        import numpy as np

        rows = np.asarray(indices)
        if rows.ndim != 1 or (rows.size and rows.dtype.kind not in "iu"):
            raise DataError(
                f"Rows are taken by their positions: expected whole numbers in one dimension, got {_shape_of(rows)}."
            )
        if rows.size and (rows.min() < 0 or rows.max() >= self.num_rows):
            raise DataError(f"There are {self.num_rows} rows: the positions {rows.min()} to {rows.max()} lead beyond.")
        return self._made(self._backend.take(self.underlying, rows.astype(np.int64, copy=False)), self.field_names)

    def slice(self, offset: int, length: int | None = None) -> DataWrapper:
        """The rows from `offset` on, at most `length` of them; copies nothing.

        Raises:
            DataError: `offset` or `length` is negative.
        """
        if offset < 0 or (length is not None and length < 0):
            raise DataError(
                f"A slice of rows needs an offset and a length that are not negative, got {offset} and {length}."
            )
        offset = min(offset, self.num_rows)
        length = self.num_rows - offset if length is None else min(length, self.num_rows - offset)
        return self._made(self._backend.slice(self.underlying, offset, length), self.field_names)

    @staticmethod
    def concat(wrappers: Iterable[DataWrapper]) -> DataWrapper:
        """The rows of all wrappers, one after another, in the format of the first.

        Args:
            wrappers: At least one; all with the same fields, in any order, of the same types.

        Raises:
            MissingColumnsError: A wrapper lacks fields of the first.
            DataError: A wrapper has more fields than the first, or a field of another type; or there is none.
        """
        first, *rest = _some(wrappers)
        for place, other in enumerate(rest, 2):
            missing = [name for name in first if name not in other]
            if missing:
                raise MissingColumnsError(f"Part {place} of the rows to put together", missing, other.field_names)
            more = [name for name in other if name not in first]
            if more:
                raise DataError(
                    f"Part {place} of the rows to put together has the column {more[0]!r}, which part 1 lacks."
                )
        parts = [first, *(_like(other.select(first.field_names), first) for other in rest)]
        return first._made(
            first._backend.concat([part.underlying for part in parts], first.field_names), first.field_names
        )

    @staticmethod
    def concat_columns(wrappers: Iterable[DataWrapper]) -> DataWrapper:
        """The fields of all wrappers, side by side, in the format of the first.

        Args:
            wrappers: At least one; all with as many rows, and no two with the same field.

        Raises:
            DataError: Numbers of rows that differ, a name twice, or no wrapper at all.
        """
        first, *rest = parts = _some(wrappers)
        names = [name for part in parts for name in part]
        _places_of(tuple(names))
        for other in rest:
            if other.num_rows != first.num_rows:
                raise DataError(
                    f"Columns cannot be put side by side: {first.field_names} have {first.num_rows} rows, "
                    f"{other.field_names} have {other.num_rows}."
                )
        converted = [first, *(_like(other, first) for other in rest)]
        return first._made(first._backend.concat_columns([part.underlying for part in converted], names), names)

    def _made(self, data: Any, names: Iterable[str]) -> DataWrapper:
        """A wrapper of data that this one's backend made: its format and its names are known."""
        made = object.__new__(DataWrapper)
        names = tuple(names)
        made._set(underlying=data, field_names=names, format=self.format)
        made._set(_backend=self._backend, _places={name: place for place, name in enumerate(names)})
        return made


def _some(wrappers: Iterable[DataWrapper]) -> list[DataWrapper]:
    some = list(wrappers)
    if not some:
        raise DataError("There is no data to put together: expected at least one wrapper.")
    return some


def _like(wrapper: DataWrapper, first: DataWrapper) -> DataWrapper:
    return wrapper.to(first.format)


def _shape_of(rows: np.ndarray) -> str:
    return f"{rows.dtype} of shape {rows.shape}"


def _places_of(names: tuple[Any, ...]) -> dict[str, int]:
    """The place of each name; nobody changes it.

    Raises:
        DataError: A name that is no text, or is there twice.
    """
    for name in names:
        if not isinstance(name, str):
            _refuse_name(name)
    return _places(names)


@lru_cache(maxsize=64)
def _places(names: tuple[str, ...]) -> dict[str, int]:
    # Kept, since a server makes wrappers of the same names again and again.
    places: dict[str, int] = {}
    for place, name in enumerate(names):
        if name in places:
            raise DataError(f"The field name {name!r} is there twice: give every column a name of its own.")
        places[name] = place
    return places


def _refuse_name(name: object) -> NoReturn:
    raise DataError(f"The field name {name!r} is no text: give every column a name that is.")

"""`DataSet`: wrappers by role, row by row the same things."""

from __future__ import annotations

from collections.abc import Mapping

from mercury_core.data.frozen import Frozen
from mercury_core.data.wrapper import DataWrapper
from mercury_core.errors import DataError, MissingColumnsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    import numpy as np


class DataSet(Frozen, Mapping[str, DataWrapper]):
    """Wrappers by role (``features``, ``targets``, ``index``, …), all with the same rows; immutable.

    Args:
        wrappers: One a role; data that is not wrapped is wrapped.
        applied: The transforms that the data went through, in order.

    Attributes:
        applied: That, as a tuple.

    Raises:
        DataError: Wrappers with different numbers of rows, or something that cannot be wrapped.

    Examples:
        >>> import numpy as np
        >>> data_set = DataSet({"features": {"age": [31, 44], "name": ["Ada", None]}, "targets": np.array([0.5, 1.5])})
        >>> data_set
        DataSet: 2 rows
          features  2 × 2 arrow (age: int64, name: string)
          targets   2 × 1 numpy (x0: float64)
        >>> data_set.features.field_names
        ('age', 'name')
    """

    __slots__ = ("_wrappers", "applied")

    _KIND = "data set"
    _PART = "role"

    applied: tuple[Any, ...]
    _wrappers: dict[str, DataWrapper]

    def __init__(self, wrappers: Mapping[str, Any], applied: Iterable[Any] = ()) -> None:
        named = {role: _wrap(role, data) for role, data in wrappers.items()}
        rows = {role: wrapper.num_rows for role, wrapper in named.items()}
        if len(set(rows.values())) > 1:
            counts = ", ".join(f"{role} {count}" for role, count in rows.items())
            raise DataError(f"The wrappers of a data set have the same number of rows, and these differ: {counts}.")
        self._set(_wrappers=named, applied=tuple(applied))

    @classmethod
    def from_table(cls, table: Any, roles: Mapping[str, Any] | None = None) -> DataSet:
        """Give the columns of a table their roles.

        Args:
            table: What `DataWrapper` takes.
            roles: By role a name, a list of names, or ``"*"`` (all columns that no other role names); ``features`` is
                ``"*"`` by default. See `mercury_core.data.roles`.

        Returns:
            Views of the columns; columns without a role are left out, and so is a ``"*"`` for which none is left.

        Raises:
            MissingColumnsError: A role names columns that the table lacks.
            RolesError: Roles that say nothing, or contradict one another.

        Examples:
            >>> table = {"id": [1, 2], "age": [31, 44], "paid": [True, False]}
            >>> DataSet.from_table(table, {"index": "id", "targets": "paid"})
            DataSet: 2 rows
              index     2 × 1 arrow (id: int64)
              targets   2 × 1 arrow (paid: bool)
              features  2 × 1 arrow (age: int64)
        """
        from mercury_core.data.roles import assign

        wrapper = table if isinstance(table, DataWrapper) else DataWrapper(table)
        return cls({role: wrapper.select(names) for role, names in assign(roles or {}, wrapper.field_names).items()})

    @property
    def num_rows(self) -> int:
        """How many rows each wrapper has; `len` is the number of roles."""
        return next(iter(self._wrappers.values())).num_rows if self._wrappers else 0

    def __len__(self) -> int:
        return len(self._wrappers)

    def __iter__(self) -> Iterator[str]:
        return iter(self._wrappers)

    def __getitem__(self, role: str) -> DataWrapper:
        if role not in self._wrappers:
            raise self._missing(role)
        return self._wrappers[role]

    def __contains__(self, role: object) -> bool:
        return role in self._wrappers

    def __eq__(self, other: object) -> bool:
        """Whether roles, data and applied transforms are the same."""
        if not isinstance(other, DataSet):
            return NotImplemented
        return self is other or (self._wrappers == other._wrappers and self.applied == other.applied)

    def __hash__(self) -> int:
        return hash((frozenset(self._wrappers), self.num_rows, len(self.applied)))

    def __repr__(self) -> str:
        from mercury_core.data.describe import describe_set

        return f"DataSet: {describe_set(self)}"

    def __reduce__(self) -> tuple[Any, ...]:
        return DataSet, (self._wrappers, self.applied)

    def replace(self, **wrappers: Any) -> DataSet:
        """The same data set with other, or more, wrappers; what was applied stays noted.

        Args:
            **wrappers: One a role: a wrapper, or data to wrap.

        Raises:
            DataError: The numbers of rows differ.
        """
        return DataSet({**self._wrappers, **wrappers}, self.applied)

    def select(self, columns: Iterable[str]) -> DataSet:
        """Some columns, in whichever role each is; a role that is left with none is left out.

        For other features beside the same targets: ``data_set.replace(features=data_set.features.select(columns))``.

        Args:
            columns: Names; within a role the columns come in this order.

        Raises:
            MissingColumnsError: Names that no role has.
        """
        columns = [columns] if isinstance(columns, str) else list(columns)
        every = [name for wrapper in self._wrappers.values() for name in wrapper]
        missing = [name for name in columns if name not in every]
        if missing:
            raise MissingColumnsError("The data set", missing, every)
        chosen = {role: [name for name in columns if name in wrapper] for role, wrapper in self._wrappers.items()}
        kept = {role: self._wrappers[role].select(names) for role, names in chosen.items() if names}
        return DataSet(kept, self.applied)

    def take(self, indices: np.ndarray | Sequence[int]) -> DataSet:
        """Some rows of every wrapper, by position; see `DataWrapper.take`."""
        return DataSet({role: wrapper.take(indices) for role, wrapper in self._wrappers.items()}, self.applied)

    def slice(self, offset: int, length: int | None = None) -> DataSet:
        """A range of rows of every wrapper, copying nothing; see `DataWrapper.slice`."""
        return DataSet({role: wrapper.slice(offset, length) for role, wrapper in self._wrappers.items()}, self.applied)

    def with_applied(self, applied: Iterable[Any]) -> DataSet:
        """The same data, noted to have gone through these transforms, and no others."""
        return DataSet(self._wrappers, applied)


def _wrap(role: str, data: Any) -> DataWrapper:
    if isinstance(data, DataWrapper):
        return data
    try:
        return DataWrapper(data)
    except DataError as error:
        raise DataError(f"The role {role!r} of the data set: {error}") from error

"""`DataBunch`: data sets by name."""

from __future__ import annotations

from collections.abc import Mapping

from mercury_core.data.data_set import DataSet
from mercury_core.data.frozen import Frozen
from mercury_core.errors import DataError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any

    from mercury_core.contracts import Fitted


class DataBunch(Frozen, Mapping[str, DataSet]):
    """Data sets by name (``train``, ``valid``, ``test``, …), immutable.

    Args:
        data_sets: One a name.

    Raises:
        DataError: Something that is no data set.

    Examples:
        >>> data_set = DataSet({"features": {"a": [1, 2, 3]}})
        >>> bunch = DataBunch({"train": data_set.slice(0, 2), "test": data_set.slice(2)})
        >>> bunch
        DataBunch: 2 data sets
          train: 2 rows
            features  2 × 1 arrow (a: int64)
          test: 1 row
            features  1 × 1 arrow (a: int64)
        >>> bunch.train.num_rows
        2
    """

    __slots__ = ("_data_sets",)

    _KIND = "data bunch"
    _PART = "data set"

    _data_sets: dict[str, DataSet]

    def __init__(self, data_sets: Mapping[str, DataSet]) -> None:
        for name, data_set in data_sets.items():
            if not isinstance(data_set, DataSet):
                raise DataError(
                    f"The data set {name!r} of the bunch is a {type(data_set).__name__}: expected a DataSet, made with "
                    f"DataSet({{'features': …}}) or DataSet.from_table(table, roles)."
                )
        self._set(_data_sets=dict(data_sets))

    def __len__(self) -> int:
        return len(self._data_sets)

    def __iter__(self) -> Iterator[str]:
        return iter(self._data_sets)

    def __getitem__(self, name: str) -> DataSet:
        if name not in self._data_sets:
            raise self._missing(name)
        return self._data_sets[name]

    def __contains__(self, name: object) -> bool:
        return name in self._data_sets

    def __eq__(self, other: object) -> bool:
        """Whether names and data sets are the same."""
        return self._data_sets == other._data_sets if isinstance(other, DataBunch) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._data_sets.items()))

    def __repr__(self) -> str:
        from mercury_core.data.describe import describe_bunch

        return f"DataBunch: {describe_bunch(self)}"

    def __reduce__(self) -> tuple[Any, ...]:
        return DataBunch, (self._data_sets,)

    def replace(self, **data_sets: DataSet) -> DataBunch:
        """The same bunch with other, or more, data sets."""
        return DataBunch({**self._data_sets, **data_sets})

    def select(self, names: Iterable[str]) -> DataBunch:
        """Some data sets, in the order of `names`.

        Raises:
            MissingNameError: A name that is not there.
        """
        return DataBunch({name: self[name] for name in ([names] if isinstance(names, str) else names)})

    def transform(self, transform: Fitted | Callable[[DataSet], DataSet]) -> DataBunch:
        """Apply a fitted transform, or a function on a data set, to every data set.

        A data set notes what was applied only where the transform does so, as with
        `mercury_core.tasks.transform_data_bunch`.

        Args:
            transform: An object with `apply`, or a function, from data set to data set.

        Raises:
            DataError: It gave back something that is no data set.
        """
        apply: Any = getattr(transform, "apply", transform)
        return DataBunch({name: apply(data_set) for name, data_set in self._data_sets.items()})

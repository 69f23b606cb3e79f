"""A transform that was applied in training, and that a bundle applies again."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from mercury_core.errors import BundleError, DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pyarrow as pa

    from mercury_core.bundle.fields import Field
    from mercury_core.contracts import Fitted
    from mercury_core.data import DataSet


@dataclass(frozen=True, eq=False, slots=True)
class AppliedTransform:
    """One transform, as it was fitted.

    Attributes:
        use: The key or the reference of its provider.
        params: The parameters of that provider.
        work: What was fitted; or, for a plain function, the function itself.
        inputs: Of the first one, the raw feature columns.
        sample: Of the first one, some raw rows of those columns, of which golden rows are made.
        id: Tells it apart from every other, also after it was saved and loaded.
    """

    use: str
    params: Mapping[str, Any]
    work: Fitted | Callable[..., DataSet]
    inputs: tuple[Field, ...] = ()
    sample: pa.Table | None = None
    id: str = field(default_factory=lambda: uuid4().hex)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, AppliedTransform) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    @property
    def is_function(self) -> bool:
        """Whether it is a plain function, kept as its key and parameters."""
        return not hasattr(self.work, "apply")

    def apply(self, data_set: DataSet) -> DataSet:
        """Transform a data set, which remembers it.

        Raises:
            DataError: The transform gave back no data set.
        """
        from mercury_core.data import DataSet

        work: Any = self.work
        result = work(data_set, **self.params) if self.is_function else work.apply(data_set)
        if not isinstance(result, DataSet):
            raise DataError(f"The transform {self.use!r} gave back {type(result).__name__}: expected a DataSet.")
        return result.with_applied((*data_set.applied, self))

    def save(self, path: Path) -> None:
        """Write what was fitted into the directory `path`, which is made; a function writes nothing.

        Raises:
            BundleError: A function that no key and no ``module:name`` can find again.
        """
        if not self.use:
            name = getattr(self.work, "__qualname__", type(self.work).__name__)
            raise BundleError(
                f"The transform {name} cannot be kept in a bundle, since it cannot be found again by name: "
                f"define it at the top level of a module, or register it."
            )
        if not self.is_function:
            path.mkdir(parents=True)
            work: Any = self.work
            work.save(path)

"""The data sets that scikit-learn ships, as a reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercury_core.errors import MissingColumnsError, ReadError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

_LOADERS = {
    "breast_cancer": "load_breast_cancer",
    "diabetes": "load_diabetes",
    "digits": "load_digits",
    "iris": "load_iris",
    "wine": "load_wine",
}


class DatasetReader:
    """Reads a data set that scikit-learn ships, by its name: no file, no download.

    Examples:
        >>> read_dataset("iris", columns=["petal width (cm)", "target"]).shape
        (150, 2)
    """

    def sources(self) -> Sequence[str]:
        """The names of the data sets."""
        return sorted(_LOADERS)

    def __call__(self, source: str, *, columns: list[str] | None = None) -> pa.Table:
        """Read a data set.

        Args:
            source: ``breast_cancer``, ``diabetes``, ``digits``, ``iris`` or ``wine``.
            columns: The columns to read; None for all.

        Returns:
            A table of the features under scikit-learn's own names and of ``target``: the name of the class, or for
            diabetes the number.

        Raises:
            ReadError: There is no such data set.
            MissingColumnsError: There is no such column.
        """
        import numpy as np
        import pyarrow as pa
        import sklearn.datasets

        if source not in _LOADERS:
            raise ReadError(
                repr(source), f"scikit-learn ships {', '.join(self.sources())}", did_you_mean(source, _LOADERS).strip()
            )
        loaded: Any = getattr(sklearn.datasets, _LOADERS[source])()
        target = loaded.target
        if "target_names" in loaded and source != "diabetes":
            target = np.asarray(loaded.target_names)[target]
        table = dict(zip(loaded.feature_names, np.ascontiguousarray(loaded.data.T), strict=True)) | {"target": target}
        missing = [name for name in columns or () if name not in table]
        if missing:
            raise MissingColumnsError(source, missing, list(table))
        return pa.table({name: table[name] for name in (table if columns is None else columns)})

    def schema(self, source: str) -> pa.Schema:
        """Names and types of the columns of a data set."""
        return self(source).schema


read_dataset = DatasetReader()

"""What a model takes and gives: names and types of raw rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mercury_core.bundle.fields import Field as Field  # noqa: TC001  (a manifest is read by these hints)
from mercury_core.errors import ArgumentsError, MissingColumnsError, SignatureError, did_you_mean

if TYPE_CHECKING:
    from mercury_core.data import DataSet


@dataclass(frozen=True, slots=True)
class Signature:
    """The raw rows that a bundle takes, and what it predicts; how many rows there are is always open.

    Attributes:
        inputs: The feature columns as they were read, before any transform.
        targets: The target columns.
        index: The names of the columns that tell rows apart.
        classes: The labels in the order of the score columns, for a classifier of one target.
    """

    inputs: tuple[Field, ...] = ()
    targets: tuple[Field, ...] = ()
    index: tuple[str, ...] = ()
    classes: tuple[Any, ...] | None = None

    @property
    def input_names(self) -> list[str]:
        """The names of the feature columns, in order."""
        return [field.name for field in self.inputs]

    @property
    def target_names(self) -> list[str]:
        """The names of the target columns, in order."""
        return [field.name for field in self.targets]

    def fit_rows(self, data_set: DataSet, *, extra: str = "drop") -> DataSet:
        """Give raw rows the columns and the types that the model was trained on.

        Integers become floats where floats were seen in training, a column of nothing but nulls any type, labels the
        categories of training in their order; nothing that would lose its value is changed.

        Args:
            data_set: Raw rows.
            extra: What becomes of columns that the model does not know: ``drop`` or ``error``.

        Returns:
            The rows, their features in the order of `inputs`.

        Raises:
            MissingColumnsError: Features are missing.
            SignatureError: A column of another type, which cannot be widened; a category that was not there in
                training; a null where training had none; with ``extra="error"``, a column that the model does not know.

        Examples:
            >>> from mercury_core import DataSet
            >>> signature = Signature(inputs=(Field("age", "double", nullable=False),))
            >>> signature.fit_rows(DataSet({"features": {"name": ["Ada"], "age": [31]}})).features
            DataWrapper: 1 × 1 arrow (age: double)
        """
        from mercury_core.bundle.rows import fitted

        names, features = self.input_names, data_set.features
        missing = [name for name in names if name not in features]
        if missing:
            raise MissingColumnsError("The data to predict", missing, list(features.field_names))
        if extra == "error":
            self._refuse_extra(features.field_names)
        elif extra != "drop":
            raise ArgumentsError("serve", "signature", [f"'extra' is {extra!r}: expected 'drop' or 'error'."])
        chosen = features if features.field_names == tuple(names) else features.select(names)
        rows = fitted(chosen, self.inputs)
        return data_set if rows is features else data_set.replace(features=rows)

    def _refuse_extra(self, names: tuple[str, ...]) -> None:
        known = self.input_names
        for name in names:
            if name not in known:
                shown = ", ".join(known[:20]) + (" …" if len(known) > 20 else "")
                todo = f"{did_you_mean(name, known).strip()} Leave it out.".strip()
                raise SignatureError(name, f"one of its columns ({shown})", "a column that it does not know", todo)

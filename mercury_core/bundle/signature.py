"""What a model takes and gives: names and types of raw rows, and making rows fit them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mercury_core.errors import ConversionError, MissingColumnsError

if TYPE_CHECKING:
    import pyarrow as pa

    from mercury_core.data import DataSet, DataWrapper


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a signature.

    Attributes:
        name: Its name.
        type: The Arrow type by its own name, as ``int64``, ``timestamp[us, tz=UTC]``, ``dictionary<string>``.
        nullable: Whether the training data had nulls in it.
    """

    name: str
    type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Signature:
    """The raw rows that a bundle takes, and what it predicts.

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

    def fit_rows(self, data_set: DataSet) -> DataSet:
        """Give raw rows the columns and the types that the model was trained on.

        Columns that the model does not know are left out; integers become floats where floats were seen in training;
        nothing that would lose its value is changed.

        Args:
            data_set: Raw rows.

        Returns:
            The rows, their features in the order of `inputs`.

        Raises:
            MissingColumnsError: Features are missing.
            ConversionError: A column of another type, which cannot be widened.
        """
        features = data_set.features
        missing = [name for name in self.input_names if name not in features]
        if missing:
            raise MissingColumnsError("The data to predict", missing, list(features.field_names))
        features = features.select(self.input_names)
        found = fields_of(features)
        if any(have.type != want.type for have, want in zip(found, self.inputs, strict=True)):
            features = self._cast(features)
        return data_set.replace(features=features)

    def _cast(self, features: DataWrapper) -> DataWrapper:
        import pyarrow as pa

        from mercury_core.data import DataWrapper

        table = features.to("arrow").underlying
        columns = [_cast(table.column(field.name), field) for field in self.inputs]
        return DataWrapper(pa.table(columns, names=self.input_names))


def fields_of(wrapper: DataWrapper) -> tuple[Field, ...]:
    """Name, type and nullability of every column of a wrapper."""
    table = wrapper.underlying if wrapper.format == "arrow" else None
    return tuple(
        Field(field.name, _name_of(field.type), field.nullable if table is None else table.column(place).null_count > 0)
        for place, field in enumerate(wrapper.schema)
    )


def _name_of(kind: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return f"dictionary<{_name_of(kind.value_type)}>"
    # Which layout a string lies in is a matter of the reader, not of the data.
    return "string" if pa.types.is_large_string(kind) or pa.types.is_string_view(kind) else str(kind)


def _type_of(name: str) -> pa.DataType | None:
    import pyarrow as pa

    if inner := re.fullmatch(r"dictionary<(.+)>", name):
        value = _type_of(inner[1])
        return None if value is None else pa.dictionary(pa.int32(), value)
    if zoned := re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", name):
        return pa.timestamp(zoned[1], tz=zoned[2])
    if decimal := re.fullmatch(r"decimal128\((\d+), (-?\d+)\)", name):
        return pa.decimal128(int(decimal[1]), int(decimal[2]))
    try:
        return pa.type_for_alias(name)
    except ValueError:
        return None


def _cast(column: pa.ChunkedArray, field: Field) -> pa.ChunkedArray:
    import pyarrow as pa

    found, wanted = column.type, _type_of(field.type)
    if wanted is None or _name_of(found) == field.type:
        return column
    if _widens(found, wanted):
        try:
            return column.cast(wanted)
        except pa.ArrowInvalid as error:
            why = f"the model was trained on the latter ({str(error).splitlines()[0]})"
            todo = "Give it the type of the training data, or train on a column of the former."
            raise ConversionError(field.name, str(found), field.type, why, todo) from error
    raise ConversionError(
        field.name,
        str(found),
        field.type,
        "the model was trained on the latter",
        "Give it the type of the training data.",
    )


def _widens(found: pa.DataType, wanted: pa.DataType) -> bool:
    import pyarrow as pa

    kinds = pa.types
    if kinds.is_null(found):
        return True
    if kinds.is_dictionary(wanted) or kinds.is_dictionary(found):
        return _widens_category(found, wanted)
    if kinds.is_integer(found) or kinds.is_floating(found):
        return bool(kinds.is_integer(wanted) or kinds.is_floating(wanted))
    return bool(kinds.is_temporal(found) and kinds.is_temporal(wanted))


def _widens_category(found: pa.DataType, wanted: pa.DataType) -> bool:
    def values(kind: pa.DataType) -> str:
        return _name_of(kind).removeprefix("dictionary<").removesuffix(">")

    return values(found) == values(wanted)

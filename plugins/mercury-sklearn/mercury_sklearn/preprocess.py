"""`sklearn.preprocess`: impute, scale and encode every column by its type."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from mercury_core.errors import ArgumentsError, BundleFormatError, FitError, MissingColumnsError
from mercury_sklearn.preprocess_columns import Categorical, Kept, Numeric
from mercury_sklearn.preprocess_options import NumericOptions, faults_of, options_for
from mercury_sklearn.refusals import odd_one

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from mercury_core.contracts import Fault
    from mercury_core.data import DataBunch, DataSet

_WHAT = "sklearn.preprocess"
_FILE = "preprocess.json"
_VERSION = 1
# Rows at a time: their part of the matrix stays in the cache of a core while column after column is written.
_ROWS = 8192
# Texts of which fewer than this share are no numbers are numbers with a mistake among them, not categories.
_ODD = 0.1


class Preprocess:
    """Makes one matrix of float64 of all features: numbers are imputed and scaled, categories imputed and encoded.

    A column of integers, floats or decimals is numeric; one of strings, booleans or an Arrow dictionary holds
    categories. What is learnt is learnt from the data set ``train``. A column that stands for something else, as one of
    images (`mercury_core.data.content`), is kept as it is, before the numbers; then the features are a table.

    Args:
        numeric: Options of all numeric columns: ``impute`` (``median``, ``mean``, ``most_frequent``, ``constant`` with
            ``fill_value``, ``none``) and ``scale`` (``standard``, ``minmax``, ``robust``, ``maxabs``, ``none``).
        categorical: Options of all others: ``impute`` (``most_frequent``, ``constant`` with ``fill_value``, ``none``),
            ``encode`` (``onehot``, ``ordinal``), ``min_frequency``, ``max_categories``.
        columns: By column name, options that differ (``{encode: ordinal}``; ``encode`` makes categories of numbers,
            ``scale`` makes numbers of booleans), ``drop``, or ``passthrough`` for a number to be left as it is.

    Raises:
        ArgumentsError: Options that there are not.

    Examples:
        >>> from mercury_core.data import DataBunch, DataSet
        >>> train = DataSet({"features": {"age": [20.0, None, 40.0], "town": ["Oslo", "Rome", "Oslo"]}})
        >>> fitted = Preprocess(numeric={"scale": "none"}).fit(DataBunch({"train": train}))
        >>> matrix = fitted.apply(train).features
        >>> matrix.field_names
        ('age', 'town_Oslo', 'town_Rome')
        >>> matrix.underlying.tolist()
        [[20.0, 1.0, 0.0], [30.0, 0.0, 1.0], [40.0, 1.0, 0.0]]
    """

    def __init__(
        self,
        *,
        numeric: dict[str, Any] | None = None,
        categorical: dict[str, Any] | None = None,
        columns: dict[str, Any] | None = None,
    ) -> None:
        self._params: dict[str, Any] = {"numeric": numeric, "categorical": categorical, "columns": columns}
        faults = faults_of(self._params)
        if faults:
            raise ArgumentsError("transform", _WHAT, [fault.message for fault in faults])

    @staticmethod
    def check_params(params: Mapping[str, Any]) -> Iterable[Fault]:
        """Find options that there are not."""
        return faults_of(params)

    @staticmethod
    def columns_in(params: Mapping[str, Any]) -> Iterable[tuple[tuple[str | int, ...], str]]:
        """The columns that have options of their own."""
        return [(("columns", name), name) for name in params.get("columns") or ()]

    def fit(self, bunch: DataBunch) -> FittedPreprocess:
        """Learn from ``bunch["train"]``.

        Raises:
            FitError: A column without any value, or of a type that is neither numbers nor categories; no column at all.
            MissingColumnsError: Options for a column that is not there.
        """
        train = bunch["train"]
        if "features" not in train:
            raise FitError(_WHAT, "the data set 'train' has no features", "Name them in the roles of the reader.")
        if not train.num_rows:
            raise FitError(_WHAT, "the data set 'train' has no rows", "Look at the source and at the split.")
        table = train.features.to("arrow").underlying
        strange = [name for name in self._params["columns"] or {} if name not in table.column_names]
        if strange:
            raise MissingColumnsError(
                "The data set 'train', of which sklearn.preprocess has options,", strange, table.column_names
            )
        learnt = [self._learn(table.schema.field(name), table.column(name)) for name in table.column_names]
        return FittedPreprocess([column for column in learnt if column is not None])

    def _learn(self, field: pa.Field, column: pa.ChunkedArray) -> Numeric | Categorical | Kept | None:
        import pyarrow as pa

        from mercury_core.data.content import holds_content

        name = field.name
        if holds_content(field) and (self._params["columns"] or {}).get(name, "passthrough") == "passthrough":
            return Kept(name)
        tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal)
        numeric = any(test(column.type) for test in tests)
        options = options_for(name, numeric, self._params)
        if options == "drop":
            return None
        if isinstance(options, str):
            if not numeric and not pa.types.is_boolean(column.type):
                why = f"the column {name!r} is of type {column.type} and cannot pass through into a matrix of numbers"
                raise FitError(_WHAT, why, f"Say columns: {{{name}: {{encode: onehot}}}}, or drop.")
            return Numeric(name)
        if isinstance(options, NumericOptions):
            if not numeric and not pa.types.is_boolean(column.type) and not pa.types.is_null(column.type):
                why = f"the column {name!r} is of type {column.type} and cannot be scaled"
                raise FitError(_WHAT, why, f"Say columns: {{{name}: {{encode: onehot}}}}, or drop.")
            return Numeric.learn(name, column, options)
        odd = odd_one(column, _ODD) if name not in (self._params["columns"] or {}) else None
        if odd is not None:
            raise FitError(
                _WHAT,
                f"the column {name!r} holds {odd!r} among numbers",
                f"Correct it in the source, name it to the reader as a missing value, null_values: [{odd!r}], or, "
                f"where these are categories, say columns: {{{name}: {{encode: onehot}}}}.",
            )
        return Categorical.learn(name, column, options)

    @staticmethod
    def load(path: Path, *, trusted: Collection[str] = ()) -> FittedPreprocess:  # noqa: ARG004 - there is nothing to trust
        """Read what `FittedPreprocess.save` wrote: numbers and words in JSON, no code and no types.

        Raises:
            BundleFormatError: It is not that.
        """
        where = path / _FILE
        try:
            state = json.loads(where.read_text(encoding="utf-8"))
            if state["version"] != _VERSION:
                raise BundleFormatError(str(where), f"its version is {state['version']}, and {_VERSION} is known here")
            return FittedPreprocess([_column(each) for each in state["columns"]])
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise BundleFormatError(str(where), f"{type(error).__name__}: {error}") from error


class FittedPreprocess:
    """What `Preprocess` learnt.

    Attributes:
        columns: The columns that are taken, in order, with what was learnt of each.
    """

    def __init__(self, columns: Sequence[Numeric | Categorical | Kept]) -> None:
        self.columns = tuple(columns)
        self._kept = [column.name for column in self.columns if isinstance(column, Kept)]
        self._made = [column for column in self.columns if not isinstance(column, Kept)]
        self._made_names = [name for column in self._made for name in column.output_names]
        self.output_names = [*self._kept, *self._made_names]
        twice = [name for name, count in Counter(self.output_names).items() if count > 1]
        if twice:
            raise FitError(_WHAT, f"two of its columns would be called {twice[0]!r}", "Rename a column of the source.")
        if not self.output_names:
            raise FitError(_WHAT, "no column is left", "Drop fewer.")

    def apply(self, data_set: DataSet) -> DataSet:
        """Make the matrix.

        Args:
            data_set: Its features are taken by name; columns that were not there in training are left out.

        Returns:
            The data set with ``features`` of rows × `output_names`: a matrix of float64, or an Arrow table where
            columns are kept as they are; other roles are untouched.

        Raises:
            MissingColumnsError: Features are missing.
            ConversionError: A column of another type than in training.
        """
        import numpy as np

        from mercury_core.data import DataWrapper

        features = data_set.features
        names = [column.name for column in self.columns]
        missing = [name for name in names if name not in features]
        if missing:
            raise MissingColumnsError("The data to preprocess", missing, features.field_names)
        parts = [features.select(self._kept).to("arrow")] if self._kept else []
        if self._made:
            table = features.select([column.name for column in self._made]).to("arrow").underlying
            matrix = np.empty((table.num_rows, len(self._made_names)))
            for start in range(0, table.num_rows, _ROWS):
                part = table.slice(start, _ROWS)
                rows = matrix[start : start + _ROWS]
                place = 0
                for column, values in zip(self._made, part.columns, strict=True):
                    width = len(column.output_names)
                    column.write(values, rows[:, place : place + width])
                    place += width
            made = DataWrapper(matrix, self._made_names)
            parts.append(made.to("arrow") if parts else made)
        return data_set.replace(features=parts[0] if len(parts) == 1 else DataWrapper.concat_columns(parts))

    def save(self, path: Path) -> None:
        """Write ``preprocess.json`` into the directory `path`; every number keeps its last bit."""
        state = {"version": _VERSION, "columns": [column.state() for column in self.columns]}
        (path / _FILE).write_text(json.dumps(state, indent=1, ensure_ascii=False), encoding="utf-8")

    def __repr__(self) -> str:
        return f"FittedPreprocess({len(self.columns)} columns -> {len(self.output_names)})"


def _column(state: Mapping[str, Any]) -> Numeric | Categorical | Kept:
    """A column from JSON; whatever it is not meant to be is refused, since a file may come from anywhere."""
    values = dict(state)
    kind = values.pop("kind")
    if kind == "numeric":
        steps = tuple((step, float(number)) for step, number in values.pop("steps"))
        unknown = {step for step, _ in steps} - {"subtract", "divide", "multiply", "add"}
        if unknown:
            raise ValueError(f"no step is called {', '.join(map(repr, sorted(unknown)))}")
        fill = values.pop("fill")
        return Numeric(**values, steps=steps, fill=None if fill is None else float(fill))
    if kind == "kept":
        return Kept(**values)
    if kind == "categorical":
        categories, infrequent = tuple(values.pop("categories")), tuple(values.pop("infrequent"))
        return Categorical(**values, categories=categories, infrequent=infrequent)
    raise ValueError(f"no column is of kind {kind!r}")

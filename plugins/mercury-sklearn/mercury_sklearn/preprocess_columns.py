"""One column of `sklearn.preprocess`: what is learnt of it, and how it goes into the matrix."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from mercury_core.errors import ConversionError, FitError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

    from mercury_sklearn.preprocess_options import CategoricalOptions, NumericOptions

    Array = np.ndarray[Any, Any]

_WHAT = "sklearn.preprocess"
_INFREQUENT = "infrequent_sklearn"
# More categories than this are names or free text, and would fill the memory before anybody sees it.
_MOST = 1000
Step = Literal["subtract", "divide", "multiply", "add"]


@dataclass(frozen=True, slots=True)
class Numeric:
    """A column that stays a column of numbers.

    Attributes:
        name: Its name.
        fill: What stands for a missing value, or None.
        steps: What is done with every value, in order: a NumPy function and its number.
    """

    name: str
    fill: float | None = None
    steps: tuple[tuple[Step, float], ...] = ()

    @property
    def output_names(self) -> list[str]:
        """The columns that it becomes."""
        return [self.name]

    @classmethod
    def learn(cls, name: str, column: pa.ChunkedArray, options: NumericOptions) -> Numeric:
        """Learn from the rows of training."""
        import numpy as np

        values = numbers(name, column)
        missing = np.isnan(values)
        present = values[~missing] if missing.any() else values
        if not present.size and options.impute != "constant":
            raise all_missing(name)
        fill = _fill(present, options)
        if fill is not None and present is not values:
            values = np.where(missing, fill, values)
        return cls(name, fill, _scaling(name, values, options.scale))

    def write(self, column: pa.ChunkedArray, out: Array) -> None:
        """Write rows of the column into `out` (rows × 1)."""
        import numpy as np

        values = numbers(self.name, column)
        if self.fill is not None:
            missing = np.isnan(values)
            if missing.any():
                values = np.where(missing, self.fill, values)
        for step, number in self.steps:
            values = getattr(np, step)(values, number)
        out[:, 0] = values

    def state(self) -> dict[str, Any]:
        """For JSON."""
        return {"kind": "numeric", **asdict(self)}


@dataclass(frozen=True, slots=True)
class Kept:
    """A column that stands for something else, as one of images, and is kept as it is.

    Attributes:
        name: Its name.
    """

    name: str

    @property
    def output_names(self) -> list[str]:
        """The columns that it becomes."""
        return [self.name]

    def state(self) -> dict[str, Any]:
        """For JSON."""
        return {"kind": "kept", **asdict(self)}


@dataclass(frozen=True, slots=True)
class Categorical:
    """A column of categories, which becomes a column each, or the number of each.

    Attributes:
        name: Its name.
        type: ``string``, ``bool``, ``int64`` or ``double``.
        categories: What was seen in training, sorted.
        infrequent: Categories that are one, after those.
        fill: The category that stands for a missing value, or None.
        encode: ``onehot``, where an unknown category is all zeros; or ``ordinal``, where it is -1, and a missing value
            NaN.
    """

    name: str
    type: str
    categories: tuple[Any, ...]
    infrequent: tuple[Any, ...] = ()
    fill: Any = None
    encode: str = "onehot"

    @property
    def output_names(self) -> list[str]:
        """The columns that it becomes, named as scikit-learn names them."""
        if self.encode == "ordinal":
            return [self.name]
        labels = [str(category) for category in self.categories] + ([_INFREQUENT] if self.infrequent else [])
        return [f"{self.name}_{label}" for label in labels]

    @classmethod
    def learn(cls, name: str, column: pa.ChunkedArray, options: CategoricalOptions) -> Categorical:
        """Learn from the rows of training."""
        kind = _category_type(name, column.type)
        counted = _plain(name, column, kind).drop_null().value_counts()
        counts = dict(sorted(zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)))
        missing = len(column) - sum(counts.values())
        if not counts:
            raise all_missing(name)
        fill = None
        if options.impute == "constant":
            fill = _constant(name, options.fill_value, kind)
        elif options.impute == "most_frequent":
            fill = max(counts, key=lambda category: counts[category])
        if fill is not None and missing:
            counts = dict(sorted({**counts, fill: counts.get(fill, 0) + missing}.items()))
        infrequent = _infrequent(counts, options, sum(counts.values()))
        frequent = tuple(category for category in counts if category not in infrequent)
        if options.encode == "onehot" and options.max_categories is None and len(frequent) > _MOST:
            raise FitError(
                _WHAT,
                f"the column {name!r} has {len(frequent)} categories, which would be a column each",
                f"Say columns: {{{name}: drop}}, {{{name}: {{encode: ordinal}}}}, or how many, max_categories: 100.",
            )
        return cls(name, kind, frequent, infrequent, fill, options.encode)

    def write(self, column: pa.ChunkedArray, out: Array) -> None:
        """Write rows of the column into `out` (rows × the number of `output_names`)."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.compute as pc

        plain = _plain(self.name, column, self.type)
        if self.fill is not None and plain.null_count:
            plain = plain.fill_null(pa.scalar(self.fill, plain.type))
        known = pa.array([*self.categories, *self.infrequent], plain.type)
        codes = pc.index_in(plain, value_set=known, skip_nulls=True).fill_null(-1).to_numpy()
        codes = np.minimum(codes, len(self.categories))
        if self.encode == "ordinal":
            out[:, 0] = codes
            if plain.null_count:
                out[plain.is_null().to_numpy(), 0] = np.nan
            return
        out[:] = 0.0
        rows = np.flatnonzero(codes >= 0)
        out[rows, codes[rows]] = 1.0

    def state(self) -> dict[str, Any]:
        """For JSON."""
        return {"kind": "categorical", **asdict(self)}


def all_missing(name: str) -> FitError:
    """The error of a column from which nothing can be learnt."""
    return FitError(
        _WHAT,
        f"the column {name!r} holds no value in the data set 'train'",
        f"Leave it out of the features, or say columns: {{{name}: drop}}.",
    )


def numbers(name: str, column: pa.ChunkedArray) -> Array:
    """The values as float64; NaN where one is missing.

    Raises:
        ConversionError: They are no numbers, or such as float64 does not hold.
    """
    import pyarrow as pa

    kind = column.type
    if not pa.types.is_float64(kind):
        tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
        if not any(test(kind) for test in tests):
            raise ConversionError(
                name, str(kind), "numbers", "it holds none", "Give it the type that it had in training."
            )
        try:
            column = column.cast(pa.float64())
        except pa.ArrowInvalid as error:
            raise ConversionError(name, str(kind), "float64", str(error).splitlines()[0]) from error
    values: Array = column.to_numpy()
    return values


def _fill(present: Array, options: NumericOptions) -> float | None:
    import numpy as np

    if options.impute == "none":
        return None
    if options.impute == "constant":
        return float(options.fill_value)
    if options.impute == "most_frequent":
        values, counts = np.unique(present, return_counts=True)
        return float(values[counts.argmax()])
    return float(np.median(present) if options.impute == "median" else np.mean(present))


def _scaling(name: str, values: Array, scale: str) -> tuple[tuple[Step, float], ...]:
    """What a scaler of scikit-learn does with every value of a column."""
    if scale == "none":
        return ()
    from sklearn import preprocessing

    makers = {
        "standard": preprocessing.StandardScaler,
        "minmax": preprocessing.MinMaxScaler,
        "robust": preprocessing.RobustScaler,
        "maxabs": preprocessing.MaxAbsScaler,
    }
    try:
        scaler: Any = makers[scale]().fit(values.reshape(-1, 1))
    except ValueError as error:
        raise FitError(_WHAT, f"the column {name!r} cannot be scaled: {str(error).splitlines()[0]}") from error
    if scale == "standard":
        return ("subtract", float(scaler.mean_[0])), ("divide", float(scaler.scale_[0]))
    if scale == "robust":
        return ("subtract", float(scaler.center_[0])), ("divide", float(scaler.scale_[0]))
    if scale == "minmax":
        return ("multiply", float(scaler.scale_[0])), ("add", float(scaler.min_[0]))
    return (("divide", float(scaler.scale_[0])),)


def _category_type(name: str, kind: pa.DataType) -> str:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return "string"
    if pa.types.is_boolean(kind):
        return "bool"
    if pa.types.is_integer(kind):
        return "int64"
    if pa.types.is_floating(kind):
        return "double"
    if pa.types.is_null(kind):
        raise all_missing(name)
    todo = f"Make numbers or texts of it before (say the year of a date), or say columns: {{{name}: drop}}."
    raise FitError(
        _WHAT, f"the column {name!r} holds values of type {kind}, which are neither numbers nor categories", todo
    )


def _plain(name: str, column: pa.ChunkedArray, wanted: str) -> pa.ChunkedArray:
    """The values in the type of the categories, without dictionaries; NaN is missing too."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    target = {"string": pa.string(), "bool": pa.bool_(), "int64": pa.int64(), "double": pa.float64()}[wanted]
    if pa.types.is_floating(column.type):
        column = pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    if column.type == target:
        return column
    found = "string" if "string" in str(column.type) else "bool" if pa.types.is_boolean(column.type) else "number"
    fits = found == wanted or (wanted in ("int64", "double") and found == "number")
    try:
        if pa.types.is_null(column.type) or fits:
            return column.cast(target)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ConversionError(name, str(column.type), wanted, str(error).splitlines()[0]) from error
    raise ConversionError(name, str(column.type), wanted, "its categories were of the latter type in training")


def _constant(name: str, value: Any, kind: str) -> Any:
    import pyarrow as pa

    try:
        return pa.scalar(
            value, {"string": pa.string(), "bool": pa.bool_(), "int64": pa.int64(), "double": pa.float64()}[kind]
        ).as_py()
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        why = f"the column {name!r} holds values of type {kind}, and its fill_value {value!r} is none"
        raise FitError(_WHAT, why, f"Say columns: {{{name}: {{fill_value: …}}}}.") from error


def _infrequent(counts: dict[Any, int], options: CategoricalOptions, rows: int) -> tuple[Any, ...]:
    """The rare categories, by the rule of scikit-learn's encoders."""
    least = options.min_frequency
    limit = 0 if least is None else least if isinstance(least, int) else least * rows
    rare = {category for category, count in counts.items() if count < limit}
    most = options.max_categories
    if most is not None and most < len(counts) - len(rare) + 1:
        by_count = sorted(counts, key=lambda category: counts[category])
        rare.update(by_count[: len(counts) - (most - 1)])
    return tuple(category for category in counts if category in rare)

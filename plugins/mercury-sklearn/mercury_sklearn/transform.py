"""`sklearn.transform`: any transformer of scikit-learn, or with its API, by name."""

from __future__ import annotations

import json
from inspect import signature
from typing import TYPE_CHECKING, Any

from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError, BundleFormatError, DataError, FitError, PredictError
from mercury_sklearn.estimators import build, describe
from mercury_sklearn.inputs import choose, matrix, select, tags_of
from mercury_sklearn.refusals import explain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from mercury_core.data import DataBunch, DataSet, DataWrapper

_KEY = "sklearn.transform"
_STATE = "transform.json"
_MODEL = "transformer.skops"
_AT = ("transformer",)
# What a sparse result may weigh once it is dense; wider ones belong into a pipeline, where they stay sparse.
_MOST_BYTES = 2 * 1024**3
_REFUSED = (ValueError, TypeError, AttributeError, IndexError, ArithmeticError)


class Transform:
    """Fits one transformer on the data set ``train``, and applies it to every data set.

    Args:
        transformer: A class name (``PCA``), an import path (``package.module.Class``), a class, an unfitted
            transformer, or a list of those, one after another.
        params: Its parameters; a nested estimator is ``{use: NAME, params: {...}}``.
        columns: The columns to transform; by default all of the role. The others are kept, before the new ones.
        role: The role whose columns are transformed.

    Raises:
        ArgumentsError: A transformer that does not exist, or parameters that it does not take.

    Examples:
        >>> from mercury_core.data import DataBunch, DataSet
        >>> train = DataSet({"features": {"a": [1.0, 2.0, 4.0], "b": [2.0, 4.0, 8.0], "c": [1, 2, 3]}})
        >>> fitted = Transform("PCA", {"n_components": 1}, columns=["a", "b"]).fit(DataBunch({"train": train}))
        >>> fitted.apply(train).features.field_names
        ('c', 'pca0')
    """

    def __init__(
        self,
        transformer: Any,
        params: dict[str, Any] | None = None,
        *,
        columns: list[str] | None = None,
        role: str = "features",
    ) -> None:
        made, faults = _made(transformer, params)
        if faults:
            raise ArgumentsError("transform", _KEY, [fault.message for fault in faults])
        self._made, self._columns, self._role = made, columns, role

    @staticmethod
    def check_params(params: Mapping[str, Any]) -> Iterable[Fault]:
        """Find, without data, a transformer that does not exist and parameters that it does not take."""
        return _made(params["transformer"], params.get("params"))[1] if "transformer" in params else []

    @staticmethod
    def columns_in(params: Mapping[str, Any]) -> Iterable[tuple[tuple[str | int, ...], str]]:
        """The columns that the transformer is to take."""
        return [(("columns", place), name) for place, name in enumerate(params.get("columns") or ())]

    def fit(self, bunch: DataBunch) -> FittedTransform:
        """Learn from ``bunch["train"]``; a supervised transformer gets its targets too.

        Raises:
            MissingColumnsError: Columns that are not there.
            FitError: The transformer refused the data.
        """
        from sklearn.base import clone

        # A fresh one for each call: what was fitted before stays what it is.
        made, train = clone(self._made), bunch["train"]
        what = describe(made)
        if self._role not in train:
            raise FitError(what, f"the data set 'train' has no {self._role}", "Name them in the roles of the reader.")
        names = list(train[self._role].field_names) if self._columns is None else list(self._columns)
        data = select(train[self._role], names, "The data set 'train'")
        kind = choose(data, made)
        targets = _targets(train, made, what)
        try:
            made.fit(matrix(data, kind), *targets)
        except _REFUSED as error:
            raise FitError(what, *explain(error, data)) from error
        return FittedTransform(made, names, self._role, kind)

    @staticmethod
    def load(path: Path, *, trusted: Collection[str] = ()) -> FittedTransform:
        """Read what `FittedTransform.save` wrote, without pickle.

        Args:
            path: The directory.
            trusted: Types, by full name, to trust beyond the plugin's list.

        Raises:
            UntrustedTypeError: The transformer holds types that are in neither.
            BundleFormatError: It is no such directory.
        """
        from mercury_sklearn.skops_format import load

        try:
            state = json.loads((path / _STATE).read_text(encoding="utf-8"))
            columns, role, kind = [str(name) for name in state["columns"]], str(state["role"]), str(state["input"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleFormatError(str(path / _STATE), f"{type(error).__name__}: {error}") from error
        return FittedTransform(load(path / _MODEL, trusted=trusted), columns, role, kind)


class FittedTransform:
    """A transformer that has learnt.

    Attributes:
        underlying: The transformer.
        columns: The columns that it takes, in order.
        role: Of which role.
        input: How they are handed to it: ``numpy``, ``pandas``, ``polars`` or ``text``.
    """

    def __init__(self, transformer: Any, columns: Sequence[str], role: str, input: str) -> None:  # noqa: A002
        self.underlying, self.columns, self.role, self.input = transformer, tuple(columns), role, input

    def apply(self, data_set: DataSet) -> DataSet:
        """Transform.

        Returns:
            The data set, in whose role the columns are replaced by what the transformer makes of them, under the names
            that it gives them; columns that it does not take stand before. Other roles are untouched.

        Raises:
            MissingColumnsError: Columns are missing.
            PredictError: The transformer refused the rows, or its result is too wide to be a table.
            DataError: A new column is called like one that is kept.
        """
        from mercury_core.data import DataWrapper

        before = data_set[self.role]
        data = select(before, self.columns, "The data to transform")
        what = describe(self.underlying)
        try:
            result = self.underlying.transform(matrix(data, self.input))
        except _REFUSED as error:
            raise PredictError(what, *explain(error, data)) from error
        made = _wrapped(result, self._names(result), what)
        kept = [name for name in before.field_names if name not in self.columns]
        twice = [name for name in made.field_names if name in kept]
        if twice:
            raise DataError(f"{what} makes a column {twice[0]!r}, and one of that name is kept: rename it before.")
        if kept:
            made = DataWrapper.concat_columns([before.select(kept).to("arrow"), made.to("arrow")])
        return data_set.replace(**{self.role: made})

    def _names(self, result: Any) -> list[str]:
        if hasattr(self.underlying, "get_feature_names_out"):
            # Documents have no columns to name words by.
            given = () if self.input == "text" else (list(self.columns),)
            return [str(name) for name in self.underlying.get_feature_names_out(*given)]
        width = 1 if result.ndim == 1 else result.shape[1]
        if width == len(self.columns):
            return list(self.columns)
        return [f"{type(self.underlying).__name__.lower()}{place}" for place in range(width)]

    def save(self, path: Path) -> None:
        """Write itself into the directory `path`, without pickle."""
        from mercury_sklearn.skops_format import dump

        dump(self.underlying, path / _MODEL)
        state = {"columns": list(self.columns), "role": self.role, "input": self.input}
        (path / _STATE).write_text(json.dumps(state, ensure_ascii=False), encoding="utf-8")

    def __repr__(self) -> str:
        return f"FittedTransform({describe(self.underlying)} on {len(self.columns)} {self.role})"


def _made(transformer: Any, params: Mapping[str, Any] | None) -> tuple[Any, list[Fault]]:
    made, faults = build(transformer, params, at=_AT)
    if faults or made is None:
        return made, faults
    what = describe(made)
    if not hasattr(made, "transform"):
        if hasattr(made, "predict"):
            return made, [Fault(_AT, f"{what} predicts and transforms nothing: use it in sklearn.fit.")]
        return made, [Fault(_AT, f"{what} transforms only the rows that it is fitted on: choose another, as PCA.")]
    if type(made).__name__ == "TargetEncoder":
        # Rows of training must be encoded by cross-fitting, and a transform treats all data sets alike.
        return made, [
            Fault(_AT, "TargetEncoder treats rows of training unlike others: use it in a list in sklearn.fit.")
        ]
    return made, []


def _targets(train: DataSet, made: Any, what: str) -> tuple[Any, ...]:
    tags = tags_of(made)
    required = tags is not None and tags.target_tags.required
    if "targets" not in train:
        if required:
            raise FitError(
                what, "it needs targets, and the data set 'train' has none", "Name them in the roles of the reader."
            )
        return ()
    if not required and not _may_look_at_targets(made):
        return ()
    from mercury_sklearn.targets import target_array

    return (target_array(train.targets, what, None)[0],)


def _may_look_at_targets(made: Any) -> bool:
    """Whether `fit` may do something with targets that it does not require; most of scikit-learn's own ignore them."""
    home = type(made).__module__.split(".")
    looks = home[0] != "sklearn" or home[1] in ("compose", "feature_selection", "pipeline")
    return looks and len(signature(made.fit).parameters) > 1


def _wrapped(result: Any, names: list[str], what: str) -> DataWrapper:
    import numpy as np

    from mercury_core.data import DataWrapper

    if hasattr(result, "toarray"):
        weight = result.shape[0] * result.shape[1] * result.dtype.itemsize
        if weight > _MOST_BYTES:
            why = f"its sparse result would be a table of {result.shape[1]} columns and {weight / 1e9:.1f} GB"
            raise PredictError(what, why, "Use it in a list in sklearn.fit, where it stays sparse.")
        result = result.toarray()
    if isinstance(result, np.ndarray) and result.dtype == object:
        table = result.reshape(len(result), -1)
        return DataWrapper({name: list(column) for name, column in zip(names, table.T, strict=True)})
    return DataWrapper(result, names)

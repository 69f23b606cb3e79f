"""The fitter: any estimator of scikit-learn, or with its API."""

from __future__ import annotations

from inspect import signature
from typing import TYPE_CHECKING, Any, Literal

from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError, FitError
from mercury_sklearn.estimators import build, describe
from mercury_sklearn.inputs import choose, matrix, tags_of, type_of
from mercury_sklearn.model import SklearnModel
from mercury_sklearn.refusals import explain
from mercury_sklearn.targets import target_array

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np

    from mercury_core.data import DataBunch, DataSet


class SklearnFitter:
    """Fits an estimator on the data set ``train``; `fit` is the one instance.

    Examples:
        >>> from mercury_core.data import DataBunch, DataSet
        >>> train = DataSet({"features": {"x": [0.0, 1.0, 2.0, 3.0]}, "targets": {"y": ["a", "a", "b", "b"]}})
        >>> fit(DataBunch({"train": train}), estimator="LogisticRegression", params={"C": 10})
        SklearnModel(LogisticRegression: 1 feature -> y)
    """

    def __call__(
        self,
        bunch: DataBunch,
        *,
        estimator: Any,
        params: dict[str, Any] | None = None,
        input: Literal["auto", "numpy", "pandas", "polars", "text"] = "auto",  # noqa: A002
    ) -> SklearnModel:
        """Fit.

        Args:
            bunch: ``train`` is fitted on: its role ``features``; ``targets``, which only an unsupervised estimator can
                do without; and ``sample_weight``, where there is one.
            estimator: A class name (``LogisticRegression``), an import path (``package.module.Class``), a class, an
                unfitted estimator, or a list of steps that makes a pipeline (``[{use: StandardScaler}, {use: SVC}]``).
            params: Its parameters; a nested estimator is ``{use: NAME, params: {...}}``.
            input: How it is given the features: ``numpy``, ``pandas`` or ``polars``; ``text`` for one column of
                documents. ``auto`` gives documents to a text vectorizer, a matrix where all columns are numeric,
                else a data frame.

        Returns:
            The fitted model.

        Raises:
            ArgumentsError: An estimator that does not exist, or parameters that it does not take.
            FitError: Data that it cannot be fitted on.
        """
        made, faults = _made(estimator, params)
        if faults:
            raise ArgumentsError("fit", "sklearn.fit", [fault.message for fault in faults])
        what = describe(made)
        train = bunch["train"]
        if not train.num_rows:
            raise FitError(what, "the data set 'train' has no rows", "Look at the source and at the split.")
        if "features" not in train:
            raise FitError(what, "the data set 'train' has no features", "Name them in the roles of the reader.")
        targets, names, types = _targets(train, made, what)
        weights = _weights(train, made, what)
        kind = choose(train.features, made, input)
        rows = matrix(train.features, kind)
        try:
            made.fit(rows, *(() if targets is None else (targets,)), **weights)
        except (ValueError, TypeError, AttributeError, IndexError, ArithmeticError) as error:
            raise FitError(what, *explain(error, train.features)) from error
        return SklearnModel(made, train.features.field_names, names, kind, types)

    def check_params(self, params: Mapping[str, Any]) -> Iterable[Fault]:
        """Find, without data, an estimator that does not exist and parameters that it does not take."""
        if "estimator" not in params:
            return []
        return _made(params["estimator"], params.get("params"))[1]


def _made(estimator: Any, params: Mapping[str, Any] | None) -> tuple[Any, list[Fault]]:
    made, faults = build(estimator, params)
    # A stack without a final estimator of its own has predict only when it is fitted: its kind tells that it will.
    if not faults and not hasattr(made, "predict") and type_of(made) not in ("classifier", "regressor"):
        faults = [Fault(("estimator",), _no_predict(made))]
    return made, faults


def _no_predict(made: Any) -> str:
    what = describe(made)
    if hasattr(made, "transform"):
        return f"{what} transforms and predicts nothing: use it in sklearn.transform, or in a list before an estimator."
    if hasattr(made, "fit_predict"):
        return f"{what} labels only the rows that it is fitted on and predicts no others: choose another, as KMeans."
    return f"{what} has no method predict: expected an estimator."


def _targets(train: DataSet, made: Any, what: str) -> tuple[np.ndarray[Any, Any] | None, list[str], list[str]]:
    tags = tags_of(made)
    kind = type_of(made)
    required = kind in ("classifier", "regressor") if tags is None else tags.target_tags.required
    if "targets" in train and (required or kind in ("classifier", "regressor", None)):
        targets, types = target_array(train.targets, what, kind)
        return targets, list(train.targets.field_names), types
    if required:
        raise FitError(
            what, "it needs targets, and the data set 'train' has none", "Name them in the roles of the reader."
        )
    # What a clusterer finds stands under the name of the one target, where there is one, to be compared with it.
    names = list(train.targets.field_names) if "targets" in train else []
    return None, names if len(names) == 1 else [], []


def _weights(train: DataSet, made: Any, what: str) -> dict[str, Any]:
    if "sample_weight" not in train:
        return {}
    name = _weight_name(made)
    if name is None:
        raise FitError(
            what,
            "it takes no sample weights, and the data set 'train' has some",
            "Leave out the role sample_weight, or choose another estimator.",
        )
    import numpy as np

    weights = train["sample_weight"].to("numpy", dtype="float64").underlying
    if weights.shape[1] != 1:
        raise FitError(what, f"the role sample_weight has {weights.shape[1]} columns", "Name one.")
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise FitError(what, "the sample weights are not all numbers from 0 upwards", "Correct them in the source.")
    return {name: weights.ravel()}


def _weight_name(made: Any) -> str | None:
    """The keyword of `fit` under which an estimator takes sample weights; that of a pipeline goes to its last step."""
    steps = getattr(made, "steps", None)
    if isinstance(steps, list) and steps:
        name, last = steps[-1]
        inner = _weight_name(last)
        return None if inner is None else f"{name}__{inner}"
    parameters = signature(made.fit).parameters
    if "sample_weight" in parameters:
        return "sample_weight"
    if not any(each.kind is each.VAR_KEYWORD for each in parameters.values()):
        return None
    inner = getattr(made, "estimator", None)
    if inner is not None:
        return _weight_name(inner)
    # A vote or a stack hands them to every one of its estimators.
    members = [each for _, each in getattr(made, "estimators", None) or () if not isinstance(each, str)]
    members += [final] if (final := getattr(made, "final_estimator", None)) is not None else []
    return "sample_weight" if members and all(_weight_name(each) == "sample_weight" for each in members) else None


fit = SklearnFitter()

"""Level 4, tasks: functions that compose providers of several verbs in one call.

Examples:
    The main job, in Python::

        bunch = read_data_bunch("penguins.csv", roles={"targets": "species"})
        bunch = transform_data_bunch(bunch, "split", into={"train": 0.8, "test": 0.2}, seed=7)
        bunch = transform_data_bunch(bunch, "sklearn.preprocess")
        model = fit_model(bunch, "sklearn.fit", estimator="LogisticRegression")
        print(evaluate_model(model, bunch, ["sklearn.accuracy_score"]))
        store_model(model, "models/penguins", format="sklearn.skops", remote="s3://bucket/models/")
"""

from __future__ import annotations

from collections.abc import Mapping

from mercury_core import registry
from mercury_core.calling import name_of, reference_to, takes, why_no_step, works_on_bunch
from mercury_core.errors import ArgumentsError, DataError, MetricError
from mercury_core.parameters import require
from mercury_core.reading import read_data_bunch as read_data_bunch
from mercury_core.storing import (
    StoredModel as StoredModel,
    load_model as load_model,
    store_artifact as store_artifact,
    store_model as store_model,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from mercury_core.bundle import Bundle
    from mercury_core.bundle.fields import Field
    from mercury_core.contracts import Fitted, Model
    from mercury_core.data import DataBunch, DataSet

    Provided = str | Callable[..., Any]


def transform_data_bunch(
    bunch: DataBunch, transform: Provided | Fitted, *, data: Sequence[str] | None = None, **params: Any
) -> DataBunch:
    """Transform a bunch: fitted on ``train`` only, applied to every data set.

    Args:
        bunch: The data.
        transform: A key, a reference, a transformer, a fitted transform, or a function: one whose first parameter is
            annotated `DataBunch` gets the bunch, any other gets one data set after the other.
        data: The data sets that a function on the bunch gets, all by default; its result takes their place.
        **params: The provider's own parameters.

    Returns:
        The bunch, whose data sets remember the transform.

    Raises:
        ArgumentsError: Parameters that the provider does not have.
        DataError: There is no data set ``train`` to fit on.
    """
    provider: Any = registry.resolve("transform", transform) if isinstance(transform, str) else transform
    name = name_of(transform)
    if why := why_no_step(transform):
        raise ArgumentsError("transform", name, [why])
    if works_on_bunch(provider):
        require("transform", name, provider, params)
        return _transform_sets(bunch, provider, data, params)
    if data is not None:
        raise ArgumentsError(
            "transform", name, ["'data' is for functions on the bunch; this one is applied to every data set."]
        )
    work: Any = provider
    if isinstance(provider, type):
        require("transform", name, provider, params)
        work = provider(**params)
    elif not hasattr(work, "fit") and not hasattr(work, "apply"):
        require("transform", name, provider, params)
    if hasattr(work, "fit"):
        if "train" not in bunch:
            raise DataError(
                f"The transform {name!r} is fitted on the data set 'train', and the bunch has only: "
                f"{', '.join(bunch)}. Split it first, or name a source 'train'."
            )
        work = work.fit(bunch)
    return _apply(bunch, transform, work, params)


def _apply(bunch: DataBunch, transform: Any, work: Any, params: Mapping[str, Any]) -> DataBunch:
    from mercury_core.bundle.fields import fields_of
    from mercury_core.bundle.golden import chosen
    from mercury_core.bundle.transforms import AppliedTransform

    first = bunch["train"] if "train" in bunch else next(iter(bunch.values()))
    is_raw = not first.applied and "features" in first
    inputs, sample = (fields_of(first.features), chosen(first.features)) if is_raw else ((), None)
    if is_raw and "train" in bunch:
        _warn_of_nulls(bunch, inputs)
    applied = AppliedTransform(reference_to(transform), dict(params), work, inputs, sample)
    return bunch.transform(applied)


def _warn_of_nulls(bunch: DataBunch, inputs: Sequence[Field]) -> None:
    """Say which rows are measured here that the model will refuse once it is saved: those with nulls beyond train's."""
    import warnings

    from mercury_core.bundle.fields import null_beside

    for name, data_set in bunch.items():
        if name != "train" and "features" in data_set and (columns := null_beside(inputs, data_set.features)):
            shown = ", ".join(map(repr, columns[:10])) + ", …" * (len(columns) > 10)
            warnings.warn(
                f"The data set {name!r} has nulls in {shown}, where 'train' has none: they are taken here, and refused "
                f"where the model is used. Let 'train' have some, or fill them in the source.",
                stacklevel=4,
            )


def _transform_sets(
    bunch: DataBunch, function: Callable[..., DataBunch], data: Sequence[str] | None, params: Mapping[str, Any]
) -> DataBunch:
    from mercury_core.data import DataBunch

    chosen = list(bunch) if data is None else list(data)
    unknown = [name for name in chosen if name not in bunch]
    if unknown:
        raise DataError(f"The bunch has no data set {', '.join(map(repr, unknown))}; it has: {', '.join(bunch)}.")
    result = function(bunch.select(chosen), **params)
    if not isinstance(result, Mapping):
        raise DataError(f"The transform {name_of(function)!r} gave back {type(result).__name__}: expected a DataBunch.")
    kept = {name: data_set for name, data_set in bunch.items() if name not in chosen}
    twice = sorted(kept.keys() & result.keys())
    if twice:
        raise DataError(f"The bunch has a data set {', '.join(map(repr, twice))} already: choose another name.")
    return DataBunch({**kept, **result})


def fit_model(bunch: DataBunch, fitter: Provided = "sklearn.fit", **params: Any) -> Bundle:
    """Fit a model on ``bunch["train"]``.

    Args:
        bunch: The data; the transforms that it went through come with the model.
        fitter: A key, a reference or a callable.
        **params: The fitter's own parameters.

    Returns:
        The model with its transforms, so that it predicts raw rows.

    Raises:
        FitError: The data cannot be fitted.
        ArgumentsError: Parameters that the fitter or the estimator does not have.
    """
    from mercury_core.bundle import Bundle

    provider = registry.resolve("fit", fitter)
    require("fit", name_of(fitter), provider, params)
    if "train" not in bunch:
        raise DataError(f"A model is fitted on the data set 'train', and the bunch has only: {', '.join(bunch)}.")
    return Bundle.of(provider(bunch, **params), bunch)


def evaluate_model(
    model: Bundle | Model,
    bunch: DataBunch,
    metrics: str | Sequence[Provided | Mapping[str, Any]],
    *,
    data: str | Sequence[str] | None = None,
) -> dict[str, dict[str, Any]]:
    """Measure a model.

    Args:
        model: What `fit_model` or `load_model` gave.
        bunch: The data, with targets.
        metrics: Keys, references, callables, or ``{"use": key, "name": …, **params}``; or one key.
        data: The data sets to measure on, or one; by default all but ``train``, or ``train`` where it is alone.

    Returns:
        ``{data set: {metric: value}}``; a metric's name is its key, or the name that was given.

    Raises:
        MetricError: Predictions of another kind than the metric needs.
    """
    metrics = [metrics] if isinstance(metrics, str) else metrics
    data = [data] if isinstance(data, str) else data
    names = list(data) if data is not None else [name for name in bunch if name != "train"] or list(bunch)
    unknown = [name for name in names if name not in bunch]
    if unknown:
        raise DataError(f"The bunch has no data set {', '.join(map(repr, unknown))}; it has: {', '.join(bunch)}.")
    planned = [_metric(metric) for metric in metrics]
    labels = [label for label, _, _ in planned]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise ArgumentsError("evaluate", twice[0], ["It is asked for twice: give each a 'name'."])
    return {name: _measure(model, bunch[name], name, planned) for name in names}


def _metric(metric: Provided | Mapping[str, Any]) -> tuple[str, Any, dict[str, Any]]:
    params: dict[str, Any] = dict(metric) if isinstance(metric, Mapping) else {"use": metric}
    use = params.pop("use", None)
    if use is None:
        raise ArgumentsError(
            "evaluate", str(params), ["A metric given as a mapping needs 'use', the key of the metric."]
        )
    label = params.pop("name", None) or name_of(use)
    provider = registry.resolve("evaluate", use)
    require("evaluate", name_of(use), provider, params)
    return label, provider, params


def _measure(
    model: Bundle | Model, data_set: DataSet, name: str, planned: Sequence[tuple[str, Any, dict[str, Any]]]
) -> dict[str, Any]:
    if not planned:
        return {}
    if "targets" not in data_set:
        raise MetricError(
            planned[0][0], f"the data set {name!r} has no targets", "Name them in the roles of the reader."
        )
    predictions = model.predict(data_set)
    weight = {}
    if "sample_weight" in data_set:
        weight = {"sample_weight": data_set["sample_weight"].to("numpy").underlying.ravel()}
    return {
        label: metric(data_set.targets, predictions, **(weight if takes(metric, "sample_weight") else {}), **params)
        for label, metric, params in planned
    }

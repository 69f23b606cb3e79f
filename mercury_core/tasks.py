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
from mercury_core.errors import ArgumentsError, DataError, MetricError, MissingColumnsError
from mercury_core.parameters import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path
    from typing import Any

    from mercury_core.bundle import Bundle
    from mercury_core.contracts import Fitted, Model
    from mercury_core.data import DataBunch, DataSet

    Provided = str | Callable[..., Any]
    Source = str | Path


def read_data_bunch(
    sources: Source | Mapping[str, Source],
    *,
    reader: Provided | None = None,
    roles: Mapping[str, Any] | None = None,
    **params: Any,
) -> DataBunch:
    """Read one source or several, each into a data set.

    Args:
        sources: A path or URI, read as the data set ``data``; or one by name of the data set.
        reader: A key, a reference or a callable; by default what the ending of the name says.
        roles: Which columns are what: ``{"index": ["id"], "features": ["a", "b"], "targets": "y"}``; ``features`` is by
            default every column that no other role names. Only columns of a role are read.
        **params: The reader's own parameters.

    Returns:
        A bunch with one data set a source.

    Raises:
        ReadError: A source that is not what it is said to be.
        MissingColumnsError: A role names a column that is not there.
    """
    from mercury_core.data import DataBunch

    named = sources if isinstance(sources, Mapping) else {"data": sources}
    return DataBunch({name: _read(source, reader, roles or {}, params) for name, source in named.items()})


def _read(source: Source, reader: Provided | None, roles: Mapping[str, Any], params: Mapping[str, Any]) -> DataSet:
    from mercury_core.data import DataSet
    from mercury_core.data.roles import columns_of, normalise

    if reader is None:
        from mercury_core.endings import reader_for

        reader = reader_for(source)
    read = registry.resolve("read", reader)
    require("read", name_of(reader), read, params)
    roles = normalise(roles)
    handed = {"columns": columns_of(roles)} if takes(read, "columns") else {}
    try:
        table = read(str(source), **handed, **params)
        return table if isinstance(table, DataSet) else DataSet.from_table(table, roles)
    except MissingColumnsError as error:
        raise MissingColumnsError(str(source), error.missing, error.columns) from None


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
    from mercury_core.bundle.signature import fields_of
    from mercury_core.bundle.transforms import AppliedTransform

    first = bunch["train"] if "train" in bunch else next(iter(bunch.values()))
    inputs = fields_of(first.features) if "features" in first else ()
    applied = AppliedTransform(reference_to(transform), dict(params), work, inputs)
    return bunch.transform(applied)


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


class StoredModel:
    """Where a model was stored.

    Attributes:
        path: The local bundle.
        uri: Where it can be loaded from: the remote place, or `path` where there is none.
    """

    def __init__(self, path: Path, uri: str) -> None:
        self.path, self.uri = path, uri

    def __repr__(self) -> str:
        return f"StoredModel(path={str(self.path)!r}, uri={self.uri!r})"


def store_model(
    model: Bundle | Model,
    path: Source,
    *,
    format: str,  # noqa: A002
    remote: str | None = None,
    overwrite: str = "error",
    metrics: Mapping[str, Any] | None = None,
    run: str | None = None,
    **params: Any,
) -> StoredModel:
    """Save a model as a bundle, and copy the bundle to a store.

    Args:
        model: What `fit_model` gave, or a model of one's own.
        path: The directory to write.
        format: The key of a model format, as ``sklearn.skops``.
        remote: Where to copy it, a URI or a path; one that ends in ``/`` means into.
        overwrite: ``error``, ``skip`` or ``replace``, at both places.
        metrics: What `evaluate_model` gave, to be kept with the model.
        run: The id of the run that made it, likewise.
        **params: The format's own parameters.

    Returns:
        Where it is.

    Raises:
        ObjectExistsError: Something is there, and `overwrite` is ``error``.
        StoreAccessError: No permission, no space.
    """
    from mercury_core.bundle import Bundle

    bundle = (model if isinstance(model, Bundle) else Bundle(model)).recording(metrics, run)
    saved = bundle.save(path, format=format, overwrite=overwrite, **params)
    return StoredModel(saved, _send(saved, remote, overwrite))


def load_model(uri: Source, *, trusted: Collection[str] = ()) -> Bundle:
    """Load a stored model, which predicts raw rows.

    Args:
        uri: A bundle: a path, or a URI of a store that is installed.
        trusted: Types, by full name, to trust beyond the lists of the plugins.

    Returns:
        The bundle, its files proven before anything in it was loaded.

    Raises:
        ObjectNotFoundError: Nothing is there.
        CorruptBundleError: It was altered.
        UntrustedTypeError: It holds types that are in no list.
    """
    from mercury_core.bundle import Bundle
    from mercury_core.storage.uri import is_remote

    if not is_remote(uri):
        return Bundle.load(uri, trusted=trusted)
    import tempfile

    from mercury_core.storage import copy

    with tempfile.TemporaryDirectory(prefix="mercury-") as here:
        copy(str(uri), f"{here}/bundle")
        return Bundle.load(f"{here}/bundle", trusted=trusted)


def store_artifact(
    artifact: Any,
    path: Source,
    *,
    format: str | None = None,  # noqa: A002
    remote: str | None = None,
    overwrite: str = "error",
    **params: Any,
) -> str:
    """Write a table or a dict to a file, and copy the file to a store.

    Args:
        artifact: What the format takes: a table of any kind, predictions, a dict, a list.
        path: The file to write.
        format: The key of an artifact format; by default what the ending of `path` says.
        remote: Where to copy it; one that ends in ``/`` means into.
        overwrite: ``error``, ``skip`` or ``replace``, at both places.
        **params: The format's own parameters.

    Returns:
        The URI or the path at which it can be read.

    Raises:
        ObjectExistsError: Something is there, and `overwrite` is ``error``.
    """
    from mercury_core.errors import ObjectExistsError
    from mercury_core.storage.uri import to_path

    target = to_path(path)
    key = format or target.suffix.removeprefix(".")
    writer: Any = registry.resolve("save", key)
    if not hasattr(writer, "write"):
        raise ArgumentsError(
            "save", key, [f"{key!r} writes models, not tables and dicts: choose a format of artifacts."]
        )
    require("save", key, writer.write, params)
    if target.exists() and overwrite == "error":
        raise ObjectExistsError(str(target))
    if not (target.exists() and overwrite == "skip"):
        writer.write(artifact, target, **params)
    return _send(target, remote, overwrite)


def _send(saved: Path, remote: str | None, overwrite: str) -> str:
    if remote is None:
        return str(saved)
    from mercury_core.storage import copy

    return str(copy(str(saved), remote, overwrite=overwrite).target)

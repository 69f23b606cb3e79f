"""What a plugin may implement: registration first, then the life of a run.

A plugin is a module (or any object) that an entry point of the group ``mercury`` names. It marks functions of these
names with `hookimpl`. Registration hooks give back records and import no technology's SDK: they must give the same list
whenever the same files are installed, since what they gave may be remembered. Lifecycle hooks only observe: one that
raises is reported and never breaks a run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mercury_core.provider import Provider

PROJECT = "mercury"
#: The version of these hooks and of `mercury_core.contracts`. A plugin may state the one it was written for, as
#: ``MERCURY_API = 1`` in its hook module; another number sets it aside.
API_VERSION = 1

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


# --- registration: each gives back the providers of one verb ---


@hookspec
def mercury_read() -> Iterable[Provider]:  # type: ignore[empty-body]
    """Readers: see `mercury_core.contracts.Reader`.

    Returns:
        One record a provider.
    """


@hookspec
def mercury_transform() -> Iterable[Provider]:  # type: ignore[empty-body]
    """Transformers, plain functions on data, and converters (``to.FORMAT``): see `mercury_core.contracts.Transformer`.

    Returns:
        One record a provider.
    """


@hookspec
def mercury_fit() -> Iterable[Provider]:  # type: ignore[empty-body]
    """Fitters: see `mercury_core.contracts.Fitter`.

    Returns:
        One record a provider.
    """


@hookspec
def mercury_evaluate() -> Iterable[Provider]:  # type: ignore[empty-body]
    """Metrics: see `mercury_core.contracts.Metric`.

    Returns:
        One record a provider.
    """


@hookspec
def mercury_save() -> Iterable[Provider]:  # type: ignore[empty-body]
    """Formats of models and of artifacts: see `mercury_core.contracts.ModelFormat` and `ArtifactFormat`.

    Returns:
        One record a provider.
    """


@hookspec
def mercury_copy() -> Iterable[Provider]:  # type: ignore[empty-body]
    """Stores, by URI scheme: see `mercury_core.contracts.Store`.

    Returns:
        One record a provider.
    """


@hookspec
def mercury_serve() -> Iterable[Provider]:  # type: ignore[empty-body]
    """Servers: see `mercury_core.contracts.Server`.

    Returns:
        One record a provider.
    """


@hookspec
def mercury_execute() -> Iterable[Provider]:  # type: ignore[empty-body]
    """Engines: see `mercury_core.contracts.Engine`.

    Returns:
        One record a provider.
    """


# --- the life of a run: observers, all optional ---


@hookspec
def mercury_run_started(run: str, config: Mapping[str, Any]) -> None:
    """A run begins.

    Args:
        run: Its id.
        config: The config as resolved, secrets masked.
    """


@hookspec
def mercury_run_finished(run: str, record: Mapping[str, Any]) -> None:
    """A run succeeded.

    Args:
        run: Its id.
        record: What ``run.json`` holds.
    """


@hookspec
def mercury_run_failed(run: str, record: Mapping[str, Any], error: BaseException) -> None:
    """A run failed, or was interrupted.

    Args:
        run: Its id.
        record: What ``run.json`` holds.
        error: Why.
    """


@hookspec
def mercury_step_started(run: str, step: str, verb: str, provider: str) -> None:
    """A step begins.

    Args:
        run: The id of the run.
        step: The name of the step, unique in the run.
        verb: Its verb.
        provider: The key of its provider.
    """


@hookspec
def mercury_step_finished(run: str, step: str, seconds: float, result: Mapping[str, Any]) -> None:
    """A step succeeded.

    Args:
        run: The id of the run.
        step: The name of the step.
        seconds: How long it took.
        result: What the record keeps of it (metrics, artifacts, shapes).
    """


@hookspec
def mercury_step_failed(run: str, step: str, seconds: float, error: BaseException) -> None:
    """A step failed.

    Args:
        run: The id of the run.
        step: The name of the step.
        seconds: How long it took.
        error: Why.
    """


@hookspec
def mercury_step_skipped(run: str, step: str, reason: str) -> None:
    """A step was not run, since its result is known.

    Args:
        run: The id of the run.
        step: The name of the step.
        reason: Why.
    """


@hookspec
def mercury_copy_progress(source: str, target: str, files: int, size: int) -> None:
    """A copy went on.

    Args:
        source: Its source.
        target: Its target.
        files: Files that are wholly there.
        size: Bytes that are there.
    """


@hookspec
def mercury_model_served(model: str, url: str) -> None:
    """A model answers.

    Args:
        model: Its name.
        url: Where.
    """

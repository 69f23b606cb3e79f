"""Where a workflow reads and writes on this machine: paths made absolute, and whether they will do."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mercury_core.contracts import NamedSources
from mercury_core.errors import MercuryError, UriError
from mercury_core.storage.refusals import why_not_made
from mercury_core.storage.uri import is_remote, to_path

if TYPE_CHECKING:
    from pathlib import Path

    from mercury_core.workflow.config import Step, Workflow
    from mercury_core.workflow.source import At
    from mercury_core.workflow.values import Values

#: What every bundle has at its top; only what has it is ever replaced as a whole.
MANIFEST = "mercury.json"

# The fields of a step that hold a path or a URI.
_PLACES = {"read": "source", "load": "uri", "save": "path", "copy": "to"}


def placed(values: Values, workflow: Workflow) -> Workflow:
    """The workflow with absolute paths: those in the file are relative to it, overrides to the working directory."""
    return replace(workflow, steps=tuple(_placed(values, step) for step in workflow.steps))


def _placed(values: Values, step: Step) -> Step:
    key = _PLACES.get(step.verb)
    text = getattr(step, key) if key else ""
    if not key or not text or is_remote(text) or text.startswith("file:") or names_of_sources(step) is not None:
        return step
    at = (*step.at, key)
    if step.verb == "load" and not isinstance(values.data.get("load"), dict):
        at = step.at
    try:
        path = os.path.normpath(values.base(at) / to_path(text))
    except UriError as error:
        values.fault(at, str(error))
        nowhere: dict[str, Any] = {key: ""}
        return replace(step, **nowhere)
    changed: dict[str, Any] = {key: path + "/" * text.endswith("/")}
    return replace(step, **changed)


def with_paths(values: Values, step: Step, provider: Any) -> Step:
    """A step whose parameters that are paths by their hints are absolute, as `placed` makes its own fields; URIs stay.

    `placed` cannot do that: it would import every provider before the check of the first step began.
    """
    from mercury_core.parameters import paths_in

    texts = {name: text for name, text in step.params.items() if isinstance(text, str) and text}
    if not texts:
        return step
    there = {
        name: os.path.normpath(values.base((*step.at, name)) / text)
        for name, text in texts.items()
        if name in paths_in(step.verb, provider) and not is_remote(text) and not text.startswith("file:")
    }
    return replace(step, params={**step.params, **there}) if there else step


def names_of_sources(step: Step) -> list[str] | None:
    """The names that a reader takes instead of paths and URIs: those of its `sources`, where it has that."""
    if step.verb != "read" or step.use is None:
        return None
    from mercury_core import registry

    try:
        reader = registry.resolve("read", step.use)
    except MercuryError:  # the check says so where it looks at the provider
        return None
    return sorted(reader.sources()) if isinstance(reader, NamedSources) else None


def check_source(values: Values, at: At, source: str) -> bool:
    """Whether a source on this disk can be read; a fault where it cannot."""
    from mercury_core.errors import did_you_mean

    if is_remote(source):
        return True
    path = to_path(source)
    try:
        there = path.exists()
    except OSError as error:
        values.fault(at, f"There cannot be a file {path}: {error.strerror}.")
        return False
    if not there:
        parent = path.parent
        beside = [one.name for one in parent.iterdir()] if parent.is_dir() and os.access(parent, os.R_OK) else []
        hint = did_you_mean(path.name, beside) if parent.is_dir() else f" There is no directory {parent} either."
        values.fault(at, f"There is no file {path}.{hint}")
    elif not os.access(path, os.R_OK):
        values.fault(at, f"The file {path} may not be read: give yourself the permission.")
    else:
        return True
    return False


def check_targets(values: Values, workflow: Workflow) -> None:
    """Whether every step can write where it is to, and no two write the same; faults where not."""
    written: dict[Path, Step] = {}
    read = {to_path(step.source): step for step in workflow.of("read") if step.source and not is_remote(step.source)}
    for step in workflow.of("save", "copy"):
        at = (*step.at, _PLACES[step.verb])
        for target in _targets(workflow, step):
            other = next(
                (one for one in written if one == target or one in target.parents or target in one.parents), None
            )
            if other is not None:
                values.fault(
                    at,
                    f"The step {written[other].name} writes {_relation(other, target)} already: choose another path.",
                )
            source = next((one for one in read if one == target or target in one.parents), None)
            if source is not None:
                values.fault(at, f"The step {read[source].name} reads {source}: writing here would destroy it.")
            written.setdefault(target, step)
            why = _refused(target, step.overwrite, into=step.verb == "copy" and step.to.endswith("/"))
            if why:
                values.fault(at, why)


def saves_to_copy(workflow: Workflow, step: Step) -> list[Step]:
    """The steps whose results a copy sends."""
    saves = workflow.of("save")
    if step.model is not None:
        saves = [save for save in saves if save.model == step.model or (save.model is None and len(saves) == 1)]
    if step.inputs is not None:
        saves = [save for save in saves if save.own in step.inputs or save.name in step.inputs]
    return saves


def saves_to_serve(workflow: Workflow, step: Step) -> list[Step]:
    """The steps whose results are the model of a step of serve; the last one is served."""
    return [save for save in workflow.of("save") if step.model is None or save.model in (None, step.model)]


def _targets(workflow: Workflow, step: Step) -> list[Path]:
    """The local paths that a step writes."""
    place = step.path if step.verb == "save" else step.to
    if not place or is_remote(place):
        return []
    target = to_path(place)
    if step.verb == "save" or not place.endswith("/"):
        return [target]
    sources = [save.path for save in saves_to_copy(workflow, step)] or [load.uri for load in workflow.of("load")]
    return [target / source.rstrip("/").rpartition("/")[2] for source in sources]


def _relation(other: Path, target: Path) -> str:
    if other == target:
        return str(target)
    return f"{other}, which {target} lies in," if other in target.parents else f"{other}, which lies in {target},"


def _refused(target: Path, overwrite: str, *, into: bool) -> str:
    """Why a path cannot be written; nothing where it can."""
    if os.path.lexists(target):
        if overwrite == "error":
            return f"{target} exists already: add `overwrite: replace` (or skip), or put ${{run.id}} in the path."
        if overwrite == "replace" and not _is_replaceable(target):
            return f"{target} exists and is no bundle: Mercury replaces bundles only, so choose another path."
    return why_not_made(target, " to copy into" * into)


def _is_replaceable(target: Path) -> bool:
    try:
        return (target / MANIFEST).is_file() or not any(target.iterdir())
    except (PermissionError, NotADirectoryError):
        return False

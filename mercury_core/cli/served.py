"""What a word on the command line says is to be served: a saved model, that of a run, or of a workflow file."""

from __future__ import annotations

from dataclasses import dataclass, field

from mercury_core.errors import ReadError, WorkflowFileError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from mercury_core.workflow.config import Workflow

#: What a model is called that nobody gave a name.
NAME = "model"
_FILES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class Served:
    """What is to be served, and how.

    Attributes:
        uri: Of the saved model.
        server: The key of the server, where a workflow says so.
        params: Its parameters, likewise.
        load: Arguments for loading the model, likewise.
    """

    uri: str
    server: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    load: Mapping[str, Any] = field(default_factory=dict)


def what_to_serve(word: str) -> Served:
    """Find out what a word means.

    Args:
        word: The path or URI of a saved model; the directory of a run; or a workflow file with a stage ``serve``.

    Raises:
        WorkflowFileError: A workflow file with faults.
        ReadError: A run or a workflow that has no model to serve.
    """
    from mercury_core.storage.uri import is_remote, to_path

    if is_remote(word):
        return Served(word)
    path = to_path(word)
    if path.suffix.lower() in _FILES and path.is_file():
        return _of_workflow(path)
    if (path / "run.json").is_file():
        return Served(_of_run(path))
    return Served(word)


def _of_run(path: Path) -> str:
    """The model that a run stored last: in a store, where it copied it there."""
    import json

    try:
        artifacts = json.loads((path / "run.json").read_bytes()).get("artifacts") or []
    except (OSError, ValueError, AttributeError) as error:
        raise ReadError(str(path / "run.json"), str(error), "Expected the record of a run.") from error
    places = [one.get("uri") or one.get("path") for one in artifacts if one.get("kind") == "model"]
    if not places:
        raise ReadError(str(path), "the run saved no model", "Add `save` to its workflow, and run it again.")
    return str(places[-1])


def _of_workflow(path: Path) -> Served:
    from mercury_core.workflow import check_workflow

    served = served_by(check_workflow(path).workflow, path)
    if "${" in served.uri:
        todo = "Serve the run instead: mercury-ml serve runs/RUN."
        raise ReadError(str(path), "where its model is saved depends on the run", todo)
    return served


def served_by(workflow: Workflow, path: str | Path) -> Served:
    """What a workflow serves: the model that it loads, or saves last.

    Args:
        workflow: Its steps.
        path: Of its file, for messages.

    Raises:
        WorkflowFileError: It has no stage ``serve``.
    """
    from mercury_core.workflow.paths import saves_to_serve

    require_serve(workflow, path)
    step = workflow.serve[0]
    how: dict[str, Any] = {"trusted": step.trusted, "trust": step.trust, "stores": dict(workflow.stores)}
    loads = workflow.of("load")
    if loads:
        how["trusted"], how["trust"] = (*loads[-1].trusted, *step.trusted), loads[-1].trust or step.trust
        return Served(loads[-1].uri, step.use, step.params, how)
    return Served(saves_to_serve(workflow, step)[-1].path, step.use, step.params, how)


def require_serve(workflow: Workflow, path: str | Path) -> None:
    """Refuse a workflow that does not say how it is served.

    Raises:
        WorkflowFileError: It has no stage ``serve``.
    """
    if not workflow.serve:
        raise WorkflowFileError([f"{path}: There is no stage `serve`: add one, as serve: {{use: http, port: 8080}}."])

"""What a word on the command line says is to be served: a saved model, that of a run, or of a workflow file."""

from __future__ import annotations

from dataclasses import dataclass, field

from mercury_core.errors import ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

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

    workflow = check_workflow(path).workflow
    if not workflow.serve:
        raise ReadError(str(path), "it has no stage `serve`", "Add one, as serve: {use: http, port: 8080}.")
    step = workflow.serve[0]
    stores = dict(workflow.stores)
    for load in workflow.of("load"):
        if step.model in (None, load.own):
            how = {"trusted": load.trusted, "trust": load.trust, "stores": stores}
            return Served(load.uri, step.use, step.params, how)
    saves = [save for save in workflow.of("save") if step.model is None or save.model in (None, step.model)]
    if not saves:
        raise ReadError(str(path), "it saves no model that could be served", "Add `save`, or `load: URI`.")
    if "${" in saves[-1].path:
        todo = "Serve the run instead: mercury-ml serve runs/RUN."
        raise ReadError(str(path), "where its model is saved depends on the run", todo)
    return Served(saves[-1].path, step.use, step.params, {"stores": stores})

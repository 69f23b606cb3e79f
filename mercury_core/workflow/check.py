"""The check of a workflow before any work: every fault at once, each with its place and what was expected there."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mercury_core import registry
from mercury_core.calling import takes, why_no_step, works_on_bunch
from mercury_core.endings import reader_for
from mercury_core.errors import MercuryError, UnknownProviderError, did_you_mean
from mercury_core.parameters import check as check_parameters
from mercury_core.storage.stores import Stores, faults_of
from mercury_core.storage.uri import is_remote, scheme_of
from mercury_core.workflow.ahead import ReadAhead
from mercury_core.workflow.columns import Columns
from mercury_core.workflow.config import Step, Workflow, parse
from mercury_core.workflow.paths import (
    check_source,
    check_targets,
    names_of_sources,
    placed,
    saves_to_copy,
    saves_to_serve,
    with_paths,
)
from mercury_core.workflow.reach import check_reach
from mercury_core.workflow.secrets import secrets_of
from mercury_core.workflow.source import walk
from mercury_core.workflow.values import NO_RUN, Values, read_values

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mercury_core.workflow.source import At

_IMPORT_PATH = re.compile(r"([A-Za-z_]\w*)[.:][A-Za-z_]")


@dataclass(frozen=True, slots=True)
class CheckedWorkflow:
    """A workflow in which no fault was found.

    Attributes:
        workflow: Its steps, with absolute paths.
        values: What the file and the overrides say.
        config: The values as resolved; ``${run.id}`` is not known yet.
        ahead: What is being read by now, for a run that follows at once.
        stores: Those that were asked.
    """

    workflow: Workflow
    values: Values
    config: Mapping[str, Any]
    ahead: ReadAhead = field(default_factory=ReadAhead, compare=False)
    stores: Stores = field(default_factory=Stores, compare=False)

    @property
    def name(self) -> str:
        """The name of the workflow."""
        return self.workflow.name

    def for_run(self, run: Mapping[str, str]) -> tuple[Workflow, Mapping[str, Any]]:
        """The steps and the config of one run, with its id and directory filled in.

        Raises:
            WorkflowFileError: What a reference leads to is gone by now, as an environment variable.
        """
        if self.config is self.values.data:
            return self.workflow, self.config
        config = self.values.resolved(run)
        workflow = placed(self.values, parse(self.values, config))
        self.values.raise_faults()
        steps = (_with_paths(self.values, step) for step in workflow.steps)
        serve = (_with_paths(self.values, step) for step in workflow.serve)
        return replace(workflow, steps=tuple(steps), serve=tuple(serve)), config


def check_workflow(
    file: str | Path, overrides: Sequence[str] = (), *, read_ahead: bool = False, offline: bool = False
) -> CheckedWorkflow:
    """Check a workflow file whole, and do no work.

    Args:
        file: The workflow file.
        overrides: Values to set, ``key.path=value`` each, as ``fit.params.max_iter=200``.
        read_ahead: Whether a run follows at once: then files that were found right are read while the check goes on.
        offline: Whether to ask no store: then nothing is known of what lies in them.

    Returns:
        The workflow, ready to run.

    Raises:
        WorkflowFileError: There are faults: all of them, each with ``file:line:column``.
    """
    values = read_values(file, overrides)
    config = values.resolved(NO_RUN)
    values.secrets = secrets_of(values.data, config)
    workflow = parse(values, config)
    _make_importable(values, workflow, config)
    workflow = placed(values, workflow)
    ahead = ReadAhead()
    check = _Check(values, workflow, ahead if read_ahead else None, offline=offline)
    try:
        check.check()
        values.raise_faults()
    except BaseException:
        ahead.drop()
        raise
    return CheckedWorkflow(check.workflow, values, config, ahead, check.stores)


def _with_paths(values: Values, step: Step) -> Step:
    """As `paths.with_paths`, where the provider is known and is there."""
    if step.use is None and step.verb != "read":
        return step
    try:
        provider = registry.resolve(step.verb, step.use or reader_for(step.source))
    except MercuryError:  # the check of the step says so
        return step
    return with_paths(values, step, provider)


def _make_importable(values: Values, workflow: Workflow, config: Mapping[str, Any]) -> None:
    """Let ``module:function`` and import paths find modules that lie beside the workflow file, after all others.

    A stored model may name some too, if they are trusted.
    """
    import sys

    uses = [step.use for step in workflow.steps + workflow.serve]
    uses += [metric if isinstance(metric, str) else metric["use"] for step in workflow.steps for metric in step.metrics]
    directory = values.source.file.resolve().parent
    if str(directory) not in sys.path and (
        workflow.of("load") or any(use and ":" in use for use in uses) or _names_one_beside(directory, config)
    ):
        sys.path.append(str(directory))


def _names_one_beside(directory: Path, config: Mapping[str, Any]) -> bool:
    """Whether a value, as the import path of an estimator, begins with the name of a module in a directory."""
    texts = (value for _, value in walk(config) if isinstance(value, str))
    roots = {found[1] for text in texts if (found := _IMPORT_PATH.match(text))}
    return any((directory / f"{root}.py").is_file() or (directory / root / "__init__.py").is_file() for root in roots)


class _Check:
    """One check; faults go to `values`, and what is known of the data so far to `columns`."""

    def __init__(self, values: Values, workflow: Workflow, ahead: ReadAhead | None, *, offline: bool) -> None:
        self.values = values
        self.workflow = workflow
        self.ahead = ahead
        faults = faults_of(workflow.stores) if workflow.stores else []
        for fault in faults:
            values.fault(("stores", *fault.path), fault.message, key=True)
        self.stores = Stores({} if faults else workflow.stores)
        self.asks = not offline and not faults
        self.unreachable: set[At] = set()
        self.columns = Columns(values, self.stores if self.asks else None)
        fits = workflow.of("fit")
        self.models = [step.own or "model" for step in fits] or ["model"] * bool(workflow.of("load"))

    def check(self) -> None:
        if self.asks:
            self.unreachable = check_reach(self.values, self.workflow, self.stores)
        steps = []
        for step in self.workflow.steps:
            steps.append(_with_paths(self.values, step))
            getattr(self, f"_{step.verb}")(steps[-1])
        serve = tuple(_with_paths(self.values, step) for step in self.workflow.serve)
        for step in serve:
            self._serve(step)
        self.workflow = replace(self.workflow, steps=tuple(steps), serve=serve)
        check_targets(self.values, self.workflow)

    def _read(self, step: Step) -> None:
        reader = self._reader(step)
        name = step.own or "data"
        sound = reader is not None and self._parameters(step, reader)
        names = names_of_sources(step)
        if names is not None and step.source not in names:
            hint = did_you_mean(step.source, names) or f" Expected: {', '.join(names)}."
            self.values.fault((*step.at, "source"), f"The reader {step.use!r} has no source {step.source!r}.{hint}")
        elif step.source and (names is not None or self._source(step, reader)) and sound:
            if self.columns.read(name, step, reader) and self.ahead is not None:
                self.ahead.begin(step, step.use or reader_for(step.source))
            return
        self.columns.unknown(name)

    def _source(self, step: Step, reader: Any) -> bool:
        """Whether the source of a step is there, as far as anybody knows."""
        at = (*step.at, "source")
        if not is_remote(step.source):
            return check_source(self.values, at, step.source)
        try:
            registry.resolve("copy", scheme_of(step.source))
        except UnknownProviderError as error:
            if reader is None or not takes(reader, "store"):
                return True  # it may be a name that only the reader knows
            self.values.fault(at, str(error))
            return False
        except MercuryError as error:
            self.values.fault(at, str(error))
            return False
        return at not in self.unreachable

    def _reader(self, step: Step) -> Any:
        if step.use is not None or not step.source:
            return self._provider("read", step.use, (*step.at, "use"))
        try:
            return registry.resolve("read", reader_for(step.source))
        except MercuryError as error:
            self.values.fault((*step.at, "source"), str(error))
            return None

    def _transform(self, step: Step) -> None:
        provider = self._provider("transform", step.use, (*step.at, "use"))
        if provider is None:
            self.columns.forget()
            return
        if why := why_no_step(step.use):
            self.values.fault((*step.at, "use"), why)
            return
        on_bunch = works_on_bunch(provider)
        is_function = not isinstance(provider, type) and not hasattr(provider, "fit") and not hasattr(provider, "apply")
        sound = self._parameters(step, provider)
        if self.workflow.of("load") and not on_bunch:
            todo = "Leave this one out, or fit a model in place of `load`."
            self.values.fault(step.at, f"A stored model brings the transforms of its training. {todo}", key=True)
        if on_bunch:
            self.columns.rearrange(step, provider)
        elif step.inputs is not None:
            self.values.fault(
                (*step.at, "from"),
                f"{step.use!r} is applied to every data set: `from` is for functions on the whole bunch.",
                key=True,
            )
        elif not is_function:
            self.columns.need_train(step, f"{step.use!r} is fitted on it")
            if sound:
                self.columns.name(step, provider)
            self.columns.forget_columns()
        else:
            self.columns.forget_columns()

    def _fit(self, step: Step) -> None:
        provider = self._provider("fit", step.use, (*step.at, "use"))
        if provider is not None:
            self._parameters(step, provider)
        self.columns.need_train(step, "a model is fitted on it")

    def _load(self, step: Step) -> None:
        if step.uri:
            at = (*step.at, "uri") if isinstance(self.values.data.get("load"), dict) else step.at
            if is_remote(step.uri):
                self._provider("copy", scheme_of(step.uri), at)
            else:
                check_source(self.values, at, step.uri)

    def _evaluate(self, step: Step) -> None:
        self._model(step, every=True)
        if not self.workflow.of("read"):
            self.values.fault(step.at, "There is no data to evaluate on: add `read`.", key=True)
        for index, name in enumerate(step.data or ()):
            self.columns.need(name, self._item(step.at, "data", index))
        labels: list[str] = []
        for index, metric in enumerate(step.metrics):
            at = self._item(step.at, "metrics", index)
            use = metric if isinstance(metric, str) else metric["use"]
            params = {} if isinstance(metric, str) else {k: v for k, v in metric.items() if k not in ("use", "name")}
            provider = self._provider("evaluate", use, at if isinstance(metric, str) else (*at, "use"))
            if provider is not None:
                self._faults("evaluate", use, provider, params, at)
            label = use if isinstance(metric, str) else metric.get("name", use)
            if label in labels:
                self.values.fault(at, f"The metric {label!r} is asked for twice: give one of them another `name`.")
            labels.append(label)

    def _save(self, step: Step) -> None:
        self._model(step)
        if is_remote(step.path):
            todo = f"save to a path, and add `copy: {{to: {step.path}}}`"
            self.values.fault((*step.at, "path"), f"A model is saved on this machine first: {todo}.")
        provider = self._provider("save", step.use, (*step.at, "use"))
        if provider is None:
            return
        if hasattr(provider, "save") and hasattr(provider, "load"):
            self._parameters(step, provider)
        else:
            self.values.fault(
                (*step.at, "use"), f"{step.use!r} writes tables and dicts, not models: choose a format of models."
            )

    def _copy(self, step: Step) -> None:
        if step.model is not None:
            self._model(step)
        saves = {name for save in self.workflow.of("save") for name in (save.own, save.name) if name}
        for index, name in enumerate(step.inputs or ()):
            if name not in saves:
                hint = did_you_mean(name, saves) or (f" There are: {', '.join(sorted(saves))}." if saves else "")
                self.values.fault(self._item(step.at, "from", index), f"No step of save is called {name!r}.{hint}")
                return
        chosen = len(saves_to_copy(self.workflow, step)) or len(self.workflow.of("load"))
        if not chosen:
            self.values.fault(step.at, "There is nothing to copy: add `save`, or `load: URI`.", key=True)
        elif chosen > 1 and step.to and not step.to.endswith("/"):
            self.values.fault(
                (*step.at, "to"),
                f"{chosen} saved models would go to one place: say which with `model`, or end `to` with '/'.",
            )
        if step.to:
            self._provider("copy", scheme_of(step.to), (*step.at, "to"))

    def _serve(self, step: Step) -> None:
        self._model(step)
        if step.at != self.workflow.serve[0].at:
            self.values.fault(step.at, "A workflow is served by one step: leave this one out.", key=True)
        elif self.models and not self.workflow.of("load") and not saves_to_serve(self.workflow, step):
            self.values.fault(step.at, "There is nothing to serve: add `save`, or `load: URI`.", key=True)
        provider = self._provider("serve", step.use, (*step.at, "use"))
        if provider is not None:
            self._parameters(step, provider)

    # --- parts ---

    def _provider(self, verb: str, use: str | None, at: At) -> Any:
        """The provider of a key; None, and a fault, where there is none."""
        if use is None:
            return None
        try:
            return registry.resolve(verb, use)
        except MercuryError as error:
            self.values.fault(at, str(error))
            return None

    def _parameters(self, step: Step, provider: Any) -> bool:
        return self._faults(step.verb, str(step.use), provider, step.params, step.at)

    def _faults(self, verb: str, use: str, provider: Any, params: Mapping[str, Any], at: At) -> bool:
        faults = check_parameters(verb, use, provider, params)
        for fault in faults:
            self.values.fault((*at, *fault.path), fault.message, key=True)
        return not faults

    def _model(self, step: Step, *, every: bool = False) -> None:
        """Whether the model that a step works on is there and is one."""
        if not self.models:
            self.values.fault(step.at, f"There is no model to {step.verb}: add `fit`, or `load: URI`.", key=True)
        elif step.model is not None and step.model not in self.models:
            hint = did_you_mean(step.model, self.models) or f" There are: {', '.join(self.models)}."
            self.values.fault((*step.at, "model"), f"No step of fit is called {step.model!r}.{hint}")
        elif step.model is None and len(self.models) > 1 and not every:
            self.values.fault(
                step.at, f"There are several models: say which with `model`: {', '.join(self.models)}.", key=True
            )

    def _item(self, at: At, key: str, index: int) -> At:
        """Where an item stands of what may be one value or a list."""
        from mercury_core.workflow.source import find

        return (*at, key, index) if isinstance(find(self.values.data, (*at, key)), list) else (*at, key)

"""A run: the steps of a checked workflow, one after another, each recorded as it happens."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mercury_core.errors import StepFailedError, StoreAccessError
from mercury_core.workflow.environment import environment_of, packages
from mercury_core.workflow.record import Journal, RunRecord, new_run_id, timestamp
from mercury_core.workflow.secrets import masked, secrets_of
from mercury_core.workflow.watch import Watchers, clean_stop, noting_warnings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mercury_core.workflow.check import CheckedWorkflow
    from mercury_core.workflow.config import Step, Workflow
    from mercury_core.workflow.keeping import Keeper


class WorkflowRun:
    """One run of a checked workflow.

    Args:
        checked: From `check_workflow`.
        runs: The directory in which the run makes its own.
        listener: Told of what happens: any object with methods named as the lifecycle hooks without ``mercury_``, all
            optional, with the same keyword arguments.
    """

    def __init__(self, checked: CheckedWorkflow, runs: str | Path = "runs", listener: object | None = None) -> None:
        self._checked = checked
        self._listener = listener
        run = new_run_id()
        self._record = RunRecord(run, checked.name, "running", Path(runs).absolute() / run)

    @property
    def record(self) -> RunRecord:
        """What is known of the run by now; it is there also before it began, and after it failed."""
        return self._record

    def execute(self) -> RunRecord:
        """Run all steps up to copy.

        Returns:
            The record, whose status is ``succeeded``.

        Raises:
            StepFailedError: A step failed; the cause is chained, and the record says ``failed``.
            KeyboardInterrupt: It was interrupted, by Ctrl-C or SIGTERM; the record says ``interrupted``.
            StoreAccessError: The record cannot be written.
            WorkflowFileError: What a reference of the file leads to is gone since the check.
        """
        run, directory = self._record.run, self._record.directory
        workflow, config = self._checked.for_run({"id": run, "dir": str(directory)})
        secrets = secrets_of(self._checked.values.data, config)
        watchers = Watchers(self._listener)
        journal = Journal(directory)
        began = time.perf_counter()
        try:
            with clean_stop():
                self._begin(workflow, config, secrets)
                journal.write(self._record.to_json())
                journal.event("run_started", run=run, name=workflow.name)
                watchers.tell("run_started", run=run, config=self._record.config["resolved"])
                self._steps(workflow, journal, watchers, secrets)
                content = self._end(journal, "succeeded", began)
        except BaseException as error:
            said = error.__cause__ if isinstance(error, StepFailedError) and error.__cause__ else error
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            why = {"type": type(said).__name__, "message": masked(str(error), secrets)}
            self._record = replace(self._record, error=why)
            watchers.tell("run_failed", run=run, record=self._end(journal, status, began, cause=error), error=error)
            raise
        watchers.tell("run_finished", run=run, record=content)
        return self._record

    def _begin(self, workflow: Workflow, config: Mapping[str, Any], secrets: frozenset[str]) -> None:
        values = self._checked.values
        overrides = {".".join(map(str, at)): masked(value, secrets, at) for at, value in values.overrides.items()}
        names = [step.own for step in workflow.of("fit")]
        self._record = replace(
            self._record,
            started=timestamp(),
            models=tuple(names) if len(names) > 1 else (),
            config={
                "file": str(values.source.file.absolute()),
                "written": masked(values.source.data, secrets),
                "overrides": overrides,
                "resolved": masked(config, secrets),
            },
            environment=environment_of(workflow, config, values.source.file.absolute().parent),
        )

    def _steps(self, workflow: Workflow, journal: Journal, watchers: Watchers, secrets: frozenset[str]) -> None:
        from mercury_core.storage import Stores
        from mercury_core.workflow.keeping import Keeper
        from mercury_core.workflow.steps import State

        same = workflow.stores == self._checked.workflow.stores
        stores = self._checked.stores if same else Stores(workflow.stores)
        keeper = Keeper(self._record.directory, self._record.run, workflow.steps)
        state = State(self._record.run, workflow.steps, watchers, self._checked.ahead, stores, keeper)
        for step in workflow.steps:
            try:
                self._step(step, state, journal, watchers, secrets)
            except BaseException as error:
                self._keep(keeper, journal, step, error, secrets)
                raise

    def _keep(
        self, keeper: Keeper, journal: Journal, failed: Step, error: BaseException, secrets: frozenset[str]
    ) -> None:
        """Keep the models that were fitted and not saved: the step that failed may be mended without fitting again."""
        from mercury_core.workflow.steps import proof_of

        with noting_warnings(lambda warning: self._warned(failed, warning, journal, secrets)):
            for step, path in keeper.keep():
                kept = {"step": step.name, "kind": "model", "path": str(path), **proof_of(path)}
                self._record = replace(self._record, artifacts=(*self._record.artifacts, kept))
                journal.event("model_kept", step=step.name, path=str(path))
                error.add_note(f"The model that was fitted is kept in {path}: a workflow may load it in place of fit.")

    def _step(self, step: Step, state: Any, journal: Journal, watchers: Watchers, secrets: frozenset[str]) -> None:
        run = self._record.run
        entry: dict[str, Any] = {"step": step.name, "verb": step.verb, "provider": masked(step.provider, secrets)}
        journal.event("step_started", **entry)
        watchers.tell("step_started", run=run, **entry)
        entry |= {"status": "running", "started": timestamp()}
        before = self._record.steps
        began = time.perf_counter()

        try:
            with noting_warnings(lambda warning: self._warned(step, warning, journal, secrets)):
                result = state.do(step)
        except BaseException as error:
            seconds = time.perf_counter() - began
            status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            said = masked(f"{type(error).__name__}: {error}", secrets)
            self._record = replace(
                self._record, steps=(*before, {**entry, "status": status, "seconds": seconds, "error": said})
            )
            journal.event(f"step_{status}", step=step.name, seconds=seconds, error=said)
            watchers.tell("step_failed", run=run, step=step.name, seconds=seconds, error=error)
            if status == "failed":  # also where a provider calls sys.exit: that ends its step, not this process
                failed = StepFailedError(step.name, self._checked.values.where(step.at, key=True), error)
                failed.args = (masked(str(failed), secrets),)
                raise failed from error
            raise
        seconds = time.perf_counter() - began
        self._record = replace(
            self._record,
            steps=(*before, {**entry, "status": "finished", "seconds": seconds, "result": result}),
            metrics=state.metrics,
            artifacts=tuple(state.artifacts),
        )
        journal.event("step_finished", step=step.name, seconds=seconds, result=result)
        watchers.tell("step_finished", run=run, step=step.name, seconds=seconds, result=result)

    def _warned(self, step: Step, warning: dict[str, Any], journal: Journal, secrets: frozenset[str]) -> None:
        warning = {"step": step.name, **warning, "message": masked(warning["message"], secrets)}
        journal.event("warning", **warning)
        self._record = replace(self._record, warnings=(*self._record.warnings, warning))

    def _end(self, journal: Journal, status: str, began: float, cause: BaseException | None = None) -> dict[str, Any]:
        """Write how it ended. Where the disk refuses even that after a failure, the failure stays the news."""
        seconds = time.perf_counter() - began
        environment = {**self._record.environment, "packages": packages()}
        self._record = replace(
            self._record, status=status, finished=timestamp(), seconds=seconds, environment=environment
        )
        content = self._record.to_json()
        try:
            journal.close(f"run_{status}", run=self._record.run, seconds=seconds, error=self._record.error)
            journal.write(content)
        except StoreAccessError as error:
            if cause is None:
                raise
            cause.add_note(f"The record could not be written either: {error}")
        return content


def run_workflow(
    file: str | Path, overrides: Sequence[str] = (), runs: str | Path = "runs", listener: object | None = None
) -> RunRecord:
    """Check a workflow file, and run it.

    Args:
        file: The workflow file.
        overrides: Values to set, ``key.path=value`` each.
        runs: The directory in which the run makes its own.
        listener: Told of what happens; see `WorkflowRun`.

    Returns:
        The record of the run, which succeeded.

    Raises:
        WorkflowFileError: The file has faults, all of which it lists; nothing was done.
        StepFailedError: A step failed.
    """
    from mercury_core.workflow.check import check_workflow

    return WorkflowRun(check_workflow(file, overrides, read_ahead=True), runs, listener).execute()

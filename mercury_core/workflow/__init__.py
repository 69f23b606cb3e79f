"""Level 5, workflows: one file says what is done; it is checked whole, then run, and each run leaves its record.

Every public name is imported when it is first used, so that a check does not load what only a run needs.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.workflow.check import CheckedWorkflow as CheckedWorkflow, check_workflow as check_workflow
    from mercury_core.workflow.record import RunRecord as RunRecord
    from mercury_core.workflow.run import WorkflowRun as WorkflowRun, run_workflow as run_workflow

_HOME_OF = {
    "CheckedWorkflow": "check",
    "check_workflow": "check",
    "RunRecord": "record",
    "WorkflowRun": "run",
    "run_workflow": "run",
}

__all__ = sorted(_HOME_OF)


def __getattr__(name: str) -> object:
    """Import a public name from its home, once."""
    from importlib import import_module

    if name in _HOME_OF:
        value: object = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

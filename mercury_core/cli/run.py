"""Run a workflow file: read, transform, fit, evaluate, save, copy.

Progress goes to stderr; stdout gets the metrics and where everything is, or with --json one JSON object.
"""

from __future__ import annotations

from mercury_core.cli import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from mercury_core.workflow import WorkflowRun


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="the workflow file (YAML)")
    parser.add_argument(
        "overrides", metavar="KEY=VALUE", nargs="*", help="set a value of the file, as fit.params.max_iter=50"
    )
    parser.add_argument(
        "--runs", metavar="DIR", default="runs", help="where the run leaves its directory (default: runs)"
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="print one JSON object, also where the run fails")


def execute(args: Namespace) -> int:
    """Check the file, run it, and show what came out."""
    from mercury_core.workflow import WorkflowRun, check_workflow

    run: WorkflowRun | None = None
    try:
        checked = check_workflow(args.file, args.overrides)
        with _watching(quiet=args.quiet) as watcher:
            run = WorkflowRun(checked, runs=args.runs, listener=watcher)
            record = run.execute()
    except (Exception, KeyboardInterrupt) as error:
        if args.json:
            output.write_json(outcome(run.record if run else None, error))
        if isinstance(error, KeyboardInterrupt) and run is not None and not args.debug:
            output.say(f"Interrupted. What was done is recorded in {run.record.directory}.")
            return output.exit_code(error)
        raise
    if args.json:
        output.write_json(outcome(record))
    else:
        from mercury_core.cli.summary import show

        show(record)
    return 0


def _watching(*, quiet: bool) -> Any:
    """Whoever shows the progress: nobody, plain lines, or a terminal's moving ones."""
    import sys

    if quiet:
        from contextlib import nullcontext

        return nullcontext()
    if output.is_terminal(sys.stderr):
        from mercury_core.cli.progress import TerminalProgress

        return TerminalProgress()
    from mercury_core.cli.plain import PlainProgress

    return PlainProgress()


def outcome(record: Any | None, error: BaseException | None = None) -> dict[str, Any]:
    """What ``run --json`` prints.

    Args:
        record: The record of the run; None where there was none, since the check found faults.
        error: Why it ended, where it did not succeed.

    Returns:
        ``status``, ``run``, ``metrics``, ``artifacts``, ``directory``; and where it did not succeed ``error``, and ``faults`` of
        the file one by one.
    """
    ended: dict[str, Any] = {
        "status": "succeeded" if error is None else "interrupted" if isinstance(error, KeyboardInterrupt) else "failed",
        "run": record.run if record else None,
        "metrics": record.metrics if record else {},
        "artifacts": record.artifacts if record else [],
        "directory": str(record.directory) if record else None,
    }
    if error is not None:
        ended["error"] = output.sentence(error, debug=False)
        faults = getattr(error, "faults", None)
        if faults:
            ended["faults"] = list(faults)
    return ended

"""Run a workflow file: read, transform, fit, evaluate, save, copy; with --serve, then serve the model as it says.

Progress goes to stderr; stdout gets the metrics and where everything is, or with --json one JSON object.
"""

from __future__ import annotations

from mercury_core.cli import output
from mercury_core.cli.served import NAME, require_serve, served_by

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from mercury_core.workflow import CheckedWorkflow, RunRecord, WorkflowRun


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("file", metavar="FILE", help="the workflow file (YAML)")
    parser.add_argument(
        "overrides",
        metavar="KEY=VALUE",
        nargs="*",
        default=[],
        help="set a value of the file, as fit.params.max_iter=50",
    )
    parser.add_argument(
        "--runs", metavar="DIR", default="runs", help="where the run leaves its directory (default: runs)"
    )
    parser.add_argument(
        "--serve", action="store_true", help="serve the model that the run saved, until Ctrl-C, as the stage serve says"
    )
    parser.add_argument("--quiet", "-q", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="print one JSON object, also where the run fails")


def execute(args: Namespace) -> int:
    """Check the file, run it, and show what came out."""
    run: WorkflowRun | None = None
    try:
        from mercury_core.cli.aside import prints_aside
        from mercury_core.workflow import WorkflowRun, check_workflow
        from mercury_core.workflow.watch import clean_stop

        with clean_stop(), prints_aside():
            checked = check_workflow(args.file, args.overrides, read_ahead=True)
            if args.serve:
                require_serve(checked.workflow, args.file)
            with _watching(quiet=args.quiet) as watcher:
                run = WorkflowRun(checked, runs=args.runs, listener=watcher)
                record = run.execute()
    except BaseException as error:  # noqa: BLE001  said, and turned into an exit code
        return _ended(run.record if run is not None else None, error, args)
    if args.serve:
        del run  # what it worked on is not to lie beside the model that answers
        return _served(checked, record, args)
    _show(record, args)
    return 0


def _show(record: RunRecord, args: Namespace, **more: Any) -> None:
    """Print what came out."""
    if args.json:
        output.write_json({**outcome(record), **more})
        return
    from mercury_core.cli.summary import show

    show(record)


def _served(checked: CheckedWorkflow, record: RunRecord, args: Namespace) -> int:
    """Serve what a run saved, until somebody stops it."""
    from mercury_core.cli.answering import answer
    from mercury_core.cli.serve import tell

    if not args.json:
        _show(record, args)
    try:
        workflow, _ = checked.for_run({"id": record.run, "dir": str(record.directory)})
        served = served_by(workflow, args.file)
        params = dict(served.params)
        models = {str(params.pop("name", NAME)): served.uri}

        def started(url: str) -> None:
            if args.json:
                _show(record, args, url=url)
            else:
                tell(models, url)

        answer(models, str(served.server), served.load, params, started)
    except BaseException as error:  # noqa: BLE001  said, and turned into an exit code
        if args.json:
            output.write_json({**outcome(record), "error": output.sentence(error, debug=False)})
        output.say(output.sentence(error, debug=args.debug))
        return output.exit_code(error)
    return 0


def _ended(record: RunRecord | None, error: BaseException, args: Namespace) -> int:
    """Say how a run ended that did not succeed."""
    if args.json:
        output.write_json(outcome(record, error))
    output.say(sentence(record, error, debug=args.debug))
    if record is not None and record.directory.exists():
        for path in (each["path"] for each in record.artifacts if each["step"].split(".")[0] == "fit"):
            output.say(f"The model that was fitted is kept: `load: {path}` in place of `fit` goes on from there.")
        output.say(f"The run is recorded in {output.short(record.directory)}.")
    return output.exit_code(error)


def sentence(record: RunRecord | None, error: BaseException, *, debug: bool = False) -> str:
    """Why a run ended: as the record has it, where no secret stands."""
    from mercury_core.errors import MercuryError

    if debug or record is None or not record.error or not isinstance(error, MercuryError):
        return output.sentence(error, debug=debug)
    said = str(record.error["message"])
    expected = error.__cause__ is None or isinstance(error.__cause__, MercuryError)
    return said if expected else f"{said.rstrip('.')}. Run again with --debug to see where it comes from."


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


def outcome(record: RunRecord | None, error: BaseException | None = None) -> dict[str, Any]:
    """What ``run --json`` prints.

    Args:
        record: The record of the run; None where there was none, since the check found faults.
        error: Why it ended, where it did not succeed.

    Returns:
        ``status``, ``run``, ``metrics``, ``artifacts``, ``directory``; where it did not succeed also ``error``, and
        ``faults`` where the file has any.
    """
    ended: dict[str, Any] = {
        "status": "succeeded" if error is None else "interrupted" if isinstance(error, KeyboardInterrupt) else "failed",
        "run": record.run if record else None,
        "metrics": record.metrics if record else {},
        "artifacts": record.artifacts if record else [],
        "directory": str(record.directory) if record else None,
    }
    if error is not None:
        ended["error"] = sentence(record, error)
        faults = getattr(error, "faults", None)
        if faults:
            ended["faults"] = list(faults)
    return ended

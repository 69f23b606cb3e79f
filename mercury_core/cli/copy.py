"""Copy a file or a tree between any two stores, verified.

DST is what becomes of SRC, whether or not it exists; a DST that ends in / means into. Progress goes to stderr; stdout
gets a line of what was done, or with --json one JSON object.
"""

from __future__ import annotations

from mercury_core.cli import output
from mercury_core.cli.options import add_stores, stores_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any

    from mercury_core.storage import CopyReport


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("source", metavar="SRC", help="what to copy: a path or a URI, of a file or of a tree")
    parser.add_argument("target", metavar="DST", help="where to: a path or a URI; one that ends in / means into")
    parser.add_argument(
        "--overwrite",
        choices=("error", "skip", "replace"),
        default="error",
        help="what to do where something is: error (the default), skip each file that is there, or replace it all",
    )
    parser.add_argument("--move", action="store_true", help="delete from SRC what was copied, once all is verified")
    add_stores(parser)
    parser.add_argument("--quiet", "-q", action="store_true", help="show no progress")
    parser.add_argument("--json", action="store_true", help="print one JSON object, also where the copy fails")


def execute(args: Namespace) -> int:
    """Copy, and say what was done."""
    try:
        from mercury_core.cli.aside import prints_aside
        from mercury_core.storage import copy
        from mercury_core.workflow.watch import clean_stop

        with clean_stop(), prints_aside(), _watching(args) as progress:
            report = copy(
                args.source,
                args.target,
                overwrite=args.overwrite,
                move=args.move,
                progress=progress,
                stores=stores_of(args.store),
            )
    except BaseException as error:  # noqa: BLE001  said, and turned into an exit code
        return _ended(error, args)
    if args.json:
        output.write_json(outcome(report))
    else:
        output.write(sentence(report, moved=args.move))
    return 0


def _watching(args: Namespace) -> Any:
    """Whoever shows the progress, as a context that gives what is called with it."""
    import sys
    from contextlib import nullcontext

    if args.quiet:
        return nullcontext()
    if output.is_terminal(sys.stderr):
        from mercury_core.cli.copy_bar import CopyBar

        return CopyBar(args.target)
    from mercury_core.cli.copy_lines import CopyLines

    return CopyLines()


def _ended(error: BaseException, args: Namespace) -> int:
    said = output.sentence(error, debug=args.debug)
    interrupted = isinstance(error, KeyboardInterrupt)
    if args.json:
        from mercury_core.workflow.secrets import masked

        ended = {
            "status": "interrupted" if interrupted else "failed",
            "source": args.source,
            "target": args.target,
            "error": output.sentence(error, debug=False),
        }
        output.write_json(masked(ended))  # a URI that cannot be used may hold a password
    output.say(said)
    if interrupted:
        output.say("The same command goes on where this one stopped.")
    return output.exit_code(error)


def outcome(report: CopyReport) -> dict[str, Any]:
    """What ``copy --json`` prints of a copy that succeeded: ``status``, and all that the report has."""
    names = ("source", "target", "files", "bytes", "skipped", "resumed", "seconds")
    return {
        "status": "succeeded",
        **{name: getattr(report, name) for name in names},
        "checksums": dict(report.checksums),
    }


def sentence(report: CopyReport, *, moved: bool = False) -> str:
    """A report in one line."""
    from mercury_core.cli.plain import human

    more = [f"{number} {word}" for word, number in (("skipped", report.skipped), ("resumed", report.resumed)) if number]
    files = f"{report.files} file{'' if report.files == 1 else 's'}"
    return (
        f"{files}, {human(report.bytes)}, {'moved' if moved else 'copied'} to {output.short(report.target)} "
        f"in {report.seconds:.2f} s{', ' * bool(more)}{', '.join(more)}"
    )

"""Find every fault of a workflow file, and do no work.

Unknown keys and providers, wrong parameters, unresolved references, missing columns, stores that cannot be reached.
"""

from __future__ import annotations

from mercury_core.cli import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


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
    parser.add_argument("--offline", action="store_true", help="ask no store: what lies in stores is taken to be there")


def execute(args: Namespace) -> int:
    """Check the file."""
    from mercury_core.workflow import check_workflow

    check_workflow(args.file, args.overrides, offline=args.offline)
    output.write(f"{args.file}: no faults.")
    return 0

"""Replay the golden rows of a saved model, and say by how much its predictions moved.

Golden rows are some rows of the training data, kept with what the model predicted of them when it was saved. They are
predicted here; or, with --against, by a server that should give the same. Ends with 1 where the predictions moved by
more than the format of the model allows.
"""

from __future__ import annotations

from mercury_core.cli import output
from mercury_core.cli.options import add_stores, stores_of, token_in
from mercury_core.cli.trust import add_trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from mercury_core.bundle import VerifyReport


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="a saved model: a path or a URI")
    parser.add_argument(
        "--against",
        metavar="URL",
        help="a server with one model, http://HOST:PORT, or http://HOST:PORT/v2/models/NAME; the model is not loaded",
    )
    parser.add_argument(
        "--token-env", metavar="NAME", help="the environment variable that holds the bearer token of the server"
    )
    parser.add_argument(
        "--tolerance",
        metavar="NUMBER",
        type=float,
        help="by how much a prediction may move, relative to its size where that is above 1 (default: by its format)",
    )
    add_trust(parser)
    add_stores(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(args: Namespace) -> int:
    """Verify."""
    from mercury_core.bundle import verify
    from mercury_core.cli.aside import prints_aside

    with prints_aside():
        report = verify(
            args.model,
            against=args.against,
            tolerance=args.tolerance,
            trusted=args.trusted,
            trust=args.trust,
            token=token_in(args.token_env, "verify"),
            stores=stores_of(args.store),
        )
    if args.json:
        names = ("rows", "largest", "tolerance", "holds", "where")
        output.write_json({"model": args.model, "against": args.against, **{n: getattr(report, n) for n in names}})
    else:
        output.write(sentence(report))
    return 0 if report.holds else 1


def sentence(report: VerifyReport) -> str:
    """A report in a line, and where it fails in two.

    Examples:
        >>> from mercury_core.bundle import VerifyReport
        >>> print(sentence(VerifyReport(10, 0.0, 0.0, holds=True, where="")))
        10 golden rows predict what they did, to the last bit.
        >>> print(sentence(VerifyReport(10, 1e-7, 0.0, holds=False, where="score_a of row 3: expected 0.5, found 0.6")))
        10 golden rows moved: the largest difference is 1e-07, above the tolerance 0.
        score_a of row 3: expected 0.5, found 0.6
    """
    rows = f"{report.rows} golden row{'s' * (report.rows != 1)}"
    if not report.where:
        return f"{rows} predict{'s' * (report.rows == 1)} what they did, to the last bit."
    if report.holds:
        return (
            f"{rows} hold: the largest difference is {report.largest:.3g}, within the tolerance {report.tolerance:g}."
        )
    return (
        f"{rows} moved: the largest difference is {report.largest:.3g}, above the tolerance {report.tolerance:g}.\n"
        f"{report.where}"
    )

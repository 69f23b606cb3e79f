"""Predict the rows of a source with a saved model.

What is written is a table: the index columns, a prediction a target, a score a class.
"""

from __future__ import annotations

from mercury_core.cli import output
from mercury_core.cli.options import add_stores, parsed, stores_of
from mercury_core.cli.trust import add_trust

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence
    from typing import Any


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("model", metavar="MODEL", help="a saved model: a path or a URI")
    parser.add_argument("source", metavar="SOURCE", help="what to predict, raw as in training: a path or a URI")
    parser.add_argument(
        "options", metavar="KEY=VALUE", nargs="*", default=[], help="a parameter of the reader, as delimiter=';'"
    )
    parser.add_argument(
        "--to",
        metavar="FILE",
        required=True,
        help="where to write, a path or a URI: .parquet, .csv, .json or .jsonl; or a directory, which ends in /",
    )
    parser.add_argument("--jobs", metavar="N", type=int, default=1, help="how many threads predict (default: 1)")
    parser.add_argument(
        "--batch-rows", metavar="N", type=int, default=None, help="rows that are held at a time (default: 65536)"
    )
    parser.add_argument(
        "--reader", metavar="KEY", help="the reader of the source (default: by its ending, or as the model says)"
    )
    parser.add_argument(
        "--index",
        metavar="COLUMN",
        action="append",
        help="a column to write beside the predictions, and again for more; '' for none (default: as in training)",
    )
    add_trust(parser)
    add_stores(parser)


def execute(args: Namespace) -> int:
    """Predict."""
    from mercury_core.predicting import BATCH_ROWS, predict_to_file

    params = reader_params(args.options) if args.options else {}
    stores = stores_of(args.store)
    written = predict_to_file(
        args.model,
        args.source,
        args.to,
        reader=args.reader,
        index=None if args.index is None else [name for name in args.index if name],
        trusted=args.trusted,
        trust=args.trust,
        stores=stores,
        jobs=args.jobs,
        batch_rows=BATCH_ROWS if args.batch_rows is None else args.batch_rows,
        **params,
    )
    kept = f"; {written.resumed_rows} of them from an interrupted run" if written.resumed_rows else ""
    noun = "prediction" if written.num_rows == 1 else "predictions"
    output.write(f"{written.num_rows} {noun} in {args.to} ({', '.join(written.column_names)}){kept}")
    return 0


def reader_params(options: Sequence[str]) -> dict[str, Any]:
    """Parameters from the command line: the values are YAML, as in a workflow file.

    Args:
        options: ``key=value`` each.

    Raises:
        ArgumentsError: One without a key or without ``=``.

    Examples:
        >>> reader_params(["skip_rows=2", "delimiter=|"])
        {'skip_rows': 2, 'delimiter': '|'}
    """
    return parsed(options, "read", "reader")

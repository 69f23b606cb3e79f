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
        "--to", metavar="FILE", required=True, help="where to write, a path or a URI: .parquet, .csv, .json or .jsonl"
    )
    parser.add_argument("--reader", metavar="KEY", help="the reader of the source (default: by its ending)")
    add_trust(parser)
    add_stores(parser)


def execute(args: Namespace) -> int:
    """Predict."""
    from mercury_core.predicting import predict_to_file

    params = reader_params(args.options) if args.options else {}
    stores = stores_of(args.store)
    table = predict_to_file(
        args.model,
        args.source,
        args.to,
        reader=args.reader,
        trusted=args.trusted,
        trust=args.trust,
        stores=stores,
        **params,
    )
    output.write(f"{table.num_rows} predictions in {args.to} ({', '.join(table.column_names)})")
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

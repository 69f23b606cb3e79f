"""Predict the rows of a source with a saved model.

What is written is a table: the index columns, a prediction a target, a score a class.
"""

from __future__ import annotations

from mercury_core.cli import output

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
    parser.add_argument("--to", metavar="FILE", required=True, help="where to write: .parquet, .csv, .json or .jsonl")
    parser.add_argument("--reader", metavar="KEY", help="the reader of the source (default: by its ending)")
    parser.add_argument(
        "--trust",
        metavar="TYPE",
        action="append",
        default=[],
        help="a type in the model to trust beyond those that its plugin knows",
    )


def execute(args: Namespace) -> int:
    """Predict."""
    from mercury_core.predicting import predict_to_file

    params = reader_params(args.options) if args.options else {}
    table = predict_to_file(args.model, args.source, args.to, reader=args.reader, trusted=args.trust, **params)
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
    from mercury_core.errors import ArgumentsError
    from mercury_core.workflow.source import read_value

    params: dict[str, Any] = {}
    for option in options:
        key, equals, text = option.partition("=")
        if not equals or not key.isidentifier():
            raise ArgumentsError("read", "reader", [f"{option!r} is not of the form key=value."])
        # A delimiter such as | or # means itself, whatever it means to YAML.
        single = len(text) == 1 and not text.isalnum()
        try:
            params[key] = text if single else read_value(text)
        except ValueError as error:
            raise ArgumentsError("read", "reader", [f"{key}: {error}"]) from None
    return params

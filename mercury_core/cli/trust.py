"""What the one who loads a model trusts, on the command line."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser


def add_trust(parser: ArgumentParser) -> None:
    """Add ``--trust``, which becomes `trusted`, and ``--trust-pickle``, which becomes `trust`."""
    parser.add_argument(
        "--trust",
        dest="trusted",
        metavar="TYPE",
        action="append",
        default=[],
        help="a type in the model to trust beyond those that its plugin knows",
    )
    parser.add_argument(
        "--trust-pickle",
        dest="trust",
        action="store_true",
        help="load formats that need pickle too, which run whatever code the model brings",
    )

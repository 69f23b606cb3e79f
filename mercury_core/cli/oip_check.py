"""Check any server against the Open Inference Protocol v2, and print a table of what holds.

Ends with 1 where something does not hold that the protocol requires.
"""

from __future__ import annotations

from mercury_core.cli import output
from mercury_core.cli.options import token_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from typing import Any


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("url", metavar="URL", help="the server: http://HOST:PORT")
    parser.add_argument("--model", metavar="NAME", default="model", help="a model that it serves (default: model)")
    parser.add_argument(
        "--request", metavar="FILE", help="an inference request of one row in JSON (default: made from the metadata)"
    )
    parser.add_argument("--token-env", metavar="VARIABLE", help="the environment variable with a bearer token")
    parser.add_argument("--timeout", type=float, default=30.0, help="seconds for one answer (default: 30)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def execute(args: Namespace) -> int:
    """Check, and print."""
    from mercury_core.testing.oip import check_server

    token = token_in(args.token_env, "oip-check")
    report = check_server(args.url, args.model, request=_request(args.request), token=token, timeout=args.timeout)
    if args.json:
        names = ("topic", "title", "level", "outcome", "found")
        checks = [{name: getattr(check, name) for name in names} for check in report.checks]
        output.write_json({"url": report.url, "model": report.model, "holds": report.holds, "checks": checks})
    else:
        from mercury_core.cli.tables import show_table

        rows = [(check.topic, check.title, check.level, check.outcome, check.found) for check in report.checks]
        show_table(("topic", "expected", "level", "outcome", "found"), rows)
        counts = ", ".join(f"{report.count(outcome)} {word}" for outcome, word in _WORDS)
        output.write(f"\n{report.url}, model {report.model!r}: {counts}.")
    return 0 if report.holds else 1


_WORDS = (("holds", "hold"), ("fails", "fail"), ("skipped", "skipped"))


def _request(path: str | None) -> dict[str, Any] | None:
    """The request in a file.

    Raises:
        ReadError: It is none.
    """
    if path is None:
        return None
    import json
    from pathlib import Path

    from mercury_core.errors import ReadError

    try:
        request = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise ReadError(path, str(error), "Expected an inference request in JSON.") from error
    if not isinstance(request, dict) or not isinstance(request.get("inputs"), list) or not request["inputs"]:
        raise ReadError(path, "it has no inputs", "Expected an inference request in JSON.")
    return request

"""Serve a saved model: it answers until it is stopped, by Ctrl-C or SIGTERM, which let requests in flight finish.

SIGHUP loads the model again, and lets the new one answer without a request being lost.
"""

from __future__ import annotations

from mercury_core.cli import output
from mercury_core.cli.answering import answer
from mercury_core.cli.options import add_stores, parsed, stores_of, token_in
from mercury_core.cli.served import NAME, what_to_serve
from mercury_core.cli.trust import add_trust
from mercury_core.errors import ArgumentsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable
    from typing import Any

# What `serve_model` itself takes: no parameters of a server.
_NO_PARAMS = {"model", "server", "load"}


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "model", metavar="MODEL", help="a saved model (a path or a URI), the directory of a run, or a workflow file"
    )
    parser.add_argument(
        "options", metavar="KEY=VALUE", nargs="*", default=[], help="a parameter of the server, as most_rows=1000"
    )
    parser.add_argument("--server", metavar="KEY", help="the server (default: what the workflow says, else http)")
    parser.add_argument("--host", help="the address to listen at (default: of this machine only)")
    parser.add_argument("--port", type=int, help="the port (default: 8080)")
    parser.add_argument("--workers", type=int, help="how many processes answer (default: 1)")
    parser.add_argument("--name", help="of the model (default: what the workflow says, else model)")
    parser.add_argument(
        "--also",
        metavar="NAME=MODEL",
        action="append",
        default=[],
        help="a further saved model behind the same server",
    )
    parser.add_argument(
        "--token-env", metavar="VARIABLE", help="the environment variable with the token that requests have to bring"
    )
    add_trust(parser)
    add_stores(parser)


def execute(args: Namespace) -> int:
    """Serve until somebody stops it."""
    served = what_to_serve(args.model)
    server = args.server or served.server or "http"
    params = {**served.params, **_params(args, server)}
    models = _models(args, served.uri, server, str(params.pop("name", NAME)))
    load = {**served.load}
    given = {"trusted": args.trusted, "trust": args.trust, "stores": stores_of(args.store)}
    load |= {name: value for name, value in given.items() if value}
    answer(models, server, load, params, lambda url: tell(models, url))
    return 0


def tell(models: Iterable[str], url: str) -> None:
    """Say which models answer, and where."""
    output.write(f"Serving {', '.join(models)} at {url}")


def _models(args: Namespace, uri: str, server: str, name: str) -> dict[str, str]:
    models = {name: uri}
    for given in args.also:
        name, equals, other = given.partition("=")
        if not equals or not name or not other:
            raise ArgumentsError("serve", server, [f"--also {given!r} is not of the form NAME=MODEL."])
        if name in models:
            raise ArgumentsError("serve", server, [f"There are two models of the name {name!r}."])
        models[name] = other
    return models


def _params(args: Namespace, server: str) -> dict[str, Any]:
    params = parsed(args.options, "serve", server)
    for name in sorted(_NO_PARAMS & params.keys()):
        raise ArgumentsError("serve", server, [f"The provider {server!r} has no parameter {name!r}."])
    given = {name: getattr(args, name) for name in ("name", "host", "port", "workers")}
    params |= {name: value for name, value in given.items() if value is not None}
    if args.token_env is not None:
        params["token"] = token_in(args.token_env, server)
    return params

"""Parameters on the command line: ``key=value``, where the value is YAML as in a workflow file."""

from __future__ import annotations

from mercury_core.errors import ArgumentsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser
    from collections.abc import Iterable, Sequence
    from typing import Any


def parsed(options: Iterable[str], verb: str, key: str) -> dict[str, Any]:
    """Read parameters.

    Args:
        options: ``key=value`` each.
        verb: Of the provider that they are for.
        key: What to call it.

    Raises:
        ArgumentsError: One without a key or without ``=``, or whose value is no YAML.
    """
    from mercury_core.workflow.source import read_value

    params: dict[str, Any] = {}
    for option in options:
        name, equals, text = option.partition("=")
        if not equals or not name.isidentifier():
            raise ArgumentsError(verb, key, [f"{option!r} is not of the form key=value."])
        # A delimiter such as | or # means itself, whatever it means to YAML.
        single = len(text) == 1 and not text.isalnum()
        try:
            params[name] = text if single else read_value(text)
        except ValueError as error:
            raise ArgumentsError(verb, key, [f"{name}: {error}"]) from None
    return params


def token_in(variable: str | None, command: str) -> str:
    """The bearer token of a server, in a variable of the environment; empty without one.

    Args:
        variable: What ``--token-env`` was given.
        command: Whose argument it is.

    Raises:
        ArgumentsError: There is no such variable.
    """
    import os

    if variable is None:
        return ""
    if not os.environ.get(variable):
        raise ArgumentsError("serve", command, [f"The environment variable {variable!r}, of --token-env, is not set."])
    return os.environ[variable]


def add_stores(parser: ArgumentParser) -> None:
    """Add the argument that `stores_of` reads."""
    parser.add_argument(
        "--store",
        metavar=("PREFIX", "PARAM=VALUE"),
        nargs=2,
        action="append",
        default=[],
        help="a parameter of the stores whose URIs begin with PREFIX, or have it as scheme: s3 endpoint_url=https://…",
    )


def stores_of(given: Sequence[Sequence[str]]) -> dict[str, dict[str, Any]]:
    """Settings of stores, checked.

    Args:
        given: A prefix and ``param=value`` each.

    Raises:
        ArgumentsError: An unknown scheme, or parameters that its store does not have.
    """
    if not given:
        return {}
    from mercury_core.storage.stores import faults_of

    settings: dict[str, dict[str, Any]] = {}
    for prefix, option in given:
        settings.setdefault(prefix, {}).update(parsed([option], "copy", prefix))
    faults = faults_of(settings)
    if faults:
        raise ArgumentsError("copy", str(faults[0].path[0]), [fault.message for fault in faults])
    return settings

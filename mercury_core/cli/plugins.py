"""List the plugins that were found, whether each is in use, and why one was set aside."""

from __future__ import annotations

from mercury_core.cli import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--json", action="store_true", help="print a JSON list")
    parser.add_argument(
        "--strict",
        action="store_true",
        help="fail where a plugin was set aside (also: MERCURY_STRICT=1 in the environment)",
    )


def execute(args: Namespace) -> int:
    """List the plugins."""
    import os

    from mercury_core.cli.aside import prints_aside
    from mercury_core.registry import plugins

    with prints_aside():
        found = plugins()
    if args.json:
        output.write_json(
            [
                {
                    "distribution": plugin.distribution,
                    "version": plugin.version,
                    "entry_point": plugin.entry_point,
                    "status": plugin.status,
                    "reason": plugin.reason,
                    "providers": plugin.providers,
                }
                for plugin in found
            ]
        )
    else:
        from mercury_core.cli.tables import show_table

        rows = [
            (
                plugin.distribution,
                plugin.version,
                plugin.entry_point,
                plugin.status,
                plugin.reason or _count(plugin.providers),
            )
            for plugin in found
        ]
        show_table(("distribution", "version", "entry point", "status", ""), rows)
    if args.strict or os.environ.get("MERCURY_STRICT") == "1":
        from mercury_core.errors import BrokenPluginError

        aside = [
            f"{plugin.distribution}: {plugin.reason}" for plugin in found if plugin.status in ("broken", "incompatible")
        ]
        if aside:
            raise BrokenPluginError(aside)
    return 0


def _count(providers: object) -> str:
    number = len(list(providers))  # type: ignore[call-overload]
    return f"{number} provider{'' if number == 1 else 's'}"

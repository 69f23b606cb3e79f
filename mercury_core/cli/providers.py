"""List the providers that are installed, by verb and key; nothing of them is imported."""

from __future__ import annotations

from mercury_core.cli import output

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

VERBS = ("read", "transform", "fit", "evaluate", "save", "copy", "serve", "execute")


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "verb", metavar="VERB", nargs="?", choices=VERBS, help=f"only those of one verb: {', '.join(VERBS)}"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON list")


def execute(args: Namespace) -> int:
    """List the providers."""
    from mercury_core.cli.aside import prints_aside
    from mercury_core.registry import providers

    with prints_aside():
        found = sorted(
            providers(args.verb), key=lambda provider: (VERBS.index(provider.verb), provider.key, provider.owner)
        )
    if args.json:
        output.write_json(
            [
                {
                    "verb": provider.verb,
                    "key": provider.key,
                    "summary": provider.summary,
                    "distribution": provider.owner,
                    "version": provider.version,
                }
                for provider in found
            ]
        )
        return 0
    from mercury_core.cli.tables import show_table

    rows = [(each.verb, each.key, each.summary, f"{each.owner} {each.version}".strip()) for each in found]
    if rows:
        show_table(("verb", "key", "summary", "from"), rows)
    else:
        output.write(f"No plugin that is installed provides the verb {args.verb!r}.")
    return 0

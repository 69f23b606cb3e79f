"""From words to a command: the command's own module, and with it what it needs, is imported once it was named."""

from __future__ import annotations

import argparse
from importlib import import_module

from mercury_core import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

#: Every command and its line of help. The module of that name (``_`` for ``-``) in this package has
#: ``arguments(parser)``, which adds its arguments, and ``execute(args)``, which gives back the exit code.
COMMANDS = {
    "run": "run a workflow file",
    "check": "find every fault of a workflow file, and do no work",
    "predict": "predict the rows of a source with a saved model",
    "inspect": "show what a saved model takes and gives, and what it was made with",
    "verify": "replay the golden rows of a saved model, here or by a server",
    "serve": "serve a saved model over HTTP",
    "copy": "copy a file or a tree between any two stores, verified",
    "ls": "list what is stored below a URI or a path",
    "oip-check": "check a server against the Open Inference Protocol v2",
    "providers": "list what is installed, by verb and key",
    "plugins": "list the plugins that were found, and why one was set aside",
}


def parse(words: list[str]) -> tuple[Callable[[argparse.Namespace], int], argparse.Namespace]:
    """Find the command and parse its arguments.

    Args:
        words: The words of the command line.

    Returns:
        What executes the command, and its arguments; `debug` is always among them.

    Raises:
        SystemExit: Help or the version was asked for and printed (0), or the words are wrong, which was said (2).
    """
    top = _top()
    args = top.parse_args(words[:1])
    if args.command is None:
        top.print_help()
        raise SystemExit(2)
    if args.command not in COMMANDS:
        from mercury_core.errors import did_you_mean

        top.error(f"there is no command {args.command!r}.{did_you_mean(args.command, COMMANDS)}")
    module = import_module(f"mercury_core.cli.{args.command.replace('-', '_')}")
    parser = argparse.ArgumentParser(
        prog=f"mercury-ml {args.command}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    module.arguments(parser)
    parser.add_argument("--debug", action="store_true", help="show the whole traceback of an error")
    return module.execute, parser.parse_intermixed_args(words[1:])


def _top() -> argparse.ArgumentParser:
    """What ``mercury-ml --help`` shows."""
    width = max(map(len, COMMANDS)) + 2
    top = argparse.ArgumentParser(
        prog="mercury-ml",
        usage="mercury-ml [-h] [--version] COMMAND ...",
        description="Machine-learning workflows from generic parts, with the technologies as plugins.",
        epilog="commands:\n"
        + "\n".join(f"  {name:{width}}{line}" for name, line in COMMANDS.items())
        + "\n\n`mercury-ml COMMAND --help` tells more of one.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    top.add_argument("--version", action="version", version=f"mercury-ml {__version__}", help="show the version")
    top.add_argument("command", nargs="?", metavar="COMMAND", help=argparse.SUPPRESS)
    return top

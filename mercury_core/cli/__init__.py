"""The command ``mercury-ml``: it parses, calls and prints; what it calls is public Python.

Results go to stdout, progress and errors to stderr. Exit codes: 0 it worked; 1 the job failed; 2 the input is wrong;
130 after Ctrl-C. Whoever reads the output may stop reading at any time: that is no failure.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: The arguments without the program's name; those of the process by default.

    Returns:
        The exit code.
    """
    if argv is not None:
        return _command(list(argv))
    # The process is ours. Imports make objects by the hundred thousand, which stay: to look through them for garbage
    # again and again, and once more at the end, is a tenth of a job.
    gc.set_threshold(100_000, 50, 50)
    _hold_standard_descriptors()
    try:
        return _command(sys.argv[1:])
    finally:
        gc.freeze()


def _hold_standard_descriptors() -> None:
    """Open the null device where stdin, stdout or stderr is closed: else a file that is opened later would be in its
    place, and be written to, or closed, by whoever means the stream.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)


def _command(argv: list[str]) -> int:
    from mercury_core.cli import output
    from mercury_core.cli.parser import parse

    try:
        execute, args = parse(argv)
    except SystemExit as done:  # argparse has printed help, or what is wrong with the arguments
        output.flush()
        return done.code if isinstance(done.code, int) else 2
    try:
        return execute(args)
    except BaseException as error:  # noqa: BLE001  nobody is shown a traceback unasked
        output.say(output.sentence(error, debug=args.debug))
        return output.exit_code(error)

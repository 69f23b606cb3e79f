"""What the operating system refused, in our own words: the one place where an `OSError` becomes an error of a store."""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager

from mercury_core.errors import MercuryError, ObjectExistsError, ObjectNotFoundError, StoreAccessError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)
# Not something that a file read beside could have raised: the writing did it.
WRITING = (*_FULL, errno.EFBIG, errno.EROFS)


def refusal(error: OSError, action: str, where: str) -> MercuryError:
    """The error to raise for one of the operating system's, ``from`` it.

    Args:
        error: What was raised.
        action: ``read``, ``write``, ``list`` or ``delete``.
        where: The path or URI that is meant, as the user wrote it.

    Returns:
        ObjectNotFoundError, ObjectExistsError or StoreAccessError; `error` itself where it is ours already.
    """
    if isinstance(error, MercuryError):
        return error
    code = error.errno
    writes = action == "write"
    blocker = _file_above(where) if writes and code in (errno.ENOTDIR, errno.EEXIST, errno.ENOENT) else None
    if blocker:
        dead = not os.path.exists(blocker)  # noqa: PTH110
        what = "a symbolic link that leads nowhere" if dead else "a file, and nothing can be below a file"
        return StoreAccessError(action, where, f"{blocker} is {what}", "Choose another place.")
    if code in (errno.ENOENT, errno.ENOTDIR) and not writes:
        return ObjectNotFoundError(where)
    if code in (errno.EEXIST, errno.ENOTEMPTY) and writes:
        return ObjectExistsError(where)
    why, todo = _reason(code, action, where)
    return StoreAccessError(action, where, why or error.strerror or str(error), todo)


@contextmanager
def refusing(action: str, where: str) -> Iterator[None]:
    """Raise what the operating system refuses in the body as our own error; see `refusal`."""
    try:
        yield
    except OSError as error:
        if isinstance(error, MercuryError):
            raise
        raise refusal(error, action, where) from error


def _reason(code: int | None, action: str, where: str) -> tuple[str, str]:
    if code in _FULL:
        return (
            "the disk is full",
            "Free some space there or choose another disk, then do it again; nothing half-written was left.",
        )
    if code in (errno.EACCES, errno.EPERM):
        right = "read" if action in ("read", "list") else "write"
        return "permission denied", f"Give this user the right to {right} there, or choose another place."
    if code == errno.EROFS:
        return "the file system is read-only", "Choose another place."
    if code == errno.EFBIG:
        return (
            "the file grew larger than this disk or this process may write",
            "Raise the limit (`ulimit -f`), or choose another disk.",
        )
    if code == errno.EISDIR:
        return "it is a directory", "Name a file in it." if action == "write" else "Name a file."
    if code == errno.ENAMETOOLONG:
        return "the name is too long for this disk", "Choose a shorter one."
    if code == errno.ELOOP:
        return "its symbolic links lead in a circle", "Mend the links."
    if code == errno.ENOENT:
        return f"the directory of {where} is not there any more", "Make it, or choose another place."
    return "", ""


def why_not_made(target: Path, into: str = "") -> str:
    """Why nothing can be made at a path of this machine that names nothing yet; nothing where it can be.

    Args:
        target: A path.
        into: What a directory would be for, as `` to copy into``.
    """
    parent = target.parent
    while not os.path.lexists(parent) and parent != parent.parent:
        parent = parent.parent
    if not parent.is_dir():
        return f"{target} cannot be made, since {parent} is no directory{into}."
    if not os.access(parent, os.W_OK | os.X_OK):
        return f"{target} cannot be made, since {parent} may not be written to: choose another path."
    return ""


def _file_above(where: str) -> str | None:
    """The nearest thing above a path that exists, where that is no directory."""
    from mercury_core.storage.uri import local_path

    path = os.path.abspath(local_path(where))  # noqa: PTH100 — without pathlib
    while (parent := os.path.dirname(path)) != path:  # noqa: PTH120
        if os.path.lexists(parent):
            return None if os.path.isdir(parent) else parent  # noqa: PTH112
        path = parent
    return None

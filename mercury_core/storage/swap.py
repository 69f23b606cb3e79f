"""A directory takes another's place, in one step where the system can: a reader finds the old one or the new one."""

from __future__ import annotations

import errno
import os
import sys

from mercury_core.storage.slots import beside, remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_AT_FDCWD = -100
_EXCHANGE = 2
_NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def publish(fresh: Path, target: Path, *, overwrite: bool) -> None:
    """Give the directory `fresh` the name `target`, and remove what had it.

    Whoever calls is `slots.alone` with the target.

    Raises:
        OSError: It cannot be done, or something is there and `overwrite` is False; nothing has changed then.
    """
    if not os.path.lexists(target):
        fresh.rename(target)
    elif not overwrite:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
    elif exchange(fresh, target):
        remove(fresh)  # the old one now
    else:
        aside = beside(target, "old")
        target.rename(aside)
        try:
            fresh.rename(target)
        except BaseException:
            aside.rename(target)
            raise
        remove(aside)


def recover(target: Path) -> None:
    """Put right what a writer left that was killed between its two renames: the old directory gets its name again.

    Whoever calls is `slots.alone` with the target.
    """
    aside = beside(target, "old")
    if not os.path.lexists(aside):
        return
    if os.path.lexists(target):
        remove(aside)
    else:
        aside.rename(target)


def exchange(one: Path, other: Path) -> bool:
    """Exchange the names of two directories in one step; False where the system cannot."""
    if sys.platform != "linux":
        return False
    import ctypes

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except AttributeError:  # a C library from before 2018, or another one
        return False
    if rename(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in _NO_EXCHANGE:
        return False
    raise OSError(code, os.strerror(code), str(other))

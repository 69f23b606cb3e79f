"""A directory takes another's place, in one step where the system can: a reader finds the old one or the new one."""

from __future__ import annotations

import errno
import os
import sys
from time import monotonic, sleep

from mercury_core.storage.slots import PREFIX, hold, remove

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_AT_FDCWD = -100
_EXCHANGE = 2
_MOMENT = 0.005  # seconds
_PATIENCE = 60.0  # seconds
_NO_EXCHANGE = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)


def publish(fresh: Path, target: Path, *, overwrite: bool) -> None:
    """Give the directory `fresh` the name `target`, and remove what had it.

    Raises:
        OSError: It cannot be done, or something is there and `overwrite` is False; nothing has changed then.
    """
    if not overwrite:
        fresh.rename(target)  # refused by the system where a directory with something in it is there
        return
    until = monotonic() + _PATIENCE
    while not _try_publish(fresh, target):
        if monotonic() > until:
            raise OSError(errno.EBUSY, f"other writers have kept it in use for {_PATIENCE:g} seconds")
        sleep(_MOMENT)


def _try_publish(fresh: Path, target: Path) -> bool:
    """Publish, unless another writer is at it just now; whatever that one publishes is then the old one."""
    held = None
    try:
        if not os.path.lexists(target):
            fresh.rename(target)
            return True
        held = hold(target)
        if held is None:
            return False
        old = _replace(fresh, target)
    except OSError as error:
        if held is not None:
            held.close()
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT) and fresh.exists():
            return False
        raise
    try:
        remove(old)
    finally:
        held.close()
    return True


def _replace(fresh: Path, target: Path) -> Path:
    """Give `fresh` the name, and tell where the old one is now."""
    if exchange(fresh, target):
        return fresh
    aside = _aside(target)
    target.rename(aside)
    try:
        fresh.rename(target)
    except BaseException:
        if os.path.lexists(target):
            remove(aside)
        else:
            aside.rename(target)
        raise
    return aside


def recover(target: Path) -> None:
    """Put right what a writer left that was killed between its two renames: the old directory gets its name again."""
    aside = _aside(target)
    if not os.path.lexists(aside):
        return
    try:
        held = hold(aside)
    except FileNotFoundError:
        return  # put right by another writer
    if held is None:
        return  # a writer is at it just now
    try:
        if os.path.lexists(target):
            remove(aside)
        else:
            aside.rename(target)
    except OSError as error:
        # A writer published in the meantime; the next one removes what is aside.
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT):
            raise
    finally:
        held.close()


def _aside(target: Path) -> Path:
    return target.with_name(f"{PREFIX}old-{target.name[-50:]}")


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

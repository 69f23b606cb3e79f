"""Temporary names beside a target, each used by one writer at a time, and taken over when that writer is dead.

A writer holds a lock (``flock``) on the file or directory itself for as long as it uses the name; the system drops the
lock when the process dies. So the next writer to the same target knows a leftover from a file in use, and it looks at a
few names only, never through a directory.
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: every name is a fresh one, and leftovers stay
    fcntl = None  # type: ignore[assignment]

PREFIX = ".mercury-tmp-"
_SLOTS = 8
_LONG = 180  # bytes; 40 characters, a hash and the prefix are at most 220
_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
_OPEN_DIRECTORY = _FLAGS | os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_OPEN_FILE = _FLAGS | os.O_RDWR | os.O_CREAT
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


class Slot:
    """A temporary name in use; `close` when what stood under it is published or removed."""

    def __init__(self, path: Path, lock: int | None) -> None:
        self.path, self._lock = path, lock

    def __del__(self) -> None:
        """Let others have the name too when a Ctrl-C came before anybody could see to that."""
        self.close()

    def close(self) -> None:
        """Let others have the name."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def abandon(self) -> None:
        """Keep the name until the process ends."""
        self._lock = None


def beside(target: Path, mark: str) -> Path:
    """A temporary name, one for each target and mark, with the target's ending and never too long for a disk."""
    name = target.name
    if len(os.fsencode(name)) > _LONG:
        from hashlib import sha256

        name = f"{sha256(os.fsencode(name)).hexdigest()[:16]}-{name[-40:]}"
    return target.with_name(f"{PREFIX}{mark}-{name}")


def take(target: Path, *, directory: bool) -> Slot:
    """A new empty file or directory beside `target`, with its ending, under a temporary name.

    Raises:
        OSError: Nothing can be made there.
    """
    _discard_kept(target)
    for number in range(_SLOTS if fcntl else 0):
        slot = _try(beside(target, str(number)), directory=directory)
        if slot is not None:
            return slot
    path = beside(target, os.urandom(6).hex())
    if directory:
        path.mkdir()
    else:
        os.close(os.open(path, _OPEN_FILE | os.O_EXCL, 0o666))
    return Slot(path, None)


def take_kept(target: Path, *, directory: bool) -> Slot | None:
    """The one name beside `target` whose content outlives its writer, with whatever the last one left.

    Returns:
        None where somebody else is using it, where something of the other kind is there, or where there are no locks.

    Raises:
        OSError: Nothing can be made there.
    """
    path = beside(target, "copy")
    for _ in range(3 if fcntl else 0):
        try:
            if directory:
                path.mkdir(exist_ok=True)
            handle = os.open(path, _OPEN_DIRECTORY if directory else _OPEN_FILE, 0o666)
        except OSError:
            if os.path.lexists(path):
                return None
            raise
        slot = Slot(path, handle)
        if not lock(handle, path):
            slot.close()
            return None
        linked = not directory and os.fstat(handle).st_nlink != 1  # it is the target by now, under both names
        if not linked and is_ours(handle, path):
            return slot
        try:
            journal_of(target).unlink(missing_ok=True)
            remove(path)
        except OSError:
            return None
        finally:
            slot.close()
    return None


def journal_of(target: Path) -> Path:
    """Where whoever has `take_kept` notes what of it is done."""
    return beside(target, "journal")


def _discard_kept(target: Path) -> None:
    """Remove what an interrupted copy left, when its target is written in another way."""
    path = beside(target, "copy")
    if not fcntl or not os.path.lexists(path):
        return
    try:
        handle = os.open(path, _FLAGS | os.O_RDONLY)
        try:
            if lock(handle, path):
                journal_of(target).unlink(missing_ok=True)
                remove(path)
        finally:
            os.close(handle)
    except OSError:
        return  # another user's: it is in nobody's way


def _try(path: Path, *, directory: bool) -> Slot | None:
    """Use a name; None where somebody else does, or where it cannot be had."""
    for _ in range(3):  # once to remove a leftover, once more where another process was as quick
        try:
            if directory:
                path.mkdir(exist_ok=True)
            handle = os.open(path, _OPEN_DIRECTORY if directory else _OPEN_FILE, 0o666)
        except OSError:
            if os.path.lexists(path):
                return None  # another user's, or a link that somebody put there
            raise
        slot = Slot(path, handle)
        if not lock(handle, path):
            slot.close()
            return None
        if _is_fresh(handle, path, directory=directory):
            return slot
        try:
            # Never emptied in place: a file may by now be the target itself, linked under both names.
            remove(path)
        except OSError:
            return None
        finally:
            slot.close()
    return None


@contextmanager
def alone(target: Path) -> Iterator[None]:
    """Wait until nobody else is in such a block for the same target, in any process of this machine."""
    path = beside(target, "lock")
    handle = _lock_of(path)
    try:
        yield
    finally:
        if handle is not None:
            path.unlink(missing_ok=True)  # whoever waits for it finds that out, and makes a new one
            os.close(handle)


def _lock_of(path: Path) -> int | None:
    while fcntl:
        handle = os.open(path, _OPEN_FILE, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(handle), path.lstat()):
                return handle
        except FileNotFoundError:
            pass  # its owner was done and removed it: once more
        except OSError as error:
            os.close(handle)
            if error.errno not in _NO_LOCKS:
                raise
            path.unlink(missing_ok=True)
            return None
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    return None


def lock(handle: int, path: Path) -> bool | None:
    """Lock an open file, and make sure that it still is the one under its name.

    Returns:
        True if so; False where somebody else has it, or has removed it; None where there are no locks.
    """
    if not fcntl:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.path.samestat(os.fstat(handle), path.lstat())
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return None
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise


def is_ours(handle: int, path: Path) -> bool:
    """Whether something is of this user, or of the one who may do anything in its directory.

    What another one made, that one could alter later. (Where a disk knows no owners, all is of one.)
    """
    owner = os.fstat(handle).st_uid
    return not fcntl or owner in (os.geteuid(), path.parent.stat().st_uid)


def _is_fresh(handle: int, path: Path, *, directory: bool) -> bool:
    if not is_ours(handle, path):
        return False
    if directory:
        with os.scandir(path) as entries:
            return next(entries, None) is None
    found = os.fstat(handle)
    return found.st_size == 0 and found.st_nlink == 1


def remove(path: Path) -> None:
    """Remove a file, a link, or a directory with all that is in it; nothing happens where there is nothing."""
    if path.is_dir() and not path.is_symlink():
        from shutil import rmtree

        rmtree(path)
    else:
        path.unlink(missing_ok=True)

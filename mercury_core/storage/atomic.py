"""Files and directories that appear whole or not at all.

What is written stands beside its target first, under a name that `is_temporary` knows, and gets the target's name when
it is complete and on the disk. Whatever happens in between — an error, Ctrl-C, SIGKILL, a full disk — the target is the
old one or the new one. A process that was killed leaves its temporary file behind; the next write to the same target
removes it (see `mercury_core.storage.slots`).
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from pathlib import Path

from mercury_core.errors import ObjectExistsError, StoreAccessError
from mercury_core.storage import slots, swap
from mercury_core.storage.refusals import WRITING, refusal
from mercury_core.storage.uri import local_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mercury_core.storage.journal import Journal

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)
# Some file systems cannot bring a directory to the disk by itself, and some directories may be written but not opened.
_NO_SYNC = (errno.EINVAL, errno.EBADF, errno.EACCES, errno.ENOTSUP, errno.EISDIR)


def is_temporary(name: str) -> bool:
    """Whether a file name is one of those that are used while something is written.

    Examples:
        >>> is_temporary(".mercury-tmp-0-model.bin"), is_temporary("model.bin")
        (True, False)
    """
    return name.startswith(slots.PREFIX)


@contextmanager
def atomic_file(
    path: str | os.PathLike[str], overwrite: bool = True, *, journal: Journal | None = None
) -> Iterator[Path]:
    """Write a file, whole or not at all.

    Directories above it are made. A symbolic link is followed: what it points to is replaced. The permissions are those
    of any new file (by the umask). On a file system without hard links, a file that must not exist yet is seen empty
    for an instant.

    Args:
        path: The file, a path or a ``file:`` URI.
        overwrite: Whether an existing file is replaced. Where it is not, that holds under a race as well.
        journal: What is done of it; then the body may find what an earlier one wrote, and what it wrote may be kept
            when it fails.

    Yields:
        An empty file beside it, to be written in the body: it has the ending of `path`, and becomes `path` when the
        body ends.

    Raises:
        ObjectExistsError: Something is there, and `overwrite` is False.
        StoreAccessError: No permission, no space; a directory is there, or a device or a pipe.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as here:
        ...     with atomic_file(f"{here}/a.txt") as beside:
        ...         _ = beside.write_text("whole")
        ...     Path(f"{here}/a.txt").read_text()
        'whole'
    """
    shown, target = os.fspath(path), Path(os.path.realpath(local_path(path)))
    try:
        _check_target(target, shown, overwrite)
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        slot = (journal or slots).take(target, directory=False)
    except OSError as error:
        raise refusal(error, "write", shown) from error
    try:
        with _writing(slot.path, shown):
            yield slot.path
        with _publishing(shown):
            _sync(slot.path)
            _publish_file(slot.path, target, overwrite)
    except BaseException as error:
        if not _keeps(journal, error):
            slot.path.unlink(missing_ok=True)
        raise
    else:
        _keeps(journal)
    finally:
        slot.close()
    with _publishing(shown):
        _sync(target.parent)


@contextmanager
def atomic_directory(
    path: str | os.PathLike[str], overwrite: bool = False, *, journal: Journal | None = None
) -> Iterator[Path]:
    """Write a directory with all that is in it, whole or not at all.

    Directories above it are made. A symbolic link is followed. An old directory is exchanged with the new one in one
    step where the system can do that (Linux, on its own file systems); elsewhere it is put aside first, and comes back
    with the next write if the process is killed just then.

    Args:
        path: The directory, a path or a ``file:`` URI.
        overwrite: Whether what is there is replaced, with all that is in it.
        journal: What is done of it; then the body may find what an earlier one wrote, what it wrote may be kept when it
            fails, and it brings its files to the disk itself.

    Yields:
        An empty directory beside it, to be filled in the body: it becomes `path` when the body ends.

    Raises:
        ObjectExistsError: Something is there, and `overwrite` is False.
        StoreAccessError: No permission, no space; or it would replace the working or home directory.
    """
    shown, target = os.fspath(path), Path(os.path.realpath(local_path(path)))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with slots.alone(target):
            swap.recover(target)
            _check_target(target, shown, overwrite)
            if target.is_dir():
                _refuse_precious(target, shown)
            slot = (journal or slots).take(target, directory=True)
    except OSError as error:
        raise refusal(error, "write", shown) from error
    try:
        with _writing(slot.path, shown):
            yield slot.path
        with _publishing(shown):
            _sync_tree(slot.path, files=journal is None)
            with slots.alone(target):
                swap.publish(slot.path, target, overwrite=overwrite)
    except BaseException as error:
        if not _keeps(journal, error):
            slots.remove(slot.path)
        raise
    else:
        _keeps(journal)
    finally:
        slot.close()
    with _publishing(shown):
        _sync(target.parent)


def sha256_of(path: str | os.PathLike[str]) -> str:
    """The SHA-256 of a file's content, in hexadecimal.

    Args:
        path: The file, a path or a ``file:`` URI.

    Raises:
        ObjectNotFoundError: Nothing is there.
        StoreAccessError: It cannot be read.
    """
    import hashlib

    try:
        with open(local_path(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise refusal(error, "read", os.fspath(path)) from error


@contextmanager
def _writing(beside: Path, shown: str) -> Iterator[None]:
    """Translate what the system says about the file that is written, and nothing else that the body may raise."""
    try:
        yield
    except OSError as error:
        ours = isinstance(error.filename, (str, os.PathLike)) and Path(error.filename).is_relative_to(beside)
        if error.errno not in WRITING and not ours:
            raise
        raise refusal(error, "write", shown) from error


@contextmanager
def _publishing(shown: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise refusal(error, "write", shown) from error


def _keeps(journal: Journal | None, error: BaseException | None = None) -> bool:
    """Close a journal; whether what is written under it stays after an error."""
    keep = journal is not None and error is not None and journal.keeps(error)
    if journal is not None:
        journal.close(keep=keep)
    return keep


def _check_target(target: Path, shown: str, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(target):
        raise ObjectExistsError(shown)
    if target.exists() and not target.is_file() and not target.is_dir():
        # Replacing /dev/null with a file would harm the whole system, and who reads from a pipe would wait for ever.
        todo = "Name a file, or a place where nothing is."
        raise StoreAccessError("write", shown, "it is a device, a pipe or a socket, which is not replaced", todo)
    target.parent.mkdir(parents=True, exist_ok=True)


def _refuse_precious(target: Path, shown: str) -> None:
    """A slip in a path must not cost a home directory."""
    for what, place in (("the working directory", Path.cwd()), ("the home directory", Path("~").expanduser())):
        if place.resolve().is_relative_to(target):
            raise StoreAccessError("write", shown, f"it would replace {what}, or one above it", "Choose another place.")


def _publish_file(beside: Path, target: Path, overwrite: bool) -> None:
    if overwrite:
        beside.replace(target)
    elif os.name == "nt":
        beside.rename(target)  # refuses what exists, other than elsewhere
    else:
        try:
            os.link(beside, target)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _claim_and_publish(beside, target)
        else:
            beside.unlink()


def _claim_and_publish(beside: Path, target: Path) -> None:
    """Take the name first, with an empty file, since only that is refused where one exists."""
    os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    try:
        beside.replace(target)
    except BaseException:
        target.unlink()
        raise


def _sync_tree(directory: Path, *, files: bool) -> None:
    for place, _, names in os.walk(directory):
        for name in names if files else ():
            if not os.path.islink(path := os.path.join(place, name)):  # noqa: PTH114, PTH118 — many files, made fast
                _sync(Path(path))
        _sync(Path(place))


def _sync(path: Path) -> None:
    """Bring a file, or the names in a directory, to the disk."""
    if os.name == "nt" and path.is_dir():
        return
    try:
        handle = os.open(path, os.O_RDWR if os.name == "nt" else os.O_RDONLY)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise
        return
    try:
        sync(handle)
    finally:
        os.close(handle)


def sync(handle: int) -> None:
    """Bring an open file to the disk, where its file system can do that."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise

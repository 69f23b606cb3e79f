"""Copy a file or a tree between any two stores: verified, and on a disk visible only when it is whole."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from time import perf_counter

from mercury_core import registry
from mercury_core.errors import ArgumentsError, StoreAccessError, UriError
from mercury_core.storage.plan import Plan, plan
from mercury_core.storage.sending import Sender
from mercury_core.storage.uri import is_remote, join, local_path, name_of, scheme_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Literal

    from mercury_core.storage.uri import Uri

    Overwrite = Literal["error", "skip", "replace"]

_OVERWRITE = ("error", "skip", "replace")


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a copy did.

    Attributes:
        source: Where it came from.
        target: Where the result is: with a target that ends in ``/``, the name in it.
        files: Files that were copied and verified.
        bytes: Their sizes together.
        skipped: Files that were there already and were left as they are.
        seconds: How long it took.
        checksums: The SHA-256 of each copied file, in hexadecimal, by its name below `target`; that of a single file by
            its own name.
    """

    source: str
    target: str
    files: int
    bytes: int
    skipped: int
    seconds: float
    checksums: Mapping[str, str] = field(repr=False)


def copy(
    source: Uri,
    target: Uri,
    *,
    overwrite: Overwrite | str = "error",
    move: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> CopyReport:
    """Copy a file or a tree.

    The target *is* the result, whether or not it exists; one that ends in ``/`` means *into*, under the name of the
    source. Each file is hashed as it is read and again as written. On a disk nothing is seen of a file, or of a tree
    whose target does not exist or is replaced, before all of it is there and verified. Symbolic links are followed: the
    copy has what they lead to. Empty files and, where both stores have directories, empty directories are copied;
    permissions are those of new files.

    Args:
        source: A path or a URI.
        target: A path or a URI; its directories are made.
        overwrite: What to do where something is: ``error`` before anything is copied; ``skip`` leaves each file that
            exists as it is, and copies the others; ``replace`` makes the target what the source is, so that files of an
            old tree that the source lacks are gone.
        move: Delete from the source what was copied, once everything is verified. What is skipped, and what came to the
            source in the meantime, stays.
        progress: Called with the files that are wholly there and the bytes that are there, after each block.

    Returns:
        What was done.

    Raises:
        ObjectNotFoundError: There is no such source.
        ObjectExistsError: Something is at the target, and `overwrite` is ``error``.
        StoreAccessError: No permission, no space, links in a circle; or a name that the target cannot hold.
        VerificationError: What arrived is not what was sent.
        UriError: The target is in the source, or the other way round; or there is no name to copy under.

    Examples:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as here:
        ...     _ = Path(f"{here}/m.bin").write_bytes(b"model")
        ...     report = copy(f"{here}/m.bin", f"{here}/store/")
        ...     report.files, report.bytes, Path(report.target).name, Path(report.target).read_bytes()
        (1, 5, 'm.bin', b'model')
    """
    started = perf_counter()
    source, target = os.fspath(source), resolve_target(source, target)
    if overwrite not in _OVERWRITE:
        fault = f"'overwrite' is {overwrite!r}: expected 'error', 'skip' or 'replace'."
        raise ArgumentsError("copy", scheme_of(target), [fault])
    _check_apart(source, target)
    from_store, to_store = _store(source), _store(target)
    planned = plan(from_store, source)
    if move:
        _check_movable(planned)
    sender = Sender(from_store, to_store, target, told=_teller(source, target, progress))
    if planned.is_tree:
        sender.send_tree(planned, overwrite)
    else:
        sender.send_file(planned.files[0], overwrite)
    if move:
        _delete(planned, from_store, sender.checksums)
    return CopyReport(
        source, target, sender.files, sender.size, sender.skipped, perf_counter() - started, dict(sender.checksums)
    )


def resolve_target(source: Uri, target: Uri) -> str:
    """Where a copy goes: the target, or where that ends in ``/`` the name of the source in it.

    Raises:
        UriError: The target means *into*, and the source has no name.

    Examples:
        >>> resolve_target("models/m", "s3://bucket/m"), resolve_target("models/m", "s3://bucket/models/")
        ('s3://bucket/m', 's3://bucket/models/m')
    """
    text = os.fspath(target)
    if not text.endswith("/"):
        return text
    name = name_of(source)
    if not name:
        todo = f"Name the result in full: {join(text, 'NAME')}."
        raise UriError(text, f"{os.fspath(source)} has no name under which it could be in there", todo)
    return join(text, name)


def _store(uri: str) -> Any:
    return registry.resolve("copy", scheme_of(uri))()


def _check_apart(source: str, target: str) -> None:
    if scheme_of(source) != scheme_of(target):
        return
    one, other = (uri.rstrip("/") if is_remote(uri) else os.path.realpath(local_path(uri)) for uri in (source, target))
    if one == other:
        raise UriError(target, "it is the source itself", "Choose another target.")
    if join(other, "").startswith(join(one, "")):
        raise UriError(target, f"it is inside the source {source}", "Choose a target outside of it.")
    if join(one, "").startswith(join(other, "")):
        raise UriError(target, f"the source {source} is inside of it", "Choose another target.")


def _check_movable(planned: Plan) -> None:
    for directory in planned.directories:
        if not is_remote(directory) and os.path.islink(local_path(directory).rstrip("/")):  # noqa: PTH114
            why = "it is a symbolic link to a directory, whose files would be deleted where they really are"
            raise StoreAccessError("move", directory, why, "Copy it, or move what the link leads to.")


def _teller(source: str, target: str, progress: Callable[[int, int], None] | None) -> Callable[[int, int, bool], None]:
    def tell(files: int, size: int, file_done: bool) -> None:
        if progress is not None:
            progress(files, size)
        if file_done:
            registry.lifecycle("mercury_copy_progress", source=source, target=target, files=files, size=size)

    return tell


def _delete(planned: Plan, store: Any, copied: Mapping[str, str]) -> None:
    """Delete what was copied, after a look at all of it: what changed in the meantime is in no copy."""
    moved = [item for item in planned.files if item.name in copied]
    for item in moved:
        now = store.stat(item.info.uri)
        if (now.size, now.modified) != (item.info.size, item.info.modified):
            todo = "Its earlier content is at the target, and nothing was deleted; move it again."
            raise StoreAccessError("move", item.info.uri, "it changed while it was copied", todo)
    for item in moved:
        store.delete(item.info.uri)
    for directory in reversed(planned.directories):
        store.remove_directory(directory)

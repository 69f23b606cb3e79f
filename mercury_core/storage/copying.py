"""Copy a file or a tree between any two stores: verified, and on a disk visible only when it is whole."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from time import perf_counter

from mercury_core.contracts import ConcurrentStore, DirectoryStore
from mercury_core.errors import ArgumentsError, StoreAccessError, UriError
from mercury_core.storage import records
from mercury_core.storage.plan import identity_of, look, namer
from mercury_core.storage.pool import Pool
from mercury_core.storage.sending import DiskSender, StoreSender, absolute, remove
from mercury_core.storage.stores import Stores
from mercury_core.storage.uri import is_remote, join, local_path, name_of, scheme_of
from mercury_core.storage.watch import CopyProgress as CopyProgress, Watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Literal

    from mercury_core.contracts import Store
    from mercury_core.storage.plan import Source
    from mercury_core.storage.sending import Sender
    from mercury_core.storage.uri import Uri

    Overwrite = Literal["error", "skip", "replace"]

_OVERWRITE = ("error", "skip", "replace")
_REQUESTS = 8  # at a time, where a store does not say
_DISK_THREADS = 4  # between two disks


@dataclass(frozen=True, slots=True)
class CopyReport:
    """What a copy did.

    Attributes:
        source: Where it came from.
        target: Where the result is: with a target that ends in ``/``, the name in it.
        files: Files that were copied and verified.
        bytes: Their sizes together.
        skipped: Files that were there already and were left as they are.
        resumed: Files, among `files`, of which an earlier copy that was interrupted had brought something.
        seconds: How long it took.
        checksums: That of each copied file, as ``crc32c:`` and eight hexadecimal digits, by its name below `target`;
            that of a single file by its own name. What a service copied within itself has the checksum that the service
            tells of it, or is not among them.
    """

    source: str
    target: str
    files: int
    bytes: int
    skipped: int
    resumed: int
    seconds: float
    checksums: Mapping[str, str] = field(repr=False)


def copy(
    source: Uri,
    target: Uri,
    *,
    overwrite: Overwrite | str = "error",
    move: bool = False,
    progress: Callable[[CopyProgress], None] | None = None,
    stores: Mapping[str, Mapping[str, Any]] | Stores | None = None,
) -> CopyReport:
    """Copy a file or a tree.

    The target *is* the result, whether or not it exists; one that ends in ``/`` means *into*, under the name of the
    source. Files are sent beside each other, large ones in parts or ranges beside each other as well, with at most
    64 MiB of buffers (or two parts of an object, where the store needs larger ones). Each file is verified from end to
    end: what was read has the size and the checksum that the source knows, what was written is compared by a checksum
    that the target tells, or else read again. On a disk nothing is seen of a file, or of a tree whose target does not
    exist or is replaced, before all of it is there and verified. Within one store that can do it, the service copies,
    and checksums that it tells of both are compared; where it tells none, sizes are, of the version that was listed.

    A copy that was interrupted is gone on with by the next one of the same source to the same target: what had arrived
    is proven, and not sent again. On a disk it waits beside the target under a temporary name; of other stores a record
    in the user's cache directory tells, which the user alone can read, and from which the unfinished uploads are
    removed after a week.

    Symbolic links are followed: the copy has what they lead to. Empty files are copied; empty directories where both
    stores have directories. An object store keeps no empty directory; but an empty object whose name ends in ``/``,
    with which many tools mark one, becomes a directory on a disk. Permissions are those of new files.

    Args:
        source: A path or a URI.
        target: A path or a URI; its directories are made.
        overwrite: What to do where something is: ``error`` before anything is copied; ``skip`` leaves each file that
            exists as it is, and copies the others; ``replace`` makes the target what the source is, so that files of an
            old tree that the source lacks are gone.
        move: Delete from the source what was copied, once everything is verified. What is skipped, and what came to the
            source in the meantime, stays.
        progress: Called with a `CopyProgress` after each block; never from two threads at once.
        stores: Parameters of stores, by scheme or beginning of URIs; see `Stores`, one of which may be given too.

    Returns:
        What was done.

    Raises:
        ObjectNotFoundError: There is no such source.
        ObjectExistsError: Something is at the target, and `overwrite` is ``error``.
        StoreAccessError: No permission, no space, links in a circle; or a name that the target cannot hold.
        VerificationError: What arrived is not what was sent.
        ObjectChangedError: A file of the source was written to while it was read.
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
    stores = stores if isinstance(stores, Stores) else Stores(stores)
    from_store, to_store = stores.of(source), stores.of(target)
    found = look(from_store, source)
    if move:
        _check_movable(found)
    watch, pool = Watch(source, target, progress), Pool(_threads(source, from_store, target, to_store))
    kind = StoreSender if is_remote(target) else DiskSender
    sender = kind(found, stores, target, overwrite, pool, watch, move=move)
    sender.send()
    if move:
        _delete(found, from_store, sender)
    checksums = {
        name: crc if isinstance(crc, str) else f"crc32c:{crc:08x}" for name, crc in watch.crcs.items() if crc != ""
    }
    return CopyReport(
        source, target, watch.files, watch.bytes, watch.skipped, watch.resumed, perf_counter() - started, checksums
    )


def is_unfinished(source: Uri, target: Uri) -> bool:
    """Whether a copy of the same source to the same store was interrupted, so that `copy` would go on with it."""
    resolved = resolve_target(source, target)
    return is_remote(resolved) and records.is_kept(absolute(os.fspath(source)), resolved)


def resolve_target(source: Uri, target: Uri) -> str:
    """Where a copy goes: the target, or where that ends in ``/`` the name of the source in it.

    Raises:
        UriError: The target means *into*, and the source has no name.

    Examples:
        >>> resolve_target("models/m", "s3://bucket/m"), resolve_target("models/m", "s3://bucket/models/")
        ('s3://bucket/m', 's3://bucket/models/m')
    """
    text = os.fspath(target)
    if not text.endswith("/") or text.endswith("://"):  # without a bucket, the name would become one
        return text
    name = name_of(source)
    if not name or (name in (".", "..") and not is_remote(text)):
        todo = f"Name the result in full: {join(text, 'NAME')}."
        raise UriError(text, f"{os.fspath(source)} has no name under which it could be in there", todo)
    return join(text, name)


def _check_apart(source: str, target: str) -> None:
    if scheme_of(source) != scheme_of(target):
        return
    one, other = (
        f"{scheme_of(uri)}:{uri.partition(':')[2].rstrip('/')}" if is_remote(uri) else os.path.realpath(local_path(uri))
        for uri in (source, target)
    )
    if one == other:
        raise UriError(target, "it is the source itself", "Choose another target.")
    if join(other, "").startswith(join(one, "")):
        raise UriError(target, f"it is inside the source {source}", "Choose a target outside of it.")
    if join(one, "").startswith(join(other, "")):
        raise UriError(target, f"the source {source} is inside of it", "Choose another target.")


def _check_movable(found: Source) -> None:
    for directory in found.directories:
        if not is_remote(directory) and os.path.islink(local_path(directory).rstrip("/")):  # noqa: PTH114
            why = "it is a symbolic link to a directory, whose files would be deleted where they really are"
            raise StoreAccessError("move", directory, why, "Copy it, or move what the link leads to.")


def _threads(source: str, from_store: Store, target: str, to_store: Store) -> int:
    """How many requests at a time suit both stores; a disk takes as many as the other one wants."""
    wanted = [
        store.concurrency if isinstance(store, ConcurrentStore) else _REQUESTS
        for uri, store in ((source, from_store), (target, to_store))
        if is_remote(uri)
    ]
    return max(min(wanted, default=min(_DISK_THREADS, os.cpu_count() or 1)), 1)


def _delete(source: Source, store: Store, sender: Sender) -> None:
    """Delete what was copied, after a look at all of it: what changed in the meantime is in no copy."""
    moved = dict(sender.moved())
    single, named = source.single, namer(source.uri)
    uris = []
    for info in [store.stat(single.info.uri)] if single else store.list(source.uri):
        name = single.name if single else named(info.uri)
        if moved.get(name) == (identity_of(info) or str(info.size)):
            uris.append(info.uri)
            del moved[name]
    for name in moved:
        uri = single.info.uri if single else join(source.uri, name)
        todo = "Its earlier content is at the target, and nothing was deleted; move it again."
        raise StoreAccessError("move", uri, "it changed while it was copied", todo)
    remove(store, uris)
    if isinstance(store, DirectoryStore):
        for directory in reversed(source.directories):
            store.remove_directory(directory)

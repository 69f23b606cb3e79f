"""Bundles of other places, kept on this machine.

An entry is named by the SHA-256 of its ``mercury.json``, which holds the hashes of all other files. That file is read
from its store on each use, so a bundle that was replaced there is noticed; and an entry is proven on each use as any
bundle is, so one that was damaged is fetched again.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING, Any

from mercury_core.bundle import manifest as manifests
from mercury_core.discovery import cache_directory
from mercury_core.errors import BundleError, CorruptBundleError, ObjectChangedError, ObjectNotFoundError
from mercury_core.storage import Stores, copy
from mercury_core.storage.plan import namer
from mercury_core.storage.standing_in import standing_in
from mercury_core.storage.uri import join

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mercury_core.bundle.manifest import Manifest

#: What the entries may hold together, in bytes; above that the ones that were not used for longest go.
MOST_BYTES = 10 << 30
#: In seconds. An entry that was used so lately may be in use now.
IN_USE = 3600
# What a process began to fetch and never finished, in seconds.
_ABANDONED = 24 * 3600
_BEGUN = ".fetch-"
# A bundle that is replaced while it is fetched is fetched again.
_ATTEMPTS = 3


@contextmanager
def local_copy(uri: str, stores: Mapping[str, Mapping[str, Any]] | Stores | None) -> Iterator[tuple[Path, Manifest]]:
    """A bundle of another place, on this disk while the block lasts, and proven.

    Where the cache cannot be written, it lies in a temporary directory.

    Args:
        uri: Where it is stored.
        stores: See `mercury_core.storage.Stores`.

    Raises:
        ObjectNotFoundError: Nothing is there.
        BundleFormatError: It is no bundle.
        CorruptBundleError: Its files are not those that were saved.
        StoreAccessError: The store cannot be reached, or it refuses; or the disk is full.
    """
    uri = uri.rstrip("/")
    stores = stores if isinstance(stores, Stores) else Stores(stores)
    root = Path(cache_directory()) / "models"
    content = manifest_at(uri, stores)
    entry = root / _key(content)
    known = _proven(entry)
    if known is not None:
        yield entry, known
        return
    with _room(root) as room:
        fetched, found = _fetched(uri, stores, content, room / "bundle")
        if room.parent == root:
            entry = root / _key((fetched / manifests.NAME).read_bytes())
            fetched = _published(fetched, entry)
            _tidy(root, keep=entry)
        yield fetched, found


def _key(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def manifest_at(uri: str, stores: Stores) -> bytes:
    """The content of ``mercury.json`` of a bundle, which alone is fetched.

    Raises:
        ObjectNotFoundError: Nothing is there.
        BundleFormatError: Something else is.
        StoreAccessError: The store cannot be reached, or it refuses.
    """
    store = stores.of(uri)
    try:
        with store.open(join(uri, manifests.NAME)) as file:
            return file.read()
    except ObjectNotFoundError as error:
        if next(iter(store.list(uri)), None) is None:
            raise ObjectNotFoundError(uri) from error
        raise manifests.missing(uri) from error


def _proven(entry: Path) -> Manifest | None:
    """What an entry says of itself, if it is there and true; one that is not is removed."""
    try:
        if _key((entry / manifests.NAME).read_bytes()) == entry.name:
            found = manifests.read(entry)
            os.utime(entry)
            return found
    except (FileNotFoundError, NotADirectoryError):
        if not entry.exists():
            return None
    except (BundleError, OSError):
        pass  # whatever it is, it is fetched again
    _remove(entry)
    return None


def _remove(entry: Path) -> None:
    """Take an entry out of sight at once, then remove it."""
    aside = entry.with_name(f"{_BEGUN}{os.urandom(8).hex()}")
    try:
        entry.rename(aside)
    except OSError:
        return  # another process did
    if aside.is_dir():
        rmtree(aside, ignore_errors=True)
    else:
        aside.unlink(missing_ok=True)


@contextmanager
def _room(root: Path) -> Iterator[Path]:
    """A directory of one's own: beside the entries, or where the system has its temporary ones."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        room = tempfile.TemporaryDirectory(prefix=_BEGUN, dir=root, ignore_cleanup_errors=True)
    except OSError:
        room = tempfile.TemporaryDirectory(prefix="mercury-")
    with room as path:
        yield Path(path)


def _fetched(uri: str, stores: Stores, content: bytes, target: Path) -> tuple[Path, Manifest]:
    for left in reversed(range(_ATTEMPTS)):
        try:
            _compare(uri, stores, manifests.decoded(content, uri))
            with standing_in(target, uri):
                copy(uri, target, overwrite="replace", stores=stores)
                return target, manifests.read(target)
        except (BundleError, ObjectChangedError, ObjectNotFoundError):
            before, content = content, manifest_at(uri, stores)
            if not left or before == content:
                raise
    raise AssertionError("unreachable")


def _compare(uri: str, stores: Stores, manifest: Manifest) -> None:
    """Refuse names and sizes that are not those of the manifest, before anything of it is fetched."""
    named = namer(uri)
    sizes = {named(info.uri): info.size for info in stores.of(uri).list(uri)}
    # An empty object whose name ends in a slash is how many tools mark a directory.
    there = {name: size for name, size in sizes.items() if name and not name.endswith("/") and name != manifests.NAME}
    faults = list(manifests.differences(manifest, there))
    if faults:
        raise CorruptBundleError(uri, faults)


def _published(fetched: Path, entry: Path) -> Path:
    """Make what was fetched the entry; where another process was faster, it is the same."""
    try:
        fetched.rename(entry)
    except OSError:
        return fetched
    return entry


def _tidy(root: Path, keep: Path) -> None:
    """Remove what was abandoned, and entries above `MOST_BYTES`."""
    now = time.time()
    entries = []
    for path in root.iterdir():
        try:
            used = path.stat().st_mtime
            if path.name.startswith(_BEGUN):
                if now - used > _ABANDONED:
                    rmtree(path, ignore_errors=True)
            else:
                entries.append((used, path, sum(one.stat().st_size for one in path.rglob("*") if one.is_file())))
        except FileNotFoundError:  # another process tidies as well
            continue
    total = sum(size for _, _, size in entries)
    for used, path, size in sorted(entries):
        if total <= MOST_BYTES:
            break
        if path != keep and now - used > IN_USE:
            _remove(path)
            total -= size

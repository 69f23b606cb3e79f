"""Images in a store: a verified copy of them on the local disk, for as long as the process lives."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mercury_core.errors import ObjectNotFoundError
from mercury_core.storage.stores import Stores
from mercury_core.storage.uri import join, name_of, scheme_of

if TYPE_CHECKING:
    from mercury_core.contracts import Store

# The directories, which are removed when the process ends, by what was copied: two parts of one source are one copy.
_COPIES: dict[Any, tempfile.TemporaryDirectory[str]] = {}


def local_copy(uri: str, store: Store) -> Path:
    """Copy an object or a tree, unless this process has a copy of that very content.

    Args:
        uri: What.
        store: Which it lies in, or one of the same scheme.

    Returns:
        Where the copy is.

    Raises:
        ObjectNotFoundError: Nothing is there.
        StoreAccessError: The store refused, or the disk is full.
        VerificationError: What arrived is not what was sent.
    """
    from mercury_core.storage import copy

    stores = _Stores(uri, store)
    uri = uri.rstrip("/")
    content = _content(uri, stores.of(uri))
    kept = _COPIES.get((uri, content)) if content else None
    if kept is None:
        kept = tempfile.TemporaryDirectory(prefix="mercury-images-")
        copy(uri, join(kept.name, "copy", name_of(uri)), stores=stores)
        _COPIES[uri, content or object()] = kept
    return Path(kept.name, "copy", name_of(uri))


class _Stores(Stores):
    """One store for its scheme, which knows how to sign; for others, what they are by default."""

    def __init__(self, uri: str, store: Store) -> None:
        super().__init__()
        self._scheme, self._store = scheme_of(uri), store

    def of(self, uri: Any) -> Store:
        return self._store if scheme_of(uri) == self._scheme else super().of(uri)


def _content(uri: str, store: Store) -> Any:
    """What changes whenever the content does, as far as the store tells; None where it does not."""
    try:
        listed = [store.stat(uri)]
    except ObjectNotFoundError:
        listed = []
    listed = listed or list(store.list(uri))
    if not listed:
        raise ObjectNotFoundError(uri)
    if any(one.version is None and one.modified is None for one in listed):
        return None
    return tuple((one.uri, one.size, one.version, one.modified) for one in listed)

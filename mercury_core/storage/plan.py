"""What there is to copy: a source is looked at as it is copied, so that a long list of names is never held."""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import chain

from mercury_core.contracts import DirectoryStore, ObjectInfo
from mercury_core.errors import ObjectNotFoundError, StoreAccessError
from mercury_core.storage.slots import PREFIX
from mercury_core.storage.uri import is_remote, join, name_of, relative_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

    from mercury_core.contracts import Store

_RENAME = "Rename it there, or copy the other names one by one."


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a source: its name below the source, or of a single file its own, and what the store says of it."""

    name: str
    info: ObjectInfo

    @property
    def is_mark(self) -> bool:
        """Whether it stands for an empty directory, as many tools keep one where there are none."""
        return self.name.endswith("/") and not self.info.size


@dataclass(frozen=True, slots=True)
class Source:
    """A source.

    Attributes:
        uri: Where it is.
        single: The file, where it is one; None of a directory, or a prefix of names.
        directories: The URIs of the source, where it is a directory, and of all directories below it.
        listing: What is in it, in the order of names; to be gone through once.
    """

    uri: str
    single: Item | None
    directories: Sequence[str] = ()
    listing: Iterable[ObjectInfo] = ()

    def folders(self) -> Iterator[str]:
        """The names of the directories below it, each before what is in it, as far as the store has such things."""
        return (relative_name(uri, self.uri) for uri in self.directories[1:])

    def items(self) -> Iterator[Item]:
        """What is in it, in the order of names."""
        named, itself = namer(self.uri), join(self.uri, "")
        return (Item(named(info.uri), info) for info in self.listing if info.uri != itself or info.size)


def look(store: Store, uri: str) -> Source:
    """Look at a source.

    Raises:
        ObjectNotFoundError: Nothing is there.
    """
    if not uri.endswith("/") and not is_root(uri):
        try:
            return Source(uri, Item(name_of(uri), store.stat(uri)))
        except ObjectNotFoundError:
            pass  # a directory, a prefix of names, or nothing: the list tells
    directories = list(store.directories(uri)) if isinstance(store, DirectoryStore) else []
    listing = iter(store.list(uri))
    first = next(listing, None)
    if first is None:
        if not directories:
            raise ObjectNotFoundError(uri)
        return Source(uri, None, directories)
    return Source(uri, None, directories, chain([first], listing))


def is_root(uri: str) -> bool:
    """Whether it names a whole bucket: something that holds objects and is none."""
    return is_remote(uri) and not name_of(uri)


def namer(base: str) -> Callable[[str], str]:
    """What gives the name below `base` of each URI that a store lists there; none for a mark of `base` itself."""
    start = join(base, "")
    if not is_remote(base):
        return lambda uri: relative_name(uri, base)
    return lambda uri: uri[len(start) :] if uri.startswith(start) else relative_name(uri, base)


def identity_of(info: ObjectInfo) -> str | None:
    """What is another text when an object changed; None where the store tells nothing of the kind."""
    told = info.version
    if told is None and info.certain and info.checksums:  # times may be coarse
        told = " ".join(f"{name}:{value}" for name, value in sorted(info.checksums.items()))
    if told is None and info.modified is None:
        return None
    return f"{info.size} {told} {info.modified}"


class Names:
    """The names that come to a disk: that it can hold them, and that none leads out of the target."""

    def __init__(self, target: str) -> None:
        """Check names that come below `target`."""
        self._target = target
        self._needed: dict[str, str] = {}

    def check(self, name: str, *, folder: bool = False) -> Sequence[str]:
        """The directories that a name needs and no name before it did, the upper ones first.

        Args:
            name: That of a file.
            folder: Whether it is that of a directory, which is needed too.

        Raises:
            StoreAccessError: No file can have the name.
        """
        above, slash, last = (name, "/", "x") if folder else name.rpartition("/")
        # The parts above were checked with the first name that needed them.
        parts = [last, *(above.split("/") if slash and above not in self._needed else ())]
        if any(part in ("", ".", "..") for part in parts) or "\0" in name or not _on_this_system(name):
            why = f"the source holds the name {name!r}, which no file can have"
            raise StoreAccessError("write", self._target, why, _RENAME)
        if any(part.startswith(PREFIX) for part in parts):
            why = f"the source holds the name {name!r}, which is kept for what is being written: nobody would find it"
            raise StoreAccessError("write", self._target, why, _RENAME)
        fresh: list[str] = []
        while above and above not in self._needed:
            self._needed[above] = name
            fresh.append(above)
            above = above.rpartition("/")[0]
        return fresh[::-1]

    def folders(self) -> Collection[str]:
        """The names of the directories that were needed so far."""
        return self._needed.keys()

    def refuse(self, name: str) -> StoreAccessError:
        """The error for a name that is taken: as a directory, or by another name that this disk takes for the same."""
        if name in self._needed:
            return self.both(name, self._needed[name])
        why = f"this disk takes {name!r} and another name of the source for the same"
        return StoreAccessError("write", self._target, why, "Rename one of them there.")

    def both(self, file: str, name: str) -> StoreAccessError:
        """The error for a file below which another name would be."""
        why = f"the source holds both {file!r} and {name!r}, and on a disk a file is no directory"
        return StoreAccessError("write", self._target, why, "Rename one of them there.")


def _on_this_system(name: str) -> bool:
    return os.name != "nt" or not any(character in name for character in '\\:*?"<>|')

"""What there is to copy: a source, looked at once, before anything is written."""

from __future__ import annotations

from dataclasses import dataclass

from mercury_core.contracts import DirectoryStore, ObjectInfo
from mercury_core.errors import ObjectNotFoundError, StoreAccessError
from mercury_core.storage.uri import name_of, relative_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from mercury_core.contracts import Store


@dataclass(frozen=True, slots=True)
class Item:
    """One file of a source: its name below the source, or of a single file its own, and what the store says of it."""

    name: str
    info: ObjectInfo


@dataclass(frozen=True, slots=True)
class Plan:
    """A source.

    Attributes:
        source: Its URI.
        is_tree: Whether it is a directory, or a prefix of names.
        files: What is in it, in the order of names.
        folders: Names of the directories below it, each before what is in it, as far as the store has such things.
        directories: The URIs of the source, where it is a directory, and of all directories below it.
    """

    source: str
    is_tree: bool
    files: Sequence[Item]
    folders: Sequence[str] = ()
    directories: Sequence[str] = ()


def plan(store: Store, source: str) -> Plan:
    """Look at a source.

    Raises:
        ObjectNotFoundError: Nothing is there.
    """
    if not source.endswith("/"):
        try:
            return Plan(source, False, [Item(name_of(source), store.stat(source))])
        except ObjectNotFoundError:
            pass  # a directory, a prefix of names, or nothing: the list tells
    directories = list(store.directories(source)) if isinstance(store, DirectoryStore) else []
    found = [Item(relative_name(info.uri, source), info) for info in store.list(source)]
    if not found and not directories:
        raise ObjectNotFoundError(source)
    # Object stores have no directories; an empty object of such a name is how many tools keep an empty one.
    marks = [item.name.rstrip("/") for item in found if item.name.endswith("/") and not item.info.size]
    files = [item for item in found if not item.name.endswith("/") or item.info.size]
    return Plan(source, True, files, [*(relative_name(uri, source) for uri in directories[1:]), *marks], directories)


def check_names(planned: Plan, target: str) -> None:
    """Make sure that a disk can hold the names of a source, and that none leads out of the target.

    Raises:
        StoreAccessError: It cannot.
    """
    names = [*(item.name for item in planned.files), *planned.folders]
    for name in names:
        if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
            why = f"the source holds the name {name!r}, which no file can have"
            raise StoreAccessError("write", target, why, "Rename it there, or copy the other names one by one.")
    files = {item.name for item in planned.files}
    for name in names:
        parts = name.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in files:
                both = f"{'/'.join(parts[:end])!r} and {name!r}"
                why = f"the source holds both {both}, and on a disk a file is no directory"
                raise StoreAccessError("write", target, why, "Rename one of them there.")

"""List what is stored directly below a URI or a path: size, time, name. Names that end in / hold more.

What is listed is printed as it comes. A URI of a single object lists that.
"""

from __future__ import annotations

from mercury_core.cli import output
from mercury_core.cli.options import add_stores, stores_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterable, Iterator
    from typing import Any

    from mercury_core.contracts import ObjectInfo, Store

# Lines that are printed at a time, and seconds after which fewer are.
_LINES = 500
_SECONDS = 0.2


def arguments(parser: ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("uri", metavar="URI", help="a path or a URI")
    parser.add_argument("--recursive", "-r", action="store_true", help="list all that is below, at any depth")
    add_stores(parser)
    parser.add_argument("--json", action="store_true", help="print a JSON list")


def execute(args: Namespace) -> int:
    """List."""
    from itertools import chain

    from mercury_core.cli.aside import prints_aside
    from mercury_core.storage import Stores

    with prints_aside():
        store = Stores(stores_of(args.store)).of(args.uri)
        found = listed(store, args.uri, recursive=args.recursive)
        first = next(found, None)  # what is not there is said before anything is printed
    entries = chain([] if first is None else [first], found)
    _print(_as_json(entries, args.uri) if args.json else (_line(entry, args.uri) for entry in entries))
    return 0


def listed(store: Store, uri: str, *, recursive: bool) -> Iterator[ObjectInfo | str]:
    """What is below a URI: objects, and URIs that end in ``/`` for more.

    Raises:
        ObjectNotFoundError: Nothing is there.
        StoreAccessError: It may not be listed, or the store cannot be reached.
    """
    from mercury_core.contracts import DirectoryStore, LevelStore
    from mercury_core.storage.uri import join, name_of

    itself, empty = join(uri, ""), True
    if recursive:
        entries: Iterable[ObjectInfo | str] = store.list(uri)
    else:
        entries = store.level(uri) if isinstance(store, LevelStore) else _one_level(store, uri)
    for entry in entries:
        empty = False
        if isinstance(entry, str) or entry.uri != itself:  # else it is the mark of the directory
            yield entry
    # A bucket was listed, and a directory is there: with nothing in it.
    holds = isinstance(store, DirectoryStore) and next(iter(store.directories(uri)), None) is not None
    if empty and name_of(uri) and not holds:
        yield store.stat(uri)


def _one_level(store: Store, uri: str) -> Iterator[ObjectInfo | str]:
    """One level from a store that lists all: names of directories come once, since a listing is in order."""
    from mercury_core.storage.uri import join, relative_name

    itself, last = join(uri, ""), ""
    for info in store.list(uri):
        if info.uri == itself:
            yield info
            continue
        above, slash, _ = relative_name(info.uri, uri).partition("/")
        if not slash:
            yield info
        elif above != last:
            last = above
            yield join(uri, above) + "/"


def _line(entry: ObjectInfo | str, base: str) -> str:
    from mercury_core.cli.plain import human

    if isinstance(entry, str):
        return f"{'':>9}  {'':16}  {_shown(_name(entry, base))}"
    return f"{human(entry.size):>9}  {_time(entry.modified):16}  {_shown(_name(entry.uri, base))}"


def _name(uri: str, base: str) -> str:
    from mercury_core.storage.uri import join, name_of, relative_name

    return relative_name(uri, base) if uri.startswith(join(base, "")) else name_of(uri)


def _shown(name: str) -> str:
    """A name without what would move the cursor of a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in name)


def _time(modified: float | None) -> str:
    from datetime import datetime

    return "" if modified is None else f"{datetime.fromtimestamp(modified).astimezone():%Y-%m-%d %H:%M}"


def _as_json(entries: Iterable[ObjectInfo | str], base: str) -> Iterator[str]:
    """The lines of one JSON list, an object a line."""
    from mercury_core.strict_json import dumps

    last = None
    yield "["
    for entry in entries:
        if last is not None:
            yield f"  {last},"
        last = dumps(_described(entry, base))
    if last is not None:
        yield f"  {last}"
    yield "]"


def _described(entry: ObjectInfo | str, base: str) -> dict[str, Any]:
    from datetime import UTC, datetime

    if isinstance(entry, str):
        return {"uri": entry, "name": _name(entry, base)}
    modified = None if entry.modified is None else datetime.fromtimestamp(entry.modified, UTC).isoformat()
    return {
        "uri": entry.uri,
        "name": _name(entry.uri, base),
        "size": entry.size,
        "modified": modified,
        "version": entry.version,
        "checksums": dict(entry.checksums) if entry.certain else {},
    }


def _print(lines: Iterable[str]) -> None:
    from time import monotonic

    waiting: list[str] = []
    since = monotonic()
    for line in lines:
        waiting.append(line)
        if len(waiting) >= _LINES or monotonic() - since > _SECONDS:
            if not output.write("\n".join(waiting)):
                return  # nobody reads on, as after `| head`
            waiting, since = [], monotonic()
    if waiting:
        output.write("\n".join(waiting))

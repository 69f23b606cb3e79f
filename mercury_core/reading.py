"""Level 4, the task of the verb read: sources, wherever they are, into data sets by their roles."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import contextmanager

from mercury_core import registry
from mercury_core.calling import name_of, takes
from mercury_core.errors import MissingColumnsError, RolesError, UnknownProviderError
from mercury_core.parameters import require
from mercury_core.storage.uri import is_remote, scheme_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from pathlib import Path
    from typing import Any

    from mercury_core.data import DataBunch, DataSet
    from mercury_core.storage import Stores

    Provided = str | Callable[..., Any]
    Source = str | Path
    Settings = Mapping[str, Mapping[str, Any]] | Stores


def read_data_bunch(
    sources: Source | Mapping[str, Source],
    *,
    reader: Provided | None = None,
    roles: Mapping[str, Any] | None = None,
    stores: Settings | None = None,
    **params: Any,
) -> DataBunch:
    """Read one source or several, each into a data set.

    Args:
        sources: A path or URI, read as the data set ``data``; or one by name of the data set.
        reader: A key, a reference or a callable; by default what the ending of the name says.
        roles: Which columns are what: ``{"index": ["id"], "features": ["a", "b"], "targets": "y"}``; ``features`` is by
            default every column that no other role names. Only columns of a role are read.
        stores: Parameters of stores, by scheme or beginning of URIs; see `mercury_core.storage.Stores`.
        **params: The reader's own parameters.

    Returns:
        A bunch with one data set a source.

    Raises:
        ReadError: A source that is not what it is said to be.
        MissingColumnsError: A role names a column that is not there.
        RolesError: Roles that say nothing; or any, where the reader says itself which columns are what.
        ObjectNotFoundError: There is no such source.
        StoreAccessError: The store of a source cannot be reached, or it refuses.
    """
    from mercury_core.data import DataBunch

    named = sources if isinstance(sources, Mapping) else {"data": sources}
    return DataBunch({name: _read(source, reader, roles or {}, stores, params) for name, source in named.items()})


def read_batches(
    source: Source,
    *,
    rows: int,
    reader: Provided | None = None,
    roles: Mapping[str, Any] | None = None,
    stores: Settings | None = None,
    skip: int = 0,
    **params: Any,
) -> Generator[DataSet, None, None]:
    """Read one source piece by piece, in bounded memory where its reader can do that (`BatchedReader`).

    Args:
        source: As for `read_data_bunch`.
        rows: How many a piece holds; the last one may hold fewer.
        reader: As for `read_data_bunch`.
        roles: As for `read_data_bunch`.
        stores: As for `read_data_bunch`.
        skip: Rows to leave out at the start.
        **params: The reader's own parameters.

    Yields:
        The pieces in the order of the rows; of a source without rows, one that holds none.

    Raises:
        The same as `read_data_bunch`.
    """
    from mercury_core.contracts import BatchedReader
    from mercury_core.data import DataSet

    read, roles, handed = _prepared(source, reader, roles or {}, params)
    with _naming(source), at_hand(read, str(source), stores) as (place, store):
        if isinstance(read, BatchedReader):
            for table in read.batches(place, rows=rows, skip=skip, **handed, **store, **params):
                yield DataSet.from_table(table, roles)
            return
        table = read(place, **handed, **store, **params)
        whole = table if isinstance(table, DataSet) else DataSet.from_table(table, roles)
        for start in range(skip, whole.num_rows, rows) if whole.num_rows else [0] * (not skip):
            yield whole if not start and whole.num_rows <= rows else whole.slice(start, rows)


def _read(
    source: Source,
    reader: Provided | None,
    roles: Mapping[str, Any],
    stores: Settings | None,
    params: Mapping[str, Any],
) -> DataSet:
    from mercury_core.data import DataSet

    read, normal, handed = _prepared(source, reader, roles, params)
    with _naming(source), at_hand(read, str(source), stores) as (place, store):
        table = read(place, **handed, **store, **params)
        # What a reader gives may read on from a local copy.
        if not isinstance(table, DataSet):
            return DataSet.from_table(table, normal)
    if roles:
        raise RolesError(
            f"The reader of {source} says itself which of its columns are what ({', '.join(table)}): leave 'roles' out."
        )
    return table


def _prepared(
    source: Source, reader: Provided | None, roles: Mapping[str, Any], params: Mapping[str, Any]
) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """The reader, the normal roles, and the columns to hand to it."""
    from mercury_core.data.roles import columns_of, normalise

    if reader is None:
        from mercury_core.endings import reader_for

        reader = reader_for(source)
    read = registry.resolve("read", reader)
    require("read", name_of(reader), read, params)
    normal = normalise(roles)
    return read, normal, {"columns": columns_of(normal)} if takes(read, "columns") else {}


@contextmanager
def _naming(source: Source) -> Iterator[None]:
    """Let what lacks columns be called by its name."""
    try:
        yield
    except MissingColumnsError as error:
        raise MissingColumnsError(str(source), error.missing, error.columns) from None


@contextmanager
def at_hand(read: Any, source: str, stores: Settings | None) -> Iterator[tuple[str, dict[str, Any]]]:
    """A source as a reader takes it, while the block lasts.

    Args:
        read: The reader, or its method `schema`.
        source: A path, a URI, or any other name.
        stores: See `read_data_bunch`.

    Returns:
        What to call it with: the source, and its store where the reader has that parameter. Else a source in a store
        has become a verified local copy. What no store serves is the reader's own to know.
    """
    if not is_remote(source) or not (takes(read, "store") or is_served(source)):
        yield source, {}
        return
    from mercury_core.storage import Stores

    stores = stores if isinstance(stores, Stores) else Stores(stores)
    if takes(read, "store"):
        yield source, {"store": stores.of(source)}
        return
    import tempfile

    from mercury_core.storage import copy
    from mercury_core.storage.standing_in import standing_in

    with tempfile.TemporaryDirectory(prefix="mercury-") as here:
        place = copy(source, f"{here}/", stores=stores).target
        with standing_in(place, source):
            yield place, {}


def is_served(source: str) -> bool:
    """Whether a store serves a URI; what none serves is for its reader to know."""
    try:
        registry.resolve("copy", scheme_of(source))
    except UnknownProviderError:
        return False
    return True

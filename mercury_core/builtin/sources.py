"""What every reader does with its source and with the columns that it is asked for."""

from __future__ import annotations

from collections import Counter

from mercury_core.errors import ArgumentsError, MercuryError, MissingColumnsError, ObjectNotFoundError, ReadError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from mercury_core.contracts import ObjectInfo, Store


def local(source: str | Path, *, directory: bool = False) -> Path:
    """The path of a source that can be opened.

    Args:
        source: A path or a ``file:`` URI.
        directory: Whether a directory will do.

    Raises:
        ObjectNotFoundError: Nothing is there.
        ReadError: A directory, or no permission, or an empty file.
    """
    from mercury_core.storage.uri import to_path

    path = to_path(source)
    try:
        if path.is_dir():
            if directory:
                return path
            raise ReadError(str(source), "it is a directory", "Name one file in it.")
        with path.open("rb") as file:
            if not file.read(1):
                raise ReadError(str(source), "it is empty", "Check what wrote it.")
    except (FileNotFoundError, NotADirectoryError):
        raise ObjectNotFoundError(str(source)) from None
    except OSError as error:
        why = f"the system says: {error.strerror or error}"
        raise ReadError(str(source), why, "Check the permissions of the file and of its directories.") from error
    return path


def stored(store: Store, source: str) -> ObjectInfo:
    """What a store says of a source that is one object.

    Raises:
        ObjectNotFoundError: Nothing is there.
        ReadError: A directory, or an empty object.
        StoreAccessError: It may not be read, or the store cannot be reached.
    """
    info = stored_or_directory(store, source)
    if info is None:
        raise ReadError(source, "it is a directory", "Name one file in it.")
    return info


def stored_or_directory(store: Store, source: str) -> ObjectInfo | None:
    """What a store says of a source; None of a directory.

    Raises:
        ObjectNotFoundError: Nothing is there.
        ReadError: An empty object.
        StoreAccessError: It may not be read, or the store cannot be reached.
    """
    try:
        info = store.stat(source) if not source.endswith("/") else None
    except ObjectNotFoundError:
        info = None
    if info is not None and not info.size:
        raise ReadError(source, "it is empty", "Check what wrote it.")
    if info is None and next(iter(store.list(source)), None) is None:
        raise ObjectNotFoundError(source)
    return info


def chosen(source: str, columns: Sequence[str] | None, there: Sequence[str]) -> list[str]:
    """The columns to read: those asked for, or all.

    Raises:
        ReadError: Two columns have the same name.
        MissingColumnsError: Some are not there.
    """
    counts = Counter(there)
    twice = sorted(name for name, count in counts.items() if count > 1)
    if twice:
        names = ", ".join(map(repr, twice))
        raise ReadError(
            source, f"it has more than one column named {names}", "Rename one of them where the file is written."
        )
    if columns is None:
        return list(there)
    missing = [name for name in columns if name not in counts]
    if missing:
        raise MissingColumnsError(source, missing, there)
    return list(columns)


def types_of(key: str, column_types: Mapping[str, str] | None) -> dict[str, pa.DataType]:
    """Arrow types by their names.

    Args:
        key: The reader.
        column_types: Column to type.

    Raises:
        ArgumentsError: A name that is no type.
    """
    import pyarrow as pa

    types, faults = {}, []
    for column, name in (column_types or {}).items():
        if name in ("category", "dictionary"):
            types[column] = pa.dictionary(pa.int32(), pa.string())
            continue
        try:
            types[column] = pa.type_for_alias(name)
        except (ValueError, TypeError):
            faults.append(f"column_types: {column!r} is to be {name!r}, which is no type. {_EXPECTED_TYPES}")
    if faults:
        raise ArgumentsError("read", key, faults)
    return types


_EXPECTED_TYPES = "Expected one as 'int64', 'float64', 'string', 'bool', 'date32', 'timestamp[us]' or 'category'."


def reading(source: str, what: str, todo: str, read: Callable[[], pa.Table]) -> pa.Table:
    """Call Arrow; what it raises becomes one sentence of ours.

    Args:
        source: The source as it was named.
        what: What it was expected to be.
        todo: What to do if it is not.
        read: Does the work.

    Raises:
        ReadError: It is not `what`, or it is damaged.
        StorageError: What its store refused.
    """
    import pyarrow as pa

    try:
        return read()
    except MercuryError:  # some of a store's are an OSError as well, and say what it is
        raise
    except (pa.ArrowException, OSError) as error:
        raise ReadError(source, f"it is not {what}, or it is damaged ({first_line(error)})", todo) from error


def reading_on(
    tables: Iterator[pa.Table], read: Callable[[Callable[[], pa.Table | None]], pa.Table | None]
) -> Iterator[pa.Table]:
    """Tables that come one by one; what Arrow raises on the way becomes one sentence of ours.

    Args:
        tables: The tables.
        read: Calls what takes the next one, as `reading` does.
    """
    while (table := read(lambda: next(tables, None))) is not None:
        yield table


def batched(tables: Iterable[pa.Table], rows: int, skip: int = 0) -> Iterator[pa.Table]:
    """Cut a table that comes in pieces of any size into pieces of one size.

    Args:
        tables: At least one, all with the same columns.
        rows: How many a piece holds; the last one may hold fewer.
        skip: Rows to leave out at the start.

    Yields:
        The pieces; where nothing is left of all rows, and none were left out, one that holds none.

    Examples:
        >>> import pyarrow as pa
        >>> tables = [pa.table({"a": [1, 2, 3]}), pa.table({"a": [4]}), pa.table({"a": [5, 6]})]
        >>> [piece["a"].to_pylist() for piece in batched(tables, 2, skip=1)]
        [[2, 3], [4, 5], [6]]
    """
    import pyarrow as pa

    waiting: list[pa.Table] = []
    held, nothing_yet = 0, not skip
    empty = None
    for table in tables:
        empty = table.slice(0, 0) if empty is None else empty
        left_out = min(skip, table.num_rows)
        skip -= left_out
        table = table.slice(left_out)
        while held + table.num_rows >= rows:
            piece = pa.concat_tables([*waiting, table.slice(0, rows - held)])
            table = table.slice(rows - held)
            waiting, held, nothing_yet = [], 0, False
            yield piece
        if table.num_rows:
            waiting.append(table)
            held += table.num_rows
    if waiting or nothing_yet:
        yield pa.concat_tables(waiting) if waiting else empty


def first_line(error: BaseException) -> str:
    """The first line of what an error says, without its full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")

"""Predictions of a stored model, from a source to a file or to a directory of files, in bounded memory."""

from __future__ import annotations

import time
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain

from mercury_core import tasks
from mercury_core.contracts import Sourced
from mercury_core.data.in_order import in_order
from mercury_core.data.prediction_table import prediction_table
from mercury_core.errors import MissingColumnsError, ObjectChangedError, PredictError, ReadError
from mercury_core.predicting.state import State, identity_of_source, key_of
from mercury_core.predicting.targets import opener
from mercury_core.reading import read_batches
from mercury_core.storage import Stores
from mercury_core.storage.uri import is_remote, to_path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    import pyarrow as pa

    from mercury_core.bundle import Bundle
    from mercury_core.data import DataSet
    from mercury_core.predicting.targets import Write

#: Rows that are read and predicted at a time.
BATCH_ROWS = 65_536
# Batches that are written at a time.
_BATCHES_A_PART = 8
# In seconds: what was predicted is kept for a run that has to go on as often as that, or with every part.
_KEPT_EVERY = 1.0


@dataclass(frozen=True, slots=True)
class Written:
    """What was predicted.

    Attributes:
        num_rows: How many rows.
        column_names: The columns of the table; see `prediction_table`.
        resumed_rows: How many of the rows an interrupted run had predicted before.
    """

    num_rows: int
    column_names: tuple[str, ...]
    resumed_rows: int


def predict_to_file(
    model: str | Path,
    source: str | Path,
    target: str | Path,
    *,
    reader: str | Callable[..., Any] | None = None,
    index: Sequence[str] | None = None,
    trusted: Collection[str] = (),
    trust: bool = False,
    stores: Mapping[str, Mapping[str, Any]] | Stores | None = None,
    jobs: int = 1,
    batch_rows: int = BATCH_ROWS,
    **params: Any,
) -> Written:
    """Predict every row of a source and write a table of it, whole or not at all, in the order of the rows.

    Only the columns that the model was trained on are read, and those of its index. Rows are read, predicted and
    written batch by batch, where the reader can do that (a `BatchedReader`, as those of Parquet, CSV and Arrow are). A
    run that was interrupted goes on behind the parts that it had done; see `mercury_core.predicting.state`.

    Args:
        model: A stored bundle, a path or a URI.
        source: What the reader reads.
        target: The file to write, a path or a URI, replaced where it exists: ``.parquet``, ``.csv``, ``.json`` (one
            array of objects) or ``.jsonl`` (one object a line). Or a directory, which ends in ``/``: it holds a file a
            part, and ``predictions.json``, which names them and is written last.
        reader: A key, a reference or a callable; by default what the ending of the source says, or what the model does,
            where it is a `Sourced` one.
        index: The columns that stand beside the predictions; by default those of training; none, where it is
            empty.
        trusted: Types, by full name, to trust beyond the lists of the plugins.
        trust: Whether formats that need pickle may be loaded, which run whatever code the model brings.
        stores: Parameters of stores, by scheme or beginning of URIs; see `mercury_core.storage.Stores`.
        jobs: How many threads predict, each a batch of its own.
        batch_rows: Rows that are read and predicted at a time.
        **params: The reader's own parameters.

    Returns:
        What was written.

    Raises:
        UnknownEndingError: A target of another ending.
        MissingColumnsError: The source lacks columns that the model needs, or those of `index`.
        ObjectChangedError: The source was changed while it was read.
        PredictError: No job, or no row at a time; or the target is the source.
        StoreAccessError: The target cannot be written.
    """
    stores = stores if isinstance(stores, Stores) else Stores(stores)
    for name, number in (("jobs", jobs), ("batch_rows", batch_rows)):
        if number < 1:
            raise PredictError(f"{name}={number}", "it is less than one", "Give a whole number from 1 on.")
    _require_another(source, target)
    opened = opener(target, stores)
    bundle = tasks.load_model(model, trusted=trusted, trust=trust, stores=stores)
    signature = bundle.signature
    roles: dict[str, Any] = {"features": signature.input_names or "*"}
    beside = list(signature.index if index is None else index)
    if beside:
        roles["index"] = beside
    reader = reader or _reader_of(bundle, source)
    identity = identity_of_source(str(source), stores)
    state = State(_key(bundle, identity, reader, roles, batch_rows, params))
    with closing(state):
        resumed = sum(state.rows)
        batches = read_batches(
            source, rows=batch_rows, reader=reader, roles=roles, stores=stores, skip=resumed, **params
        )
        with _telling(beside), closing(batches), closing(_pieces(bundle, batches, jobs, state)) as new:
            done = map(state.piece, range(len(state.rows)))
            parts = _in_parts(chain(done, new), batch_rows * _BATCHES_A_PART, bundle)
            first = next(parts)  # what cannot be read or predicted at all leaves nothing behind
            schema = first.schema
            parts = chain([first], parts)
            del first  # a part is large
            with opened() as write:
                rows = _write_all(parts, schema, source, write)
                if identity is not None and identity != identity_of_source(str(source), stores):
                    raise ObjectChangedError(str(source))
        state.remove()
    return Written(rows, tuple(schema.names), resumed)


def _require_another(source: str | Path, target: str | Path) -> None:
    """Refuse to write over the very rows that are predicted, which may be a part of the directory that is written."""
    if is_remote(source) or is_remote(target):
        same = str(source) == str(target)
    else:
        read, written = to_path(source).resolve(), to_path(target).resolve()
        same = written in read.parents if written.is_dir() else read == written and not str(target).endswith("/")
    if same:
        raise PredictError(str(source), "the target is the source, which would be lost", "Choose another target.")


def _reader_of(bundle: Bundle, source: str | Path) -> str | None:
    """The reader that the model names, where the ending of the source names none."""
    from mercury_core.endings import reader_for

    named = bundle.model.reader if isinstance(bundle.model, Sourced) else None
    if named is not None:
        try:
            reader_for(source)
        except ReadError:
            return named
    return None


@contextmanager
def _telling(index: Sequence[str]) -> Iterator[None]:
    """Let the error of a source that lacks nothing but its index say what the index is for."""
    try:
        yield
    except MissingColumnsError as error:
        if set(error.missing) <= set(index):
            todo = "Add it, or name other columns with --index (in Python index), or with an empty one none."
            error.args = (f"{error} By the index of training each row is known in what is written. {todo}",)
        raise


def _key(
    bundle: Bundle,
    identity: Any,
    reader: Any,
    roles: Mapping[str, Any],
    batch_rows: int,
    params: Mapping[str, Any],
) -> str | None:
    """The name of a run; None of one that cannot be resumed, since what it hangs on is not known for sure."""
    if bundle.digest is None or identity is None or not isinstance(reader, str | None):
        return None
    return key_of([bundle.digest, bundle.packages(), identity, reader, roles, batch_rows, params])


def _pieces(bundle: Bundle, batches: Iterator[DataSet], jobs: int, state: State) -> Generator[pa.Table, None, None]:
    """Predictions, some batches of them at a time, each kept for a run that is to go on with them.

    The last ones are not: the run is over as soon as it has them.
    """
    import pyarrow as pa

    def predict(data_set: DataSet) -> pa.Table:
        return prediction_table(data_set, bundle.predict(data_set))

    waiting: list[pa.Table] = []
    kept = time.monotonic()
    with closing(in_order(predict, ((batch,) for batch in batches), jobs, "mercury-predict")) as tables:
        for table in tables:
            waiting.append(_like(table, waiting[0].schema, bundle) if waiting else table)
            if len(waiting) == _BATCHES_A_PART or time.monotonic() - kept >= _KEPT_EVERY:
                piece, waiting = pa.concat_tables(waiting), []
                state.add(piece)
                yield piece
                kept = time.monotonic()
    if waiting:
        yield pa.concat_tables(waiting)


def _in_parts(pieces: Iterator[pa.Table], rows: int, what: object) -> Iterator[pa.Table]:
    """The same predictions in parts of so many rows, wherever a run was interrupted; the last may have fewer."""
    import pyarrow as pa

    waiting: list[pa.Table] = []
    room, is_first = rows, True
    for piece in pieces:
        rest = _like(piece, waiting[0].schema, what) if waiting else piece
        while rest.num_rows >= room:
            yield pa.concat_tables([*waiting, rest.slice(0, room)])
            waiting, rest, room, is_first = [], rest.slice(room), rows, False
        waiting.append(rest)
        room -= rest.num_rows
    if room < rows or is_first:  # a source without rows makes one part without
        yield pa.concat_tables(waiting)


def _write_all(parts: Iterator[pa.Table], schema: pa.Schema, what: object, write: Write) -> int:
    """Write each part while the next one is read and predicted; how many rows they have."""

    def one(part: pa.Table) -> int:
        write(_like(part, schema, what))
        rows: int = part.num_rows
        return rows

    with closing(in_order(one, ((part,) for part in parts), 1, "mercury-write")) as written:
        return sum(written)


def _like(table: pa.Table, schema: pa.Schema, what: object) -> pa.Table:
    """A table in the types of the first one, as all parts of a file must be."""
    import pyarrow as pa

    if table.schema.equals(schema):
        return table
    try:
        return table.cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError) as error:
        raise PredictError(
            str(what),
            f"its predictions change their types between batches of rows: {error}",
            "Give batch_rows as many rows as the source has.",
        ) from error

"""Predictions of a stored model, from a source to a file."""

from __future__ import annotations

from pathlib import PurePath
from tempfile import TemporaryDirectory

from mercury_core import tasks
from mercury_core.data.prediction_table import prediction_table
from mercury_core.errors import UnknownEndingError
from mercury_core.storage.uri import is_remote, name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from pathlib import Path
    from typing import Any

    import pyarrow as pa

#: What the ending of a file says: the key of the format that writes it, and how.
FORMATS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    ".parquet": ("parquet", {}),
    ".csv": ("csv", {}),
    ".json": ("json", {}),
    ".jsonl": ("json", {"lines": True}),
}


def predict_to_file(
    model: str | Path,
    source: str | Path,
    target: str | Path,
    *,
    reader: str | Callable[..., Any] | None = None,
    trusted: Collection[str] = (),
    trust: bool = False,
    stores: Mapping[str, Mapping[str, Any]] | None = None,
    **params: Any,
) -> pa.Table:
    """Predict every row of a source and write a table of it, whole or not at all.

    Only the columns that the model was trained on are read, and those of its index.

    Args:
        model: A stored bundle, a path or a URI.
        source: What the reader reads.
        target: The file to write, a path or a URI, replaced where it exists: ``.parquet``, ``.csv``, ``.json`` (one
            array of objects) or ``.jsonl`` (one object a line).
        reader: A key, a reference or a callable; by default what the ending of the source says.
        trusted: Types, by full name, to trust beyond the lists of the plugins.
        trust: Whether formats that need pickle may be loaded, which run whatever code the model brings.
        stores: Parameters of stores, by scheme or beginning of URIs; see `mercury_core.storage.Stores`.
        **params: The reader's own parameters.

    Returns:
        What was written: see `prediction_table`.

    Raises:
        UnknownEndingError: A target of another ending.
        MissingColumnsError: The source lacks columns that the model needs.
        StoreAccessError: The target cannot be written.
    """
    ending = PurePath(name_of(target)).suffix.lower()
    if ending not in FORMATS:
        raise UnknownEndingError(str(target), list(FORMATS))
    bundle = tasks.load_model(model, trusted=trusted, trust=trust, stores=stores)
    signature = bundle.signature
    roles: dict[str, Any] = {"features": signature.input_names or "*"}
    if signature.index:
        roles["index"] = list(signature.index)
    data_set = tasks.read_data_bunch(source, reader=reader, roles=roles, stores=stores, **params)["data"]
    table = prediction_table(data_set, bundle.predict(data_set))
    key, how = FORMATS[ending]
    if not is_remote(target):
        tasks.store_artifact(table, target, format=key, overwrite="replace", **how)
        return table
    with TemporaryDirectory(prefix="mercury-") as here:
        path = f"{here}/predictions{ending}"
        tasks.store_artifact(table, path, format=key, remote=str(target), overwrite="replace", stores=stores, **how)
    return table

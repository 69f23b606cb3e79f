"""What the core itself provides."""

from __future__ import annotations

from mercury_core import Provider, hookimpl

_HERE = "mercury_core.builtin"


@hookimpl
def mercury_read() -> list[Provider]:
    """Readers of tables."""
    return [
        Provider("arrow", f"{_HERE}.readers:read_arrow", "Arrow IPC files and streams, Feather"),
        Provider("csv", f"{_HERE}.readers:read_csv", "Delimited text"),
        Provider("json", f"{_HERE}.readers:read_json", "JSON, one object a line, or one array of objects"),
        Provider("parquet", f"{_HERE}.readers:read_parquet", "Parquet files and directories of them"),
    ]


@hookimpl
def mercury_transform() -> list[Provider]:
    """The split, and converters from any format to another."""
    return [
        Provider("split", f"{_HERE}.split:split", "Into train, valid, test …: random, stratified, by group, by time"),
        Provider("to.arrow", f"{_HERE}.converters:to_arrow", "To a pyarrow Table"),
        Provider("to.numpy", f"{_HERE}.converters:to_numpy", "To a two-dimensional NumPy array"),
        Provider("to.pandas", f"{_HERE}.converters:to_pandas", "To a pandas DataFrame", install="pandas"),
        Provider("to.polars", f"{_HERE}.converters:to_polars", "To a polars DataFrame", install="polars"),
    ]


@hookimpl
def mercury_save() -> list[Provider]:
    """Formats of artifacts."""
    return [
        Provider("csv", f"{_HERE}.artifacts:csv_format", "Tables as delimited text"),
        Provider("json", f"{_HERE}.artifacts:json_format", "Dicts, lists, numbers and tables as JSON"),
        Provider("parquet", f"{_HERE}.artifacts:parquet_format", "Tables as Parquet"),
    ]


@hookimpl
def mercury_copy() -> list[Provider]:
    """The local disk."""
    return [Provider("file", f"{_HERE}.disk:FileStore", "Files on a local disk")]


@hookimpl
def mercury_execute() -> list[Provider]:
    """The engine of this process."""
    return [Provider("local", f"{_HERE}.local:LocalEngine", "In this process, one after another or in threads")]

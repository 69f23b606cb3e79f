"""The core's own readers of tables: objects that are called with a source."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.builtin.arrow_reader import ArrowReader
    from mercury_core.builtin.csv_reader import CsvReader
    from mercury_core.builtin.json_reader import JsonReader
    from mercury_core.builtin.parquet_reader import ParquetReader

    read_arrow: ArrowReader
    read_csv: CsvReader
    read_json: JsonReader
    read_parquet: ParquetReader

_CLASSES = {
    "read_arrow": ("arrow_reader", "ArrowReader"),
    "read_csv": ("csv_reader", "CsvReader"),
    "read_json": ("json_reader", "JsonReader"),
    "read_parquet": ("parquet_reader", "ParquetReader"),
}

__all__ = ["read_arrow", "read_csv", "read_json", "read_parquet"]


def __getattr__(name: str) -> object:
    """Make a reader when it is first used: a process needs one of them."""
    from importlib import import_module

    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, kind = _CLASSES[name]
    globals()[name] = reader = getattr(import_module(f"mercury_core.builtin.{module}"), kind)()
    return reader

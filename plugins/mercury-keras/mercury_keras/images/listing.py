"""What a source of images lists: a row an image, with its name, its labels and what else is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mercury_core.errors import ReadError
from mercury_keras.images import files, labels

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

#: The names of the columns, where no table has others.
FILE, IMAGE, LABEL = "file", "image", "label"


@dataclass(frozen=True, slots=True)
class Listing:
    """Rows that name images.

    Attributes:
        table: Columns by name.
        file: Its column of file names, relative to the directory.
        features: Its columns that are features beside the image.
        targets: Its columns that are to be learnt; none of images alone.
    """

    table: pa.Table
    file: str
    features: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


def of_folders(root: Path, source: str, classes: Sequence[str] | None, endings: Collection[str]) -> Listing:
    """Images by class folder, or images alone.

    Raises:
        ReadError: As `files.class_folders` and `files.images_of_class`.
    """
    import pyarrow as pa

    folders = files.class_folders(root, source, classes, endings)
    if not folders:
        return Listing(pa.table({FILE: texts(list(files.images_in(root, endings)))}), FILE)
    names: list[str] = []
    found: list[str] = []
    for folder in folders:
        names += files.images_of_class(root, folder, source, endings)
        found += [folder] * (len(names) - len(found))
    table = pa.table({FILE: texts(names), LABEL: texts(found)})
    return Listing(table, FILE, targets=(LABEL,))


def of_table(table: pa.Table, where: str, params: Mapping[str, Any]) -> Listing:
    """Images that a table names.

    Args:
        table: File names, labels, features.
        where: What it is called.
        params: Those of the reader.

    Raises:
        ReadError: A row without a file name, labels that are not among the classes, a name that stands for two columns.
        MissingColumnsError: The table lacks a column.
    """
    import pyarrow as pa

    file, features = params.get("file_column", FILE), params.get("features") or []
    classes, separator = params.get("classes"), params.get("label_separator")
    targets = labels.label_names(table.column_names, where, file, params.get("label_columns"), features)
    columns = {name: table.column(name) for name in (file, *features)}
    columns[file] = _names(columns[file], file, where)
    made: dict[str, Any] = {}
    for name in targets:
        column = table.column(name)
        if len(targets) == 1 and (separator is not None or labels.is_list(column.type)):
            made = labels.spread(column, name, where, classes, separator)
        else:
            if classes is not None:
                labels.check_classes(column.unique().to_pylist(), classes, where, name)
            made[name] = column
    every = [*columns, IMAGE, *made]
    twice = sorted({name for name in every if every.count(name) > 1})
    if twice:
        raise ReadError(
            where, f"{twice[0]!r} would be the name of two columns (images are in {IMAGE!r})", "Rename one of them."
        )
    return Listing(pa.table({**columns, **made}), file, tuple(features), tuple(made))


def _names(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    names = column.to_pylist()
    for row, value in enumerate(names):
        if value is None or value == "":
            raise ReadError(where, f"row {row} of its column {name!r} names no file", "Name one, or take the row out.")
        if not isinstance(value, str):
            raise ReadError(where, f"its column {name!r} is {column.type}: expected the names of files")
    return texts(names)


def texts(values: list[str]) -> pa.ChunkedArray:
    """A column of texts. Not by `pyarrow.array`, which imports pandas to see whether a list is one of its series."""
    from mercury_core.data import DataWrapper

    return DataWrapper({"texts": values}).underlying.column(0).cast("string")

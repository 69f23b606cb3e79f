"""The table of file names and labels that stands beside a directory of images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercury_core.errors import MissingColumnsError, ReadError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa


def read_table(path: str | Path) -> pa.Table:
    """Read a table by the reader that its ending stands for.

    Raises:
        ReadError: It is no such table.
        ObjectNotFoundError: Nothing is there.
    """
    from mercury_core import registry
    from mercury_core.data import DataWrapper
    from mercury_core.endings import reader_for

    reader: Any = registry.resolve("read", reader_for(path))
    return DataWrapper(reader(str(path))).to("arrow").underlying


def label_names(
    names: Sequence[str], source: str, file_column: str, label_columns: Sequence[str] | None, features: Sequence[str]
) -> list[str]:
    """The columns of labels: those that are named, or all that are left.

    Raises:
        MissingColumnsError: The table lacks a column.
        ReadError: None is left.
    """
    missing = [name for name in (file_column, *(label_columns or ()), *features) if name not in names]
    if missing:
        raise MissingColumnsError(source, missing, names)
    if label_columns is not None:
        return list(label_columns)
    left = [name for name in names if name != file_column and name not in features]
    if not left:
        raise ReadError(source, f"it has no column of labels beside {file_column!r}", "Name it in label_columns.")
    return left


def is_list(kind: pa.DataType) -> bool:
    """Whether a column has several labels a row."""
    import pyarrow as pa

    return any(test(kind) for test in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def spread(
    column: pa.ChunkedArray, name: str, source: str, classes: Sequence[Any] | None, separator: str | None
) -> Any:
    """One column of several labels a row as one boolean column a label.

    Args:
        column: Lists of texts, or texts in which `separator` stands between labels.
        name: Of it.
        source: The table.
        classes: The labels there are, in order; None for all that are found, sorted.
        separator: None for lists.

    Returns:
        By label a boolean array.

    Raises:
        ReadError: A label that is not among `classes`; a row without a list; a column of another type.
    """
    import numpy as np
    import pyarrow as pa

    if not is_list(column.type) and not (separator and _is_text(column.type)):
        expected = "texts" if separator else "lists"
        raise ReadError(source, f"its column {name!r} is {column.type}: expected {expected} of labels")
    rows = [_labels(value, row, name, source, separator) for row, value in enumerate(column.to_pylist())]
    found = sorted({label for labels in rows for label in labels})
    order = found if classes is None else list(classes)
    check_classes(found, order, source, name)
    if not order:
        raise ReadError(source, f"no row of its column {name!r} has a label", "Name them in classes.")
    places = {label: place for place, label in enumerate(order)}
    has = np.zeros((len(order), len(rows)), bool)
    for row, labels in enumerate(rows):
        for label in labels:
            has[places[label], row] = True
    return {label: pa.array(has[place]) for label, place in places.items()}


def check_classes(found: Iterable[Any], classes: Sequence[Any], source: str, name: str) -> None:
    """See that labels are among the classes.

    Raises:
        ReadError: One is not; names it.
    """
    known = set(classes)
    for label in found:
        if label is not None and label not in known:
            has = f"classes are: {', '.join(map(str, classes[:20]))}{' …' * (len(classes) > 20)}"
            why = f"its column {name!r} has the label {label!r}, and the {has}"
            raise ReadError(source, why, did_you_mean(str(label), list(map(str, classes))).strip())


def _labels(value: Any, row: int, name: str, source: str, separator: str | None) -> list[str]:
    if value is None:
        if separator:  # an empty text, which many readers take as missing: the row has none of the labels
            return []
        raise ReadError(source, f"row {row} of its column {name!r} has no list of labels", "Write an empty one.")
    parts = value.split(separator) if isinstance(value, str) else value
    labels = [str(part).strip() for part in parts if part is not None]
    return [label for label in labels if label]


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_null))

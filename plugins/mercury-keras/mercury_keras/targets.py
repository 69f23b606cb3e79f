"""From target columns to what a Keras loss takes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from mercury_core.errors import FitError, MissingColumnsError
from mercury_keras.specs import OutputSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import pyarrow as pa

    from mercury_core.data import DataWrapper
    from mercury_keras.specs import Task

    Array = np.ndarray[Any, Any]

#: The name of the output of a model of one.
OUTPUT = "output"
_MANY = 12


def output_specs(
    targets: DataWrapper,
    *,
    task: str = "auto",
    loss: Any = None,
    outputs: Mapping[str, Sequence[str]] | None = None,
    what: str = "a Keras model",
) -> tuple[OutputSpec, ...]:
    """What a model is to give for those targets: task, columns, types and classes of each output.

    Args:
        targets: Those of training.
        task: ``binary``, ``multiclass``, ``multilabel`` or ``regression``, of every output. ``auto`` tells it by the
            types: texts, booleans and categories are labels; floats are numbers; several columns of booleans, or of 0
            and 1, are labels that a row has or has not. One column of integers may be either: the loss tells.
        loss: As ``keras.fit`` takes it.
        outputs: The target columns by output. Without it all targets are one output, where they can be; else each is
            an output of its own name, as where `loss` is given by target.
        what: The model, for the errors.

    Raises:
        FitError: Targets with missing values, of one class only, of a type that is neither label nor number, or that
            do not tell whether they are labels or numbers.
        MissingColumnsError: `outputs` names columns that are not there.

    Examples:
        >>> from mercury_core.data import DataWrapper
        >>> output_specs(DataWrapper({"species": ["Gentoo", "Adelie", "Chinstrap"]}))[0].classes
        ('Adelie', 'Chinstrap', 'Gentoo')
    """
    table: pa.Table = targets.to("arrow").underlying
    if not table.num_columns:
        raise FitError(what, "there are no target columns", "Name some in the roles of the reader.")
    columns = {name: _plain(column) for name, column in zip(table.column_names, table.columns, strict=True)}
    for name, column in columns.items():
        _check(name, column, "train", what)
    groups = _groups(columns, outputs, loss, task, what)
    alone = len(groups) == 1
    return tuple(
        _spec(name, {one: columns[one] for one in names}, task, loss_of(loss, name, alone=alone), what)
        for name, names in groups.items()
    )


def loss_of(loss: Any, output: str, *, alone: bool) -> Any:
    """The loss of one output, of what ``keras.fit`` was given; a loss given by output is a mapping that names no loss.

    Args:
        loss: As given.
        output: The output.
        alone: Whether it is the only one; its name does not matter then.
    """
    if not by_output(loss):
        return loss
    return next(iter(loss.values())) if alone and len(loss) == 1 else loss.get(output)


def by_output(item: Any) -> bool:
    """Whether a loss or metrics are given as a mapping by output."""
    return isinstance(item, Mapping) and not ("use" in item or "class_name" in item)


def encode(targets: DataWrapper, spec: OutputSpec, where: str = "train", what: str = "a Keras model") -> Array:
    """The targets of one output as its loss takes them.

    Args:
        targets: Columns, of which those of the output are taken by name.
        spec: The output, as ``building.build`` completed it.
        where: The data set, for the errors.
        what: The model, for the errors.

    Returns:
        For ``binary`` of one unit float32 (rows, 1) of 0 and 1; for ``multiclass`` int32 (rows,) places in the classes,
        or float32 (rows, units) where `spec.one_hot`; for ``multilabel`` and ``regression`` float32 (rows, targets).

    Raises:
        FitError: Missing values, labels that training did not have, numbers that are not 0 or 1 in ``multilabel``.
        MissingColumnsError: Columns are missing.
    """
    import numpy as np

    missing = [name for name in spec.targets if name not in targets]
    if missing:
        raise MissingColumnsError(f"The data set {where!r}", missing, targets.field_names)
    table: pa.Table = targets.select(spec.targets).to("arrow").underlying
    columns = [_plain(column) for column in table.columns]
    for name, column in zip(spec.targets, columns, strict=True):
        _check(name, column, where, what)
    if spec.classes is None:
        if spec.task == "multilabel":
            for name, column in zip(spec.targets, columns, strict=True):
                _check_indicator(name, column, where, what)
        elif odd := [column for column in columns if not _is_numeric(column.type)]:
            raise FitError(
                what,
                f"the targets of {where!r} are of type {odd[0].type}",
                f"Expected {spec.types[0]}, as in training.",
            )
        return np.column_stack([column.to_numpy().astype(np.float32) for column in columns])
    places = _places(columns[0], spec, where, what)
    if spec.units == 1:
        return places.astype(np.float32).reshape(-1, 1)
    return np.eye(spec.units, dtype=np.float32)[places] if spec.one_hot else places


def _places(column: pa.ChunkedArray, spec: OutputSpec, where: str, what: str) -> Array:
    """The places of labels in the classes: int32 (rows,)."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    classes = pa.array(spec.classes)
    try:
        found = pc.index_in(column.cast(classes.type), value_set=classes)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):  # words where numbers were, a fraction, another type
        found = pa.chunked_array([pa.nulls(len(column), pa.int32())])
    if found.null_count:
        label = column.filter(pc.is_null(found))[0].as_py()
        known = spec.classes or ()
        shown = ", ".join(map(repr, known[:_MANY])) + (" …" if len(known) > _MANY else "")
        raise FitError(
            what,
            f"the target {spec.targets[0]!r} of {where!r} has the label {label!r}, which is none of {shown}",
            "Leave out these rows, or train on rows of every label.",
        )
    places: Array = found.to_numpy().astype(np.int32)
    return places


# --- which columns make an output ---


def _groups(
    columns: Mapping[str, pa.ChunkedArray],
    outputs: Mapping[str, Sequence[str]] | None,
    loss: Any,
    task: str,
    what: str,
) -> dict[str, list[str]]:
    if outputs is None:
        by_target = by_output(loss) and len(columns) > 1 and set(loss) == set(columns)
        return {name: [name] for name in columns} if by_target or not _one(columns, task) else {OUTPUT: list(columns)}
    groups = {name: [given] if isinstance(given, str) else list(given) for name, given in outputs.items()}
    named = [name for names in groups.values() for name in names]
    missing = [name for name in named if name not in columns]
    if missing:
        raise MissingColumnsError("outputs names what is no target: the role targets", missing, list(columns))
    twice = next((name for name in named if named.count(name) > 1), None)
    empty = next((name for name, names in groups.items() if not names), None)
    left = [name for name in columns if name not in named]
    if empty is not None:
        raise FitError(what, f"outputs gives no target to {empty!r}", "Name at least one for every output.")
    if twice is not None:
        raise FitError(what, f"outputs names the target {twice!r} twice", "Give every target to one output.")
    if left:
        raise FitError(
            what, f"outputs leaves out the target {left[0]!r}", "Give it to an output, or take it out of the roles."
        )
    return groups


def _one(columns: Mapping[str, pa.ChunkedArray], task: str) -> bool:
    """Whether columns can be the targets of one output."""
    import pyarrow as pa

    if len(columns) == 1 or task in ("multilabel", "regression"):
        return True
    kinds = [column.type for column in columns.values()]
    if task != "auto":  # labels of one target an output
        return False
    if all(map(pa.types.is_floating, kinds)) or all(map(pa.types.is_integer, kinds)):
        return True
    return all(pa.types.is_boolean(kind) or pa.types.is_integer(kind) for kind in kinds) and all(
        map(_is_indicator, columns.values())
    )


# --- what they are ---


def _spec(name: str, columns: Mapping[str, pa.ChunkedArray], task: str, loss: Any, what: str) -> OutputSpec:
    said = _task(columns, task, loss, what)
    types = tuple(str(column.type) for column in columns.values())
    targets = tuple(columns)
    if said in ("multilabel", "regression"):
        for one, column in columns.items():
            if said == "multilabel":
                _check_indicator(one, column, "train", what)
            elif not _is_numeric(column.type):
                _refuse_words(one, column, what)
        return OutputSpec(name, said, targets, types, units=len(columns))
    if len(columns) > 1:
        raise FitError(
            what,
            f"{said} has one target an output, and {name!r} has {len(columns)}: {', '.join(targets)}",
            "Say multilabel, or give each target to an output of its own with outputs.",
        )
    classes = _classes(targets[0], columns[targets[0]], what)
    if said == "binary" and len(classes) > 2:
        raise FitError(
            what,
            f"the target {targets[0]!r} has {len(classes)} classes, and a binary one has 2",
            "Say multiclass, with the loss sparse_categorical_crossentropy.",
        )
    return OutputSpec(name, said, targets, types, classes, units=1 if said == "binary" else len(classes))


def _task(columns: Mapping[str, pa.ChunkedArray], task: str, loss: Any, what: str) -> Task:
    import pyarrow as pa

    from mercury_keras.loss_tasks import tasks_of

    if task != "auto":
        return task  # type: ignore[return-value]
    told = tasks_of(loss)
    numbers, labels = "regression" in told, bool(told - {"regression"})
    kinds = [column.type for column in columns.values()]
    floats = all(map(pa.types.is_floating, kinds))
    if len(columns) > 1:
        if all(map(_is_indicator, columns.values())) and not floats:
            return "regression" if numbers and not labels else "multilabel"
        if floats or numbers:
            return "multilabel" if labels and not numbers else "regression"
        _refuse_unclear(columns, "multilabel, which takes 0 and 1 only", what)
    column = next(iter(columns.values()))
    if floats and (numbers or not labels):
        return "regression"
    if pa.types.is_integer(kinds[0]) and numbers != labels and numbers:
        return "regression"
    several = len(column.unique()) > 2
    if pa.types.is_integer(kinds[0]) and numbers == labels:
        _refuse_unclear(columns, "multiclass" if several else "binary", what)
    return "multiclass" if several or (labels and "binary" not in told) else "binary"


def _refuse_unclear(columns: Mapping[str, pa.ChunkedArray], labels: str, what: str) -> NoReturn:
    named = ", ".join(map(repr, columns))
    plural = len(columns) > 1
    raise FitError(
        what,
        f"the target{'s' * plural} {named} hold{'' if plural else 's'} whole numbers, which may be labels or numbers",
        f"Say task: {labels}, or task: regression; among several outputs, give this one its loss.",
    )


def _classes(name: str, column: pa.ChunkedArray, what: str) -> tuple[Any, ...]:
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_floating(column.type):
        odd = column.filter(pc.not_equal(column, pc.floor(column)))
        if len(odd):
            raise FitError(
                what,
                f"the target {name!r} holds numbers that are no classes, as {odd[0].as_py()!r}",
                "Say regression, with the loss mean_squared_error, or make classes of them first.",
            )
    classes = tuple(sorted(column.unique().to_pylist()))
    if len(classes) < 2:
        raise FitError(
            what,
            f"the target {name!r} has one class only, {classes[0]!r}"
            if classes
            else f"the target {name!r} has no rows",
            "Rows of two classes at least are needed: look at the source and at the split.",
        )
    return classes


# --- types and values ---


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    import pyarrow as pa

    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column


def _is_text(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _is_numeric(kind: pa.DataType) -> bool:
    import pyarrow as pa

    return any(test(kind) for test in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean))


def _is_indicator(column: pa.ChunkedArray) -> bool:
    """Whether a column of numbers holds nothing but 0 and 1."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_boolean(column.type):
        return True
    if not _is_numeric(column.type):
        return False
    return bool(pc.all(pc.or_(pc.equal(column, 0), pc.equal(column, 1)), min_count=0).as_py())


def _check(name: str, column: pa.ChunkedArray, where: str, what: str) -> None:
    import pyarrow as pa
    import pyarrow.compute as pc

    missing = column.null_count
    if pa.types.is_floating(column.type):
        missing += pc.sum(pc.invert(pc.is_finite(column))).as_py() or 0
    if missing:
        raise FitError(
            what,
            f"the target {name!r} of {where!r} has {missing} missing or infinite value{'s' * (missing != 1)} in "
            f"{len(column)} rows",
            "Leave out these rows.",
        )
    if not _is_numeric(column.type) and not _is_text(column.type):
        raise FitError(
            what,
            f"the target {name!r} is of type {column.type}",
            "Expected numbers, texts or booleans: convert it first.",
        )


def _check_indicator(name: str, column: pa.ChunkedArray, where: str, what: str) -> None:
    if _is_indicator(column):
        return
    odd = next(value for value in column.unique().to_pylist() if value not in (0, 1))
    raise FitError(
        what,
        f"the target {name!r} of {where!r} holds {odd!r}, and one of several labels is 0 or 1 in every row",
        "Make a column of 0 and 1 for each label, or say another task.",
    )


def _refuse_words(name: str, column: pa.ChunkedArray, what: str) -> NoReturn:
    raise FitError(
        what,
        f"the target {name!r} holds words, as {column[0].as_py()!r}, and regression is of numbers",
        "Say binary or multiclass, or name another target.",
    )

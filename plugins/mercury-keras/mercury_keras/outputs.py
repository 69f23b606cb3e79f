"""From what a model gives to predictions: labels and their scores in the order of the classes, or numbers.

Nothing here imports Keras.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercury_core.errors import PredictError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    import pyarrow as pa

    from mercury_core.data import Predictions
    from mercury_keras.specs import OutputSpec

    Array = np.ndarray[Any, Any]


def by_output(raw: Any, outputs: Sequence[OutputSpec], names: Sequence[str], what: str) -> dict[str, Any]:
    """What a model gave for a batch, by output.

    Args:
        raw: An array or a tensor, a list of them, or a mapping of them by name.
        outputs: Those that the model should give.
        names: The model's own names of its outputs, in the order of a list; empty where it has none.
        what: The model, for messages.

    Raises:
        PredictError: It gave something else.
    """
    wanted = [output.name for output in outputs]
    if isinstance(raw, dict):
        found = dict(raw)
    else:
        parts = list(raw) if isinstance(raw, list | tuple) else [raw]
        known = len(names) == len(parts) and set(wanted) <= set(names)
        found = dict(zip(names if known else wanted, parts, strict=False)) if len(parts) >= len(wanted) else {}
    if len(wanted) == 1 and len(found) == 1:
        found = {wanted[0]: next(iter(found.values()))}
    if any(name not in found for name in wanted):
        gave = ", ".join(map(repr, raw)) if isinstance(raw, dict) else str(len(parts))
        expected = ", ".join(map(repr, wanted))
        raise PredictError(
            what, f"it gave the outputs {gave}, expected {expected}", "Was the model changed after it was fitted?"
        )
    return {name: found[name] for name in wanted}


def check(array: Any, spec: OutputSpec, rows: int, first: int, what: str, advice: str = "") -> Array:
    """What one output gave for a batch, as rows × units of float32 or float64.

    Args:
        array: What it gave.
        spec: The output.
        rows: How many rows the batch has.
        first: The place of its first row in the data.
        what: The model, for messages.
        advice: What is to be done where it gave no numbers.

    Raises:
        PredictError: Another shape than the output should have, or no numbers (NaN).
    """
    import numpy as np

    array = np.asarray(array)
    if array.shape != (rows, spec.units) and not (array.shape == (rows,) and spec.units == 1):
        raise PredictError(
            what,
            f"its output {spec.name!r} gave an array of shape {array.shape} for {rows} rows",
            f"Expected {(rows, spec.units)}, as for the targets {', '.join(map(repr, spec.targets))}.",
        )
    half = array.dtype.itemsize == 2
    array = array.reshape(rows, spec.units)
    array = array if array.dtype in (np.float32, np.float64) else array.astype(np.float32)
    missing = np.isnan(array).any(axis=1)
    if missing.any():
        raise PredictError(
            what,
            f"it gave no number (NaN) for {int(missing.sum())} of the rows {first} to {first + rows - 1}, "
            f"first for row {first + int(missing.argmax())}",
            advice,
        )
    if half and spec.task == "multiclass" and not spec.logits:
        # Probabilities that were rounded to two bytes do not sum to 1, as metrics expect.
        array = array / array.sum(axis=1, keepdims=True)
    found: Array = array
    return found


def predictions(arrays: Mapping[str, Array], outputs: Sequence[OutputSpec]) -> Predictions:
    """Labels and scores of all rows.

    Args:
        arrays: By output, rows × units, as `check` gave them.
        outputs: What each of them means.

    Returns:
        ``values`` has a column a target, of its type for labels. ``scores`` of one output that tells classes apart
        has a column a class; of ``multilabel``, and of several outputs that all say yes or no (labels that are booleans
        or 0 and 1), a column a target; else there are none.
    """
    import pyarrow as pa

    from mercury_core.data import DataWrapper, Predictions

    columns: dict[str, pa.Array] = {}
    scores: list[tuple[OutputSpec, Array | None]] = []
    for spec in outputs:
        values, found = _one(arrays[spec.name], spec)
        columns |= dict(zip(spec.targets, values, strict=True))
        scores.append((spec, found))
    table = DataWrapper(pa.table(list(columns.values()), names=list(columns)))
    if len(scores) == 1:
        spec, found = scores[0]
        if found is None:
            return Predictions(table)
        names = spec.targets if spec.classes is None else [str(label) for label in spec.classes]
        return Predictions(table, DataWrapper(found, names), spec.classes)
    return Predictions(table, _of_several(scores))


def _of_several(scores: Sequence[tuple[OutputSpec, Array | None]]) -> Any:
    """One column a target, where all of them say yes or no."""
    import numpy as np

    from mercury_core.data import DataWrapper

    parts: list[Array] = []
    names: list[str] = []
    for spec, found in scores:
        if found is None or spec.task == "multiclass" or not set(spec.classes or ()) <= {0, 1}:
            return None
        parts.append(found if spec.task == "multilabel" else found[:, 1:])
        names += spec.targets
    return DataWrapper(np.concatenate(parts, axis=1), names)


def _one(array: Array, spec: OutputSpec) -> tuple[list[pa.Array], Array | None]:
    """The columns of one output, and its scores."""
    import numpy as np
    import pyarrow as pa

    if spec.task == "regression":
        return [pa.array(np.ascontiguousarray(column)) for column in array.T], None
    if spec.task == "multilabel":
        scores = _sigmoid(array) if spec.logits else array
        yes = array > 0 if spec.logits else array > 0.5
        types = spec.types or ("bool",) * len(spec.targets)
        return [_typed(column, kind) for column, kind in zip(yes.T, types, strict=True)], scores
    if spec.units == 1:
        scores = np.concatenate(
            [_sigmoid(-array), _sigmoid(array)] if spec.logits else [1 - array, array], axis=1, dtype=array.dtype
        )
        places = (array[:, 0] > 0) if spec.logits else (array[:, 0] > 0.5)
    else:
        scores = _softmax(array) if spec.logits else array
        places = array.argmax(axis=1)
    return [labels(spec).take(pa.array(places.astype(np.int64)))], scores


def _typed(column: Array, kind: str) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    return pa.array(np.ascontiguousarray(column)).cast(pa.type_for_alias(kind))


def labels(spec: OutputSpec) -> pa.Array:
    """The classes of an output, of the type that its target had in training; of one without classes, nothing."""
    import pyarrow as pa

    labels = pa.array(list(spec.classes or ()))
    # Labels of a category are plain ones here.
    plain = spec.types and not spec.types[0].startswith("dictionary")
    return labels.cast(pa.type_for_alias(spec.types[0])) if plain else labels


def _sigmoid(array: Array) -> Array:
    import numpy as np

    small = np.exp(-np.abs(array))  # of whatever logits, never more than 1
    result: Array = np.where(array >= 0, 1, small) / (1 + small)
    return result.astype(array.dtype, copy=False)


def _softmax(array: Array) -> Array:
    import numpy as np

    powers = np.exp(array - array.max(axis=1, keepdims=True))
    result: Array = powers / powers.sum(axis=1, keepdims=True)
    return result

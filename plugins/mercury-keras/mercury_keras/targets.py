"""From target columns to what a Keras loss takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from mercury_core.data import DataWrapper
    from mercury_keras.specs import OutputSpec

    Array = np.ndarray[Any, Any]


def output_specs(
    targets: DataWrapper,
    *,
    task: str = "auto",
    loss: Any = None,
    outputs: Mapping[str, Sequence[str]] | None = None,
) -> tuple[OutputSpec, ...]:
    """What a model is to give for those targets: task, columns, types and classes of each output.

    Args:
        targets: Those of training.
        task: ``auto`` tells it by type: texts, booleans and categories are labels; floats are numbers; several columns
            of booleans, or of 0 and 1, are labels that a row has or has not. One column of integers may be either: the
            loss tells, else it is an error.
        loss: As ``keras.fit`` takes it.
        outputs: The target columns by output, for a model of several outputs.

    Raises:
        FitError: Targets that are missing, of one class only, or not to be told apart.
        MissingColumnsError: `outputs` names columns that are not there.
    """
    raise NotImplementedError


def encode(targets: DataWrapper, spec: OutputSpec, where: str = "train") -> Array:
    """The targets of one output as its loss takes them.

    Args:
        targets: Columns, of which those of the output are taken by name.
        spec: The output, as ``building.build`` completed it.
        where: The data set, for messages.

    Returns:
        For ``binary`` of one unit float32 (rows, 1) of 0 and 1; for ``multiclass`` int32 (rows,) places in the classes,
        or float32 (rows, classes) where `spec.one_hot`; for ``multilabel`` and ``regression`` float32 (rows, targets).

    Raises:
        FitError: Missing values, labels that training did not have, numbers that are not 0 or 1 in ``multilabel``.
        MissingColumnsError: Columns are missing.
    """
    raise NotImplementedError

"""Predictions as one table, beside the index of the rows that they are for."""

from __future__ import annotations

from mercury_core.errors import PredictError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    import pyarrow as pa

    from mercury_core.data.data_set import DataSet
    from mercury_core.data.predictions import Predictions


def prediction_table(data_set: DataSet, predictions: Predictions) -> pa.Table:
    """Lay predictions beside the index of the rows that they are for.

    Args:
        data_set: The rows that were predicted.
        predictions: One a row, in the same order.

    Returns:
        The index columns; ``prediction``, or one ``prediction_TARGET`` a target where there are several; one
        ``score_CLASS`` a class, where the model gives scores.

    Raises:
        PredictError: Two of these columns would have the same name.
    """
    import pyarrow as pa

    columns: list[tuple[str, Any]] = []
    if "index" in data_set:
        columns += _columns(data_set["index"])
    values = _columns(predictions.values)
    columns += [("prediction" if len(values) == 1 else f"prediction_{name}", column) for name, column in values]
    if predictions.scores is not None:
        scores = _columns(predictions.scores)
        classes = predictions.classes or [name for name, _ in scores]
        columns += [(f"score_{label}", column) for label, (_, column) in zip(classes, scores, strict=True)]
    names = [name for name, _ in columns]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise PredictError(
            "this model into a table",
            f"it would have the column {twice[0]!r} twice",
            "Rename the index column or the class of that name in the training data.",
        )
    return pa.table([column for _, column in columns], names=names)


def _columns(wrapper: Any) -> list[tuple[str, Any]]:
    table = wrapper.to("arrow").underlying
    return list(zip(wrapper.field_names, table.columns, strict=True))

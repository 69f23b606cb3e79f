"""From predictions to tensors, and to the answers that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from mercury_http.datatypes import BYTES, datatype_of, datatype_of_array
from mercury_http.refusals import unknown
from mercury_http.tensors import to_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from mercury_core.data import DataWrapper, Predictions

    Array = np.ndarray[Any, Any]

#: The name of the tensor with a score a class.
SCORES = "scores"
_encode = msgspec.json.Encoder().encode


@dataclass
class Output:
    """One tensor of predictions: an array, or a list of texts.

    Attributes:
        name: Its name.
        values: A row a prediction.
        datatype: Of the protocol.
        width: The size of its second dimension; 0 where it has one only.
    """

    name: str
    values: Array | list[Any]
    datatype: str
    width: int = 0

    @cached_property
    def listed(self) -> list[Any]:
        """The values for JSON, flat."""
        return self.values if isinstance(self.values, list) else self.values.ravel().tolist()

    def json(self, start: int, stop: int) -> bytes:
        """Some rows as an element of ``outputs``."""
        width = self.width or 1
        shape = f"[{stop - start},{width}]" if self.width else f"[{stop - start}]"
        data = _encode(self.listed[start * width : stop * width])
        return b'{"name":%b,"datatype":"%b","shape":%b,"data":%b}' % (
            _encode(self.name), self.datatype.encode(), shape.encode(), data,
        )  # fmt: skip

    def binary(self, start: int, stop: int) -> tuple[bytes, bytes]:
        """Some rows as an element of ``outputs``, and as the bytes that it refers to."""
        content = to_bytes(self.values[start:stop])
        head = {
            "name": self.name,
            "datatype": self.datatype,
            "shape": [stop - start, *([self.width] if self.width else [])],
            "parameters": {"binary_data_size": len(content)},
        }
        return _encode(head), content


class Outputs:
    """All tensors of some predictions, by name: `prediction` (or one a target), and `scores` where there are any."""

    def __init__(self, predictions: Predictions) -> None:
        values = predictions.values
        single = len(values) == 1
        self.by_name: dict[str, Output] = {}
        for name, column in _columns(values):
            named = "prediction" if single else f"prediction_{name}"
            self.by_name[named] = _output(named, column)
        scores = predictions.scores
        if scores is not None:
            array = np.ascontiguousarray(scores.to("numpy").underlying)
            if array.dtype.kind not in "fiu":
                array = array.astype(np.float64)
            self.by_name[SCORES] = Output(SCORES, array, datatype_of_array(array), array.shape[1])

    def of(self, names: Sequence[str] | None) -> list[Output]:
        """The tensors of these names, all without.

        Raises:
            RequestError: There is none of such a name.
        """
        if names is None:
            return list(self.by_name.values())
        for name in names:
            if name not in self.by_name:
                raise unknown("output", name, self.by_name)
        return [self.by_name[name] for name in names]

    def columns(self, start: int, stop: int, score_names: Sequence[str]) -> dict[str, Array | list[Any]]:
        """Some rows as columns: the predictions, and ``score_NAME`` a score.

        Args:
            start: The first row.
            stop: The one after the last.
            score_names: What the scores are for, in their order.
        """
        columns: dict[str, Array | list[Any]] = {}
        for output in self.by_name.values():
            if output.name != SCORES:
                columns[output.name] = output.values[start:stop]
                continue
            names = score_names if len(score_names) == output.width else [str(n) for n in range(output.width)]
            for place, name in enumerate(names):
                columns[f"score_{name}"] = output.values[start:stop, place]  # type: ignore[call-overload]
        return columns


def _columns(wrapper: DataWrapper) -> list[tuple[str, Any]]:
    data = wrapper.underlying
    if wrapper.format == "numpy" and data.dtype.kind in "biuf":
        return [(name, data[:, place]) for place, name in enumerate(wrapper.field_names)]
    return list(zip(wrapper.field_names, wrapper.to("arrow").underlying.columns, strict=True))


def _output(name: str, column: pa.ChunkedArray | Array) -> Output:
    if isinstance(column, np.ndarray):
        return Output(name, column, datatype_of_array(column))
    datatype = datatype_of(str(column.type))
    if datatype != BYTES and not str(column.type).startswith("dictionary") and not column.null_count:
        return Output(name, column.to_numpy(), datatype)
    values = column.to_pylist()
    if datatype == BYTES:
        texts = [value if value is None or isinstance(value, str) else _text(value) for value in values]
        return Output(name, texts, BYTES)
    if column.null_count:
        numbers = np.array([np.nan if value is None else value for value in values], np.float64)
        return Output(name, numbers, "FP64")
    array = np.array(values)
    return Output(name, array, datatype_of_array(array))


def _text(value: Any) -> str:
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)

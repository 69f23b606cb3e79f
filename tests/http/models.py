"""Models that are served by the tests: small, plain, and of this module, so that a process of its own can make them."""

from __future__ import annotations

import base64
import os
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mercury_core import Bundle, DataWrapper, Predictions
from mercury_core.bundle import Field, Golden, Signature
from mercury_core.errors import PredictError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mercury_core import DataSet

#: A column of every datatype, and its Arrow type.
TYPES = {
    "BOOL": "bool",
    **{f"INT{bits}": f"int{bits}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"uint{bits}" for bits in (8, 16, 32, 64)},
    "FP16": "halffloat",
    "FP32": "float",
    "FP64": "double",
    "BYTES": "string",
}
NUMBERS = ("a", "b", "c")
WEIGHTS = np.array([1.0, -2.0, 0.5])


class Model:
    """A model of a function on a data set."""

    underlying = SimpleNamespace()
    classes: tuple[Any, ...] | None = None

    def __init__(self, predict: Callable[[DataSet], Predictions]) -> None:
        self.predict = predict


def echo() -> Bundle:
    """What comes in goes out, a target a column."""
    fields = tuple(Field(name.lower(), kind) for name, kind in TYPES.items())
    model = Model(lambda data: Predictions(DataWrapper(data.features.to("arrow").underlying)))
    return Bundle(model, signature=Signature(inputs=fields, targets=fields))


def scored(data: DataSet) -> Predictions:
    """A weighted sum, and what is above 0.5 of its logistic function is a yes."""
    rows = data.features.to("numpy").underlying
    with np.errstate(over="ignore", invalid="ignore"):
        yes = 1 / (1 + np.exp(-(rows * WEIGHTS).sum(axis=1)))
    labels = pa.table({"paid": pa.array(np.where(yes > 0.5, "yes", "no"))})
    return Predictions(DataWrapper(labels), DataWrapper(np.column_stack([1 - yes, yes]), ["no", "yes"]), ("no", "yes"))


def classifier(predict: Callable[[DataSet], Predictions] = scored, run: str | None = "run-7") -> Bundle:
    """Three floats in; a label and two scores out."""
    signature = Signature(
        inputs=tuple(Field(name, "double", nullable=False) for name in NUMBERS),
        targets=(Field("paid", "string"),),
        classes=("no", "yes"),
    )
    return Bundle(Model(predict), signature=signature, run=run)


def mixed() -> Bundle:
    """Columns as people have them: nulls, categories, a date; how much there is of each comes out."""

    def predict(data: DataSet) -> Predictions:
        table = data.features.to("arrow").underlying
        counts = [
            (row["age"] or 0) + len(row["city"] or "") + (row["day"].day if row["day"] else 0)
            for row in table.to_pylist()
        ]
        return Predictions(DataWrapper({"count": counts}))

    inputs = (
        Field("age", "int64"),
        Field("city", "dictionary<string>", categories=("Bonn", "Köln")),
        Field("day", "date32[day]"),
    )
    return Bundle(Model(predict), signature=Signature(inputs=inputs, targets=(Field("count", "int64"),)))


def images() -> Bundle:
    """Images of 2 × 3 points; the sum of each comes out."""

    def predict(data: DataSet) -> Predictions:
        column = data.features.underlying.column(0).combine_chunks()
        arrays = column.to_numpy_ndarray()
        return Predictions(DataWrapper({"sum": arrays.reshape(len(arrays), -1).sum(axis=1).astype(np.int64)}))

    field = Field("image", "string", nullable=False, shape=(2, 3, 1))
    return Bundle(Model(predict), signature=Signature(inputs=(field,), targets=(Field("sum", "int64"),)))


def files() -> Bundle:
    """Files by their content; the size of each comes out."""

    def predict(data: DataSet) -> Predictions:
        contents = data.features.underlying.column(0).to_pylist()
        assert all(one is None or isinstance(one, bytes) for one in contents)
        return Predictions(DataWrapper({"size": [len(one or b"") for one in contents]}))

    field = Field("image", "string", shape=(2, 3, 1))
    return Bundle(Model(predict), signature=Signature(inputs=(field,), targets=(Field("size", "int64"),)))


def pictures() -> Bundle:
    """Files by their content, with a golden picture: one of red points, 2 wide and 3 high."""
    bundle = files()
    picture = base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAIAAAADCAIAAAA2iEnWAAAAEElEQVR4nGP4z8AARAwoFABE0AX7pM/egAAAAABJRU5ErkJggg=="
    )
    golden = Golden(pa.table({"image": [picture]}), pa.table({"prediction": [len(picture)]}))
    return Bundle(bundle.model, signature=bundle.signature, golden=golden)


def refusing(data: DataSet) -> Predictions:
    """Refuses rows with a 13 in them, as models refuse rows."""
    if (data.features.to("numpy").underlying == 13).any():
        raise PredictError("this model", "there is a 13 in the rows", "Leave it out.")
    return scored(data)


def failing(data: DataSet) -> Predictions:
    """Has a fault of its own where a row has a 13."""
    if (data.features.to("numpy").underlying == 13).any():
        raise ZeroDivisionError("the secret of row 13")
    return scored(data)


class Gate:
    """A model that waits until it is let go.

    Attributes:
        entered: Set while it waits.
        sizes: How many rows each call had.
    """

    def __init__(self) -> None:
        self.entered, self.go = threading.Event(), threading.Event()
        self.sizes: list[int] = []
        self.go.set()

    def __call__(self, data: DataSet) -> Predictions:
        self.sizes.append(data.num_rows)
        self.entered.set()
        if not self.go.wait(30):
            raise TimeoutError
        return scored(data)


def process_id(data: DataSet) -> Predictions:
    """Which process predicts."""
    return Predictions(DataWrapper({"paid": [str(os.getpid())] * data.num_rows}))


def slow(data: DataSet) -> Predictions:
    """Takes a moment."""
    time.sleep(0.02)
    return scored(data)


def slower(data: DataSet) -> Predictions:
    """Takes longer than a signal."""
    time.sleep(1.0 if (data.features.to("numpy").underlying != 0).any() else 0)
    return scored(data)


def marking(data: DataSet) -> Predictions:
    """Leaves a mark once it is at work, and takes a moment longer."""
    if (data.features.to("numpy").underlying != 0).any():
        Path(os.environ["MARK_OF_TEST"]).touch()
        time.sleep(0.3)
    return scored(data)


def warming(data: DataSet) -> Predictions:
    """Takes long to predict anything the first time, and leaves a mark then."""
    mark = os.environ.get("MARK_OF_TEST")
    if mark:
        Path(mark).touch()
        time.sleep(1.0)
    return scored(data)


def hanging(data: DataSet) -> Predictions:
    """Never comes back, but for rows of nothing."""
    if (data.features.to("numpy").underlying != 0).any():
        threading.Event().wait()
    return scored(data)


def leaking(data: DataSet, held: list[bytes] = []) -> Predictions:  # noqa: B006
    """Keeps 4 MiB of every row."""
    held.append(b"x" * (data.num_rows << 22))
    return process_id(data)


def fit(bunch: Any, *, kind: str = "scored") -> Model:
    """A model that predicts with a function of this module."""
    model = Model(globals()[kind])
    model.kind = kind  # type: ignore[attr-defined]
    return model


class Kinds:
    """A format that writes the name of the function which a model predicts with."""

    def save(self, model: Any, path: Path) -> Path:
        path.write_text(model.kind)
        return path

    def load(self, path: Path, *, trusted: object = ()) -> Model:
        return Model(globals()[path.read_text()])


KINDS = Kinds()

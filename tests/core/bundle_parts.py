"""A format, a transform and a model that stand in the tests, and the data that they work on."""

from __future__ import annotations

import sys
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mercury_core import DataBunch, DataSet, DataWrapper, Predictions

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

HERE = "tests_bundle_parts"


@dataclass
class SumModel:
    """Predicts the sum of a row."""

    offset: float = 0.0

    @property
    def underlying(self) -> Any:
        return self

    def predict(self, data_set: DataSet) -> Predictions:
        rows = data_set.features.to("numpy").underlying
        return Predictions(DataWrapper((rows.sum(axis=1) + self.offset).reshape(-1, 1), ["y"]))


class SumFormat:
    def save(self, model: SumModel, path: Path, *, note: str = "") -> Path:
        path.mkdir()
        (path / "offset.txt").write_text(str(model.offset))
        (path / "note.txt").write_text(note)
        return path

    def load(self, path: Path, *, trusted: Any = ()) -> SumModel:
        return SumModel(float((path / "offset.txt").read_text()))


sum_format = SumFormat()


@dataclass
class Shifted:
    by: float

    def apply(self, data_set: DataSet) -> DataSet:
        rows = data_set.features.to("numpy").underlying
        return data_set.replace(features=DataWrapper(rows - self.by, data_set.features.field_names))

    def save(self, path: Path) -> None:
        (path / "by.txt").write_text(str(self.by))


class Shift:
    """Takes away the largest value of the training features."""

    def fit(self, bunch: DataBunch) -> Shifted:
        return Shifted(float(np.nanmax(bunch["train"].features.to("numpy").underlying)))

    @staticmethod
    def load(path: Path, *, trusted: Any = ()) -> Shifted:
        return Shifted(float((path / "by.txt").read_text()))


def double(data_set: DataSet, times: int = 2) -> DataSet:
    rows = data_set.features.to("numpy").underlying
    return data_set.replace(features=DataWrapper(rows * times, data_set.features.field_names))


def make_importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let references find the parts, under a name that does not depend on how the tests were imported."""
    module = types.ModuleType(HERE)
    for part in (SumFormat, Shift, double):
        monkeypatch.setattr(part, "__module__", HERE)
        setattr(module, part.__name__, part)
    module.sum_format = sum_format  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, HERE, module)


FORMAT = f"{HERE}:sum_format"
TRUSTED = [FORMAT, f"{HERE}:Shift", f"{HERE}:double"]


def data_set(a: list[Any], b: list[Any]) -> DataSet:
    return DataSet({"features": DataWrapper(pa.table({"a": a, "b": b})), "targets": DataWrapper(pa.table({"y": a}))})


def values(predictions: Predictions) -> list[float]:
    found: list[float] = predictions.values.to("numpy").underlying.ravel().tolist()
    return found

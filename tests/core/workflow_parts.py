"""Small providers that the tests of workflows name as ``workflow_parts:NAME``."""

from __future__ import annotations

import json
import os
import signal
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from mercury_core.contracts import Fault
from mercury_core.data import DataBunch, DataSet, DataWrapper, Predictions
from mercury_core.errors import MetricError

TABLE = pa.table({"id": [1, 2, 3, 4], "a": [0.0, 1.0, 2.0, 3.0], "y": [1.0, 1.0, 3.0, 3.0]})


class TableReader:
    def __call__(self, source: str, *, columns: list[str] | None = None, rows: int = 4) -> pa.Table:
        assert Path(source).is_absolute()
        table = TABLE.slice(0, rows)
        return table.select(columns) if columns is not None else table

    def schema(self, source: str, *, rows: int = 4) -> pa.Schema:
        if Path(source).stat().st_size == 0:
            raise ValueError("nothing in it")
        return TABLE.schema


class NamedReader(TableReader):
    def sources(self) -> list[str]:
        return ["small", "large"]

    def __call__(self, source: str, *, columns: list[str] | None = None, rows: int = 4) -> pa.Table:
        assert source in self.sources()
        return TABLE

    def schema(self, source: str, *, rows: int = 4) -> pa.Schema:
        return TABLE.schema


table = TableReader()
named = NamedReader()


def halves(bunch: DataBunch, into: dict[str, float]) -> DataBunch:
    (whole,) = bunch.values()
    size = whole.num_rows // len(into)
    return DataBunch({name: whole.slice(place * size, size) for place, name in enumerate(into)})


def mixed(bunch: DataBunch) -> DataBunch:
    return bunch


def same(data_set: DataSet, times: int = 1) -> DataSet:
    return data_set


def warn(data_set: DataSet) -> DataSet:
    warnings.warn("careful with hunter22", UserWarning, stacklevel=2)
    return data_set


def fail(data_set: DataSet, password: str = "", error: str = "ValueError") -> DataSet:
    if error == "SIGTERM":
        os.kill(os.getpid(), signal.SIGTERM)
    raise {"KeyboardInterrupt": KeyboardInterrupt}.get(error, ValueError)(f"no luck with {password}")


def look(data_set: DataSet) -> DataSet:
    """Tell what lies in the run directory by now."""
    (events,) = Path(os.environ["RUNS_OF_TEST"]).glob("*/events.jsonl")
    Path(os.environ["SEEN_OF_TEST"]).write_text(events.read_text())
    return data_set


class Shift:
    def __init__(self, by: float = 1.0) -> None:
        self.by = by

    def fit(self, bunch: DataBunch) -> Shift:
        assert bunch["train"].num_rows
        return self

    def apply(self, data_set: DataSet) -> DataSet:
        column = data_set.features["a"].to("numpy").underlying.ravel()
        return data_set.replace(features=DataWrapper(pa.table({"a": column + self.by})))

    def save(self, path: Path) -> None:
        (path / "by.json").write_text(json.dumps(self.by))

    @staticmethod
    def load(path: Path, *, trusted: Any = ()) -> Shift:
        return Shift(json.loads((path / "by.json").read_text()))


class Mean:
    """A model that predicts one number."""

    def __init__(self, number: float) -> None:
        self.number = number

    @property
    def underlying(self) -> Any:
        return self

    def predict(self, data_set: DataSet) -> Predictions:
        rows = data_set.features.num_rows
        return Predictions(DataWrapper(pa.table({"y": np.full(rows, self.number)})))


class MeanFitter:
    def __call__(self, bunch: DataBunch, *, add: float = 0.0) -> Mean:
        return Mean(float(np.mean(bunch["train"].targets.to("numpy").underlying)) + add)

    def check_params(self, params: Any) -> list[Fault]:
        return [Fault(("add",), "Ninety is too much to add.")] if params.get("add") == 90 else []


mean = MeanFitter()


class ToldMean(Mean):
    @property
    def training(self) -> dict[str, Any]:
        return {"epochs": 2, "history": {"loss": [np.float64(2.0), float("nan")]}}


def told_mean(bunch: DataBunch, notes: Path | None = None, title: str = "") -> ToldMean:
    """Say where the notes are read, as a fitter that reads them would."""
    if notes is not None:
        notes = Path(notes)
        assert notes.is_absolute()
        assert title in notes.read_text()
    return ToldMean(0.0)


def picky(targets: DataWrapper, predictions: Predictions) -> float:
    raise MetricError("picky", "it takes numbers below 1 only")


def gap(targets: DataWrapper, predictions: Predictions, power: int = 1) -> float:
    wanted = targets.to("numpy").underlying.ravel()
    found = predictions.values.to("numpy").underlying.ravel()
    return float(np.mean(np.abs(wanted - found) ** power))


def per_label(targets: DataWrapper, predictions: Predictions) -> dict[Any, Any]:
    return {1: np.float64(0.5), "nan": float("nan"), "matrix": np.eye(2)}


class MeanFormat:
    def save(self, model: Any, path: Path, indent: int | None = None) -> Path:
        path.mkdir()
        (path / "mean.json").write_text(json.dumps(model.number, indent=indent))
        return path

    def load(self, path: Path, *, trusted: Any = ()) -> Mean:
        return Mean(json.loads((path / "mean.json").read_text()))


mean_format = MeanFormat()


class Server:
    def __call__(self, bundle: Any, *, port: int = 8080) -> Any: ...

    def check_params(self, params: dict[str, Any]) -> list[Fault]:
        return [Fault(("port",), f"There is no port {params['port']}.")] if params.get("port", 0) > 65535 else []


server = Server()

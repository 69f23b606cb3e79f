"""Clipping, learnt from the training data."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mercury_core import DataBunch, DataSet


class FittedClip:
    """Knows the least and the greatest value of every feature."""

    def __init__(self, limits: dict[str, list[float]]) -> None:
        self.limits = limits

    def apply(self, data_set: DataSet) -> DataSet:
        """Clip the features."""
        table = data_set.features.to("arrow").underlying
        clipped = {
            name: pc.max_element_wise(pc.min_element_wise(table[name], pa.scalar(high)), pa.scalar(low))
            for name, (low, high) in self.limits.items()
        }
        return data_set.replace(features=pa.table(clipped))

    def save(self, path: Path) -> None:
        """Write the limits."""
        (path / "limits.json").write_text(json.dumps(self.limits))


class Clip:
    """Clips features to a part of the range that training has seen."""

    def __init__(self, *, part: float = 1.0) -> None:
        self.part = part

    def fit(self, bunch: DataBunch) -> FittedClip:
        """Learn the range."""
        table = bunch["train"].features.to("arrow").underlying
        limits = {}
        for name in table.column_names:
            low, high = pc.min(table[name]).as_py(), pc.max(table[name]).as_py()
            limits[name] = [low, low + (high - low) * self.part]
        return FittedClip(limits)

    @staticmethod
    def load(path: Path, *, trusted=()) -> FittedClip:
        """Read the limits."""
        return FittedClip(json.loads((path / "limits.json").read_text()))

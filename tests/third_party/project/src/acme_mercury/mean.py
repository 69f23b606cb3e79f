"""A model that predicts the mean."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from mercury_core import DataBunch, DataSet, DataWrapper, Predictions


class Mean:
    """Predicts the means of the targets; they are what is underlying."""

    def __init__(self, means: dict[str, float]) -> None:
        self.underlying = means

    def predict(self, data_set: DataSet) -> Predictions:
        """The means, for every row."""
        rows = data_set.num_rows
        return Predictions(
            DataWrapper(
                pa.table({name: pa.array([mean] * rows, pa.float64()) for name, mean in self.underlying.items()})
            )
        )


def fit_mean(bunch: DataBunch, offset: float = 0.0) -> Mean:
    """Fit: the mean of every target in training, and something to add to it."""
    table = bunch["train"].targets.to("arrow").underlying
    return Mean({name: pc.mean(table[name]).as_py() + offset for name in table.column_names})


class TextFormat:
    """Means in a text file."""

    def save(self, model: Mean, path: Path) -> Path:
        """Write."""
        path.write_text(json.dumps(model.underlying))
        return path

    def load(self, path: Path, *, trusted=()) -> Mean:
        """Read."""
        return Mean(json.loads(path.read_text()))


TEXT = TextFormat()

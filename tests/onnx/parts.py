"""Fitted models of scikit-learn, and what they were fitted on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from mercury_core import Bundle, DataBunch, DataSet, DataWrapper, fit_model
from mercury_core.bundle.replay import VerifyReport, compared
from mercury_core.data.prediction_table import prediction_table

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMES = ("a", "b", "c", "d")
RANDOM = np.random.default_rng(7)
X = RANDOM.normal(size=(200, 4))
SUM = X @ [1.0, -2.0, 0.5, 1.5]
NO_AND_YES = SUM > 0
THREE = np.digitize(SUM, [-2, 2])
TARGETS: dict[str, dict[str, Any]] = {
    "words": {"size": np.array(["small", "middle", "large"])[THREE].tolist()},
    "integers": {"size": (THREE * 10).tolist()},
    "two": {"paid": np.array(["no", "yes"])[NO_AND_YES.astype(int)].tolist()},
    "bools": {"paid": NO_AND_YES.tolist()},
    "labels": {"paid": NO_AND_YES.astype(int).tolist(), "seen": (X[:, 0] > 0).astype(int).tolist()},
    "number": {"price": SUM.tolist()},
    "numbers": {"price": SUM.tolist(), "weight": (SUM * -3 + X[:, 1]).tolist()},
    "counts": {"count": np.abs(SUM).tolist()},
}


def fitted(estimator: Any, target: str, features: Mapping[str, Any] | None = None, **params: Any) -> Bundle:
    """A bundle, of four columns of numbers unless others are given."""
    wrapper = DataWrapper(X, NAMES) if features is None else DataWrapper(pa.table(features))
    rows = wrapper.num_rows
    targets = DataWrapper({name: values[:rows] for name, values in TARGETS[target].items()})
    bunch = DataBunch({"train": DataSet({"features": wrapper, "targets": targets})})
    return fit_model(bunch, "sklearn.fit", estimator=estimator, **params)


def difference(one: Any, other: Any, features: Any, tolerance: float = 1e-5) -> VerifyReport:
    """By how much predictions of two models differ."""
    rows = DataSet({"features": features})
    tables = [prediction_table(rows, model.predict(rows)) for model in (one, other)]
    assert tables[0].schema.equals(tables[1].schema)
    return compared(tables[0].to_pydict(), tables[1].to_pydict(), tolerance)

"""A scikit-learn model that was exported to ONNX, as a model of Mercury. Nothing here imports scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mercury_core.bundle.fields import NUMBERS
from mercury_core.data import DataWrapper, Predictions
from mercury_core.data.matrix import decimals_as_floats
from mercury_core.errors import CorruptBundleError, MissingColumnsError, PredictError
from mercury_onnx.session import first_line

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mercury_core.data import DataSet
    from mercury_onnx.specs import Spec

    Array = np.ndarray[Any, Any]

_NUMBERS = {"tensor(double)": np.dtype(np.float64), "tensor(float)": np.dtype(np.float32)}
_TEXT = "tensor(string)"


class OnnxModel:
    """A session of onnxruntime with the names of what it takes and gives; usable from several threads at once.

    Attributes:
        underlying: The session.
        spec: What it takes and gives.
    """

    def __init__(self, session: Any, spec: Spec) -> None:
        self.underlying = session
        self.spec = spec
        inputs, outputs = session.get_inputs(), [one.name for one in session.get_outputs()]
        self._inputs = [(one.name, one.type) for one in inputs]
        self._run = session.run
        has_scores = spec.scores != "none"
        self._labels, self._both = outputs[:1], outputs[: 1 + has_scores]
        # Of targets of one type of numbers no table need be made.
        name = NUMBERS.get(spec.types[0]) if len(set(spec.types)) == 1 else None
        self._type = None if name is None else np.dtype(name)
        self._score_names = [str(label) for label in (spec.classes or spec.targets)] if has_scores else []
        self._one = self._inputs[0][0], _NUMBERS.get(self._inputs[0][1])

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """The labels of a classifier of one target, in the order of the score columns; else None."""
        return self.spec.classes

    def predict(self, data_set: DataSet) -> Predictions:
        """Predict every row.

        Args:
            data_set: Its features are taken by name; columns that the model does not know are left out.

        Returns:
            What the scikit-learn model would give: see `mercury_sklearn.model.SklearnModel.predict`.

        Raises:
            MissingColumnsError: Features are missing.
            PredictError: Rows that the estimator would refuse, as with missing values; or onnxruntime refused them.
        """
        return self._predict(data_set, self._both)

    def predict_values(self, data_set: DataSet) -> Predictions:
        """As `predict`, without scores."""
        return self._predict(data_set, self._labels)

    def _predict(self, data_set: DataSet, wanted: list[str]) -> Predictions:
        spec, features = self.spec, data_set.features
        if features.field_names != spec.features:
            missing = [name for name in spec.features if name not in features]
            if missing:
                raise MissingColumnsError("The data to predict", missing, features.field_names)
            features = features.select(spec.features)
        rows = features.num_rows
        if not rows:
            return self._nothing(scores=len(wanted) > 1)
        found = self.raw(features, wanted)
        values = self._values(found[0], rows)
        if len(found) == 1:
            return Predictions(values)
        return Predictions(values, DataWrapper(self._scores(found[1], rows), self._score_names), spec.classes)

    def raw(self, features: DataWrapper, wanted: list[str] | None = None) -> list[Any]:
        """What the graph gives for rows.

        Args:
            features: The columns, in the order of training.
            wanted: The names of its outputs, all without.

        Raises:
            PredictError: Rows that the estimator would refuse; or onnxruntime refused them.
        """
        feed = {self._one[0]: self._matrix(features)} if self.spec.matrix else self._columns(features)
        try:
            found: list[Any] = self._run(wanted, feed)
        except Exception as error:  # whatever onnxruntime raises
            raise PredictError(repr(self), first_line(error)) from error
        return found

    # --- in ---

    def _matrix(self, features: DataWrapper) -> Array:
        rows = features.underlying if features.format == "numpy" else None
        if rows is None or rows.dtype.kind not in "biuf":
            rows = decimals_as_floats(features).to("numpy", dtype="float64").underlying
        if rows.dtype.kind == "f":
            self._check(rows, range(rows.shape[1]))
        wanted = self._one[1]
        return rows if rows.dtype == wanted else _cast(rows, wanted)

    def _columns(self, features: DataWrapper) -> dict[str, Array]:
        feed = {}
        for place, ((name, kind), column) in enumerate(zip(self._inputs, features.field_names, strict=True)):
            part = features.select([column])
            if kind == _TEXT:
                values = part.to("numpy", dtype="object").underlying
                gaps = [row for row, (value,) in enumerate(values) if value is None or value != value]
                if gaps:
                    why = f"the column {column!r} has no text in {len(gaps)} of {len(values)} rows, first in {gaps[0]}"
                    raise PredictError(repr(self), why, "Fill it, or save the model as sklearn.skops.")
                feed[name] = values.astype(str).astype(object)
            else:
                values = decimals_as_floats(part).to("numpy", dtype="float64").underlying
                self._check(values, [place])
                feed[name] = _cast(values, _NUMBERS[kind])
        return feed

    def _check(self, rows: Array, places: Sequence[int]) -> None:
        """Refuse what the estimator refuses in these features: a graph would give some label all the same."""
        if np.logical_and.reduce(np.isfinite(rows), axis=None):
            return
        spec = self.spec
        odd = np.isnan(rows) & np.isin(places, spec.no_nan) | np.isinf(rows) & np.isin(places, spec.no_inf)
        if odd.any():
            shown = ", ".join(repr(spec.features[places[place]]) for place in np.flatnonzero(odd.any(axis=0))[:8])
            why = f"missing or infinite values are in {shown}, first in row {int(odd.any(axis=1).argmax())}"
            raise PredictError(repr(self), why, "Fill them with sklearn.preprocess, or leave out these rows.")

    # --- out ---

    def _values(self, found: Any, rows: int) -> DataWrapper:
        names = self.spec.targets
        try:
            columns = np.asarray(found).reshape(rows, len(names))
        except ValueError as error:
            raise self._odd(found) from error
        if self._type is not None and columns.dtype.kind in "biuf":
            return DataWrapper(columns.astype(self._type, copy=False), names)
        import pyarrow as pa

        parts = [
            pa.array(column.tolist()).cast(pa.type_for_alias(kind))
            for column, kind in zip(columns.T, self.spec.types, strict=True)
        ]
        return DataWrapper(pa.table(parts, names=list(names)))

    def _scores(self, found: Any, rows: int) -> Array:
        try:
            scores = arranged(self.spec, np.asarray(found, np.float64))
        except (ValueError, IndexError) as error:
            raise self._odd(found) from error
        if scores.shape != (rows, len(self._score_names)):
            raise self._odd(found)
        return scores

    def _nothing(self, *, scores: bool) -> Predictions:
        import pyarrow as pa

        empty = [pa.array([], pa.type_for_alias(kind)) for kind in self.spec.types]
        values = DataWrapper(pa.table(empty, names=list(self.spec.targets)))
        if not scores:
            return Predictions(values)
        names = self._score_names
        return Predictions(values, DataWrapper(np.empty((0, len(names))), names), self.spec.classes)

    def _odd(self, found: Any) -> PredictError:
        shape = np.shape(found)
        return PredictError(
            repr(self), f"it gave an array of shape {shape}", "Was its file changed after it was saved?"
        )

    def __repr__(self) -> str:
        taken, given = len(self.spec.features), ", ".join(self.spec.targets)
        return f"OnnxModel({self.spec.estimator}: {taken} feature{'s' * (taken != 1)} -> {given})"


def arranged(spec: Spec, scores: Array) -> Array:
    """Scores as a graph gives them, arranged as scikit-learn gives them: a column a class, or a target."""
    if spec.scores == "targets":
        parts = [
            part[:, place] if place >= 0 else np.zeros(len(part))
            for part, place in zip(scores, spec.places, strict=True)
        ]
        return np.column_stack(parts)
    if spec.scores == "reversed":
        return scores[:, ::-1]
    if spec.scores == "signed":
        last = scores[:, -1] if scores.ndim > 1 else scores
        return np.column_stack([-last, last])
    return scores


def model_of(session: Any, spec: Spec, where: Path) -> OnnxModel:
    """The model of a session, where that takes and gives what stands beside it.

    Args:
        session: Of onnxruntime.
        spec: What stands beside it.
        where: The file, for the error.

    Raises:
        CorruptBundleError: It takes or gives something else.
    """
    inputs, outputs = session.get_inputs(), session.get_outputs()
    faults = []
    wanted = 1 if spec.matrix else len(spec.features)
    if len(inputs) != wanted:
        faults.append(f"it takes {len(inputs)} inputs, and {wanted} stand beside it")
    kinds = {*_NUMBERS, *(() if spec.matrix else (_TEXT,))}
    faults += [f"its input {one.name!r} is {one.type}" for one in inputs if one.type not in kinds]
    width = inputs[0].shape[-1] if inputs and inputs[0].shape else None
    if spec.matrix and isinstance(width, int) and width != len(spec.features):
        faults.append(f"it takes {width} columns, and {len(spec.features)} stand beside it")
    if len(outputs) < 1 + (spec.scores != "none"):
        faults.append(f"it gives {len(outputs)} outputs, and scores stand beside it")
    if faults:
        raise CorruptBundleError(str(where), faults[:5])
    return OnnxModel(session, spec)


def _cast(rows: Array, wanted: Any) -> Array:
    with np.errstate(over="ignore"):
        cast: Array = rows.astype(wanted, copy=False)
    return cast

"""A fitted scikit-learn estimator as a model of Mercury."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from mercury_core.errors import PredictError
from mercury_sklearn.inputs import matrix, select, type_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from mercury_core.data import DataSet, DataWrapper, Predictions

    Array = np.ndarray[Any, Any]


class SklearnModel:
    """A fitted estimator with the names of what it takes and gives.

    Attributes:
        underlying: The estimator.
        feature_names: The feature columns, in the order of training.
        target_names: The targets; empty for a clusterer or an outlier detector that was fitted without.
        input: How features are handed over: ``numpy``, ``pandas``, ``polars`` or ``text``.
        target_types: The Arrow types of the targets, by name.

    Examples:
        >>> from mercury_core.data import DataSet
        >>> from sklearn.linear_model import LinearRegression
        >>> model = SklearnModel(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), ["x"], ["y"])
        >>> model.predict(DataSet({"features": {"x": [2.0]}})).values.to("numpy").underlying.round(6).tolist()
        [[5.0]]
    """

    def __init__(
        self,
        estimator: Any,
        feature_names: Sequence[str],
        target_names: Sequence[str],
        input: str = "numpy",  # noqa: A002
        target_types: Sequence[str] = (),
    ) -> None:
        self.underlying = estimator
        self.feature_names = tuple(feature_names)
        self.target_names = tuple(target_names)
        self.input = input
        self.target_types = tuple(target_types)

    def metadata(self) -> dict[str, Any]:
        """All but the estimator, ready for JSON; `from_metadata` takes it."""
        return {
            "feature_names": list(self.feature_names),
            "target_names": list(self.target_names),
            "input": self.input,
            "target_types": list(self.target_types),
        }

    @classmethod
    def from_metadata(cls, estimator: Any, metadata: Mapping[str, Any]) -> SklearnModel:
        """The model of an estimator and of what `metadata` gave."""
        return cls(estimator, **metadata)

    @cached_property
    def _is_classifier(self) -> bool:
        return type_of(self.underlying) == "classifier"

    @property
    def classes(self) -> tuple[Any, ...] | None:
        """The labels of a classifier of one target, in the order of the score columns; else None."""
        found: Any = getattr(self.underlying, "classes_", None)
        # Of several targets scikit-learn gives a list, of one target an array.
        return tuple(found.tolist()) if len(self.target_names) == 1 and hasattr(found, "tolist") else None

    def predict(self, data_set: DataSet) -> Predictions:
        """Predict every row.

        Args:
            data_set: Its features are taken by name; columns that the model does not know are left out.

        Returns:
            ``values`` has one column a target, under the target's name and of the target's type (``prediction`` for a
            model without targets). ``scores``, of classifiers only, has one column a class in the order of ``classes``:
            probabilities where the estimator gives them, else decision values (for two classes: ``-d`` and ``d``, so
            that the larger one wins there too). With several targets of two labels each, ``scores`` has one column a
            target, for the label 1; with several targets of more labels there are none.

        Raises:
            MissingColumnsError: Features are missing.
            PredictError: The estimator refused the rows.
        """
        return self._predict(data_set, scores=True)

    def predict_values(self, data_set: DataSet) -> Predictions:
        """As `predict`, without scores, which the estimator computes apart."""
        return self._predict(data_set, scores=False)

    def _predict(self, data_set: DataSet, *, scores: bool) -> Predictions:
        from mercury_core.data import DataWrapper, Predictions

        features = select(data_set.features, self.feature_names, "The data to predict")
        rows = matrix(features, self.input)
        try:
            # Labels and scores of a pipeline are of the same rows: what comes before its last step is done once.
            estimator, rows = _last_step(self.underlying, rows)
            values = estimator.predict(rows)
            found = self._scores(estimator, rows) if scores else None
        except (ValueError, TypeError, AttributeError) as error:
            from mercury_sklearn.estimators import describe
            from mercury_sklearn.refusals import explain

            raise PredictError(describe(self.underlying), *explain(error, features)) from error
        if found is None:
            return Predictions(self._values(values))
        names = [str(label) for label in self.classes or self.target_names]
        return Predictions(self._values(values), DataWrapper(found, names), self.classes)

    def _values(self, values: Any) -> DataWrapper:
        import numpy as np
        import pyarrow as pa

        from mercury_core.data import DataWrapper

        names = self.target_names or ("prediction",)
        columns = np.asarray(values).reshape(len(values), len(names))
        types = self.target_types or ("",) * len(names)
        if not self._is_classifier:
            types = ("",) * len(names)
        if columns.dtype.kind in "iuf" and "bool" not in types:
            return DataWrapper(columns, names)
        # Indicators of several labels come back as 0 and 1, whatever they were.
        arrays = [
            pa.array(np.ascontiguousarray(column.astype(bool) if kind == "bool" else column))
            for column, kind in zip(columns.T, types, strict=True)
        ]
        return DataWrapper(pa.table(arrays, names=list(names)))

    def _scores(self, estimator: Any, rows: Any) -> Array | None:
        if not self.target_names or not self._is_classifier:
            return None
        method = next((name for name in ("predict_proba", "decision_function") if hasattr(estimator, name)), None)
        if method is None:
            return None
        raw = getattr(estimator, method)(rows)
        return self._of_one(raw) if len(self.target_names) == 1 else self._of_several(raw)

    def _of_one(self, raw: Any) -> Array | None:
        import numpy as np

        classes = self.classes
        scores = np.asarray(raw)
        if scores.ndim == 1:
            scores = np.column_stack([-scores, scores])
        # One against one gives a column a pair of classes, which says nothing about a class.
        return scores if classes is not None and scores.shape[1] == len(classes) else None

    def _of_several(self, raw: Any) -> Array | None:
        import numpy as np

        if not isinstance(raw, list):
            scores = np.asarray(raw)
            return scores if scores.ndim == 2 and scores.shape[1] == len(self.target_names) else None
        labels = [list(found) for found in self.underlying.classes_]
        if any(set(found) - {0, 1} for found in labels):
            return None
        return np.column_stack(
            [
                part[:, found.index(1)] if 1 in found else np.zeros(len(part))
                for part, found in zip(raw, labels, strict=True)
            ]
        )

    def __repr__(self) -> str:
        from mercury_sklearn.estimators import describe

        taken, given = len(self.feature_names), ", ".join(self.target_names) or "prediction"
        return f"SklearnModel({describe(self.underlying)}: {taken} feature{'s' * (taken != 1)} -> {given})"


def _last_step(estimator: Any, rows: Any) -> tuple[Any, Any]:
    """The last step of a pipeline, and the rows as it takes them; whatever is no plain pipeline stays as it is."""
    from sklearn.pipeline import Pipeline

    while type(estimator) is Pipeline:
        for _, step in estimator.steps[:-1]:
            if step is not None and step != "passthrough":
                rows = step.transform(rows)
        estimator = estimator.steps[-1][1]
    return estimator, rows

"""The metrics of `sklearn.metrics`, by their own names: ``from mercury_sklearn.metrics import roc_auc_score``.

Each is a metric of Mercury: called with targets and predictions, it picks labels, probabilities, decision values or
numbers as it needs them, and gives back plain numbers and mappings. Its parameters are those of scikit-learn, by
their own names, with these differences:

- ``pos_label``: where scikit-learn's default is not one of the classes (text, say), the last of the two classes is
  the positive one. With more than two classes, the class that ``pos_label`` names is held against the rest.
- ``labels``: metrics of scores get the classes from the predictions, so that text, order, and classes that a data set
  lacks are no concern of the user.
- ``multi_class`` of ``roc_auc_score`` is ``"ovr"`` by default.
- ``average: null`` gives a mapping from label to number; ``multioutput: raw_values`` one from target to number.
- ``classification_report`` gives the mapping and never the text, so it has neither ``output_dict`` nor ``digits``.
- ``confusion_matrix`` gives ``{"labels": [...], "matrix": [[...]]}``, a row a true class, of all classes of the model.

What a metric leaves undefined is nan, with scikit-learn's warning.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from mercury_core.contracts import Fault
from mercury_core.errors import MetricError
from mercury_sklearn.metric_names import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mercury_core.data import DataWrapper, Predictions

# Texts, and what takes the place of targets and predictions.
_DROPPED = {"output_dict", "digits", "warn_for", "contingency"}
_DEFAULTS = {("roc_auc_score", "multi_class"): "ovr"}


class SklearnMetric:
    """A metric of `sklearn.metrics` as a metric of Mercury.

    Args:
        name: Its name there.

    Raises:
        AttributeError: The installed scikit-learn does not have it.

    Examples:
        >>> import numpy as np
        >>> from mercury_core import DataWrapper, Predictions
        >>> targets = DataWrapper(np.array([["no"], ["yes"], ["yes"]]), ["sick"])
        >>> values = DataWrapper(np.array([["no"], ["yes"], ["no"]]), ["sick"])
        >>> recall = SklearnMetric("recall_score")
        >>> recall(targets, Predictions(values, classes=("no", "yes")))
        0.5
        >>> recall(targets, Predictions(values, classes=("no", "yes")), average=None)
        {'no': 1.0, 'yes': 0.5}
    """

    def __init__(self, name: str) -> None:
        import sklearn.metrics

        if not hasattr(sklearn.metrics, name):
            raise AttributeError(f"scikit-learn {sklearn.__version__} has no metric {name!r}: install a newer one")
        self._function: Any = getattr(sklearn.metrics, name)
        self.__name__ = self.__qualname__ = name
        self.__doc__ = f"{METRICS[name]}: see `sklearn.metrics.{name}`."
        theirs = list(inspect.signature(self._function).parameters.values())[2:]
        own = [
            parameter.replace(
                kind=inspect.Parameter.KEYWORD_ONLY, default=_DEFAULTS.get((name, parameter.name), parameter.default)
            )
            for parameter in theirs
            if parameter.name not in _DROPPED and parameter.default != "deprecated"
        ]
        given = [
            inspect.Parameter(each, inspect.Parameter.POSITIONAL_OR_KEYWORD) for each in ("targets", "predictions")
        ]
        self.__signature__ = inspect.Signature([*given, *own])

    def __call__(self, targets: DataWrapper, predictions: Predictions, **params: Any) -> Any:
        """Measure.

        Args:
            targets: What is true, one column a target.
            predictions: What was predicted, of the same rows; with scores, where the metric needs them.
            **params: The metric's own parameters.

        Returns:
            A number; or a mapping, see the page of this module.

        Raises:
            MetricError: Predictions of another kind than the metric needs, or which it refused.
            TypeError: A parameter that the metric does not have.
        """
        from mercury_sklearn.metrics_feeding import feed
        from mercury_sklearn.metrics_inputs import Measured
        from mercury_sklearn.metrics_results import as_plain

        bound = self.__signature__.bind(targets, predictions, **params)
        bound.apply_defaults()
        asked = dict(list(bound.arguments.items())[2:])
        name = self.__name__
        measured = Measured(f"sklearn.{name}", targets, predictions, asked.get("labels"))
        truth, predicted, passed, labels = feed(name, measured, asked)
        known = inspect.signature(self._function).parameters
        try:
            result = self._function(
                truth, predicted, **{each: value for each, value in passed.items() if each in known}
            )
        except (ValueError, TypeError) as error:
            raise MetricError(
                f"sklearn.{name}", f"scikit-learn refused: {' '.join(str(error).split())}", f"Here {measured.kind}."
            ) from error
        return as_plain(name, result, labels)

    def check_params(self, params: Mapping[str, Any]) -> Iterator[Fault]:
        """What is wrong with `params`, by scikit-learn's own rules."""
        from sklearn.utils._param_validation import InvalidParameterError, validate_parameter_constraints

        rules = self._function._skl_parameter_constraints
        for name, value in params.items():
            if name in rules:
                try:
                    validate_parameter_constraints({name: rules[name]}, {name: value}, self.__name__)
                except InvalidParameterError as error:
                    yield Fault((name,), str(error))

    def __repr__(self) -> str:
        return f"<metric sklearn.{self.__name__}>"


def __getattr__(name: str) -> SklearnMetric:
    """Make a metric when it is first used."""
    if name not in METRICS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    metric = globals()[name] = SklearnMetric(name)
    return metric


def __dir__() -> list[str]:
    return sorted({*globals(), *METRICS})

"""From a scikit-learn model to ONNX, by skl2onnx, and the proof that what came out predicts the same."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mercury_core.bundle.replay import compared
from mercury_core.data import DataSet, DataWrapper
from mercury_core.data.prediction_table import prediction_table
from mercury_core.errors import MercuryError, UnsavableModelError
from mercury_onnx import session as sessions
from mercury_onnx.model import OnnxModel, arranged
from mercury_onnx.sample import Kind, kinds_of, sample
from mercury_onnx.specs import Spec

if TYPE_CHECKING:
    from mercury_sklearn.model import SklearnModel

    from mercury_core.bundle.replay import VerifyReport
    from mercury_core.data import Predictions

_MATRIX = "features"
_ELSE = "Save it as sklearn.skops."
# Beyond so many columns all are taken to refuse what one of them does.
_MOST_TRIED = 500
_LIBRARIES = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime")
# What skl2onnx says of a class that it has no converter for.
_LACKS = re.compile(r"(?:shape calculator|converter) for (?:type|model) '?<class '[\w.]*?(\w+)'>")


def exported(model: SklearnModel, key: str, threads: int) -> tuple[bytes, Spec]:
    """Export a model: in 64-bit floats as scikit-learn computes, in 32-bit ones where an operator has no others.

    Args:
        model: The model.
        key: Of the format, for messages.
        threads: See `Spec`.

    Returns:
        The ONNX file and what stands beside it.

    Raises:
        UnsavableModelError: skl2onnx or onnxruntime lacks something that the model needs; or what came out predicts
            otherwise.
    """
    kinds = kinds_of(model.underlying, model.feature_names)
    rows = DataSet({"features": sample(model, kinds)})
    try:
        wanted = model.predict(rows)
    except MercuryError as error:
        why = f"{key} tries an export with rows that it makes up, and the model predicts none of them ({error})"
        raise UnsavableModelError(repr(model), why, _ELSE) from error
    failures: list[str] = []
    for is_double in (True, False):
        try:
            content = _converted(model, kinds, is_double=is_double)
            bare = OnnxModel(sessions.of(content), _bare(model, wanted))
            given = bare.raw(rows.features)
        except Exception as error:  # noqa: BLE001  whatever skl2onnx and onnxruntime raise
            failures.append(_said(error, key))
            continue
        again = OnnxModel(bare.underlying, _spec(model, wanted, given, threads))
        report = _difference(rows, wanted, again)
        if report.holds:
            no_nan, no_inf = (_refused(model, again, rows, kinds, value) for value in (np.nan, np.inf))
            return content, replace(again.spec, no_nan=no_nan, no_inf=no_inf)
        moved = f"by {report.largest:.1e}, and {report.tolerance:g} is allowed ({report.where})"
        failures.insert(0, f"what {key} wrote predicts otherwise, {moved}")
    raise UnsavableModelError(repr(model), failures[0], _ELSE)


def _converted(model: SklearnModel, kinds: dict[str, Kind], *, is_double: bool) -> bytes:
    from mercury_sklearn.inputs import type_of
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    from mercury_onnx.sklearn_trees import CONVERTERS, finished

    numbers = DoubleTensorType if is_double else FloatTensorType
    names = model.feature_names
    inputs = [(name, (StringTensorType if kinds[name].is_text else numbers)([None, 1])) for name in names]
    arguments: dict[str, Any] = {
        "initial_types": inputs if model.input != "numpy" else [(_MATRIX, numbers([None, len(names)]))],
        "target_opset": {"": 21, "ai.onnx.ml": 3},
        "custom_conversion_functions": CONVERTERS,
    }
    plain = {id(model.underlying): {"zipmap": False}} if type_of(model.underlying) == "classifier" else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of skl2onnx's insides; what matters is what comes out
        try:
            made = convert_sklearn(model.underlying, options=plain, **arguments)
        except NameError:  # an option that a class does not have, which gives columns anyway
            made = convert_sklearn(model.underlying, **arguments)
    return bytes(finished(made).SerializeToString())


def _bare(model: SklearnModel, wanted: Predictions) -> Spec:
    """What has to be known to feed it."""
    from mercury_sklearn.estimators import describe

    return Spec(
        estimator=describe(model.underlying),
        features=tuple(model.feature_names),
        targets=wanted.values.field_names,
        types=tuple(str(kind) for kind in wanted.values.to("arrow").underlying.schema.types),
        matrix=model.input == "numpy",
    )


def _spec(model: SklearnModel, wanted: Predictions, given: list[Any], threads: int) -> Spec:
    from importlib.metadata import version

    spec = replace(
        _bare(model, wanted),
        classes=wanted.classes,
        threads=threads,
        versions={name: version(name) for name in _LIBRARIES},
    )
    return spec if wanted.scores is None else _with_scores(spec, model, wanted.scores.to("numpy").underlying, given)


def _with_scores(spec: Spec, model: SklearnModel, wanted: Any, given: list[Any]) -> Spec:
    """How the scores of scikit-learn are had of the second output: that way which gives them most exactly."""
    found = np.asarray(given[1], np.float64) if len(given) > 1 else np.empty((0, 0))
    if found.ndim == 3:
        classes = [list(labels) for labels in model.underlying.classes_]
        return replace(spec, scores="targets", places=tuple(one.index(1) if 1 in one else -1 for one in classes))
    ways = [replace(spec, scores="columns"), replace(spec, scores="reversed"), replace(spec, scores="signed")]
    made = [(way, arranged(way, found)) for way in ways]
    fitting = [(way, np.abs(scores - wanted).max()) for way, scores in made if scores.shape == wanted.shape]
    return min(fitting, key=lambda one: float(one[1]), default=(ways[0], 0))[0]


def _difference(rows: DataSet, wanted: Predictions, again: OnnxModel) -> VerifyReport:
    both = (prediction_table(rows, one).to_pydict() for one in (wanted, again.predict(rows)))
    return compared(next(both), next(both), sessions.TOLERANCE)


def _refused(
    model: SklearnModel, again: OnnxModel, rows: DataSet, kinds: dict[str, Kind], value: float
) -> tuple[int, ...]:
    """The places of the columns in which a number is refused, or would be taken otherwise by the export."""
    numeric = [place for place, name in enumerate(model.feature_names) if not kinds[name].is_text]
    if not numeric or _takes(model, again, rows, numeric, value):
        return ()
    if len(numeric) > _MOST_TRIED:
        return tuple(numeric)
    return tuple(place for place in numeric if not _takes(model, again, rows, [place], value))


def _takes(model: SklearnModel, again: OnnxModel, rows: DataSet, places: list[int], value: float) -> bool:
    """Whether both predict the same where a number stands in these columns, in each in a row of its own."""
    features = rows.features
    columns = [features[name].to("numpy").underlying[:, 0].copy() for name in features]
    for row, place in enumerate(places):
        columns[place][row % features.num_rows] = value
    is_matrix = model.input == "numpy"
    data: Any = np.column_stack(columns) if is_matrix else dict(zip(model.feature_names, columns, strict=True))
    odd = DataSet({"features": DataWrapper(data, model.feature_names)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _difference(odd, model.predict(odd), again).holds
        except MercuryError:
            return False


def _said(error: BaseException, key: str) -> str:
    """What was said, with the estimator that it is about."""
    lacking = _LACKS.search(str(error))
    if lacking:
        return f"skl2onnx has no converter for {lacking[1]}, so {key} cannot write it"
    return f"{key} failed ({sessions.first_line(error)})"

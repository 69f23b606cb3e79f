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
from mercury_onnx.model import OnnxModel
from mercury_onnx.sample import Kind, kinds_of, sample
from mercury_onnx.specs import Spec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mercury_sklearn.model import SklearnModel

    from mercury_core.data import Predictions

_MATRIX = "features"
_ELSE = "Save it as sklearn.skops."
_LIBRARIES = ("scikit-learn", "skl2onnx", "onnx", "onnxruntime")
# What skl2onnx says of a class that it has no converter for.
_LACKS = re.compile(
    r"(?:shape calculator|converter) for (?:type|model) '?<class '[\w.]*?(\w+)'>|for alias 'Sklearn(\w+)'"
)


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
        why = f"{key} tries an export with rows that it makes up, and the model predicts none ({error})"
        raise UnsavableModelError(repr(model), why, _ELSE) from error
    failed: BaseException | None = None
    moved = ""
    for is_double in (True, False):
        try:
            content = _converted(model, kinds, is_double=is_double)
            bare = OnnxModel(sessions.of(content), _bare(model, wanted))
            given = bare.raw(rows.features)
        except Exception as error:  # noqa: BLE001  whatever skl2onnx and onnxruntime raise
            failed = failed or error
            continue
        spec = _spec(model, rows, kinds, wanted, given, threads)
        try:
            found = OnnxModel(bare.underlying, spec).predict(rows)
        except MercuryError as error:
            failed = failed or error
            continue
        report = compared(*(prediction_table(rows, one).to_pydict() for one in (wanted, found)), sessions.TOLERANCE)
        if report.holds:
            return content, spec
        moved = moved or f"by {report.largest:.1e}, and {report.tolerance} is allowed ({report.where})"
    if moved:
        raise UnsavableModelError(repr(model), f"what {key} wrote predicts otherwise, {moved}", _ELSE)
    assert failed is not None  # noqa: S101 -- neither way came through
    raise UnsavableModelError(repr(model), _said(failed, key), _ELSE) from failed


def _is_classifier(model: SklearnModel) -> bool:
    from mercury_sklearn.inputs import type_of

    return type_of(model.underlying) == "classifier"


def _converted(model: SklearnModel, kinds: dict[str, Kind], *, is_double: bool) -> bytes:
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType

    from mercury_onnx.sklearn_trees import CONVERTERS, finished

    estimator: Any = model.underlying
    numbers = DoubleTensorType if is_double else FloatTensorType
    names = model.feature_names
    if model.input == "numpy":
        inputs = [(_MATRIX, numbers([None, len(names)]))]
    else:
        inputs = [(name, (StringTensorType if kinds[name].is_text else numbers)([None, 1])) for name in names]
    arguments = {
        "initial_types": inputs,
        "target_opset": {"": 21, "ai.onnx.ml": 3},
        "custom_conversion_functions": CONVERTERS,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of skl2onnx's insides; what matters is what comes out
        if not _is_classifier(model):
            return bytes(finished(convert_sklearn(estimator, **arguments)).SerializeToString())
        try:
            made = convert_sklearn(estimator, options={id(estimator): {"zipmap": False}}, **arguments)
        except NameError:  # of a classifier that gives no maps and does not know the option
            made = convert_sklearn(estimator, **arguments)
        return bytes(finished(made).SerializeToString())


def _bare(model: SklearnModel, wanted: Predictions) -> Spec:
    """What has to be known to feed it."""
    names = wanted.values.field_names
    return Spec("", tuple(model.feature_names), names, ("string",) * len(names), matrix=model.input == "numpy")


def _spec(
    model: SklearnModel, rows: DataSet, kinds: dict[str, Kind], wanted: Predictions, given: list[Any], threads: int
) -> Spec:
    from mercury_sklearn.estimators import describe

    types = wanted.values.to("arrow").underlying.schema.types
    return replace(
        _bare(model, wanted),
        estimator=describe(model.underlying),
        types=tuple(map(str, types)),
        classes=wanted.classes,
        refused=tuple(_refused(model, rows, kinds)),
        threads=threads,
        versions=_versions(),
        **_scores(model, wanted, given),
    )


def _scores(model: SklearnModel, wanted: Predictions, given: list[Any]) -> dict[str, Any]:
    """How the scores of scikit-learn are had of the second output."""
    if wanted.scores is None:
        return {"scores": "none"}
    found = np.asarray(given[1]) if len(given) > 1 else np.empty(0)
    if found.ndim == 3:
        classes = [list(labels) for labels in model.underlying.classes_]
        return {"scores": "targets", "places": tuple(one.index(1) if 1 in one else -1 for one in classes)}
    wide = found.shape == wanted.scores.to("numpy").underlying.shape
    # Of two classes some give one decision value, or one that stands for the second beside another thing.
    signed = len(wanted.classes or ()) == 2 and not _are_probabilities(wanted)
    return {"scores": "signed" if signed or not wide else "columns"}


def _are_probabilities(wanted: Predictions) -> bool:
    return wanted.scores is not None and bool((wanted.scores.to("numpy").underlying >= 0).all())


def _refused(model: SklearnModel, rows: DataSet, kinds: dict[str, Kind]) -> Iterator[str]:
    """What the estimator refuses in a column of numbers, tried."""
    features = rows.features.slice(0, 1)
    for name, value in (("nan", np.nan), ("inf", np.inf)):
        parts = {
            one: features[one].to("arrow").underlying.column(0) if kinds[one].is_text else np.full(1, value)
            for one in features
        }
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model.predict(DataSet({"features": DataWrapper(parts)}))
        except MercuryError:
            yield name


def _said(error: BaseException, key: str) -> str:
    """What was said, with the estimator that it is about."""
    found = _LACKS.search(str(error))
    if found:
        return f"skl2onnx has no converter for {found[1]}, so {key} cannot write it"
    return f"{key} failed ({sessions.first_line(error)})"


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in _LIBRARIES}

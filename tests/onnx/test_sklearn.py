"""``sklearn.onnx``: what comes back predicts what the scikit-learn model predicts, and what cannot is not saved."""

from __future__ import annotations

import json
import shutil
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from mercury_onnx import sklearn_export, sklearn_format
from mercury_onnx.model import OnnxModel
from mercury_onnx.sklearn_format import sklearn_onnx
from mercury_sklearn.model import SklearnModel

from mercury_core import Bundle, DataSet, DataWrapper, load_model, verify
from mercury_core.contracts import Model, ValuesPredictor
from mercury_core.errors import (
    ArgumentsError,
    BundleError,
    MissingColumnsError,
    PredictError,
    ProviderNotInstalledError,
    UnsavableModelError,
)
from mercury_core.parameters import check
from tests.onnx.parts import NAMES, RANDOM, SUM, X, difference, fitted

if TYPE_CHECKING:
    from pathlib import Path

SCALED = {"use": "StandardScaler"}
LINE = {"use": "LogisticRegression"}
TREES = {"n_estimators": 15, "random_state": 0}
#: Estimator, targets, parameters; and by how much predictions may differ, where that is seen to be less than allowed.
MODELS: dict[str, tuple[Any, str, dict[str, Any], float]] = {
    "pipeline": ([SCALED, LINE], "words", {}, 1e-14),
    "integers": ("LogisticRegression", "integers", {}, 1e-14),
    "bools": ("LogisticRegression", "bools", {}, 1e-14),
    "forest": ("RandomForestClassifier", "words", {"params": TREES}, 1e-6),
    "forest of two": ("RandomForestClassifier", "bools", {"params": TREES}, 1e-6),
    "forest of labels": ("RandomForestClassifier", "labels", {"params": TREES}, 1e-6),
    "forest of numbers": ("RandomForestRegressor", "numbers", {"params": TREES}, 1e-14),
    "extra trees": ("ExtraTreesClassifier", "integers", {"params": TREES}, 1e-6),
    "tree": ("DecisionTreeRegressor", "number", {}, 1e-14),
    "boosting": ("HistGradientBoostingClassifier", "words", {"params": {"max_iter": 5}}, 1e-14),
    "boosting of two": ("HistGradientBoostingClassifier", "two", {"params": {"max_iter": 5}}, 1e-14),
    "boosting of numbers": ("HistGradientBoostingRegressor", "number", {"params": {"max_iter": 5}}, 1e-14),
    "counts": ("HistGradientBoostingRegressor", "counts", {"params": {"max_iter": 5, "loss": "poisson"}}, 1e-14),
    "older boosting": ("GradientBoostingClassifier", "words", {"params": {"n_estimators": 5}}, 1e-6),
    "leaf": ("HistGradientBoostingClassifier", "two", {"params": {"max_iter": 2, "min_samples_leaf": 150}}, 1e-14),
    "margins": ("LinearSVC", "two", {}, 1e-5),
    "kernels": ("SVC", "bools", {}, 1e-5),
    "one margin each": ("RidgeClassifier", "words", {}, 1e-5),
    "line": ("Ridge", "numbers", {}, 1e-13),
    "neighbours": ("KNeighborsClassifier", "words", {}, 1e-6),
    "network": ([SCALED, {"use": "MLPRegressor", "params": {"max_iter": 2000, "tol": 0.01}}], "number", {}, 1e-12),
    "search": ("GridSearchCV", "two", {"params": {"estimator": LINE, "param_grid": {"C": [0.1, 1]}}}, 1e-13),
}
VOTERS = {"estimators": [LINE, {"use": "DecisionTreeClassifier"}], "voting": "soft"}
MODELS["votes"] = ("VotingClassifier", "words", {"params": VOTERS}, 1e-6)
MODELS["labels"] = ("MultiOutputClassifier", "labels", {"params": {"estimator": LINE}}, 1e-14)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Path]:
    """A pipeline, and where it is saved."""
    bundle = fitted([SCALED, LINE], "words")
    return bundle, bundle.save(tmp_path_factory.mktemp("line") / "m", format="sklearn.onnx")


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_those_of_scikit_learn(name: str, tmp_path: Path) -> None:
    estimator, target, more, tolerance = MODELS[name]
    bundle = fitted(estimator, target, **more)
    bundle.save(tmp_path / "m", format="sklearn.onnx")
    again = load_model(shutil.copytree(tmp_path / "m", tmp_path / "copy"))
    assert isinstance(again.model, OnnxModel)
    assert again.model.classes == bundle.model.classes
    for rows in (1, 200):
        report = difference(bundle, again, DataWrapper(RANDOM.normal(size=(rows, 4)), NAMES), tolerance)
        assert report.holds, report
    assert verify(tmp_path / "copy").largest <= tolerance
    rows = DataSet({"features": DataWrapper(X, NAMES)})
    assert again.predict(rows, scores=False).values == again.predict(rows).values
    assert again.predict(rows, scores=False).scores is None


def test_columns_of_words_and_of_numbers_with_gaps(tmp_path: Path) -> None:
    pytest.importorskip("pandas")
    island = np.array(["Biscoe", "Dream", "Torgersen"])[RANDOM.integers(0, 3, 200)]
    mass = [None if place % 9 == 0 else value for place, value in enumerate((SUM * 100 + 4000).tolist())]
    steps = {"use": "Pipeline", "params": {"steps": [{"use": "SimpleImputer"}, SCALED]}, "columns": ["mass (g)"]}
    parts = [{"use": "OneHotEncoder", "params": {"handle_unknown": "ignore"}, "columns": ["island"]}, steps]
    columns = {"island": island, "mass (g)": mass, "year": RANDOM.integers(2007, 2010, 200)}
    estimator = [{"use": "ColumnTransformer", "params": {"transformers": parts, "remainder": "passthrough"}}, LINE]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it may not converge
        bundle = fitted(estimator, "two", columns)
    again = load_model(bundle.save(tmp_path / "m", format="sklearn.onnx"))
    assert difference(bundle, again, DataWrapper(pa.table(columns))).holds
    new = {"island": ["Elsewhere"], "mass (g)": [4000.0], "year": [2008]}
    assert difference(bundle, again, DataWrapper(pa.table(new))).holds
    gap = DataSet({"features": DataWrapper(pa.table({**new, "island": pa.array([None], pa.string())}))})
    with pytest.raises(PredictError, match=r"'island' has no text in 1 of 1 rows, first in 0.*sklearn\.skops"):
        again.model.predict(gap)


def test_transforms_stay_beside_it(tmp_path: Path) -> None:
    from mercury_core import DataBunch, fit_model, transform_data_bunch

    features = {"x": [1.0, 2.0, None, 4.0], "w": ["u", "v", "u", "v"]}
    data = DataSet({"features": features, "targets": {"y": [1.0, 2.0, 3.0, 4.0]}})
    bunch = transform_data_bunch(DataBunch({"train": data}), "sklearn.preprocess")
    bundle = fit_model(bunch, "sklearn.fit", estimator="Ridge")
    path = bundle.save(tmp_path / "m", format="sklearn.onnx")
    assert (path / "transforms" / "00").is_dir()
    assert difference(bundle, load_model(path), data.features, 1e-13).holds


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=4, max_size=4), min_size=1, max_size=5))
def test_rows_of_any_size_give_the_same(line: tuple[Bundle, Path], rows: list[list[float]]) -> None:
    bundle, path = line
    model = _loaded(path)
    assert difference(bundle, model, DataWrapper(np.array(rows), NAMES), 1e-9).holds


def _loaded(path: Path, cache: dict[Path, Bundle] = {}) -> Bundle:  # noqa: B006
    return cache.setdefault(path, cache.get(path) or load_model(path))


def test_it_is_a_model_that_can_leave_out_scores(line: tuple[Bundle, Path]) -> None:
    model = load_model(line[1]).model
    assert isinstance(model, Model)
    assert isinstance(model, ValuesPredictor)
    assert repr(model) == "OnnxModel(StandardScaler -> LogisticRegression: 4 features -> size)"
    options = model.underlying.get_session_options()
    assert options.intra_op_num_threads == 1
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_columns_come_in_any_order_and_type_and_none_come_out_of_none(line: tuple[Bundle, Path]) -> None:
    bundle, model = line[0], load_model(line[1]).model
    table = pa.table({"more": ["x"] * 200, **{name: X[:, place] for place, name in reversed([*enumerate(NAMES)])}})
    assert difference(bundle.model, model, DataWrapper(table), 1e-14).holds
    assert difference(bundle.model, model, DataWrapper(X.astype(int), NAMES), 1e-14).holds
    decimal = DataWrapper(pa.table({name: pa.array([1, 2], pa.decimal128(5, 2)) for name in NAMES}))
    assert difference(bundle.model, model, decimal, 1e-14).holds
    nothing = model.predict(DataSet({"features": DataWrapper(X[:0], NAMES)}))
    assert nothing.num_rows == 0
    assert nothing.scores is not None
    assert nothing.scores.to("numpy").underlying.shape == (0, 3)
    with pytest.raises(MissingColumnsError, match="'d'"):
        model.predict(DataSet({"features": DataWrapper(X[:, :3], NAMES[:3])}))


def test_what_the_estimator_refuses_is_refused(line: tuple[Bundle, Path]) -> None:
    bundle, model = line[0], load_model(line[1]).model
    for odd in (np.nan, np.inf):
        rows = X[:3].copy()
        rows[1, 2] = odd
        data = DataSet({"features": DataWrapper(rows, NAMES)})
        for one in (bundle.model, model):
            with pytest.raises(PredictError, match="'c'"):
                one.predict(data)
    with pytest.raises(PredictError, match="missing or infinite values are in 'c', first in row 1"):
        model.predict(data)


def test_trees_take_missing_numbers_as_in_scikit_learn(tmp_path: Path) -> None:
    holes = np.where(RANDOM.random(X.shape) < 0.2, np.nan, X)
    columns = {name: holes[:, place] for place, name in enumerate(NAMES)}
    for name, params in (("HistGradientBoostingClassifier", {"max_iter": 5}), ("RandomForestClassifier", TREES)):
        bundle = fitted(name, "words", columns, params=params)
        again = load_model(bundle.save(tmp_path / name, format="sklearn.onnx"))
        assert again.model.spec.no_nan == ()
        assert difference(bundle, again, DataWrapper(holes, NAMES), 1e-6).holds


def test_a_vote_that_is_a_tie_stays_one(tmp_path: Path) -> None:
    forest = fitted("RandomForestClassifier", "two", params={"n_estimators": 10, "random_state": 1})
    rows = DataWrapper(RANDOM.normal(size=(3000, 4)), NAMES)
    scores = forest.predict(DataSet({"features": rows})).scores
    assert scores is not None
    assert (scores.to("numpy").underlying[:, 0] == 0.5).any()
    again = load_model(forest.save(tmp_path / "m", format="sklearn.onnx"))
    assert difference(forest, again, rows, 1e-6).holds


def test_several_threads(line: tuple[Bundle, Path]) -> None:
    model = load_model(line[1])
    parts = [DataSet({"features": DataWrapper(X[place::8], NAMES)}) for place in range(8)]
    expected = [model.predict(part) for part in parts]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(20):
            assert [one.values for one in pool.map(model.predict, parts)] == [one.values for one in expected]


def test_threads_are_a_parameter_and_the_environment_goes_before_it(
    line: tuple[Bundle, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = sklearn_onnx.save(line[0].model, tmp_path / "m", intra_op_num_threads=3)
    assert sklearn_onnx.load(path).underlying.get_session_options().intra_op_num_threads == 3
    monkeypatch.setenv("MERCURY_ONNX_THREADS", "2")
    assert sklearn_onnx.load(path).underlying.get_session_options().intra_op_num_threads == 2
    monkeypatch.setenv("MERCURY_ONNX_THREADS", "many")
    with pytest.raises(BundleError, match="MERCURY_ONNX_THREADS is 'many': expected a whole number"):
        sklearn_onnx.load(path)
    with pytest.raises(ArgumentsError, match="'intra_op_num_threads' is -1"):
        sklearn_onnx.save(line[0].model, tmp_path / "n", intra_op_num_threads=-1)


# --- what cannot be saved ---


def test_an_estimator_that_has_no_converter_is_named(tmp_path: Path) -> None:
    bundle = fitted([SCALED, {"use": "NearestCentroid"}], "words")
    with pytest.raises(UnsavableModelError, match=r"no converter for NearestCentroid, .*Save it as sklearn\.skops\."):
        bundle.save(tmp_path / "m", format="sklearn.onnx")
    assert not (tmp_path / "m").exists()


def test_what_fails_within_the_libraries_is_one_sentence(tmp_path: Path) -> None:
    bundle = fitted([{"use": "KBinsDiscretizer", "params": {"quantile_method": "averaged_inverted_cdf"}}, LINE], "two")
    with pytest.raises(UnsavableModelError, match=r"sklearn\.onnx failed \(.*Save it as sklearn\.skops\.$") as caught:
        sklearn_onnx.save(bundle.model, tmp_path / "m")
    assert "\n" not in str(caught.value)


def test_an_export_that_predicts_otherwise_is_not_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other = fitted("Ridge", "number"), fitted("Ridge", "counts")
    convert = sklearn_export._converted
    monkeypatch.setattr(sklearn_export, "_converted", lambda model, *args, **more: convert(other.model, *args, **more))
    with pytest.raises(UnsavableModelError, match=r"predicts otherwise, by \d.*1e-05 is allowed \(prediction of row"):
        sklearn_onnx.save(one.model, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_rows_that_the_model_does_not_predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted("Ridge", "number").model

    def refuse(self: Any, data: Any) -> Any:
        raise PredictError("it", "no")

    monkeypatch.setattr(SklearnModel, "predict", refuse)
    with pytest.raises(UnsavableModelError, match="rows that it makes up, and the model predicts none of them"):
        sklearn_onnx.save(model, tmp_path / "m")


def test_other_models(line: tuple[Bundle, Path], tmp_path: Path) -> None:
    with pytest.raises(UnsavableModelError, match=r"Take its own model, bundle\.model"):
        sklearn_onnx.save(line[0], tmp_path / "m")
    with pytest.raises(UnsavableModelError, match="it was exported, and an exported model can predict and no more"):
        load_model(line[1]).save(tmp_path / "m", format="sklearn.onnx")
    with pytest.raises(UnsavableModelError, match="Choose the format of the plugin that fitted it"):
        sklearn_onnx.save(object(), tmp_path / "m")  # type: ignore[arg-type]


def test_what_is_not_installed_is_told_before_a_training(
    line: tuple[Bundle, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mercury_onnx import session

    assert not check("save", "sklearn.onnx", sklearn_onnx, {})
    find = session.find_spec
    monkeypatch.setattr(session, "find_spec", lambda name: None if name == "skl2onnx" else find(name))
    with pytest.raises(ProviderNotInstalledError, match=r"pip install 'mercury-onnx\[export\]'"):
        sklearn_onnx.save(line[0].model, tmp_path / "m")
    (fault,) = check("save", "sklearn.onnx", sklearn_onnx, {})
    assert fault.message.endswith("pip install 'mercury-onnx[export]'")
    assert sklearn_onnx.load(line[1] / "model").classes == ("large", "middle", "small")


def test_more_nodes_than_copies_are_made_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mercury_onnx import sklearn_trees

    monkeypatch.setattr(sklearn_trees, "_MOST_NODES", 10)
    bundle = fitted("RandomForestClassifier", "words", params=TREES)
    again = load_model(bundle.save(tmp_path / "m", format="sklearn.onnx"))
    assert difference(bundle, again, DataWrapper(X, NAMES), 1e-6).holds


def test_what_stands_beside_it_can_be_read_by_people(line: tuple[Bundle, Path]) -> None:
    content = json.loads((line[1] / "model" / "model.json").read_text())
    assert content["format"] == sklearn_format._KEY
    assert content["model"]["features"] == list(NAMES)
    assert content["model"]["classes"] == ["large", "middle", "small"]
    assert {"scikit-learn", "skl2onnx", "onnx", "onnxruntime"} == content["model"]["versions"].keys()

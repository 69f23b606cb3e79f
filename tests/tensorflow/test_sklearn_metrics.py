"""Metrics of scikit-learn on predictions of Keras models, against scikit-learn called by hand with what Keras gave."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mercury_sklearn.metric_names import METRICS
from sklearn import metrics

from mercury_core import DataBunch, DataSet, evaluate_model, fit_model
from mercury_core.errors import MetricError

RANDOM = np.random.default_rng(11)
X = RANDOM.normal(size=(120, 3)).astype("float32")
LEVEL = X[:, 0] + 0.5 * RANDOM.normal(size=120)
FEATURES = {name: X[:, place] for place, name in enumerate("abc")}
#: The targets, and how Keras is told what they are.
TASKS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "binary": ({"sick": np.where(LEVEL > 0, "yes", "no").tolist()}, {}),
    "multiclass": ({"kind": np.array(["c", "a", "b"])[np.digitize(LEVEL, [-0.5, 0.5])].tolist()}, {}),
    "multilabel": ({"red": (LEVEL > 0).astype(int), "round": (X[:, 1] > 0.3).astype(int)}, {}),
    "regression": ({"size": LEVEL.astype(float), "weight": (2 * X[:, 1]).astype(float)}, {}),
    "number": ({"size": np.exp(LEVEL).astype(float)}, {}),
    "several": (
        {"sick": (LEVEL > 0).tolist(), "size": LEVEL.astype(float)},
        {"outputs": {"health": ["sick"], "growth": ["size"]}},
    ),
}


@pytest.fixture(scope="module")
def fitted() -> dict[str, tuple[Any, DataBunch, Any]]:
    """A model by task, the data, and what the Keras model itself gives."""
    found = {}
    for task, (targets, params) in TASKS.items():
        bunch = DataBunch({"train": DataSet({"features": FEATURES, "targets": targets})})
        model = fit_model(bunch, "keras.fit", model="keras.mlp", epochs=3, seed=1, **params)
        found[task] = model, bunch, model.underlying.predict(X, verbose=0)
    return found


def measured(fitted: Any, task: str, *asked: Any) -> dict[str, Any]:
    model, bunch, _ = fitted[task]
    return evaluate_model(model, bunch, list(asked))["train"]


def test_of_two_classes_the_sigmoid_is_that_of_the_second(fitted: Any) -> None:
    truth, chance = np.array(TASKS["binary"][0]["sick"]), fitted["binary"][2][:, 0]
    told = np.where(chance > 0.5, "yes", "no")
    found = measured(
        fitted,
        "binary",
        "sklearn.accuracy_score",
        "sklearn.roc_auc_score",
        "sklearn.log_loss",
        "sklearn.average_precision_score",
        "sklearn.f1_score",
        "sklearn.confusion_matrix",
    )
    assert found["sklearn.accuracy_score"] == metrics.accuracy_score(truth, told)
    assert found["sklearn.roc_auc_score"] == metrics.roc_auc_score(truth == "yes", chance)
    assert found["sklearn.log_loss"] == pytest.approx(metrics.log_loss(truth == "yes", chance), rel=1e-5)
    expected = metrics.average_precision_score(truth == "yes", chance)
    assert found["sklearn.average_precision_score"] == pytest.approx(expected)
    assert found["sklearn.f1_score"] == metrics.f1_score(truth, told, pos_label="yes")
    matrix = metrics.confusion_matrix(truth, told).tolist()
    assert found["sklearn.confusion_matrix"] == {"labels": ["no", "yes"], "matrix": matrix}


def test_of_more_classes_the_softmax_is_in_the_order_of_the_labels(fitted: Any) -> None:
    truth, scores = np.array(TASKS["multiclass"][0]["kind"]), fitted["multiclass"][2]
    assert fitted["multiclass"][0].signature.classes == ("a", "b", "c")
    told = np.array(["a", "b", "c"])[scores.argmax(axis=1)]
    found = measured(
        fitted,
        "multiclass",
        "sklearn.accuracy_score",
        "sklearn.roc_auc_score",
        "sklearn.log_loss",
        {"use": "sklearn.f1_score", "average": None},
        {"use": "sklearn.top_k_accuracy_score", "k": 2},
    )
    assert found["sklearn.accuracy_score"] == metrics.accuracy_score(truth, told)
    assert found["sklearn.roc_auc_score"] == pytest.approx(metrics.roc_auc_score(truth, scores, multi_class="ovr"))
    assert found["sklearn.log_loss"] == pytest.approx(metrics.log_loss(truth, scores), rel=1e-5)
    by_class = metrics.f1_score(truth, told, average=None).tolist()
    assert found["sklearn.f1_score"] == dict(zip("abc", by_class, strict=True))
    assert found["sklearn.top_k_accuracy_score"] == metrics.top_k_accuracy_score(truth, scores, k=2)


def test_of_several_labels_each_has_its_column(fitted: Any) -> None:
    truth, scores = np.column_stack(list(TASKS["multilabel"][0].values())), fitted["multilabel"][2]
    found = measured(
        fitted,
        "multilabel",
        {"use": "sklearn.roc_auc_score", "average": None},
        {"use": "sklearn.f1_score", "average": "micro"},
        "sklearn.label_ranking_loss",
        "sklearn.hamming_loss",
        "sklearn.multilabel_confusion_matrix",
    )
    expected = metrics.roc_auc_score(truth, scores, average=None)
    assert found["sklearn.roc_auc_score"] == pytest.approx(dict(zip(("red", "round"), expected, strict=True)))
    assert found["sklearn.f1_score"] == metrics.f1_score(truth, scores > 0.5, average="micro")
    assert found["sklearn.label_ranking_loss"] == pytest.approx(metrics.label_ranking_loss(truth, scores))
    assert found["sklearn.hamming_loss"] == pytest.approx(metrics.hamming_loss(truth, scores > 0.5))


def test_numbers_are_numbers(fitted: Any) -> None:
    truth, told = np.column_stack(list(TASKS["regression"][0].values())), fitted["regression"][2]
    found = measured(
        fitted,
        "regression",
        "sklearn.r2_score",
        {"use": "sklearn.mean_absolute_error", "multioutput": "raw_values"},
    )
    assert found["sklearn.r2_score"] == pytest.approx(metrics.r2_score(truth, told), rel=1e-5)
    by_target = metrics.mean_absolute_error(truth, told, multioutput="raw_values")
    expected = dict(zip(("size", "weight"), by_target, strict=True))
    assert found["sklearn.mean_absolute_error"] == pytest.approx(expected, rel=1e-5)


def test_several_outputs_are_measured_one_by_one(fitted: Any) -> None:
    found = measured(
        fitted,
        "several",
        {"use": "keras.evaluate", "target": "sick", "metrics": ["accuracy"], "name": "sick"},
        {"use": "keras.evaluate", "target": "size", "metrics": ["mae"], "name": "size"},
    )
    targets, (model, _, raw) = TASKS["several"][0], fitted["several"]
    assert model.underlying.output_names == ["health", "growth"]
    sick, size = (one.ravel() for one in raw)
    assert found["sick"]["accuracy"] == pytest.approx(((sick > 0.5) == np.array(targets["sick"])).mean())
    assert found["size"]["mae"] == pytest.approx(np.abs(size - targets["size"]).mean(), rel=1e-5)


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::sklearn.exceptions.UndefinedMetricWarning")
def test_every_metric_takes_predictions_of_some_model_and_refuses_the_others_in_one_sentence(fitted: Any) -> None:
    params = {"fbeta_score": {"beta": 2}, "precision_recall_fscore_support": {"average": "macro"}}
    alone = {"hinge_loss"}  # of decision values, which Keras models do not give
    for name in METRICS:
        refused = []
        for task in ("binary", "multiclass", "multilabel", "regression", "number"):
            try:
                measured(fitted, task, {"use": f"sklearn.{name}", **params.get(name, {})})
            except MetricError as error:
                refused.append(str(error))
        assert all(said.startswith(f"The metric sklearn.{name} cannot be computed: ") for said in refused)
        assert (len(refused) == 5) == (name in alone), name

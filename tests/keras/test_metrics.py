"""`keras.evaluate`: Keras's own metrics on predictions of every kind, against the same metrics called by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from mercury_keras.backend import keras
from mercury_keras.metrics import evaluate

from mercury_core import DataWrapper, Predictions, evaluate_model
from mercury_core.data import DataBunch, DataSet
from mercury_core.errors import ArgumentsError, MetricError
from mercury_core.parameters import check

RANDOM = np.random.default_rng(3)
ROWS = 20_000  # several pieces


def two_classes(rows: int = ROWS) -> tuple[DataWrapper, Predictions, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Targets, predictions, whether a row is of the second class, and its probability."""
    chance = RANDOM.uniform(size=rows)
    truth = (chance + RANDOM.normal(scale=0.3, size=rows)) > 0.5
    label = np.array(["no", "yes"], object)
    values = DataWrapper(label[(chance > 0.5).astype(int)], ["sick"])
    scores = DataWrapper(np.column_stack([1 - chance, chance]), ["no", "yes"])
    return DataWrapper(label[truth.astype(int)], ["sick"]), Predictions(values, scores, ("no", "yes")), truth, chance


def more_classes(rows: int = 500) -> tuple[DataWrapper, Predictions, np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Targets, predictions, the places of the true classes, and the probabilities."""
    scores = RANDOM.dirichlet(np.ones(3), size=rows)
    places = np.where(RANDOM.uniform(size=rows) < 0.7, scores.argmax(axis=1), RANDOM.integers(3, size=rows))
    labels = np.array(["c", "a", "b"], object)  # an order of its own
    predictions = Predictions(
        DataWrapper(labels[scores.argmax(axis=1)], ["kind"]), DataWrapper(scores, ["c", "a", "b"]), ("c", "a", "b")
    )
    return DataWrapper(labels[places], ["kind"]), predictions, places, scores


def by_hand(metric: Any, truth: Any, predicted: Any, weight: Any = None) -> Any:
    metric.update_state(truth, np.asarray(predicted, np.float32), sample_weight=weight)
    return keras().ops.convert_to_numpy(metric.result()).tolist()


# --- two classes ---


def test_two_classes_are_the_probability_of_the_second() -> None:
    targets, predictions, truth, chance = two_classes()
    names = ["accuracy", "crossentropy", "AUC", "Precision", "recall", "binary_accuracy", "MeanSquaredError"]
    measured = evaluate(targets, predictions, metrics=names)
    assert list(measured) == names
    metrics, column = keras().metrics, (truth[:, None].astype(np.float32), chance[:, None])
    assert measured["accuracy"] == measured["binary_accuracy"] == pytest.approx(((chance > 0.5) == truth).mean())
    assert measured["crossentropy"] == pytest.approx(by_hand(metrics.BinaryCrossentropy(), *column), rel=1e-5)
    assert measured["AUC"] == pytest.approx(by_hand(metrics.AUC(), *column), abs=1e-6)
    assert measured["Precision"] == pytest.approx(truth[chance > 0.5].mean())
    assert measured["recall"] == pytest.approx((chance > 0.5)[truth].mean())
    assert measured["MeanSquaredError"] == pytest.approx(((chance - truth) ** 2).mean(), rel=1e-5)


def test_metrics_by_class_get_both_columns() -> None:
    targets, predictions, truth, chance = two_classes(400)
    measured = evaluate(
        targets,
        predictions,
        metrics=[
            "categorical_accuracy",
            "sparse_categorical_crossentropy",
            "F1Score",
            {"use": "F1Score", "name": "of yes", "threshold": 0.5},
        ],
    )
    assert measured["categorical_accuracy"] == pytest.approx(((chance > 0.5) == truth).mean())
    assert measured["sparse_categorical_crossentropy"] == pytest.approx(
        -np.log(np.where(truth, chance, 1 - chance)).mean(), rel=1e-4
    )
    assert list(measured["F1Score"]) == ["no", "yes"]
    assert measured["of yes"] == pytest.approx([measured["F1Score"]["yes"]])


def test_one_column_of_scores_is_that_of_the_second_class() -> None:
    from mercury_keras.metrics_inputs import Measured

    targets, predictions, truth, chance = two_classes(100)
    measured = Measured(targets, predictions)
    assert (measured.kind, measured.labels) == ("binary", ("no", "yes"))
    expected, scores = measured.arrays("auc")
    assert expected[:, 0].tolist() == truth.tolist()
    assert scores[:, 0] == pytest.approx(chance)


# --- more classes ---


def test_more_classes_are_places_or_one_hot_as_the_metric_takes_them() -> None:
    targets, predictions, places, scores = more_classes()
    names = ["accuracy", "crossentropy", "CategoricalAccuracy", "categorical_crossentropy", "AUC", "KLDivergence"]
    measured = evaluate(targets, predictions, metrics=[*names, {"use": "SparseTopKCategoricalAccuracy", "k": 2}])
    metrics, one_hot = keras().metrics, np.eye(3, dtype=np.float32)[places]
    assert measured["accuracy"] == measured["CategoricalAccuracy"]
    assert measured["accuracy"] == pytest.approx((scores.argmax(axis=1) == places).mean())
    assert measured["crossentropy"] == pytest.approx(measured["categorical_crossentropy"], rel=1e-5)
    assert measured["AUC"] == pytest.approx(by_hand(metrics.AUC(), one_hot, scores), abs=1e-6)
    best = np.argsort(scores, axis=1)[:, -2:]
    second = (best == places[:, None]).any(axis=1).mean()
    assert measured["SparseTopKCategoricalAccuracy"] == pytest.approx(second)


def test_a_number_a_class_is_told_by_class() -> None:
    targets, predictions, places, scores = more_classes()
    measured = evaluate(targets, predictions, metrics=["F1Score", {"use": "IoU", "target_class_ids": [0]}, "MeanIoU"])
    expected = by_hand(keras().metrics.F1Score(), np.eye(3, dtype=np.float32)[places], scores)
    assert measured["F1Score"] == pytest.approx(dict(zip(("c", "a", "b"), expected, strict=True)))
    assert 0 < measured["MeanIoU"] < 1
    first, told = places == 0, scores.argmax(axis=1) == 0
    assert measured["IoU"] == pytest.approx((first & told).sum() / (first | told).sum())


# --- several labels, numbers, labels alone ---


def test_several_labels_are_measured_together() -> None:
    chance = RANDOM.uniform(size=(300, 3))
    truth = RANDOM.uniform(size=(300, 3)) < chance
    predictions = Predictions(DataWrapper(chance > 0.5, ["a", "b", "c"]), DataWrapper(chance, ["a", "b", "c"]))
    targets = DataWrapper({name: truth[:, place] for place, name in enumerate("cab")}).select(["a", "b", "c"])
    truth = np.column_stack([targets[name].to("numpy").underlying for name in "abc"])
    measured = evaluate(
        targets,
        predictions,
        metrics=["accuracy", "crossentropy", {"use": "AUC", "multi_label": True, "name": "auc"}, "F1Score"],
    )
    assert measured["accuracy"] == pytest.approx(((chance > 0.5) == truth).mean())
    alone = [by_hand(keras().metrics.AUC(), truth[:, [place]], chance[:, [place]]) for place in range(3)]
    assert measured["auc"] == pytest.approx(np.mean(alone), abs=1e-5)
    hits = (truth & (chance > 0.5)).sum(axis=0)
    expected = 2 * hits / (truth.sum(axis=0) + (chance > 0.5).sum(axis=0))
    assert measured["F1Score"] == pytest.approx(dict(zip("abc", expected, strict=True)), rel=1e-5)
    one = evaluate(targets, predictions, metrics=["AUC"], target="b")
    assert one["AUC"] == pytest.approx(alone[1], abs=1e-5)


def test_numbers_are_measured_as_they_are() -> None:
    truth, told = RANDOM.normal(size=(2, 100, 2))
    predictions = Predictions(DataWrapper(told, ["x", "y"]))
    targets = DataWrapper(truth, ["x", "y"])
    measured = evaluate(targets, predictions)
    assert measured == {
        "mean_squared_error": pytest.approx(((truth - told) ** 2).mean(), rel=1e-5),
        "mean_absolute_error": pytest.approx(np.abs(truth - told).mean(), rel=1e-5),
    }
    more = evaluate(
        targets,
        predictions,
        metrics=["mae", "R2Score", "huber", {"use": "R2Score", "class_aggregation": None, "name": "each"}],
    )
    assert more["mae"] == measured["mean_absolute_error"]
    assert list(more["each"]) == ["x", "y"]
    assert more["R2Score"] == pytest.approx(np.mean(list(more["each"].values())), rel=1e-5)
    assert 0 < more["huber"] < more["mae"]
    alone = evaluate(targets, predictions, metrics=["mse"], target="y")["mse"]
    assert alone == pytest.approx(((truth - told)[:, 1] ** 2).mean(), rel=1e-5)


def test_labels_without_scores_have_an_accuracy() -> None:
    targets, predictions, _, _ = more_classes()
    alone = Predictions(predictions.values, classes=predictions.classes)
    expected = evaluate(targets, predictions, metrics=["accuracy"])
    assert evaluate(targets, alone) == pytest.approx(expected)
    assert evaluate(targets, Predictions(predictions.values)) == pytest.approx(expected)
    with pytest.raises(MetricError, match="auc needs probabilities, and the predictions are labels without scores"):
        evaluate(targets, alone, metrics=["AUC"])


def test_one_of_several_outputs_is_measured_by_its_name() -> None:
    values = {"kind": ["a", "b", "a"], "level": [1, 2, 2], "size": [0.5, 1.5, 2.5]}
    predictions = Predictions(DataWrapper(values))
    targets = DataWrapper({"size": [1.0, 1.5, 2.0], "level": [1, 2, 1], "kind": ["a", "b", "c"]})
    assert evaluate(targets, predictions, target="kind") == {"accuracy": pytest.approx(2 / 3)}
    assert evaluate(targets, predictions, target="level") == {"accuracy": pytest.approx(2 / 3)}
    assert evaluate(targets, predictions, target="size", metrics="mae") == {"mae": pytest.approx(1 / 3)}
    with pytest.raises(
        MetricError, match=r"it compares the labels of one target, and there are 3: kind, level, size\. Name the one"
    ):
        evaluate(targets, predictions)


# --- weights, and the way through the core ---


class Told:
    """A model that gives what it was given."""

    underlying = None

    def __init__(self, predictions: Predictions) -> None:
        self.predictions = predictions

    def predict(self, data_set: DataSet) -> Predictions:
        assert data_set.num_rows == self.predictions.num_rows
        return self.predictions


@pytest.mark.parametrize(
    "metric",
    [
        *("accuracy", "crossentropy", "AUC", "Precision", "F1Score", "CategoricalAccuracy"),
        *("MeanIoU", "OneHotMeanIoU", "R2Score", "mse", "categorical_focal_crossentropy", "TruePositives"),
    ],
)
@pytest.mark.parametrize("make", [two_classes, more_classes], ids=["two classes", "more classes"])
def test_a_weight_of_two_counts_as_two_rows(metric: str, make: Any) -> None:
    targets, predictions, _, _ = make(300)
    weights = RANDOM.integers(0, 3, size=300)
    data_set = DataSet({"features": targets, "targets": targets, "sample_weight": weights.astype(float)})
    asked = [{"use": "keras.evaluate", "metrics": [metric]}]
    weighted = evaluate_model(Told(predictions), DataBunch({"test": data_set}), asked)["test"]["keras.evaluate"]
    again = np.repeat(np.arange(300), weights)
    expected = evaluate(targets.take(again), predictions.take(again), metrics=[metric])
    assert weighted[metric] == pytest.approx(expected[metric], rel=1e-4)


# --- what is wrong ---


def faults(**params: Any) -> list[str]:
    return [fault.message for fault in check("evaluate", "keras.evaluate", evaluate, params)]


def test_the_check_knows_names_and_parameters() -> None:
    assert not faults(metrics=["accuracy", "AUC", "huber", {"use": "F1Score", "average": "macro"}, "ce"])
    assert not faults(metrics="accuracy")
    assert not faults(metrics=[{"use": "MeanIoU"}])
    (fault,) = faults(metrics=["AUCC"])
    assert "AUCC" in fault
    assert "AUC" in fault.partition("AUCC")[2]
    (fault,) = faults(metrics=[{"use": "AUC", "curv": "PR"}])
    assert "curv" in fault
    (fault,) = faults(metrics=["AUC", {"use": "AUC", "curve": "PR"}])
    assert fault == "The metric 'AUC' is asked for twice: give each a 'name'."


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (["AUC", "AUC"], "is asked for twice"),
        (["no_such_metric"], "no_such_metric"),
    ],
)
def test_wrong_metrics_are_arguments_that_are_wrong(metrics: list[Any], message: str) -> None:
    targets, predictions, _, _ = two_classes(10)
    with pytest.raises(ArgumentsError, match=message):
        evaluate(targets, predictions, metrics=metrics)


def test_predictions_of_another_kind_are_refused_in_one_sentence() -> None:
    numbers = Predictions(DataWrapper({"y": [0.5, 2.5]}))
    targets = DataWrapper({"y": [1.0, 2.0]})
    with pytest.raises(MetricError, match="accuracy measures classes, and the predictions are numbers"):
        evaluate(targets, numbers, metrics=["accuracy"])
    with pytest.raises(MetricError, match="the targets lack 'y'; they have 'z'"):
        evaluate(DataWrapper({"z": [1.0, 2.0]}), numbers)
    with pytest.raises(MetricError, match="the predictions lack 'z'"):
        evaluate(DataWrapper({"y": [1.0, 2.0], "z": [1.0, 2.0]}), numbers, target="z")
    with pytest.raises(MetricError, match="there are 1 targets and 2 predictions"):
        evaluate(targets.slice(0, 1), numbers)
    with pytest.raises(MetricError, match="the targets have 1 rows with missing values"):
        evaluate(DataWrapper({"y": [1.0, None]}), numbers)
    with pytest.raises(MetricError, match="the targets are no numbers as the predictions are"):
        evaluate(DataWrapper({"y": ["a", "b"]}), numbers)


def test_labels_and_scores_that_do_not_fit_are_refused() -> None:
    targets, predictions, _, _ = two_classes(4)
    with pytest.raises(
        MetricError, match=r"the targets hold 'maybe', which the model does not know\. It knows 'no', 'yes'"
    ):
        evaluate(DataWrapper({"sick": ["no", "maybe", "yes", "no"]}), predictions)
    with pytest.raises(MetricError, match="the targets have 1 missing values in 'sick'"):
        evaluate(DataWrapper({"sick": ["no", None, "yes", "no"]}), predictions)
    decisions = DataWrapper(np.array([[-2.0, 2.0]] * 4), ["no", "yes"])
    with pytest.raises(MetricError, match="needs probabilities, and the scores are from -2 to 2"):
        evaluate(targets, Predictions(predictions.values, decisions, ("no", "yes")))
    with pytest.raises(MetricError, match="not only 0 and 1"):
        evaluate(DataWrapper({"a": [0.5, 1]}), Predictions(DataWrapper({"a": [1, 1]}), DataWrapper({"a": [0.5, 0.5]})))

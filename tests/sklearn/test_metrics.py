"""The metrics of scikit-learn as metrics of Mercury: the same numbers, for whatever labels and scores a model gives."""

import inspect
import json
import math
import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import sklearn.metrics
from hypothesis import given, settings, strategies as st
from mercury_sklearn import metrics
from mercury_sklearn.metric_names import METRICS
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.preprocessing import label_binarize

from mercury_core import strict_json
from mercury_core.data import DataWrapper, Predictions
from mercury_core.errors import MetricError
from mercury_core.parameters import check

INSTALLED = [name for name in METRICS if hasattr(sklearn.metrics, name)]
_random = np.random.RandomState(0)


def wrap(values: Any, *names: str) -> DataWrapper:
    array = np.asarray(values)
    array = array[:, None] if array.ndim == 1 else array
    return DataWrapper(array, names or [f"y{place}" for place in range(array.shape[1])])


def predictions(values: Any, scores: Any = None, classes: Any = None) -> Predictions:
    wrapped = wrap(values)
    return Predictions(wrapped, None if scores is None else wrap(scores), None if classes is None else tuple(classes))


def score(name: str, truth: Any, values: Any, scores: Any = None, classes: Any = None, **params: Any) -> Any:
    return getattr(metrics, name)(wrap(truth), predictions(values, scores, classes), **params)


TRUTH = _random.randint(0, 2, 60)
GOOD = np.clip(0.5 * TRUTH + 0.7 * _random.rand(60), 0, 1)
BOTH = np.column_stack([1 - GOOD, GOOD])
CALLED = (GOOD > 0.5).astype(int)
TRUTH3 = _random.randint(0, 3, 60)
RAW3 = _random.rand(60, 3) + np.eye(3)[TRUTH3]
BOTH3 = RAW3 / RAW3.sum(axis=1, keepdims=True)
CALLED3 = BOTH3.argmax(axis=1)
NUMBERS, NEAR = _random.rand(60) + 0.1, _random.rand(60) + 0.1
TAGS = _random.randint(0, 2, (60, 3))
TAG_SCORES = np.clip(0.5 * TAGS + 0.6 * _random.rand(60, 3), 0, 1)
TAGS_CALLED = (TAG_SCORES > 0.5).astype(int)
NEEDED = {"fbeta_score": {"beta": 2.0}}

LABELS = [
    "accuracy_score",
    "balanced_accuracy_score",
    "cohen_kappa_score",
    "f1_score",
    "fbeta_score",
    "hamming_loss",
    "jaccard_score",
    "matthews_corrcoef",
    "precision_score",
    "recall_score",
    "zero_one_loss",
]
GROUPS = [
    "adjusted_mutual_info_score",
    "adjusted_rand_score",
    "completeness_score",
    "fowlkes_mallows_score",
    "homogeneity_score",
    "mutual_info_score",
    "normalized_mutual_info_score",
    "rand_score",
    "v_measure_score",
]
NUMERIC = [
    "d2_absolute_error_score",
    "d2_pinball_score",
    "d2_tweedie_score",
    "explained_variance_score",
    "max_error",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_gamma_deviance",
    "mean_pinball_loss",
    "mean_poisson_deviance",
    "mean_squared_error",
    "mean_squared_log_error",
    "mean_tweedie_deviance",
    "median_absolute_error",
    "r2_score",
    "root_mean_squared_error",
    "root_mean_squared_log_error",
]
RANKINGS = ["coverage_error", "dcg_score", "label_ranking_average_precision_score", "label_ranking_loss", "ndcg_score"]
SCORES = [
    "average_precision_score",
    "brier_score_loss",
    "d2_brier_score",
    "d2_log_loss_score",
    "log_loss",
    "roc_auc_score",
]
SCORES = [name for name in SCORES if name in INSTALLED]
CURVES = [
    name
    for name in ("confusion_matrix_at_thresholds", "det_curve", "precision_recall_curve", "roc_curve")
    if name in INSTALLED
]


# --- the same numbers as scikit-learn's ---


@pytest.mark.parametrize("name", LABELS + GROUPS)
def test_labels_of_two_classes(name: str) -> None:
    more = NEEDED.get(name, {})
    expected = getattr(sklearn.metrics, name)(TRUTH, CALLED, **more)
    assert score(name, TRUTH, CALLED, BOTH, (0, 1), **more) == pytest.approx(expected)
    assert score(name, TRUTH, CALLED, **more) == pytest.approx(expected)


@pytest.mark.parametrize("name", SCORES)
def test_scores_of_two_classes(name: str) -> None:
    assert score(name, TRUTH, CALLED, BOTH, (0, 1)) == pytest.approx(getattr(sklearn.metrics, name)(TRUTH, GOOD))


@pytest.mark.parametrize("name", [name for name in SCORES if name != "roc_auc_score"])
def test_scores_of_three_classes(name: str) -> None:
    assert score(name, TRUTH3, CALLED3, BOTH3, (0, 1, 2)) == pytest.approx(
        getattr(sklearn.metrics, name)(TRUTH3, BOTH3)
    )


@pytest.mark.parametrize("more", [{}, {"multi_class": "ovo"}, {"average": "weighted"}])
def test_roc_auc_of_three_classes_is_one_against_the_rest_by_default(more: dict[str, str]) -> None:
    expected = sklearn.metrics.roc_auc_score(TRUTH3, BOTH3, **{"multi_class": "ovr", **more})
    assert score("roc_auc_score", TRUTH3, CALLED3, BOTH3, (0, 1, 2), **more) == pytest.approx(expected)


@pytest.mark.parametrize("name", NUMERIC)
def test_numbers(name: str) -> None:
    assert score(name, NUMBERS, NEAR) == pytest.approx(getattr(sklearn.metrics, name)(NUMBERS, NEAR))


@pytest.mark.parametrize("name", RANKINGS)
def test_rankings(name: str) -> None:
    expected = getattr(sklearn.metrics, name)(TAGS, TAG_SCORES)
    assert score(name, TAGS, TAGS_CALLED, TAG_SCORES) == pytest.approx(expected)


def test_a_ranking_of_numbers_needs_no_scores() -> None:
    truth, values = _random.rand(5, 3), _random.rand(5, 3)
    assert score("ndcg_score", truth, values) == pytest.approx(sklearn.metrics.ndcg_score(truth, values))


@pytest.mark.parametrize(
    "name", ["f1_score", "jaccard_score", "precision_score", "roc_auc_score", "average_precision_score"]
)
@pytest.mark.parametrize("average", ["macro", "micro", "samples"])
def test_several_labels(name: str, average: str) -> None:
    by_scores = name in SCORES
    kept = TAGS.sum(axis=1) % 3 != 0
    truth, given = TAGS[kept], (TAG_SCORES if by_scores else TAGS_CALLED)[kept]
    more = {} if by_scores else {"zero_division": 0.0}
    expected = getattr(sklearn.metrics, name)(truth, given, average=average, **more)
    found = score(name, truth.astype(bool), TAGS_CALLED[kept].astype(bool), TAG_SCORES[kept], average=average, **more)
    assert found == pytest.approx(expected)


def test_decision_values() -> None:
    decisions = 4 * GOOD - 2
    both = np.column_stack([-decisions, decisions])
    expected = sklearn.metrics.hinge_loss(TRUTH, decisions)
    assert score("hinge_loss", TRUTH, CALLED, both, (0, 1)) == pytest.approx(expected)
    assert score("roc_auc_score", TRUTH, CALLED, both, (0, 1)) == pytest.approx(
        sklearn.metrics.roc_auc_score(TRUTH, GOOD)
    )
    three = BOTH3 * 4 - 2
    assert score("hinge_loss", TRUTH3, CALLED3, three, (0, 1, 2)) == pytest.approx(
        sklearn.metrics.hinge_loss(TRUTH3, three)
    )


def test_top_k() -> None:
    expected = sklearn.metrics.top_k_accuracy_score(TRUTH3, BOTH3, k=2)
    assert score("top_k_accuracy_score", TRUTH3, CALLED3, BOTH3, (0, 1, 2)) == pytest.approx(expected)
    expected = sklearn.metrics.top_k_accuracy_score(TRUTH, GOOD, k=1)
    assert score("top_k_accuracy_score", TRUTH, CALLED, BOTH, (0, 1), k=1) == pytest.approx(expected)


def test_weights_and_parameters_reach_scikit_learn() -> None:
    weight = _random.rand(60)
    expected = sklearn.metrics.accuracy_score(TRUTH, CALLED, sample_weight=weight)
    assert score("accuracy_score", TRUTH, CALLED, sample_weight=weight) == pytest.approx(expected)
    expected = sklearn.metrics.mean_pinball_loss(NUMBERS, NEAR, alpha=0.9)
    assert score("mean_pinball_loss", NUMBERS, NEAR, alpha=0.9) == pytest.approx(expected)


# --- labels of any type, in any order, and classes that a data set lacks ---


@settings(max_examples=30, deadline=None)
@given(
    names=st.lists(st.text(min_size=1, max_size=3), min_size=3, max_size=3, unique=True),
    order=st.permutations(range(3)),
    name=st.sampled_from([*SCORES, "top_k_accuracy_score"]),
)
def test_neither_the_names_nor_the_order_of_classes_count(names: list[str], order: list[int], name: str) -> None:
    named = np.array(names, dtype=object)
    expected = score(name, TRUTH3, CALLED3, BOTH3, (0, 1, 2))
    found = score(name, named[TRUTH3], named[CALLED3], BOTH3[:, order], [names[place] for place in order])
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("name", [*SCORES, "f1_score", "recall_score"])
@pytest.mark.parametrize("classes", [("no", "yes"), (False, True), (-1, 1), (3.5, 7.5)])
def test_the_last_of_two_classes_is_the_positive_one(name: str, classes: tuple[Any, Any]) -> None:
    named = np.array(classes, dtype=object if isinstance(classes[0], str) else None)
    expected = score(name, TRUTH, CALLED, BOTH, (0, 1))
    assert score(name, named[TRUTH], named[CALLED], BOTH, classes) == pytest.approx(expected)


def test_scikit_learns_own_default_counts_where_it_is_a_class() -> None:
    expected = sklearn.metrics.f1_score(TRUTH + 1, CALLED + 1)
    assert score("f1_score", TRUTH + 1, CALLED + 1, BOTH, (1, 2)) == pytest.approx(expected)


def test_pos_label_chooses_the_positive_class() -> None:
    named = np.array(["no", "yes"], dtype=object)
    truth, called = named[TRUTH], named[CALLED]
    expected = sklearn.metrics.recall_score(truth, called, pos_label="no")
    assert score("recall_score", truth, called, BOTH, ("no", "yes"), pos_label="no") == pytest.approx(expected)
    expected = sklearn.metrics.average_precision_score(1 - TRUTH, 1 - GOOD)
    assert score("average_precision_score", truth, called, BOTH, ("no", "yes"), pos_label="no") == pytest.approx(
        expected
    )


def test_pos_label_holds_one_of_three_classes_against_the_rest() -> None:
    names = np.array(["x", "y", "z"], dtype=object)
    expected = sklearn.metrics.roc_curve(TRUTH3 == 1, BOTH3[:, 1])
    found = score("roc_curve", names[TRUTH3], names[CALLED3], BOTH3, names, pos_label="y")
    assert found["tpr"] == pytest.approx(expected[1].tolist())
    expected = sklearn.metrics.f1_score(TRUTH3 == 1, CALLED3 == 1)
    assert score("f1_score", names[TRUTH3], names[CALLED3], BOTH3, names, pos_label="y") == pytest.approx(expected)


def test_a_data_set_that_lacks_a_class() -> None:
    kept = TRUTH3 != 2
    found = score("log_loss", TRUTH3[kept], CALLED3[kept], BOTH3[kept], (0, 1, 2))
    assert found == pytest.approx(sklearn.metrics.log_loss(TRUTH3[kept], BOTH3[kept], labels=[0, 1, 2]))
    matrix = score("confusion_matrix", TRUTH3[kept], TRUTH3[kept], BOTH3[kept], (0, 1, 2))
    assert matrix["labels"] == [0, 1, 2]
    assert matrix["matrix"][2] == [0, 0, 0]


def test_columns_of_any_library_and_type() -> None:
    table = pa.table({"y": pa.array(["a", "b", "a"]).dictionary_encode()})
    called = Predictions(DataWrapper(pa.table({"y": ["a", "b", "b"]})))
    assert metrics.accuracy_score(DataWrapper(table), called) == pytest.approx(2 / 3)
    integers = DataWrapper(pa.table({"y": pa.array([1, 2, 3], pa.int8())}))
    assert metrics.mean_absolute_error(
        integers, Predictions(DataWrapper(pa.table({"y": [1.5, 2.0, 3.0]})))
    ) == pytest.approx(1 / 6)


def test_numeric_classes_can_be_measured_as_numbers() -> None:
    assert score("mean_absolute_error", [3, 5, 8], [3, 6, 8], np.eye(3), (3, 6, 8)) == pytest.approx(1 / 3)


# --- what comes back ---


@pytest.mark.parametrize("name", ["f1_score", "precision_score", "recall_score", "jaccard_score"])
def test_no_average_gives_a_value_of_each_label(name: str) -> None:
    names = np.array(["x", "y", "z"], dtype=object)
    expected = getattr(sklearn.metrics, name)(TRUTH3, CALLED3, average=None)
    found = score(name, names[TRUTH3], names[CALLED3], average=None)
    assert found == dict(zip("xyz", expected.tolist(), strict=True))
    assert list(score(name, names[TRUTH3], names[CALLED3], average=None, labels=["z", "x"])) == ["z", "x"]


def test_no_average_of_scores_gives_a_value_of_each_class() -> None:
    names = np.array(["x", "y", "z"], dtype=object)
    for name, truth in (("roc_auc_score", TRUTH3), ("average_precision_score", TRUTH3)):
        found = score(name, names[truth], names[CALLED3], BOTH3, names, average=None)
        expected = getattr(sklearn.metrics, name)(label_binarize(truth, classes=[0, 1, 2]), BOTH3, average=None)
        assert list(found) == ["x", "y", "z"]
        assert list(found.values()) == pytest.approx(expected.tolist())


def test_no_average_of_several_targets_gives_a_value_of_each() -> None:
    wrapped = wrap(TAGS, "red", "round", "big")
    found = metrics.f1_score(wrapped, Predictions(wrap(TAGS_CALLED, "red", "round", "big")), average=None)
    assert list(found) == ["red", "round", "big"]
    numbers = wrap(TAG_SCORES, "red", "round", "big")
    found = metrics.r2_score(
        numbers, Predictions(wrap(TAG_SCORES * 0.9, "red", "round", "big")), multioutput="raw_values"
    )
    assert list(found) == ["red", "round", "big"]


def test_mappings_of_labels_and_parts() -> None:
    report = score("classification_report", TRUTH, CALLED)
    assert set(report) == {"0", "1", "accuracy", "macro avg", "weighted avg"}
    parts = score("precision_recall_fscore_support", TRUTH, CALLED)
    assert parts["1"] == {
        "precision": report["1"]["precision"],
        "recall": report["1"]["recall"],
        "f_score": report["1"]["f1-score"],
        "support": report["1"]["support"],
    }
    whole = score("precision_recall_fscore_support", TRUTH3, CALLED3, average="macro")
    assert set(whole) == {"precision", "recall", "f_score", "support"}
    assert whole["support"] is None
    matrix = score("confusion_matrix", TRUTH, CALLED)
    assert matrix == {"labels": [0, 1], "matrix": sklearn.metrics.confusion_matrix(TRUTH, CALLED).tolist()}
    each = score("multilabel_confusion_matrix", TRUTH3, CALLED3)
    assert each["2"] == sklearn.metrics.multilabel_confusion_matrix(TRUTH3, CALLED3)[2].tolist()
    assert set(score("homogeneity_completeness_v_measure", TRUTH, CALLED)) == {
        "homogeneity",
        "completeness",
        "v_measure",
    }
    assert set(score("class_likelihood_ratios", TRUTH, CALLED)) == {
        "positive_likelihood_ratio",
        "negative_likelihood_ratio",
    }
    assert len(score("pair_confusion_matrix", TRUTH, CALLED)) == 2


@pytest.mark.parametrize("name", CURVES)
def test_curves_are_lists_by_name(name: str) -> None:
    names = np.array(["no", "yes"], dtype=object)
    expected = getattr(sklearn.metrics, name)(TRUTH, GOOD)
    found = score(name, names[TRUTH], names[CALLED], BOTH, names)
    assert "thresholds" in found
    for part, values in zip(found.values(), expected, strict=True):
        assert part == pytest.approx(values.tolist())


@pytest.mark.parametrize("name", INSTALLED)
def test_every_result_is_plain(name: str) -> None:
    more = NEEDED.get(name, {})
    if name in NUMERIC:
        found = score(name, NUMBERS, NEAR)
    elif name in RANKINGS:
        found = score(name, TAGS, TAGS_CALLED, TAG_SCORES)
    else:
        scores = BOTH * 4 - 2 if name == "hinge_loss" else BOTH
        more = {"k": 1} if name == "top_k_accuracy_score" else more
        found = score(name, TRUTH, CALLED, scores, (0, 1), **more)
    assert json.loads(json.dumps(found)) == found
    assert json.loads(strict_json.dumps(found)) is not None
    assert type(found) in (float, dict, list)


def test_what_is_undefined_is_nan_with_a_warning() -> None:
    with pytest.warns(UndefinedMetricWarning, match="Only one class is present"):
        assert math.isnan(score("roc_auc_score", [1, 1], [1, 1], [[0.2, 0.8], [0.1, 0.9]], (0, 1)))


# --- pairings that are wrong ---


WRONG = {
    "ROC AUC without scores": (
        lambda: score("roc_auc_score", TRUTH, CALLED),
        r"sklearn\.roc_auc_score cannot be computed: it needs a score for every class, and the predictions are labels "
        r"of 2 classes, without scores\. Fit a classifier that has predict_proba or decision_function",
    ),
    "accuracy of numbers": (
        lambda: score("accuracy_score", NUMBERS, NEAR),
        r"it compares labels, and the predictions are numbers\. Choose a metric of numbers, such as sklearn\.r2_score",
    ),
    "groups of numbers": (
        lambda: score("rand_score", NUMBERS, NEAR),
        "it compares groups, and the predictions are numbers",
    ),
    "R2 of text": (
        lambda: score("r2_score", ["a", "b"], ["a", "a"], np.eye(2), ("a", "b")),
        r"it measures numbers, and the predictions are labels of 2 classes, as text, with scores\. Choose a metric",
    ),
    "log loss of decision values": (
        lambda: score("log_loss", TRUTH, CALLED, BOTH * 4 - 2, (0, 1)),
        r"it needs probabilities, and the scores are decision values\. Fit a classifier that has predict_proba",
    ),
    "ROC AUC of three classes by decision values": (
        lambda: score("roc_auc_score", TRUTH3, CALLED3, BOTH3 * 4 - 2, (0, 1, 2)),
        "it needs probabilities, and the scores are",
    ),
    "hinge loss of probabilities": (
        lambda: score("hinge_loss", TRUTH, CALLED, BOTH, (0, 1)),
        "it needs decision values, and the scores are probabilities",
    ),
    "binary average of three classes": (
        lambda: score("f1_score", TRUTH3, CALLED3),
        r"average is 'binary' with 3 classes: 0, 1, 2\. Set average to macro",
    ),
    "binary average of several targets": (
        lambda: score("f1_score", TAGS, TAGS_CALLED),
        r"average is 'binary' with 3 targets: y0, y1, y2\. Set average to macro",
    ),
    "a curve of three classes": (
        lambda: score("roc_curve", TRUTH3, CALLED3, BOTH3, (0, 1, 2)),
        r"it takes two classes, and there are 3: 0, 1, 2\. Name the one to hold against the rest with pos_label",
    ),
    "a curve of several targets": (
        lambda: score("roc_curve", TAGS, TAGS_CALLED, TAG_SCORES),
        "it takes one target, and there are 3: y0, y1, y2",
    ),
    "a confusion matrix of several targets": (
        lambda: score("confusion_matrix", TAGS, TAGS_CALLED),
        "it takes one target, and there are 3",
    ),
    "several targets that are no labels": (
        lambda: score("f1_score", TAGS + 5, TAGS_CALLED, average="macro"),
        "each column 0 or 1. Measure one target at a time",
    ),
    "a ranking of one target": (
        lambda: score("coverage_error", TRUTH, CALLED, BOTH, (0, 1)),
        "it ranks the labels of each row, and there is one target",
    ),
    "a ranking with other scores": (
        lambda: score("coverage_error", TAGS, TAGS_CALLED, TAG_SCORES[:, :2], (0, 1)),
        "the scores have 2 columns, and there are 3",
    ),
    "a positive class that is none": (
        lambda: score("f1_score", TRUTH, CALLED, pos_label="1"),
        r"pos_label is '1', and the classes are 0, 1\. Choose one of them",
    ),
    "text against numbers": (
        lambda: score("accuracy_score", ["0", "1"], [0, 1]),
        "the targets are text and the predictions numbers, so that none would ever be right",
    ),
    "a class that the model does not know": (
        lambda: score("log_loss", [0, 1, 2], [0, 1, 1], BOTH[:3], (0, 1)),
        "the targets hold 2, which the model does not know",
    ),
    "labels of other classes": (
        lambda: score("log_loss", TRUTH, CALLED, BOTH, (0, 1), labels=[0, 2]),
        "labels lists 0, 2, and the scores are those of 0, 1",
    ),
    "other rows": (
        lambda: metrics.accuracy_score(wrap(TRUTH), predictions(CALLED[:5])),
        r"the targets have 60 rows of 1 target, and the predictions 5 rows of 1 target\. Measure predictions of",
    ),
    "no rows": (
        lambda: score("accuracy_score", TRUTH[:0], CALLED[:0]),
        r"there are no rows\. Measure on a data set that has some",
    ),
    "missing targets": (
        lambda: metrics.accuracy_score(DataWrapper(pa.table({"y": ["a", None]})), predictions(["a", "b"])),
        r"the targets have 1 missing values in 'y'\. Leave those rows out, or fill them",
    ),
    "missing whole numbers": (
        lambda: metrics.accuracy_score(DataWrapper(pa.table({"y": [1, None]})), predictions([1, 2])),
        "the targets have 1 missing values in 'y'",
    ),
    "missing numbers": (
        lambda: score("r2_score", [1.0, np.nan], [1.0, 2.0]),
        "the targets have 1 missing values in 'y0'",
    ),
    "what scikit-learn refuses": (
        lambda: score("mean_gamma_deviance", -NUMBERS, NEAR),
        r"scikit-learn refused: Mean Tweedie deviance error .*\. Here the predictions are numbers\.",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_pairing_says_what_is_needed_what_there_is_and_what_to_do(case: str) -> None:
    call, match = WRONG[case]
    with pytest.raises(MetricError, match=match):
        call()


# --- parameters ---


@pytest.mark.parametrize("name", INSTALLED)
def test_the_parameters_are_those_of_scikit_learn(name: str) -> None:
    mine = inspect.signature(getattr(metrics, name)).parameters
    theirs = inspect.signature(getattr(sklearn.metrics, name)).parameters
    assert list(mine)[:2] == ["targets", "predictions"]
    dropped = {"output_dict", "digits", "warn_for", "contingency"}
    expected = [each for each, one in list(theirs.items())[2:] if one.default != "deprecated" and each not in dropped]
    assert list(mine)[2:] == expected


def test_wrong_parameters_are_found_without_data() -> None:
    faults = check("evaluate", "sklearn.f1_score", metrics.f1_score, {"average": "mcro", "zero_division": 7})
    assert [fault.path for fault in faults] == [("average",), ("zero_division",)]
    assert "The 'average' parameter of f1_score must be" in faults[0].message
    assert not check("evaluate", "sklearn.f1_score", metrics.f1_score, {"average": None, "labels": ["a", "b"]})
    (unknown,) = check("evaluate", "sklearn.f1_score", metrics.f1_score, {"avrage": "macro"})
    assert "Did you mean 'average'?" in unknown.message
    (missing,) = check("evaluate", "sklearn.fbeta_score", metrics.fbeta_score, {})
    assert missing.path == ("beta",)


def test_a_parameter_that_there_is_not_is_refused_when_called() -> None:
    with pytest.raises(TypeError, match="average"):
        score("accuracy_score", TRUTH, CALLED, average="macro")


def test_a_name_that_is_no_metric() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'acuracy_score'"):
        metrics.acuracy_score  # noqa: B018
    assert set(METRICS) <= set(dir(metrics))
    assert repr(metrics.f1_score) == "<metric sklearn.f1_score>"
    assert metrics.f1_score is metrics.f1_score


def test_a_metric_that_the_installed_version_lacks_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sklearn.metrics, "max_error")
    with pytest.raises(AttributeError, match=r"scikit-learn .* has no metric 'max_error': install a newer one"):
        metrics.SklearnMetric("max_error")


def test_importing_the_module_imports_neither_scikit_learn_nor_numpy() -> None:
    code = "import mercury_sklearn.metrics, sys; print({'sklearn', 'numpy', 'pyarrow'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_probabilities_of_half_the_digits_are_probabilities_without_a_warning() -> None:
    scores = np.random.default_rng(1).dirichlet(np.ones(7), size=200).astype("float32")
    names = tuple("abcdefg")
    labels = np.array(names)[scores.argmax(axis=1)]
    measured = score("log_loss", labels, labels, scores, names)
    assert measured == pytest.approx(-np.log(scores.max(axis=1)).mean(), rel=1e-5)

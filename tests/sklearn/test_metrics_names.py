"""No metric of scikit-learn is missing silently, and each resolves."""

import inspect

import pytest
import sklearn.metrics
from mercury_sklearn.metric_names import METRICS

NOT_METRICS = {
    "distances and kernels between features": {
        "DistanceMetric",
        "euclidean_distances",
        "nan_euclidean_distances",
        "pairwise_distances",
        "pairwise_distances_argmin",
        "pairwise_distances_argmin_min",
        "pairwise_distances_chunked",
        "pairwise_kernels",
    },
    "measures of a clustering that need the features": {
        "calinski_harabasz_score",
        "davies_bouldin_score",
        "silhouette_samples",
        "silhouette_score",
    },
    "pictures": {
        "ConfusionMatrixDisplay",
        "DetCurveDisplay",
        "PrecisionRecallDisplay",
        "PredictionErrorDisplay",
        "RocCurveDisplay",
    },
    "makers of scorers, which call a model": {"check_scoring", "get_scorer", "get_scorer_names", "make_scorer"},
    "takes the points of any curve": {"auc"},
    "takes biclusters, two pairs of arrays": {"consensus_score"},
    "takes a function, which a config cannot hold": {"metric_at_thresholds"},
    "a module": {"cluster"},
}
SINCE = {"confusion_matrix_at_thresholds": (1, 8), "d2_brier_score": (1, 8)}
INSTALLED = tuple(int(part) for part in sklearn.__version__.split(".")[:2])


def test_every_metric_of_the_installed_version_is_there_or_is_excluded_for_a_reason() -> None:
    excluded = set().union(*NOT_METRICS.values())
    assert not excluded & METRICS.keys()
    assert set(sklearn.metrics.__all__) - excluded == {name for name in METRICS if SINCE.get(name, (0, 0)) <= INSTALLED}


@pytest.mark.parametrize("name", METRICS)
def test_the_summary_is_one_line(name: str) -> None:
    assert METRICS[name]
    assert len(METRICS[name]) <= 80
    assert "\n" not in METRICS[name]
    assert not METRICS[name].endswith(".")


@pytest.mark.parametrize("name", [name for name in METRICS if SINCE.get(name, (0, 0)) <= INSTALLED])
def test_what_is_listed_is_a_function_of_targets_and_predictions(name: str) -> None:
    targets, predictions = list(inspect.signature(getattr(sklearn.metrics, name)).parameters)[:2]
    assert targets in {"y_true", "labels_true", "y1"}
    assert predictions in {"y_pred", "y_score", "y_proba", "labels_pred", "y2", "pred_decision"}

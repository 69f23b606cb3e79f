"""What this plugin provides."""

from __future__ import annotations

from mercury_core import Provider, hookimpl
from mercury_sklearn.metric_names import METRICS

#: The version of Mercury's hooks and contracts that this plugin was written for.
MERCURY_API = 1

_HERE = "mercury_sklearn"


@hookimpl
def mercury_read() -> list[Provider]:
    """The data sets that scikit-learn ships."""
    return [
        Provider("sklearn.dataset", f"{_HERE}.datasets:read_dataset", "The data sets that scikit-learn ships, by name")
    ]


@hookimpl
def mercury_transform() -> list[Provider]:
    """Preprocessing by column type, and any transformer by name."""
    return [
        Provider(
            "sklearn.preprocess", f"{_HERE}.preprocess:Preprocess", "Impute, scale and encode columns by their type"
        ),
        Provider("sklearn.transform", f"{_HERE}.transform:Transform", "Any transformer of scikit-learn, by name"),
    ]


@hookimpl
def mercury_fit() -> list[Provider]:
    """Any estimator."""
    return [Provider("sklearn.fit", f"{_HERE}.fit:fit", "Any estimator of scikit-learn, or with its API, by name")]


@hookimpl
def mercury_evaluate() -> list[Provider]:
    """Every metric, by its own name."""
    return [Provider(f"sklearn.{name}", f"{_HERE}.metrics:{name}", summary) for name, summary in METRICS.items()]


@hookimpl
def mercury_save() -> list[Provider]:
    """Models without pickle."""
    return [
        Provider(
            "sklearn.skops",
            f"{_HERE}.skops_format:skops_format",
            "Estimators and pipelines in skops files, without pickle",
        )
    ]

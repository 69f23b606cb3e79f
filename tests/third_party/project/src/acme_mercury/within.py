"""A metric."""

from mercury_core import DataWrapper, Predictions


def within(targets: DataWrapper, predictions: Predictions, tolerance: float = 1.0) -> float:
    """The share of predictions that are at most `tolerance` from their target."""
    import numpy as np

    told = predictions.values.to("numpy").underlying
    return float(np.mean(np.abs(targets.to("numpy").underlying - told) <= tolerance))

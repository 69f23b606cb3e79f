"""scikit-learn for Mercury: fit, preprocess, evaluate, and save without pickle."""

__version__ = "0.1.0"

"""Keras for Mercury: images, training, evaluation, and every format that Keras writes."""

__version__ = "0.1.0"

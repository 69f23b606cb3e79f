"""ONNX for Mercury: models of scikit-learn and Keras, predicted by onnxruntime alone."""

__version__ = "0.1.0"

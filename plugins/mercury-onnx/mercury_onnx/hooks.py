"""What this plugin provides."""

from __future__ import annotations

from mercury_core import Provider, hookimpl

#: The version of Mercury's hooks and contracts that this plugin was written for.
MERCURY_API = 1


@hookimpl
def mercury_save() -> list[Provider]:
    """Models that onnxruntime predicts; ``keras.onnx`` is brought by mercury-keras, and read with what is here."""
    return [
        Provider(
            "sklearn.onnx",
            "mercury_onnx.sklearn_format:sklearn_onnx",
            "scikit-learn models in ONNX, predicted by onnxruntime alone",
        )
    ]

"""Which package brings which keys: so that one that is missing is named, and its pip line with it.

Only for plugins of this project. Anybody else's plugin is known by being installed.
"""

from __future__ import annotations

#: The part of a key before the first dot, whatever the verb, and the distribution that brings such keys.
PREFIXES = {
    "keras": "mercury-keras",
    "sklearn": "mercury-sklearn",
}

#: Verb and whole key, and the distribution that brings it.
KEYS = {
    ("copy", "gs"): "mercury-gcs",
    ("copy", "s3"): "mercury-s3",
    ("execute", "ray"): "mercury-ray",
    ("fit", "keras.fit"): "mercury-keras",
    ("fit", "sklearn.fit"): "mercury-sklearn",
    ("save", "keras.hdf5"): "mercury-keras",
    ("save", "sklearn.onnx"): "mercury-onnx",
    ("save", "sklearn.skops"): "mercury-sklearn",
    ("serve", "http"): "mercury-http",
    ("transform", "sklearn.preprocess"): "mercury-sklearn",
    ("transform", "to.keras"): "mercury-keras",
    ("transform", "to.torch"): "mercury-keras",
}


def distribution_of(verb: str, key: str) -> str | None:
    """The distribution that brings a key, if this project has one.

    Examples:
        >>> distribution_of("copy", "s3"), distribution_of("evaluate", "sklearn.f1_score"), distribution_of("copy", "x")
        ('mercury-s3', 'mercury-sklearn', None)
    """
    prefix, dot, _ = key.partition(".")
    return KEYS.get((verb, key)) or (PREFIXES.get(prefix) if dot else None)

"""Keras runs on TensorFlow in every process of these tests; what is to run on torch runs in a child of its own."""

from __future__ import annotations

import os

import pytest

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # what TensorFlow writes of this machine's processor

#: Of others: no test of ours can mend them.
OTHERS = [
    "ignore:__array__ implementation doesn.t accept a copy keyword:DeprecationWarning",
    "ignore:Please install grpcio-status:ImportWarning",  # TensorFlow brings grpcio without it
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for known in OTHERS:
            item.add_marker(pytest.mark.filterwarnings(known))

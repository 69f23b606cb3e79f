"""What the tests of this plugin share: the warnings of others that no test of ours can mend."""

from __future__ import annotations

import pytest

#: Keras's torch backend converts tensors in NumPy's old way, of which NumPy 2 warns.
OTHERS = ["ignore:__array__ implementation doesn.t accept a copy keyword:DeprecationWarning"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        for known in OTHERS:
            item.add_marker(pytest.mark.filterwarnings(known))

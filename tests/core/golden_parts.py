"""A bundle with golden rows, and the same one saved: fixtures for the modules that import them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from mercury_core import Bundle, DataBunch, store_model, transform_data_bunch as transform
from tests.core.bundle_parts import FORMAT, HERE, SumModel, data_set, make_importable

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def parts_can_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    make_importable(monkeypatch)


@pytest.fixture
def bundle() -> Bundle:
    bunch = DataBunch({"train": data_set([1.0, 2.0], [3.0, 4.0]), "test": data_set([10.0], [20.0])})
    return Bundle.of(SumModel(offset=0.5), transform(transform(bunch, f"{HERE}:Shift"), f"{HERE}:double", times=3))


@pytest.fixture
def saved(tmp_path: Path, bundle: Bundle) -> str:
    return store_model(bundle, tmp_path / "m", format=FORMAT).uri

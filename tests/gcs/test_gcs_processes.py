"""One store in many threads, and in children that are forked after it was used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("mercury_gcs")

from tests.store_processes import CASES, run_case

if TYPE_CHECKING:
    from tests.gcs.json_api import JsonApi

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.mark.parametrize("case", CASES)
def test_one_store_in_threads_and_children(api: JsonApi, base: str, case: str) -> None:
    made = f"from mercury_gcs.store import GCSStore\nstore = GCSStore(endpoint={api.endpoint!r}, deadline=60)"
    run_case(case, made, base, {})

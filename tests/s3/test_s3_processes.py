"""One store in many threads, and in children that are forked after it was used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.store_processes import CASES, run_case

if TYPE_CHECKING:
    from tests.servers.s3 import S3Server

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@pytest.mark.parametrize("case", CASES)
def test_one_store_in_threads_and_children(server: S3Server, base: str, transport: str, case: str) -> None:
    made = (
        "from mercury_s3.store import S3Store\n"
        f"store = S3Store(endpoint_url={server.endpoint!r}, transport={transport!r}, timeout=60)"
    )
    run_case(case, made, base, server.environment)

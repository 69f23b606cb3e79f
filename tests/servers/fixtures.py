"""The servers as fixtures; one of each kind a test process. Without its packages a server is a reason to skip."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.servers import gcs, s3
from tests.servers.proxy import FaultProxy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _needs(missing: str | None) -> None:
    if missing:
        pytest.skip(missing)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[s3.S3Server]:
    """SeaweedFS."""
    _needs(s3.missing_weed())
    with s3.weed() as server:
        yield server


@pytest.fixture(scope="session")
def moto_server() -> Iterator[s3.S3Server]:
    """moto."""
    _needs(s3.missing_moto())
    with s3.moto() as server:
        yield server


@pytest.fixture(scope="session")
def gcs_server() -> Iterator[gcs.GcsServer]:
    """fake-gcs-server."""
    _needs(gcs.missing_fake_gcs())
    with gcs.fake_gcs() as server:
        yield server


@pytest.fixture(scope="session")
def gcp_emulator() -> Iterator[gcs.GcsServer]:
    """gcp-storage-emulator."""
    _needs(gcs.missing_gcp_emulator())
    with gcs.gcp_emulator() as server:
        yield server


@pytest.fixture
def proxy_to() -> Iterator[Callable[[str], FaultProxy]]:
    """A function that puts a fault proxy before a URL; all of them end with the test."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda url: stack.enter_context(FaultProxy(url))

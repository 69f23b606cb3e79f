"""What the tests of this plugin share."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("mercury_gcs")

from mercury_gcs.store import GCSStore

from tests.gcs.json_api import JsonApi, json_api

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.proxy import FaultProxy


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of the user's: no login of gcloud, no credentials, no look for a machine's account, no proxy."""
    for name in [*os.environ]:
        if name.startswith(("GOOGLE_", "GCLOUD_", "CLOUDSDK_", "STORAGE_EMULATOR")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("CLOUDSDK_CONFIG", os.fspath(tmp_path / "gcloud"))
    monkeypatch.setenv("NO_GCE_CHECK", "true")


@pytest.fixture(scope="session")
def api() -> Iterator[JsonApi]:
    """A server that keeps what the JSON API promises."""
    with json_api() as server:
        yield server


@pytest.fixture
def bucket(api: JsonApi) -> str:
    """An empty bucket of `api`."""
    return api.bucket()


@pytest.fixture
def base(bucket: str) -> str:
    """A URI with nothing below it."""
    return f"gs://{bucket}/base"


@pytest.fixture
def proxy(api: JsonApi, proxy_to: Callable[[str], FaultProxy]) -> FaultProxy:
    """A proxy before `api`."""
    return proxy_to(api.endpoint)


@pytest.fixture
def store(proxy: FaultProxy) -> GCSStore:
    """A store of `api`, behind the proxy."""
    return GCSStore(endpoint=proxy.url)

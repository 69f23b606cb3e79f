"""What the tests of this plugin share."""

from __future__ import annotations

import pytest

pytest.importorskip("boto3")
pytest.importorskip("mercury_s3")

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from mercury_s3.store import S3Store

    from tests.servers.proxy import FaultProxy
    from tests.servers.s3 import S3Server


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Nothing of the user's: no files of boto3's, no credentials, no look for a machine's role."""
    import os

    for name in [*os.environ]:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.fspath(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.fspath(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def server(s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """SeaweedFS, whose user the environment names."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", s3_server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", s3_server.secret_key)
    monkeypatch.setenv("AWS_DEFAULT_REGION", s3_server.region)
    return s3_server


@pytest.fixture(params=["auto", "boto3"])
def transport(request: pytest.FixtureRequest) -> str:
    """Both ways to send requests."""
    return str(request.param)


@pytest.fixture(scope="session")
def bucket(s3_server: S3Server) -> str:
    """A bucket for all tests: each of SeaweedFS's takes room of its own, and hundreds fill it."""
    return s3_server.bucket()


@pytest.fixture(scope="session")
def raw(s3_server: S3Server) -> Any:
    """A plain boto3 client of the server: making one takes longer than most tests."""
    return s3_server.client()


@pytest.fixture
def base(server: S3Server, bucket: str) -> str:
    """A URI with nothing below it."""
    import secrets

    return f"s3://{bucket}/{secrets.token_hex(6)}"


@pytest.fixture
def make(server: S3Server) -> Callable[..., S3Store]:
    """A store of the server."""
    from mercury_s3.store import S3Store

    return lambda **params: S3Store(**({"endpoint_url": server.endpoint} | params))


@pytest.fixture
def proxy(server: S3Server, proxy_to: Callable[[str], FaultProxy]) -> FaultProxy:
    """A proxy before the server."""
    return proxy_to(server.endpoint)

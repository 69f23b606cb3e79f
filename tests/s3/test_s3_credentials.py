"""Credentials come from boto3's own chain, and are looked up again when they expire."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from mercury_s3.checksums import crc32c
from mercury_s3.store import S3Store

from mercury_core.errors import StoreAccessError
from tests.servers.faults import Answer
from tests.servers.proxy import ALWAYS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.proxy import FaultProxy
    from tests.servers.s3 import S3Server

EXPIRED = Answer(
    400,
    b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>",
    {"Content-Type": "application/xml"},
)
PART = 8 << 20


@pytest.fixture
def profile(tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A profile whose credentials a program gives, which counts its calls; the file with what it gives."""
    given, counted = tmp_path / "given.json", tmp_path / "calls"
    keys = {"Version": 1, "AccessKeyId": s3_server.access_key, "SecretAccessKey": s3_server.secret_key}
    given.write_text(json.dumps(keys))
    program = tmp_path / "program.py"
    program.write_text(
        f"open({str(counted)!r}, 'a').write('.')\nprint(open({str(given)!r}).read())\n",
    )
    (tmp_path / "config").write_text(
        f"[profile team]\nregion = {s3_server.region}\ncredential_process = {sys.executable} {program}\n"
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    return given


def test_a_profile(profile: Path, s3_server: S3Server, bucket: str, transport: str) -> None:
    store = S3Store(profile="team", endpoint_url=s3_server.endpoint, transport=transport)
    store.put(f"s3://{bucket}/profile", io.BytesIO(b"x"), overwrite=True)
    assert store.open(f"s3://{bucket}/profile").read() == b"x"
    assert (profile.parent / "calls").read_text() == "."


def test_a_profile_goes_before_the_environment_where_it_is_given(
    profile: Path, s3_server: S3Server, bucket: str, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "somebody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "else")
    S3Store(profile="team", endpoint_url=s3_server.endpoint, transport=transport).check(f"s3://{bucket}")
    assert profile.exists()
    # As boto3 has it: of what the environment says, credentials go before a profile.
    monkeypatch.setenv("AWS_PROFILE", "team")
    with pytest.raises(StoreAccessError, match="does not know the credentials"):
        S3Store(endpoint_url=s3_server.endpoint, transport=transport).check(f"s3://{bucket}")


def test_the_profile_names_endpoint_and_region(profile: Path, s3_server: S3Server, bucket: str, transport: str) -> None:
    config = profile.parent / "config"
    config.write_text(f"{config.read_text()}endpoint_url = {s3_server.endpoint}\n")
    store = S3Store(profile="team", transport=transport)
    store.put(f"s3://{bucket}/by-profile", io.BytesIO(b"x"), overwrite=True)
    assert store.stat(f"s3://{bucket}/by-profile").size == 1


def test_the_environment_names_the_endpoint(
    server: S3Server, bucket: str, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", server.endpoint)
    store = S3Store(transport=transport)
    store.put(f"s3://{bucket}/by-environment", io.BytesIO(b"x"), overwrite=True)
    assert store.stat(f"s3://{bucket}/by-environment").size == 1


def test_what_has_expired_is_got_again_between_parts(
    profile: Path, s3_server: S3Server, bucket: str, proxy_to: Any, transport: str
) -> None:
    proxy = proxy_to(s3_server.endpoint)
    store, data = S3Store(profile="team", endpoint_url=proxy.url, transport=transport), bytes(PART + 5)
    uri = f"s3://{bucket}/expires-{transport}"
    upload = store.begin(uri, len(data), overwrite=True)
    parts = [store.put_part(uri, upload, 0, memoryview(data)[:PART])]
    rule = proxy.fail(EXPIRED)
    parts.append(store.put_part(uri, upload, 1, memoryview(data)[PART:]))
    assert rule.injected == 1
    assert (profile.parent / "calls").read_text() == ".."
    info = store.finish(uri, upload, parts, overwrite=True, crc32c=crc32c(data))
    assert info.checksums["crc32c"] == crc32c(data)


def test_new_ones_in_the_environment_are_used(server: S3Server, base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "old")
    store = S3Store(endpoint_url=server.endpoint)
    with pytest.raises(StoreAccessError, match="does not know the credentials"):
        store.put(f"{base}/a", io.BytesIO(b"x"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    assert store.put(f"{base}/a", io.BytesIO(b"x")).size == 1


def test_what_stays_expired_is_said(server: S3Server, base: str, proxy: FaultProxy, transport: str) -> None:
    rule = proxy.fail(EXPIRED, on=ALWAYS)
    store = S3Store(endpoint_url=proxy.url, transport=transport)
    with pytest.raises(StoreAccessError, match=r"the credentials have expired.*aws sso login"):
        store.put(f"{base}/a", io.BytesIO(b"x"), overwrite=True)
    assert rule.injected == 2, "once more with new ones, and no more"
    with pytest.raises(StoreAccessError, match="the credentials have expired"):
        store.stat(f"{base}/a")


def test_a_program_that_gives_none_is_said(profile: Path, s3_server: S3Server, bucket: str, transport: str) -> None:
    profile.write_text('{"Version": 1, "AccessKeyId": "hidden-key"}')
    store = S3Store(profile="team", endpoint_url=s3_server.endpoint, transport=transport)
    with pytest.raises(StoreAccessError, match="the credentials cannot be had") as caught:
        store.stat(f"s3://{bucket}/a")
    assert "hidden" not in str(caught.value)

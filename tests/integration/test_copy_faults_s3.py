"""Copies from and to S3 while everything fails that can."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

pytest.importorskip("boto3")
pytest.importorskip("mercury_s3")

from mercury_core.storage.uri import join
from tests.integration.copy_faults import CopyFaults
from tests.integration.copy_faults_setup import LARGE, small_disk
from tests.servers.faults import SLOW_DOWN, Answer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from tests.servers.counting import Faults
    from tests.servers.s3 import S3Server

__all__ = ["small_disk"]

EXPIRED = Answer(
    400,
    b"<?xml version='1.0'?><Error><Code>ExpiredToken</Code><Message>The provided token has expired.</Message></Error>",
    {"Content-Type": "application/xml"},
)


class TestS3(CopyFaults):
    scheme = "s3"
    slow_down = SLOW_DOWN
    upload: ClassVar[Mapping[str, str]] = {"method": "PUT", "path": "^/[^/]+/."}
    part: ClassVar[Mapping[str, str]] = {"method": "PUT", "path": "^/[^/]+/.", "query": "partNumber="}
    download: ClassVar[Mapping[str, str]] = {"method": "GET", "path": "^/[^/]+/."}

    @pytest.fixture(autouse=True)
    def _server(self, s3_server: S3Server, faults: Faults, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in [*os.environ]:
            if name.startswith("AWS_") or name.lower().endswith("_proxy"):
                monkeypatch.delenv(name)
        for name, value in s3_server.environment.items():
            monkeypatch.setenv(name, value)
        self.server, self.faults, self.proxy = s3_server, faults, faults.proxy(s3_server.endpoint)
        self.client = s3_server.client()
        self.bucket = s3_server.bucket()
        self.base = f"s3://{self.bucket}/base"

    def settings(self, **more: Any) -> dict[str, dict[str, Any]]:
        return {"s3": {"endpoint_url": self.proxy.url, "max_concurrency": 2, "timeout": 60, **more}}

    def hasty(self) -> dict[str, dict[str, Any]]:
        return self.settings(max_attempts=2, timeout=8)

    def raw_put(self, uri: str, data: bytes) -> None:
        self.client.put_object(Bucket=self.bucket, Key=self.key(uri), Body=data)

    def raw_get(self, uri: str) -> bytes | None:
        try:
            return bytes(self.client.get_object(Bucket=self.bucket, Key=self.key(uri))["Body"].read())
        except self.client.exceptions.NoSuchKey:
            return None

    def raw_list(self, base: str) -> Iterable[str]:
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.key(base) + "/")
        return [f"s3://{self.bucket}/{each['Key']}" for each in found.get("Contents", ())]

    def raw_delete(self, uri: str) -> None:
        self.client.delete_object(Bucket=self.bucket, Key=self.key(uri))

    def raw_uploads(self) -> list[str]:
        return [each["UploadId"] for each in self._uploads()]

    def raw_abort(self) -> None:
        for each in self._uploads():
            self.client.abort_multipart_upload(Bucket=self.bucket, Key=each["Key"], UploadId=each["UploadId"])

    def _uploads(self) -> Iterable[dict[str, str]]:
        found: Iterable[dict[str, str]] = self.client.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ())
        return found

    def key(self, uri: str) -> str:
        return uri.removeprefix(f"s3://{self.bucket}/")

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_credentials_that_expire_between_parts_are_looked_up_again(
        self, place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        script, log = tmp_path / "credentials.py", tmp_path / "asked"
        keys = {"Version": 1, "AccessKeyId": self.server.access_key, "SecretAccessKey": self.server.secret_key}
        script.write_text(f"open({str(log)!r}, 'a').write('x')\nprint({json.dumps(keys)!r})\n")
        (tmp_path / "config").write_text(f"[default]\ncredential_process = {sys.executable} {script}\n")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
        source, data = self.here(LARGE)
        rule = self.proxy.fail(EXPIRED, **self.part, on=(place,))
        self.same(self.copied(source, join(self.base, "a")), data)
        assert rule.injected == 1
        assert len(log.read_text()) >= 2
        self.faults.count["expired"] += 1
        assert self.seen(self.base) == {"a": data}
        self.nothing_left()

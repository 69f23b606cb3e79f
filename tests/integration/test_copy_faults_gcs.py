"""Copies from and to Google Cloud Storage while everything fails that can."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

pytest.importorskip("google.cloud.storage")
pytest.importorskip("mercury_gcs")

from mercury_core.storage.uri import join
from tests.gcs.json_api import JsonApi, json_api
from tests.integration.copy_faults import CopyFaults
from tests.integration.copy_faults_setup import LARGE, small_disk
from tests.servers.faults import TOO_MANY, Answer
from tests.servers.proxy import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from tests.servers.counting import Faults
    from tests.servers.proxy import FaultProxy

__all__ = ["small_disk"]


@pytest.fixture(scope="module")
def api() -> Iterator[JsonApi]:
    """A server that keeps what the JSON API promises."""
    with json_api() as server:
        yield server


class TestGcs(CopyFaults):
    scheme = "gs"
    slow_down = TOO_MANY
    upload: ClassVar[Mapping[str, str]] = {"method": "PUT|POST", "path": "^/upload/"}
    part: ClassVar[Mapping[str, str]] = {"method": "PUT", "path": "^/upload/"}
    download: ClassVar[Mapping[str, str]] = {"method": "GET", "query": "alt=media"}

    @pytest.fixture(autouse=True)
    def _server(self, api: JsonApi, faults: Faults, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in [*os.environ]:
            if name.startswith(("GOOGLE_", "GCLOUD_", "CLOUDSDK_", "STORAGE_EMULATOR")) or name.lower().endswith(
                "_proxy"
            ):
                monkeypatch.delenv(name)
        monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "gcloud"))
        monkeypatch.setenv("NO_GCE_CHECK", "true")
        self.api, self.faults, self.proxy = api, faults, faults.proxy(api.endpoint)
        self.bucket = api.bucket()
        self.base = f"gs://{self.bucket}/base"

    def settings(self, **more: Any) -> dict[str, dict[str, Any]]:
        parts = {"chunk_size": 8 << 20, "resumable_above": 8 << 20}
        return {"gs": {"endpoint": self.proxy.url, "max_concurrency": 2, "deadline": 60, **parts, **more}}

    def hasty(self) -> dict[str, dict[str, Any]]:
        return self.settings(max_attempts=2, deadline=8)

    def raw_put(self, uri: str, data: bytes) -> None:
        self.api.publish(self.bucket, self.name(uri), data, {}, {})

    def raw_get(self, uri: str) -> bytes | None:
        held = self.api.buckets[self.bucket].get(self.name(uri))
        return held.data if held else None

    def raw_list(self, base: str) -> Iterable[str]:
        uris = [f"gs://{self.bucket}/{name}" for name in [*self.api.buckets[self.bucket]]]
        return [uri for uri in uris if uri.startswith(f"{base}/")]

    def raw_delete(self, uri: str) -> None:
        self.api.buckets[self.bucket].pop(self.name(uri))

    def raw_uploads(self) -> list[str]:
        return [key for key, each in self.api.sessions.items() if not each.done and each.bucket == self.bucket]

    def raw_abort(self) -> None:
        for key in self.raw_uploads():
            del self.api.sessions[key]

    def name(self, uri: str) -> str:
        return uri.removeprefix(f"gs://{self.bucket}/")

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_a_token_that_expires_between_parts_is_replaced(
        self, place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy_to: Callable[[str], FaultProxy]
    ) -> None:
        from cryptography.hazmat.primitives.asymmetric import rsa
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
        from mercury_gcs.settings import Settings

        tokens = proxy_to(self.api.endpoint)  # it only answers for the service that gives tokens
        token = json.dumps({"access_token": "a-token", "expires_in": 3600, "token_type": "Bearer"}).encode()
        asked = tokens.fail(Answer(200, token, {"Content-Type": "application/json"}), path="/token", on=ALWAYS)
        pem = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        key = rsa.generate_private_key(65537, 2048).private_bytes(*pem).decode()
        login = {"type": "service_account", "client_email": "tests@example.org", "private_key": key}
        login |= {"project_id": "mercury", "token_uri": f"{tokens.url}/token"}
        (tmp_path / "login.json").write_text(json.dumps(login))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "login.json"))
        # Over plain HTTP no token travels, but for this test.
        monkeypatch.setattr(Settings, "unsigned", property(lambda _: False))
        source, data = self.here(LARGE)
        rule = self.proxy.fail(Answer(401), **self.part, on=(place,))
        self.same(self.copied(source, join(self.base, "a")), data)
        assert rule.injected == 1
        assert asked.injected == 2
        assert self.seen(self.base) == {"a": data}
        self.nothing_left()

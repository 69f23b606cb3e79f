"""The suite of all stores, for Google Cloud Storage: against a server that keeps its promises, and two emulators."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

pytest.importorskip("mercury_gcs")

from mercury_gcs.store import GCSStore

from mercury_core.contracts import (
    ChecksumStore,
    ConcurrentStore,
    ConditionalStore,
    CopyingStore,
    LevelStore,
    ManyDeletingStore,
    ManyPuttingStore,
    ManyReadingStore,
    MultipartStore,
    ReachableStore,
)
from mercury_core.testing import StoreSuite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.gcs.json_api import JsonApi
    from tests.servers.gcs import GcsServer


LINE = "names of Google Cloud Storage hold no line breaks"
NAMES = {f"test_any_name_is_{done}_as_it_is[line]": LINE for done in ("read", "written")}
COPIES = (
    "test_a_copy_of_what_is_not_there_or_not_the_same_any_more",
    "test_a_copy_onto_itself_loses_nothing",
    "test_a_copy_within_replaces_only_where_it_is_told_to",
)
UPLOADS = ("test_finish_replaces_only_where_it_is_told_to", "test_one_of_many_uploads_creates")
STATES = (
    "test_an_object_in_parts_is_seen_when_it_is_finished",
    "test_an_upload_that_was_aborted_is_gone",
    "test_another_process_goes_on_with_an_upload",
)
PUTS = (
    "test_many_that_are_put_replace_only_where_they_are_told_to",
    "test_of_many_each_is_read_at_its_version",
    "test_one_of_many_creates",
    "test_one_of_many_creates_each_of_many",
    "test_open_reads_the_version_that_is_asked_for_or_none",
    "test_put_replaces_only_where_it_is_told_to",
)


class Suite(StoreSuite):
    """What is the same for all servers."""

    waivers: ClassVar[dict[str, str]] = NAMES

    abilities = (
        *(ChecksumStore, ConcurrentStore, ConditionalStore, CopyingStore, LevelStore, ManyDeletingStore),
        *(ManyPuttingStore, ManyReadingStore, MultipartStore, ReachableStore),
    )
    in_parts: ClassVar[int] = (1 << 20) + 300_000
    endpoint: str
    bucket: str

    def make_store(self) -> GCSStore:
        return GCSStore(**self.settings()["gs"])

    def make_base(self) -> str:
        return f"gs://{self.bucket}/{secrets.token_hex(6)}"

    def out_of_reach(self) -> str | None:
        return "gs://no-such-bucket-anywhere/a"

    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        # So small that the objects of the suite go in parts.
        return {"gs": {"endpoint": self.endpoint, "chunk_size": 512 << 10, "resumable_above": 1 << 20, "deadline": 60}}


class TestJsonApi(Suite):
    """Without any waiver."""

    @pytest.fixture(autouse=True)
    def _server(self, api: JsonApi) -> None:
        self.api, self.endpoint, self.bucket = api, api.endpoint, api.bucket()

    def raw_put(self, uri: str, data: bytes) -> None:
        self.api.publish(*_split(uri), data, {}, {})

    def raw_get(self, uri: str) -> bytes | None:
        bucket, name = _split(uri)
        held = self.api.buckets[bucket].get(name)
        return held.data if held else None

    def raw_list(self, base: str) -> Iterable[str]:
        return [
            uri
            for name in [*self.api.buckets[self.bucket]]
            if (uri := f"gs://{self.bucket}/{name}").startswith(f"{base}/")
        ]

    def raw_leftovers(self, base: str) -> Iterable[str]:
        prefix = f"{_split(base)[1]}/"
        return [one.name for one in self.api.sessions.values() if not one.done and one.name.startswith(prefix)]


class ByClient(Suite):
    """Around the store: google-cloud-storage."""

    def use(self, server: GcsServer) -> None:
        self.endpoint, self.bucket, self.client = server.endpoint, server.bucket(), server.client()

    def raw_put(self, uri: str, data: bytes) -> None:
        bucket, name = _split(uri)
        self.client.bucket(bucket).blob(name).upload_from_string(data)

    def raw_get(self, uri: str) -> bytes | None:
        from google.api_core.exceptions import NotFound

        bucket, name = _split(uri)
        try:
            return bytes(self.client.bucket(bucket).blob(name).download_as_bytes())
        except NotFound:
            return None

    def raw_list(self, base: str) -> Iterable[str]:
        bucket, prefix = _split(f"{base}/")
        return [f"gs://{bucket}/{blob.name}" for blob in self.client.list_blobs(bucket, prefix=prefix)]


class TestFakeGcsServer(ByClient):
    """fake-gcs-server."""

    waivers: ClassVar[dict[str, str]] = {
        **NAMES,
        **dict.fromkeys(COPIES, "fake-gcs-server ignores preconditions of rewrites"),
        **dict.fromkeys(UPLOADS, "fake-gcs-server ignores preconditions of sessions"),
        **dict.fromkeys(STATES, "fake-gcs-server publishes what it has when it is asked how far a session is"),
        "test_a_part_that_is_sent_again_replaces_the_first": "fake-gcs-server appends what it has already",
    }

    @pytest.fixture(autouse=True)
    def _server(self, gcs_server: GcsServer) -> None:
        self.use(gcs_server)


class TestGcpStorageEmulator(ByClient):
    """gcp-storage-emulator."""

    waivers: ClassVar[dict[str, str]] = {
        **NAMES,
        **dict.fromkeys((*COPIES, *UPLOADS, *PUTS), "gcp-storage-emulator ignores preconditions on generations"),
        "test_an_upload_that_was_aborted_is_gone": "gcp-storage-emulator removes no session",
    }

    @pytest.fixture(autouse=True)
    def _server(self, gcp_emulator: GcsServer) -> None:
        self.use(gcp_emulator)


def _split(uri: str) -> tuple[str, str]:
    found = re.fullmatch(r"gs://([^/]+)/(.*)", uri, re.DOTALL)
    assert found is not None
    return found[1], found[2]

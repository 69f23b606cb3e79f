"""What a network and a service do for a moment is tried again, and nothing of it is seen."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("mercury_gcs")

from mercury_gcs.store import GCSStore

from mercury_core.errors import (
    ObjectChangedError,
    ObjectExistsError,
    StoreAccessError,
    UploadGoneError,
    VerificationError,
)
from mercury_core.testing.stores_setup import Piecemeal, content, crc32c
from tests.servers.faults import (
    TOO_MANY,
    Answer,
    Call,
    Cut,
    CutRequest,
    FlipAnswer,
    FlipRequest,
    Hang,
    LoseAnswer,
    Reset,
    Shorten,
)
from tests.servers.proxy import ALWAYS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gcs.json_api import JsonApi
    from tests.servers.faults import Fault
    from tests.servers.proxy import FaultProxy

DATA = content(300_000)
BUSY = Answer(503, b'{"error": {"code": 503, "message": "Backend Error", "errors": [{"reason": "backendError"}]}}')
ONCE: dict[str, Fault] = {
    "reset": Reset(),
    "500": Answer(500),
    "502": Answer(502, b"<html>a proxy's page</html>"),
    "503": BUSY,
    "429": TOO_MANY,
    "408": Answer(408),
    "rate limit": Answer(403, b'{"error": {"message": "slow", "errors": [{"reason": "userRateLimitExceeded"}]}}'),
}


@pytest.fixture
def small(proxy: FaultProxy) -> GCSStore:
    """A store that sends nearly everything in parts."""
    return GCSStore(endpoint=proxy.url, chunk_size=256 << 10, resumable_above=0)


@pytest.mark.parametrize("fault", ONCE.values(), ids=ONCE)
def test_every_action_survives_a_moment(
    proxy: FaultProxy, store: GCSStore, api: JsonApi, bucket: str, base: str, fault: Fault, tmp_path: Path
) -> None:
    def failing() -> None:
        proxy.fail(fault)

    failing()
    made = store.put(f"{base}/a", io.BytesIO(DATA))
    failing()
    assert store.stat(f"{base}/a") == made
    failing()
    assert [info.uri for info in store.list(base)] == [f"{base}/a"]
    failing()
    assert [info.uri for info in store.level(base) if not isinstance(info, str)] == [f"{base}/a"]
    failing()
    with store.open(f"{base}/a") as data:
        assert data.read() == DATA
    failing()
    store.get(f"{base}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == DATA
    failing()
    store.copy(f"{base}/a", f"{base}/b", overwrite=False)
    failing()
    store.check(base, write=True)
    failing()
    store.delete(f"{base}/a")
    failing()
    store.delete_many([f"{base}/b"])
    assert sum(proxy.injected.values()) == 10
    assert api.buckets[bucket] == {}


def test_reading_goes_on_where_it_was_cut(proxy: FaultProxy, store: GCSStore, base: str) -> None:
    store.put(f"{base}/a", io.BytesIO(DATA))
    proxy.fail(Cut(100_000), method="GET")
    proxy.fail(Cut(50_000), method="GET")
    with store.open(f"{base}/a") as data:
        assert data.read() == DATA
    first, second, third = proxy.seen("GET", path="/download/")
    assert "range" not in first.headers
    assert second.headers["range"] == "bytes=100000-299999"
    assert third.headers["range"] == "bytes=150000-299999"
    assert "ifGenerationMatch" not in first.query
    assert "ifGenerationMatch" in second.query, "what is read on must be the same object"


def test_a_range_goes_on_where_it_was_cut(proxy: FaultProxy, store: GCSStore, base: str) -> None:
    store.put(f"{base}/a", io.BytesIO(DATA))
    proxy.fail(Cut(1_000), method="GET")
    with store.open(f"{base}/a", 5_000, 250_000) as data:
        assert data.read() == DATA[5_000:250_000]
    assert proxy.seen("GET", path="/download/")[1].headers["range"] == "bytes=6000-249999"


def test_what_was_replaced_meanwhile_is_not_mixed(proxy: FaultProxy, store: GCSStore, api: JsonApi, base: str) -> None:
    made = store.put(f"{base}/a", io.BytesIO(DATA))
    proxy.fail(Cut(100_000), method="GET")
    with store.open(made.uri) as data:
        store.put(made.uri, io.BytesIO(content(len(DATA), 1)), overwrite=True)
        with pytest.raises(ObjectChangedError, match=made.uri):
            data.read()


def test_what_is_cut_again_and_again_is_given_up(proxy: FaultProxy, base: str) -> None:
    store = GCSStore(endpoint=proxy.url, max_attempts=3)
    store.put(f"{base}/a", io.BytesIO(DATA))
    proxy.fail(Cut(0), method="GET", on=ALWAYS)
    with store.open(f"{base}/a") as data, pytest.raises(StoreAccessError, match="the connection was cut"):
        data.read()


def test_what_is_silent_is_asked_again(proxy: FaultProxy, base: str) -> None:
    store = GCSStore(endpoint=proxy.url, deadline=2)
    proxy.fail(Hang(), method="POST")
    store.put(f"{base}/a", io.BytesIO(DATA))
    assert store.stat(f"{base}/a").size == len(DATA)


def test_whoever_asks_too_much_waits_as_long_as_it_is_told(proxy: FaultProxy, base: str) -> None:
    store = GCSStore(endpoint=proxy.url, deadline=30)
    proxy.fail(Answer(429, b"", {"Retry-After": "60"}), method="POST")
    with pytest.raises(StoreAccessError, match="asks for fewer requests"):
        store.put(f"{base}/a", io.BytesIO(DATA))  # that is past the deadline: it does not even begin to wait
    assert len(proxy.seen("POST")) == 1


@pytest.mark.parametrize("fault", [CutRequest(100_000), LoseAnswer(), BUSY], ids=lambda fault: fault.kind)
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_put_whose_answer_is_lost(
    proxy: FaultProxy, store: GCSStore, api: JsonApi, bucket: str, base: str, fault: Fault, overwrite: bool
) -> None:
    if overwrite:
        store.put(f"{base}/a", io.BytesIO(b"old"))
        proxy.requests.clear()
    proxy.fail(fault, method="POST")
    made = store.put(f"{base}/a", io.BytesIO(DATA), overwrite=overwrite)
    assert api.buckets[bucket]["base/a"].data == DATA
    assert made == store.stat(f"{base}/a")
    assert len(proxy.seen("POST")) == 2


def test_a_lost_answer_does_not_make_what_is_there_ours(proxy: FaultProxy, store: GCSStore, base: str) -> None:
    store.put(f"{base}/a", io.BytesIO(b"somebody else's"))
    proxy.fail(LoseAnswer(), method="POST")
    with pytest.raises(ObjectExistsError, match=f"{base}/a"):
        store.put(f"{base}/a", io.BytesIO(DATA))


def test_a_copy_whose_answer_is_lost(proxy: FaultProxy, store: GCSStore, base: str) -> None:
    made = store.put(f"{base}/a", io.BytesIO(DATA))
    proxy.fail(LoseAnswer(), method="POST", path="/rewriteTo/")
    assert store.copy(made.uri, f"{base}/b", overwrite=False).checksums == made.checksums
    store.put(f"{base}/c", io.BytesIO(b"somebody else's"))
    proxy.fail(LoseAnswer(), method="POST", path="/rewriteTo/")
    with pytest.raises(ObjectExistsError, match=f"{base}/c"):
        store.copy(made.uri, f"{base}/c", overwrite=False)


@pytest.mark.parametrize("size", [20_000, 9 << 20], ids=["whole", "in chunks"])
def test_a_bit_that_flips_on_the_way_up_is_not_published(
    proxy: FaultProxy, store: GCSStore, api: JsonApi, bucket: str, base: str, size: int
) -> None:
    kept = store.put(f"{base}/a", io.BytesIO(b"old"))
    proxy.fail(FlipRequest(10_000), method="POST|PUT", query="upload_id|multipart", on=ALWAYS)
    data = Piecemeal(content(size))
    with pytest.raises(VerificationError, match=f"{base}/a"):
        store.put(f"{base}/a", data, overwrite=True)  # type: ignore[arg-type]
    proxy.heal()
    assert store.stat(f"{base}/a") == kept, "what was there before is there still"
    assert not [one for one in api.sessions.values() if one.bucket == bucket]


def test_a_service_that_compares_nothing_is_compared_with(gcs_server: object, proxy_to: object) -> None:
    proxy = proxy_to(gcs_server.endpoint)  # type: ignore[operator,attr-defined]
    store, base = GCSStore(endpoint=proxy.url), f"gs://{gcs_server.bucket()}"  # type: ignore[attr-defined]
    proxy.fail(FlipRequest(10_000), method="POST", path="/upload/")
    with pytest.raises(VerificationError, match=f"{base}/a"):
        store.put(f"{base}/a", io.BytesIO(content(20_000)))
    assert list(store.list(base)) == []


def test_a_bit_that_flips_on_the_way_down_is_found(
    proxy: FaultProxy, store: GCSStore, base: str, tmp_path: Path
) -> None:
    store.put(f"{base}/a", io.BytesIO(DATA))
    for fault in (FlipAnswer(7), Shorten(1_000)):
        proxy.fail(fault, method="GET", path="/download/")
        with pytest.raises(VerificationError, match=f"{base}/a"):
            store.get(f"{base}/a", tmp_path / "a")
        assert list(tmp_path.glob("a*")) == []


# --- sessions ---


@pytest.mark.parametrize(
    "fault", [Reset(), CutRequest(150_000), LoseAnswer(), BUSY, TOO_MANY], ids=lambda fault: fault.kind
)
@pytest.mark.parametrize("place", range(4))
def test_a_part_that_meets_a_fault(
    proxy: FaultProxy, small: GCSStore, api: JsonApi, bucket: str, base: str, fault: Fault, place: int
) -> None:
    data = content(3 * (256 << 10) + 70_000)
    rule = proxy.fail(fault, method="PUT", on=(place,))
    made = _send(small, f"{base}/a", data)
    assert rule.injected == 1
    assert api.buckets[bucket]["base/a"].data == data
    assert made == small.stat(f"{base}/a")


@pytest.mark.parametrize("fault", [CutRequest(300_000), LoseAnswer(), BUSY], ids=lambda fault: fault.kind)
@pytest.mark.parametrize("place", [0, 1])
def test_a_stream_that_meets_a_fault(
    proxy: FaultProxy, api: JsonApi, bucket: str, base: str, fault: Fault, place: int
) -> None:
    store = GCSStore(endpoint=proxy.url, chunk_size=512 << 10)
    data = content((9 << 20) + 12_345)
    rule = proxy.fail(fault, method="PUT", on=(place,))
    store.put(f"{base}/a", Piecemeal(data))  # type: ignore[arg-type]
    assert rule.injected == 1
    assert api.buckets[bucket]["base/a"].data == data


def test_a_service_that_refuses_what_it_has(gcp_emulator: object, proxy_to: object, tmp_path: Path) -> None:
    proxy = proxy_to(gcp_emulator.endpoint)  # type: ignore[operator,attr-defined]
    store = GCSStore(endpoint=proxy.url, chunk_size=256 << 10, resumable_above=0)
    uri = f"gs://{gcp_emulator.bucket()}/a"  # type: ignore[attr-defined]
    rule = proxy.fail(LoseAnswer(), method="PUT", on=(1,))
    data = content(700_000)
    _send(store, uri, data)
    assert rule.injected == 1
    store.get(uri, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == data


def test_a_session_that_expired_is_gone(small: GCSStore, api: JsonApi, base: str) -> None:
    uri, data = f"{base}/a", content(600_000)
    upload = small.begin(uri, len(data), overwrite=False)
    small.put_part(uri, upload, 0, memoryview(data)[: 256 << 10])
    api.sessions.clear()
    with pytest.raises(UploadGoneError, match=uri):
        small.put_part(uri, upload, 1, memoryview(data)[256 << 10 : 512 << 10])
    with pytest.raises(UploadGoneError, match=uri):
        small.parts(uri, upload)
    small.abort(uri, upload)


def test_a_session_that_lacks_a_part_is_gone(proxy: FaultProxy, base: str) -> None:
    store = GCSStore(endpoint=proxy.url, chunk_size=256 << 10, resumable_above=0, max_attempts=2)
    uri, data = f"{base}/a", content(600_000)
    upload = store.begin(uri, len(data), overwrite=False)
    with pytest.raises((UploadGoneError, StoreAccessError), match=uri):
        store.put_part(uri, upload, 1, memoryview(data)[256 << 10 : 512 << 10])


def test_an_end_whose_answer_was_lost_is_found_by_another_process(
    proxy: FaultProxy, small: GCSStore, base: str
) -> None:
    uri, data = f"{base}/a", content(600_000)
    upload, parts = _begin(small, uri, data)
    proxy.fail(LoseAnswer(), method="PUT")
    with pytest.raises(StoreAccessError, match=uri):
        GCSStore(endpoint=proxy.url, max_attempts=1).finish(uri, upload, parts, overwrite=False, crc32c=crc32c(data))
    proxy.heal()
    other = GCSStore(endpoint=proxy.url)
    known = list(other.parts(uri, upload))
    assert [part.size for part in known] == [256 << 10, 256 << 10, 600_000 - (512 << 10)]
    assert other.finish(uri, upload, known, overwrite=False, crc32c=crc32c(data)) == other.stat(uri)


def test_an_upload_serves_its_own_object_and_purpose_only(small: GCSStore, api: JsonApi, base: str) -> None:
    uri, data = f"{base}/a", content(300_000)
    upload, parts = _begin(small, uri, data)
    with pytest.raises(UploadGoneError):
        small.finish(uri, upload, parts, overwrite=True, crc32c=crc32c(data))
    with pytest.raises(UploadGoneError):
        small.finish(uri, upload, parts[:-1], overwrite=False, crc32c=crc32c(data))
    for other in ("", "nonsense", "new 1 2 https://elsewhere.example/steal", upload.replace("/upload/", "/other/")):
        with pytest.raises(UploadGoneError):
            small.put_part(uri, other, 0, memoryview(data))
        small.abort(uri, other)
    elsewhere = f"gs://{api.bucket()}/a"
    with pytest.raises(UploadGoneError):
        small.parts(elsewhere, upload)


def test_a_source_that_cannot_be_read_is_no_fault_of_the_network(proxy: FaultProxy, base: str) -> None:
    class Broken(io.BytesIO):
        reads = 0

        def readinto(self, buffer: object) -> int:
            self.reads += 1
            if self.reads > 3:
                raise OSError(5, "the disk broke")
            return super().readinto(buffer)  # type: ignore[arg-type]

    store = GCSStore(endpoint=proxy.url)
    with pytest.raises(OSError, match="the disk broke") as caught:
        store.put(f"{base}/a", Broken(content(2 << 20)))
    assert not isinstance(caught.value, StoreAccessError)
    assert list(store.list(base)) == []


def test_the_bucket_that_goes_meanwhile(proxy: FaultProxy, store: GCSStore, api: JsonApi) -> None:
    bucket = api.bucket()
    proxy.fail(Call(lambda: api.buckets.pop(bucket)), method="POST")
    with pytest.raises(StoreAccessError, match=f"there is no bucket '{bucket}'"):
        store.put(f"gs://{bucket}/a", io.BytesIO(DATA))


def _begin(store: GCSStore, uri: str, data: bytes) -> tuple[str, list[object]]:
    upload = store.begin(uri, len(data), overwrite=False)
    size = store.part_size(len(data))
    assert size is not None
    view = memoryview(data)
    places = range(-(-len(data) // size))
    return upload, [store.put_part(uri, upload, n, view[n * size : (n + 1) * size]) for n in places]


def _send(store: GCSStore, uri: str, data: bytes) -> object:
    upload, parts = _begin(store, uri, data)
    return store.finish(uri, upload, parts, overwrite=False, crc32c=crc32c(data))  # type: ignore[arg-type]

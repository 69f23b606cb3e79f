"""What fails for a moment is done again; what may have been done unseen is looked at; nothing is retried for ever."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from mercury_s3.checksums import crc32c

from mercury_core.errors import (
    ObjectChangedError,
    ObjectExistsError,
    ObjectNotFoundError,
    StoreAccessError,
    UploadGoneError,
    VerificationError,
)
from tests.servers.faults import (
    SLOW_DOWN,
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
    from collections.abc import Callable
    from pathlib import Path

    from mercury_s3.store import S3Store

    from tests.servers.faults import Fault
    from tests.servers.proxy import FaultProxy
    from tests.servers.s3 import S3Server

PART = 8 << 20


def xml(code: str, message: str = "", more: str = "") -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>".encode()


INTERNAL = Answer(500, xml("InternalError", "We encountered an internal error."), {"Content-Type": "application/xml"})
BAD_GATEWAY = Answer(502, b"<html>bad gateway</html>", {"Content-Type": "text/html"})


@pytest.fixture
def store(make: Callable[..., S3Store], proxy: FaultProxy, transport: str) -> S3Store:
    """A store behind the proxy."""
    return make(endpoint_url=proxy.url, transport=transport, timeout=60)


@pytest.mark.parametrize(
    "fault",
    [Reset(), SLOW_DOWN, INTERNAL, BAD_GATEWAY, LoseAnswer(), CutRequest(10)],
    ids=["reset", "503", "500", "502", "lost", "cut"],
)
def test_put_is_tried_again(store: S3Store, base: str, proxy: FaultProxy, fault: Fault) -> None:
    rule = proxy.fail(fault, method="PUT", on=range(2))
    info = store.put(f"{base}/a", io.BytesIO(b"x" * 1000), overwrite=True)
    assert rule.injected == 2
    assert store.open(f"{base}/a").read() == b"x" * 1000
    assert info.checksums["crc32c"] == crc32c(b"x" * 1000)


@pytest.mark.parametrize("fault", [LoseAnswer(), INTERNAL], ids=["lost", "500"])
def test_what_was_created_unseen_is_ours(store: S3Store, base: str, proxy: FaultProxy, fault: Fault) -> None:
    store.put(f"{base}/first", io.BytesIO(b"so that it is known what the service keeps"))
    rule = proxy.fail(LoseAnswer(), method="PUT", path="/a$")
    proxy.fail(fault, method="PUT", path="/a$")
    info = store.put(f"{base}/a", io.BytesIO(b"ours"))
    assert rule.injected == 1
    assert info.size == 4
    assert info.checksums["crc32c"] == crc32c(b"ours")


def test_what_another_created_meanwhile_is_not_ours(
    store: S3Store, base: str, proxy: FaultProxy, server: S3Server
) -> None:
    store.put(f"{base}/first", io.BytesIO(b"so that it is known what the service keeps"))
    bucket, _, key = base.removeprefix("s3://").partition("/")
    other = lambda: server.client().put_object(Bucket=bucket, Key=f"{key}/a", Body=b"them")  # noqa: E731
    proxy.fail(Reset(), method="PUT", path="/a$")
    proxy.fail(Call(other), method="PUT", path="/a$")
    with pytest.raises(ObjectExistsError):
        store.put(f"{base}/a", io.BytesIO(b"ours"))
    assert store.open(f"{base}/a").read() == b"them"


def test_a_flipped_bit_on_the_way_is_refused(store: S3Store, base: str, proxy: FaultProxy) -> None:
    store.put(f"{base}/first", io.BytesIO(b"x"))
    rule = proxy.fail(FlipRequest(3), method="PUT", path="/a$", on=ALWAYS)
    with pytest.raises((VerificationError, StoreAccessError)):
        store.put(f"{base}/a", io.BytesIO(b"some content"))
    assert rule.injected >= 1
    proxy.heal()
    with pytest.raises(ObjectNotFoundError):
        store.stat(f"{base}/a")


@pytest.mark.parametrize("size", [100_000, 3 << 20, 9 << 20])
def test_a_cut_answer_goes_on_where_it_was_cut(store: S3Store, base: str, proxy: FaultProxy, size: int) -> None:
    data = bytes(range(256)) * (size // 256)
    store.put(f"{base}/a", io.BytesIO(data))
    rule = proxy.fail(Cut(len(data) // 2), method="GET", path="/a$")
    proxy.fail(Cut(1000), method="GET", path="/a$")
    assert store.open(f"{base}/a").read() == data
    assert rule.injected == 1
    assert store.open(f"{base}/a", 10, 5000).read() == data[10:5000]


def test_an_answer_that_says_it_is_whole_and_is_not(make: Any, proxy: FaultProxy, base: str) -> None:
    store = make(endpoint_url=proxy.url, timeout=5, max_attempts=3)
    store.put(f"{base}/a", io.BytesIO(b"0123456789" * 100))
    proxy.fail(Shorten(500), method="GET", path="/a$", on=ALWAYS)
    assert store.open(f"{base}/a", 0, 1000).read() == b"0123456789" * 100, "a range knows how long it is"


def test_what_changed_while_it_was_read_is_not_mixed(
    store: S3Store, base: str, proxy: FaultProxy, server: S3Server
) -> None:
    bucket, _, key = base.removeprefix("s3://").partition("/")
    server.client().put_object(Bucket=bucket, Key=f"{key}/a", Body=b"a" * 9_000_000)
    proxy.fail(Cut(100_000), method="GET", path="/a$", on=ALWAYS)
    data = store.open(f"{base}/a", version=store.stat(f"{base}/a").version)
    assert data.read(1000) == b"a" * 1000
    server.client().put_object(Bucket=bucket, Key=f"{key}/a", Body=b"b" * 9_000_000)
    with pytest.raises(ObjectChangedError):
        data.read()
    data.close()


def test_a_file_that_is_fetched_is_verified(store: S3Store, base: str, proxy: FaultProxy, tmp_path: Path) -> None:
    store.put(f"{base}/a", io.BytesIO(b"content" * 1000))
    proxy.fail(FlipAnswer(50), method="GET", path="/a$")
    with pytest.raises(VerificationError):
        store.get(f"{base}/a", tmp_path / "a")
    assert list(tmp_path.iterdir()) == []
    store.get(f"{base}/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"content" * 1000


def test_throttling_without_end_ends(make: Any, proxy: FaultProxy, base: str, transport: str) -> None:
    store = make(endpoint_url=proxy.url, transport=transport, max_attempts=3)
    rule = proxy.fail(SLOW_DOWN, on=ALWAYS)
    with pytest.raises(StoreAccessError, match=r"SlowDown.*3 tries.*max_concurrency") as caught:
        store.put(f"{base}/a", io.BytesIO(b"x"), overwrite=True)
    assert rule.injected == 3
    assert f"{base}/a" in str(caught.value)


def test_a_silent_service_is_left_at_the_deadline(make: Any, proxy: FaultProxy, base: str, transport: str) -> None:
    store = make(endpoint_url=proxy.url, transport=transport, timeout=1.0)
    proxy.fail(Hang(), on=ALWAYS)
    began = time.monotonic()
    with pytest.raises(StoreAccessError, match=r"did not answer in time"):
        store.stat(f"{base}/a")
    assert time.monotonic() - began < 20, "the deadline does not hold"  # it is 1 second; machines are slow at times
    proxy.heal()


def test_a_service_that_is_silent_once(make: Any, proxy: FaultProxy, base: str, transport: str) -> None:
    store = make(endpoint_url=proxy.url, transport=transport, timeout=8.0)
    rule = proxy.fail(Hang())
    store.put(f"{base}/a", io.BytesIO(b"x"), overwrite=True)
    assert rule.injected == 1
    proxy.heal()


def test_it_waits_as_long_as_it_is_asked_to(
    make: Any, proxy: FaultProxy, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []
    monkeypatch.setattr("mercury_core.storage.http.tries.time.sleep", waits.append)
    proxy.fail(Answer(503, xml("SlowDown"), {"Retry-After": "7"}), method="HEAD")
    with pytest.raises(ObjectNotFoundError):
        make(endpoint_url=proxy.url).stat(f"{base}/a")
    assert len(waits) == 1
    assert 7.0 <= waits[0] <= 7.1  # with a bit more, so that not all come back together


# --- parts ---


def send(store: S3Store, uri: str, data: bytes, *, overwrite: bool = False) -> Any:
    upload = store.begin(uri, len(data), overwrite=overwrite)
    parts = [
        store.put_part(uri, upload, number, memoryview(data)[start : start + PART])
        for number, start in enumerate(range(0, len(data), PART))
    ]
    return store.finish(uri, upload, parts, overwrite=overwrite, crc32c=crc32c(data))


LARGE = bytes(range(256)) * 40_000  # 10 MB: two parts


@pytest.mark.parametrize("overwrite", [True, False])
def test_an_end_whose_answer_was_lost_is_looked_at(
    store: S3Store, base: str, proxy: FaultProxy, overwrite: bool
) -> None:
    rule = proxy.fail(LoseAnswer(), method="POST", path="/a$", query="uploadId=")
    info = send(store, f"{base}/a", LARGE, overwrite=overwrite)
    assert rule.injected == 1
    assert info.checksums["crc32c"] == crc32c(LARGE)
    assert store.stat(f"{base}/a").checksums["crc32c"] == crc32c(LARGE)


def test_an_end_that_is_lost_and_then_unknown(store: S3Store, base: str, proxy: FaultProxy) -> None:
    proxy.fail(LoseAnswer(), method="POST", path="/a$", query="uploadId=")
    gone = Answer(404, xml("NoSuchUpload", "The specified upload does not exist."))
    rule = proxy.fail(gone, method="POST", path="/a$", query="uploadId=")
    info = send(store, f"{base}/a", LARGE)
    assert rule.injected == 1
    assert info.checksums["crc32c"] == crc32c(LARGE)


def test_an_upload_that_nobody_knows_is_gone(store: S3Store, base: str, proxy: FaultProxy) -> None:
    proxy.fail(Answer(404, xml("NoSuchUpload", "?")), method="POST", path="/a$", query="uploadId=", on=ALWAYS)
    with pytest.raises(UploadGoneError):
        send(store, f"{base}/a", LARGE)


def test_an_end_that_failed_after_its_status_was_sent(store: S3Store, base: str, proxy: FaultProxy) -> None:
    answer = Answer(200, b"  \n" + xml("InternalError", "We encountered an internal error."))
    rule = proxy.fail(answer, method="POST", path="/a$", query="uploadId=")
    send(store, f"{base}/a", LARGE)
    assert rule.injected == 1
    assert store.open(f"{base}/a").read() == LARGE


def test_a_copy_that_failed_after_its_status_was_sent(store: S3Store, base: str, proxy: FaultProxy) -> None:
    store.put(f"{base}/a", io.BytesIO(b"x"))
    rule = proxy.fail(Answer(200, xml("InternalError")), method="PUT", path="/b$")
    store.copy(f"{base}/a", f"{base}/b", overwrite=True)
    assert rule.injected == 1
    assert store.open(f"{base}/b").read() == b"x"


@pytest.mark.parametrize("fault", [Reset(), SLOW_DOWN, CutRequest(1 << 20), LoseAnswer()], ids=lambda one: one.kind)
def test_a_part_is_sent_again(store: S3Store, base: str, proxy: FaultProxy, fault: Fault) -> None:
    rule = proxy.fail(fault, method="PUT", query="partNumber=", on=range(2))
    send(store, f"{base}/a", LARGE)
    assert rule.injected == 2
    assert store.open(f"{base}/a").read() == LARGE


def test_a_part_with_a_flipped_bit_is_refused(store: S3Store, base: str, proxy: FaultProxy) -> None:
    proxy.fail(FlipRequest(5000), method="PUT", query="partNumber=2", on=ALWAYS)
    with pytest.raises((VerificationError, StoreAccessError)):
        send(store, f"{base}/a", LARGE)


def test_what_is_put_in_parts_leaves_none_behind(
    store: S3Store, base: str, proxy: FaultProxy, server: S3Server
) -> None:
    proxy.fail(Answer(403, xml("AccessDenied", "Access Denied")), method="PUT", query="partNumber=2", on=ALWAYS)
    with pytest.raises(StoreAccessError, match="access denied"):
        store.put(f"{base}/a", io.BytesIO(LARGE))
    bucket, _, key = base.removeprefix("s3://").partition("/")
    assert not server.client().list_multipart_uploads(Bucket=bucket, Prefix=key).get("Uploads")


def test_bytes_after_a_keep_alive_that_ended(make: Any, proxy: FaultProxy, base: str) -> None:
    """An idle connection that the other side has closed is not used."""
    store = make(endpoint_url=proxy.url, max_attempts=1)
    store.put(f"{base}/é", io.BytesIO(b"x"), overwrite=True)
    proxy.fail(Answer(404, xml("NoSuchKey")), method="GET")  # the proxy closes after that
    with pytest.raises(ObjectNotFoundError):
        store.open(f"{base}/é")
    assert store.open(f"{base}/é").read() == b"x"

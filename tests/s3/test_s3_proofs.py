"""What is told of content is true, whatever service tells it."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from hypothesis import given, strategies as st
from mercury_s3 import checksums, copying, documents, multipart
from mercury_s3.places import Place
from mercury_s3.store import S3Store

from mercury_core.errors import (
    ObjectChangedError,
    ObjectExistsError,
    ObjectNotFoundError,
    StoreAccessError,
    VerificationError,
)
from tests.s3.old_service import old_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.s3.old_service import OldService
    from tests.servers.proxy import FaultProxy
    from tests.servers.s3 import S3Server

PART = 8 << 20
MD5 = hashlib.md5(b"x").hexdigest()


def test_checksums_of_the_whole() -> None:
    headers = {"x-amz-checksum-crc32c": "4waSgw==", "x-amz-checksum-type": "FULL_OBJECT", "etag": '"abc-2"'}
    assert checksums.whole(headers) == {"crc32c": "e3069283"}
    assert checksums.whole({"etag": f'"{MD5}"'}) == {"md5": MD5}


@pytest.mark.parametrize(
    "headers",
    [
        {"x-amz-checksum-crc32c": "4waSgw==-2", "x-amz-checksum-type": "COMPOSITE"},
        {"x-amz-checksum-crc32c": "4waSgw==-2"},
        {"x-amz-checksum-sha256": "4waSgw==", "x-amz-checksum-type": "COMPOSITE"},
        {"etag": f'"{MD5}-3"'},
        {"etag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms"},
        {"etag": f'"{MD5}"', "x-amz-server-side-encryption": "aws:kms:dsse"},
        {"etag": f'"{MD5}"', "x-amz-server-side-encryption-customer-algorithm": "AES256"},
        {"etag": ""},
        {},
    ],
)
def test_what_is_no_checksum_of_the_whole(headers: dict[str, str]) -> None:
    assert checksums.whole(headers) == {}


def test_an_etag_of_s3_express_is_none() -> None:
    assert checksums.whole({"etag": f'"{MD5}"'}, "bucket--use1-az4--x-s3") == {}


def test_crc64nvme_is_what_s3_says_it_is() -> None:
    crc = S3Store().crc("crc64nvme")
    assert crc is not None
    # The check value of CRC-64/NVME, in the catalogue of parametrised CRC algorithms.
    assert crc.extend(0, b"123456789") == 0xAE8B14860A799888
    assert crc.extend(crc.extend(0, b"1234"), memoryview(b"56789")) == 0xAE8B14860A799888
    assert S3Store().crc("crc32c") is None


@pytest.mark.parametrize(
    ("size", "part"),
    [
        (0, None),
        (8 << 20, None),
        ((8 << 20) + 1, 8 << 20),
        (80_000 << 20, 8 << 20),
        ((80_000 << 20) + 1, 9 << 20),
        (5 << 40, 525 << 20),
    ],
)
def test_parts_are_as_s3_takes_them(size: int, part: int | None) -> None:
    found = S3Store().part_size(size)
    assert found == part
    if found is not None:
        assert 5 << 20 <= found <= 5 << 30
        assert -(-size // found) <= 10_000


@given(st.lists(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1), min_size=1, max_size=5))
def test_keys_are_written_and_read_again(keys: list[str]) -> None:
    from xml.etree import ElementTree as ET

    text = documents.deletion({"Objects": [{"Key": key} for key in keys]})
    ok = [key for key in keys if "￾" not in key and "￿" not in key]
    if ok == keys:
        assert [one.text for one in ET.fromstring(text).iter() if one.tag.endswith("}Key")] == keys


def test_a_document_with_entities_is_none() -> None:
    assert documents.parsed(b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>') == ("", {})
    assert documents.parsed(b"<open>") == ("", {})


# --- objects in parts ---


def test_a_large_copy_goes_in_parts(
    make: Any, proxy: FaultProxy, base: str, transport: str, monkeypatch: pytest.MonkeyPatch, server: S3Server
) -> None:
    monkeypatch.setattr(copying, "LARGEST", 10 << 20)
    monkeypatch.setattr(copying, "_PART", 6 << 20)
    data = bytes(range(256)) * (13 << 12)  # 13 MiB: three parts
    bucket, _, key = base.removeprefix("s3://").partition("/")
    server.client().put_object(Bucket=bucket, Key=f"{key}/a", Body=data, ContentType="x/y", Metadata={"own": "1"})
    store = make(endpoint_url=proxy.url, transport=transport)
    version = store.stat(f"{base}/a").version
    info = store.copy(f"{base}/a", f"{base}/b", overwrite=False, version=version)
    assert len(proxy.seen("PUT", "/b$", "partNumber")) == 3
    assert proxy.received() < 10_000
    assert info.size == len(data)
    assert info.checksums["crc32c"] == checksums.crc32c(data)
    found = server.client().head_object(Bucket=bucket, Key=f"{key}/b")
    assert (found["ContentType"], found["Metadata"]) == ("x/y", {"own": "1"})
    with pytest.raises(ObjectExistsError):
        store.copy(f"{base}/a", f"{base}/b", overwrite=False)
    with pytest.raises(ObjectChangedError):
        store.copy(f"{base}/a", f"{base}/c", overwrite=False, version='"another"')
    assert not server.client().list_multipart_uploads(Bucket=bucket, Prefix=key).get("Uploads")


def test_small_copies_of_what_was_listed_take_one_request_each(make: Any, proxy: FaultProxy, base: str) -> None:
    store = make(endpoint_url=proxy.url)
    for number in range(5):
        store.put(f"{base}/from/{number}", io.BytesIO(b"x" * (number + 1)), overwrite=True)
    listed = list(store.list(f"{base}/from"))
    before = len(proxy.requests)
    for info in listed:
        made = store.copy(info.uri, info.uri.replace("/from/", "/to/"), overwrite=True, version=info.version)
        assert (made.size, made.version) == (info.size, info.version)
        assert made.checksums["md5"] == info.checksums["md5"]
    assert len(proxy.requests) - before == 5
    assert [info.size for info in store.list(f"{base}/to")] == [1, 2, 3, 4, 5]
    changed = listed[0]
    store.put(changed.uri, io.BytesIO(b"y"), overwrite=True)
    with pytest.raises(ObjectChangedError):
        store.copy(changed.uri, f"{base}/to/again", overwrite=False, version=changed.version)


def test_a_large_copy_that_fails_leaves_nothing(
    make: Any, proxy: FaultProxy, base: str, transport: str, monkeypatch: pytest.MonkeyPatch, server: S3Server
) -> None:
    from tests.servers.faults import Answer, Call
    from tests.servers.proxy import ALWAYS

    monkeypatch.setattr(copying, "LARGEST", 6 << 20)
    monkeypatch.setattr(copying, "_PART", 6 << 20)
    bucket, _, key = base.removeprefix("s3://").partition("/")
    put = lambda byte: server.client().put_object(Bucket=bucket, Key=f"{key}/a", Body=byte * (7 << 20))  # noqa: E731
    put(b"a")
    store = make(endpoint_url=proxy.url, transport=transport)
    proxy.fail(Call(lambda: put(b"b")), method="PUT", path="/b$", query="partNumber=1")
    with pytest.raises((ObjectChangedError, StoreAccessError)):
        store.copy(f"{base}/a", f"{base}/b", overwrite=True)
    denied = Answer(403, b"<Error><Code>AccessDenied</Code></Error>")
    proxy.fail(denied, method="PUT", path="/c$", on=ALWAYS)
    with pytest.raises(StoreAccessError, match="access denied"):
        store.copy(f"{base}/a", f"{base}/c", overwrite=True)
    assert [info.uri for info in store.list(base)] == [f"{base}/a"]
    assert not server.client().list_multipart_uploads(Bucket=bucket, Prefix=key).get("Uploads")


def test_parts_are_listed_page_by_page(make: Any, proxy: FaultProxy, base: str, transport: str) -> None:
    from tests.servers.faults import Answer

    def page(number: int, more: str) -> Answer:
        part = f"<Part><PartNumber>{number}</PartNumber><ETag>&quot;{MD5}&quot;</ETag><Size>5</Size></Part>"
        inner = f"<UploadId>u</UploadId><IsTruncated>{more}</IsTruncated>{part}"
        return Answer(200, f"<ListPartsResult>{inner}</ListPartsResult>".encode(), {"Content-Type": "application/xml"})

    proxy.fail(page(1, "true"))
    proxy.fail(page(2, "false"))
    found = list(make(endpoint_url=proxy.url, transport=transport).parts(f"{base}/a", "whole:u"))
    assert [(part.number, part.size, part.checksums) for part in found] == [(0, 5, {"md5": MD5}), (1, 5, {"md5": MD5})]
    assert "part-number-marker=1" in proxy.requests[-1].query


@pytest.mark.parametrize(
    ("said", "proven"),
    [
        ("<ChecksumCRC32C>{whole}</ChecksumCRC32C><ChecksumType>FULL_OBJECT</ChecksumType>", True),
        ("<ChecksumCRC32C>{each}</ChecksumCRC32C><ChecksumType>COMPOSITE</ChecksumType>", True),
        ("<ChecksumCRC32C>AAAAAA==-2</ChecksumCRC32C><ChecksumType>COMPOSITE</ChecksumType>", False),
    ],
)
def test_what_an_end_says_of_the_whole(
    make: Any, proxy: FaultProxy, base: str, transport: str, said: str, proven: bool
) -> None:
    from tests.servers.faults import Answer

    store, data = make(endpoint_url=proxy.url, transport=transport), b"abc" * 4_000_000
    upload = store.begin(f"{base}/a", len(data), overwrite=True)
    parts = [store.put_part(f"{base}/a", upload, n, memoryview(data)[n * PART : (n + 1) * PART]) for n in range(2)]
    crc32c = checksums.crc32c(data)
    each = checksums.composite([part.checksums["crc32c"] for part in parts])
    inner = said.format(whole=checksums.to_header(crc32c), each=each)
    root = "CompleteMultipartUploadResult"
    body = f"<{root}><ETag>&quot;x-2&quot;</ETag>{inner}</{root}>".encode()
    proxy.fail(Answer(200, body, {"Content-Type": "application/xml"}), method="POST", query="uploadId")
    proxy.fail(Answer(200, b"", {"ETag": '"x-2"'}), method="HEAD")
    if proven:
        assert store.finish(f"{base}/a", upload, parts, overwrite=True, crc32c=crc32c).checksums == {"crc32c": crc32c}
    else:
        with pytest.raises(VerificationError, match="bytes"):  # it is looked at, and has another size
            store.finish(f"{base}/a", upload, parts, overwrite=True, crc32c=crc32c)


def test_an_end_that_says_another_checksum(make: Any, proxy: FaultProxy, base: str, transport: str) -> None:
    from tests.servers.faults import Answer

    store, data = make(endpoint_url=proxy.url, transport=transport), b"abc"
    upload = store.begin(f"{base}/a", len(data), overwrite=True)
    parts = [store.put_part(f"{base}/a", upload, 0, memoryview(data))]
    root = "CompleteMultipartUploadResult"
    body = f"<{root}><ETag>&quot;x-1&quot;</ETag><ChecksumCRC32C>AAAAAA==</ChecksumCRC32C></{root}>".encode()
    proxy.fail(Answer(200, body, {"Content-Type": "application/xml"}), method="POST", query="uploadId")
    with pytest.raises(VerificationError, match="CRC-32C"):
        store.finish(f"{base}/a", upload, parts, overwrite=True, crc32c=checksums.crc32c(data))


def test_a_copy_between_buckets(make: Any, base: str, transport: str, server: S3Server) -> None:
    store, other = make(transport=transport), f"s3://{server.bucket()}"
    store.put(f"{base}/a b+c%", io.BytesIO(b"content"))
    store.copy(f"{base}/a b+c%", f"{other}/ü", overwrite=False)
    assert store.open(f"{other}/ü").read() == b"content"


def test_a_source_that_changes_while_it_is_copied(
    make: Any, proxy: FaultProxy, base: str, server: S3Server, transport: str
) -> None:
    from tests.servers.faults import Call

    bucket, _, key = base.removeprefix("s3://").partition("/")
    put = lambda data: server.client().put_object(Bucket=bucket, Key=f"{key}/a", Body=data)  # noqa: E731
    put(b"old")
    proxy.fail(Call(lambda: put(b"new")), method="PUT", path="/b$")
    store = make(endpoint_url=proxy.url, transport=transport)
    with pytest.raises(ObjectChangedError):
        store.copy(f"{base}/a", f"{base}/b", overwrite=False)


# --- a service that knows neither checksums nor conditions ---


@pytest.fixture
def old(monkeypatch: pytest.MonkeyPatch) -> Iterator[OldService]:
    """It."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with old_service() as service:
        yield service


LARGE = bytes(range(256)) * 40_000


def test_an_etag_proves_what_was_put(old: OldService, transport: str) -> None:
    store = S3Store(endpoint_url=old.url, transport=transport)
    for _ in range(2):
        info = store.put("s3://bucket/a", io.BytesIO(b"x"), overwrite=True)
        assert info.checksums == {"crc32c": checksums.crc32c(b"x"), "md5": MD5}
    assert store.stat("s3://bucket/a").checksums == {"md5": MD5}


def test_what_is_not_proven_is_not_said_to_be(old: OldService, transport: str) -> None:
    store = S3Store(endpoint_url=old.url, transport=transport)
    old.opaque = True
    assert store.put("s3://bucket/a", io.BytesIO(b"x"), overwrite=True).checksums == {}
    info = store.put("s3://bucket/b", io.BytesIO(LARGE), overwrite=True)
    assert info.checksums == {}
    assert info.size == len(LARGE)
    old.opaque, old.flips = False, True
    assert store.put("s3://bucket/a", io.BytesIO(b"x"), overwrite=True).checksums == {}


def test_parts_are_proven_by_their_etags(old: OldService, transport: str) -> None:
    store = S3Store(endpoint_url=old.url, transport=transport)
    info = store.put("s3://bucket/b", io.BytesIO(LARGE), overwrite=False)
    assert info.checksums == {"crc32c": checksums.crc32c(LARGE)}
    assert old.objects["/bucket/b"][0] == LARGE
    old.flips = True
    with pytest.raises(VerificationError, match=r"MD5 .* of part 0"):
        store.put("s3://bucket/c", io.BytesIO(LARGE), overwrite=False)
    assert "/bucket/c" not in old.objects


def test_it_is_looked_first_where_conditions_are_not_kept(old: OldService, transport: str) -> None:
    store = S3Store(endpoint_url=old.url, transport=transport)
    for name in ("a", "b"):
        store.put(f"s3://bucket/{name}", io.BytesIO(b"x"))
        with pytest.raises(ObjectExistsError):
            store.put(f"s3://bucket/{name}", io.BytesIO(b"y"))
        store.copy("s3://bucket/a", f"s3://bucket/copy of {name}", overwrite=False)
        with pytest.raises(ObjectExistsError):
            store.copy("s3://bucket/a", f"s3://bucket/copy of {name}", overwrite=False)
        with pytest.raises(ObjectExistsError):
            store.put(f"s3://bucket/{name}", io.BytesIO(LARGE))
        assert old.objects[f"/bucket/{name}"][0] == b"x"
    # That is found out once: what was written first was written twice.
    puts = [one for one in old.asked if one.startswith("PUT /bucket/") and "copy" not in one]
    assert puts == ["PUT /bucket/a", "PUT /bucket/a", "PUT /bucket/b"]


def test_a_service_without_ranges_or_versions(old: OldService, tmp_path: Path, transport: str) -> None:
    store = S3Store(endpoint_url=old.url, transport=transport)
    store.put("s3://bucket/a", io.BytesIO(b"0123456789"), overwrite=True)
    assert store.open("s3://bucket/a").read() == b"0123456789"
    assert store.open("s3://bucket/a", 0, 4).read() == b"0123"
    with pytest.raises(StoreAccessError, match="does not read from a place"):
        store.open("s3://bucket/a", 4)
    with pytest.raises(ObjectChangedError):
        store.open("s3://bucket/a", version='"another"')
    store.get("s3://bucket/a", tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"0123456789"
    with pytest.raises(ObjectNotFoundError):
        store.get("s3://bucket/b", tmp_path / "b")


def test_an_upload_is_named_so_that_another_process_goes_on(old: OldService) -> None:
    name = multipart.begin(S3Store(endpoint_url=old.url)._service, Place("bucket", "a"))
    assert name == "none:upload0"

"""What each parameter puts into requests, and which parameters are refused."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from mercury_s3.checksums import crc32c
from mercury_s3.store import S3Store

from mercury_core import parameters
from mercury_core.errors import ArgumentsError, StoreAccessError

if TYPE_CHECKING:
    from tests.servers.proxy import FaultProxy

PART = 8 << 20
OPTIONS = {
    "sse": ({"sse": "AES256"}, {"x-amz-server-side-encryption": "AES256"}),
    "class": ({"storage_class": "STANDARD"}, {"x-amz-storage-class": "STANDARD"}),
    "tags": ({"tags": {"a": "b c", "d": "=/@"}}, {"x-amz-tagging": "a=b%20c&d=%3D%2F%40"}),
    "acl": ({"acl": "bucket-owner-full-control"}, {"x-amz-acl": "bucket-owner-full-control"}),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_what_is_written_has_it(make: Any, proxy: FaultProxy, base: str, transport: str, name: str) -> None:
    params, headers = OPTIONS[name]
    store = make(endpoint_url=proxy.url, transport=transport, **params)
    store.put(f"{base}/small", io.BytesIO(b"x"), overwrite=True)
    store.copy(f"{base}/small", f"{base}/copied", overwrite=True)
    store.abort(f"{base}/parts", store.begin(f"{base}/parts", 1, overwrite=True))
    for method, path in (("PUT", "small"), ("PUT", "copied"), ("POST", "parts")):
        (request, *_) = proxy.seen(method, f"/{path}$")
        assert {key: request.headers.get(key) for key in headers} == headers
    # What is said of an object is no part of a request that reads it.
    assert not any(set(headers) & set(request.headers) for request in proxy.seen("GET|HEAD"))


def test_an_acl_is_none_of_ours_unless_it_is_given(make: Any, proxy: FaultProxy, base: str, transport: str) -> None:
    store = make(endpoint_url=proxy.url, transport=transport)
    store.put(f"{base}/a", io.BytesIO(b"x"), overwrite=True)
    store.copy(f"{base}/a", f"{base}/b", overwrite=True)
    named = {name for request in proxy.requests for name in request.headers}
    assert not named & {"x-amz-acl", "x-amz-tagging", "x-amz-storage-class", "x-amz-server-side-encryption"}


def test_tags_of_a_copy_are_those_that_are_given(make: Any, proxy: FaultProxy, base: str, transport: str) -> None:
    make().put(f"{base}/a", io.BytesIO(b"x"))
    make(endpoint_url=proxy.url, transport=transport, tags={"a": "b"}).copy(f"{base}/a", f"{base}/b", overwrite=True)
    assert proxy.seen("PUT", "/b$")[0].headers["x-amz-tagging-directive"] == "REPLACE"


def test_every_request_says_who_pays(make: Any, proxy: FaultProxy, base: str, transport: str) -> None:
    store = make(endpoint_url=proxy.url, transport=transport, requester_pays=True)
    uri, data = f"{base}/a", b"x" * (PART + 10)
    store.put(uri, io.BytesIO(b"x"))
    store.stat(uri)
    store.open(uri).read()
    list(store.list(base))
    store.copy(uri, f"{uri}2", overwrite=False)
    upload = store.begin(uri, len(data), overwrite=True)
    parts = [store.put_part(uri, upload, n, memoryview(data)[n * PART : (n + 1) * PART]) for n in range(2)]
    list(store.parts(uri, upload))
    store.finish(uri, upload, parts, overwrite=True, crc32c=crc32c(data))
    store.abort(uri, upload)
    store.delete_many([uri])
    store.delete(uri)
    store.check(base)
    silent = [one for one in proxy.requests if one.headers.get("x-amz-request-payer") != "requester"]
    assert [(one.method, one.path, one.query) for one in silent] == []


def test_anonymous_requests_are_not_signed(make: Any, proxy: FaultProxy, base: str, transport: str) -> None:
    with pytest.raises(StoreAccessError, match="without credentials") as caught:
        make(endpoint_url=proxy.url, transport=transport, anonymous=True).open(f"{base}/a")
    assert "leave anonymous out" in str(caught.value)
    assert proxy.requests
    assert not any("authorization" in request.headers for request in proxy.requests)


def test_content_is_sent_with_its_checksum(make: Any, proxy: FaultProxy, base: str, transport: str) -> None:
    store, data = make(endpoint_url=proxy.url, transport=transport), bytes(9_000_000)
    store.put(f"{base}/small", io.BytesIO(b"x"))
    store.put(f"{base}/large", io.BytesIO(data))
    for request in proxy.seen("PUT"):
        assert "x-amz-checksum-crc32c" in request.headers
    (begun,) = proxy.seen("POST", "large", "uploads")
    assert begun.headers["x-amz-checksum-type"] == "FULL_OBJECT"
    (ended,) = proxy.seen("POST", "large", "uploadId")
    assert ended.headers["if-none-match"] == "*"
    assert "x-amz-checksum-crc32c" in ended.headers
    assert store.stat(f"{base}/large").checksums["crc32c"] == crc32c(data)


def test_the_path_names_the_bucket_at_an_endpoint_of_ones_own(
    make: Any, proxy: FaultProxy, base: str, transport: str
) -> None:
    make(endpoint_url=proxy.url, transport=transport).put(f"{base}/a", io.BytesIO(b"x"), overwrite=True)
    assert proxy.requests[-1].path.startswith(base.removeprefix("s3:/"))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max_concurrency": 0}, "1 or more"),
        ({"max_attempts": 0}, "1 or more"),
        ({"timeout": 0.0}, "more than 0"),
        ({"timeout": float("nan")}, "more than 0"),
        ({"endpoint_url": "minio:9000"}, "http://host:port"),
        ({"endpoint_url": "http://host:notaport"}, "http://host:port"),
        ({"endpoint_url": "https://user:hidden@host"}, "boto3's own chain"),
        ({"anonymous": True, "profile": "p"}, "leave one of them out"),
        ({"anonymous": True, "requester_pays": True}, "leave one of them out"),
        ({"sse_kms_key_id": "key"}, "sse='aws:kms'"),
        ({"sse": "AES256", "sse_kms_key_id": "key"}, "sse='aws:kms'"),
        ({"region": ""}, "is empty"),
        ({"tags": {str(n): "" for n in range(11)}}, "S3 takes 10"),
        ({"tags": {"": "x"}}, "1 to 128 characters"),
        ({"tags": {"a": "x&y"}}, "letters, digits, spaces"),
    ],
)
def test_what_contradicts_itself_is_refused(params: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentsError, match=message) as caught:
        S3Store(**params)
    assert "hidden" not in str(caught.value)
    with pytest.raises(ArgumentsError):
        parameters.require("copy", "s3", S3Store, params)


def test_what_has_the_wrong_type_is_refused() -> None:
    for params in ({"sse": "AES"}, {"tags": [1]}, {"transport": "crt"}, {"acl": "everybody"}, {"access_key": "x"}):
        assert parameters.check("copy", "s3", S3Store, params), params
    assert parameters.check("copy", "s3", S3Store, {"tags": {"a": "b"}, "timeout": 5, "sse": "aws:kms"}) == []


def test_making_a_store_imports_no_sdk(site: Any) -> None:
    site.run(
        """
        import sys
        from mercury_s3.store import S3Store
        S3Store(endpoint_url="http://127.0.0.1:1")
        assert not {"boto3", "botocore", "obstore", "awscrt", "urllib3"} & set(sys.modules), sys.modules
        """
    )

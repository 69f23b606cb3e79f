"""Every refusal says what failed, where, why and what to do."""

from __future__ import annotations

import io
import socket
import traceback
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("boto3")

from mercury_s3.store import S3Store

from mercury_core.errors import MercuryError, ObjectNotFoundError, StoreAccessError, UriError
from tests.servers.faults import Answer
from tests.servers.proxy import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.proxy import FaultProxy
    from tests.servers.s3 import S3Server


def xml(code: str, message: str = "no", more: str = "") -> bytes:
    return f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>".encode()


# Status and code of the answer, what is to be said, and what to do.
ANSWERS = {
    "denied": (403, "AccessDenied", "access denied", "Ask for the right s3:PutObject"),
    "no bucket": (404, "NoSuchBucket", "there is no bucket 'bucket'", "slip in its name"),
    "unknown key": (403, "InvalidAccessKeyId", "does not know the credentials", "which ones are used"),
    "wrong secret": (403, "SignatureDoesNotMatch", "the signature does not match", "secret and access key"),
    "expired": (400, "ExpiredToken", "the credentials have expired", "Get new ones"),
    "clock": (403, "RequestTimeTooSkewed", "the clock of this machine", "Set this machine's clock"),
    "throttled": (503, "SlowDown", "asks for fewer requests", "max_concurrency"),
    "failing": (500, "InternalError", "the service failed", "Try later"),
    "unsupported": (501, "NotImplemented", "does not support what was asked for", "Leave out the parameters"),
    "key of kms": (400, "KMS.DisabledException", "the key for its encryption", "policy of the KMS key"),
    "archived": (403, "InvalidObjectState", "it is in an archive", "Restore it first"),
    "anything": (400, "InvalidStorageClass", "400 InvalidStorageClass", "Look at the parameters"),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_what_the_service_answers(make: Any, proxy: FaultProxy, transport: str, name: str) -> None:
    status, code, why, todo = ANSWERS[name]
    proxy.fail(Answer(status, xml(code), {"Content-Type": "application/xml"}), on=ALWAYS)
    store = make(endpoint_url=proxy.url, transport=transport, max_attempts=2)
    with pytest.raises(StoreAccessError) as caught:
        store.put("s3://bucket/some key", io.BytesIO(b"x"), overwrite=True)
    said = str(caught.value)
    assert "Cannot write s3://bucket/some key" in said
    assert why in said
    assert todo in said


def test_an_answer_to_head_says_no_reason_but_one_is_found(make: Any, proxy: FaultProxy, transport: str) -> None:
    proxy.fail(Answer(403, xml("InvalidAccessKeyId")), on=ALWAYS)
    with pytest.raises(StoreAccessError, match="does not know the credentials"):
        make(endpoint_url=proxy.url, transport=transport).stat("s3://bucket/a")


@pytest.mark.parametrize("region", [None, "us-west-2"])
def test_another_region(make: Any, proxy: FaultProxy, base: str, transport: str, region: str | None) -> None:
    """The right one is asked once, or said where another was given."""
    proxy.fail(Answer(301, xml("PermanentRedirect"), {"x-amz-bucket-region": "eu-west-1"}))
    store = make(endpoint_url=proxy.url, transport=transport, region=region)
    if region is None:
        store.put(f"{base}/a", io.BytesIO(b"x"), overwrite=True)
        scope = proxy.requests[-1].headers["authorization"]
        assert "/eu-west-1/s3/" in scope
        return
    with pytest.raises(StoreAccessError, match="region eu-west-1, and us-west-2 was given") as caught:
        store.put(f"{base}/a", io.BytesIO(b"x"), overwrite=True)
    assert "region='eu-west-1'" in str(caught.value)


def test_a_signature_for_another_region(make: Any, proxy: FaultProxy, base: str, transport: str) -> None:
    more = "<Region>eu-central-1</Region>"
    proxy.fail(Answer(400, xml("AuthorizationHeaderMalformed", "the region is wrong", more)))
    make(endpoint_url=proxy.url, transport=transport).put(f"{base}/a", io.BytesIO(b"x"), overwrite=True)
    assert "/eu-central-1/s3/" in proxy.requests[-1].headers["authorization"]


@pytest.mark.usefixtures("server")
def test_nobody_listens(transport: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        store = S3Store(endpoint_url=address, transport=transport, max_attempts=2)
        with pytest.raises(StoreAccessError, match="cannot be reached: there is no connection") as caught:
            store.stat("s3://bucket/a")
    assert address in str(caught.value)
    assert "Look at the network" in str(caught.value)


@pytest.mark.usefixtures("server")
def test_no_such_host(transport: str) -> None:
    store = S3Store(endpoint_url="http://no-such-host.invalid", transport=transport, max_attempts=2)
    with pytest.raises(StoreAccessError, match="cannot be reached"):
        list(store.list("s3://bucket/a"))


@pytest.mark.usefixtures("server")
def test_something_else_than_s3(proxy: FaultProxy, transport: str) -> None:
    proxy.fail(Answer(200, b"<html><body>Welcome</body></html>"), on=ALWAYS)
    store = S3Store(endpoint_url=proxy.url, transport=transport, max_attempts=2)
    with pytest.raises(MercuryError):
        store.begin("s3://bucket/a", 100, overwrite=True)


def test_no_credentials(s3_server: S3Server, transport: str) -> None:
    store = S3Store(endpoint_url=s3_server.endpoint, region="us-east-1", transport=transport)
    for ask in (store.stat, store.check, lambda uri: list(store.list(uri))):
        with pytest.raises(StoreAccessError, match="there are no credentials") as caught:
            ask("s3://bucket/a")
        assert "AWS_PROFILE" in str(caught.value)


def test_no_such_profile(s3_server: S3Server, transport: str) -> None:
    store = S3Store(endpoint_url=s3_server.endpoint, profile="nobody", transport=transport)
    with pytest.raises(StoreAccessError, match="there is no profile 'nobody'"):
        store.stat("s3://bucket/a")


def test_no_such_profile_in_the_environment(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(StoreAccessError, match="there is no profile 'nobody'"):
        S3Store(region="us-east-1", transport=transport).stat("s3://bucket/a")


def test_an_address_is_no_bucket(transport: str) -> None:
    with pytest.raises(UriError, match="endpoint_url"):
        S3Store(transport=transport).stat("s3://bucket:9000/a")


def test_the_address_that_the_environment_names_is_shown(transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("ACCESS_KEY_ID", "key"), ("SECRET_ACCESS_KEY", "secret"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    with pytest.raises(StoreAccessError, match=r"http://127\.0\.0\.1:1 cannot be reached"):
        S3Store(transport=transport, max_attempts=1).stat("s3://bucket/a")


def test_half_credentials(s3_server: S3Server, transport: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    store = S3Store(endpoint_url=s3_server.endpoint, region="us-east-1", transport=transport)
    with pytest.raises(StoreAccessError, match="not complete"):
        store.stat("s3://bucket/a")


def test_a_wrong_secret_is_said_and_not_shown(
    s3_server: S3Server, base: str, transport: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "S3cr3tS3cr3tS3cr3tS3cr3tS3cr3t"
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "T0k3nT0k3nT0k3n")
    store = S3Store(endpoint_url=s3_server.endpoint, transport=transport)
    shown = [repr(store)]
    for ask in (
        store.stat,
        lambda uri: store.put(uri, io.BytesIO(b"x")),
        lambda uri: store.begin(uri, 10, overwrite=True),
        lambda uri: list(store.list(uri)),
        lambda uri: store.open(uri).read(),
        lambda uri: store.copy(uri, f"{uri}2", overwrite=True),
        store.delete,
    ):
        with pytest.raises(StoreAccessError) as caught:
            ask(f"{base}/a")
        shown.append("".join(traceback.format_exception(caught.value)))
    for text in shown:
        assert secret not in text
        assert "T0k3n" not in text
        assert "Signature=" not in text


def test_what_could_not_be_deleted_is_said(make: Any, proxy: FaultProxy, transport: str) -> None:
    failed = "".join(f"<Error><Key>{key}</Key><Code>AccessDenied</Code><Message>no</Message></Error>" for key in "bc")
    answer = f"<DeleteResult xmlns='http://s3.amazonaws.com/doc/2006-03-01/'>{failed}</DeleteResult>".encode()
    proxy.fail(Answer(200, answer, {"Content-Type": "application/xml"}), method="POST")
    store = make(endpoint_url=proxy.url, transport=transport)
    with pytest.raises(StoreAccessError, match=r"Cannot delete s3://bucket/b: .*AccessDenied.*and 1 more"):
        store.delete_many(f"s3://bucket/{key}" for key in "abc")


def test_keys_that_no_document_can_hold_are_deleted_one_by_one(make: Any, proxy: FaultProxy, base: str) -> None:
    store = make(endpoint_url=proxy.url)
    store.delete_many([f"{base}/a\x01b", f"{base}/c"])
    assert [(one.method, one.status) for one in proxy.seen("DELETE|POST")] == [("DELETE", 204), ("POST", 200)]


def test_a_bucket_that_may_not_be_listed(make: Any, proxy: FaultProxy, transport: str) -> None:
    """Without that right, S3 says of what is not there that access is denied."""
    proxy.fail(Answer(403, xml("AccessDenied")), on=ALWAYS)
    with pytest.raises(StoreAccessError, match=r"access denied.*without the right to list"):
        make(endpoint_url=proxy.url, transport=transport).stat("s3://bucket/a")


def test_a_service_that_is_busy_with_the_same_object(make: Any, proxy: FaultProxy, base: str, transport: str) -> None:
    rule = proxy.fail(Answer(409, xml("ConditionalRequestConflict")), method="PUT", path="/a$", on=range(2))
    make(endpoint_url=proxy.url, transport=transport).put(f"{base}/a", io.BytesIO(b"x"))
    assert rule.injected == 2


def test_names_that_are_none(make: Any) -> None:
    store = make()
    for uri, hint in (
        ("s3://bucket", "KEY"),
        ("s3://bucket/", "KEY"),
        ("s3:///a", "BUCKET"),
        ("s3://", "BUCKET"),
        ("gs://bucket/a", "BUCKET"),
        ("s3://buc ket/a", "BUCKET"),
        ("s3://bucket/a\0b", "null"),
        ("s3://bucket/\udcff", "Unicode"),
        ("s3://bucket/" + "é" * 513, "1024"),
    ):
        with pytest.raises(UriError, match=hint):
            store.stat(uri)


# --- with moto, which knows more of S3's errors ---


@pytest.fixture
def moto(moto_server: S3Server, monkeypatch: pytest.MonkeyPatch) -> S3Server:
    """moto, whose user the environment names."""
    for name, value in moto_server.environment.items():
        if not name.endswith("_FILE"):
            monkeypatch.setenv(name, value)
    return moto_server


def test_buckets_that_are_not_there(moto: S3Server, transport: str) -> None:
    store = S3Store(endpoint_url=moto.endpoint, transport=transport)
    asks: list[Callable[[str], Any]] = [
        store.stat,
        store.open,
        store.check,
        store.delete,
        lambda uri: list(store.list(uri)),
        lambda uri: list(store.level(uri)),
        lambda uri: store.put(uri, io.BytesIO(b"x")),
        lambda uri: store.begin(uri, 1, overwrite=True),
        lambda uri: store.delete_many([uri]),
        lambda uri: store.copy(uri, uri, overwrite=True),
    ]
    for ask in asks:
        with pytest.raises(StoreAccessError, match="there is no bucket 'not-there'") as caught:
            ask("s3://not-there/a")
        assert "s3://not-there/" in str(caught.value)


def test_a_copy_to_a_bucket_that_is_not_there(moto: S3Server, transport: str) -> None:
    store, bucket = S3Store(endpoint_url=moto.endpoint, transport=transport), moto.bucket()
    store.put(f"s3://{bucket}/a", io.BytesIO(b"x"))
    with pytest.raises(StoreAccessError, match="there is no bucket 'not-there'"):
        store.copy(f"s3://{bucket}/a", "s3://not-there/a", overwrite=True)
    with pytest.raises(ObjectNotFoundError):
        store.copy(f"s3://{bucket}/b", f"s3://{bucket}/c", overwrite=True)


def test_encryption_and_storage_class_are_kept(moto: S3Server, transport: str) -> None:
    key = "arn:aws:kms:us-east-1:123456789012:key/some"
    store = S3Store(
        endpoint_url=moto.endpoint,
        transport=transport,
        sse="aws:kms",
        sse_kms_key_id=key,
        storage_class="STANDARD_IA",
        tags={"team": "a b/c", "ü": "=:"},
    )
    uri = f"s3://{moto.bucket()}/a"
    info = store.put(uri, io.BytesIO(b"x"))
    assert "md5" not in store.stat(uri).checksums, "an ETag is no MD5 under KMS"
    assert "md5" not in info.checksums
    place = dict(zip(("Bucket", "Key"), uri.removeprefix("s3://").split("/"), strict=True))
    found = moto.client().head_object(**place)
    assert (found["ServerSideEncryption"], found["SSEKMSKeyId"]) == ("aws:kms", key)
    assert found["StorageClass"] == "STANDARD_IA"
    tags = moto.client().get_object_tagging(**place)["TagSet"]
    assert {one["Key"]: one["Value"] for one in tags} == {"team": "a b/c", "ü": "=:"}

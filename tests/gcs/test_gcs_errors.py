"""What is said where something stands in the way: which bucket and key, what was tried, and what to do."""

from __future__ import annotations

import io
import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("mercury_gcs")

from mercury_gcs.store import GCSStore

from mercury_core.errors import ObjectNotFoundError, StoreAccessError, UploadGoneError, VerificationError
from tests.servers.faults import Answer, Hang
from tests.servers.proxy import ALWAYS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gcs.json_api import JsonApi
    from tests.servers.proxy import FaultProxy

URI = "gs://bucket/a/b.bin"
DENIED = (
    "robot@p.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object. "
    "Permission 'storage.objects.get' denied on resource (or it may not exist)."
)


def said(status: int, message: str, reason: str = "") -> Answer:
    """An answer as the API gives it."""
    error = {"error": {"code": status, "message": message, "errors": [{"message": message, "reason": reason}]}}
    return Answer(status, json.dumps(error).encode(), {"Content-Type": "application/json"})


@pytest.mark.parametrize(
    ("answer", "parts"),
    [
        (said(403, DENIED, "forbidden"), ("access denied", "'storage.objects.get' denied", "Ask for storage.objects")),
        (
            said(400, "Bucket is a requester pays bucket but no user project provided.", "required"),
            ("whoever reads the bucket pays", "Set user_project"),
        ),
        (
            said(403, "The billing account for the owning project is disabled in state absent", "accountDisabled"),
            ("no billing account that works", "Look at the billing"),
        ),
        (
            said(403, "Cloud Storage JSON API has not been used in project 1 before", "accessNotConfigured"),
            ("the API is not enabled", "gcloud services enable"),
        ),
        (said(403, "Permission denied on Cloud KMS key."), ("key for its encryption may not", "cryptoKeyEncrypter")),
        (said(400, "Invalid Cloud KMS key name"), ("key for its encryption cannot", "kms_key_name")),
        (
            said(403, "Object 'bucket/a' is subject to bucket's retention policy", "retentionPolicyNotMet"),
            ("retention policy", "wait, or have that lifted"),
        ),
        (said(400, "Invalid storage class", "invalid"), ("400 invalid", "Invalid storage class", "parameters")),
        (said(404, "The specified bucket does not exist."), ("there is no bucket 'bucket'", "slip in its name")),
        (Answer(418, b"<html>a page of some proxy</html>"), ("the service refused it (418)", "parameters")),
    ],
    ids=lambda value: str(value.status) if isinstance(value, Answer) else None,
)
def test_what_is_refused_is_said(
    proxy: FaultProxy, answer: Answer, parts: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    from mercury_gcs.connections import Connections
    from mercury_gcs.settings import Settings

    # As with credentials, that of an account without the right.
    monkeypatch.setattr(Settings, "unsigned", property(lambda _: False))
    monkeypatch.setattr(Connections, "authorize", lambda *_: None)
    proxy.fail(answer, on=ALWAYS)
    store = GCSStore(endpoint=proxy.url)
    for name, action in _actions(store).items():
        with pytest.raises(StoreAccessError) as caught:
            action()
        text = str(caught.value)
        assert all(part in text for part in (*parts, "gs://bucket")), (name, text)
        assert "html" not in text


def test_what_is_not_there_is_not_found(store: GCSStore, base: str, tmp_path: Path) -> None:
    for action in (
        lambda: store.stat(f"{base}/a"),
        lambda: store.open(f"{base}/a"),
        lambda: store.open(f"{base}/a", 5, 5),
        lambda: store.get(f"{base}/a", tmp_path / "a"),
        lambda: store.copy(f"{base}/a", f"{base}/b", overwrite=True),
    ):
        with pytest.raises(ObjectNotFoundError, match=f"{base}/a"):
            action()


@pytest.mark.parametrize("server", ["api", "gcs_server", "gcp_emulator"])
def test_no_such_bucket_is_said_by_every_action(server: str, request: pytest.FixtureRequest) -> None:
    store = GCSStore(endpoint=request.getfixturevalue(server).endpoint)
    for name, action in _actions(store).items():
        with pytest.raises(StoreAccessError, match="there is no bucket 'bucket'") as caught:
            action()
        assert "gs://bucket" in str(caught.value), name


def test_the_bucket_of_the_target_is_named(store: GCSStore, base: str) -> None:
    store.put(f"{base}/a", io.BytesIO(b"x"))
    with pytest.raises(StoreAccessError, match="Cannot write gs://elsewhere/a: there is no bucket 'elsewhere'"):
        store.copy(f"{base}/a", "gs://elsewhere/a", overwrite=False)


def test_readers_pay(proxy: FaultProxy, api: JsonApi) -> None:
    bucket = api.bucket()
    api.requester_pays.add(bucket)
    with pytest.raises(StoreAccessError, match="Set user_project"):
        GCSStore(endpoint=proxy.url).put(f"gs://{bucket}/a", io.BytesIO(b"x"))
    GCSStore(endpoint=proxy.url, user_project="p").put(f"gs://{bucket}/a", io.BytesIO(b"x"))


def test_a_checksum_that_the_service_refuses(proxy: FaultProxy, store: GCSStore, base: str) -> None:
    proxy.fail(said(400, 'Provided CRC32C "AAAAAA==" doesn\'t match calculated CRC32C "mnG7TA==".', "invalid"))
    with pytest.raises(VerificationError, match=f"{base}/a"):
        store.put(f"{base}/a", io.BytesIO(b"x"))


def test_too_many_requests_until_the_end(proxy: FaultProxy) -> None:
    proxy.fail(said(429, "rate", "rateLimitExceeded"), on=ALWAYS)
    with pytest.raises(
        StoreAccessError, match=r"fewer requests \(rateLimitExceeded\), and still did after 3 tries.*deadline"
    ):
        GCSStore(endpoint=proxy.url, max_attempts=3).stat(URI)


def test_a_service_that_fails_until_the_deadline(proxy: FaultProxy) -> None:
    proxy.fail(said(503, "Backend Error", "backendError"), on=ALWAYS)
    with pytest.raises(StoreAccessError, match=r"the service failed \(503 backendError\), also after \d+ tries"):
        GCSStore(endpoint=proxy.url, deadline=0.5, max_attempts=1_000).stat(URI)


def test_a_service_that_is_silent(proxy: FaultProxy) -> None:
    proxy.fail(Hang(), on=ALWAYS)
    with pytest.raises(StoreAccessError, match=r"it did not answer in time.*larger deadline"):
        GCSStore(endpoint=proxy.url, deadline=0.4).stat(URI)
    proxy.heal()


def test_nobody_listens() -> None:
    with socket.socket() as kept:
        kept.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{kept.getsockname()[1]}"
        with pytest.raises(StoreAccessError, match="there is no connection to it") as caught:
            GCSStore(endpoint=address, max_attempts=2).stat(URI)
    assert address in str(caught.value)
    assert "STORAGE_EMULATOR_HOST" in str(caught.value)


def test_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(StoreAccessError, match=r"its name is not known \(DNS\).*Look at the network"):
        GCSStore(anonymous=True, max_attempts=2).stat(URI)


# --- credentials ---


def test_there_are_no_credentials() -> None:
    with pytest.raises(StoreAccessError, match="there are no credentials") as caught:
        GCSStore().stat(URI)
    text = str(caught.value)
    assert URI in text
    assert "gcloud auth application-default login" in text
    assert "anonymous=True" in text


def test_a_file_of_credentials_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "key.json"
    path.write_text('{"type": "service_account", "private_key": "hunter2"')
    for named in (path, tmp_path / "missing.json"):
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(named))
        with pytest.raises(
            StoreAccessError, match="that GOOGLE_APPLICATION_CREDENTIALS names cannot be read"
        ) as caught:
            GCSStore().list("gs://bucket/a").__next__()
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("RefreshError", "the credentials have expired or were revoked"),
        ("TransportError", "what gives the credentials cannot be reached"),
        ("MalformedError", r"the credentials cannot be had \(MalformedError\)"),
    ],
)
def test_credentials_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch, error: str, message: str) -> None:
    import google.auth
    from google.auth import exceptions

    class Credentials:
        token, valid, universe_domain = None, False, "googleapis.com"

        def refresh(self, request: Any) -> None:
            raise getattr(exceptions, error)("invalid_grant: ya29.secret")

    monkeypatch.setattr(google.auth, "default", lambda **_: (Credentials(), "p"))
    store = GCSStore(endpoint="https://storage.example", max_attempts=2)
    for action in _actions(store).values():
        with pytest.raises(StoreAccessError, match=message) as caught:
            action()
        assert "ya29" not in str(caught.value)


# --- check ---


def test_who_may_read_but_not_list_is_let_through(proxy: FaultProxy, store: GCSStore, base: str) -> None:
    store.put(f"{base}/a", io.BytesIO(b"x"))
    proxy.fail(said(403, "no storage.objects.list", "forbidden"), method="GET", path="/o$", on=ALWAYS)
    store.check(f"{base}/a")
    for uri, write in ((base, False), (f"{base}/a", True)):
        with pytest.raises(StoreAccessError, match="access denied"):
            store.check(uri, write=write)


def test_who_may_not_write_is_told_before_any_work(proxy: FaultProxy, store: GCSStore, api: JsonApi, base: str) -> None:
    sessions = len(api.sessions)
    proxy.fail(said(403, "no storage.objects.create", "forbidden"), method="POST", path="/upload/")
    with pytest.raises(StoreAccessError, match=rf"Cannot write {base}: access denied.*no storage\.objects\.create"):
        store.check(base, write=True)
    store.check(base)
    store.check(base, write=True)
    assert len(api.sessions) == sessions


def test_the_address_of_a_session_is_never_shown(
    proxy: FaultProxy, base: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    store = GCSStore(endpoint=proxy.url, chunk_size=256 << 10, resumable_above=0, max_attempts=2)
    upload = store.begin(f"{base}/a", 600_000, overwrite=False)
    secret = upload.rpartition("upload_id=")[2]
    block = memoryview(bytes(256 << 10))
    for answer in (said(500, "x"), said(403, "denied"), said(410, "Gone"), Answer(404)):
        proxy.fail(answer, method="PUT", on=ALWAYS)
        with pytest.raises((StoreAccessError, UploadGoneError)) as caught:
            store.put_part(f"{base}/a", upload, 0, block)
        proxy.heal()
        assert secret not in str(caught.value)
        assert secret not in repr(caught.value.__context__)
    assert secret not in caplog.text


def _actions(store: GCSStore) -> dict[str, Any]:
    return {
        "stat": lambda: store.stat(URI),
        "list": lambda: list(store.list("gs://bucket/a")),
        "level": lambda: list(store.level("gs://bucket/a")),
        "open": lambda: store.open(URI),
        "put": lambda: store.put(URI, io.BytesIO(b"x")),
        "delete": lambda: store.delete(URI),
        "delete_many": lambda: store.delete_many([URI]),
        "begin": lambda: store.begin(URI, 1 << 30, overwrite=True),
        "copy": lambda: store.copy(URI, f"{URI}.copy", overwrite=True),
        "check": lambda: store.check("gs://bucket/a"),
        "check for writing": lambda: store.check("gs://bucket/a", write=True),
    }

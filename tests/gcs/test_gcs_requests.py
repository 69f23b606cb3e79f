"""What is asked of the service: with which parameters and credentials, and how often."""

from __future__ import annotations

import gzip
import io
import json
import ssl
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

pytest.importorskip("mercury_gcs")

from mercury_gcs.connections import Connections
from mercury_gcs.settings import Settings
from mercury_gcs.store import GCSStore

from mercury_core import copy
from mercury_core.errors import ArgumentsError, StoreAccessError, UriError
from mercury_core.testing.stores_setup import Piecemeal, content
from tests.gcs.json_api import JsonApi, json_api
from tests.servers.faults import Answer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.proxy import FaultProxy, Request

KEY = "projects/p/locations/l/keyRings/r/cryptoKeys/k"


def test_what_is_written_has_the_class_and_key_that_were_asked_for(
    proxy: FaultProxy, api: JsonApi, bucket: str, base: str
) -> None:
    params = {"endpoint": proxy.url, "chunk_size": 256 << 10, "resumable_above": 256 << 10}
    store = GCSStore(**params, kms_key_name=KEY, storage_class="NEARLINE", user_project="payer")
    store.put(f"{base}/whole", io.BytesIO(b"x"))
    store.put(f"{base}/chunks", Piecemeal(content(9 << 20)))  # type: ignore[arg-type]
    store.copy(f"{base}/whole", f"{base}/copied", overwrite=False)
    store.stat(f"{base}/whole")
    store.delete(f"{base}/whole")
    for name in ("chunks", "copied"):
        meta = api.buckets[bucket][f"base/{name}"].meta
        assert (meta["storageClass"], meta["kmsKeyName"]) == ("NEARLINE", KEY)
    for request in proxy.seen():
        assert "upload_id" in request.query or _query(request)["userProject"] == "payer"


def test_nothing_is_asked_that_was_not_given(proxy: FaultProxy, store: GCSStore, base: str) -> None:
    store.put(f"{base}/a", io.BytesIO(b"x"), overwrite=True)
    (request,) = proxy.seen()
    assert set(_query(request)) == {"uploadType", "fields"}
    assert "authorization" not in request.headers


def test_requests_are_as_few_as_can_be(proxy: FaultProxy, store: GCSStore, base: str, tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"f{number}").write_bytes(b"x" * 100)
        store.put(f"{base}/{number}", io.BytesIO(b"x"))
        store.open(f"{base}/{number}").read()
    list(store.list(base))
    store.get(f"{base}/0", tmp_path / "got")
    assert [(one.method, one.path.split("/")[1]) for one in proxy.seen()] == [
        *[("POST", "upload"), ("GET", "download")] * 5,
        ("GET", "storage"),
        ("GET", "download"),
    ]
    assert not proxy.seen("GET", path=r"^/storage/v1/b/[^/]+$"), "nobody needs to know of the bucket"


def test_a_file_is_sent_with_one_request_and_its_checksum_first(
    proxy: FaultProxy, store: GCSStore, api: JsonApi, bucket: str, base: str, tmp_path: Path
) -> None:
    path, data = tmp_path / "a", content(9 << 20)
    path.write_bytes(data)
    with path.open("rb") as file:
        file.seek(1 << 20)
        store.put(f"{base}/a", file)
    copy(path, f"{base}/b", stores={"gs": {"endpoint": proxy.url}})
    assert api.buckets[bucket]["base/a"].data == data[1 << 20 :]
    assert api.buckets[bucket]["base/b"].data == data
    assert len(proxy.seen("POST|PUT", path="/upload/")) == 2


def test_a_large_object_is_rewritten_in_steps(proxy: FaultProxy, store: GCSStore, base: str) -> None:
    made = store.put(f"{base}/a", io.BytesIO(content(3_500_000)))
    assert store.copy(made.uri, f"{base}/b", overwrite=False, version=made.version).checksums == made.checksums
    steps = [_query(one) for one in proxy.seen("POST", path="/rewriteTo/")]
    assert [step.get("rewriteToken") for step in steps] == [None, "1048576", "2097152", "3145728"]
    assert all(step["ifSourceGenerationMatch"] == made.version for step in steps)
    assert all(step["ifGenerationMatch"] == "0" for step in steps)


def test_a_copy_keeps_what_is_said_of_its_source(proxy: FaultProxy, api: JsonApi, bucket: str, base: str) -> None:
    said = {"contentType": "text/csv", "contentEncoding": "gzip", "metadata": {"a": "b"}, "cacheControl": "no-store"}
    held = api.publish(bucket, "base/a", gzip.compress(b"x"), {**said, "storageClass": "STANDARD"}, {})
    GCSStore(endpoint=proxy.url).copy(f"{base}/a", f"{base}/b", overwrite=False)
    assert api.buckets[bucket]["base/b"].meta == held.meta
    GCSStore(endpoint=proxy.url, storage_class="ARCHIVE").copy(f"{base}/a", f"{base}/c", overwrite=False)
    assert api.buckets[bucket]["base/c"].meta == {**said, "storageClass": "ARCHIVE"}
    assert _query(proxy.seen("POST", path="/rewriteTo/")[-1])["ifSourceGenerationMatch"] == held.generation


def test_what_is_stored_compressed_comes_as_it_is_stored(
    store: GCSStore, api: JsonApi, bucket: str, base: str, tmp_path: Path
) -> None:
    data = gzip.compress(content(10_000))
    api.publish(bucket, "base/a.gz", data, {"contentEncoding": "gzip"}, {})
    info = store.stat(f"{base}/a.gz")
    assert info.size == len(data)
    with store.open(info.uri) as reader:
        assert reader.read() == data
    with store.open(info.uri, 100, 200) as reader:
        assert reader.read() == data[100:200]
    store.get(info.uri, tmp_path / "a.gz")
    assert (tmp_path / "a.gz").read_bytes() == data


def test_an_object_that_was_composed_has_no_md5(proxy: FaultProxy, store: GCSStore, base: str) -> None:
    said = {"name": "base/a", "size": "5", "generation": "7", "crc32c": "mnG7TA==", "componentCount": 2}
    proxy.fail(Answer(200, json.dumps(said).encode(), {"Content-Type": "application/json"}))
    info = store.stat(f"{base}/a")
    assert (info.checksums, info.version, info.modified) == ({"crc32c": "9a71bb4c"}, "7", None)


# --- credentials ---


class _Credentials:
    """What google.auth finds, as far as it is used."""

    token: str | None = None
    universe_domain = "googleapis.com"

    def __init__(self, tokens: Iterator[str]) -> None:
        self._tokens, self.refreshed = tokens, 0

    @property
    def valid(self) -> bool:
        return self.token is not None

    def refresh(self, request: Any) -> None:
        del request
        self.refreshed += 1
        self.token = next(self._tokens)

    def before_request(self, request: Any, method: str, url: str, headers: dict[str, str]) -> None:
        del request, method, url
        headers["authorization"] = f"Bearer {self.token}"


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[JsonApi]:
    """The server with TLS, since credentials do not travel in the clear; its authority is one of the environment's."""
    certificate = _certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with json_api() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.endpoint = server.endpoint.replace("http:", "https:").replace("127.0.0.1", "localhost")
        server.tokens = {"good"}
        yield server


def test_application_default_credentials_are_used_and_renewed_once(
    secure: JsonApi, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    credentials = _use(monkeypatch, ["expired", "good"])
    store, uri = GCSStore(endpoint=secure.endpoint), f"gs://{secure.bucket()}/a"
    data = content(3 << 20)
    store.put(uri, io.BytesIO(data))
    assert credentials.refreshed == 2
    store.get(uri, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == data
    assert credentials.refreshed == 2


def test_credentials_that_expire_between_parts(secure: JsonApi, monkeypatch: pytest.MonkeyPatch) -> None:
    _use(monkeypatch, ["good", "better", "best"])
    store = GCSStore(endpoint=secure.endpoint, chunk_size=256 << 10, resumable_above=0)
    uri, data = f"gs://{secure.bucket()}/a", content(600_000)
    upload = store.begin(uri, len(data), overwrite=False)
    parts = []
    for number, token in enumerate(("good", "better", "best")):
        secure.tokens = {token}
        parts.append(store.put_part(uri, upload, number, memoryview(data)[number << 18 : (number + 1) << 18]))
    from mercury_core.testing.stores_setup import crc32c

    assert store.finish(uri, upload, parts, overwrite=False, crc32c=crc32c(data)).size == len(data)


def test_credentials_that_are_refused_are_renewed_once_only(secure: JsonApi, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = _use(monkeypatch, ["ya29.one", "ya29.two", "ya29.three"])
    with pytest.raises(StoreAccessError, match="the credentials have expired") as caught:
        GCSStore(endpoint=secure.endpoint).stat("gs://bucket/a")
    assert credentials.refreshed == 2
    assert "ya29" not in str(caught.value)
    assert "gcloud auth application-default login" in str(caught.value)


def test_anonymous_sends_none(secure: JsonApi, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials = _use(monkeypatch, ["good"])
    with pytest.raises(StoreAccessError, match="access denied without credentials"):
        GCSStore(endpoint=secure.endpoint, anonymous=True).stat("gs://bucket/a")
    assert credentials.refreshed == 0
    assert "authorization" not in secure.seen[-1][2]


@pytest.mark.parametrize("bare", [False, True])
def test_an_emulator_is_found_and_sent_no_credentials(
    api: JsonApi, bucket: str, monkeypatch: pytest.MonkeyPatch, bare: bool
) -> None:
    credentials = _use(monkeypatch, ["good"])
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", api.endpoint.removeprefix("http://") if bare else api.endpoint)
    GCSStore().put(f"gs://{bucket}/a", io.BytesIO(b"x"))
    assert api.buckets[bucket]["a"].data == b"x"
    assert credentials.refreshed == 0


def test_without_an_emulator_it_is_googles_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    import google.auth
    from google.auth.credentials import AnonymousCredentials

    class Elsewhere(AnonymousCredentials):
        universe_domain = "cloud.example"

    assert Connections(Settings(anonymous=True)).address == "https://storage.googleapis.com"
    asked: dict[str, Any] = {}
    for credentials in (AnonymousCredentials(), Elsewhere()):
        monkeypatch.setattr(
            google.auth, "default", lambda found=credentials, **how: (asked.update(how), (found, "p"))[1]
        )
        assert Connections(Settings(project="p")).address == f"https://storage.{credentials.universe_domain}"
    assert asked["quota_project_id"] == "p"
    assert asked["scopes"] == ["https://www.googleapis.com/auth/devstorage.read_write"]


def test_a_certificate_that_is_not_trusted_is_said(secure: JsonApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    with pytest.raises(StoreAccessError, match="the certificate of the service is not trusted"):
        GCSStore(endpoint=secure.endpoint, anonymous=True).stat("gs://bucket/a")


# --- parameters and names ---


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"max_concurrency": 0}, "'max_concurrency' is 0: expected 1 or more"),
        ({"max_attempts": 0}, "'max_attempts' is 0"),
        ({"deadline": 0}, "'deadline' is 0: expected seconds"),
        ({"deadline": float("nan")}, "'deadline' is nan"),
        ({"chunk_size": 300_000}, "expected a multiple of 262144 bytes"),
        ({"resumable_above": -1}, "'resumable_above' is -1"),
        ({"storage_class": ""}, "'storage_class' is empty"),
        ({"endpoint": "localhost:4443"}, "'endpoint' is no address"),
        ({"endpoint": "https://me:hunter2@host"}, "'endpoint' holds more than an address"),
        ({"anonymous": True, "user_project": "p"}, "'user_project' needs credentials"),
    ],
)
def test_parameters_are_checked(params: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentsError) as caught:
        GCSStore(**params)
    assert said in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_nothing_is_opened_and_nothing_secret_is_shown_at_construction() -> None:
    shown = repr(GCSStore(endpoint="https://storage.example", kms_key_name=KEY))
    assert "storage.example" in shown
    assert KEY not in shown


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("gs://", "it names no bucket"),
        ("gs:///a", "it names no bucket"),
        ("gs://bu cket/a", "'bu cket' can be no bucket"),
        ("gs://bucket", "no object in it"),
        ("gs://bucket/", "no object in it"),
        ("gs://bucket/..", "can be no key"),
        ("gs://bucket/a\0", "a null character"),
        ("gs://bucket/a\nb", "a line break"),
        ("gs://bucket/\udcff", "no text in Unicode"),
        ("gs://bucket/" + "é" * 513, "its key has 1026 bytes"),
    ],
)
def test_what_can_be_no_name_is_said_before_anything_is_asked(uri: str, said: str) -> None:
    with pytest.raises(UriError, match=said):
        GCSStore(endpoint="http://127.0.0.1:9").stat(uri)


def _query(request: Request) -> dict[str, str]:
    return {name: values[-1] for name, values in parse_qs(request.query).items()}


def _use(monkeypatch: pytest.MonkeyPatch, tokens: list[str]) -> _Credentials:
    import google.auth

    credentials = _Credentials(iter(tokens))
    monkeypatch.setattr(google.auth, "default", lambda **_: (credentials, "project"))
    return credentials


def _certificate(folder: Path) -> Path:
    """A certificate for localhost, and its key."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / "localhost.pem"
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.write_bytes(made.public_bytes(pem) + secret)
    return path

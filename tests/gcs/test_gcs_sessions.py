"""Answers of services that are not as they should be, and ways that are seldom gone."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

pytest.importorskip("mercury_gcs")

from mercury_gcs.store import GCSStore

from mercury_core.errors import ObjectExistsError, StoreAccessError, UploadGoneError, VerificationError
from mercury_core.testing.stores_setup import Piecemeal, checksum, content, crc32c
from tests.servers.faults import Answer, Call, Cut, CutRequest, LoseAnswer
from tests.servers.proxy import ALWAYS

if TYPE_CHECKING:
    from pathlib import Path

    from tests.gcs.json_api import JsonApi
    from tests.servers.faults import Fault
    from tests.servers.proxy import FaultProxy

DATA = content(600_000)
THREE = ["POST", "PUT", "PUT"]
DENIED = Answer(403, b'{"error": {"message": "denied"}}')


@pytest.fixture
def small(proxy: FaultProxy) -> GCSStore:
    """A store that sends nearly everything in parts."""
    return GCSStore(endpoint=proxy.url, chunk_size=256 << 10, resumable_above=0, max_attempts=3)


def test_what_exists_is_said_before_anything_is_sent(
    proxy: FaultProxy, small: GCSStore, api: JsonApi, bucket: str, base: str
) -> None:
    uri = f"{base}/a"
    small.put(uri, io.BytesIO(b"old"))
    proxy.requests.clear()
    for look in (True, False):
        if not look:  # who may write may yet not look: the service says so then
            proxy.fail(DENIED, method="GET", on=ALWAYS)
        with pytest.raises(ObjectExistsError, match=uri):
            small.begin(uri, len(DATA), overwrite=False)
        with pytest.raises(ObjectExistsError, match=uri):
            small.put(uri, Piecemeal(content(9 << 20)))  # type: ignore[arg-type]
    assert proxy.sent("/upload/") < 1_000
    assert not [one for one in api.sessions.values() if one.bucket == bucket]


def test_another_error_than_that_is_not_hidden(proxy: FaultProxy, small: GCSStore, base: str) -> None:
    proxy.fail(Answer(400, b'{"error": {"message": "no"}}'), method="GET", on=ALWAYS)
    with pytest.raises(StoreAccessError, match="the service refused it"):
        small.begin(f"{base}/a", len(DATA), overwrite=False)


def test_a_session_without_an_address(proxy: FaultProxy, small: GCSStore, base: str) -> None:
    proxy.fail(Answer(200), method="POST")
    with pytest.raises(StoreAccessError, match="the service began no upload"):
        small.begin(f"{base}/a", len(DATA), overwrite=True)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (Answer(308), StoreAccessError, "takes nothing more of the upload"),
        (Answer(400, b'{"error": {"message": "no"}}'), StoreAccessError, "the service refused it"),
        (Answer(410), UploadGoneError, "a"),
        (DENIED, StoreAccessError, "access denied"),
    ],
)
def test_parts_that_are_not_taken(
    proxy: FaultProxy, small: GCSStore, base: str, answer: Answer, error: type[Exception], message: str
) -> None:
    uri = f"{base}/a"
    upload = small.begin(uri, len(DATA), overwrite=False)
    proxy.fail(answer, method="PUT")
    with pytest.raises(error, match=message):
        small.put_part(uri, upload, 0, memoryview(DATA)[: 256 << 10])


def test_a_state_that_cannot_be_asked_for(proxy: FaultProxy, small: GCSStore, base: str) -> None:
    uri = f"{base}/a"
    upload = small.begin(uri, len(DATA), overwrite=False)
    proxy.fail(DENIED, method="PUT")
    with pytest.raises(StoreAccessError, match="access denied"):
        small.parts(uri, upload)
    proxy.fail(DENIED, method="DELETE")
    with pytest.raises(StoreAccessError, match="access denied"):
        small.abort(uri, upload)


def test_what_arrived_in_part_is_not_sent_again(proxy: FaultProxy, api: JsonApi, bucket: str, base: str) -> None:
    store = GCSStore(endpoint=proxy.url, chunk_size=1 << 20, resumable_above=0)
    uri, data = f"{base}/a", content(1_500_000)
    upload = store.begin(uri, len(data), overwrite=False)
    # As if the connection had been cut after a half of it: the service says how much it has.
    (session,) = (one for one in api.sessions.values() if one.bucket == bucket)
    session.data += data[: 512 << 10]
    proxy.fail(Answer(308, b"", {"Range": f"bytes=0-{(512 << 10) - 1}"}), method="PUT")
    parts = [store.put_part(uri, upload, 0, memoryview(data)[: 1 << 20])]
    first, second = proxy.seen("PUT")
    assert first.headers["content-range"] == "bytes 0-1048575/1500000"
    assert second.headers["content-range"] == "bytes 524288-1048575/1500000"
    parts.append(store.put_part(uri, upload, 1, memoryview(data)[1 << 20 :]))
    store.finish(uri, upload, parts, overwrite=False, crc32c=crc32c(data))
    assert api.buckets[bucket]["base/a"].data == data


def test_the_end_comes_last_and_with_the_checksum(proxy: FaultProxy, small: GCSStore, base: str) -> None:
    uri = f"{base}/a"
    upload = small.begin(uri, len(DATA), overwrite=True)
    view = memoryview(DATA)
    parts = [small.put_part(uri, upload, n, view[n << 18 : (n + 1) << 18]) for n in range(3)]
    assert [one.headers["content-range"] for one in proxy.seen("PUT")] == [
        "bytes 0-262143/600000",
        "bytes 262144-524287/600000",
    ]
    small.finish(uri, upload, parts, overwrite=True, crc32c=crc32c(DATA))
    end = proxy.seen("PUT")[-1]
    assert end.headers["content-range"] == "bytes 524288-599999/600000"
    assert end.headers["x-goog-hash"].startswith("crc32c=")


def test_an_end_whose_session_went_with_its_answer(proxy: FaultProxy, small: GCSStore, api: JsonApi, base: str) -> None:
    """As fake-gcs-server does it: who asks again finds no session, but the object."""
    uri = f"{base}/a"
    for ours in (True, False):
        upload = small.begin(uri, len(DATA), overwrite=True)
        view = memoryview(DATA)
        parts = [small.put_part(uri, upload, n, view[n << 18 : (n + 1) << 18]) for n in range(3)]
        there = DATA if ours else b"somebody else's"

        def publish(data: bytes = there) -> None:
            api.sessions.clear()
            api.publish(uri.split("/")[2], "base/a", data, {}, {})

        proxy.fail(Answer(503), method="PUT")
        proxy.fail(Call(publish), method="PUT")
        if ours:
            assert small.finish(uri, upload, parts, overwrite=True, crc32c=crc32c(DATA)) == small.stat(uri)
        else:
            with pytest.raises(UploadGoneError, match=uri):
                small.finish(uri, upload, parts, overwrite=True, crc32c=crc32c(DATA))


def test_an_end_that_is_not_the_end(proxy: FaultProxy, small: GCSStore, base: str) -> None:
    uri = f"{base}/a"
    upload = small.begin(uri, 100, overwrite=True)
    part = small.put_part(uri, upload, 0, memoryview(DATA)[:100])
    proxy.fail(Answer(308, b"", {"Range": "bytes=0-99"}), method="PUT")
    with pytest.raises(UploadGoneError, match=uri):
        small.finish(uri, upload, [part], overwrite=True, crc32c=crc32c(DATA[:100]))


# --- reading ---


def test_a_range_past_the_end_is_empty_and_yet_of_a_version(store: GCSStore, base: str) -> None:
    from mercury_core.errors import ObjectChangedError

    made = store.put(f"{base}/a", io.BytesIO(b"x"))
    assert store.open(made.uri, 5, 9, version=made.version).read() == b""
    with pytest.raises(ObjectChangedError):
        store.open(made.uri, 5, 9, version="1")
    with pytest.raises(ObjectChangedError):
        store.open(made.uri, 5, 5, version="1")


def test_a_service_that_reads_from_the_beginning_only(proxy: FaultProxy, store: GCSStore, base: str) -> None:
    proxy.fail(Answer(200, b"all of it"), method="GET")
    with pytest.raises(StoreAccessError, match="does not read from a place"):
        store.open(f"{base}/a", 3)


def test_what_goes_while_it_is_read(proxy: FaultProxy, store: GCSStore, api: JsonApi, base: str) -> None:
    made = store.put(f"{base}/a", io.BytesIO(DATA))
    proxy.fail(Cut(1_000), method="GET")
    with store.open(made.uri) as data:
        api.buckets.clear()
        with pytest.raises(StoreAccessError, match="there is no bucket"):
            data.read()


def test_a_reader_that_is_given_up_costs_no_connection_twice(store: GCSStore, base: str, tmp_path: Path) -> None:
    made = store.put(f"{base}/a", io.BytesIO(content(5 << 20)))
    for _ in range(3):
        with store.open(made.uri) as data:
            data.read(10)
    with store.open(made.uri, 1_000, 1_010) as data:
        assert len(data.read()) == 10
    store.get(made.uri, tmp_path / "a")
    assert (tmp_path / "a").stat().st_size == 5 << 20


# --- what is put ---


def test_a_reader_with_read_alone(store: GCSStore, api: JsonApi, bucket: str, base: str) -> None:
    class Plain:
        def __init__(self, data: bytes) -> None:
            self._data = io.BytesIO(data)

        def read(self, size: int = -1) -> bytes:
            return self._data.read(size)

    class Seekable(Plain):
        def seekable(self) -> bool:
            return True

        def seek(self, place: int, whence: int = 0) -> int:
            return self._data.seek(place, whence)

        def tell(self) -> int:
            return self._data.tell()

    for size in (0, 1, 65_536, 100_000, 8 << 20, (8 << 20) + 1):
        for kind in (Plain, Seekable):
            store.put(f"{base}/a", kind(data := content(size)), overwrite=True)  # type: ignore[arg-type]
            assert api.buckets[bucket]["base/a"].data == data


class Again(io.BytesIO):
    """A reader that can be read again, and may know what it will give."""

    def __init__(self, data: bytes, known: str) -> None:
        super().__init__(data)
        self.size, self.rewound = len(data), 0
        self._known = {known: checksum(known, data, None)} if known else {}

    def seekable(self) -> bool:
        return False

    def known(self) -> dict[str, str]:
        return self._known

    def rewind(self) -> None:
        self.rewound += 1
        super().seek(0)


@pytest.mark.parametrize("fault", [CutRequest(3 << 20), LoseAnswer(), Answer(503)], ids=lambda fault: fault.kind)
@pytest.mark.parametrize(
    ("known", "requests"), [("crc32c", ["POST"]), ("md5", ["POST"]), ("sha256", THREE), ("", THREE)]
)
def test_what_can_be_read_again_is_not_held(
    proxy: FaultProxy,
    store: GCSStore,
    api: JsonApi,
    bucket: str,
    base: str,
    known: bool,
    requests: list[str],
    fault: Fault,
) -> None:
    data = content(9 << 20)
    store.put(f"{base}/a", Again(data, known))
    assert api.buckets[bucket]["base/a"].data == data
    assert [one.method for one in proxy.seen(path="/upload/")] == requests
    reader = Again(data, known)
    proxy.fail(fault, method="PUT" if requests == THREE else "POST")
    store.put(f"{base}/b", reader)
    assert api.buckets[bucket]["base/b"].data == data
    assert reader.rewound == 2
    store.put(f"{base}/small", Again(b"x" * 100, known))
    assert api.buckets[bucket]["base/small"].data == b"x" * 100


@pytest.mark.parametrize("known", ["crc32c", "md5"])
def test_what_turns_out_to_be_something_else_is_not_published(
    store: GCSStore, api: JsonApi, bucket: str, base: str, known: str
) -> None:
    reader = Again(content(9 << 20), known)
    reader._known = {name: "0" * len(value) for name, value in reader._known.items()}
    with pytest.raises(VerificationError, match=f"{base}/a"):
        store.put(f"{base}/a", reader)
    assert api.buckets[bucket] == {}


@pytest.mark.parametrize(
    "answer", [Answer(308, b"", {"Range": "bytes=0-262143"}), Answer(410), Answer(400), Answer(200, b"{}"), DENIED]
)
def test_a_stream_that_is_not_taken(
    proxy: FaultProxy, store: GCSStore, api: JsonApi, bucket: str, base: str, answer: Answer
) -> None:
    proxy.fail(answer, method="PUT")
    with pytest.raises((UploadGoneError, StoreAccessError), match=f"{base}/a"):
        store.put(f"{base}/a", Again(content(9 << 20), ""))
    assert api.buckets[bucket] == {}
    assert not [one for one in api.sessions.values() if one.bucket == bucket]


def test_a_child_of_a_fork_opens_its_own_connections(
    store: GCSStore, base: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.put(f"{base}/a", io.BytesIO(b"x"))
    before = store._service.connections
    monkeypatch.setattr("os.getpid", lambda: 1)
    assert store._service.connections is not before
    assert store.stat(f"{base}/a").size == 1


def test_what_is_not_json_is_no_object(proxy: FaultProxy, base: str) -> None:
    store = GCSStore(endpoint=proxy.url, max_attempts=2)
    proxy.fail(Answer(200, b'{"name": ', {"Content-Type": "application/json"}), on=ALWAYS)
    with pytest.raises(StoreAccessError, match="what it answered broke off"):
        store.stat(f"{base}/a")


def test_a_checksum_that_is_none_is_left_out(proxy: FaultProxy, store: GCSStore, base: str) -> None:
    said = {"name": "base/a", "size": "5", "crc32c": "not base64!", "md5Hash": "XUFAKrxLKna5cZ2REBfFkg=="}
    proxy.fail(Answer(200, json.dumps(said).encode(), {"Content-Type": "application/json"}))
    assert set(store.stat(f"{base}/a").checksums) == {"md5"}


def test_a_rewrite_that_is_refused_otherwise(proxy: FaultProxy, store: GCSStore, base: str) -> None:
    proxy.fail(DENIED, method="POST")
    with pytest.raises(StoreAccessError, match=f"Cannot copy {base}/a: access denied"):
        store.copy(f"{base}/a", f"{base}/b", overwrite=False)


@pytest.mark.parametrize(
    "answer", [b"{}", b'{"items": [{}]}', b'{"done": true}', b"[1]", b'{"name": "a", "size": "x"}']
)
def test_what_is_no_answer_of_the_service(proxy: FaultProxy, store: GCSStore, base: str, answer: bytes) -> None:
    proxy.fail(Answer(200, answer, {"Content-Type": "application/json"}), on=ALWAYS)
    actions = [lambda: store.stat(f"{base}/a"), lambda: store.copy(f"{base}/a", f"{base}/b", overwrite=True)]
    actions.append(lambda: store.put(f"{base}/a", io.BytesIO(b"x")))
    if b"items" in answer:
        actions.append(lambda: list(store.list(base)))  # type: ignore[arg-type, return-value]
    for action in actions:
        with pytest.raises(StoreAccessError, match="what it answered is not that of Google Cloud Storage"):
            action()

"""Places, parameters and the wording of errors that stores over HTTP have in common."""

from __future__ import annotations

import pytest

from mercury_core.errors import MercuryError, StoreAccessError, UriError
from mercury_core.storage.http import faults, places, refusals
from mercury_core.storage.http.answers import LostError, RefusedError


class Place(places.Place):
    __slots__ = ()
    scheme, service = "test://", "a test"


@pytest.mark.parametrize("key", ["a", "a//b", "../a", "/", "%41?#", "é", "x" * 1024])
def test_a_key_is_taken_as_it_stands(key: str) -> None:
    place = Place.of_object(f"TEST://bucket/{key}")
    assert (place.bucket, place.key, place.uri) == ("bucket", key, f"test://bucket/{key}")
    assert place == Place("bucket", key)


@pytest.mark.parametrize("uri", ["test://bucket", "test://bucket/"])
def test_a_bucket_is_a_prefix_and_no_object(uri: str) -> None:
    assert Place.of_prefix(uri) == Place("bucket", "")
    with pytest.raises(UriError, match=r"no object in it\. Write test://bucket/KEY"):
        Place.of_object(uri)


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("test:///a", "names no bucket"),
        ("other://bucket/a", "names no bucket"),
        ("test://bucket/a\0", "null character"),
        ("test://bucket/\udcff", "no text in Unicode"),
        ("test://bucket/" + "é" * 513, "its key has 1026 bytes, and a test takes 1024"),
    ],
)
def test_a_uri_that_is_none(uri: str, why: str) -> None:
    with pytest.raises(UriError, match=why):
        Place.of_prefix(uri)


def test_faults_of_parameters() -> None:
    assert not list(faults.numbers({"tries": 1, "deadline": 0.5}, "deadline", tries=1))
    found = list(faults.numbers({"tries": 0, "deadline": float("nan")}, "deadline", tries=1))
    assert [fault.path for fault in found] == [("tries",), ("deadline",)]
    assert [fault.path for fault in faults.empty({"a": "", "b": "x"}, "a", "b", "c")] == [("a",)]


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:9000", "https://host/"])
def test_an_address(url: str | None) -> None:
    assert not list(faults.address({"url": url}, "url", "elsewhere"))


@pytest.mark.parametrize(
    "url", ["host:80", "ftp://host", "http://", "http://host:x", "https://me:secret@host", "http://h?q"]
)
def test_what_is_no_address_is_not_shown(url: str) -> None:
    (fault,) = faults.address({"url": url}, "url", "elsewhere")
    assert "https://host" in str(fault)
    assert "secret" not in str(fault)


def _refusal(error: RefusedError | LostError) -> MercuryError:
    assert isinstance(error, RefusedError)
    return StoreAccessError("read", "test://bucket/a", *refusals.failed(error))


def test_errors_are_translated_and_not_chained() -> None:
    failed = pytest.raises(StoreAccessError, match=r"the service failed \(500 Oops\), also after 1 tries")
    with failed as caught, refusals.translated(_refusal, lambda error: None):
        raise RefusedError(500, "Oops")
    assert caught.value.__suppress_context__
    with pytest.raises(ZeroDivisionError), refusals.translated(_refusal, lambda error: None):
        raise ZeroDivisionError
    mine = UriError("x", "y", "z")
    with pytest.raises(UriError, match="z"), refusals.translated(_refusal, lambda error: mine):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "todo"),
    [
        (LostError("the certificate is not trusted", reached=False, final=True), "authority in BUNDLE"),
        (LostError("cut"), "a larger deadline"),
        (LostError("no way", reached=False), "the proxy, url"),
    ],
)
def test_what_to_do_where_there_is_no_answer(error: LostError, todo: str) -> None:
    said = refusals.unreached(
        error, "read", "test://b/a", where="it", certificates="BUNDLE", deadline="deadline", address="url"
    )
    assert f"it cannot be reached: {error.why}" in str(said)
    assert todo in str(said)


def test_a_service_that_asks_for_less() -> None:
    why, todo = refusals.throttled(RefusedError(429, ""), "deadline")
    assert why.startswith("the service asks for fewer requests, and still did after 1 tries")
    assert "larger deadline" in todo
    assert "(SlowDown)" in refusals.throttled(RefusedError(503, "SlowDown"), "deadline")[0]
    assert "'b'" in str(refusals.no_bucket("read", "test://b/a"))

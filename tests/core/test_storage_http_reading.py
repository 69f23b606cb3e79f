"""Content that comes in pieces, from connections that are cut."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from mercury_core.errors import ObjectChangedError, ObjectNotFoundError, StoreAccessError, VerificationError
from mercury_core.storage.http.answers import Answer, LostError, RefusedError
from mercury_core.storage.http.reading import fetch, reader
from mercury_core.storage.http.tries import Tries

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from mercury_core.errors import MercuryError

CONTENT = bytes(range(256)) * 10


class Cut:
    """Content of which a part arrives."""

    def __init__(self, content: bytes, breaks: bool) -> None:
        self.view, self.breaks, self.is_closed = memoryview(content), breaks, False

    def readinto(self, buffer: memoryview, /) -> int:
        count = min(buffer.nbytes, self.view.nbytes)
        buffer[:count] = self.view[:count]
        self.view = self.view[count:]
        if not count and self.breaks:
            raise LostError("cut")
        return count

    def close(self) -> None:
        self.is_closed = True


class Object:
    """An object whose connections are cut after some bytes.

    Attributes:
        now: The version that it has.
        asked: The ranges.
    """

    uri = "test://bucket/key"

    def __init__(self, *pieces: int, sizes: bool = True, ranges: bool = True) -> None:
        self.pieces, self.sizes, self.ranges = list(pieces), sizes, ranges
        self.content, self.now, self.asked = CONTENT, '"1"', list[str | None]()
        self.given: list[Cut] = []

    def ask(self, range_: str | None, version: str | None) -> Answer:
        self.asked.append(range_)
        start, end = 0, len(self.content)
        if range_ and self.ranges:
            first, _, last = range_.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last) + 1 if last else end, end)
            if start >= len(self.content):
                raise RefusedError(416, "range")
        if version is not None and version.strip('"') != self.now.strip('"'):
            raise RefusedError(412, "condition")
        headers = {"etag": self.now}
        if self.sizes:
            headers["content-length"] = str(end - start)
            if start or range_:
                headers["content-range"] = f"bytes {start}-{end - 1}/{len(self.content)}"
        piece = self.pieces.pop(0) if self.pieces else end - start
        self.given.append(Cut(self.content[start:end][:piece], self.sizes))
        return Answer(206 if range_ and self.ranges else 200, headers, {}, self.given[-1])

    def version(self) -> str | None:
        if not self.content:
            raise RefusedError(404, "none")
        return self.now

    def version_in(self, headers: Mapping[str, str]) -> str | None:
        return headers.get("etag")

    def tries(self) -> Tries:
        return Tries(3, 300, 60)

    @contextmanager
    def translated(self) -> Iterator[None]:
        try:
            yield
        except RefusedError:
            raise ObjectNotFoundError(self.uri) from None

    def refusal(self, error: LostError) -> MercuryError:
        return StoreAccessError("read", self.uri, error.why, "Try later.")


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mercury_core.storage.http.tries.time.sleep", lambda seconds: None)


def test_it_goes_on_where_it_was_cut() -> None:
    thing = Object(100, 1, 0, 1000)
    with reader(thing, 0, None, None) as data:
        assert data.read() == CONTENT
    assert thing.asked == [None, "bytes=100-2559", "bytes=101-2559", "bytes=101-2559", "bytes=1101-2559"]
    assert all(one.is_closed for one in thing.given)


@pytest.mark.parametrize(("start", "end"), [(0, 10), (5, None), (5, 10), (2550, 9999), (2560, None), (9999, 10_000)])
def test_a_range(start: int, end: int | None) -> None:
    assert reader(Object(3), start, end, None).read() == CONTENT[start:end]


def test_a_size_that_nobody_says() -> None:
    thing = Object(sizes=False)
    assert reader(thing, 0, None, None).read() == CONTENT
    assert thing.asked == [None]


def test_tries_are_counted_anew_with_every_byte() -> None:
    with pytest.raises(StoreAccessError, match="cut"):
        reader(Object(10, 0, 0, 0, 0), 0, None, None).read()
    assert reader(Object(10, 0, 10, 0), 0, None, None).read() == CONTENT


def test_another_object_is_no_rest_of_the_first() -> None:
    thing = Object(10)
    data = reader(thing, 0, None, None)
    thing.now = '"2"'
    with pytest.raises(ObjectChangedError):
        data.read()


def test_the_version_that_is_asked_for() -> None:
    assert reader(Object(), 0, None, "1").read() == CONTENT
    for start, end in ((0, None), (5, 5), (9999, None)):
        with pytest.raises(ObjectChangedError):
            reader(Object(), start, end, "2")
        if start != 0:
            assert reader(Object(), start, end, "1").read() == b""


def test_a_range_of_nothing_asks_whether_the_object_is_there() -> None:
    thing = Object()
    thing.content = b""
    with pytest.raises(ObjectNotFoundError):
        reader(thing, 3, 3, None)


def test_a_service_without_ranges_is_not_read_from_its_beginning() -> None:
    with pytest.raises(StoreAccessError, match="does not read from a place"):
        reader(Object(ranges=False), 5, None, None)


def test_a_file_is_compared_with_what_was_told(tmp_path: Path) -> None:
    from mercury_core.storage.checksums import Checksums

    running = Checksums(["md5"])
    running.update(CONTENT)
    path = tmp_path / "a"
    fetch(Object(7, 7), path, lambda headers: {"md5": running.hex("md5")}, ("crc32c", "md5"))
    assert path.read_bytes() == CONTENT
    with pytest.raises(VerificationError, match="crc32c"):
        fetch(Object(), tmp_path / "b", lambda headers: {"md5": "", "crc32c": "0"}, ("crc32c", "md5"))
    assert not (tmp_path / "b").exists()
    fetch(Object(), tmp_path / "c", lambda headers: {}, ("crc32c", "md5"))
    assert (tmp_path / "c").read_bytes() == CONTENT

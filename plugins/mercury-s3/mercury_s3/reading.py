"""Content as it is read, which goes on by itself where a connection was cut."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

from mercury_core.errors import ObjectChangedError, StoreAccessError
from mercury_core.storage.http.answers import LostError
from mercury_s3.answers import RefusedError
from mercury_s3.refusals import refusal, translated
from mercury_s3.service import Tries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from typing_extensions import Buffer

    from mercury_s3.answers import Answer, Body
    from mercury_s3.places import Place
    from mercury_s3.service import Service

_BUFFER = 1 << 16


def reader(service: Service, place: Place, start: int, end: int | None, version: str | None) -> BinaryIO:
    """Read a range of an object: see `mercury_core.contracts.Store.open`."""
    if end is not None and end <= start:
        # No range says this: what is to be found out is whether the object is there.
        with translated("read", place.uri, service.settings):
            _head(service, place, version)
        return io.BytesIO()
    raw = Reading(service, place, start, end, version)
    raw.begin()
    return cast("BinaryIO", io.BufferedReader(raw, _BUFFER))


class Reading(io.RawIOBase):
    """A range of an object."""

    def __init__(
        self, service: Service, place: Place, start: int, end: int | None, version: str | None, *, told: bool = False
    ) -> None:
        """Ask for nothing yet; `told` for the checksums of the object, in its headers."""
        self._told = told
        self._service, self._place = service, place
        self._at, self._end, self._version = start, end, version
        self._pinned = version is not None
        self._body: Body | None = None
        self._tries: Tries | None = None
        self.headers: Mapping[str, str] = {}

    def begin(self) -> None:
        """Ask, so that what is not there is said before anything is read.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ObjectChangedError: It has another version.
            StoreAccessError: It may not be read, or the service cannot be reached.
        """
        with translated("read", self._place.uri, self._service.settings):
            try:
                answer = self._ask()
            except RefusedError as refused:
                if refused.status == 416:
                    self._end = self._at  # it begins past the object's end
                    if self._pinned:
                        _head(self._service, self._place, self._version)
                    return
                if refused.status == 412 and self._pinned:
                    raise ObjectChangedError(self._place.uri) from None
                raise
        self.headers = answer.headers
        etag = answer.headers.get("etag")
        if self._pinned and etag is not None and etag.strip('"') != (self._version or "").strip('"'):
            if answer.body:
                answer.body.close()
            raise ObjectChangedError(self._place.uri)  # a service that does not understand If-Match
        self._version = etag or self._version
        size = _size_in(answer, self._at)
        self._end = min(self._end, size) if self._end is not None and size is not None else (self._end or size)
        self._body = answer.body

    def _ask(self) -> Answer:
        params = self._service.settings.reading()
        if self._at or self._end is not None:
            params["Range"] = f"bytes={self._at}-{'' if self._end is None else self._end - 1}"
        elif self._told:
            params["ChecksumMode"] = "ENABLED"
        if self._version is not None:
            params["IfMatch"] = self._version
        answer = self._service.call("GetObject", self._place, **params)
        # Some give the range that was asked for with the status of a whole object, rclone among them.
        given = answer.headers.get("content-range", "").startswith(f"bytes {self._at}-")
        if self._at and answer.status == 200 and not given:
            if answer.body:
                answer.body.close()
            why = "this service does not read from a place in an object"
            raise StoreAccessError("read", self._place.uri, why, "Copy it whole first.")
        return answer

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Read into a buffer."""
        view = memoryview(buffer).cast("B")
        if self._end is not None:
            view = view[: max(self._end - self._at, 0)]
        if not view.nbytes:
            return 0
        while True:
            try:
                if self._body is None:
                    self._body = self._go_on()
                count = self._body.readinto(view)
            except LostError as lost:
                self._broke_off(lost)
                continue
            if not count and self._end is not None:
                self._broke_off(LostError("the connection was cut"))
                continue
            self._at += count
            self._tries = None
            return count

    def readall(self) -> bytes:
        """All that is left."""
        if self._end is None:
            return super().readall()
        held = bytearray(max(self._end - self._at, 0))
        view, done = memoryview(held), 0
        while count := self.readinto(view[done:]):
            done += count
        return bytes(view[:done])

    def _go_on(self) -> Body:
        with translated("read", self._place.uri, self._service.settings):
            try:
                answer = self._ask()
            except RefusedError as refused:
                if refused.status in (404, 412, 416) and refused.code != "NoSuchBucket":
                    raise ObjectChangedError(self._place.uri) from None
                raise
        found = answer.headers.get("etag")
        if found is not None and self._version is not None and found.strip('"') != self._version.strip('"'):
            raise ObjectChangedError(self._place.uri)
        assert answer.body is not None  # noqa: S101 — GetObject has one
        return answer.body

    def _broke_off(self, lost: LostError) -> None:
        """Wait before the next try, as long as there is one."""
        if self._body is not None:
            self._body.close()
            self._body = None
        if self._tries is None:
            self._tries = Tries(self._service.settings)
        self._tries.number += 1
        try:
            self._tries.failed(lost)
        except LostError as error:
            raise refusal(error, "read", self._place.uri, self._service.settings) from None

    def close(self) -> None:
        """Stop reading."""
        if not self.closed and self._body is not None:
            self._body.close()
            self._body = None
        super().close()


def _head(service: Service, place: Place, version: str | None) -> None:
    answer = service.call("HeadObject", place, **service.settings.reading())
    if version is not None and answer.headers.get("etag", "").strip('"') != version.strip('"'):
        raise ObjectChangedError(place.uri)


def _size_in(answer: Answer, start: int) -> int | None:
    """How large the whole object is."""
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    if total.isdigit():
        return int(total)
    length = answer.headers.get("content-length", "")
    return start + int(length) if length.isdigit() else None

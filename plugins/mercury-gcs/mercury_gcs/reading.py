"""Content as it is read, which goes on by itself where a connection was cut."""

from __future__ import annotations

import io
from typing import BinaryIO, cast

from mercury_core.errors import ObjectChangedError, StoreAccessError, VerificationError
from mercury_core.storage.atomic import atomic_file
from mercury_core.storage.checksums import Checksums
from mercury_core.storage.http.answers import LostError
from mercury_gcs import checksums
from mercury_gcs.answers import RefusedError
from mercury_gcs.objects import look_for_bucket, stat
from mercury_gcs.refusals import refusal, translated
from mercury_gcs.service import Tries
from mercury_gcs.wire import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from typing_extensions import Buffer

    from mercury_core.storage.http.messages import Response
    from mercury_gcs.answers import Answer
    from mercury_gcs.places import Place
    from mercury_gcs.service import Service

_BUFFER = 1 << 16
_BLOCK = 1 << 20


def reader(service: Service, place: Place, start: int, end: int | None, version: str | None) -> BinaryIO:
    """Read a range of an object: see `mercury_core.contracts.Store.open`."""
    if end is not None and end <= start:
        # No range says this: what is to be found out is whether the object is there.
        with translated("read", place.uri, service.settings):
            _compare(service, place, version)
        return io.BytesIO()
    raw = Reading(service, place, start, end, version)
    raw.begin()
    return cast("BinaryIO", io.BufferedReader(raw, _BUFFER))


def fetch(service: Service, place: Place, path: Path) -> None:
    """Write an object to `path`; see `mercury_core.contracts.Store.get`."""
    with Reading(service, place, 0, None, None) as data:
        data.begin()
        told = checksums.of_headers(data.headers)
        best = [name for name in checksums.ALGORITHMS if name in told][:1]
        running = Checksums(best)
        view = memoryview(bytearray(_BLOCK))
        with atomic_file(path) as beside:
            with beside.open("wb") as file:
                while count := data.readinto(view):
                    running.update(view[:count])
                    file.write(view[:count])
            for name in best:
                if running.hex(name) != told[name]:
                    raise VerificationError(place.uri, f"{name} {told[name]}", running.hex(name))


class Reading(io.RawIOBase):
    """A range of an object."""

    def __init__(self, service: Service, place: Place, start: int, end: int | None, version: str | None) -> None:
        """Ask for nothing yet."""
        self._service, self._place = service, place
        self._at, self._end, self._version = start, end, version
        self._pinned = version is not None
        self._content: Response | None = None
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
                        _compare(self._service, self._place, self._version)
                    return
                if refused.status == 412 and self._pinned:
                    raise ObjectChangedError(self._place.uri) from None
                look_for_bucket(self._service, self._place, refused)
                raise
        self.headers = answer.headers
        self._take(answer)
        size = _size_in(answer, self._at)
        self._end = min(self._end, size) if self._end is not None and size is not None else (self._end or size)

    def _ask(self) -> Answer:
        query = {"alt": "media", **self._service.settings.reading()}
        if self._version is not None:
            query["ifGenerationMatch"] = self._version
        headers = {}
        if self._at or self._end is not None:
            headers["range"] = f"bytes={self._at}-{'' if self._end is None else self._end - 1}"
        target = f"/download/storage/v1{self._place.path}"
        answer = self._service.call(Call("GET", target, query, headers, reads=True))
        if self._at and answer.status == 200 and answer.content is not None:
            answer.content.close()
            why = "this service does not read from a place in an object"
            raise StoreAccessError("read", self._place.uri, why, "Copy it whole first.")
        return answer

    def _take(self, answer: Answer) -> None:
        """Read from an answer, if it is of the version that is read."""
        found = answer.headers.get("x-goog-generation")
        if found is not None and self._version is not None and found != self._version:
            if answer.content is not None:
                answer.content.close()
            raise ObjectChangedError(self._place.uri)  # a service that does not understand ifGenerationMatch
        self._version = self._version or found
        self._content = answer.content

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
                if self._content is None:
                    self._go_on()
                assert self._content is not None  # noqa: S101 — one was taken just now
                count = self._content.readinto(view)
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
        found = bytearray()
        size = _BLOCK if self._end is None else min(max(self._end - self._at, 0), _BLOCK)
        view = memoryview(bytearray(size))
        while count := self.readinto(view):
            if count == size and self._at == self._end and not found:
                return bytes(view)
            found += view[:count]
        return bytes(found)

    def _go_on(self) -> None:
        with translated("read", self._place.uri, self._service.settings):
            try:
                answer = self._ask()
            except RefusedError as refused:
                if refused.status in (404, 412, 416) and not refused.no_bucket:
                    raise ObjectChangedError(self._place.uri) from None
                raise
        self._take(answer)

    def _broke_off(self, lost: LostError) -> None:
        """Wait before the next try, as long as there is one."""
        if self._content is not None:
            self._content.close()
            self._content = None
        if self._tries is None:
            self._tries = Tries(self._service.settings)
        self._tries.number += 1
        try:
            self._tries.failed(lost)
        except LostError as error:
            raise refusal(error, "read", self._place.uri, self._service.settings) from None

    def close(self) -> None:
        """Stop reading."""
        if not self.closed and self._content is not None:
            self._content.close()
            self._content = None
        super().close()


def _compare(service: Service, place: Place, version: str | None) -> None:
    found = stat(service, place)
    if version is not None and found.version != version:
        raise ObjectChangedError(place.uri)


def _size_in(answer: Answer, start: int) -> int | None:
    """How large the whole object is, as it is stored."""
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    if total.isdigit():
        return int(total)
    length = answer.headers.get("content-length", "")
    return start + int(length) if length.isdigit() else None

"""Content as it is read, which goes on by itself where a connection was cut."""

from __future__ import annotations

import io
from typing import BinaryIO, Protocol, cast

from mercury_core.errors import ObjectChangedError, StoreAccessError, VerificationError
from mercury_core.storage.atomic import atomic_file
from mercury_core.storage.checksums import Checksums, crc_of
from mercury_core.storage.http.answers import LostError, RefusedError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from typing_extensions import Buffer

    from mercury_core.contracts import Crc
    from mercury_core.errors import MercuryError
    from mercury_core.storage.http.answers import Answer, Body
    from mercury_core.storage.http.tries import Tries

_BUFFER = 1 << 16
_BLOCK = 1 << 20


class Origin(Protocol):
    """One object of a service: what a plugin says of it."""

    @property
    def uri(self) -> str:
        """Where it is."""
        ...

    def ask(self, range_: str | None, version: str | None) -> Answer:
        """Ask for its content.

        Args:
            range_: As the header ``range`` says it; None for all.
            version: The one that it must have; None for any.

        Raises:
            RefusedError: 404, it is not there; 412, it has another version; 416, the range begins past its end.
            LostError: There was no answer, at last.
        """
        ...

    def version(self) -> str | None:
        """The version that it has now.

        Raises:
            RefusedError: It is not there.
            LostError: There was no answer, at last.
        """
        ...

    def version_in(self, headers: Mapping[str, str]) -> str | None:
        """The version that an answer is of; None where it does not say."""
        ...

    def tries(self) -> Tries:
        """Those of going on, which begin now."""
        ...

    def translated(self) -> AbstractContextManager[None]:
        """Raise Mercury's errors for those of the service in the body."""
        ...

    def refusal(self, error: LostError) -> MercuryError:
        """Mercury's error for one that is final."""
        ...


def reader(origin: Origin, start: int, end: int | None, version: str | None) -> BinaryIO:
    """Read a range of an object: see `mercury_core.contracts.Store.open`."""
    if end is not None and end <= start:
        # No range says this: what is to be found out is whether the object is there.
        with origin.translated():
            _compare(origin, version)
        return io.BytesIO()
    raw = Reading(origin, start, end, version)
    raw.begin()
    return cast("BinaryIO", io.BufferedReader(raw, _BUFFER))


def fetch(
    origin: Origin,
    path: Path,
    told: Callable[[Mapping[str, str]], Mapping[str, str]],
    best: Sequence[str],
    crc: Callable[[str], Crc | None] = crc_of,
) -> None:
    """Write an object to `path`; see `mercury_core.contracts.Store.get`.

    Args:
        origin: The object.
        path: Where it appears as a whole.
        told: The checksums in the headers of an answer, by algorithm.
        best: Algorithms; the first one that was told is compared.
        crc: How they are computed.

    Raises:
        VerificationError: What arrived is not what the service has.
        MercuryError: As `Reading.begin` and `Reading.readinto` raise.
    """
    with Reading(origin, 0, None, None) as data:
        data.begin()
        known = told(data.headers)
        name = next((name for name in best if name in known), None)
        running = Checksums([name] if name else [], crc)
        view = memoryview(bytearray(_BLOCK))
        with atomic_file(path) as beside:
            with beside.open("wb") as file:
                while count := data.readinto(view):
                    running.update(view[:count])
                    file.write(view[:count])
            if name and running.hex(name) != known[name]:
                raise VerificationError(origin.uri, f"{name} {known[name]}", running.hex(name))


def content(origin: Origin, size: int, version: str | None) -> bytes:
    """All of a small object of which the size is known; one byte more where there is more.

    Raises:
        MercuryError: As `Reading.begin` and `Reading.readinto` raise.
    """
    with Reading(origin, 0, None, version) as data:
        data.begin()
        view, done = memoryview(bytearray(size + 1)), 0
        while done <= size and (count := data.readinto(view[done:])):
            done += count
    return bytes(view[:done])


class Reading(io.RawIOBase):
    """A range of an object.

    Attributes:
        headers: Of the first answer.
    """

    def __init__(self, origin: Origin, start: int, end: int | None, version: str | None) -> None:
        """Ask for nothing yet."""
        self._origin = origin
        self._at, self._end, self._version = start, end, version
        self._pinned = version is not None
        self._content: Body | None = None
        self._tries: Tries | None = None
        self.headers: Mapping[str, str] = {}

    def begin(self) -> None:
        """Ask, so that what is not there is said before anything is read.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ObjectChangedError: It has another version.
            StoreAccessError: It may not be read, or the service cannot be reached.
        """
        with self._origin.translated():
            try:
                answer = self._ask()
            except RefusedError as refused:
                if refused.status == 416:
                    self._end = self._at  # it begins past the object's end
                    if self._pinned:
                        _compare(self._origin, self._version)
                    return
                if refused.status == 412 and self._pinned:
                    raise ObjectChangedError(self._origin.uri) from None
                raise
        self._take(answer)
        self.headers = answer.headers
        size = _size_in(answer, self._at)
        self._end = min(self._end, size) if self._end is not None and size is not None else (self._end or size)

    def _ask(self) -> Answer:
        range_ = None
        if self._at or self._end is not None:
            range_ = f"bytes={self._at}-{'' if self._end is None else self._end - 1}"
        answer = self._origin.ask(range_, self._version)
        # Some give the range that was asked for with the status of a whole object, rclone among them.
        given = answer.headers.get("content-range", "").startswith(f"bytes {self._at}-")
        if self._at and answer.status == 200 and not given:
            _close(answer.content)
            why = "this service does not read from a place in an object"
            raise StoreAccessError("read", self._origin.uri, why, "Copy it whole first.")
        return answer

    def _take(self, answer: Answer) -> None:
        """Read from an answer, if it is of the version that is read."""
        found = self._origin.version_in(answer.headers)
        if found is not None and self._version is not None and not _same(found, self._version):
            _close(answer.content)
            raise ObjectChangedError(self._origin.uri)  # a service that does not understand the condition
        self._version = found or self._version
        self._content = answer.content

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Read into a buffer.

        Raises:
            ObjectChangedError: The connection was cut, and there is another object since.
            StoreAccessError: The rest cannot be had.
        """
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
        if self._end is None:
            found, view = bytearray(), memoryview(bytearray(_BLOCK))
            while count := self.readinto(view):
                found += view[:count]
            return bytes(found)
        view, done = memoryview(bytearray(max(self._end - self._at, 0))), 0
        while count := self.readinto(view[done:]):
            done += count
        return bytes(view[:done])

    def _go_on(self) -> None:
        with self._origin.translated():
            try:
                answer = self._ask()
            except RefusedError as refused:
                if refused.status in (404, 412, 416) and not refused.no_bucket:
                    raise ObjectChangedError(self._origin.uri) from None
                raise
        self._take(answer)

    def _broke_off(self, lost: LostError) -> None:
        """Wait before the next try, as long as there is one."""
        _close(self._content)
        self._content = None
        if self._tries is None:
            self._tries = self._origin.tries()
        self._tries.number += 1
        try:
            self._tries.failed(lost)
        except LostError as error:
            raise self._origin.refusal(error) from None

    def close(self) -> None:
        """Stop reading."""
        if not self.closed:
            _close(self._content)
            self._content = None
        super().close()


def _close(content: Body | None) -> None:
    if content is not None:
        content.close()


def _compare(origin: Origin, version: str | None) -> None:
    found = origin.version()
    if version is not None and not _same(found or "", version):
        raise ObjectChangedError(origin.uri)


def _same(one: str, other: str) -> bool:
    """Whether versions are the same: an ETag is, with and without its quotes."""
    return one.strip('"') == other.strip('"')


def _size_in(answer: Answer, start: int) -> int | None:
    """How large the whole object is, as it is stored."""
    total = answer.headers.get("content-range", "").rpartition("/")[2]
    if total.isdigit():
        return int(total)
    length = answer.headers.get("content-length", "")
    return start + int(length) if length.isdigit() else None

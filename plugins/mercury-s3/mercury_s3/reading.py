"""An object as the core's reader asks for it."""

from __future__ import annotations

from mercury_core.storage.http import reading
from mercury_s3 import checksums
from mercury_s3.places import Place, place_of
from mercury_s3.refusals import refusal, translated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import BinaryIO

    from mercury_core.contracts import ObjectInfo
    from mercury_core.errors import MercuryError
    from mercury_core.storage.http.answers import Answer, LostError
    from mercury_core.storage.http.tries import Tries
    from mercury_s3.service import Service


def reader(service: Service, place: Place, start: int, end: int | None, version: str | None) -> BinaryIO:
    """Read a range of an object: see `mercury_core.contracts.Store.open`."""
    return reading.reader(Origin(service, place), start, end, version)


def fetch(service: Service, place: Place, path: Path) -> None:
    """Write an object to `path`; see `mercury_core.contracts.Store.get`."""
    reading.fetch(
        Origin(service, place, told=True),
        path,
        lambda headers: checksums.whole(headers, place.bucket),
        checksums.ALGORITHMS,
        lambda name: checksums.crc64nvme() if name == "crc64nvme" else None,
    )


def begin(service: Service, info: ObjectInfo) -> Callable[[], bytes]:
    """Ask for a small object; see `mercury_core.contracts.ManyReadingStore`."""
    origin = Origin(service, place_of(info.uri))
    origin.begin(info.version)
    return lambda: reading.content(origin, info.size, info.version)


class Origin:
    """See `mercury_core.storage.http.reading.Origin`; a version is an ETag."""

    def __init__(self, service: Service, place: Place, *, told: bool = False) -> None:
        """Ask for nothing yet; `told` for the checksums of the object, in the headers of its content."""
        self._service, self._place, self._told = service, place, told
        self._ahead: Callable[[], Answer] | None = None
        self.uri = place.uri

    def begin(self, version: str | None) -> None:
        """Send the first request, for all of it."""
        self._ahead = self._begin(None, version)

    def ask(self, range_: str | None, version: str | None) -> Answer:
        """Ask for its content."""
        ahead, self._ahead = self._ahead, None
        return (ahead or self._begin(range_, version))()

    def _begin(self, range_: str | None, version: str | None) -> Callable[[], Answer]:
        params = self._service.settings.reading()
        if range_:
            params["Range"] = range_
        elif self._told:
            params["ChecksumMode"] = "ENABLED"
        if version is not None:
            params["IfMatch"] = version
        return self._service.begin("GetObject", self._place, **params)

    def version(self) -> str | None:
        """The version that it has now."""
        answer = self._service.call("HeadObject", self._place, **self._service.settings.reading())
        return self.version_in(answer.headers)

    def version_in(self, headers: Mapping[str, str]) -> str | None:
        """The version that an answer is of."""
        return headers.get("etag")

    def tries(self) -> Tries:
        """Those of going on."""
        return self._service.settings.tries()

    def translated(self) -> AbstractContextManager[None]:
        """Raise Mercury's errors."""
        return translated("read", self.uri, self._service.settings)

    def refusal(self, error: LostError) -> MercuryError:
        """Mercury's error for one that is final."""
        return refusal(error, "read", self.uri, self._service.settings)

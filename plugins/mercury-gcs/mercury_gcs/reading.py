"""An object as the core's reader asks for it."""

from __future__ import annotations

from mercury_core.storage.http import reading
from mercury_gcs import checksums
from mercury_gcs.answers import RefusedError
from mercury_gcs.objects import look_for_bucket, stat
from mercury_gcs.places import Place, place_of
from mercury_gcs.refusals import refusal, translated
from mercury_gcs.wire import Call

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
    from mercury_gcs.service import Service


def reader(service: Service, place: Place, start: int, end: int | None, version: str | None) -> BinaryIO:
    """Read a range of an object: see `mercury_core.contracts.Store.open`."""
    return reading.reader(Origin(service, place), start, end, version)


def fetch(service: Service, place: Place, path: Path) -> None:
    """Write an object to `path`; see `mercury_core.contracts.Store.get`."""
    reading.fetch(Origin(service, place), path, checksums.of_headers, checksums.ALGORITHMS)


def begin(service: Service, info: ObjectInfo) -> Callable[[], bytes]:
    """Ask for a small object; see `mercury_core.contracts.ManyReadingStore`."""
    origin = Origin(service, place_of(info.uri))
    origin.begin(info.version)
    return lambda: reading.content(origin, info.size, info.version)


class Origin:
    """See `mercury_core.storage.http.reading.Origin`; a version is a generation."""

    def __init__(self, service: Service, place: Place) -> None:
        """Ask for nothing yet."""
        self._service, self._place = service, place
        self._ahead: Callable[[], Answer] | None = None
        self.uri = place.uri

    def begin(self, version: str | None) -> None:
        """Send the first request, for all of it."""
        self._ahead = self._begin(None, version)

    def ask(self, range_: str | None, version: str | None) -> Answer:
        """Ask for its content."""
        ahead, self._ahead = self._ahead, None
        try:
            return (ahead or self._begin(range_, version))()
        except RefusedError as refused:
            look_for_bucket(self._service, self._place, refused)
            raise

    def _begin(self, range_: str | None, version: str | None) -> Callable[[], Answer]:
        query = {"alt": "media", **self._service.settings.reading()}
        if version is not None:
            query["ifGenerationMatch"] = version
        headers = {"range": range_} if range_ else {}
        target = f"/download/storage/v1{self._place.path}"
        return self._service.begin(Call("GET", target, query, headers, reads=True))

    def version(self) -> str | None:
        """The version that it has now."""
        return stat(self._service, self._place).version

    def version_in(self, headers: Mapping[str, str]) -> str | None:
        """The version that an answer is of."""
        return headers.get("x-goog-generation")

    def tries(self) -> Tries:
        """Those of going on."""
        return self._service.settings.tries()

    def translated(self) -> AbstractContextManager[None]:
        """Raise Mercury's errors."""
        return translated("read", self.uri, self._service.settings)

    def refusal(self, error: LostError) -> MercuryError:
        """Mercury's error for one that is final."""
        return refusal(error, "read", self.uri, self._service.settings)

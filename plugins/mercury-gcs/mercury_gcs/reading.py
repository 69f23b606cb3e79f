"""An object as the core's reader asks for it."""

from __future__ import annotations

from mercury_core.storage.http import reading
from mercury_gcs import checksums
from mercury_gcs.answers import RefusedError
from mercury_gcs.objects import look_for_bucket, stat
from mercury_gcs.refusals import refusal, translated
from mercury_gcs.wire import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager
    from pathlib import Path
    from typing import BinaryIO

    from mercury_core.errors import MercuryError
    from mercury_core.storage.http.answers import Answer, LostError
    from mercury_core.storage.http.tries import Tries
    from mercury_gcs.places import Place
    from mercury_gcs.service import Service


def reader(service: Service, place: Place, start: int, end: int | None, version: str | None) -> BinaryIO:
    """Read a range of an object: see `mercury_core.contracts.Store.open`."""
    return reading.reader(Origin(service, place), start, end, version)


def fetch(service: Service, place: Place, path: Path) -> None:
    """Write an object to `path`; see `mercury_core.contracts.Store.get`."""
    reading.fetch(Origin(service, place), path, checksums.of_headers, checksums.ALGORITHMS)


class Origin:
    """See `mercury_core.storage.http.reading.Origin`; a version is a generation."""

    def __init__(self, service: Service, place: Place) -> None:
        """Ask for nothing yet."""
        self._service, self._place = service, place
        self.uri = place.uri

    def ask(self, range_: str | None, version: str | None) -> Answer:
        """Ask for its content."""
        query = {"alt": "media", **self._service.settings.reading()}
        if version is not None:
            query["ifGenerationMatch"] = version
        headers = {"range": range_} if range_ else {}
        target = f"/download/storage/v1{self._place.path}"
        try:
            return self._service.call(Call("GET", target, query, headers, reads=True))
        except RefusedError as refused:
            look_for_bucket(self._service, self._place, refused)
            raise

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

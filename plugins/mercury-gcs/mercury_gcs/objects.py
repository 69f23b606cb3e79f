"""What is there: one object, all below a prefix, one level of them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from mercury_core.contracts import ObjectInfo
from mercury_gcs import checksums
from mercury_gcs.answers import RefusedError, not_an_answer
from mercury_gcs.places import Place, prefix_of
from mercury_gcs.refusals import translated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mercury_gcs.service import Service

_PAGE = 1000
#: What is asked for of an object.
FIELDS = "name,size,updated,generation,crc32c,md5Hash"


def stat(service: Service, place: Place) -> ObjectInfo:
    """One object.

    Raises:
        RefusedError: It is not there (404), or may not be read.
    """
    try:
        return info_of(place.bucket, service.ask("GET", place.path, fields=FIELDS).data)
    except RefusedError as refused:
        look_for_bucket(service, place, refused)
        raise


def look_for_bucket(service: Service, place: Place, refused: RefusedError) -> None:
    """Find out whether it is the bucket that is missing, where an answer does not say.

    Raises:
        RefusedError: It is.
    """
    if refused.status == 404 and not refused.no_object and not refused.no_bucket:
        try:
            probe(service, Place(place.bucket, ""))
        except RefusedError as found:
            if found.status == 404:
                refused.missing_bucket()


def find(service: Service, place: Place) -> ObjectInfo | None:
    """One object; None where there is none."""
    try:
        return stat(service, place)
    except RefusedError as refused:
        if refused.status == 404 and not refused.no_bucket:
            return None
        raise


def probe(service: Service, place: Place) -> None:
    """Ask for one name below a prefix, for the errors that this may be answered with."""
    service.ask("GET", place.objects, maxResults="1", prefix=place.folder or None, fields="items(name)")


def info_of(bucket: str, data: Mapping[str, Any]) -> ObjectInfo:
    """An object, from its metadata.

    Raises:
        LostError: That is not what was to be answered.
    """
    try:
        updated = data.get("updated")
        return ObjectInfo(
            Place(bucket, data["name"]).uri,
            int(data["size"]),
            datetime.fromisoformat(updated).timestamp() if updated else None,
            data.get("generation"),
            checksums.of_object(data),
        )
    except (KeyError, TypeError, ValueError):
        raise not_an_answer() from None


def below(service: Service, uri: str) -> Iterator[ObjectInfo]:
    """Every object below a URI."""
    for _, objects in _pages(service, uri):
        yield from objects


def level(service: Service, uri: str) -> Iterator[ObjectInfo | str]:
    """What is directly below a URI."""
    for folders, objects in _pages(service, uri, "/"):
        found: dict[str, ObjectInfo | str] = {info.uri: info for info in objects}
        found |= {folder: folder for folder in folders}
        for name in sorted(found, key=str.encode):
            yield found[name]


def _pages(service: Service, uri: str, delimiter: str | None = None) -> Iterator[tuple[list[str], list[ObjectInfo]]]:
    """Page by page: what is further below, as URIs, and the objects; without one that stands for the place itself."""
    place = prefix_of(uri)
    token: str | None = None
    while True:
        with translated("list", uri, service.settings):
            page = _page(service, place, delimiter, token)
            objects = [info_of(place.bucket, one) for one in page.get("items", ()) if one.get("name") != place.folder]
        yield [Place(place.bucket, name).uri for name in page.get("prefixes", ())], objects
        token = page.get("nextPageToken")
        if not token:
            return


def _page(service: Service, place: Place, delimiter: str | None, token: str | None) -> Mapping[str, Any]:
    asked = {"prefix": place.folder or None, "delimiter": delimiter, "pageToken": token, "maxResults": str(_PAGE)}
    try:
        return service.ask("GET", place.objects, fields=f"items({FIELDS}),prefixes,nextPageToken", **asked).data
    except RefusedError as refused:
        refused.missing_bucket()
        raise

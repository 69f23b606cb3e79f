"""What is there: one object, all below a prefix, one level of them."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import chain
from typing import Any

from mercury_core.contracts import ObjectInfo
from mercury_s3 import checksums
from mercury_s3.answers import RefusedError
from mercury_s3.places import Place, prefix_of
from mercury_s3.refusals import translated

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mercury_core.storage.http.answers import Answer
    from mercury_s3.service import Service

    _Entry = tuple[str, Mapping[str, Any] | None]

#: As many as a service lists, or deletes, at a time.
PAGE = 1000


def head(service: Service, place: Place) -> ObjectInfo:
    """One object.

    Raises:
        RefusedError: It is not there (404), or may not be read.
    """
    try:
        answer = service.call("HeadObject", place, ChecksumMode="ENABLED", **service.settings.reading())
    except RefusedError as refused:
        if refused.status == 404 and refused.code == "404":
            probe(service, Place(place.bucket, ""))  # an answer to HEAD does not say which of them is missing
        raise
    return info_of(place, answer.headers)


def exists(service: Service, place: Place) -> bool:
    """Whether an object is there."""
    try:
        service.call("HeadObject", place, **service.settings.reading())
    except RefusedError as refused:
        if refused.status != 404:
            raise
        if refused.code == "404":
            probe(service, Place(place.bucket, ""))
        return False
    return True


def probe(service: Service, place: Place) -> None:
    """Ask for one name below a prefix, for the errors that this may be answered with."""
    asked = service.settings.reading() | {"MaxKeys": 1, "Prefix": place.key}
    service.call("ListObjectsV2", Place(place.bucket, ""), **asked)


def info_of(place: Place, headers: Mapping[str, str]) -> ObjectInfo:
    """An object, from the headers of a HEAD or GET of all of it."""
    modified = headers.get("last-modified")
    return ObjectInfo(
        place.uri,
        int(headers["content-length"]),
        _time(modified) if modified else None,
        headers.get("etag"),
        checksums.whole(headers, place.bucket),
    )


def _time(said: str) -> float:
    """Seconds since 1970, from a date as HTTP has it."""
    try:
        _, day, month, year, clock, zone = said.split(" ")
        if zone == "GMT":
            hour, minute, second = map(int, clock.split(":"))
            date = datetime(int(year), _MONTHS.index(month) + 1, int(day), hour, minute, second, tzinfo=UTC)
            return date.timestamp()
    except ValueError:
        pass  # one of the older forms
    from email.utils import parsedate_to_datetime  # which takes longer to be imported than an object to be looked up

    return parsedate_to_datetime(said).timestamp()


def below(service: Service, uri: str) -> Iterator[ObjectInfo]:
    """Every object below a URI."""
    place = prefix_of(uri)
    for name, found in _entries(service, uri, place):
        if found is not None:
            yield _listed(service, Place(place.bucket, name), found)


def level(service: Service, uri: str) -> Iterator[ObjectInfo | str]:
    """What is directly below a URI."""
    place = prefix_of(uri)
    for name, found in _entries(service, uri, place, Delimiter="/"):
        here = Place(place.bucket, name)
        yield here.uri if found is None else _listed(service, here, found)


def _entries(service: Service, uri: str, place: Place, **asked: Any) -> Iterator[_Entry]:
    """Names below a prefix, in their order, each with what is said of the object; None for what has more below it."""
    prefix = place.key if not place.key or place.key.endswith("/") else f"{place.key}/"
    pages = _pages(service, uri, place.bucket, Prefix=prefix, **asked)
    first = next(pages)
    found: Iterator[_Entry] = (one for page in chain([first], pages) for one in _on(page))
    if first.headers.get("server", "").startswith("SeaweedFS"):
        # It gives "a/b" before "a.b", as its directories have it: here, that takes the memory of all names.
        found = iter(sorted(found, key=lambda one: str.encode(one[0])))
    return (one for one in found if one[0] != prefix)  # an object that stands for the directory itself


def _on(page: Answer) -> list[_Entry]:
    objects = [(one["Key"], one) for one in page.data.get("Contents", ())]
    folders = [(one["Prefix"], None) for one in page.data.get("CommonPrefixes", ())]
    return sorted((*objects, *folders), key=lambda one: str.encode(one[0])) if folders else objects


def _pages(service: Service, uri: str, bucket: str, **asked: Any) -> Iterator[Answer]:
    asked |= service.settings.reading()
    while True:
        with translated("list", uri, service.settings):
            page = service.call("ListObjectsV2", Place(bucket, ""), **asked)
        yield page
        token = page.data.get("NextContinuationToken")
        if not page.data.get("IsTruncated") or not token:
            return
        asked["ContinuationToken"] = token


def _listed(service: Service, place: Place, found: Mapping[str, Any]) -> ObjectInfo:
    etag = found.get("ETag")
    md5 = checksums.md5_of(etag) if not place.bucket.endswith("--x-s3") else None
    modified = found.get("LastModified")
    service.remember(place, etag, found["Size"])
    return ObjectInfo(
        place.uri,
        found["Size"],
        modified.timestamp() if modified else None,
        etag,
        {"md5": md5} if md5 else {},
        certain=False,
    )

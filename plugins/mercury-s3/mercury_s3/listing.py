"""What is there: one object, all below a prefix, one level of them."""

from __future__ import annotations

from itertools import chain
from typing import Any

from mercury_core.contracts import ObjectInfo
from mercury_s3 import checksums
from mercury_s3.answers import RefusedError
from mercury_s3.places import Place, prefix_of
from mercury_s3.refusals import translated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mercury_s3.answers import Answer
    from mercury_s3.service import Service

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
    from email.utils import parsedate_to_datetime

    modified = headers.get("last-modified")
    return ObjectInfo(
        place.uri,
        int(headers["content-length"]),
        parsedate_to_datetime(modified).timestamp() if modified else None,
        headers.get("etag"),
        checksums.whole(headers, place.bucket),
    )


def below(service: Service, uri: str) -> Iterator[ObjectInfo]:
    """Every object below a URI."""
    place = prefix_of(uri)
    prefix = _prefix(place)
    pages = _pages(service, uri, place.bucket, Prefix=prefix)
    first = next(pages)
    found: Iterator[Any] = (one for page in chain([first], pages) for one in page.data.get("Contents", ()))
    if first.headers.get("server", "").startswith("SeaweedFS"):
        # It gives "a/b" before "a.b", as its directories have it: here, that takes the memory of all names.
        found = iter(sorted(found, key=lambda one: str.encode(one["Key"])))
    for one in found:
        if one["Key"] != prefix:  # an object that stands for the directory itself
            yield _listed(service, place.bucket, one)


def level(service: Service, uri: str) -> Iterator[ObjectInfo | str]:
    """What is directly below a URI."""
    place = prefix_of(uri)
    prefix = _prefix(place)
    for page in _pages(service, uri, place.bucket, Prefix=prefix, Delimiter="/"):
        folders = [one["Prefix"] for one in page.data.get("CommonPrefixes", ())]
        objects = {one["Key"]: one for one in page.data.get("Contents", ()) if one["Key"] != prefix}
        for name in sorted((*folders, *objects), key=str.encode):
            yield _listed(service, place.bucket, objects[name]) if name in objects else Place(place.bucket, name).uri


def _prefix(place: Place) -> str:
    return place.key if not place.key or place.key.endswith("/") else f"{place.key}/"


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


def _listed(service: Service, bucket: str, found: Mapping[str, Any]) -> ObjectInfo:
    etag = found.get("ETag")
    md5 = checksums.md5_of(etag) if not bucket.endswith("--x-s3") else None
    modified, place = found.get("LastModified"), Place(bucket, found["Key"])
    service.remember(place, etag, found["Size"])
    return ObjectInfo(
        place.uri,
        found["Size"],
        modified.timestamp() if modified else None,
        etag,
        {"md5": md5} if md5 else {},
        certain=False,
    )

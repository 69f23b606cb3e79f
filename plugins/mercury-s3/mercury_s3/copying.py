"""Copies within the service, whose bytes do not travel."""

from __future__ import annotations

from functools import partial
from typing import Any

from mercury_core.contracts import ObjectInfo, Part
from mercury_core.errors import ObjectChangedError, ObjectExistsError, ObjectNotFoundError, VerificationError
from mercury_s3 import checksums, multipart
from mercury_s3.answers import RefusedError
from mercury_s3.conditions import create
from mercury_s3.connections import speaks_otherwise
from mercury_s3.listing import exists, head, info_of
from mercury_s3.refusals import translated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mercury_core.storage.http.answers import Answer
    from mercury_s3.places import Place
    from mercury_s3.service import Service

#: What one request copies, as S3 has it.
LARGEST = 5 << 30
#: Parts of what is larger: few, since each is a request that costs its time, and enough to be copied beside each other.
_PART = 256 << 20
_MOST_PARTS = 10_000
#: Headers of an object that are its own, in boto3's words.
_METADATA = {
    "cache-control": "CacheControl",
    "content-disposition": "ContentDisposition",
    "content-encoding": "ContentEncoding",
    "content-language": "ContentLanguage",
    "content-type": "ContentType",
}


def begin(
    service: Service, source: Place, target: Place, *, overwrite: bool, version: str | None
) -> Callable[[], ObjectInfo]:
    """Copy an object; what is given waits until it is copied; see `mercury_core.contracts.CopyingStore.copy`."""
    if version is not None and checksums.md5_of(version) and not speaks_otherwise(target.bucket):
        size = service.size_of(source, version)
        if size is not None and size <= LARGEST:
            found = ObjectInfo(source.uri, size, None, version)
            asked = _begin(service, source, target, found, overwrite=overwrite)
            return partial(_of_version, service, source, target, found, asked, overwrite=overwrite)
    return partial(_copy, service, source, target, overwrite=overwrite, version=version)


def _copy(service: Service, source: Place, target: Place, *, overwrite: bool, version: str | None) -> ObjectInfo:
    with translated("read", source.uri, service.settings):
        said = _look_at(service, source)
    found = info_of(source, said.headers)
    if version is not None and found.version is not None and found.version.strip('"') != version.strip('"'):
        raise ObjectChangedError(source.uri)
    with translated("copy", target.uri, service.settings):
        if found.size > LARGEST:
            return _in_parts(service, source, target, found, said.headers, overwrite=overwrite)
        return _at_once(service, source, target, found, overwrite=overwrite)


def _of_version(
    service: Service,
    source: Place,
    target: Place,
    found: ObjectInfo,
    asked: Callable[[], Answer],
    *,
    overwrite: bool,
) -> ObjectInfo:
    """Copy what was listed just now, with one request: an ETag that is an MD5 says that all is there."""
    with translated("copy", target.uri, service.settings):
        etag = _etag(service, source, target, found, asked, overwrite=overwrite)
        md5 = checksums.md5_of(found.version)
        if md5 is not None and service.knows_md5(target.bucket) and etag is not None and checksums.md5_of(etag) == md5:
            return ObjectInfo(target.uri, found.size, None, f'"{md5}"', {"md5": md5})
        made = _compared(service, target, found)
        if made.checksums.get("md5") == md5:
            service.learn_md5(target.bucket)  # here nothing is encrypted in a way that makes another ETag of it
        return made


def _look_at(service: Service, source: Place) -> Answer:
    try:
        return service.call("HeadObject", source, ChecksumMode="ENABLED", **service.settings.reading())
    except RefusedError as refused:
        if refused.status == 404:
            head(service, source)  # says whether it is the bucket that is missing
        raise


def _at_once(service: Service, source: Place, target: Place, found: ObjectInfo, *, overwrite: bool) -> ObjectInfo:
    asked = _begin(service, source, target, found, overwrite=overwrite)
    etag = _etag(service, source, target, found, asked, overwrite=overwrite)
    # The same MD5 as its source has: nothing has to be asked again.
    if etag and (md5 := checksums.md5_of(etag)) and md5 == found.checksums.get("md5"):
        return ObjectInfo(target.uri, found.size, None, f'"{md5}"', found.checksums)
    return _compared(service, target, found)


def _begin(
    service: Service, source: Place, target: Place, found: ObjectInfo, *, overwrite: bool
) -> Callable[[], Answer]:
    """Have the service copy; what is given waits for the answer."""
    params = service.settings.writing() | _source(source, found)
    if service.settings.tags:
        params["TaggingDirective"] = "REPLACE"
    if overwrite:
        return service.begin("CopyObject", target, **params)
    return create(service, "CopyObject", target, None, params)


def _etag(
    service: Service,
    source: Place,
    target: Place,
    found: ObjectInfo,
    asked: Callable[[], Answer],
    *,
    overwrite: bool,
) -> str | None:
    """The ETag of the copy, once there is one."""
    try:
        answer = asked()
    except RefusedError as refused:
        _what_changed(service, source, target, found, refused, overwrite=overwrite)
        raise
    return answer.data["CopyObjectResult"].get("ETag") or answer.headers.get("etag")


def _in_parts(
    service: Service, source: Place, target: Place, found: ObjectInfo, headers: Mapping[str, str], *, overwrite: bool
) -> ObjectInfo:
    if not overwrite and exists(service, target):
        raise ObjectExistsError(target.uri)
    upload = multipart.begin(service, target, _metadata(headers))
    size = max(_PART, -(-found.size // _MOST_PARTS))
    starts = range(0, found.size, size)

    def send(number: int) -> Part:
        start, end = starts[number], min(starts[number] + size, found.size)
        return multipart.copy_part(service, target, upload, number, end - start, _source(source, found), start)

    from concurrent.futures import ThreadPoolExecutor  # here, since it takes its time to be imported

    try:
        with ThreadPoolExecutor(min(service.settings.max_concurrency, len(starts))) as pool:
            parts = list(pool.map(send, range(len(starts))))
        return multipart.finish_copy(service, target, upload, parts, found, overwrite=overwrite)
    except RefusedError as refused:
        multipart.abort(service, target, upload)
        _what_changed(service, source, target, found, refused, overwrite=overwrite)
        raise
    except BaseException:
        multipart.abort(service, target, upload)
        raise


def _source(source: Place, found: ObjectInfo) -> dict[str, Any]:
    params: dict[str, Any] = {"CopySource": {"Bucket": source.bucket, "Key": source.key}}
    if found.version is not None:
        params["CopySourceIfMatch"] = found.version
    return params


def _metadata(headers: Mapping[str, str]) -> dict[str, Any]:
    own = {name: headers[header] for header, name in _METADATA.items() if header in headers}
    users = {name[11:]: value for name, value in headers.items() if name.startswith("x-amz-meta-")}
    return own | ({"Metadata": users} if users else {})


def _what_changed(
    service: Service, source: Place, target: Place, found: ObjectInfo, refused: RefusedError, *, overwrite: bool
) -> None:
    """Raise what a refusal means: one answer stands for a condition of the source, and of the target."""
    if refused.status == 404 and refused.code != "NoSuchBucket":
        try:
            head(service, source)
        except RefusedError:
            raise ObjectNotFoundError(source.uri) from None
    if refused.status != 412:
        return
    try:
        now = head(service, source)
    except RefusedError as gone:
        if gone.status != 404:
            raise
        raise ObjectNotFoundError(source.uri) from None
    if now.version != found.version:
        raise ObjectChangedError(source.uri) from None
    if not overwrite:
        raise ObjectExistsError(target.uri) from None


def _compared(service: Service, target: Place, found: ObjectInfo) -> ObjectInfo:
    made = head(service, target)
    if made.size != found.size:
        raise VerificationError(target.uri, f"{found.size} bytes", f"{made.size} bytes")
    for name in checksums.ALGORITHMS:
        here, there = made.checksums.get(name), found.checksums.get(name)
        if here and there and here != there:
            raise VerificationError(target.uri, f"{name} {there}", here)
    return made

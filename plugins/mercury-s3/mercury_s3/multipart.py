"""Objects that are sent in parts."""

from __future__ import annotations

from typing import Any, BinaryIO

from mercury_core.contracts import ObjectInfo, Part
from mercury_core.errors import ObjectExistsError, UploadGoneError, VerificationError
from mercury_core.storage.checksums import CRC32C, join, shown
from mercury_core.storage.http.answers import LostError
from mercury_s3 import checksums
from mercury_s3.answers import RefusedError
from mercury_s3.listing import head
from mercury_s3.small import block

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mercury_s3.places import Place
    from mercury_s3.service import Service

#: Bytes of a part. S3 takes 5 MiB or more; larger ones cost memory, smaller ones requests.
PART = 8 << 20
_MOST_PARTS = 10_000
_MIB = 1 << 20

# How the service proves an upload stands before its name, since whoever goes on with it must know.
_WHOLE, _EACH, _NONE = "whole", "each", "none"


def part_size(size: int) -> int | None:
    """How large the parts of an object of `size` bytes are; None where it is put whole."""
    if size <= PART:
        return None
    least = -(-size // _MOST_PARTS)
    return max(PART, -(-least // _MIB) * _MIB)


def begin(service: Service, place: Place, metadata: Mapping[str, Any] | None = None) -> str:
    """Begin an upload; gives its name."""
    asked = service.settings.writing() | dict(metadata or {})
    try:
        said = service.call(
            "CreateMultipartUpload", place, ChecksumAlgorithm="CRC32C", ChecksumType="FULL_OBJECT", **asked
        )
    except RefusedError as refused:
        if refused.status not in (400, 501):
            raise
        # A service from before the checksums: what it says of a request without them is the answer.
        said = service.call("CreateMultipartUpload", place, **asked)
    proof = _NONE
    if said.data.get("ChecksumAlgorithm") == "CRC32C":
        proof = _WHOLE if said.data.get("ChecksumType") == "FULL_OBJECT" else _EACH
    return f"{proof}:{said.data['UploadId']}"


def put_part(service: Service, place: Place, upload: str, number: int, data: memoryview) -> Part:
    """Send one part, and have the service compare it."""
    proof, name = _split(upload)
    crc32c = checksums.crc32c(data)
    params: dict[str, Any] = service.settings.reading() | {"PartNumber": number + 1, "UploadId": name}
    params["ChecksumCRC32C"] = checksums.to_header(crc32c)
    answer = service.call("UploadPart", place, data, **params)
    told = checksums.whole(answer.headers, place.bucket)
    if told.get("crc32c", crc32c) != crc32c:
        raise VerificationError(place.uri, f"CRC-32C {crc32c} of part {number}", told["crc32c"])
    known = {"crc32c": crc32c}
    if "crc32c" not in told and proof == _NONE and (md5 := _md5_told(told, data, place, number)):
        known["md5"] = md5
    return Part(number, data.nbytes, answer.headers.get("etag", ""), known)


def copy_part(
    service: Service, place: Place, upload: str, number: int, size: int, source: Mapping[str, Any], start: int
) -> Part:
    """Have the service copy one part from another object."""
    asked: dict[str, Any] = service.settings.reading() | dict(source)
    asked |= {"PartNumber": number + 1, "UploadId": _split(upload)[1]}
    asked["CopySourceRange"] = f"bytes={start}-{start + size - 1}"
    answer = service.call("UploadPartCopy", place, **asked)
    result = answer.data["CopyPartResult"]
    crc32c = checksums.to_hex(result.get("ChecksumCRC32C", ""))
    return Part(number, size, result.get("ETag", ""), {"crc32c": crc32c} if crc32c else {})


def finish_copy(
    service: Service, place: Place, upload: str, parts: Sequence[Part], source: ObjectInfo, *, overwrite: bool
) -> ObjectInfo:
    """Publish what was copied in parts, and compare it with its source."""
    each = [part.checksums.get("crc32c") for part in parts]
    crc32c = source.checksums.get("crc32c") or ("" if None in each else _joined(parts))
    made = finish(service, place, upload, parts, overwrite=overwrite, crc32c=crc32c)
    if made.size != source.size:
        raise VerificationError(place.uri, f"{source.size} bytes", f"{made.size} bytes")
    return made


def _md5_told(told: Mapping[str, str], data: memoryview, place: Place, number: int) -> str | None:
    """The MD5 of a part, where the service tells it and it is right."""
    if "md5" not in told:
        return None
    from hashlib import md5

    sent = md5(data, usedforsecurity=False).hexdigest()
    if told["md5"] != sent:
        raise VerificationError(place.uri, f"MD5 {sent} of part {number}", told["md5"])
    return sent


def parts(service: Service, place: Place, upload: str) -> list[Part]:
    """The parts that have arrived."""
    found = []
    asked: dict[str, Any] = service.settings.reading() | {"UploadId": _split(upload)[1]}
    while True:
        page = service.call("ListParts", place, **asked).data
        found += [_listed(one) for one in page.get("Parts", ())]
        if not page.get("IsTruncated"):
            return found
        asked["PartNumberMarker"] = page["Parts"][-1]["PartNumber"]


def _listed(one: Mapping[str, Any]) -> Part:
    known = {}
    if crc32c := checksums.to_hex(one.get("ChecksumCRC32C", "")):
        known["crc32c"] = crc32c
    if md5 := checksums.md5_of(one.get("ETag")):
        known["md5"] = md5  # a guess: of an upload that KMS encrypts it is none, and the part is sent again
    return Part(one["PartNumber"] - 1, one["Size"], one.get("ETag", ""), known)


def finish(
    service: Service, place: Place, upload: str, parts: Sequence[Part], *, overwrite: bool, crc32c: str
) -> ObjectInfo:
    """Publish the object."""
    proof, name = _split(upload)
    size = sum(part.size for part in parts)
    asked: dict[str, Any] = service.settings.reading() | {"UploadId": name}
    asked["MultipartUpload"] = {"Parts": [_named(part, proof) for part in parts]}
    if proof == _WHOLE and crc32c:
        asked |= {"ChecksumCRC32C": checksums.to_header(crc32c), "ChecksumType": "FULL_OBJECT"}
    if not overwrite:
        asked["IfNoneMatch"] = "*"
    try:
        said = service.call("CompleteMultipartUpload", place, **asked)
    except (RefusedError, LostError) as error:
        return _after(service, place, parts, error, size=size, crc32c=crc32c, overwrite=overwrite)
    etag = said.data.get("ETag")
    told = _told(said.data.get("ChecksumCRC32C"), said.data.get("ChecksumType"), etag)
    known = _proven(told, parts, place, crc32c)
    if not known or etag is None:
        found = head(service, place)
        if found.size != size:
            raise VerificationError(place.uri, f"{size} bytes", f"{found.size} bytes")
        return found if not known else ObjectInfo(place.uri, size, found.modified, found.version, known)
    return ObjectInfo(place.uri, size, None, etag, known)


def _named(part: Part, proof: str) -> dict[str, Any]:
    named: dict[str, Any] = {"PartNumber": part.number + 1, "ETag": part.token}
    if proof != _NONE and "crc32c" in part.checksums:
        named["ChecksumCRC32C"] = checksums.to_header(part.checksums["crc32c"])
    return named


def _told(crc32c: str | None, kind: str | None, etag: str | None) -> dict[str, str]:
    """As the headers of a HEAD would have it."""
    told = {"etag": etag or "", "x-amz-checksum-type": kind or "FULL_OBJECT"}
    return told | ({"x-amz-checksum-crc32c": crc32c} if crc32c else {})


def _proven(told: Mapping[str, str], parts: Sequence[Part], place: Place, crc32c: str) -> dict[str, str]:
    """The checksum of the whole, if what the service says proves it; nothing if that says nothing.

    Raises:
        VerificationError: It says another one.
    """
    found = checksums.whole(told, place.bucket).get("crc32c")
    if found is not None:
        if crc32c and found != crc32c:
            raise VerificationError(place.uri, f"CRC-32C {crc32c}", found)
        return {"crc32c": found}
    each = [part.checksums.get("crc32c") for part in parts]
    if None in each or _joined(parts) != crc32c:
        return {}
    if told.get("x-amz-checksum-crc32c") == checksums.composite([one for one in each if one]):
        return {"crc32c": crc32c}
    # Where each part's ETag is the MD5 that was computed here, that of the whole proves their order.
    tokens = [part.token for part in parts]
    sure = all(part.checksums.get("md5") == checksums.md5_of(part.token) for part in parts)
    if sure and told["etag"].strip('"') == checksums.etag_of_parts(tokens):
        return {"crc32c": crc32c}
    return {}


def _joined(parts: Sequence[Part]) -> str:
    """The checksum of the whole, from those of the parts."""
    value = 0
    for part in parts:
        value = join(CRC32C, value, int(part.checksums["crc32c"], 16), part.size)
    return shown(CRC32C, value)


def _after(
    service: Service,
    place: Place,
    parts: Sequence[Part],
    error: RefusedError | LostError,
    *,
    size: int,
    crc32c: str,
    overwrite: bool,
) -> ObjectInfo:
    """What became of an upload whose end was refused, or not answered."""
    if isinstance(error, RefusedError):
        unseen, code, status = error.after_loss, error.code, error.status
    else:
        unseen, code, status = error.reached, "", 0
    gone = code == "NoSuchUpload"
    exists = status == 412 and not overwrite
    if unseen or gone:
        try:
            found = head(service, place)
        except RefusedError as missing:
            if missing.status != 404:
                raise
        else:
            told = {"etag": found.version or ""}
            same = found.checksums.get("crc32c") == crc32c or bool(_proven(told, parts, place, crc32c))
            if found.size == size and same:
                return ObjectInfo(place.uri, size, found.modified, found.version, {"crc32c": crc32c})
            if gone and not overwrite:
                exists = True
    if exists:
        raise ObjectExistsError(place.uri) from None
    if gone:
        raise UploadGoneError(place.uri) from None
    if code in ("InvalidPart", "InvalidPartOrder", "EntityTooSmall"):
        raise UploadGoneError(place.uri) from None  # parts that are not those that were sent
    raise error


def abort(service: Service, place: Place, upload: str) -> None:
    """Remove an upload."""
    try:
        service.call("AbortMultipartUpload", place, UploadId=_split(upload)[1], **service.settings.reading())
    except RefusedError as refused:
        if refused.status != 404 or refused.code == "NoSuchBucket":
            raise


def put(service: Service, place: Place, first: bytes | bytearray, data: BinaryIO, *, overwrite: bool) -> ObjectInfo:
    """Send what is too large to be sent whole, part by part, from a reader whose end is not known."""
    from mercury_s3.listing import exists

    if not overwrite and exists(service, place):
        raise ObjectExistsError(place.uri)
    upload = begin(service, place)
    try:
        sent: list[Part] = []
        crc = 0
        while first:
            view = memoryview(first)[: _size_of_part(len(sent))]
            crc = CRC32C.extend(crc, view)
            sent.append(put_part(service, place, upload, len(sent), view))
            # What was read beyond the part, to find out whether there is more, begins the next.
            rest = bytes(memoryview(first)[len(view) :])
            first = rest + block(data, _size_of_part(len(sent)) + 1 - len(rest))
        return finish(service, place, upload, sent, overwrite=overwrite, crc32c=shown(CRC32C, crc))
    except BaseException:
        abort(service, place, upload)
        raise


def _size_of_part(number: int) -> int:
    """Of an object whose size is not known: larger ones once it is large, since there may be 10,000."""
    return PART if number < _MOST_PARTS // 2 else 8 * PART


def _split(upload: str) -> tuple[str, str]:
    proof, mark, name = upload.partition(":")
    return (proof, name) if mark and proof in (_WHOLE, _EACH, _NONE) else (_NONE, upload)

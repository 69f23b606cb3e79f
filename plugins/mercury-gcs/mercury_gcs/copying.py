"""Copies within the service: rewritten by it, and none of the bytes travels."""

from __future__ import annotations

from typing import Any

from mercury_core.errors import ObjectChangedError, ObjectExistsError, ObjectNotFoundError
from mercury_gcs.answers import RefusedError, not_an_answer
from mercury_gcs.objects import find, info_of, look_for_bucket
from mercury_gcs.refusals import refusal

_KEPT = "contentType,contentEncoding,contentDisposition,contentLanguage,cacheControl,customTime,metadata,generation"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.contracts import ObjectInfo
    from mercury_gcs.places import Place
    from mercury_gcs.service import Service


def copy(service: Service, source: Place, target: Place, *, overwrite: bool, version: str | None) -> ObjectInfo:
    """Copy one object; see `mercury_core.contracts.CopyingStore.copy`."""
    path = f"{source.path}/rewriteTo{target.path}"
    asked: dict[str, str | None] = {
        "ifSourceGenerationMatch": version,
        "ifGenerationMatch": None if overwrite else "0",
        "destinationKmsKeyName": service.settings.kms_key_name,
    }
    try:
        meta = _metadata(service, source, asked)
        while True:
            said = service.ask("POST", path, meta, **asked).data
            if said.get("done"):
                return info_of(target.bucket, said.get("resource", {}))
            if not said.get("rewriteToken"):
                raise not_an_answer()
            asked["rewriteToken"] = said["rewriteToken"]  # a large object takes several requests
    except RefusedError as refused:
        return _after(service, source, target, refused, overwrite=overwrite, version=version)


def _metadata(service: Service, source: Place, asked: dict[str, str | None]) -> dict[str, Any] | None:
    """What the copy is made with; None for what its source has. Where any is given, all of it has to be."""
    made_with = service.settings.metadata()
    if not made_with:
        return None
    found = dict(service.ask("GET", source.path, fields=_KEPT).data)
    generation = found.pop("generation", None)
    if asked["ifSourceGenerationMatch"] is None:
        asked["ifSourceGenerationMatch"] = generation
    return {name: found[name] for name in _KEPT.split(",") if name in found} | made_with


def _after(
    service: Service, source: Place, target: Place, refused: RefusedError, *, overwrite: bool, version: str | None
) -> ObjectInfo:
    """What a refusal means: which of the two conditions does not hold, and which of the two is missing."""
    if refused.status == 404:
        look_for_bucket(service, source, refused)
        if not refused.no_bucket and find(service, source) is None:
            raise ObjectNotFoundError(source.uri) from None
        # The source is there: so it is the target that cannot be.
        refused.missing_bucket()
        raise refusal(refused, "write", target.uri, service.settings) from None
    if refused.status != 412:
        raise refused
    found = find(service, source)
    if found is None or (version is not None and found.version != version):
        raise ObjectChangedError(source.uri) from None
    if overwrite:
        raise refused
    if refused.after_loss:
        # The answer to the try that copied it did not arrive.
        there = find(service, target)
        if there is not None and there.size == found.size and _agree(there, found):
            return there
    raise ObjectExistsError(target.uri) from None


def _agree(one: ObjectInfo, other: ObjectInfo) -> bool:
    return one.checksums.get("crc32c") is not None and one.checksums.get("crc32c") == other.checksums.get("crc32c")

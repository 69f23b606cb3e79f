"""Copies within the service: rewritten by it, and none of the bytes travels."""

from __future__ import annotations

from mercury_core.errors import ObjectChangedError, ObjectExistsError, ObjectNotFoundError
from mercury_gcs.answers import RefusedError
from mercury_gcs.objects import find, info_of, look_for_bucket
from mercury_gcs.refusals import refusal

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
    while True:
        try:
            said = service.ask("POST", path, service.settings.metadata(), **asked).data
        except RefusedError as refused:
            return _after(service, source, target, refused, overwrite=overwrite, version=version)
        if said["done"]:
            break
        asked["rewriteToken"] = said["rewriteToken"]  # a large object takes several requests
    return info_of(target.bucket, said["resource"])


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

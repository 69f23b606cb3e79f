"""What became of an object that was made: compared with what was sent, and removed if it is something else."""

from __future__ import annotations

from mercury_core.errors import ObjectExistsError, VerificationError
from mercury_gcs.answers import RefusedError
from mercury_gcs.objects import find, look_for_bucket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mercury_core.contracts import ObjectInfo
    from mercury_gcs.places import Place
    from mercury_gcs.service import Service


def proven(service: Service, place: Place, made: ObjectInfo, size: int, crc32c: str) -> ObjectInfo:
    """Compare what the service says of a new object with what was sent; if it is not that, exactly it is removed.

    Raises:
        VerificationError: It is something else.
    """
    found = made.checksums.get("crc32c", crc32c)
    if made.size == size and found == crc32c:
        return made
    remove(service, place, made.version)
    raise VerificationError(place.uri, f"{size} bytes with CRC-32C {crc32c}", f"{made.size} bytes with {found}")


def after_refusal(service: Service, place: Place, refused: RefusedError, size: int, crc32c: str) -> ObjectInfo:
    """What is there instead of a new object, if it is that: the answer to the try that made it did not arrive.

    Raises:
        ObjectExistsError: It is something else.
        RefusedError: It was refused for another reason.
    """
    if refused.status != 412:
        raise refused
    if refused.after_loss and (found := same(service, place, size, crc32c)):
        return found
    raise ObjectExistsError(place.uri) from None


def same(service: Service, place: Place, size: int, crc32c: str) -> ObjectInfo | None:
    """What is there, if it has that content."""
    found = find(service, place)
    return found if found and found.size == size and found.checksums.get("crc32c") == crc32c else None


def remove(service: Service, place: Place, version: str | None = None) -> None:
    """Remove an object, or exactly one version of it; nothing happens where there is none."""
    try:
        # Both: the first names the version to remove, the second keeps what came after it.
        service.ask("DELETE", place.path, generation=version, ifGenerationMatch=version)
    except RefusedError as refused:
        look_for_bucket(service, place, refused)
        gone = refused.status == 404 and not refused.no_bucket
        if not gone and not (version is not None and refused.status == 412):
            raise

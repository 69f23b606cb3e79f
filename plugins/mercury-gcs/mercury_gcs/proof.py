"""What became of an object that was made: compared with what was sent, and removed if it is something else."""

from __future__ import annotations

from mercury_core.errors import ObjectExistsError, VerificationError
from mercury_gcs.answers import RefusedError
from mercury_gcs.objects import find, look_for_bucket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from mercury_core.contracts import ObjectInfo
    from mercury_gcs.places import Place
    from mercury_gcs.service import Service


def proven(service: Service, place: Place, made: ObjectInfo, size: int, sums: Mapping[str, str]) -> ObjectInfo:
    """Compare what the service says of a new object with what was sent; if it is not that, exactly it is removed.

    Raises:
        VerificationError: It is something else.
    """
    if made.size == size and _agree(made, sums) is not False:
        return made
    remove(service, place, made.version)
    found = {name: made.checksums.get(name) for name in sums}
    raise VerificationError(place.uri, f"{size} bytes with {_shown(sums)}", f"{made.size} bytes with {_shown(found)}")


def after_refusal(
    service: Service, place: Place, refused: RefusedError, size: int, sums: Mapping[str, str]
) -> ObjectInfo:
    """What is there instead of a new object, if it is that: the answer to the try that made it did not arrive.

    Raises:
        ObjectExistsError: It is something else.
        RefusedError: It was refused for another reason.
    """
    if refused.status != 412:
        raise refused
    if refused.after_loss and (found := same(service, place, size, sums)):
        return found
    raise ObjectExistsError(place.uri) from None


def same(service: Service, place: Place, size: int, sums: Mapping[str, str]) -> ObjectInfo | None:
    """What is there, if it has that content."""
    found = find(service, place)
    return found if found and found.size == size and _agree(found, sums) else None


def _agree(found: ObjectInfo, sums: Mapping[str, str]) -> bool | None:
    """Whether the checksums that are known of both are the same; None where there are none."""
    common = [name for name in sums if name in found.checksums]
    return all(found.checksums[name] == sums[name] for name in common) if common else None


def _shown(sums: Mapping[str, str | None]) -> str:
    return " and ".join(f"{name} {value}" for name, value in sums.items())


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

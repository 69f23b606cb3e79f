"""An object as a local file: whole, and compared with what the service says of it."""

from __future__ import annotations

from mercury_core.errors import VerificationError
from mercury_core.storage.atomic import atomic_file
from mercury_core.storage.checksums import Checksums
from mercury_s3 import checksums
from mercury_s3.reading import Reading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from mercury_s3.places import Place
    from mercury_s3.service import Service

_BLOCK = 1 << 20


def fetch(service: Service, place: Place, path: Path) -> None:
    """Write an object to `path`; see `mercury_core.contracts.Store.get`."""
    with Reading(service, place, 0, None, None, told=True) as data:
        data.begin()
        told = checksums.whole(data.headers, place.bucket)
        best = [name for name in checksums.ALGORITHMS if name in told][:1]
        running = Checksums(best, lambda name: checksums.crc64nvme() if name == "crc64nvme" else None)
        view = memoryview(bytearray(_BLOCK))
        with atomic_file(path) as beside:
            with beside.open("wb") as file:
                while count := data.readinto(view):
                    running.update(view[:count])
                    file.write(view[:count])
            for name in best:
                if running.hex(name) != told[name]:
                    raise VerificationError(place.uri, f"{name} {told[name]}", running.hex(name))

"""The target of a copy: what arrived is counted, and compared with what was sent."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from threading import Lock

from mercury_core.errors import MercuryError, ObjectChangedError, VerificationError
from mercury_core.storage.checksums import Checksums
from mercury_core.storage.reading import BLOCK, read_into

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mercury_core.contracts import ObjectInfo, Store
    from mercury_core.storage.pool import Pool
    from mercury_core.storage.reading import Knowing
    from mercury_core.storage.watch import Watch


def confirm(
    to: Knowing, stored: ObjectInfo, uri: str, size: int, known: Mapping[str, str] | Callable[[str], str | None]
) -> None:
    """Make sure that what a store has is what was sent, by its checksums; or else it is read back.

    Raises:
        VerificationError: It is something else.
        ObjectChangedError: Somebody else has written there since.
    """
    check_size(stored, size)
    if to.verify(stored, known):
        return
    if to.tells:
        version, stored = stored.version, to.store.stat(uri)
        if version and stored.version and version != stored.version:
            raise ObjectChangedError(uri)
        check_size(stored, size)
        if to.verify(stored, known):
            return
    sums = Checksums(["crc32c"])
    buffer = memoryview(bytearray(min(BLOCK, max(size, 1))))
    with to.store.open(uri, version=stored.version) as data:
        while sums.size <= size and (count := read_into(data, buffer, uri)):
            sums.update(buffer[:count])
    expected = known("crc32c") if callable(known) else known["crc32c"]
    if (sums.size, sums.hex("crc32c")) != (size, expected):
        raise VerificationError(uri, f"crc32c {expected}", sums.hex("crc32c"))


@contextmanager
def removing(store: Store, uri: str) -> Iterator[None]:
    """Remove an object that was not proven in the body: it was seen for a moment, and nobody shall find it later."""
    try:
        yield
    except ObjectChangedError:
        raise  # what is there is somebody else's
    except VerificationError:
        store.delete(uri)
        raise
    except BaseException:  # it may be whole; but the next copy may skip what is there
        with suppress(MercuryError):
            store.delete(uri)
        raise


def check_size(stored: ObjectInfo, size: int) -> None:
    """Compare sizes.

    Raises:
        VerificationError: It is another one.
    """
    if stored.size != size:
        raise VerificationError(stored.uri, f"{size} bytes", f"{stored.size} bytes")


class Sent:
    """Counts the bytes of one file as they arrive, and gives up where the copy is given up.

    Attributes:
        size: Bytes so far.
        resumed: Whether an earlier copy had brought some of them.
    """

    def __init__(self, pool: Pool, watch: Watch) -> None:
        self._pool, self._watch, self._lock = pool, watch, Lock()
        self.size, self.resumed = 0, False

    def told(self, size: int) -> None:
        """Count some more, of which there is more to come.

        Raises:
            CancelledError: The copy is given up.
        """
        self._pool.check()
        self.add(size)

    def add(self, size: int) -> None:
        """Count what is there already."""
        with self._lock:
            self.size += size
        self._watch.moved(size)

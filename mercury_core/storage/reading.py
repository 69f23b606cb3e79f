"""The source of a copy: its objects are read whole, in order or by ranges, and proven where the store knows how."""

from __future__ import annotations

import io
from typing import BinaryIO

from mercury_core.contracts import ChecksumStore, ManyReadingStore
from mercury_core.errors import MercuryError, ObjectChangedError, VerificationError
from mercury_core.storage.checksums import DIGESTS, Checksums, crc_of
from mercury_core.storage.many import answered
from mercury_core.storage.refusals import refusing
from mercury_core.storage.uri import is_remote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from typing_extensions import Buffer

    from mercury_core.contracts import Crc, ObjectInfo, Store

BLOCK = 512 << 10
"""How much of a large object is read at a time, where it is not needed in parts."""


class Knowing:
    """A store, and which checksums it can tell.

    Attributes:
        store: The store.
        local: Whether it is the local disk.
        tells: The checksums that it may tell of an object, the best first; none where it tells none.
    """

    def __init__(self, store: Store, uri: str) -> None:
        """See what a store can do; `uri` is in it."""
        self.store, self.local = store, not is_remote(uri)
        self.tells = tuple(store.checksums) if isinstance(store, ChecksumStore) else ()

    def crc(self, algorithm: str) -> Crc | None:
        """How to compute one of its CRCs; None for a digest, or what nobody knows."""
        known = crc_of(algorithm)
        if known is None and algorithm not in DIGESTS and isinstance(self.store, ChecksumStore):
            known = self.store.crc(algorithm)
        return known

    def best(self, algorithms: Iterable[str]) -> str | None:
        """That of some algorithms which is cheapest to compute: CRC-32C, another CRC, a digest."""
        found = None
        for name in algorithms:
            if name == "crc32c":
                return name
            if name in DIGESTS:
                found = found or name
            elif self.crc(name) is not None and (found is None or found in DIGESTS):
                found = name
        return found

    def verify(self, info: ObjectInfo, known: Mapping[str, str] | Callable[[str], str | None]) -> bool:
        """Compare what the store says of an object with what is known of its content.

        Args:
            info: What the store said.
            known: Checksums by algorithm; or what computes one, and gives None where it cannot.

        Returns:
            Whether that proved the content: False where there is nothing in common.

        Raises:
            VerificationError: The content is another one.
        """
        compute = known if callable(known) else known.get
        name = self.best(name for name in info.checksums if callable(known) or name in known)
        if name is None or (computed := compute(name)) is None:
            return False
        if info.checksums[name] == computed:
            return True
        if not info.certain:
            return False
        raise VerificationError(info.uri, f"{name} {info.checksums[name]}", computed)

    def again(self, info: ObjectInfo) -> ObjectInfo:
        """Another look at an object.

        Raises:
            ObjectChangedError: It is another one by now.
        """
        again = self.store.stat(info.uri)
        if again.size != info.size or (info.version and again.version and info.version != again.version):
            raise ObjectChangedError(info.uri)
        return again


class Reading(Knowing):
    """The source of a copy."""

    def certain(self, info: ObjectInfo) -> ObjectInfo:
        """What is known of an object before all of it is read, if need be with another look.

        Raises:
            ObjectChangedError: It is another one by now.
        """
        if info.certain and (info.checksums or not self.tells):
            return info
        return self.again(info)

    def open(self, info: ObjectInfo, start: int = 0, end: int | None = None) -> BinaryIO:
        """Open an object at the version that was looked at; see `mercury_core.contracts.Store.open`."""
        with refusing("read", info.uri):
            return self.store.open(info.uri, start, end, version=info.version)

    def whole(self, info: ObjectInfo) -> bytes:
        """All of a small object, verified.

        Raises:
            VerificationError: It is not what the store says of it.
            ObjectChangedError: It has another version by now.
        """
        with refusing("read", info.uri), self.store.open(info.uri, version=info.version) as data:
            content = b""
            # No more than a byte too much: a store that tells a wrong size may have no end of it.
            while len(content) <= info.size and (more := data.read(info.size + 1 - len(content))):
                content += more
        self._check(info, content)
        return content

    def _check(self, info: ObjectInfo, content: bytes) -> None:
        if len(content) != info.size:
            raise VerificationError(info.uri, f"{info.size} bytes", f"{len(content)} bytes")
        if info.checksums or self.local or self.tells:
            self.prove(info, lambda name: computed(self, name, content))

    @property
    def takes_many(self) -> bool:
        """Whether the store reads many small objects better together."""
        return isinstance(self.store, ManyReadingStore)

    def many(self, infos: Iterable[ObjectInfo], ahead: int) -> Iterator[bytes | MercuryError]:
        """All of some small objects, as `whole` gives each, or the error that it raises."""
        if not isinstance(self.store, ManyReadingStore):
            for info in infos:
                try:
                    yield self.whole(info)
                except MercuryError as error:
                    yield error
            return
        store = self.store
        for info, found in answered(infos, lambda taken: store.read_many(taken, ahead), lambda info: info.uri):
            answer = found
            if not isinstance(found, MercuryError):
                try:
                    self._check(info, found)
                except MercuryError as error:
                    answer = error
            yield answer

    def fill(self, info: ObjectInfo, start: int, into: memoryview, check: Callable[[], None]) -> None:
        """Read as many bytes from `start` on as `into` has room for; `check` is called in between.

        Raises:
            VerificationError: There are fewer.
            ObjectChangedError: It has another version by now.
        """
        with self.open(info, start, start + len(into)) as data:
            done = 0
            while done < len(into):
                check()
                count = read_into(data, into[done : done + BLOCK], info.uri)
                if not count:
                    raise VerificationError(info.uri, f"{info.size} bytes", f"{start + done} bytes")
                done += count

    def prove(self, info: ObjectInfo, known: Mapping[str, str] | Callable[[str], str | None]) -> None:
        """Compare what was read with what the store says of it.

        Raises:
            VerificationError: It is not that.
            ObjectChangedError: It has another version by now.
        """
        if self.verify(info, known):
            return
        # A listing does not tell all that a store knows; and a file may have been written to while it was read.
        if self.local or self.tells:
            again = self.again(info)
            if again.certain:
                self.verify(again, known)


class Stream(io.RawIOBase):
    """A reader of a whole object, in order, that proves what goes through it; see `mercury_core.contracts.Rereadable`.

    It raises rather than give the last block of what is not the object, so that whoever writes it does not publish it.

    Attributes:
        size: Of the object in bytes.
        sums: The checksums of what was read.
    """

    def __init__(
        self, reading: Reading, info: ObjectInfo, told: Callable[[int], None], to: Knowing | None = None
    ) -> None:
        """Open an object, and compute what proves it, also to the store `to`; the size of each block is told."""
        self._reading, self._info, self._told = reading, info, told
        self.size = info.size
        self._to = to or reading
        proofs = [reading.best(info.checksums), self._to.best(self._to.tells) if to else None]
        self._names = {"crc32c", *(proof for proof in proofs if proof)}
        self.sums = Checksums(self._names, self._crc)
        self._data: BinaryIO = io.BytesIO()  # something to close, if there is nothing to open
        self._data = self._open()

    def _crc(self, algorithm: str) -> Crc | None:
        return self._reading.crc(algorithm) or self._to.crc(algorithm)

    def _open(self) -> BinaryIO:
        return self._reading.open(self._info)

    def known(self) -> Mapping[str, str]:
        """What the store says; of a local file, its CRC-32C."""
        if not self._reading.local:
            return self._info.checksums if self._info.certain else {}
        sums, buffer = Checksums(["crc32c"]), memoryview(bytearray(BLOCK))
        with self._open() as data:
            while count := read_into(data, buffer, self._info.uri):
                sums.update(buffer[:count])
                self._told(0)
        return sums.known

    def rewind(self) -> None:
        """Begin again."""
        if not self.sums.size:
            return
        self._data.close()
        self._told(-self.sums.size)
        self.sums = Checksums(self._names, self._crc)
        self._data = self._open()

    def readable(self) -> bool:
        """It is."""
        return True

    def read(self, size: int | None = -1) -> bytes:
        """Read as much as was asked for, or to the end."""
        if size is None or size < 0:
            return self.readall()
        held, done = bytearray(size), 0
        view = memoryview(held)
        while done < size and (count := self.readinto(view[done:])):
            done += count
        return bytes(view[:done])

    def readinto(self, buffer: Buffer) -> int:
        """Read into a buffer; OSErrors of the source become errors of a store."""
        view = memoryview(buffer).cast("B")
        count = read_into(self._data, view, self._info.uri) if len(view) else 0
        self.sums.update(view[:count])
        size = self._info.size
        if self.sums.size > size or (not count and len(view) and self.sums.size < size):
            raise VerificationError(self._info.uri, f"{size} bytes", f"{self.sums.size} bytes")
        if count and self.sums.size == size:
            self._reading.prove(self._info, self.sums.known)
        self._told(count)
        return count

    def close(self) -> None:
        """Close the object."""
        if not self.closed:
            self._data.close()
        super().close()


def read_into(data: BinaryIO, view: memoryview, uri: str) -> int:
    """Read once from a reader, into memory, as it can; OSErrors become errors of a store."""
    with refusing("read", uri):
        readinto = getattr(data, "readinto", None)
        if readinto is not None:
            return readinto(view) or 0
        block = data.read(len(view))
        view[: len(block)] = block
        return len(block)


def computed(knowing: Knowing, name: str, content: bytes | memoryview) -> str | None:
    """One checksum of what is in memory; None where nobody knows how to compute it."""
    if name not in DIGESTS and knowing.crc(name) is None:
        return None
    sums = Checksums([name], knowing.crc)
    sums.update(content)
    return sums.hex(name)

"""One large object sent to a store in parts, by several threads."""

from __future__ import annotations

from threading import Condition

from mercury_core.errors import ObjectExistsError, UploadGoneError, VerificationError
from mercury_core.storage.arriving import confirm, removing
from mercury_core.storage.checksums import CRC32C, DIGESTS, Checksums, join, shown
from mercury_core.storage.plan import identity_of
from mercury_core.storage.pool import CancelledError
from mercury_core.storage.reading import Stream, computed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mmap import mmap

    from mercury_core.contracts import Crc, MultipartStore, ObjectInfo, Part
    from mercury_core.storage.arriving import Sent
    from mercury_core.storage.pool import Pool
    from mercury_core.storage.reading import Knowing, Reading
    from mercury_core.storage.records import Record

_PART_ATTEMPTS = 3
# What does not get better by going on with the same upload.
_FRUITLESS = (ObjectExistsError, UploadGoneError, VerificationError)


class Upload:
    """One object on its way, in parts that are read by ranges; in order where the source can be proven only so."""

    def __init__(
        self,
        reading: Reading,
        to: Knowing,
        store: MultipartStore,
        info: ObjectInfo,
        uri: str,
        part_size: int,
        pool: Pool,
        sent: Sent,
        record: Record,
    ) -> None:
        """Send what is at ``info.uri`` to `uri`."""
        self._from, self._to, self._store, self._info, self._uri = reading, to, store, info, uri
        self._part_size, self._pool, self._sent, self._record = part_size, pool, sent, record
        self._count = -(-info.size // part_size)
        self._parts: list[Part | None] = [None] * self._count
        self._crcs: list[dict[str, int]] = [{}] * self._count
        self._turn, self._next, self._failed = Condition(), 0, False
        self._buffers: dict[int, mmap] = {}
        proof = reading.best(info.checksums)
        self._digest = proof if proof in DIGESTS else None
        self._names = {"crc32c", *([proof] if proof and not self._digest else [])}
        self._stream: Stream | None = None
        self._upload = ""
        self._there: dict[int, Part] = {}

    def send(self, overwrite: bool) -> int:
        """Send it all; the CRC-32C of it.

        Raises:
            ObjectExistsError: Something is there, and `overwrite` is False.
            VerificationError: It did not arrive whole.
            UploadGoneError: The upload was removed meanwhile.
        """
        self._there = self._begin(overwrite)
        try:
            self._send_parts()
            crcs = {name: self._joined(name) for name in self._names}
            if not self._digest:
                self._from.prove(self._info, {name: shown(self._crc(name), value) for name, value in crcs.items()})
            crc32c = shown(CRC32C, crcs["crc32c"])
            parts = [part for part in self._parts if part is not None]
            stored = self._store.finish(self._uri, self._upload, parts, overwrite=overwrite, crc32c=crc32c)
        except BaseException as error:
            # What another copy can go on with is left to it.
            if isinstance(error, _FRUITLESS) or not self._record.active:
                self._abort(self._upload)
            raise
        self._record.drop_upload(self._uri)
        with removing(self._to.store, self._uri):
            confirm(self._to, stored, self._uri, self._info.size, {"crc32c": crc32c})
        return crcs["crc32c"]

    def _begin(self, overwrite: bool) -> dict[int, Part]:
        """Go on with an upload of the same object, or begin one; what has arrived, by number."""
        identity = identity_of(self._info) or ""
        recorded = self._record.upload(self._uri)
        if recorded is not None:
            self._upload = recorded[0]
            if identity and recorded[1:] == (self._part_size, identity):
                try:
                    return {part.number: part for part in self._store.parts(self._uri, self._upload)}
                except UploadGoneError:
                    self._record.drop_upload(self._uri)
            else:
                self._abort(self._upload)
        self._upload = self._store.begin(self._uri, self._info.size, overwrite=overwrite)
        self._record.add_upload(self._uri, self._upload, self._part_size, identity)
        return {}

    def _abort(self, upload: str) -> None:
        self._store.abort(self._uri, upload)
        self._record.drop_upload(self._uri)

    def _send_parts(self) -> None:
        # Where the order matters, a second thread reads ahead, and no more: all others would wait for their turn.
        most = 2 if self._store.parts_in_order else self._count
        if self._digest is None:
            self._pool.share(range(self._count), self._step, most=most, admit=self._admit)
            return
        with Stream(self._from, self._info, lambda _: self._pool.check()) as self._stream:
            self._pool.share(range(self._count), self._step, most=most, admit=self._admit)

    def _admit(self, number: int) -> None:
        """Get the memory for a part, in the order of parts: so the first that is not sent is never without."""
        buffer = self._pool.budget.lend(self._part_size)
        if self._stream is not None:
            view, done = memoryview(buffer)[: self._size(number)], 0
            try:
                while done < len(view):
                    done += self._stream.readinto(view[done:])
            except BaseException:
                self._pool.budget.put_back(buffer)
                raise
        self._buffers[number] = buffer

    def _step(self, number: int) -> None:
        buffer = self._buffers.pop(number)
        view = memoryview(buffer)[: self._size(number)]
        try:
            if self._stream is None:
                self._from.fill(self._info, number * self._part_size, view, self._pool.check)
            sums = Checksums(self._names, self._from.crc)
            sums.update(view)
            self._crcs[number] = {name: sums.crc(name) for name in self._names}
            if self._store.parts_in_order:
                self._wait_for_turn(number)
            self._parts[number] = self._arrived(number, view) or self._put(number, view)
            with self._turn:
                self._next = number + 1
                self._turn.notify_all()
        except BaseException:
            with self._turn:
                self._failed = True
                self._turn.notify_all()
            raise
        finally:
            self._pool.budget.put_back(buffer)
        self._sent.told(len(view))

    def _wait_for_turn(self, number: int) -> None:
        with self._turn:
            self._turn.wait_for(lambda: self._failed or self._next == number)
            if self._failed:
                raise CancelledError

    def _arrived(self, number: int, view: memoryview) -> Part | None:
        """A part that an earlier copy sent, if it is what would be sent now."""
        part = self._there.get(number)
        if part is None:
            return None
        name = self._to.best(part.checksums)
        same = part.size == len(view) and (name is None or part.checksums[name] == computed(self._to, name, view))
        if same:
            self._sent.resumed = True
            return part
        if self._store.parts_in_order:  # what has arrived cannot be sent again
            raise VerificationError(self._uri, "the part that was sent", "another one")
        return None

    def _put(self, number: int, view: memoryview) -> Part:
        for left in reversed(range(_PART_ATTEMPTS)):
            self._pool.check()
            try:
                return self._store.put_part(self._uri, self._upload, number, view)
            except VerificationError:
                if not left:
                    raise
        raise AssertionError  # the loop returns or raises

    def _size(self, number: int) -> int:
        return min(self._part_size, self._info.size - number * self._part_size)

    def _joined(self, name: str) -> int:
        crc, value = self._crc(name), 0
        for number, values in enumerate(self._crcs):
            value = join(crc, value, values[name], self._size(number))
        return value

    def _crc(self, name: str) -> Crc:
        crc = self._from.crc(name)
        assert crc is not None  # noqa: S101 — only such names were chosen
        return crc

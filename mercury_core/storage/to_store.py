"""Objects sent to a store that is not the local disk: whole, as a stream, in parts, or copied within the store."""

from __future__ import annotations

import io
from contextlib import closing, contextmanager
from functools import partial
from typing import BinaryIO, cast

from mercury_core.contracts import CopyingStore, ManyCopyingStore, ManyPuttingStore, MultipartStore
from mercury_core.errors import MercuryError, ObjectExistsError, StoreAccessError, UploadGoneError, VerificationError
from mercury_core.storage.ahead import Ahead
from mercury_core.storage.arriving import Sent, check_size, confirm, removing
from mercury_core.storage.checksums import CRC32C, shown
from mercury_core.storage.many import answered
from mercury_core.storage.reading import BLOCK, Knowing, Reading, Stream, computed
from mercury_core.storage.uploads import Upload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from mercury_core.contracts import ObjectInfo, Store
    from mercury_core.storage.plan import Item
    from mercury_core.storage.pool import Pool
    from mercury_core.storage.records import Record
    from mercury_core.storage.watch import Watch

    _Proof = tuple[tuple[Item, str], Callable[[], int | str]]

WHOLE = 8 << 20
"""Objects up to this many bytes are held in memory whole, and sent with one call."""

ATTEMPTS = 3
"""How often a file is sent that does not arrive whole."""


class ToStore:
    """Sends objects to a store; used by several threads."""

    def __init__(self, reading: Reading, store: Store, target: str, pool: Pool, watch: Watch, record: Record) -> None:
        """Send what `reading` has to `store`; `target` is a URI in it."""
        self._record = record
        self._from, self._to, self._pool, self._watch = reading, Knowing(store, target), pool, watch
        self._within = store if store is reading.store and isinstance(store, CopyingStore) else None
        self._multipart = store if isinstance(store, MultipartStore) else None

    def send(self, item: Item, uri: str, *, overwrite: bool) -> None:
        """Send one object.

        Raises:
            ObjectExistsError: Something is there, and `overwrite` is False.
            VerificationError: It did not arrive whole, several times; it is not there then.
        """
        for left in reversed(range(ATTEMPTS)):
            sent = Sent(self._pool, self._watch)
            try:
                crc = self._send(item.info, uri, overwrite, sent)
            except (VerificationError, UploadGoneError):
                self._watch.moved(-sent.size)
                if not left:
                    raise
            else:
                self._record.useful()
                self._watch.done(item.name, crc, item.info.size - sent.size, resumed=sent.resumed)
                return

    @property
    def takes_many(self) -> bool:
        """Whether small objects are better sent together."""
        return isinstance(self._to.store, ManyPuttingStore if self._within is None else ManyCopyingStore)

    def send_many(
        self, todo: Iterator[tuple[Item, str]], ahead: int, *, overwrite: bool
    ) -> Generator[tuple[Item, str]]:
        """Send small objects, each to its URI; see `send`.

        Yields:
            What was not sent since something is there, and `overwrite` is False.
        """
        again: list[tuple[Item, str]] = []
        send = self._put_many if self._within is None else self._copy_many
        with closing(send(todo, ahead, overwrite)) as sent:
            for (item, uri), prove in sent:
                try:
                    crc = prove()
                except ObjectExistsError:
                    yield item, uri
                except VerificationError:
                    again.append((item, uri))
                else:
                    self._record.useful()
                    self._watch.done(item.name, crc, item.info.size)
        for item, uri in again:
            try:
                self.send(item, uri, overwrite=overwrite)
            except ObjectExistsError:
                yield item, uri

    def _put_many(self, todo: Iterator[tuple[Item, str]], ahead: int, overwrite: bool) -> Generator[_Proof]:
        store = cast("ManyPuttingStore", self._to.store)
        failed: list[tuple[tuple[Item, str], VerificationError]] = []

        def contents() -> Iterator[tuple[tuple[Item, str], bytes]]:
            read = answered(
                todo, lambda taken: self._from.many((one[0].info for one in taken), ahead), lambda one: one[0].info.uri
            )
            with closing(read):
                for one, content in read:
                    if isinstance(content, VerificationError):
                        failed.append((one, content))
                    elif isinstance(content, MercuryError):
                        raise content
                    else:
                        yield one, content

        sent = answered(
            contents(),
            lambda taken: store.put_many(((one[1], content) for one, content in taken), ahead, overwrite=overwrite),
            lambda sent: sent[0][1],
        )
        for (one, content), stored in sent:
            yield one, partial(self._proven, one, content, stored)
        for one, error in failed:
            yield one, partial(_fail, error)

    def _proven(self, one: tuple[Item, str], content: bytes, stored: ObjectInfo | MercuryError) -> int:
        (item, uri), crc = one, CRC32C.extend(0, content)
        self._confirm(self._stored(stored), uri, item.info.size, self._knows(crc, content))
        return crc

    def _knows(self, crc: int, content: bytes) -> Callable[[str], str | None]:
        return lambda name: shown(CRC32C, crc) if name == "crc32c" else computed(self._to, name, content)

    def _stored(self, answer: ObjectInfo | MercuryError) -> ObjectInfo:
        with self._noting():
            if isinstance(answer, MercuryError):
                raise answer
        return answer

    def _copy_many(self, todo: Iterator[tuple[Item, str]], ahead: int, overwrite: bool) -> Generator[_Proof]:
        store = cast("ManyCopyingStore", self._within)
        made = answered(
            todo,
            lambda taken: store.copy_many(((item.info, uri) for item, uri in taken), ahead, overwrite=overwrite),
            lambda one: one[1],
        )
        for (item, uri), answer in made:
            yield (item, uri), partial(self._copied, item.info, uri, answer)

    def recognize(self, item: Item, uri: str, found: ObjectInfo) -> None:
        """Count an object that is there already, and that an earlier copy may have sent.

        Args:
            item: What would be sent.
            uri: Where.
            found: What is there.

        Raises:
            ObjectExistsError: It is another one.
        """
        info = item.info
        if found.size != info.size:
            raise ObjectExistsError(uri)
        crc = self._same(info, found)
        if crc is None:
            crc = self._compared(info, uri, found)
        self._watch.done(item.name, crc, info.size, resumed=True)

    def _same(self, info: ObjectInfo, found: ObjectInfo) -> int | None:
        """The CRC-32C of an object, if both stores tell the same."""
        one, other = info.checksums.get("crc32c"), found.checksums.get("crc32c")
        return int(one, 16) if one and one == other and info.certain and found.certain else None

    def _compared(self, info: ObjectInfo, uri: str, found: ObjectInfo) -> int:
        with Stream(self._from, self._from.certain(info), lambda _: self._pool.check(), self._to) as data:
            buffer = memoryview(bytearray(BLOCK))
            while data.readinto(buffer):
                pass
        try:
            confirm(self._to, found, uri, info.size, data.sums.known)
        except VerificationError as error:
            raise ObjectExistsError(uri) from error
        return data.sums.crc("crc32c")

    def _send(self, info: ObjectInfo, uri: str, overwrite: bool, sent: Sent) -> int | str:
        if self._within is not None:
            return self._copy(self._within, info, uri, overwrite)
        if info.size <= WHOLE:
            return self._send_whole(info, uri, overwrite)
        info = self._from.certain(info)
        part_size = self._multipart.part_size(info.size) if self._multipart is not None else None
        if self._multipart is None or part_size is None:
            return self._send_stream(info, uri, overwrite, sent)
        return Upload(self._from, self._to, self._multipart, info, uri, part_size, self._pool, sent, self._record).send(
            overwrite
        )

    def _copy(self, store: CopyingStore, info: ObjectInfo, uri: str, overwrite: bool) -> int | str:
        """Copy within the store. Where it tells no checksums, the sizes are compared, and the version was pinned."""
        with self._noting():
            made = store.copy(info.uri, uri, overwrite=overwrite, version=info.version)
        return self._copied(info, uri, made)

    def _copied(self, info: ObjectInfo, uri: str, answer: ObjectInfo | MercuryError) -> int | str:
        """The checksum of a copy, once that is compared."""
        made = self._stored(answer)
        with removing(self._to.store, uri):
            check_size(made, info.size)
            if not self._agree(info, made) and self._to.tells:
                info, made = self._to.again(info), self._to.again(made)
                self._agree(info, made)
        name = self._to.best(made.checksums) if made.certain else None
        if name is None:
            return ""
        return int(made.checksums[name], 16) if name == "crc32c" else f"{name}:{made.checksums[name]}"

    def _agree(self, info: ObjectInfo, made: ObjectInfo) -> bool:
        """Whether two objects were proven to be the same; raises where they were proven not to be."""
        if info.certain:
            return self._to.verify(made, info.checksums)
        return any(made.checksums.get(name) == value for name, value in info.checksums.items())

    def _send_whole(self, info: ObjectInfo, uri: str, overwrite: bool) -> int:
        budget = self._pool.budget
        budget.take(info.size)
        try:
            content = self._from.whole(info)
            crc = CRC32C.extend(0, content)
            with self._noting():
                stored = self._to.store.put(uri, io.BytesIO(content), overwrite=overwrite)
            self._confirm(stored, uri, info.size, self._knows(crc, content))
        finally:
            budget.give(info.size)
        return crc

    def _send_stream(self, info: ObjectInfo, uri: str, overwrite: bool, sent: Sent) -> int:
        stream = Stream(self._from, info, sent.told, self._to)
        with stream if self._from.local else Ahead(stream) as data:
            with self._noting():
                stored = self._to.store.put(uri, cast("BinaryIO", data), overwrite=overwrite)
            self._confirm(stored, uri, info.size, data.sums.known)
            return data.sums.crc("crc32c")

    def _confirm(
        self, stored: ObjectInfo, uri: str, size: int, known: Mapping[str, str] | Callable[[str], str | None]
    ) -> None:
        """Make sure that what the store has is what was sent; what is not is removed."""
        with removing(self._to.store, uri):
            confirm(self._to, stored, uri, size, known)

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except StoreAccessError:
            self._record.useful()  # it may be there all the same, and only the answer was lost
            raise


def _fail(error: MercuryError) -> int:
    raise error

"""Files written to the local disk, by several threads, under names that nobody else uses yet."""

from __future__ import annotations

import os
from functools import partial

from mercury_core.errors import MercuryError, ObjectExistsError, VerificationError
from mercury_core.storage.arriving import Sent
from mercury_core.storage.atomic import sync
from mercury_core.storage.checksums import CRC32C
from mercury_core.storage.many import answered
from mercury_core.storage.places import compare, crc_at, read_at, write_at
from mercury_core.storage.ranges import Ranges
from mercury_core.storage.reading import BLOCK
from mercury_core.storage.refusals import refusal, refusing
from mercury_core.storage.to_store import ATTEMPTS, WHOLE
from mercury_core.storage.uri import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from mercury_core.storage.journal import Journal
    from mercury_core.storage.plan import Item, Names
    from mercury_core.storage.pool import Pool
    from mercury_core.storage.reading import Reading
    from mercury_core.storage.watch import Watch

FRESH = os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
KNOWN = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)


class ToDisk:
    """Writes objects to files; used by several threads."""

    def __init__(self, reading: Reading, pool: Pool, watch: Watch) -> None:
        """Write what `reading` has."""
        self._from, self._pool, self._watch = reading, pool, watch

    def write(self, item: Item, path: str, uri: str, journal: Journal, *, fresh: bool) -> tuple[int, bool]:
        """Write one file to `path`; its bytes are told.

        Args:
            item: What to write.
            path: Where.
            uri: What it will be, for messages.
            journal: What is there already, and where to note what is done.
            fresh: Whether the file does not exist yet, unless the journal names it; then it is brought to the disk.

        Returns:
            Its CRC-32C, and whether an earlier copy had brought some of it.

        Raises:
            FileExistsError: There is such a file.
            StoreAccessError: It cannot be written.
            VerificationError: It did not arrive whole, several times.
        """
        info = item.info
        crc = journal.file(item.name, info)
        if crc is not None and _file_crc(path, info.size) == crc:
            self._watch.moved(info.size)
            return crc, True
        known = journal.ranges(item.name, info)
        if journal.resumed and fresh and not known:
            _unlink(path)  # of another version, or not what it was
        handle = _opened(path, uri, fresh=fresh and not known)
        try:
            with refusing("write", uri):
                crc = self._try(handle, item, uri, journal, known)
                if fresh:
                    sync(handle)
        finally:
            os.close(handle)
        journal.add_file(item.name, info, crc)
        return crc, bool(known)

    def write_many(
        self, todo: Iterator[tuple[Item, str]], ahead: int, target: str, names: Names, journal: Journal
    ) -> None:
        """Write small files that are not there yet, each to its path, and count them; see `write`.

        Args:
            todo: What to write, and to which path.
            ahead: How many are read ahead; as many are brought to the disk together, which takes it hardly longer than
                one of them.
            target: What they will be below, for messages.
            names: Those that are used.
            journal: Where to note what is done.
        """
        written: list[tuple[int, Item, int]] = []
        read = answered(
            todo, lambda taken: self._from.many((item.info for item, _ in taken), ahead), lambda one: one[0].info.uri
        )
        try:
            for (item, path), content in read:
                if isinstance(content, MercuryError) and not isinstance(content, VerificationError):
                    raise content
                try:
                    if isinstance(content, MercuryError) or not _write_whole(path, content, written, item):
                        self._again(item, path, join(target, item.name), journal)
                except ObjectExistsError:
                    raise
                except FileExistsError:
                    raise names.refuse(item.name) from None
                except OSError as error:
                    raise refusal(error, "write", join(target, item.name)) from error
                if len(written) >= ahead:
                    self._settle(written, target, journal)
            self._settle(written, target, journal)
        finally:
            read.close()
            for handle, _, _ in written:
                os.close(handle)

    def _again(self, item: Item, path: str, uri: str, journal: Journal) -> None:
        """Write what did not arrive whole among others."""
        _unlink(path)
        crc, _ = self.write(item, path, uri, journal, fresh=True)
        self._watch.done(item.name, crc, 0)

    def _settle(self, written: list[tuple[int, Item, int]], target: str, journal: Journal) -> None:
        for handle, item, _ in written:
            with refusing("write", join(target, item.name)):
                sync(handle)
        journal.add_files((item.name, item.info, crc) for _, item, crc in written)
        while written:
            handle, item, crc = written.pop()
            os.close(handle)
            self._watch.done(item.name, crc, item.info.size)

    def _try(self, handle: int, item: Item, uri: str, journal: Journal, known: dict[int, int]) -> int:
        for left in reversed(range(ATTEMPTS)):
            sent = Sent(self._pool, self._watch)
            try:
                return self._write(handle, item, uri, sent, journal, known)
            except VerificationError:
                self._watch.moved(-sent.size)
                known.clear()
                os.ftruncate(handle, 0)
                if not left:
                    raise
        raise AssertionError  # the loop returns or raises

    def _write(self, handle: int, item: Item, uri: str, sent: Sent, journal: Journal, known: dict[int, int]) -> int:
        info = item.info
        if info.size > WHOLE:
            info = self._from.certain(info)
            note = partial(journal.add_range, item.name, item.info)
            return Ranges(self._from, info, handle, uri, self._pool, sent, note).write(known)
        self._pool.budget.take(info.size)
        try:
            content = self._from.whole(info)
            crc = CRC32C.extend(0, content)
            write_at(handle, content, 0)
            if len(content) > BLOCK:
                view = memoryview(bytearray(BLOCK))
                compare(uri, crc, crc_at(handle, CRC32C, 0, len(content), view))
            elif read_at(handle, len(content) + 1, 0) != content:
                raise VerificationError(uri, "what was written", "something else")
        finally:
            self._pool.budget.give(info.size)
        sent.add(info.size)
        return crc


def _write_whole(path: str, content: bytes, written: list[tuple[int, Item, int]], item: Item) -> bool:
    """Write a new file, and add it to those that are open; False where it is not that when it is read again."""
    handle = os.open(path, FRESH, 0o666)
    written.append((handle, item, CRC32C.extend(0, content)))
    write_at(handle, content, 0)
    if read_at(handle, len(content) + 1, 0) == content:
        return True
    del written[-1]
    os.close(handle)
    return False


def _file_crc(path: str, size: int) -> int | None:
    """The CRC-32C of a file, if it is there and of that size."""
    try:
        handle = os.open(path, KNOWN & ~os.O_CREAT)
    except OSError:
        return None
    try:
        if os.fstat(handle).st_size != size:
            return None
        return crc_at(handle, CRC32C, 0, size, memoryview(bytearray(min(max(size, 1), BLOCK))))
    finally:
        os.close(handle)


def _unlink(path: str) -> None:
    try:
        os.unlink(path)  # noqa: PTH108 — without pathlib
    except FileNotFoundError:
        return


def _opened(path: str, uri: str, *, fresh: bool) -> int:
    try:
        return os.open(path, FRESH if fresh else KNOWN, 0o666)
    except FileExistsError:
        raise
    except OSError as error:
        raise refusal(error, "write", uri) from error

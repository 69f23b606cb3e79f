"""Files written to the local disk, by several threads, under names that nobody else uses yet."""

from __future__ import annotations

import os
from functools import partial
from threading import Lock

from mercury_core.errors import MercuryError, ObjectExistsError, VerificationError
from mercury_core.storage.arriving import Sent
from mercury_core.storage.atomic import sync
from mercury_core.storage.checksums import CRC32C, DIGESTS, Checksums, join as join_crcs, shown
from mercury_core.storage.in_order import InOrder
from mercury_core.storage.many import answered
from mercury_core.storage.reading import BLOCK, read_into
from mercury_core.storage.refusals import refusal, refusing
from mercury_core.storage.to_store import ATTEMPTS, WHOLE
from mercury_core.storage.uri import join

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from mercury_core.contracts import Crc, ObjectInfo
    from mercury_core.storage.journal import Journal
    from mercury_core.storage.plan import Item, Names
    from mercury_core.storage.pool import Pool
    from mercury_core.storage.reading import Reading
    from mercury_core.storage.watch import Watch

RANGE = 8 << 20
"""How many bytes of a large object are read with one request."""

_AHEAD = 4  # ranges at a time where a digest is computed of them in order

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
            return self._write_ranges(handle, info, uri, sent, note, known)
        self._pool.budget.take(info.size)
        try:
            content = self._from.whole(info)
            crc = CRC32C.extend(0, content)
            write_at(handle, content, 0)
            if len(content) > BLOCK:
                view = memoryview(bytearray(BLOCK))
                _compare(uri, crc, _crc_at(handle, CRC32C, 0, len(content), view))
            elif read_at(handle, len(content) + 1, 0) != content:
                raise VerificationError(uri, "what was written", "something else")
        finally:
            self._pool.budget.give(info.size)
        sent.add(info.size)
        return crc

    def _write_ranges(
        self,
        handle: int,
        info: ObjectInfo,
        uri: str,
        sent: Sent,
        note: Callable[[int, int], None],
        known: dict[int, int],
    ) -> int:
        proof = self._from.best(info.checksums) or "crc32c"
        check = self._from.crc(proof) or CRC32C
        count = -(-info.size // RANGE)
        crcs: dict[int, int] = {}  # no lists: a store may tell a size that is not true
        others: dict[int, int] = {}
        os.ftruncate(handle, info.size)
        digest = Checksums([proof] if proof in DIGESTS else [])

        def proven(number: int) -> None:
            start = number * RANGE
            end = min(start + RANGE, info.size)
            _compare(uri, crcs[number], self._digested(handle, digest, start, end))

        in_order = InOrder(proven)

        def step(number: int) -> None:
            start = at = number * RANGE
            end = min(start + RANGE, info.size)
            view = memoryview(bytearray(min(BLOCK, end - start)))
            crc = other = 0
            if number in known and known[number] == _crc_at(handle, CRC32C, start, end, view):
                crcs[number], others[number] = known[number], _crc_at(handle, check, start, end, view)
                sent.told(end - start)
                if proof in DIGESTS:
                    in_order.add(number)
                return
            with self._from.open(info, start, end) as data:
                while at < end:
                    size = read_into(data, view[: end - at], info.uri)
                    if not size:
                        raise VerificationError(info.uri, f"{info.size} bytes", f"{at} bytes")
                    block = view[:size]
                    crc = CRC32C.extend(crc, block)
                    other = check.extend(other, block) if check is not CRC32C else crc
                    write_at(handle, block, at)
                    at += size
                    sent.told(size)
            crcs[number], others[number] = crc, other
            if proof in DIGESTS:
                in_order.add(number)
            else:
                _compare(uri, crc, _crc_at(handle, CRC32C, start, end, view))
            note(number, crc)

        # The digest is the slower of the two, and waits for the first range: few at a time bring that soon.
        self._pool.share(count, step, most=_AHEAD if proof in DIGESTS else self._pool.threads)
        crc = other = 0
        for number in range(count):
            size = min(RANGE, info.size - number * RANGE)
            crc = join_crcs(CRC32C, crc, crcs[number], size)
            other = join_crcs(check, other, others[number], size)
        self._from.prove(info, {"crc32c": shown(CRC32C, crc), proof: shown(check, other)} | digest.known)
        return crc

    def _digested(self, handle: int, digest: Checksums, start: int, end: int) -> int:
        """Go on with a digest by a range of a file; gives the CRC-32C of the range."""
        crc, at, view = 0, start, memoryview(bytearray(BLOCK))
        while at < end and (size := _read_into_at(handle, view[: end - at], at)):
            self._pool.check()
            digest.update(view[:size])
            crc = CRC32C.extend(crc, view[:size])
            at += size
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


def _compare(uri: str, sent: int, found: int) -> None:
    if sent != found:
        raise VerificationError(uri, f"crc32c {shown(CRC32C, sent)}", shown(CRC32C, found))


def _crc_at(handle: int, check: Crc, start: int, end: int, view: memoryview) -> int:
    """The CRC of a range of a file, read through the memory of `view`."""
    crc, at = 0, start
    while at < end and (size := _read_into_at(handle, view[: end - at], at)):
        crc = check.extend(crc, view[:size])
        at += size
    return crc


def _file_crc(path: str, size: int) -> int | None:
    """The CRC-32C of a file, if it is there and of that size."""
    try:
        handle = os.open(path, KNOWN & ~os.O_CREAT)
    except OSError:
        return None
    try:
        if os.fstat(handle).st_size != size:
            return None
        return _crc_at(handle, CRC32C, 0, size, memoryview(bytearray(min(max(size, 1), BLOCK))))
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


if hasattr(os, "pwrite"):

    def write_at(handle: int, data: bytes | memoryview, at: int) -> None:
        """Write at a place of a file, all of it."""
        view = memoryview(data)
        while view:
            done = os.pwrite(handle, view, at)
            view, at = view[done:], at + done

    def read_at(handle: int, size: int, at: int) -> bytes:
        """Read at a place of a file."""
        return os.pread(handle, size, at)

    def _read_into_at(handle: int, view: memoryview, at: int) -> int:
        return os.preadv(handle, [view], at)

else:  # Windows: the place is the file's own, and so one thread at a time moves it
    _place = Lock()

    def write_at(handle: int, data: bytes | memoryview, at: int) -> None:
        """Write at a place of a file, all of it."""
        view = memoryview(data)
        with _place:
            os.lseek(handle, at, os.SEEK_SET)
            while view:
                view = view[os.write(handle, view) :]

    def read_at(handle: int, size: int, at: int) -> bytes:
        """Read at a place of a file."""
        with _place:
            os.lseek(handle, at, os.SEEK_SET)
            return os.read(handle, size)

    def _read_into_at(handle: int, view: memoryview, at: int) -> int:
        block = read_at(handle, len(view), at)
        view[: len(block)] = block
        return len(block)

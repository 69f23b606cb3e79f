"""One large object written to an open file, by several threads that read ranges of it beside each other."""

from __future__ import annotations

import os

from mercury_core.errors import VerificationError
from mercury_core.storage.checksums import CRC32C, DIGESTS, Checksums, join as join_crcs, shown
from mercury_core.storage.in_order import InOrder
from mercury_core.storage.places import compare, crc_at, read_into_at, write_at
from mercury_core.storage.pool import FIRST
from mercury_core.storage.reading import BLOCK, read_into

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from typing import BinaryIO

    from mercury_core.contracts import ObjectInfo
    from mercury_core.storage.arriving import Sent
    from mercury_core.storage.pool import Pool
    from mercury_core.storage.reading import Reading

RANGE = 8 << 20
"""How many bytes of a large object are noted as done at a time."""

_MOST = 4  # ranges that are read with one request: what comes from one place is cheaper for both sides


class Ranges:
    """The ranges of one object on their way to a file."""

    def __init__(
        self,
        reading: Reading,
        info: ObjectInfo,
        handle: int,
        uri: str,
        pool: Pool,
        sent: Sent,
        note: Callable[[int, int], None],
    ) -> None:
        """Write what is at ``info.uri`` to an open file.

        Args:
            reading: Where it is read.
            info: What is written.
            handle: Of the file.
            uri: What that will be, for messages.
            pool: Whose threads do it.
            sent: Counts what has arrived.
            note: Called with the number and the CRC-32C of each range that is written and verified.
        """
        self._from, self._info, self._handle, self._uri = reading, info, handle, uri
        self._pool, self._sent, self._note = pool, sent, note
        self._proof = reading.best(info.checksums) or "crc32c"
        self._check = reading.crc(self._proof) or CRC32C
        self._count = -(-info.size // RANGE)
        self._crcs: dict[int, int] = {}  # no lists: a store may tell a size that is not true
        self._others: dict[int, int] = {}
        self._digest = Checksums([self._proof] if self._proof in DIGESTS else [])
        self._in_order = InOrder(self._digested)

    def write(self, known: dict[int, int]) -> int:
        """Write it; the CRC-32C of it.

        Args:
            known: The CRC-32C of the ranges that an earlier copy wrote, by number.

        Raises:
            VerificationError: It did not arrive whole.
        """
        os.ftruncate(self._handle, self._info.size)
        if known:
            self._pool.share(
                [number for number in known if number < self._count], lambda number: self._see(number, known[number])
            )
        # A digest is slower than all else, and waits for the first range: few at a time bring that soon.
        few = self._proof in DIGESTS
        self._pool.share(
            _runs(self._count, frozenset(self._crcs), 1 if few else _MOST), self._fetch, most=FIRST if few else None
        )
        crc = other = 0
        for number in range(self._count):
            start, end = self._place(number)
            crc = join_crcs(CRC32C, crc, self._crcs[number], end - start)
            other = join_crcs(self._check, other, self._others[number], end - start)
        told = {"crc32c": shown(CRC32C, crc), self._proof: shown(self._check, other)}
        self._from.prove(self._info, told | self._digest.known)
        return crc

    def _place(self, number: int) -> tuple[int, int]:
        return number * RANGE, min((number + 1) * RANGE, self._info.size)

    def _see(self, number: int, crc: int) -> None:
        """Take a range for done if it is in the file."""
        start, end = self._place(number)
        view = memoryview(bytearray(min(BLOCK, end - start)))
        if crc_at(self._handle, CRC32C, start, end, view) == crc:
            self._others[number] = crc_at(self._handle, self._check, start, end, view)
            self._sent.told(end - start)
            self._done(number, crc)

    def _fetch(self, run: range) -> None:
        """Write ranges that follow each other."""
        start, end = self._place(run.start)[0], self._place(run.stop - 1)[1]
        view = memoryview(bytearray(min(BLOCK, end - start)))
        with self._from.open(self._info, start, end) as data:
            for number in run:
                self._note(number, self._take(data, number, view))

    def _take(self, data: BinaryIO, number: int, view: memoryview) -> int:
        """Write a range; and read it again, all of it once it is there."""
        start, end = self._place(number)
        at, crc, other = start, 0, 0
        while at < end:
            size = read_into(data, view[: end - at], self._info.uri)
            if not size:
                raise VerificationError(self._info.uri, f"{self._info.size} bytes", f"{at} bytes")
            block = view[:size]
            crc = CRC32C.extend(crc, block)
            other = self._check.extend(other, block) if self._check is not CRC32C else crc
            write_at(self._handle, block, at)
            at += size
            self._sent.told(size)
        self._others[number] = other
        if self._proof not in DIGESTS:
            compare(self._uri, crc, crc_at(self._handle, CRC32C, start, end, view))
        self._done(number, crc)
        return crc

    def _done(self, number: int, crc: int) -> None:
        self._crcs[number] = crc
        if self._proof in DIGESTS:
            self._in_order.add(number)

    def _digested(self, number: int) -> None:
        """Go on with the digest by a range of the file, and compare the range with what was written."""
        at, end = self._place(number)
        crc, view = 0, memoryview(bytearray(BLOCK))
        while at < end and (size := read_into_at(self._handle, view[: end - at], at)):
            self._pool.check()
            self._digest.update(view[:size])
            crc = CRC32C.extend(crc, view[:size])
            at += size
        compare(self._uri, self._crcs[number], crc)


def _runs(count: int, done: Collection[int], most: int) -> Iterator[range]:
    """Numbers below `count` that are not done, in runs: the last ones are short, so that all threads end together."""
    at = 0
    while at < count:
        if at in done:
            at += 1
            continue
        end, last = at + 1, min(at + max(min(most, (count - at) // (2 * FIRST)), 1), count)
        while end < last and end not in done:
            end += 1
        yield range(at, end)
        at = end

"""How a suite of a store is set up: around the store, so that a fault in it cannot hide itself."""

from __future__ import annotations

import hashlib
import io
import random
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from mercury_core.contracts import (
    ChecksumStore,
    ConcurrentStore,
    ConditionalStore,
    CopyingStore,
    DirectoryStore,
    LevelStore,
    ManyCopyingStore,
    ManyDeletingStore,
    ManyPuttingStore,
    ManyReadingStore,
    MultipartStore,
    ObjectInfo,
    ReachableStore,
)
from mercury_core.storage.uri import join, relative_name
from mercury_core.testing.suite import Suite

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from typing_extensions import Buffer

    from mercury_core.contracts import Crc

ABILITIES = (
    *(ChecksumStore, ConcurrentStore, ConditionalStore, CopyingStore, DirectoryStore, LevelStore, ManyCopyingStore),
    *(ManyDeletingStore, ManyPuttingStore, ManyReadingStore, MultipartStore, ReachableStore),
)


class StoreSetup(Suite, is_suite=True):
    """What the author of a store gives its suite; pytest makes one instance for each test.

    Attributes:
        large: The size in bytes of an object that is put as a stream.
        in_parts: The size in bytes of an object that the store has sent in at least two parts.
        longest_part: How long a name between two slashes may be, in bytes.
        longest_key: How long a name below the base may be, in bytes.
        secrets: What must never be shown.
    """

    large: ClassVar[int] = 9 << 20
    in_parts: ClassVar[int] = 12 << 20
    longest_part: ClassVar[int] = 255
    longest_key: ClassVar[int] = 900
    secrets: ClassVar[Collection[str]] = ()

    def make_store(self) -> Any:
        """Make a store, without any connection; several in one test are to find the same objects."""
        raise NotImplementedError("make_store() is to give a store")

    def make_base(self) -> str:
        """Make a place with nothing below it: a URI under which the tests put their objects."""
        raise NotImplementedError("make_base() is to give the URI of an empty place")

    def raw_put(self, uri: str, data: bytes) -> None:
        """Write an object without the store: with the service's own SDK, or as a file."""
        raise NotImplementedError("raw_put() is to write an object without the store")

    def raw_get(self, uri: str) -> bytes | None:
        """Read an object without the store; None where there is none."""
        raise NotImplementedError("raw_get() is to read an object without the store")

    def raw_list(self, base: str) -> Iterable[str]:
        """The URIs of all objects below a base, without the store, in any order."""
        raise NotImplementedError("raw_list() is to list objects without the store")

    def raw_leftovers(self, base: str) -> Iterable[str]:
        """Whatever else is below a base, without the store: unfinished uploads, temporary files; in any words."""
        del base
        return ()

    def out_of_reach(self) -> str | None:
        """The URI of an object that the service refuses to serve, in no such bucket say; None where it serves all."""
        return None

    def settings(self) -> Mapping[str, Mapping[str, Any]]:
        """What `mercury_core.copy` needs as `stores` to find the store."""
        return {}

    @pytest.fixture
    def store(self) -> Any:
        """A store."""
        return self.make_store()

    @pytest.fixture
    def base(self) -> str:
        """An empty place."""
        return self.make_base()

    # --- for the tests ---

    def names(self, base: str) -> list[str]:
        """What is there, without the store."""
        return sorted(relative_name(uri, base) for uri in self.raw_list(base))

    def fill(self, base: str, names: Iterable[str]) -> dict[str, bytes]:
        """Put an object of its own content under each name, without the store."""
        made = {name: f"content of {name}".encode() for name in names}
        for name, data in made.items():
            self.raw_put(join(base, name), data)
        return made

    def check_info(self, store: Any, info: Any, uri: str, data: bytes) -> None:
        """What a store says of an object must be true."""
        assert isinstance(info, ObjectInfo)
        assert (info.uri, info.size) == (uri, len(data))
        if info.certain:
            for name, value in info.checksums.items():
                assert value == checksum(name, data, store), f"{name} of {uri} is not that of its content"


class Piecemeal(io.RawIOBase):
    """A reader that cannot be sought in, gives less than it is asked for, and may fail.

    Attributes:
        sent: Bytes given so far.
    """

    def __init__(self, data: bytes, fails_at: int | None = None) -> None:
        self._data, self._fails_at = memoryview(data), fails_at
        self.sent = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        if self._fails_at is not None and self.sent >= self._fails_at:
            raise ReaderFailedError
        block = self._data[self.sent : self.sent + min(len(view), 100_003)]
        view[: len(block)] = block
        self.sent += len(block)
        return len(block)


class ReaderFailedError(Exception):
    """What a source may raise while it is read."""


def content(size: int, seed: int = 0) -> bytes:
    """Bytes that look like nothing."""
    return random.Random(seed).randbytes(size)  # noqa: S311 — no secret


def checksum(name: str, data: bytes, store: Any) -> str:
    """A checksum, computed by nothing of the store but a CRC's width and polynomial."""
    if name in ("md5", "sha1", "sha256"):
        return hashlib.new(name, data, usedforsecurity=False).hexdigest()
    if name == "crc32":
        return f"{zlib.crc32(data):08x}"
    if name == "crc32c":
        return crc32c(data)
    crc = store.crc(name)
    assert crc is not None, f"the store tells {name} of an object, and crc({name!r}) does not say what that is"
    return plain_crc(crc, data)


def crc32c(data: bytes) -> str:
    """As `ObjectInfo.checksums` has it."""
    import google_crc32c

    return f"{google_crc32c.value(data):08x}"


def plain_crc(crc: Crc, data: bytes) -> str:
    """A CRC from its definition alone."""
    table, ones = _table(crc.polynomial), (1 << crc.bits) - 1
    value = ones
    for byte in data:
        value = value >> 8 ^ table[(value ^ byte) & 0xFF]
    return f"{value ^ ones:0{crc.bits // 4}x}"


@lru_cache(maxsize=4)
def _table(polynomial: int) -> Sequence[int]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (polynomial if value & 1 else 0)
        table.append(value)
    return table


def has(store: Any, ability: type) -> bool:
    """Whether a store has an ability."""
    if ability is ConditionalStore:
        return bool(getattr(store, "conditional_put", False))
    return isinstance(store, ability)


def files_in(folder: Path) -> list[str]:
    """The names in a directory of the disk, in their order."""
    return sorted(path.name for path in folder.iterdir())


def assert_same(found: bytes | None, expected: bytes | None) -> None:
    """Compare contents; an `assert` on large ones would spend minutes on showing how they differ."""
    if found == expected:
        return
    if found is None or expected is None:
        there, wanted = ("nothing" if content is None else f"{len(content)} bytes" for content in (found, expected))
        raise AssertionError(f"{there} there, expected {wanted}")
    differs = (place for place, (one, other) in enumerate(zip(found, expected, strict=False)) if one != other)
    first = next(differs, min(len(found), len(expected)))
    raise AssertionError(f"{len(found)} bytes, expected {len(expected)}; they differ from byte {first} on")


def at_once(work: Callable[[int], Any], count: int = 8) -> list[Any]:
    """Call ``work(0)``, ``work(1)`` … at the same time; what each gave back, or raised."""
    import threading

    results: list[Any] = [None] * count
    start = threading.Barrier(count)

    def run(place: int) -> None:
        start.wait()
        try:
            results[place] = work(place)
        except Exception as error:  # noqa: BLE001 — given back
            results[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results

"""A store in memory for the tests of copies: abilities are added one by one, and faults where they belong."""

from __future__ import annotations

import hashlib
import io
import itertools
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest

from mercury_core import registry
from mercury_core.contracts import Crc, ObjectInfo, Part
from mercury_core.errors import ObjectChangedError, ObjectExistsError, ObjectNotFoundError, UploadGoneError
from mercury_core.storage.checksums import CRC32C, Checksums

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

MIB = 1 << 20


@dataclass
class World:
    """What a store in memory holds, shared by all instances of its class; and what it is to do wrong.

    Attributes:
        objects: Content and number of the version, by URI.
        uploads: Unfinished uploads: the URI, and the parts by number.
        calls: How often each method was called.
        before: Called with the method and the URI before each call: it may raise, or change something.
        sent: Called with what arrives; gives what is kept.
        read: Called with what is read; gives what the reader sees.
        tells: The checksums that are told.
        guesses: Whether a listing tells wrong checksums, which it only guesses.
        part_size: Of uploads.
        part_checksums: Whether parts tell theirs.
    """

    objects: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    uploads: dict[str, tuple[str, dict[int, bytes]]] = field(default_factory=dict)
    calls: Counter[str] = field(default_factory=Counter)
    before: Callable[[str, str], None] = lambda call, uri: None
    sent: Callable[[bytes], bytes] = bytes
    read: Callable[[bytes], bytes] = bytes
    tells: tuple[str, ...] = ("crc32c",)
    guesses: bool = False
    part_size: int = MIB
    part_checksums: bool = True
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    lock: Any = field(default_factory=threading.Lock)

    def fill(self, objects: dict[str, bytes]) -> None:
        """Have objects."""
        for uri, content in objects.items():
            self.objects[uri] = (content, next(self.numbers))

    def contents(self, below: str = "") -> dict[str, bytes]:
        """What there is, by URI or by the name below one."""
        return {uri[len(below) :]: content for uri, (content, _) in self.objects.items() if uri.startswith(below)}


class Plain:
    """What every store must do, and nothing more."""

    world: World
    conditional = False

    def _call(self, method: str, uri: str) -> None:
        with self.world.lock:
            self.world.calls[method] += 1
        self.world.before(method, uri)

    def _info(self, uri: str, content: bytes, number: int, *, listed: bool = False) -> ObjectInfo:
        return ObjectInfo(uri, len(content), None, str(number))

    def stat(self, uri: str) -> ObjectInfo:
        self._call("stat", uri)
        if uri not in self.world.objects:
            raise ObjectNotFoundError(uri)
        return self._info(uri, *self.world.objects[uri])

    def list(self, uri: str) -> Iterator[ObjectInfo]:
        self._call("list", uri)
        below = f"{uri.rstrip('/')}/"
        for key in sorted(self.world.objects):
            if key.startswith(below) and key in self.world.objects:
                yield self._info(key, *self.world.objects[key], listed=True)

    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> BinaryIO:
        self._call("open", uri)
        if uri not in self.world.objects:
            raise ObjectNotFoundError(uri)
        content, number = self.world.objects[uri]
        if version not in (None, str(number)):
            raise ObjectChangedError(uri)
        return io.BytesIO(self.world.read(content[start:end]))

    def put(self, uri: str, data: BinaryIO, *, overwrite: bool = False) -> ObjectInfo:
        self._call("put", uri)
        if uri in self.world.objects and not overwrite:
            raise ObjectExistsError(uri)
        content = b"".join(iter(lambda: data.read(64 << 10), b""))
        return self._keep(uri, self.world.sent(content), overwrite)

    def _keep(self, uri: str, content: bytes, overwrite: bool) -> ObjectInfo:
        with self.world.lock:
            if self.conditional and uri in self.world.objects and not overwrite:
                raise ObjectExistsError(uri)
            self.world.objects[uri] = (content, next(self.world.numbers))
        return self._info(uri, *self.world.objects[uri])

    def get(self, uri: str, path: Path) -> None:
        path.write_bytes(self.open(uri).read())

    def delete(self, uri: str) -> None:
        self._call("delete", uri)
        self.world.objects.pop(uri, None)


class Conditional:
    conditional = conditional_put = True


class Telling:
    """Tells checksums."""

    world: World

    @property
    def checksums(self) -> Sequence[str]:
        return self.world.tells

    def crc(self, algorithm: str) -> Crc | None:
        return Crc("crc64odd", 64, 0x9A6C9329AC4BC9B5, _crc64) if algorithm == "crc64odd" else None

    def _info(self, uri: str, content: bytes, number: int, *, listed: bool = False) -> ObjectInfo:
        sums = sums_of(content, self.world.tells, self.crc)
        info = ObjectInfo(uri, len(content), 1.0, str(number), sums)
        if listed and self.world.guesses:
            info = replace(info, certain=False, checksums={name: "0" * len(value) for name, value in sums.items()})
        return info


class Parts:
    """Takes objects in parts."""

    world: World
    parts_in_order = False

    def part_size(self, size: int) -> int | None:
        return self.world.part_size

    def begin(self, uri: str, size: int, *, overwrite: bool) -> str:
        self._call("begin", uri)  # type: ignore[attr-defined]
        if uri in self.world.objects and not overwrite:
            raise ObjectExistsError(uri)
        name = f"upload-{next(self.world.numbers)}"
        self.world.uploads[name] = (uri, {})
        return name

    def _parts(self, upload: str, uri: str) -> dict[int, bytes]:
        if upload not in self.world.uploads:
            raise UploadGoneError(uri)
        return self.world.uploads[upload][1]

    def put_part(self, uri: str, upload: str, number: int, data: memoryview) -> Part:
        self._call("put_part", uri)  # type: ignore[attr-defined]
        parts = self._parts(upload, uri)
        if self.parts_in_order:
            assert number == len(parts)
        parts[number] = self.world.sent(bytes(data))
        return self._part(number, parts[number])

    def _part(self, number: int, content: bytes) -> Part:
        sums = sums_of(content, self.world.tells, Telling.crc.__get__(self)) if self.world.part_checksums else {}
        return Part(number, len(content), f"part-{number}", sums)

    def parts(self, uri: str, upload: str) -> Iterable[Part]:
        self._call("parts", uri)  # type: ignore[attr-defined]
        return [self._part(number, content) for number, content in sorted(self._parts(upload, uri).items())]

    def finish(self, uri: str, upload: str, parts: Sequence[Part], *, overwrite: bool, crc32c: str) -> ObjectInfo:
        self._call("finish", uri)  # type: ignore[attr-defined]
        there = self._parts(upload, uri)
        assert [part.number for part in parts] == sorted(there) == list(range(len(there)))
        info = self._keep(uri, b"".join(there[part.number] for part in parts), overwrite)  # type: ignore[attr-defined]
        del self.world.uploads[upload]
        return info  # type: ignore[no-any-return]

    def abort(self, uri: str, upload: str) -> None:
        self._call("abort", uri)  # type: ignore[attr-defined]
        self.world.uploads.pop(upload, None)


class PartsInOrder(Parts):
    parts_in_order = True


class Within:
    """Copies its own objects."""

    world: World

    def copy(self, source: str, target: str, *, overwrite: bool, version: str | None = None) -> ObjectInfo:
        self._call("copy", target)  # type: ignore[attr-defined]
        if source not in self.world.objects:
            raise ObjectNotFoundError(source)
        content, number = self.world.objects[source]
        if version not in (None, str(number)):
            raise ObjectChangedError(source)
        if target in self.world.objects and not overwrite:
            raise ObjectExistsError(target)
        return self._keep(target, self.world.sent(content), overwrite)  # type: ignore[attr-defined,no-any-return]


class DeletingMany:
    world: World

    def delete_many(self, uris: Iterable[str]) -> None:
        self._call("delete_many", "")  # type: ignore[attr-defined]
        for uri in uris:
            self.world.objects.pop(uri, None)


class Concurrent:
    concurrency = 3


def made_of(world: World, *abilities: type) -> type:
    """The class of a store in memory that has these abilities."""
    return type("Made", (*abilities, Plain), {"world": world})


def sums_of(content: bytes, names: Iterable[str], crc: Callable[[str], Crc | None]) -> dict[str, str]:
    sums = Checksums(names, crc)
    sums.update(content)
    return sums.known


def crc32c_of(content: bytes) -> str:
    """As a report has it."""
    return f"crc32c:{CRC32C.extend(0, content):08x}"


def content(size: int, seed: int = 0) -> bytes:
    """Bytes that are nowhere the same."""
    block = b"".join(hashlib.sha256(f"{seed} {number}".encode()).digest() for number in range(512))
    return (block * (size // len(block) + 1))[:size] if size <= len(block) else _varied(block, size)


def names_in(path: Path) -> list[str]:
    """What is in a directory, but for the cache of the test."""
    return sorted(one.name for one in path.iterdir() if one.name != "cache")


def _varied(block: bytes, size: int) -> bytes:
    count = size // len(block) + 1
    return b"".join(number.to_bytes(4, "big") + block[4:] for number in range(count))[:size]


def _crc64(value: int, data: Any) -> int:
    value ^= 2**64 - 1
    for byte in bytes(data):
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x9A6C9329AC4BC9B5 if value & 1 else 0)
    return value ^ (2**64 - 1)


SMALL = 4 << 10
"""What `small_sizes` makes the largest object that is sent whole."""

LARGE = content(10 * SMALL + 7)


@pytest.fixture
def stores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., World]:
    """Has stores of a scheme made with abilities; gives their world."""
    made: dict[str, type] = {}
    found = registry.resolve
    monkeypatch.setattr(registry, "resolve", lambda verb, key: made.get(key) or found(verb, key))
    monkeypatch.setenv("MERCURY_CACHE_DIR", str(tmp_path / "cache"))
    small_sizes(monkeypatch.setattr)

    def make(scheme: str, *abilities: type, **settings: Any) -> World:
        world = World(part_size=SMALL // 2, **settings)
        made[scheme] = made_of(world, *abilities)
        return world

    return make


def tree_in(world: World, scheme: str, tree: dict[str, bytes]) -> str:
    world.fill({f"{scheme}://b/t/{name}": data for name, data in tree.items()})
    return f"{scheme}://b/t"


def small_sizes(patch: Callable[[str, object], None]) -> None:
    """Have objects of a few KiB count as large, so that tests of what is done with large ones are fast."""
    for module in ("to_store", "to_disk", "sending"):
        patch(f"mercury_core.storage.{module}.WHOLE", SMALL)
    for module in ("ranges", "sending"):
        patch(f"mercury_core.storage.{module}.RANGE", SMALL)


class Stop(BaseException):
    """The user has enough, or the process dies."""


def failing(world: World, method: str, after: int, error: BaseException | None = None) -> None:
    """Have a method fail from its call number `after` on."""

    def before(call: str, uri: str) -> None:
        if call == method and world.calls[call] > after:
            raise error or Stop

    world.calls.clear()
    world.before = before


def well(world: World) -> None:
    world.calls.clear()
    world.before = lambda call, uri: None

"""Objects in the memory of this process, under ``mem://bucket/name``."""

from __future__ import annotations

import io
import itertools
import threading
import time
from dataclasses import dataclass, field

from mercury_core.contracts import Crc, ObjectInfo, Part
from mercury_core.errors import (
    MercuryError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectNotFoundError,
    StoreAccessError,
    UploadGoneError,
    VerificationError,
)
from mercury_core.storage.atomic import atomic_file
from mercury_core.storage.checksums import Checksums

_PART = 4 << 20


@dataclass
class Shelf:
    """What all stores of one name hold."""

    objects: dict = field(default_factory=dict)
    uploads: dict = field(default_factory=dict)
    numbers: itertools.count = field(default_factory=lambda: itertools.count(1))
    lock: threading.RLock = field(default_factory=threading.RLock)


@dataclass(frozen=True)
class Held:
    """One object."""

    data: bytes
    version: str
    modified: float


class MemoryStore:
    """A store for tests and examples: what it holds is lost with the process.

    Args:
        shelf: Stores that name the same shelf hold the same objects.
        buckets: The only ones that there are; any by default.
    """

    conditional_put = True
    checksums = ("crc32c",)
    concurrency = 4
    parts_in_order = False
    shelves: dict[str, Shelf] = {}

    def __init__(self, shelf: str = "", buckets: list[str] | None = None):
        self._shelf, self._buckets = self.shelves.setdefault(shelf, Shelf()), buckets

    # --- what every store does ---

    def stat(self, uri: str) -> ObjectInfo:
        """One object."""
        return self._info(uri, self._held(uri))

    def list(self, uri: str):
        """Every object below."""
        self._reach("list", uri)
        below = uri.rstrip("/") + "/"
        with self._shelf.lock:
            found = [pair for pair in self._shelf.objects.items() if pair[0].startswith(below)]
        return (self._info(name, held) for name, held in sorted(found, key=lambda pair: pair[0].encode()))

    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None):
        """Read a range."""
        held = self._held(uri)
        if version not in (None, held.version):
            raise ObjectChangedError(uri)
        return io.BytesIO(held.data[start:end])

    def put(self, uri: str, data, *, overwrite: bool = False) -> ObjectInfo:
        """Write an object whole."""
        return self._publish(uri, data.read(), overwrite)

    def get(self, uri: str, path) -> None:
        """Write a file."""
        held = self._held(uri)
        with atomic_file(path) as beside:
            beside.write_bytes(held.data)

    def delete(self, uri: str) -> None:
        """Remove one object."""
        self._reach("delete", uri)
        self._shelf.objects.pop(uri, None)

    # --- abilities ---

    def crc(self, algorithm: str) -> Crc | None:
        """No algorithm that Mercury lacks."""

    def delete_many(self, uris) -> None:
        """Remove many objects."""
        for uri in uris:
            self.delete(uri)

    def copy(self, source: str, target: str, *, overwrite: bool, version: str | None = None) -> ObjectInfo:
        """Copy an object."""
        with self.open(source, version=version) as data:
            return self.put(target, data, overwrite=overwrite)

    def read_many(self, infos, ahead: int):  # what waits for no answer has nothing to send ahead
        """Read many objects."""
        for info in infos:
            yield _answer(self._whole, info)

    def put_many(self, contents, ahead: int, *, overwrite: bool):
        """Write many objects."""
        for uri, data in contents:
            yield _answer(self.put, uri, io.BytesIO(data), overwrite=overwrite)

    def copy_many(self, pairs, ahead: int, *, overwrite: bool):
        """Copy many objects."""
        for info, target in pairs:
            yield _answer(self.copy, info.uri, target, overwrite=overwrite, version=info.version)

    def level(self, uri: str):
        """What is directly below."""
        below, last = uri.rstrip("/") + "/", ""
        for info in self.list(uri):
            name, slash, _ = info.uri.removeprefix(below).partition("/")
            if not slash:
                yield info
            elif name != last:
                yield f"{below}{name}/"
                last = name

    def check(self, uri: str, *, write: bool = False) -> None:
        """Whether there is such a bucket."""
        self._reach("write" if write else "read", uri)

    def part_size(self, size: int) -> int | None:
        """In parts of 4 MiB or more."""
        return max(_PART, size // 1000) if size > _PART else None

    def begin(self, uri: str, size: int, *, overwrite: bool) -> str:
        """Begin an upload."""
        self._reach("write", uri)
        if not overwrite and uri in self._shelf.objects:
            raise ObjectExistsError(uri)
        upload = f"upload-{next(self._shelf.numbers)}"
        self._shelf.uploads[uri, upload] = {}
        return upload

    def put_part(self, uri: str, upload: str, number: int, data: memoryview) -> Part:
        """Keep one part."""
        block = bytes(data)
        part = Part(number, len(block), checksums={"crc32c": _crc32c(block)})
        self._upload(uri, upload)[number] = part, block
        return part

    def parts(self, uri: str, upload: str) -> list[Part]:
        """The parts that are kept."""
        return [part for _, (part, _) in sorted(self._upload(uri, upload).items())]

    def finish(self, uri: str, upload: str, parts, *, overwrite: bool, crc32c: str) -> ObjectInfo:
        """Make the parts an object."""
        kept = self._upload(uri, upload)
        data = b"".join(kept[part.number][1] for part in parts)
        if (found := _crc32c(data)) != crc32c:
            raise VerificationError(uri, f"crc32c {crc32c}", found)
        info = self._publish(uri, data, overwrite)
        self.abort(uri, upload)
        return info

    def abort(self, uri: str, upload: str) -> None:
        """Forget an upload."""
        self._shelf.uploads.pop((uri, upload), None)

    # --- helpers ---

    def _whole(self, info: ObjectInfo) -> bytes:
        with self.open(info.uri, version=info.version) as data:
            return data.read()

    def _reach(self, action: str, uri: str) -> None:
        bucket = uri.partition("://")[2].partition("/")[0]
        if self._buckets is not None and bucket not in self._buckets:
            raise StoreAccessError(action, uri, f"there is no bucket {bucket!r}", "Name another one.")

    def _held(self, uri: str) -> Held:
        self._reach("read", uri)
        held = self._shelf.objects.get(uri)
        if held is None:
            raise ObjectNotFoundError(uri)
        return held

    def _upload(self, uri: str, upload: str) -> dict:
        try:
            return self._shelf.uploads[uri, upload]
        except KeyError:
            raise UploadGoneError(uri) from None

    def _publish(self, uri: str, data: bytes, overwrite: bool) -> ObjectInfo:
        self._reach("write", uri)
        held = Held(data, str(next(self._shelf.numbers)), time.time())
        with self._shelf.lock:
            if not overwrite and uri in self._shelf.objects:
                raise ObjectExistsError(uri)
            self._shelf.objects[uri] = held
        return self._info(uri, held)

    def _info(self, uri: str, held: Held) -> ObjectInfo:
        return ObjectInfo(uri, len(held.data), held.modified, held.version, {"crc32c": _crc32c(held.data)})


def _answer(do, *what, **how):
    """What one of many gives, or the error that it raises."""
    try:
        return do(*what, **how)
    except MercuryError as error:
        return error


def _crc32c(data: bytes) -> str:
    running = Checksums(["crc32c"])
    running.update(data)
    return running.hex("crc32c")

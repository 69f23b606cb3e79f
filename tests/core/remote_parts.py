"""A store in memory that counts what is asked of it; the fixture `memory` registers it as ``mem``."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.contracts import ObjectInfo
from mercury_core.errors import ObjectChangedError, ObjectExistsError, ObjectNotFoundError, StoreAccessError

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Site

#: What is stored, by URI: a version and the content.
OBJECTS: dict[str, tuple[int, bytes]] = {}
#: What was asked for: the name of the method, the URI, and of a range its size.
ASKED: list[tuple[str, str, int]] = []
#: Buckets that are not there.
GONE: set[str] = set()
#: Buckets that do not answer before this is set.
SILENT: dict[str, threading.Event] = {}


class MemoryStore:
    """Objects under ``mem://bucket/key``."""

    def __init__(self, *, endpoint_url: str | None = None, max_concurrency: int = 4, token: str = "") -> None:
        self.endpoint_url = endpoint_url
        self.concurrency = max_concurrency

    def check(self, uri: str, *, write: bool = False) -> None:
        ASKED.append(("check for writing" if write else "check", uri, 0))
        self._reach(uri)

    def _reach(self, uri: str) -> None:
        bucket = uri.split("/")[2]
        if bucket in SILENT:
            SILENT[bucket].wait(60)
        if bucket in GONE:
            raise StoreAccessError("reach", uri, f"there is no bucket {bucket!r}", "Make it.")

    def stat(self, uri: str) -> ObjectInfo:
        ASKED.append(("stat", uri, 0))
        self._reach(uri)
        if uri not in OBJECTS:
            raise ObjectNotFoundError(uri)
        version, content = OBJECTS[uri]
        return ObjectInfo(uri, len(content), 1_700_000_000.0, str(version))

    def list(self, uri: str) -> Iterator[ObjectInfo]:
        ASKED.append(("list", uri, 0))
        self._reach(uri)
        for name in sorted(OBJECTS):
            if name.startswith(uri.rstrip("/") + "/") and name in OBJECTS:
                version, content = OBJECTS[name]
                yield ObjectInfo(name, len(content), 1_700_000_000.0, str(version))

    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> Any:
        if uri not in OBJECTS:
            raise ObjectNotFoundError(uri)
        now, content = OBJECTS[uri]
        if version is not None and version != str(now):
            raise ObjectChangedError(uri)
        part = content[start:end]
        ASKED.append(("open", uri, len(part)))
        return io.BytesIO(part)

    def put(self, uri: str, data: Any, *, overwrite: bool = False) -> ObjectInfo:
        ASKED.append(("put", uri, 0))
        if uri in OBJECTS and not overwrite:
            raise ObjectExistsError(uri)
        store(uri, data.read())
        version, content = OBJECTS[uri]
        return ObjectInfo(uri, len(content), 1_700_000_000.0, str(version))

    def get(self, uri: str, path: Path) -> None:
        path.write_bytes(self.open(uri).read())

    def delete(self, uri: str) -> None:
        OBJECTS.pop(uri, None)


def store(uri: str, content: bytes) -> None:
    """Put an object there, in a new version."""
    OBJECTS[uri] = OBJECTS.get(uri, (0, b""))[0] + 1, content


def fetched(uri: str) -> list[int]:
    """The sizes of what was fetched of an object."""
    return [size for what, where, size in ASKED if (what, where) == ("open", uri)]


@pytest.fixture
def memory(site: Site) -> Iterator[None]:
    """The store under the scheme ``mem``, with nothing in it."""
    hooks = """
        from mercury_core import Provider, hookimpl

        @hookimpl
        def mercury_copy():
            return [Provider("mem", "tests.core.remote_parts:MemoryStore", "Memory")]
        """
    site.install("acme-mem", {"acme_mem/__init__.py": "", "acme_mem/hooks.py": hooks}, {"mem": "acme_mem.hooks"})
    yield
    for event in SILENT.values():
        event.set()
    for kept in (OBJECTS, ASKED, GONE, SILENT):
        kept.clear()


def wait_for(true: Any, seconds: float = 20) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.01)

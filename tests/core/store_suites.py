"""Suites of stores that several tests share: of the disk, and of the sample plugin's objects in memory."""

from __future__ import annotations

import io
import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from mercury_core.builtin.disk import FileStore
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
    ReachableStore,
)
from mercury_core.storage.atomic import is_temporary
from mercury_core.storage.uri import join, to_path
from mercury_core.testing import StoreSuite
from tests.third_party.project.src.acme_mercury.memory import MemoryStore

if TYPE_CHECKING:
    from collections.abc import Iterator


class DiskSuite(StoreSuite):
    abilities = (ConditionalStore, DirectoryStore, LevelStore, ReachableStore)
    store_class: ClassVar[type] = FileStore

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.folder = tmp_path_factory.mktemp("store")

    def make_store(self) -> Any:
        return self.store_class()

    def make_base(self) -> str:
        return str(self.folder)

    def raw_put(self, uri: str, data: bytes) -> None:
        path = to_path(uri)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)

    def raw_get(self, uri: str) -> bytes | None:
        path = to_path(uri)
        return path.read_bytes() if path.is_file() else None

    def raw_list(self, base: str) -> Iterator[str]:
        return (join(base, name) for name in self.found(base) if not is_temporary(os.path.basename(name)))

    def raw_leftovers(self, base: str) -> Iterator[str]:
        return (name for name in self.found(base) if is_temporary(os.path.basename(name)))

    def found(self, base: str) -> Iterator[str]:
        for place, _, names in os.walk(to_path(base)):
            for name in names:
                yield (Path(place) / name).relative_to(to_path(base)).as_posix()


class MemorySuite(StoreSuite):
    abilities = (
        *(ChecksumStore, ConcurrentStore, ConditionalStore, CopyingStore, LevelStore, ManyCopyingStore),
        *(ManyDeletingStore, ManyPuttingStore, ManyReadingStore, MultipartStore, ReachableStore),
    )
    store_class: ClassVar[type] = MemoryStore
    in_parts = 9 << 20
    secrets = ("xyzzy",)
    numbers = itertools.count()

    def make_store(self) -> Any:
        return self.store_class(buckets=["bucket"])

    def make_base(self) -> str:
        return f"mem://bucket/{next(self.numbers)}"

    def raw_put(self, uri: str, data: bytes) -> None:
        MemoryStore().put(uri, io.BytesIO(data), overwrite=True)

    def raw_get(self, uri: str) -> bytes | None:
        held = MemoryStore.shelves[""].objects.get(uri)
        return None if held is None else held.data

    def raw_list(self, base: str) -> list[str]:
        return [uri for uri in MemoryStore.shelves[""].objects if uri.startswith(f"{base}/")]

    def raw_leftovers(self, base: str) -> list[str]:
        return [upload for uri, upload in MemoryStore.shelves[""].uploads if uri.startswith(f"{base}/")]

    def out_of_reach(self) -> str:
        return "mem://nowhere/a"

"""What a store must do that has an ability beyond the required ones."""

from __future__ import annotations

from typing import Any

import pytest

from mercury_core.contracts import (
    ChecksumStore,
    ConcurrentStore,
    CopyingStore,
    DirectoryStore,
    LevelStore,
    ManyDeletingStore,
    ObjectInfo,
    ReachableStore,
)
from mercury_core.errors import (
    ObjectChangedError,
    ObjectExistsError,
    ObjectNotFoundError,
    StorageError,
    StoreAccessError,
)
from mercury_core.storage.checksums import crc_of, join as join_crcs
from mercury_core.storage.uri import join
from mercury_core.testing.stores_setup import StoreSetup, assert_same, content, plain_crc
from mercury_core.testing.suite import needs


class AbilityTests(StoreSetup, is_suite=True):
    """Checksums, copies within a store, levels and the smaller abilities."""

    # --- checksums ---

    @needs(ChecksumStore)
    def test_a_checksum_of_what_was_put_is_told(self, store: Any, base: str) -> None:
        import io

        uri, data = join(base, "a"), content(50_000)
        info = store.put(uri, io.BytesIO(data))
        for found in (info, store.stat(uri)):
            assert set(found.checksums) & set(store.checksums), "none of `checksums` is told of an object that was put"
            self.check_info(store, found, uri, data)

    @needs(ChecksumStore)
    def test_what_it_says_of_its_crcs_is_so(self, store: Any) -> None:
        assert store.checksums
        assert not isinstance(store.checksums, str)
        for name in store.checksums:
            crc = store.crc(name) or crc_of(name)
            if crc is None:
                assert name in ("md5", "sha1", "sha256"), f"crc({name!r}) is to say how {name} is computed"
                continue
            assert crc.name == name
            first, second = content(1_000, 1), content(777, 2)
            for data in (b"", first, second, memoryview(first), bytearray(second)):
                assert crc.extend(0, data) == int(plain_crc(crc, bytes(data)), 16), f"{name} is another one"
            one, other, whole = (crc.extend(0, data) for data in (first, second, first + second))
            assert crc.extend(one, second) == whole
            assert join_crcs(crc, one, other, len(second)) == whole

    # --- copies within ---

    @needs(CopyingStore)
    def test_a_copy_within_is_the_same(self, store: Any, base: str) -> None:
        for name, data in (("a", content(100_000)), ("empty", b""), ("a b%20#?&+=", b"x"), ("caf\u00e9/日本", b"y")):
            source, target = join(base, name), join(base, f"copies/{name}")
            self.raw_put(source, data)
            info = store.copy(source, target, overwrite=False, version=store.stat(source).version)
            assert_same(self.raw_get(target), data)
            assert_same(self.raw_get(source), data)
            self.check_info(store, info, target, data)
            assert info.version == store.stat(target).version

    @needs(CopyingStore)
    def test_a_copy_within_replaces_only_where_it_is_told_to(self, store: Any, base: str) -> None:
        source, target = join(base, "a"), join(base, "b")
        self.raw_put(source, b"new")
        self.raw_put(target, b"old")
        with pytest.raises(ObjectExistsError) as caught:
            store.copy(source, target, overwrite=False)
        assert target in str(caught.value)
        assert self.raw_get(target) == b"old"
        store.copy(source, target, overwrite=True)
        assert self.raw_get(target) == self.raw_get(source) == b"new"

    @needs(CopyingStore)
    def test_a_copy_of_what_is_not_there_or_not_the_same_any_more(self, store: Any, base: str) -> None:
        source, target = join(base, "a"), join(base, "b")
        with pytest.raises(ObjectNotFoundError) as missing:
            store.copy(source, target, overwrite=False)
        assert source in str(missing.value)
        self.raw_put(source, b"one")
        if (version := store.stat(source).version) is not None:
            self.raw_put(source, b"another")
            with pytest.raises(ObjectChangedError) as changed:
                store.copy(source, target, overwrite=False, version=version)
            assert source in str(changed.value)
        assert self.raw_get(target) is None

    @needs(CopyingStore)
    def test_a_copy_onto_itself_loses_nothing(self, store: Any, base: str) -> None:
        self.raw_put(uri := join(base, "a"), b"content")
        for overwrite in (False, True):
            try:
                store.copy(uri, uri, overwrite=overwrite)
            except StorageError as error:
                assert uri in str(error)
            else:
                assert overwrite, "something is at the target, and it was not to be replaced"
            assert self.raw_get(uri) == b"content"

    # --- many at a time, levels ---

    @needs(ManyDeletingStore)
    def test_many_are_deleted_at_a_time(self, store: Any, base: str) -> None:
        gone = ["a", "b/c", "a b%20#?&+<=", "caf\u00e9/日本", "last"]
        self.fill(base, [*gone, "kept", "b/kept", "a2"])
        missing = [f"nothing/{place}" for place in range(2_100)]
        store.delete_many(join(base, name) for name in [*gone[:4], *missing, *gone[4:]])
        assert self.names(base) == ["a2", "b/kept", "kept"]
        store.delete_many([])
        assert self.names(base) == ["a2", "b/kept", "kept"]

    @needs(LevelStore)
    def test_a_level_has_what_is_directly_below(self, store: Any, base: str) -> None:
        made = self.fill(base, ["m/a", "m/b/x", "m/b/y/z", "m/b-c", "m/c d/x", "m/é", "m2/a", "mode", "n/m/a"])
        for place in (join(base, "m"), join(base, "m/")):
            level = list(store.level(place))
            told = [each.uri if isinstance(each, ObjectInfo) else each for each in level]
            assert told == [join(base, name) for name in ("m/a", "m/b-c", "m/b/", "m/c d/", "m/é")]
            assert [isinstance(each, ObjectInfo) for each in level] == [True, True, False, False, True]
            self.check_info(store, level[0], join(base, "m/a"), made["m/a"])
        top = [each if isinstance(each, str) else each.uri for each in store.level(base)]
        assert top == [join(base, name) for name in ("m/", "m2/", "mode", "n/")]
        for name in ("nothing", "m/a", "mod"):
            assert list(store.level(join(base, name))) == []

    # --- reach, concurrency ---

    @needs(ReachableStore)
    def test_a_check_passes_where_all_is_well_and_changes_nothing(self, store: Any, base: str) -> None:
        for uri in (base, join(base, "a"), join(base, "folder/a")):
            store.check(uri)
            store.check(uri, write=True)
        assert self.names(base) == []
        assert list(self.raw_leftovers(base)) == []

    @needs(ReachableStore)
    def test_a_check_says_what_is_out_of_reach(self, store: Any) -> None:
        uri = self.out_of_reach()
        if uri is None:
            return
        for write in (False, True):
            with pytest.raises(StoreAccessError) as caught:
                store.check(uri, write=write)
            assert uri in str(caught.value)

    @needs(ConcurrentStore)
    def test_some_requests_at_a_time_suit_it(self, store: Any) -> None:
        assert isinstance(store.concurrency, int)
        assert 1 <= store.concurrency <= 1_000

    # --- directories ---

    @needs(DirectoryStore)
    def test_directories_are_made_found_and_removed(self, store: Any, base: str) -> None:
        top = join(base, "top")
        assert list(store.directories(top)) == []
        for _ in range(2):
            store.make_directory(join(base, "top/a b/c"))
        store.make_directory(join(base, "top/d"))
        self.fill(base, ["top/d/file"])
        found = list(store.directories(top))
        assert found == [top, *(join(top, name) for name in ("a b", "a b/c", "d"))]
        assert [info.uri for info in store.list(base)] == [join(top, "d/file")]
        for uri in reversed(found):
            store.remove_directory(uri)
        store.remove_directory(join(base, "nothing"))
        assert list(store.directories(top)) == [top, join(top, "d")]
        assert self.names(base) == ["top/d/file"]

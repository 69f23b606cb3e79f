"""What any store must do when it is written to."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.contracts import ConditionalStore
from mercury_core.errors import ObjectExistsError, StoreAccessError
from mercury_core.storage.uri import join
from mercury_core.testing.stores_reading import AWKWARD
from mercury_core.testing.stores_setup import Piecemeal, ReaderFailedError, StoreSetup, assert_same, at_once, content
from mercury_core.testing.suite import needs

if TYPE_CHECKING:
    from pathlib import Path


class WritingTests(StoreSetup, is_suite=True):
    """Putting and deleting."""

    def test_put_writes_an_object_and_tells_of_it(self, store: Any, base: str) -> None:
        for name, data in (("a", content(100_000)), ("folder/deep/b", b"x"), ("empty", b"")):
            uri = join(base, name)
            info = store.put(uri, io.BytesIO(data))
            assert_same(self.raw_get(uri), data)
            self.check_info(store, info, uri, data)
            assert info.version == store.stat(uri).version
        assert self.names(base) == ["a", "empty", "folder/deep/b"]
        assert list(self.raw_leftovers(base)) == []

    def test_put_replaces_only_where_it_is_told_to(self, store: Any, base: str) -> None:
        self.raw_put(uri := join(base, "a"), b"old")
        with pytest.raises(ObjectExistsError) as caught:
            store.put(uri, io.BytesIO(b"new"))
        assert uri in str(caught.value)
        assert self.raw_get(uri) == b"old"
        info = store.put(uri, io.BytesIO(b"newer"), overwrite=True)
        assert self.raw_get(uri) == b"newer"
        self.check_info(store, info, uri, b"newer")
        store.put(uri, io.BytesIO(b""), overwrite=True)
        assert self.raw_get(uri) == b""
        store.put(join(base, "b"), io.BytesIO(b"b"), overwrite=True)
        assert self.names(base) == ["a", "b"]
        assert list(self.raw_leftovers(base)) == []

    def test_put_takes_a_stream_that_cannot_be_sought_in(self, store: Any, base: str) -> None:
        data = content(self.large)
        with io.BufferedReader(Piecemeal(data)) as stream:
            info = store.put(join(base, "a"), stream)
        assert_same(self.raw_get(join(base, "a")), data)
        self.check_info(store, info, join(base, "a"), data)
        assert list(self.raw_leftovers(base)) == []

    @pytest.mark.parametrize("old", [None, b"old"], ids=["nothing there", "something there"])
    def test_a_source_that_fails_leaves_what_was_there(self, store: Any, base: str, old: bytes | None) -> None:
        uri = join(base, "a")
        for fails_at in (0, 500_000, self.large):
            if old is not None:
                self.raw_put(uri, old)
            with (
                io.BufferedReader(Piecemeal(content(self.large), fails_at)) as stream,
                pytest.raises(ReaderFailedError),
            ):
                store.put(uri, stream, overwrite=old is not None)
            assert_same(self.raw_get(uri), old)
            assert self.names(base) == ([] if old is None else ["a"])
            assert list(self.raw_leftovers(base)) == []

    @pytest.mark.parametrize("name", AWKWARD.values(), ids=AWKWARD)
    def test_any_name_is_written_as_it_is(self, store: Any, base: str, name: str) -> None:
        for each in (name, f"{name}.d/{name}"):
            uri = join(base, each)
            info = store.put(uri, io.BytesIO(data := each.encode()))
            self.check_info(store, info, uri, data)
            assert_same(self.raw_get(uri), data)
        assert self.names(base) == sorted([name, f"{name}.d/{name}"])
        for each in (name, f"{name}.d/{name}"):
            store.delete(join(base, each))
        assert self.names(base) == []

    def test_long_names(self, store: Any, base: str, tmp_path: Path) -> None:
        part = "p" * self.longest_part
        nested = "/".join([part] * (self.longest_key // (self.longest_part + 1)) + ["end"])[: self.longest_key]
        for name in (part, f"{nested}x"[: self.longest_key]):
            uri = join(base, name.rstrip("/"))
            store.put(uri, io.BytesIO(b"x"))
            assert self.raw_get(uri) == b"x"
            assert store.stat(uri).size == 1
            store.get(uri, tmp_path / "a")
            assert [info.uri for info in store.list(base)] == [uri]
            store.delete(uri)

    def test_delete_removes_one_object(self, store: Any, base: str) -> None:
        self.fill(base, ["a", "a2", "b/c"])
        store.delete(join(base, "a"))
        assert self.names(base) == ["a2", "b/c"]
        for name in ("a", "nothing", "no/such/folder/a"):
            store.delete(join(base, name))
        assert self.names(base) == ["a2", "b/c"]

    def test_delete_of_names_above_others_leaves_those(self, store: Any, base: str) -> None:
        self.fill(base, ["b/c"])
        try:
            store.delete(join(base, "b"))
        except StoreAccessError as error:  # a disk says that it is a directory
            assert join(base, "b") in str(error)
        assert self.names(base) == ["b/c"]

    def test_what_was_deleted_can_be_written_again(self, store: Any, base: str) -> None:
        uri = join(base, "a")
        for data in (b"one", b"two"):
            store.put(uri, io.BytesIO(data))
            assert_same(self.raw_get(uri), data)
            store.delete(uri)
            assert self.raw_get(uri) is None

    def test_one_store_is_written_to_by_many_threads(self, store: Any, base: str) -> None:
        def work(place: int) -> None:
            for turn in range(3):
                uri, data = join(base, f"{place}/{turn}"), content(50_000, place * 3 + turn)
                self.check_info(store, store.put(uri, io.BytesIO(data)), uri, data)
            store.delete(join(base, f"{place}/0"))

        assert at_once(work) == [None] * 8
        assert self.names(base) == [f"{place}/{turn}" for place in range(8) for turn in (1, 2)]
        for place in range(8):
            assert_same(self.raw_get(join(base, f"{place}/2")), content(50_000, place * 3 + 2))

    def test_writers_of_one_object_leave_one_whole(self, store: Any, base: str) -> None:
        uri = join(base, "a")
        versions = [content(200_000, place) for place in range(8)]
        assert not any(at_once(lambda place: not store.put(uri, io.BytesIO(versions[place]), overwrite=True)))
        assert self.raw_get(uri) in versions
        assert self.names(base) == ["a"]
        assert list(self.raw_leftovers(base)) == []

    @needs(ConditionalStore)
    def test_one_of_many_creates(self, base: str) -> None:
        for turn in range(4):
            uri = join(base, f"turn{turn}")
            stores = [self.make_store() for _ in range(8)]

            def create(place: int, uri: str = uri, stores: list[Any] = stores) -> int:
                stores[place].put(uri, io.BytesIO(f"{place}".encode()))
                return place

            results = at_once(create)
            won = [result for result in results if isinstance(result, int)]
            assert len(won) == 1, f"{len(won)} of 8 writers were told that they created {uri}"
            assert all(isinstance(result, (int, ObjectExistsError)) for result in results), results
            assert self.raw_get(uri) == f"{won[0]}".encode()
        assert list(self.raw_leftovers(base)) == []

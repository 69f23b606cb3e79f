"""What any store must do when it is read."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.errors import ObjectChangedError, ObjectNotFoundError, StoreAccessError
from mercury_core.storage.uri import join
from mercury_core.testing.stores_setup import ABILITIES, StoreSetup, assert_same, at_once, content, files_in, has

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SIZE = 100_000
RANGES = [
    *((0, None), (0, SIZE), (0, 1), (3, 7), (50_000, 70_001), (SIZE - 1, None), (SIZE - 1, SIZE)),
    *((5, 5), (0, 0), (SIZE, None), (SIZE, SIZE + 5), (SIZE + 5, None), (10, SIZE + 10), (0, SIZE + 10)),
]
# By their bytes in UTF-8, and not one below another, which no disk could hold.
ORDERED = ["B", "a b", "a-b", "a.b/c", "a/b", "a/c/d", "a0", "b/~", "é/a", "\uff5e/z", "\U00010000/z"]
AWKWARD = {
    "space": "a b",
    "spaces": " a  b ",
    "percent": "100%",
    "escaped": "a%20b%2Fc",
    "hash": "a#b",
    "question": "a?b=c",
    "plus": "a+b",
    "ampersand": "a&b=c;d",
    "quotes": 'it\'s "so"',
    "backslash": "a\\b",
    "brackets": "a[1]{2}(3)<4>",
    "signs": "a!@$^*,:;=|~`",
    "composed": "caf\u00e9",
    "decomposed": "cafe\u0301",
    "wide": "日本語/データ",
    "astral": "\U0001f600",
    "dots": "a..b/.hidden/...",
    "dash": "-rf",
    "endings": "model.tar.gz",
    "line": "a\nb",
}


class ReadingTests(StoreSetup, is_suite=True):
    """Looking, listing and reading."""

    # --- the store itself ---

    def test_the_declared_abilities_are_those_it_has(self, store: Any) -> None:
        declared, found = set(self.abilities), {ability for ability in ABILITIES if has(store, ability)}
        missing, more = (sorted(each.__name__ for each in pair) for pair in (declared - found, found - declared))
        assert not missing, f"declared in `abilities`, but the store has none of: {', '.join(missing)}"
        assert not more, f"the store has abilities that are not declared in `abilities`: {', '.join(more)}"

    def test_making_one_opens_no_connection(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: object, **__: object) -> None:
            pytest.fail("a connection was opened")

        for name in ("connect", "connect_ex"):
            monkeypatch.setattr(socket.socket, name, refuse)
        for name in ("create_connection", "getaddrinfo"):
            monkeypatch.setattr(socket, name, refuse)
        self.make_store()

    def test_no_secret_is_shown(self, store: Any) -> None:
        shown = f"{store!r} {store}"
        assert not [secret for secret in self.secrets if secret in shown]

    # --- stat ---

    def test_stat_tells_the_size_and_only_what_is_true(self, store: Any, base: str) -> None:
        for name, data in (("some", content(SIZE)), ("empty", b"")):
            self.raw_put(uri := join(base, name), data)
            info = store.stat(uri)
            self.check_info(store, info, uri, data)
            assert info.modified is None or abs(info.modified - time.time()) < 86_400, "in seconds since the epoch"

    def test_stat_finds_nothing_where_nothing_is(self, store: Any, base: str) -> None:
        self.fill(base, ["folder/a"])
        for name in ("nothing", "folder", "fold", "folder/b", "folder/a/b"):
            uri = join(base, name)
            with pytest.raises(ObjectNotFoundError) as caught:
                store.stat(uri)
            assert uri in str(caught.value)

    def test_another_content_has_another_version(self, store: Any, base: str) -> None:
        uri = join(base, "a")
        versions = set()
        for data in (b"one", b"two", b"three"):
            self.raw_put(uri, data)
            versions.add(store.stat(uri).version)
        assert store.stat(uri).version == store.stat(uri).version
        assert len(versions) == 3 or versions == {None}

    # --- list ---

    def test_list_gives_every_object_once_in_the_order_of_names(self, store: Any, base: str) -> None:
        made = self.fill(base, reversed(ORDERED))
        listed = list(store.list(base))
        assert [info.uri for info in listed] == [join(base, name) for name in ORDERED]
        for name, info in zip(ORDERED, listed, strict=True):
            self.check_info(store, info, join(base, name), made[name])

    def test_list_gives_only_what_is_below(self, store: Any, base: str) -> None:
        self.fill(base, ["model/a", "model/b/c", "model2/a", "model.h5", "mode", "x/model/a"])
        for place in (join(base, "model"), join(base, "model/")):
            assert [info.uri for info in store.list(place)] == [join(base, "model/a"), join(base, "model/b/c")]
        assert [info.uri for info in store.list(join(base, "model/b"))] == [join(base, "model/b/c")]

    def test_list_of_an_object_or_of_nothing_is_empty(self, store: Any, base: str) -> None:
        self.fill(base, ["model/a"])
        for name in ("nothing", "mod", "model/a"):
            assert list(store.list(join(base, name))) == []

    def test_list_may_be_left_early(self, store: Any, base: str) -> None:
        self.fill(base, ["a", "b", "c"])
        listing = iter(store.list(base))
        assert next(listing).uri == join(base, "a")
        del listing
        assert len(list(store.list(base))) == 3

    # --- open ---

    @pytest.mark.parametrize(("start", "end"), RANGES)
    def test_open_reads_ranges(self, store: Any, base: str, start: int, end: int | None) -> None:
        self.raw_put(uri := join(base, "a"), data := content(SIZE))
        with store.open(uri, start, end) as file:
            assert_same(file.read(), data[start:end])

    def test_open_of_an_empty_object(self, store: Any, base: str) -> None:
        self.raw_put(uri := join(base, "a"), b"")
        for start, end in ((0, None), (0, 5), (0, 0), (5, None)):
            with store.open(uri, start, end) as file:
                assert file.read() == b""

    def test_what_is_open_reads_piece_by_piece(self, store: Any, base: str) -> None:
        self.raw_put(uri := join(base, "a"), data := content(SIZE))
        with store.open(uri, 10) as file:
            pieces = [file.read(0), file.read(1), file.read(7)]
            while piece := file.read(40_000):
                pieces.append(piece)
            assert (file.read(10), file.read()) == (b"", b"")
        assert b"".join(pieces) == data[10:]
        store.open(uri).close()  # all of it unread
        file = store.open(uri)
        assert file.read(1) == data[:1]
        file.close()
        file.close()
        assert_same(self.raw_get(uri), data)

    def test_open_of_nothing(self, store: Any, base: str) -> None:
        self.fill(base, ["folder/a"])
        for name in ("nothing", "folder/b"):
            with pytest.raises(ObjectNotFoundError) as caught:
                store.open(join(base, name))
            assert join(base, name) in str(caught.value)

    def test_open_reads_the_version_that_is_asked_for_or_none(self, store: Any, base: str) -> None:
        self.raw_put(uri := join(base, "a"), b"one")
        version = store.stat(uri).version
        with store.open(uri, 1, version=version) as file:
            assert file.read() == b"ne"
        if version is None:
            return  # the store tells versions apart by nothing, and its readers by checksums
        self.raw_put(uri, b"another")
        with pytest.raises(ObjectChangedError) as caught:
            store.open(uri, version=version)
        assert uri in str(caught.value)

    # --- get ---

    def test_get_writes_a_file(self, store: Any, base: str, tmp_path: Path) -> None:
        for name, data in (("some", content(SIZE)), ("empty", b"")):
            self.raw_put(join(base, name), data)
            store.get(join(base, name), tmp_path / name)
            assert (tmp_path / name).read_bytes() == data
        assert files_in(tmp_path) == ["empty", "some"]

    def test_get_writes_all_or_nothing(self, store: Any, base: str, tmp_path: Path) -> None:
        (tmp_path / "old").write_bytes(b"old")
        for name in ("new", "old"):
            with pytest.raises(ObjectNotFoundError) as caught:
                store.get(join(base, "nothing"), tmp_path / name)
            assert join(base, "nothing") in str(caught.value)
        assert files_in(tmp_path) == ["old"]
        assert (tmp_path / "old").read_bytes() == b"old"
        self.raw_put(join(base, "a"), b"new")
        store.get(join(base, "a"), tmp_path / "old")
        assert (tmp_path / "old").read_bytes() == b"new"

    # --- names, threads, errors ---

    @pytest.mark.parametrize("name", AWKWARD.values(), ids=AWKWARD)
    def test_any_name_is_read_as_it_is(self, store: Any, base: str, name: str) -> None:
        made = self.fill(base, [name, f"{name}.d/{name}"])
        assert {info.uri for info in store.list(base)} == {join(base, each) for each in made}
        for each, data in made.items():
            self.check_info(store, store.stat(join(base, each)), join(base, each), data)
            with store.open(join(base, each), 2) as file:
                assert_same(file.read(), data[2:])

    def test_names_that_look_the_same_are_two(self, store: Any, base: str) -> None:
        made = self.fill(base, [AWKWARD["composed"], AWKWARD["decomposed"], "cafe"])
        for name, data in made.items():
            with store.open(join(base, name)) as file:
                assert_same(file.read(), data)
        assert len(list(store.list(base))) == 3

    def test_one_store_is_read_by_many_threads(self, store: Any, base: str, tmp_path: Path) -> None:
        made = {f"{place}/a": content(SIZE, place) for place in range(8)}
        for name, data in made.items():
            self.raw_put(join(base, name), data)

        def work(place: int) -> None:
            uri, data = join(base, f"{place}/a"), made[f"{place}/a"]
            for _ in range(3):
                self.check_info(store, store.stat(uri), uri, data)
                with store.open(uri, place, 90_000) as file:
                    assert_same(file.read(), data[place:90_000])
                store.get(uri, tmp_path / str(place))
                assert (tmp_path / str(place)).read_bytes() == data
                assert len(list(store.list(base))) == 8

        assert at_once(work) == [None] * 8

    def test_what_is_out_of_reach_is_said_with_its_uri(self, store: Any, tmp_path: Path) -> None:
        from io import BytesIO

        uri = self.out_of_reach()
        if uri is None:
            return
        actions: dict[str, Callable[[], object]] = {
            "stat": lambda: store.stat(uri),
            "list": lambda: list(store.list(uri)),
            "open": lambda: store.open(uri).close(),
            "get": lambda: store.get(uri, tmp_path / "a"),
            "put": lambda: store.put(uri, BytesIO(b"x")),
            "delete": lambda: store.delete(uri),
        }
        for name, action in actions.items():
            with pytest.raises(StoreAccessError) as caught:
                action()
            assert uri in str(caught.value), f"what {name} says lacks the URI"
            assert not [secret for secret in self.secrets if secret in str(caught.value)]
        assert files_in(tmp_path) == []

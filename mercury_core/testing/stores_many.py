"""What a store must do that reads, writes or copies many small objects at a time: for each, what it does for one."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.contracts import (
    ChecksumStore,
    ConditionalStore,
    ManyCopyingStore,
    ManyPuttingStore,
    ManyReadingStore,
    ObjectInfo,
)
from mercury_core.errors import (
    MercuryError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectNotFoundError,
    StoreAccessError,
)
from mercury_core.storage.uri import join
from mercury_core.testing.stores_setup import StoreSetup, assert_same, at_once, content, has
from mercury_core.testing.suite import needs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Answers = Iterator[Any]

# Sizes that differ, so that answers come in another order than questions where nobody sees to it.
MANY = {
    "last/z": content(150_000, 1),
    "empty": b"",
    "a": b"a",
    "a b%20#?&+=": content(70_000, 2),
    "100%": b"percent",
    "a%2Fb": b"escaped",
    "caf\u00e9/\u65e5\u672c": b"wide",
    "cafe\u0301/\u65e5\u672c": b"decomposed",
    "\U0001f600": content(3_000, 3),
    **{f"more/{place}": content(500 * place, place) for place in range(20)},
}
#: Requests on their way: one by one, fewer and more than there are objects.
AHEADS = (1, 3, 100)


class ManyTests(StoreSetup, is_suite=True):
    """Many small objects at a time."""

    # --- reading ---

    @needs(ManyReadingStore)
    def test_many_are_read_as_one_by_one(self, store: Any, base: str) -> None:
        for name, data in MANY.items():
            self.raw_put(join(base, name), data)
        infos = {info.uri: info for info in store.list(base)}
        names = [*MANY, "a", "empty", "a"]
        asked = [infos[join(base, name)] for name in names]
        for ahead in AHEADS:
            read = list(store.read_many((info for info in asked), ahead))
            assert len(read) == len(names), f"{len(read)} answers for {len(names)} objects"
            for name, found in zip(names, read, strict=True):
                assert_same(_content(found), MANY[name])
        plain = [_content(found) for found in store.read_many([ObjectInfo(join(base, "a"), 1)], 2)]
        assert plain == [b"a"], "an ObjectInfo without a version is of whatever is there"
        assert list(store.read_many([], 3)) == []

    @needs(ManyReadingStore)
    def test_of_many_each_is_read_at_its_version(self, store: Any, base: str) -> None:
        made = self.fill(base, ["a", "changed", "b", "gone", "c"])
        infos = {info.uri: info for info in store.list(base)}
        self.raw_put(join(base, "changed"), b"another")
        store.delete(join(base, "gone"))
        for ahead in AHEADS:
            read = dict(zip(made, store.read_many([infos[join(base, name)] for name in made], ahead), strict=True))
            for name in "abc":
                assert_same(_content(read[name]), made[name])
            _check_error(read["gone"], ObjectNotFoundError, join(base, "gone"))
            if infos[join(base, "changed")].version is not None:
                _check_error(read["changed"], ObjectChangedError, join(base, "changed"))

    @needs(ManyReadingStore)
    def test_of_many_one_that_is_larger_than_was_said_is_not_cut(self, store: Any, base: str) -> None:
        self.raw_put(join(base, "a"), data := content(5_000))
        self.raw_put(join(base, "b"), b"b")
        info, other = store.stat(join(base, "a")), store.stat(join(base, "b"))
        for size in (0, 100, 4_999):
            read, after = store.read_many([replace(info, size=size), other], 2)
            assert len(_content(read)) > size, f"{size} bytes of {len(data)}, and nothing says that there are more"
            assert data.startswith(_content(read))
            assert _content(after) == b"b"

    # --- writing ---

    @needs(ManyPuttingStore)
    def test_many_are_put_as_one_by_one(self, store: Any, base: str) -> None:
        for ahead in AHEADS:
            place = join(base, str(ahead))
            told = list(
                store.put_many(((join(place, name), data) for name, data in MANY.items()), ahead, overwrite=False)
            )
            self.check_many(store, place, MANY, told)
            assert self.names(place) == sorted(MANY)
        assert list(store.put_many([], 3, overwrite=False)) == list(store.put_many([], 3, overwrite=True)) == []
        assert list(self.raw_leftovers(base)) == []

    @needs(ManyPuttingStore)
    def test_many_that_are_put_replace_only_where_they_are_told_to(self, store: Any, base: str) -> None:
        new = {name: f"new {name}".encode() for name in ("a", "b", "c", "d", "e")}
        for ahead in AHEADS:
            place = join(base, str(ahead))
            old = self.fill(place, ["b", "d"])
            asked = [(join(place, name), data) for name, data in new.items()]
            told = dict(zip(new, store.put_many(asked, ahead, overwrite=False), strict=True))
            for name in old:
                _check_error(told.pop(name), ObjectExistsError, join(place, name))
            self.check_many(store, place, {name: new[name] for name in told}, [*told.values()])
            assert {name: self.raw_get(join(place, name)) for name in old} == old
            self.check_many(store, place, new, list(store.put_many(asked, ahead, overwrite=True)))
            assert self.names(place) == sorted(new)
        assert list(self.raw_leftovers(base)) == []

    @needs(ManyPuttingStore, ConditionalStore)
    def test_one_of_many_creates_each_of_many(self, base: str) -> None:
        uris = [join(base, f"a{place}") for place in range(6)]
        stores = [self.make_store() for _ in range(6)]

        def create(place: int) -> list[Any]:
            return list(stores[place].put_many(((uri, f"{place}".encode()) for uri in uris), 3, overwrite=False))

        told = at_once(create, len(stores))
        for uri, answers in zip(uris, zip(*told, strict=True), strict=True):
            won = [place for place, answer in enumerate(answers) if isinstance(answer, ObjectInfo)]
            assert len(won) == 1, f"{len(won)} of {len(stores)} writers were told that they created {uri}"
            for answer in (answer for answer in answers if not isinstance(answer, ObjectInfo)):
                _check_error(answer, ObjectExistsError, uri)
            assert self.raw_get(uri) == f"{won[0]}".encode()

    # --- copies within ---

    @needs(ManyCopyingStore)
    def test_many_are_copied_as_one_by_one(self, store: Any, base: str) -> None:
        for name, data in MANY.items():
            self.raw_put(join(base, f"from/{name}"), data)
        infos = {info.uri: info for info in store.list(join(base, "from"))}
        for ahead in AHEADS:
            place = join(base, str(ahead))
            pairs = ((infos[join(base, f"from/{name}")], join(place, name)) for name in MANY)
            self.check_many(store, place, MANY, list(store.copy_many(pairs, ahead, overwrite=False)))
            assert self.names(place) == self.names(join(base, "from")) == sorted(MANY)
        for name, data in MANY.items():
            assert_same(self.raw_get(join(base, f"from/{name}")), data)
        assert list(store.copy_many([], 3, overwrite=False)) == list(store.copy_many([], 3, overwrite=True)) == []

    @needs(ManyCopyingStore)
    def test_many_copies_replace_only_where_they_are_told_to(self, store: Any, base: str) -> None:
        made = self.fill(join(base, "from"), ["a", "b", "c", "d", "e"])
        infos = list(store.list(join(base, "from")))
        for ahead in AHEADS:
            place = join(base, str(ahead))
            pairs = [(info, join(place, name)) for info, name in zip(infos, made, strict=True)]
            old = dict.fromkeys(("b", "d"), b"old")
            for name, data in old.items():
                self.raw_put(join(place, name), data)
            told = dict(zip(made, store.copy_many(pairs, ahead, overwrite=False), strict=True))
            for name in old:
                _check_error(told.pop(name), ObjectExistsError, join(place, name))
            self.check_many(store, place, {name: made[name] for name in told}, [*told.values()])
            assert {name: self.raw_get(join(place, name)) for name in old} == old
            self.check_many(store, place, made, list(store.copy_many(pairs, ahead, overwrite=True)))

    @needs(ManyCopyingStore)
    def test_many_copies_are_of_the_versions_that_were_listed(self, store: Any, base: str) -> None:
        made = self.fill(join(base, "from"), ["a", "changed", "b", "gone", "c"])
        infos = {info.uri: info for info in store.list(join(base, "from"))}
        self.raw_put(join(base, "from/changed"), b"another")
        store.delete(join(base, "from/gone"))
        asked = {name: infos[join(base, f"from/{name}")] for name in made}
        if asked["changed"].version is None:
            del asked["changed"]
        for overwrite, ahead in ((False, 1), (False, 3), (True, 3)):
            place = join(base, f"{overwrite}{ahead}")
            pairs = [(info, join(place, name)) for name, info in asked.items()]
            told = dict(zip(asked, store.copy_many(pairs, ahead, overwrite=overwrite), strict=True))
            _check_error(told.pop("gone"), (ObjectNotFoundError, ObjectChangedError), join(base, "from/gone"))
            if "changed" in told:
                _check_error(told.pop("changed"), ObjectChangedError, join(base, "from/changed"))
            self.check_many(store, place, {name: made[name] for name in "abc"}, [*told.values()])
            assert self.names(place) == ["a", "b", "c"]

    # --- all of them ---

    @needs(ManyReadingStore)
    def test_many_to_read_are_taken_as_they_are_needed(self, store: Any, base: str) -> None:
        self.fill(base, [f"{place:02}" for place in range(30)])
        infos = list(store.list(base))
        self.check_taking(infos, lambda taken, ahead: store.read_many(taken, ahead))
        assert len(list(store.read_many(infos, 8))) == 30

    @needs(ManyPuttingStore)
    def test_many_to_put_are_taken_as_they_are_needed(self, store: Any, base: str) -> None:
        asked = [(join(base, f"{place:02}"), b"x" * place) for place in range(30)]
        self.check_taking(asked, lambda taken, ahead: store.put_many(taken, ahead, overwrite=True))
        self.check_many(
            store, base, {uri[-2:]: data for uri, data in asked}, list(store.put_many(asked, 8, overwrite=True))
        )

    @needs(ManyCopyingStore)
    def test_many_to_copy_are_taken_as_they_are_needed(self, store: Any, base: str) -> None:
        made = self.fill(join(base, "from"), [f"{place:02}" for place in range(30)])
        pairs = [(info, join(base, f"to/{info.uri[-2:]}")) for info in store.list(join(base, "from"))]
        self.check_taking(pairs, lambda taken, ahead: store.copy_many(taken, ahead, overwrite=True))
        self.check_many(store, join(base, "to"), made, list(store.copy_many(pairs, 8, overwrite=True)))

    @needs(ManyReadingStore)
    def test_of_many_to_read_one_out_of_reach_stops_no_other(self, store: Any, base: str) -> None:
        self.fill(base, ["a", "b"])
        one, other = store.list(base)
        if (uri := self.out_of_reach()) is None:
            return
        for ahead in AHEADS:
            first, refused, last = store.read_many([one, replace(one, uri=uri, version=None), other], ahead)
            assert (first, last) == (b"content of a", b"content of b")
            self.check_refused(refused, uri)

    @needs(ManyPuttingStore)
    def test_of_many_to_put_one_out_of_reach_stops_no_other(self, store: Any, base: str) -> None:
        if (uri := self.out_of_reach()) is None:
            return
        for ahead in AHEADS:
            place = join(base, str(ahead))
            asked = [(join(place, "a"), b"a"), (uri, b"x"), (join(place, "b"), b"b")]
            first, refused, last = store.put_many(asked, ahead, overwrite=False)
            self.check_refused(refused, uri)
            self.check_many(store, place, {"a": b"a", "b": b"b"}, [first, last])

    @needs(ManyCopyingStore)
    def test_of_many_to_copy_one_out_of_reach_stops_no_other(self, store: Any, base: str) -> None:
        made = self.fill(base, ["a", "b"])
        one, other = store.list(base)
        if (uri := self.out_of_reach()) is None:
            return
        for ahead in AHEADS:
            place = join(base, f"to{ahead}")
            pairs = [
                (one, join(place, "a")),
                (one, uri),
                (replace(one, uri=uri), join(place, "x")),
                (other, join(place, "b")),
            ]
            first, *refused, last = store.copy_many(pairs, ahead, overwrite=False)
            for answer in refused:
                self.check_refused(answer, uri)
            self.check_many(store, place, made, [first, last])
            assert self.names(place) == ["a", "b"]

    @needs(ManyReadingStore, ManyPuttingStore)
    def test_many_at_a_time_by_many_threads(self, store: Any, base: str) -> None:
        def work(place: int) -> None:
            made = {f"{place}/{number}": content(2_000 * number + place, place) for number in range(12)}
            asked = [(join(base, name), data) for name, data in made.items()]
            for overwrite in (False, True):
                told = list(store.put_many(asked, 4, overwrite=overwrite))
                self.check_many(store, base, made, told)
                for data, found in zip(made.values(), store.read_many(told, 4), strict=True):
                    assert_same(_content(found), data)

        assert at_once(work) == [None] * 8

    # --- for these tests ---

    def check_many(self, store: Any, place: str, made: dict[str, bytes], told: list[Any]) -> None:
        """What was made must be there, and told of truly and in order."""
        assert len(told) == len(made), f"{len(told)} answers for {len(made)} objects"
        for (name, data), info in zip(made.items(), told, strict=True):
            uri = join(place, name)
            assert isinstance(info, ObjectInfo), f"{uri}: {info!r}"
            assert_same(self.raw_get(uri), data)
            self.check_info(store, info, uri, data)
            now = store.stat(uri)
            assert info.version == now.version
            if has(store, ChecksumStore):
                assert set(now.checksums) & set(store.checksums), f"none of `checksums` is told of {uri}"

    def check_taking(self, things: list[Any], ask: Callable[[Iterable[Any], int], Answers]) -> None:
        """No more are taken than are on their way, and whoever asked may go."""
        for ahead in (1, 4):
            taken = 0

            def take() -> Iterator[Any]:
                nonlocal taken
                for thing in things:
                    taken += 1
                    yield thing

            answers = iter(ask(take(), ahead))
            for given in range(1, 11):
                next(answers)
                assert taken <= given + ahead, f"{taken} were taken, for {given} answers and {ahead} on their way"
            if (close := getattr(answers, "close", None)) is not None:
                close()
            del answers
            assert taken <= 10 + ahead, "more were taken when nobody asked for them any more"

    def check_refused(self, answer: Any, uri: str) -> None:
        """An error that says what is out of reach, and no secret."""
        _check_error(answer, StoreAccessError, uri)
        assert not [secret for secret in self.secrets if secret in str(answer)]


def _content(answer: Any) -> bytes:
    if isinstance(answer, MercuryError):
        pytest.fail(f"an error, and not the content: {answer}")
    return bytes(answer)


def _check_error(answer: Any, kind: type | tuple[type, ...], uri: str) -> None:
    assert isinstance(answer, kind), f"{uri}: {answer!r}"
    assert uri in str(answer)

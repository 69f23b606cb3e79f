"""Copies between stores of different abilities: how objects travel, and that each is proven."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core import registry
from mercury_core.errors import (
    ObjectChangedError,
    ObjectExistsError,
    StoreAccessError,
    VerificationError,
)
from mercury_core.storage import CopyProgress, Stores, copy
from mercury_core.storage.places import write_at
from mercury_core.storage.pool import FIRST, Pool
from tests.core.storing import (
    SMALL,
    Concurrent,
    Conditional,
    DeletingMany,
    Parts,
    PartsInOrder,
    Plain,
    Telling,
    Within,
    World,
    content,
    crc32c_of,
    stores,
    tree_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["stores"]
TREE = {"a": b"a", "b/c": content(100), "b/empty": b"", "d": content(3 * SMALL + 5, 1), "ü %#?": content(SMALL, 2)}
ABILITIES: dict[str, tuple[type, ...]] = {
    "plain": (),
    "telling": (Conditional, Telling),
    "parts": (Conditional, Telling, Parts),
    "in-order": (Telling, PartsInOrder),
    "untold parts": (Parts,),
}


@pytest.mark.parametrize(("source", "target"), list(itertools.product(ABILITIES, ["disk", *ABILITIES])))
def test_any_store_to_any_other(source: str, target: str, stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one", *ABILITIES[source])
    two = stores("two", *ABILITIES.get(target, ()))
    where = str(tmp_path / "copy") if target == "disk" else "two://b/copy"
    report = copy(tree_in(one, "one", TREE), where)
    assert (report.files, report.bytes) == (len(TREE), sum(map(len, TREE.values())))
    assert report.checksums == {name: crc32c_of(data) for name, data in TREE.items()}
    if target == "disk":
        there = {
            path.relative_to(where).as_posix(): path.read_bytes()
            for path in (tmp_path / "copy").rglob("*")
            if path.is_file()
        }
        assert there == TREE
    else:
        assert two.contents("two://b/copy/") == TREE
        assert not two.uploads
    single = copy("one://b/t/d", f"{where}-d")
    assert single.checksums == {"d": crc32c_of(TREE["d"])}
    assert not list((tmp_path / "cache" / "copies").glob("*"))


@pytest.mark.parametrize("target", ["disk", *ABILITIES])
@pytest.mark.parametrize("tells", [("md5",), ("sha256", "md5"), ("crc64odd",), ("crc32", "md5"), ("md5", "crc32c")])
def test_whatever_checksums_stores_tell(
    tells: tuple[str, ...], target: str, stores: Callable[..., World], tmp_path: Path
) -> None:
    one = stores("one", Telling, tells=tells)
    stores("two", *ABILITIES.get(target, ()), tells=tells[::-1])
    source = tree_in(one, "one", TREE)
    where = str(tmp_path / "copy") if target == "disk" else "two://b/copy"
    assert copy(source, where).checksums == {name: crc32c_of(data) for name, data in TREE.items()}
    one.read = lambda data: data[:-1] + bytes([data[-1] ^ 1]) if data else data
    best = "crc" if any(name.startswith("crc") for name in tells) else tells[0]
    for name in ("a", "d"):
        with pytest.raises(VerificationError, match=rf"one://b/t/{name} did not arrive whole: expected {best}"):
            copy(f"one://b/t/{name}", f"{where}-{name}")


@pytest.mark.parametrize("guesses", [False, True])
def test_within_a_store_the_service_copies(guesses: bool, stores: Callable[..., World]) -> None:
    world = stores("one", Telling, Within, DeletingMany, guesses=guesses)
    source = tree_in(world, "one", TREE)
    report = copy(source, "one://b/copy", move=True)
    assert world.contents("one://b/copy/") == TREE
    assert world.contents("one://b/t/") == {}
    assert (world.calls["copy"], world.calls["open"], world.calls["put"], world.calls["delete"]) == (len(TREE), 0, 0, 0)
    assert report.checksums == {name: crc32c_of(data) for name, data in TREE.items()}
    world.sent = lambda data: bytes(len(data))
    with pytest.raises(VerificationError):
        copy("one://b/copy/d", "one://b/e")
    assert "one://b/e" not in world.objects


def test_a_service_that_tells_nothing_copies_too(stores: Callable[..., World]) -> None:
    world = stores("one", Within)
    report = copy(tree_in(world, "one", TREE), "one://b/copy")
    assert (world.contents("one://b/copy/"), report.checksums, report.files) == (TREE, {}, len(TREE))
    world.sent = lambda data: data + b"more"
    with pytest.raises(VerificationError):
        copy("one://b/t/a", "one://b/e")


def test_stores_of_other_settings_are_other_stores(
    stores: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = stores("one", Within)
    made = registry.resolve("copy", "one")
    monkeypatch.setattr(made, "__init__", lambda self, region="": None)
    source = tree_in(world, "one", TREE)
    copy(source, "one://c/copy", stores={"one://c": {"region": "x"}})
    assert (world.calls["copy"], world.contents("one://c/copy/")) == (0, TREE)
    copy(source, "one://c/again", stores=Stores({"one": {"region": "x"}}))
    assert world.calls["copy"] == len(TREE)


@pytest.mark.parametrize("target", ["disk", "two://b/copy"])
def test_a_guess_is_only_believed_where_it_agrees(target: str, stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one", Telling, guesses=True)
    stores("two", Telling)
    target = str(tmp_path / "copy") if target == "disk" else target
    copy(tree_in(one, "one", TREE), target)
    # The source itself, then each of which the listing guessed wrong: it was right about the empty one.
    assert one.calls["stat"] == 1 + len(TREE) - 1
    one.read = lambda data: bytes(len(data))
    with pytest.raises(VerificationError):
        copy("one://b/t", f"{target}2")


# --- what goes wrong ---


@pytest.mark.parametrize("target", list(ABILITIES))
@pytest.mark.parametrize("name", ["a", "d"])
def test_what_a_store_keeps_wrong_is_found_and_removed(name: str, target: str, stores: Callable[..., World]) -> None:
    one, two = stores("one"), stores("two", *ABILITIES[target])
    tree_in(one, "one", TREE)
    two.sent = lambda data: bytes([data[0] ^ 1]) + data[1:]
    with pytest.raises(VerificationError, match="two://b/x did not arrive whole"):
        copy(f"one://b/t/{name}", "two://b/x")
    assert (two.contents(), two.uploads) == ({}, {})
    assert two.calls["put"] + two.calls["finish"] == 3


@pytest.mark.parametrize("target", ["disk", *ABILITIES])
@pytest.mark.parametrize("name", ["a", "d"])
@pytest.mark.parametrize("fault", ["flipped", "cut", "longer"])
def test_once_is_no_harm(fault: str, name: str, target: str, stores: Callable[..., World], tmp_path: Path) -> None:
    one, two = stores("one", Telling), stores("two", *ABILITIES.get(target, ()))
    tree_in(one, "one", TREE)
    ill = iter([True])

    def read(data: bytes) -> bytes:
        if not next(ill, False):
            return data
        return {"flipped": bytes([data[0] ^ 1]) + data[1:], "cut": data[:-1], "longer": data + b"x"}[fault]

    one.read = read
    seen: list[CopyProgress] = []
    where = str(tmp_path / "copy") if target == "disk" else "two://b/x"
    report = copy(f"one://b/t/{name}", where, progress=seen.append)
    assert (tmp_path / "copy").read_bytes() if target == "disk" else two.contents()["two://b/x"] == TREE[name]
    assert seen[-1] == CopyProgress(1, len(TREE[name]), 1, len(TREE[name]))
    assert report.bytes == len(TREE[name])
    assert not two.uploads


@pytest.mark.parametrize("target", ["disk", *ABILITIES])
def test_a_source_that_changes_is_refused(target: str, stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one", Telling)
    two = stores("two", *ABILITIES.get(target, ()))
    source = tree_in(one, "one", TREE)

    def change(call: str, uri: str) -> None:
        if call == "open":
            one.before = lambda call, uri: None
            one.fill({uri: one.objects[uri][0][::-1]})

    for name in ("d", "b/c"):
        one.before = change
        where = str(tmp_path / "copy") if target == "disk" else "two://b/x"
        with pytest.raises(ObjectChangedError, match="was changed while it was read"):
            copy(f"{source}/{name}", where)
    assert two.contents() == {}
    assert not (tmp_path / "copy").exists()


def test_a_file_that_is_written_to_meanwhile_is_noticed(tmp_path: Path, stores: Callable[..., World]) -> None:
    (tmp_path / "log").write_bytes(content(100))
    two = stores("two")
    two.before = lambda call, uri: (tmp_path / "log").write_bytes(content(100, 1)) and None
    with pytest.raises(StoreAccessError, match="it changed while it was copied"):
        copy(tmp_path / "log", "two://b/x", move=True)
    assert (tmp_path / "log").exists()


def test_the_first_error_stops_the_others(stores: Callable[..., World]) -> None:
    one, two = stores("one"), stores("two", Concurrent)
    source = tree_in(one, "one", {f"{number:04}": b"x" for number in range(1000)})

    def refuse(call: str, uri: str) -> None:
        if call == "put" and uri.endswith("0005"):
            raise StoreAccessError("write", uri, "no")

    two.before = refuse
    with pytest.raises(StoreAccessError, match="two://b/copy/0005: no"):
        copy(source, "two://b/copy")
    assert two.calls["put"] < 30
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("mercury-copy")]


def test_a_listing_that_breaks_stops_the_copy(stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    source = tree_in(one, "one", {f"{number:04}": b"x" for number in range(100)})
    made = registry.resolve("copy", "one")
    whole = made.list

    def broken(self: Plain, uri: str) -> Any:
        yield from itertools.islice(whole(self, uri), 50)
        raise StoreAccessError("list", uri, "the connection was lost")

    made.list = broken
    with pytest.raises(StoreAccessError, match="the connection was lost"):
        copy(source, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    made.list = whole
    assert copy(source, tmp_path / "copy").resumed <= 50


def test_the_threads_are_as_many_as_suit_the_store(stores: Callable[..., World]) -> None:
    one, two = stores("one", Concurrent), stores("two")
    source, inside, most = tree_in(one, "one", {f"{number:03}": b"x" for number in range(60)}), set(), [0]

    def seen(call: str, uri: str) -> None:
        if call == "put":
            inside.add(threading.current_thread().name)
            most[0] = max(most[0], len(inside))

    two.before = seen
    copy(source, "two://b/copy")
    assert inside <= {f"mercury-copy-{number}" for number in range(Concurrent.concurrency)}


# --- what is there already ---


def test_two_that_race_to_one_object(stores: Callable[..., World]) -> None:
    one, two = stores("one"), stores("two", Conditional)
    tree_in(one, "one", TREE)
    two.before = lambda call, uri: two.fill({uri: b"faster"}) if call == "put" else None
    with pytest.raises(ObjectExistsError, match="two://b/x exists already"):
        copy("one://b/t/a", "two://b/x")
    assert two.contents() == {"two://b/x": b"faster"}
    assert copy("one://b/t/a", "two://b/y", overwrite="skip").skipped == 1


def test_skip_looks_once_for_a_whole_tree(stores: Callable[..., World]) -> None:
    one, two = stores("one"), stores("two")
    source = tree_in(one, "one", TREE)
    two.fill({"two://b/copy/a": b"old", "two://b/copy/more": b"old"})
    report = copy(source, "two://b/copy", overwrite="skip")
    assert (report.files, report.skipped) == (len(TREE) - 1, 1)
    assert two.contents("two://b/copy/") == {**TREE, "a": b"old", "more": b"old"}
    assert two.calls["stat"] == 0


def test_marks_of_directories_stay_what_they_are(stores: Callable[..., World], tmp_path: Path) -> None:
    one, two = stores("one"), stores("two")
    source = tree_in(one, "one", {"": b"", "hollow/": b"", "x": b"x"})
    copy(source, "two://b/copy")
    assert two.contents("two://b/copy/") == {"hollow/": b"", "x": b"x"}
    copy(source, tmp_path / "copy", move=True)
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["hollow", "x"]
    assert one.contents() == {"one://b/t/": b""}
    (tmp_path / "tree" / "hollow").mkdir(parents=True)
    (tmp_path / "tree" / "x").write_bytes(b"x")
    copy(tmp_path / "tree", "two://b/again")
    assert two.contents("two://b/again/") == {"x": b"x"}


def test_totals_are_told_when_they_are_known(stores: Callable[..., World]) -> None:
    one, two, seen = stores("one"), stores("two"), []
    source = tree_in(one, "one", TREE)
    two.fill({"two://b/copy/a": b"old"})
    copy(source, "two://b/copy", overwrite="skip", progress=seen.append)
    files, size = len(TREE) - 1, sum(map(len, TREE.values())) - 1
    assert seen[-1] == CopyProgress(files, size, files, size)
    assert {(done.files_total, done.bytes_total) for done in seen} <= {(None, None), (files, size)}


@pytest.mark.parametrize("target", ["disk", *ABILITIES])
@pytest.mark.parametrize("name", ["a", "d"])
def test_what_the_system_says_of_a_source_is_said_of_the_source(
    name: str, target: str, stores: Callable[..., World], tmp_path: Path
) -> None:
    one = stores("one")
    stores("two", *ABILITIES.get(target, ()))
    tree_in(one, "one", TREE)

    def refuse(call: str, uri: str) -> None:
        if call == "open" and uri.startswith("one"):
            raise PermissionError(13, "Permission denied")

    one.before = refuse
    where = str(tmp_path / "copy") if target == "disk" else "two://b/x"
    with pytest.raises(StoreAccessError, match=f"Cannot read one://b/t/{name}: permission denied"):
        copy(f"one://b/t/{name}", where)


def test_what_was_written_of_a_large_file_is_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "big").write_bytes(bytes(9 << 20))

    def write(handle: int, data: memoryview, at: int) -> None:
        write_at(handle, b"\1" + bytes(data)[1:], at)

    monkeypatch.setattr("mercury_core.storage.ranges.write_at", write)
    with pytest.raises(VerificationError, match="did not arrive whole: expected crc32c"):
        copy(tmp_path / "big", tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["big"]


@pytest.mark.parametrize("low", [True, False])
def test_more_threads_join_in_while_processors_are_idle(low: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mercury_core.storage.pool._Load.is_low", lambda _: low)
    meeting, at_once = threading.Barrier(8 if low else FIRST), set()

    def step(_: int) -> None:
        meeting.wait(10)  # broken, and so an error, unless just so many are there
        at_once.add(threading.get_ident())

    with Pool(8) as pool:
        pool.add(lambda: pool.share(range(meeting.parties), step))
        pool.wait()
    assert len(at_once) == meeting.parties

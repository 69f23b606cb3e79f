"""Copies that were interrupted are gone on with, and nothing is sent twice that arrived."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core import registry
from mercury_core.contracts import ObjectInfo
from mercury_core.errors import ObjectExistsError, StoreAccessError, VerificationError
from mercury_core.storage import CopyProgress, copy, slots
from mercury_core.storage.atomic import atomic_directory, atomic_file
from mercury_core.storage.records import Record
from tests.core.storing import (
    LARGE,
    SMALL,
    Conditional,
    Parts,
    Plain,
    Stop,
    Telling,
    Within,
    World,
    content,
    crc32c_of,
    failing,
    names_in,
    stores,
    tree_in,
    well,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["stores"]
TREE = {f"{number:02}/x": content(50 + number, number) for number in range(30)}


def files_of(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# --- to a disk ---


def test_a_tree_goes_on_where_it_was(stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one", Telling)
    source = tree_in(one, "one", TREE)
    failing(one, "open", 20)
    with pytest.raises(Stop):
        copy(source, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    well(one)
    report = copy(source, tmp_path / "copy")
    assert one.calls["open"] == len(TREE) - 20
    assert (report.files, report.resumed, report.bytes) == (len(TREE), 20, sum(map(len, TREE.values())))
    assert report.checksums == {name: crc32c_of(data) for name, data in TREE.items()}
    assert files_of(tmp_path / "copy") == TREE
    assert names_in(tmp_path) == ["copy"]


def interrupted(one: World, source: str, target: Path, opened: int = 20) -> Path:
    """Interrupt a copy; where what has arrived is."""
    failing(one, "open", opened)
    with pytest.raises(Stop):
        copy(source, target)
    well(one)
    kept: Path = slots.beside(target, "copy")
    assert kept.exists()
    return kept


def test_what_is_left_is_believed_only_with_proof(stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    source, target = tree_in(one, "one", TREE), tmp_path / "copy"
    kept = interrupted(one, source, target)
    there = sorted(name for name, data in files_of(kept).items() if data == TREE[name])
    (kept / there[0]).write_bytes(b"x" * len(TREE[there[0]]))  # damaged
    (kept / there[1]).write_bytes(b"")  # cut
    (kept / there[2]).unlink()  # lost
    (kept / "00" / "stray").write_bytes(b"stray")
    (kept / "stray").mkdir()
    one.fill({f"{source}/{there[3]}": b"changed since"})
    del one.objects[f"{source}/{there[4]}"]  # gone since
    now = {**TREE, there[3]: b"changed since"}
    del now[there[4]]
    report = copy(source, target)
    assert (report.resumed, files_of(target)) == (len(there) - 5, now)
    assert not (target / there[4]).parent.exists()
    assert names_in(tmp_path) == ["copy"]


def test_another_source_begins_anew(stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    interrupted(one, tree_in(one, "one", TREE), tmp_path / "copy")
    one.fill({"one://b/u/00/x": b"of another source", "one://b/u/y": b"y"})
    assert copy("one://b/u", tmp_path / "copy").resumed == 0
    assert files_of(tmp_path / "copy") == {"00/x": b"of another source", "y": b"y"}


@pytest.mark.parametrize("line", [b"", b"nonsense\n", b'[1, "one://b/t", 4096]\n["../x", "0", 0]\n[3', b"[]\n\xff"])
def test_a_journal_of_anything(line: bytes, stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    source, target = tree_in(one, "one", TREE), tmp_path / "copy"
    interrupted(one, source, target)
    slots.journal_of(target).write_bytes(line)
    assert copy(source, target).resumed == 0
    assert files_of(target) == TREE
    assert names_in(tmp_path) == ["copy"]


def test_a_store_that_tells_no_versions_is_read_again(
    stores: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = stores("one")
    made = registry.resolve("copy", "one")
    monkeypatch.setattr(made, "_info", lambda self, uri, data, number, *, listed=False: ObjectInfo(uri, len(data)))
    source, target = tree_in(one, "one", TREE), tmp_path / "copy"
    failing(one, "open", 20)
    with pytest.raises(Stop):
        copy(source, target)
    well(one)
    assert copy(source, target).resumed == 0
    assert files_of(target) == TREE


@pytest.mark.parametrize("overwrite", ["error", "replace"])
def test_a_large_file_goes_on_at_the_first_missing_range(
    overwrite: str, stores: Callable[..., World], tmp_path: Path
) -> None:
    one = stores("one", Telling)
    one.fill({"one://b/x": LARGE})
    failing(one, "open", 6)
    with pytest.raises(Stop):
        copy("one://b/x", tmp_path / "copy", overwrite=overwrite)
    kept = slots.beside(tmp_path / "copy", "copy")
    assert kept.stat().st_size == len(LARGE)
    with kept.open("r+b") as file:
        file.write(b"damaged")
    well(one)
    seen: list[CopyProgress] = []
    report = copy("one://b/x", tmp_path / "copy", overwrite=overwrite, progress=seen.append)
    assert (report.resumed, report.bytes, seen[-1].bytes) == (1, len(LARGE), len(LARGE))
    assert one.calls["open"] == 11 - 6 + 1
    assert (tmp_path / "copy").read_bytes() == LARGE
    assert names_in(tmp_path) == ["copy"]


@pytest.mark.parametrize("size", [len(LARGE), len(LARGE) - SMALL, len(LARGE) + SMALL])
def test_a_large_file_that_changed_begins_anew(size: int, stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one", Telling)
    one.fill({"one://b/x": LARGE})
    interrupted(one, "one://b/x", tmp_path / "copy", 6)
    one.fill({"one://b/x": content(size, 7)})
    assert copy("one://b/x", tmp_path / "copy").resumed == 0
    assert (tmp_path / "copy").read_bytes() == content(size, 7)
    assert stat.S_IMODE(os.stat(tmp_path / "copy").st_mode) & 0o600 == 0o600


def test_a_large_file_in_a_tree_goes_on(stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    source = tree_in(one, "one", {"a": b"a", "large": LARGE})
    interrupted(one, source, tmp_path / "copy", 8)
    report = copy(source, tmp_path / "copy")
    assert 1 <= report.resumed <= 2
    assert one.calls["open"] <= 12 - 8
    assert files_of(tmp_path / "copy") == {"a": b"a", "large": LARGE}


def test_other_writers_remove_what_is_left(stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    source = tree_in(one, "one", TREE)
    interrupted(one, source, tmp_path / "copy")
    with atomic_directory(tmp_path / "copy") as beside:
        (beside / "x").write_text("x")
    assert names_in(tmp_path) == ["copy"]
    one.fill({"one://b/x": LARGE})
    interrupted(one, "one://b/x", tmp_path / "file", 6)
    with atomic_file(tmp_path / "file") as beside:
        beside.write_text("x")
    assert names_in(tmp_path) == ["copy", "file"]


def test_one_that_is_under_way_is_left_alone(stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    source, target, again = tree_in(one, "one", TREE), tmp_path / "copy", []

    def second(call: str, uri: str) -> None:
        if call == "open" and not again:
            again.append(True)
            assert copy(source, target).resumed == 0

    one.before = second
    with pytest.raises(ObjectExistsError):
        copy(source, target)
    assert files_of(target) == TREE
    assert names_in(tmp_path) == ["copy"]


@pytest.mark.parametrize(
    "error", [StoreAccessError("write", "x", "the disk is full"), VerificationError("x", "a", "b")]
)
def test_what_would_not_help_is_not_kept(error: Exception, stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    source = tree_in(one, "one", TREE)
    failing(one, "open", 20, error)
    with pytest.raises(type(error)):
        copy(source, tmp_path / "copy")
    assert names_in(tmp_path) == []


# --- to a store ---


def test_a_tree_in_a_store_goes_on(stores: Callable[..., World], tmp_path: Path) -> None:
    one, two = stores("one", Telling), stores("two", Conditional, Telling)
    source = tree_in(one, "one", TREE)
    failing(two, "put", 20)
    with pytest.raises(Stop):
        copy(source, "two://b/copy")
    arrived = len(two.objects)
    assert arrived == 20
    (record,) = (tmp_path / "cache" / "copies").iterdir()
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    well(one)
    well(two)
    report = copy(source, "two://b/copy")
    assert (report.resumed, two.calls["put"], one.calls["open"]) == (20, 10, 10)
    assert two.contents("two://b/copy/") == TREE
    assert report.checksums == {name: crc32c_of(data) for name, data in TREE.items()}
    assert not record.exists()
    with pytest.raises(ObjectExistsError):
        copy(source, "two://b/copy")


@pytest.mark.parametrize("abilities", [(), (Telling,)])
@pytest.mark.parametrize("tells", [("crc32c",), ("md5",)])
def test_what_is_there_is_compared_as_it_can_be(
    tells: tuple[str, ...], abilities: tuple[type, ...], stores: Callable[..., World]
) -> None:
    one, two = stores("one"), stores("two", *abilities, tells=tells)
    tree = {**TREE, "large": LARGE}
    source = tree_in(one, "one", tree)
    failing(two, "put", 25)
    with pytest.raises(Stop):
        copy(source, "two://b/copy")
    well(two)
    arrived = len(two.objects)  # what was not proven yet when the copy was given up is removed
    assert arrived >= 20
    assert copy(source, "two://b/copy").resumed == arrived
    assert two.contents("two://b/copy/") == tree


@pytest.mark.parametrize("other", [b"x", TREE["00/x"][::-1]])
def test_what_somebody_else_put_there_is_not_taken_for_ours(other: bytes, stores: Callable[..., World]) -> None:
    one, two = stores("one"), stores("two", Conditional, Telling)
    source = tree_in(one, "one", TREE)
    failing(two, "put", 20)
    with pytest.raises(Stop):
        copy(source, "two://b/copy")
    well(two)
    two.fill({"two://b/copy/00/x": other})
    for _ in range(2):
        with pytest.raises(ObjectExistsError, match="two://b/copy/00/x exists already"):
            copy(source, "two://b/copy")
    assert two.contents()["two://b/copy/00/x"] == other
    assert copy(source, "two://b/copy", overwrite="replace").resumed >= 19
    assert two.contents("two://b/copy/") == TREE


def test_a_copy_that_brought_nothing_leaves_no_record(stores: Callable[..., World], tmp_path: Path) -> None:
    one, _ = stores("one"), stores("two")
    failing(one, "open", 0, StoreAccessError("read", "one://b", "no such bucket"))
    with pytest.raises(StoreAccessError):
        copy(tree_in(one, "one", TREE), "two://b/copy")
    assert list((tmp_path / "cache" / "copies").iterdir()) == []


def test_what_arrived_though_its_answer_was_lost_is_known_again(
    stores: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = stores("one"), stores("two")
    source, keep = tree_in(one, "one", TREE), Plain._keep

    def lose(self: Plain, uri: str, *words: Any) -> Any:
        keep(self, uri, *words)
        raise StoreAccessError("write", uri, "the connection was lost")

    with monkeypatch.context() as patch:
        patch.setattr(Plain, "_keep", lose)
        with pytest.raises(StoreAccessError):
            copy(source, "two://b/copy")
    assert copy(source, "two://b/copy").resumed >= 1


def test_a_record_of_a_live_copy_is_not_taken(stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    stores("two", Conditional)
    source = tree_in(one, "one", TREE)
    with Record(source, "two://b/copy") as record:
        assert record.active
        with pytest.raises(ObjectExistsError):
            copy(source, "two://b/copy")
    assert copy(source, "two://b/copy").resumed == 0


def test_without_a_place_for_records_copies_work(
    stores: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no directory")
    monkeypatch.setenv("MERCURY_CACHE_DIR", str(tmp_path / "file"))
    one, two = stores("one"), stores("two", Parts)
    source = tree_in(one, "one", {**TREE, "large": LARGE})
    failing(two, "put_part", 3)
    with pytest.raises(Stop):
        copy(f"{source}/large", "two://b/copy")
    assert two.uploads == {}  # nobody could go on with it
    well(two)
    assert copy(source, "two://b/copy").resumed == 0


def test_a_tree_within_a_store_goes_on(stores: Callable[..., World]) -> None:
    one = stores("one", Telling, Within)
    source = tree_in(one, "one", TREE)
    failing(one, "copy", 20)
    with pytest.raises(Stop):
        copy(source, "one://b/copy")
    well(one)
    assert copy(source, "one://b/copy").resumed == 20
    assert (one.calls["copy"], one.calls["open"]) == (10, 0)


def test_records_of_long_ago_are_removed(stores: Callable[..., World], tmp_path: Path) -> None:
    one, two = stores("one"), stores("two")
    source = tree_in(one, "one", TREE)
    failing(two, "put", 20)
    with pytest.raises(Stop):
        copy(source, "two://b/copy")
    well(two)
    (record,) = (tmp_path / "cache" / "copies").iterdir()
    os.utime(record, (0, 0))
    copy(source, "two://b/other")
    assert not record.exists()
    with pytest.raises(ObjectExistsError):
        copy(source, "two://b/copy")

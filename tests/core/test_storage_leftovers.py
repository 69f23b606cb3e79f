"""What others left, or a moment spoiled, is in no copy's way; what is its own, it goes on with."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest

from mercury_core import registry
from mercury_core.errors import StoreAccessError
from mercury_core.storage import copy, slots
from mercury_core.storage.atomic import atomic_directory, atomic_file
from mercury_core.storage.pool import Pool
from mercury_core.storage.records import Record
from tests.core.storing import (
    LARGE,
    SMALL,
    Conditional,
    Parts,
    Stop,
    Telling,
    World,
    content,
    failing,
    names_in,
    stores,
    tree_in,
    well,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mercury_core.contracts import ObjectInfo

__all__ = ["stores"]
TREE = {f"{number:02}/x": content(50 + number, number) for number in range(20)}


# --- what others left ---


def another_user(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Have what is under some names be another user's."""
    owned = slots.is_ours

    def is_ours(handle: int, path: Path) -> bool:
        return path.name not in names and owned(handle, path)

    monkeypatch.setattr(slots, "is_ours", is_ours)


def test_ours_is_what_this_user_made_or_who_owns_the_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "x").touch()
    owner = os.stat(tmp_path).st_uid
    with (tmp_path / "x").open() as file:
        assert slots.is_ours(file.fileno(), tmp_path / "x")
        monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
        assert slots.is_ours(file.fileno(), tmp_path / "x")  # a disk without owners
        monkeypatch.setattr(os, "fstat", lambda handle: os.stat_result((0o644, 0, 0, 1, owner + 2, 0, 0, 0, 0, 0)))
        assert not slots.is_ours(file.fileno(), tmp_path / "x")


@pytest.mark.parametrize("write", [atomic_file, atomic_directory])
def test_a_temporary_name_that_another_user_made_is_not_written_to(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = tmp_path / ".mercury-tmp-0-x"
    planted.touch() if write is atomic_file else planted.mkdir()
    another_user(monkeypatch, planted.name)
    with write(tmp_path / "x") as beside:
        assert beside.name == ".mercury-tmp-1-x"
        if write is atomic_file:
            beside.write_text("x")
    assert names_in(tmp_path) == ["x"]


@pytest.mark.parametrize("name", [".mercury-tmp-copy-copy", ".mercury-tmp-journal-copy"])
def test_what_another_user_left_is_not_gone_on_with(
    name: str, stores: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = stores("one", Telling)
    source = tree_in(one, "one", TREE)
    failing(one, "open", 10)
    with pytest.raises(Stop):
        copy(source, tmp_path / "copy")
    well(one)
    another_user(monkeypatch, name)
    assert copy(source, tmp_path / "copy").resumed == 0
    assert one.calls["open"] == len(TREE)
    assert names_in(tmp_path) == ["copy"]


def test_a_record_of_another_user_is_not_gone_on_with(
    stores: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = stores("one", Telling), stores("two", Conditional, Telling, Parts)
    one.fill({"one://b/x": LARGE})
    failing(two, "put_part", 3)
    with pytest.raises(Stop):
        copy("one://b/x", "two://b/x")
    well(two)
    (record,) = (tmp_path / "cache" / "copies").iterdir()
    another_user(monkeypatch, record.name)
    assert copy("one://b/x", "two://b/x").resumed == 0
    assert record.exists()


@pytest.mark.parametrize("kind", ["directory", "link", "deep"])
def test_what_is_no_record_is_in_nobodys_way(kind: str, stores: Callable[..., World], tmp_path: Path) -> None:
    one, two = stores("one", Telling), stores("two", Parts)
    one.fill({"one://b/x": LARGE})
    place = tmp_path / "cache" / "copies" / "x.json"
    place.parent.mkdir(parents=True)
    if kind == "directory":
        place.mkdir()
    elif kind == "link":
        place.symlink_to(tmp_path)
    else:
        place.write_bytes(b"[" * 200_000)
    os.utime(place, (0, 0))
    os.utime(tmp_path, (0, 0))
    copy("one://b/x", "two://b/x")
    assert two.contents() == {"two://b/x": LARGE}


def test_an_old_record_without_its_first_line_aborts_nothing_elsewhere(
    stores: Callable[..., World], tmp_path: Path
) -> None:
    one, two = stores("one", Telling), stores("two", Parts)
    one.fill({"one://b/x": LARGE})
    two.uploads["theirs"] = ("three://b/x", {})
    place = tmp_path / "cache" / "copies" / "x.json"
    place.parent.mkdir(parents=True)
    place.write_text('[1, "one://\n["upload", "three://b/x", "theirs", 5, "1"]\n')
    os.utime(place, (0, 0))
    copy("one://b/x", "two://b/x")
    assert list(two.uploads) == ["theirs"]


@pytest.mark.parametrize("line", [b"[" * 200_000, b'{"a":' * 100_000])
def test_a_journal_and_a_record_of_brackets(line: bytes, stores: Callable[..., World], tmp_path: Path) -> None:
    one, two = stores("one", Telling), stores("two", Conditional, Telling)
    source = tree_in(one, "one", TREE)
    for target in (tmp_path / "copy", "two://b/copy"):
        for world, method in ((one, "open"), (two, "put")):
            failing(world, method, 10)
        with pytest.raises(Stop):
            copy(source, target)
        well(one)
        well(two)
    (record,) = (tmp_path / "cache" / "copies").iterdir()
    for path in (tmp_path / ".mercury-tmp-journal-copy", record):
        with path.open("ab") as file:
            file.write(line)
    assert copy(source, tmp_path / "copy").resumed > 0
    assert copy(source, "two://b/copy").resumed > 0


@pytest.mark.parametrize("at", ["journal", "inside"])
def test_what_cannot_be_gone_on_with_is_begun_anew(
    at: str, stores: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = stores("one", Telling)
    source = tree_in(one, "one", TREE)
    (tmp_path / ".mercury-tmp-copy-copy" / "old").mkdir(parents=True)
    if at == "journal":
        (tmp_path / ".mercury-tmp-journal-copy").mkdir()
    else:
        removed = os.rmdir

        def refused(path: Any, **more: Any) -> None:
            if str(path).endswith("old"):
                raise PermissionError(13, "Permission denied", str(path))
            removed(path, **more)

        monkeypatch.setattr(os, "rmdir", refused)
    for _ in range(2):
        copy(source, tmp_path / "copy", overwrite="replace")
    assert {path.relative_to(tmp_path / "copy").as_posix() for path in (tmp_path / "copy").rglob("x")} == set(TREE)


# --- going on ---


def test_a_record_that_cannot_be_written_is_no_fault_of_the_copy(
    stores: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = stores("one", Telling), stores("two", Conditional, Telling, Parts)
    one.fill({"one://b/x": LARGE})
    written = os.write

    def full(handle: int, data: bytes) -> int:
        if b"upload" in data:
            raise OSError(28, "No space left on device")
        return written(handle, data)

    monkeypatch.setattr(os, "write", full)
    failing(two, "put_part", 3)
    with pytest.raises(Stop):
        copy("one://b/x", "two://b/x")
    assert two.uploads == {}  # nobody could go on with it
    well(two)
    copy("one://b/x", "two://b/x")
    assert two.contents() == {"two://b/x": LARGE}


def test_a_tree_that_replaces_goes_on_too(stores: Callable[..., World]) -> None:
    one, two = stores("one", Telling), stores("two", Conditional, Telling)
    source = tree_in(one, "one", TREE)
    two.fill({f"two://b/copy/{name}": data[::-1] for name, data in TREE.items()} | {"two://b/copy/more": b"old"})
    failing(two, "put", 12)
    with pytest.raises(Stop):
        copy(source, "two://b/copy", overwrite="replace")
    well(two)
    assert copy(source, "two://b/copy", overwrite="replace").resumed == 12
    assert two.calls["put"] == len(TREE) - 12
    assert two.contents("two://b/copy/") == TREE


@pytest.mark.parametrize("size", [50, 5 * SMALL])
def test_a_change_within_one_tick_is_not_taken_for_what_has_arrived(
    size: int, stores: Callable[..., World], tmp_path: Path
) -> None:
    one = stores("one", Telling)
    old, new = ({f"{number}": content(size, number + seed) for number in range(10)} for seed in (0, 100))
    source = tree_in(one, "one", old)
    store: Any = registry.resolve("copy", "one")
    told = store._info
    store._info = lambda *words, **more: replace(told(*words, **more), version=None)
    failing(one, "open", 6)
    with pytest.raises(Stop):
        copy(source, tmp_path / "copy")
    well(one)
    tree_in(one, "one", new)
    copy(source, tmp_path / "copy")
    assert {path.name: path.read_bytes() for path in (tmp_path / "copy").iterdir()} == new


def test_a_large_stream_whose_answer_was_lost_is_known_again(stores: Callable[..., World]) -> None:
    one, two = stores("one", Telling), stores("two", Telling)
    one.fill({"one://b/x": LARGE})
    store: Any = registry.resolve("copy", "two")
    put = store.put

    def lost(self: Any, uri: str, data: BinaryIO, *, overwrite: bool = False) -> ObjectInfo:
        put(self, uri, data, overwrite=overwrite)
        raise StoreAccessError("write", uri, "the connection was lost")

    store.put = lost
    with pytest.raises(StoreAccessError, match="lost"):
        copy("one://b/x", "two://b/x")
    store.put = put
    assert copy("one://b/x", "two://b/x").resumed == 1
    assert two.calls["put"] == 1


# --- Ctrl-C ---


def test_ctrl_c_while_threads_are_told_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = Pool(3)
    end, calls = Pool._end, iter([KeyboardInterrupt])

    def interrupted(self: Pool) -> None:
        for error in calls:
            raise error
        end(self)

    monkeypatch.setattr(Pool, "_end", interrupted)
    with pytest.raises(KeyboardInterrupt), pool:  # noqa: PT012
        for _ in range(5):
            pool.add(lambda: None)
        pool.wait()
    assert not pool.alive()


@pytest.mark.parametrize(
    ("place", "target"),
    [
        ("slots.lock", "{}/copy"),
        ("journal.Journal._read", "{}/copy"),
        ("slots.lock", "two://b/copy"),
        ("records._lines", "two://b/copy"),
    ],
)
def test_ctrl_c_leaves_nothing_locked(
    place: str, target: str, stores: Callable[..., World], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = stores("one", Telling), stores("two", Telling)
    source, target = tree_in(one, "one", TREE), target.format(tmp_path)

    def interrupted(*words: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(f"mercury_core.storage.{place}", interrupted)
        with pytest.raises(KeyboardInterrupt):
            copy(source, target)
    with Record(source, target) as record:
        assert record.active
    assert slots.take_kept(tmp_path / "copy", directory=True) is not None

"""What a store may tell that is not so, and where names may lead: nothing is lost, and nothing is written elsewhere."""

from __future__ import annotations

import io
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core import registry
from mercury_core.errors import ObjectChangedError, StoreAccessError, UriError, VerificationError
from mercury_core.storage import copy
from mercury_core.storage.records import Record
from tests.core.storing import (
    LARGE,
    SMALL,
    Parts,
    Stop,
    Telling,
    Within,
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


class Endless(io.RawIOBase):
    """A body that never ends; the test would not end either if all of it were wanted."""

    def __init__(self) -> None:
        self.given = self.calls = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.given, self.calls = self.given + len(buffer), self.calls + 1
        assert self.given < 8 << 20, "read on and on"
        assert self.calls < 1000, "read on and on"
        return len(buffer)


# --- stores that tell what is not so ---


@pytest.mark.parametrize("lies", ["one", "two"])
@pytest.mark.parametrize("size", [1, 100, 3 * SMALL])
def test_a_body_without_an_end(size: int, lies: str, stores: Callable[..., World]) -> None:
    one, _ = stores("one"), stores("two")
    one.fill({"one://b/x": content(size)})
    store: Any = registry.resolve("copy", lies)
    store.open = lambda self, uri, start=0, end=None, *, version=None: Endless()
    with pytest.raises(VerificationError, match=f"{lies}://b/x did not arrive whole"):
        copy("one://b/x", "two://b/x")


def test_a_size_that_is_not_true_takes_no_memory(stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one", Telling)
    one.fill({"one://b/t/x": LARGE})
    store: Any = registry.resolve("copy", "one")
    told = store._info
    store._info = lambda *words, **more: replace(told(*words, **more), size=1 << 42)
    with pytest.raises((VerificationError, StoreAccessError)):  # a disk may refuse so large a file
        copy("one://b/t", tmp_path / "copy")
    assert names_in(tmp_path) == []


def test_large_objects_that_arrive_wrong_give_their_memory_back(
    stores: Callable[..., World], monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = stores("one", Telling, tells=("md5",)), stores("two", Telling, Parts)
    two.part_size = 128 << 10
    monkeypatch.setattr("mercury_core.storage.pool.BUFFERS", 2 * two.part_size)
    whole = content(3 * two.part_size)
    one.fill({"one://b/x": whole})
    wrong = iter([True, True])
    one.read = lambda data: data[:-1] + b"!" if next(wrong, False) else data
    done = threading.Thread(target=copy, args=("one://b/x", "two://b/x"), daemon=True)
    done.start()
    done.join(60)
    assert two.contents() == {"two://b/x": whole}


def test_what_somebody_else_wrote_after_a_copy_within_a_store_stays(stores: Callable[..., World]) -> None:
    one = stores("one", Within, Telling)
    one.fill({"one://b/x": b"x"})
    store: Any = registry.resolve("copy", "one")
    copied = store.copy

    def overtaken(*words: Any, **more: Any) -> ObjectInfo:
        made = copied(*words, **more)
        one.fill({"one://b/y": b"y"})
        return replace(made, checksums={})

    store.copy = overtaken
    with pytest.raises(ObjectChangedError, match="one://b/y"):
        copy("one://b/x", "one://b/y")
    assert one.contents() == {"one://b/x": b"x", "one://b/y": b"y"}


# --- names ---


@pytest.mark.parametrize("overwrite", ["error", "skip", "replace"])
@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_that_leads_up_is_none(name: str, overwrite: str, stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    one.fill({f"one://b/t/{name}/x": b"x"})
    (tmp_path / "near" / "into").mkdir(parents=True)
    with pytest.raises(UriError, match="has no name under which it could be in there"):
        copy(f"one://b/t/{name}", f"{tmp_path}/near/into/", overwrite=overwrite)
    assert names_in(tmp_path / "near") == ["into"]


@pytest.mark.parametrize("name", [".mercury-tmp-copy-x", "a/.mercury-tmp-0-x/b", "a/b/.mercury-tmp-journal-x"])
@pytest.mark.parametrize("overwrite", ["error", "skip"])
def test_names_of_what_is_being_written_are_not_brought_to_a_disk(
    overwrite: str, name: str, stores: Callable[..., World], tmp_path: Path
) -> None:
    one = stores("one")
    one.fill({f"one://b/t/{name}": b"x"})
    target = tmp_path / "copy"
    if overwrite == "skip":
        target.mkdir()
    with pytest.raises(StoreAccessError, match="is kept for what is being written"):
        copy("one://b/t", target, overwrite=overwrite, move=True)
    assert not [path for path in target.rglob("*") if path.is_file()]
    assert one.contents("one://b/t/") == {name: b"x"}


@pytest.mark.parametrize(("source", "target"), [("one://b/t", "ONE://b/t"), ("One://b/t/", "one://b/t/x")])
def test_schemes_in_capitals_name_the_same_place(source: str, target: str, stores: Callable[..., World]) -> None:
    one = stores("one")
    one.fill({"one://b/t/x": b"x"})
    with pytest.raises(UriError):
        copy(source, target, overwrite="replace", move=True)
    assert one.contents() == {"one://b/t/x": b"x"}


def test_a_link_to_nothing_in_an_old_target_is_not_followed(stores: Callable[..., World], tmp_path: Path) -> None:
    one = stores("one")
    one.fill({"one://b/t/x": b"x"})
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "x").symlink_to(tmp_path / "outside")
    with pytest.raises(StoreAccessError, match="copy/x: a symbolic link there leads nowhere"):
        copy("one://b/t", tmp_path / "copy", overwrite="skip")
    assert names_in(tmp_path) == ["copy"]


def test_a_tree_replaces_the_object_that_would_be_read_in_its_place(
    stores: Callable[..., World], tmp_path: Path
) -> None:
    one, two = stores("one"), stores("two")
    source = tree_in(one, "one", TREE)
    two.fill({"two://b/t": b"old", "two://b/t2": b"another"})
    copy(source, "two://b/t", overwrite="replace")
    assert two.contents("two://b/t/") == TREE
    assert set(two.contents()) == {f"two://b/t/{name}" for name in TREE} | {"two://b/t2"}


# --- moves ---


def test_a_source_that_tells_checksums_only_is_not_deleted_when_it_changed(
    stores: Callable[..., World], tmp_path: Path
) -> None:
    one = stores("one", Telling)
    source = tree_in(one, "one", TREE)
    store: Any = registry.resolve("copy", "one")
    told = store._info
    store._info = lambda *words, **more: replace(told(*words, **more), version=None, modified=None)

    def change(progress: Any) -> None:
        if progress.files == len(TREE):
            one.fill({"one://b/t/05/x": TREE["05/x"][::-1]})

    with pytest.raises(StoreAccessError, match="it changed while it was copied"):
        copy(source, tmp_path / "copy", move=True, progress=change)
    assert len(one.objects) == len(TREE)


def test_a_mark_that_was_skipped_stays_where_it_was(stores: Callable[..., World]) -> None:
    one, two = stores("one"), stores("two")
    one.fill({"one://b/t/a/": b"", "one://b/t/b/": b""})
    two.fill({"two://b/t/a/": b""})
    told: list[Any] = []
    report = copy("one://b/t", "two://b/t", overwrite="skip", move=True, progress=told.append)
    assert (report.files, report.skipped) == (1, 1)
    assert one.contents("one://b/t/") == {"a/": b""}
    assert (told[-1].files, told[-1].files_total) == (1, 1)


# --- what was not proven ---


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("abilities", [(), (Parts,)])
def test_what_was_not_proven_is_not_skipped_later(
    abilities: tuple[type, ...], large: bool, stores: Callable[..., World]
) -> None:
    one, two = stores("one", Telling), stores("two", *abilities)
    one.fill({"one://b/t/x": LARGE if large else b"small"})
    two.sent = lambda data: data[:-1] + b"!"
    failing(two, "open", 0, StoreAccessError("read", "two://b/t/x", "the connection was lost"))
    with pytest.raises(StoreAccessError, match="lost"):
        copy("one://b/t", "two://b/t")
    assert two.contents() == {}
    well(two)
    two.sent = bytes
    assert copy("one://b/t", "two://b/t", overwrite="skip").skipped == 0
    assert two.contents("two://b/t/") == one.contents("one://b/t/")


@pytest.mark.parametrize("again", [False, True])
def test_a_checksum_that_only_the_target_knows(again: bool, stores: Callable[..., World]) -> None:
    one, two = stores("one"), stores("two", Telling, tells=("crc64odd",))
    one.fill({"one://b/t/x": LARGE, "one://b/t/y": b"small"})
    if again:
        two.fill({"two://b/t/x": LARGE, "two://b/t/y": b"small"})
        with suppress(Stop), Record("one://b/t", "two://b/t") as record:
            record.useful()
            raise Stop
    assert copy("one://b/t", "two://b/t").files == 2
    assert two.contents("two://b/t/") == one.contents("one://b/t/")
    assert two.calls["open"] == 0

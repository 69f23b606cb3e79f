"""Copies of files and trees, on a disk and between stores."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, BinaryIO

import pytest
from hypothesis import given, settings, strategies as st

from mercury_core import registry
from mercury_core.builtin.disk import FileStore
from mercury_core.contracts import ObjectInfo
from mercury_core.errors import (
    ArgumentsError,
    ObjectExistsError,
    ObjectNotFoundError,
    StoreAccessError,
    UnknownProviderError,
    UriError,
    VerificationError,
)
from mercury_core.storage import CopyProgress, copy
from mercury_core.storage.atomic import is_temporary
from mercury_core.storage.checksums import CRC32C
from mercury_core.storage.copying import resolve_target
from mercury_core.storage.uri import name_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TREE = {
    "a.txt": b"a",
    "a-b.txt": b"ab",
    "a/inner file.bin": bytes(range(256)) * 10,
    "a/empty": b"",
    "ü %41#?.txt": b"strange",
}
FOLDERS = ["hollow", "hollow/below"]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    make(tmp_path / "tree", TREE)
    for folder in FOLDERS:
        (tmp_path / "tree" / folder).mkdir()
    return tmp_path / "tree"


def make(root: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)


def files_of(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def folders_of(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_dir()}


class MemoryStore:
    """Objects in memory, as an object store has them: no directories."""

    objects: dict[str, bytes] = {}

    def stat(self, uri: str) -> ObjectInfo:
        if not name_of(uri):
            raise UriError(uri, "it names a bucket and no object in it", "Write mem://BUCKET/KEY.")
        if uri not in self.objects:
            raise ObjectNotFoundError(uri)
        return ObjectInfo(uri, len(self.objects[uri]))

    def list(self, uri: str) -> Iterator[ObjectInfo]:
        below = uri if uri.endswith("/") else f"{uri}/"
        return (ObjectInfo(key, len(self.objects[key])) for key in sorted(self.objects) if key.startswith(below))

    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> BinaryIO:
        return io.BytesIO(self.objects[uri][start:end])

    def put(self, uri: str, data: BinaryIO, *, overwrite: bool = False) -> ObjectInfo:
        if uri in self.objects and not overwrite:
            raise ObjectExistsError(uri)
        self.objects[uri] = data.read()
        return self.stat(uri)

    def get(self, uri: str, path: Path) -> None:
        path.write_bytes(self.objects[uri])

    def delete(self, uri: str) -> None:
        self.objects.pop(uri, None)


class LyingStore(MemoryStore):
    """Stores another content of the same size."""

    def put(self, uri: str, data: BinaryIO, *, overwrite: bool = False) -> ObjectInfo:
        return super().put(uri, io.BytesIO(bytes(len(data.read()))), overwrite=overwrite)


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    objects: dict[str, bytes] = {}
    monkeypatch.setattr(MemoryStore, "objects", objects)
    found = registry.resolve
    stores = {"mem": MemoryStore, "lie": LyingStore}
    monkeypatch.setattr(registry, "resolve", lambda verb, key: stores.get(key) or found(verb, key))
    return objects


# --- what is copied ---


def test_a_tree_comes_over_whole(tree: Path, tmp_path: Path) -> None:
    report = copy(tree, tmp_path / "new" / "copy")
    assert files_of(tmp_path / "new" / "copy") == TREE
    assert folders_of(tmp_path / "new" / "copy") == {"a", *FOLDERS}
    assert (report.files, report.bytes, report.skipped) == (len(TREE), sum(map(len, TREE.values())), 0)
    assert report.checksums == {name: f"crc32c:{CRC32C.extend(0, content):08x}" for name, content in TREE.items()}
    assert (report.source, report.target) == (str(tree), str(tmp_path / "new" / "copy"))
    assert report.seconds >= 0


def test_a_file_comes_over(tree: Path, tmp_path: Path) -> None:
    report = copy(tree / "a.txt", f"file://{tmp_path}/other%20place/b.txt")
    assert (tmp_path / "other place" / "b.txt").read_bytes() == b"a"
    assert (report.files, report.bytes, list(report.checksums)) == (1, 1, ["a.txt"])


names = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..") and not name.startswith(".mercury-tmp-")
)


@settings(deadline=None, max_examples=25)
@given(files=st.dictionaries(names, st.binary(max_size=50), min_size=1, max_size=5))
def test_any_name_survives_the_way_there_and_back(
    files: dict[str, bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = tmp_path_factory.mktemp("names")
    make(here / "tree", {f"below/{name}": content for name, content in files.items()})
    copy(f"file://{here}/tree", here / "there")
    copy(here / "there", f"file://{here}/back")
    assert files_of(here / "back") == files_of(here / "tree")


def test_the_target_is_the_result_and_a_slash_means_into(tree: Path, tmp_path: Path) -> None:
    assert copy(tree, f"{tmp_path}/into/").target == f"{tmp_path}/into/tree"
    assert copy(f"{tree}/", f"{tmp_path}/again/").target == f"{tmp_path}/again/tree"
    assert files_of(tmp_path / "into" / "tree") == files_of(tmp_path / "again" / "tree") == TREE
    (tmp_path / "there").mkdir()
    with pytest.raises(ObjectExistsError):
        copy(tree, tmp_path / "there")
    with pytest.raises(UriError, match=r"/ has no name under which it could be in there\. Name the result in full"):
        copy("/", f"{tmp_path}/there/")


def test_links_are_followed(tree: Path, tmp_path: Path) -> None:
    (tree / "link").symlink_to("a.txt")
    (tree / "linked").symlink_to("hollow", target_is_directory=True)
    copy(tree, tmp_path / "copy")
    assert (tmp_path / "copy" / "link").read_bytes() == b"a"
    assert not (tmp_path / "copy" / "link").is_symlink()
    assert (tmp_path / "copy" / "linked" / "below").is_dir()


def test_links_in_a_circle_or_to_nothing_and_pipes_are_refused(tree: Path, tmp_path: Path) -> None:
    (tree / "odd").symlink_to("..")
    with pytest.raises(StoreAccessError, match="the symbolic link leads to a directory above it"):
        copy(tree / "a" / "..", tmp_path / "copy")
    (tree / "odd").unlink()
    (tree / "odd").symlink_to("nothing")
    with pytest.raises(StoreAccessError, match=r"odd: the symbolic link leads nowhere\. Mend the link or remove it"):
        copy(tree, tmp_path / "copy")
    (tree / "odd").unlink()
    (tree / "odd").symlink_to("odd")
    with pytest.raises(StoreAccessError, match=r"Cannot read .*/tree/\w+: its symbolic links lead in a circle"):
        copy(tree, tmp_path / "copy")
    (tree / "odd").unlink()
    os.mkfifo(tree / "odd")
    with pytest.raises(StoreAccessError, match="it is neither a file nor a directory"):
        copy(tree, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_leftovers_of_writers_stay_behind(tree: Path, tmp_path: Path) -> None:
    (tree / ".mercury-tmp-0-x").write_text("half")
    copy(tree, tmp_path / "copy")
    assert files_of(tmp_path / "copy") == TREE


# --- what is there already ---


def test_what_exists_is_an_error_before_anything_is_copied(tree: Path, tmp_path: Path) -> None:
    make(tmp_path / "old", {"x": b"old"})
    for source, target in (
        (tree, tmp_path / "old"),
        (tree / "a.txt", tmp_path / "old" / "x"),
        (tree, tmp_path / "old/x"),
    ):
        with pytest.raises(ObjectExistsError, match="exists already: choose another target, or overwrite="):
            copy(source, target)
    assert files_of(tmp_path / "old") == {"x": b"old"}


def test_replace_makes_the_target_what_the_source_is(tree: Path, tmp_path: Path) -> None:
    make(tmp_path / "old", {"a.txt": b"old", "extra": b"old"})
    copy(tree, tmp_path / "old", overwrite="replace")
    assert files_of(tmp_path / "old") == TREE
    copy(tree / "a.txt", tmp_path / "old" / "a-b.txt", overwrite="replace")
    assert (tmp_path / "old" / "a-b.txt").read_bytes() == b"a"
    with pytest.raises(StoreAccessError, match=r"it is a directory\. Name a file in it"):
        copy(tree / "a.txt", tmp_path / "old" / "a", overwrite="replace")


def test_skip_leaves_what_is_there(tree: Path, tmp_path: Path) -> None:
    make(tmp_path / "old", {"a.txt": b"old", "extra": b"old"})
    report = copy(tree, tmp_path / "old", overwrite="skip")
    assert files_of(tmp_path / "old") == {**TREE, "a.txt": b"old", "extra": b"old"}
    assert folders_of(tmp_path / "old") == {"a", *FOLDERS}
    assert (report.files, report.skipped) == (len(TREE) - 1, 1)
    assert "a.txt" not in report.checksums
    assert copy(tree / "a.txt", tmp_path / "old" / "a.txt", overwrite="skip").skipped == 1
    with pytest.raises(StoreAccessError, match="it is a directory"):
        copy(tree / "a.txt", tmp_path / "old" / "a", overwrite="skip")


@pytest.mark.parametrize("overwrite", ["error", "skip", "replace"])
def test_nothing_is_copied_onto_or_into_itself(overwrite: str, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to("tree")
    for target, message in (
        (tree, "it is the source itself"),
        (tmp_path / "alias", "it is the source itself"),
        (tmp_path / "alias" / "x", "it is inside the source"),
        (f"{tree}/", "it is inside the source"),
        (tmp_path, "is inside of it"),
    ):
        with pytest.raises(UriError, match=message):
            copy(tree, target, overwrite=overwrite)
    assert files_of(tree) == TREE


def test_wrong_arguments(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(ArgumentsError, match="'overwrite' is 'replce': expected 'error', 'skip' or 'replace'"):
        copy(tree, tmp_path / "copy", overwrite="replce")
    with pytest.raises(ObjectNotFoundError, match="Nothing is stored at"):
        copy(tmp_path / "nothing", tmp_path / "copy")
    with pytest.raises(UnknownProviderError, match="'bogus'"):
        copy(tree, "bogus://x/y")
    assert not (tmp_path / "copy").exists()


# --- move ---


def test_a_move_deletes_the_source(tree: Path, tmp_path: Path) -> None:
    copy(tree / "a.txt", tmp_path / "b.txt", move=True)
    assert not (tree / "a.txt").exists()
    copy(tree, tmp_path / "moved", move=True)
    assert not tree.exists()
    assert files_of(tmp_path / "moved") == {name: content for name, content in TREE.items() if name != "a.txt"}


def test_a_move_leaves_what_was_skipped_or_came_in_between(tree: Path, tmp_path: Path) -> None:
    make(tmp_path / "old", {"a.txt": b"old"})

    def progress(done: CopyProgress) -> None:
        (tree / "late").write_text("late")

    copy(tree, tmp_path / "old", move=True, overwrite="skip", progress=progress)
    assert files_of(tree) == {"a.txt": b"a", "late": b"late"}


def test_a_move_that_fails_deletes_nothing(tree: Path, tmp_path: Path, memory: dict[str, bytes]) -> None:
    def change(done: CopyProgress) -> None:
        if done.files == len(TREE):
            (tree / "a.txt").write_bytes(b"changed in between")

    with pytest.raises(StoreAccessError, match=r"a\.txt: it changed while it was copied.*nothing was deleted"):
        copy(tree, tmp_path / "copy", move=True, progress=change)
    assert set(files_of(tree)) == set(TREE)
    with pytest.raises(VerificationError):
        copy(tree, "lie://bucket/tree", move=True)
    assert set(files_of(tree)) == set(TREE)
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "kept").write_text("kept")
    (tree / "linked").symlink_to(tmp_path / "real", target_is_directory=True)
    with pytest.raises(StoreAccessError, match="it is a symbolic link to a directory, whose files would be deleted"):
        copy(tree, tmp_path / "third", move=True)
    assert (tmp_path / "real" / "kept").exists()
    assert not (tmp_path / "third").exists()


# --- failures and progress ---


def test_a_tree_is_seen_when_it_is_whole(tree: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def progress(done: CopyProgress) -> None:
        assert not (tmp_path / "copy").exists()
        seen.append((done.files, done.bytes))

    report = copy(tree, tmp_path / "copy", progress=progress)
    assert seen == sorted(seen)
    assert seen[-1] == (report.files, report.bytes)


def test_an_error_in_between_shows_nothing(tree: Path, tmp_path: Path) -> None:
    def progress(done: CopyProgress) -> None:
        if done.files == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy(tree, tmp_path / "copy", progress=progress)
    assert [path.name for path in tmp_path.iterdir() if not is_temporary(path.name)] == ["tree"]
    assert copy(tree, tmp_path / "copy").resumed >= 2  # other threads were at work as well
    assert files_of(tmp_path / "copy") == TREE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy", "tree"]


def test_a_source_that_shrinks_is_noticed(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = FileStore.open
    monkeypatch.setattr(FileStore, "open", lambda self, uri, **more: whole(self, uri, 0, 1))
    with pytest.raises(VerificationError, match=r"did not arrive whole: expected 2 bytes, found 1 bytes\. Nothing was"):
        copy(tree / "a-b.txt", tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


def test_what_was_written_is_read_again(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mercury_core.storage.to_disk.read_at", lambda *at: b"something else")
    with pytest.raises(VerificationError, match="expected what was written, found something else"):
        copy(tree, tmp_path / "copy")
    assert [path.name for path in tmp_path.iterdir()] == ["tree"]


def test_a_file_and_a_directory_are_no_two_of_a_kind_to_skip(tree: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")
    (tmp_path / "directory").mkdir()
    with pytest.raises(StoreAccessError, match=r"/file: it is no directory, and the source is one\. Choose another"):
        copy(tree, tmp_path / "file", overwrite="skip")
    with pytest.raises(StoreAccessError, match=r"/directory: it is a directory\. Name a file in it"):
        copy(tree / "a.txt", tmp_path / "directory", overwrite="skip")
    assert (tmp_path / "file").read_bytes() == b"old"
    assert list((tmp_path / "directory").iterdir()) == []


# --- other stores ---


def test_a_tree_goes_to_another_store_and_back(tree: Path, tmp_path: Path, memory: dict[str, bytes]) -> None:
    copy(tree, "mem://bucket/models/")
    assert memory == {f"mem://bucket/models/tree/{name}": content for name, content in TREE.items()}
    copy("mem://bucket/models/tree", "mem://bucket/other", move=True)
    copy("mem://bucket/other", tmp_path / "back")
    assert files_of(tmp_path / "back") == TREE
    assert set(memory) == {f"mem://bucket/other/{name}" for name in TREE}


def test_a_bucket_is_a_tree_as_any_other(tree: Path, tmp_path: Path, memory: dict[str, bytes]) -> None:
    copy(tree, "mem://bucket")
    assert memory == {f"mem://bucket/{name}": content for name, content in TREE.items()}
    with pytest.raises(ObjectExistsError):
        copy(tree, "mem://bucket")
    assert copy(tree, "mem://bucket", overwrite="skip").skipped == len(TREE)
    copy("mem://bucket", tmp_path / "back")
    assert files_of(tmp_path / "back") == TREE
    with pytest.raises(UriError, match=r"names a bucket and no object in it\. Write mem://BUCKET/KEY"):
        copy(tree / "a.txt", "mem://bucket")
    with pytest.raises(ObjectNotFoundError):
        copy("mem://empty", tmp_path / "none")
    assert resolve_target(tree, "mem://") == "mem://"  # and not a bucket that has the name of the tree


def test_what_exists_in_another_store(tree: Path, memory: dict[str, bytes]) -> None:
    memory["mem://bucket/t/a.txt"] = memory["mem://bucket/t/extra"] = memory["mem://bucket/top"] = b"old"
    with pytest.raises(ObjectExistsError):
        copy(tree, "mem://bucket/t")
    assert copy(tree, "mem://bucket/t", overwrite="skip").skipped == 1
    assert memory["mem://bucket/t/a.txt"] == b"old"
    copy(tree, "mem://bucket/t", overwrite="replace")
    assert set(memory) == {"mem://bucket/top", *(f"mem://bucket/t/{name}" for name in TREE)}
    with pytest.raises(UriError, match="everything in it would be replaced"):
        copy(tree, "mem://bucket", overwrite="replace")
    with pytest.raises(ObjectExistsError):
        copy(tree / "a.txt", "mem://bucket/top")


def test_a_store_that_keeps_something_else_is_found_out(tree: Path, memory: dict[str, bytes]) -> None:
    with pytest.raises(VerificationError, match=r"lie://bucket/x did not arrive whole: expected crc32c \w{8}, found"):
        copy(tree / "a.txt", "lie://bucket/x")
    assert memory == {}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (["../escape"], "holds the name '../escape', which no file can have"),
        (["a//b"], "which no file can have"),
        (["a", "a/b"], "holds both 'a' and 'a/b', and on a disk a file is no directory"),
    ],
)
def test_names_that_a_disk_cannot_hold(keys: list[str], message: str, tmp_path: Path, memory: dict[str, bytes]) -> None:
    memory.update({f"mem://bucket/t/{key}": b"x" for key in keys})
    with pytest.raises(StoreAccessError, match=message):
        copy("mem://bucket/t", tmp_path / "copy")
    assert list(tmp_path.iterdir()) == []


def test_marks_of_directories_become_directories(tmp_path: Path, memory: dict[str, bytes]) -> None:
    memory.update({"mem://bucket/t/hollow/": b"", "mem://bucket/t/x": b"x"})
    copy("mem://bucket/t", tmp_path / "copy")
    assert folders_of(tmp_path / "copy") == {"hollow"}
    assert files_of(tmp_path / "copy") == {"x": b"x"}

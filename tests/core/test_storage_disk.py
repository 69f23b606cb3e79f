"""The local disk as a store."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.builtin.disk import FileStore
from mercury_core.contracts import ConditionalStore, DirectoryStore, LevelStore, ObjectInfo, ReachableStore
from mercury_core.errors import (
    MercuryError,
    ObjectChangedError,
    ObjectExistsError,
    ObjectNotFoundError,
    StoreAccessError,
)

if TYPE_CHECKING:
    from pathlib import Path

TREE = {"a.txt": b"a", "a-b.txt": b"ab", "a/inner file.bin": bytes(range(256)) * 10, "ü %41#?.txt": b"strange"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, content in TREE.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(content)
    (tmp_path / "tree" / "hollow").mkdir()
    return tmp_path / "tree"


def test_the_disk_lists_in_the_order_of_names(tree: Path) -> None:
    listed = [info.uri.removeprefix(f"{tree}/") for info in FileStore().list(str(tree))]
    assert listed == sorted(TREE, key=os.fsencode)
    assert list(FileStore().list(f"{tree}/nothing")) == list(FileStore().list(f"{tree}/a.txt")) == []


def test_the_disk_reads_ranges(tree: Path) -> None:
    store, uri = FileStore(), f"file://{tree}/a/inner%20file.bin"
    content = TREE["a/inner file.bin"]
    for start, end in ((0, None), (5, 10), (250, 2000), (10, 5), (0, 10**6), (10**6, None)):
        with store.open(uri, start, end) as file:
            assert file.read() == content[start:end]
    assert store.stat(uri).size == len(content)


def test_the_disk_puts_gets_and_deletes(tmp_path: Path) -> None:
    store, uri = FileStore(), f"{tmp_path}/below/x"
    assert store.put(uri, io.BytesIO(b"one")).size == 3
    with pytest.raises(ObjectExistsError):
        store.put(uri, io.BytesIO(b"two"))
    store.put(uri, io.BytesIO(b"three"), overwrite=True)
    store.get(uri, tmp_path / "y")
    assert (tmp_path / "y").read_bytes() == b"three"
    store.delete(uri)
    store.delete(uri)
    store.delete(f"{tmp_path}/y/below")


@pytest.mark.parametrize("call", ["stat", "open"])
def test_what_is_not_on_the_disk(call: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for uri in (f"{tmp_path}/nothing", f"{tmp_path}/file/below"):
        with pytest.raises(ObjectNotFoundError, match="Nothing is stored at"):
            getattr(FileStore(), call)(uri)


def test_a_directory_is_no_object(tmp_path: Path) -> None:
    store: Any = FileStore()
    with pytest.raises(ObjectNotFoundError):
        store.stat(str(tmp_path))
    with pytest.raises(StoreAccessError, match="it is a directory"):
        store.open(str(tmp_path))
    with pytest.raises(MercuryError, match=r"it is a directory|permission denied"):
        store.delete(str(tmp_path))
    assert tmp_path.is_dir()


def test_the_abilities_of_the_disk() -> None:
    for ability in (ConditionalStore, DirectoryStore, LevelStore, ReachableStore):
        assert isinstance(FileStore(), ability)


def test_one_level_of_the_disk(tree: Path) -> None:
    store = FileStore()
    (tree / ".mercury-tmp-0-x").write_text("half")
    found = list(store.level(f"file://{tree}"))
    shown = [one.uri if isinstance(one, ObjectInfo) else one for one in found]
    names = ["a-b.txt", "a.txt", "a/", "hollow/", "%C3%BC%20%2541%23%3F.txt"]
    assert shown == [f"file://{tree}/{name}" for name in names]
    assert isinstance(found[0], ObjectInfo)
    assert found[0].size == 2
    assert list(store.level(f"{tree}/a.txt")) == list(store.level(f"{tree}/nothing")) == []


def test_a_file_that_changed_is_another_version(tree: Path) -> None:
    store, uri = FileStore(), str(tree / "a.txt")
    version = store.stat(uri).version
    with store.open(uri, version=version) as file:
        assert file.read() == b"a"
    (tree / "new").write_bytes(b"b")
    os.utime(tree / "new", ns=(0, os.stat(uri).st_mtime_ns))
    (tree / "new").replace(uri)
    with pytest.raises(ObjectChangedError, match="was changed while it was read"):
        store.open(uri, version=version)
    assert store.put(uri, io.BytesIO(b"c"), overwrite=True).version == store.stat(uri).version


@pytest.mark.parametrize("write", [True, False])
def test_a_disk_that_can_be_used(write: bool, tree: Path) -> None:
    for place in (tree, tree / "a.txt", tree / "new" / "deep"):
        FileStore().check(str(place), write=write)


def test_a_disk_that_cannot_be_used(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreAccessError, match=r"a\.txt is a file, and nothing can be below a file"):
        FileStore().check(f"{tree}/a.txt/x", write=True)
    monkeypatch.setattr(os, "access", lambda path, mode: mode == os.R_OK | os.X_OK)
    FileStore().check(str(tree))
    with pytest.raises(StoreAccessError, match=r"Cannot write .*permission denied\. Give this user the right to write"):
        FileStore().check(f"{tree}/new", write=True)


def test_looking_up_the_disk_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    heavy = "{'pyarrow', 'numpy', 'pluggy', 'hashlib', 'shutil', 'tempfile', 'ctypes', 'mercury_core.storage.copying'}"
    program = f"import sys, mercury_core.builtin.disk as d; d.FileStore(); print(sorted({heavy} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == "[]\n"

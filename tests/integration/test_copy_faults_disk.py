"""Copies on a disk while everything fails that can."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core import copy
from mercury_core.errors import ObjectExistsError, StorageError, StoreAccessError
from mercury_core.testing.stores_setup import at_once, content
from tests.integration.copy_faults_setup import LARGE, TREE, read, small_disk, write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mercury_core.storage import CopyProgress
    from tests.servers.counting import Faults

__all__ = ["small_disk"]

# Killed when it is about to do something to the disk for the n-th time; without n, it tells how often it does.
PROGRAM = """
import os, signal, sys
from mercury_core import copy
import mercury_core.storage.copying

source, target, left = sys.argv[1], sys.argv[2], int(sys.argv[3])
home, count = os.path.dirname(target), 0

def watch(event, words):
    global count
    if event not in ("open", "os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"):
        return
    if isinstance(words[0], (str, bytes)) and os.fsdecode(words[0]).startswith(home):
        count += 1
        if count == left:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(watch)
copy(source, target)
print(count)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory in which nothing but sources and targets is to be left."""
    monkeypatch.setenv("MERCURY_CACHE_DIR", str(tmp_path / "cache"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def source_of(home: Path, kind: str) -> Path:
    """A tree or a large file."""
    if kind == "tree":
        write(home / "source", TREE)
    else:
        (home / "source").write_bytes(content(LARGE))
    return home / "source"


def whole(path: Path) -> dict[str, bytes]:
    return read(path) if path.is_dir() else {"": path.read_bytes()}


def once(action: Callable[[], Any]) -> Callable[[Any], None]:
    """A `progress` that does something when the first bytes are there."""
    waiting = [action]

    def progress(done: CopyProgress) -> None:
        if waiting and done.bytes:
            waiting.pop()()

    return progress


@pytest.mark.parametrize("kind", ["tree", "large"])
def test_killed_wherever_it_is_about_to_do_something(kind: str, home: Path, faults: Faults) -> None:
    source, target = source_of(home, kind), home / "target"
    before = whole(source)

    def run(left: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", PROGRAM, str(source), str(target), str(left)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

    total = int(run(0).stdout)
    assert total > 5
    for left in sorted(random.Random(7).sample(range(1, total + 1), min(10, total))):
        shutil.rmtree(target) if target.is_dir() else target.unlink(missing_ok=True)
        for again in (left, max(left // 2, 1)):
            done = run(again)
            if done.returncode == 0:  # the second had less to do
                break
            assert done.returncode == -signal.SIGKILL, done.stderr
            faults.count["killed"] += 1
            assert not target.exists() or whole(target) == before
            assert whole(source) == before
            if target.exists():
                break
        copy(source, target, overwrite="replace" if target.exists() else "error")
        assert whole(target) == whole(source) == before
        assert names(home) == ["source", "target"]


@pytest.mark.parametrize("kind", ["tree", "large"])
@pytest.mark.parametrize("change", ["changed", "truncated", "removed"])
def test_a_source_that_is_not_the_same_any_more(kind: str, change: str, home: Path, faults: Faults) -> None:
    source, target = source_of(home, kind), home / "target"
    # The last one: it is not copied yet when the first block was.
    file = source / sorted(TREE)[-1] if kind == "tree" else source
    data = file.read_bytes()

    def alter() -> None:
        faults.count[f"source {change}"] += 1
        if change == "removed":
            file.unlink()
        else:
            file.write_bytes(data[: len(data) // 2] if change == "truncated" else data[:-1] + bytes([data[-1] ^ 1]))

    try:
        copy(source, target, progress=once(alter))
    except StorageError as error:
        said = str(error)
        assert not target.exists()
    else:  # all of it was read before, or afterwards
        said = str(file)
        assert whole(target) in (whole(source), TREE if kind == "tree" else {"": data})
    assert str(file) in said or str(target) in said
    if change == "removed":
        file.write_bytes(data)
    copy(source, target, overwrite="replace")
    assert whole(target) == whole(source)
    assert names(home) == ["source", "target"]


def test_a_bit_that_flips_where_it_was_written(home: Path, faults: Faults) -> None:
    source, target = source_of(home, "large"), home / "target"

    def flip() -> None:
        faults.count["flipped on the disk"] += 1
        (beside,) = [path for path in home.iterdir() if path.name != "source" and path.stat().st_size >= 1 << 20]
        with beside.open("r+b") as file:
            first = file.read(1)
            file.seek(0)
            file.write(bytes([first[0] ^ 1]))

    copy(source, target, progress=once(flip))
    assert target.read_bytes() == content(LARGE) == source.read_bytes()
    assert names(home) == ["source", "target"]


@pytest.mark.parametrize("kind", ["tree", "large"])
def test_a_full_disk_leaves_nothing_and_a_larger_one_takes_it(
    kind: str, home: Path, small_disk: Path, faults: Faults
) -> None:
    source, target = source_of(home, kind), small_disk / "target"
    for move in (False, True):
        with pytest.raises(StoreAccessError, match="the disk is full"):
            copy(source, target, move=move)
        faults.count["disk full"] += 1
        assert names(small_disk) == []
    before = whole(source)
    subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
    copy(source, target, move=True)
    assert whole(target) == before
    assert names(home) == []


@pytest.mark.parametrize("kind", ["tree", "large"])
def test_the_directory_of_the_target_is_removed_meanwhile(kind: str, home: Path, faults: Faults) -> None:
    source, target = source_of(home, kind), home / "below" / "target"

    def remove() -> None:
        faults.count["target removed"] += 1
        shutil.rmtree(target.parent)

    with pytest.raises(StorageError) as caught:
        copy(source, target, progress=once(remove), move=True)
    assert str(target) in str(caught.value)
    assert not target.exists()
    before = whole(source)
    copy(source, target)
    assert whole(target) == whole(source) == before
    assert names(target.parent) == ["target"]


@pytest.mark.parametrize("kind", ["tree", "large"])
def test_two_copies_race_to_one_target(kind: str, home: Path, faults: Faults) -> None:
    sources = []
    for place in range(2):
        (home / f"{place}").mkdir()
        sources.append(source_of(home / f"{place}", kind))
    other = TREE | {"z/other": b"z"} if kind == "tree" else {"": content(LARGE, 1)}
    write(sources[1], other) if kind == "tree" else sources[1].write_bytes(other[""])
    versions = [whole(source) for source in sources]

    def race(target: Path, how: str, place: int) -> Any:
        return copy(sources[place], target, overwrite=how)

    for turn in range(3):
        target = home / f"target{turn}"
        for how in ("error", "replace"):
            results = at_once(partial(race, target, how), 2)
            faults.count["race"] += 1
            done = [place for place, result in enumerate(results) if not isinstance(result, Exception)]
            if how == "error":
                assert len(done) == 1, results
                assert isinstance(results[1 - done[0]], ObjectExistsError)
                assert whole(target) == versions[done[0]]
            else:
                assert done == [0, 1], results
                assert whole(target) in versions
    assert names(home) == ["0", "1", "target0", "target1", "target2"]

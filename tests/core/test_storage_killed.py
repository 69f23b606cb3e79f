"""Processes that are killed at any moment: nothing half is seen, and the next one goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from mercury_core.errors import ObjectExistsError
from mercury_core.storage import copy, slots, swap
from mercury_core.storage.atomic import atomic_file
from tests.core.storing import content as bytes_of
from tests.core.test_storage_atomic import content, names, write_directory, write_file

if TYPE_CHECKING:
    from pathlib import Path

KILLED = """
import sys, time
from pathlib import Path
from mercury_core.storage import swap
from mercury_core.storage.atomic import atomic_directory, atomic_file

kind, target, exchange = sys.argv[1:]
if exchange == "no":
    swap.exchange = lambda *_: False
print("ready", flush=True)
number = 0
while True:
    number += 1
    if kind == "file":
        with atomic_file(target) as beside, beside.open("w") as file:
            for _ in range(3):
                file.write(f"{number:09}" * 500)
                file.flush()
    else:
        with atomic_directory(target, overwrite=True) as beside:
            for place in range(3):
                (beside / f"sub{place}").mkdir()
                (beside / f"sub{place}" / "part").write_text(f"{number:09}")
"""


@pytest.mark.parametrize(("kind", "exchange"), [("file", "yes"), ("directory", "yes"), ("directory", "no")])
def test_killed_at_any_moment_it_is_the_old_or_the_new(kind: str, exchange: str, tmp_path: Path) -> None:
    target = tmp_path / "x"
    (write_file if kind == "file" else write_directory)(target, "000000000")
    for milliseconds in (3, 7, 12, 20, 31):
        command = [sys.executable, "-c", KILLED, kind, str(target), exchange]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            threading.Event().wait(milliseconds / 1000)
            process.kill()
        if exchange == "no":
            swap.recover(target)  # between its two renames there is no name; the next writer gives it back
        if kind == "file":
            text = target.read_text()
            assert text == text[:9] * (len(text) // 9)
            assert len(text) in (9, 13500)
        else:
            assert len(content(target)) == 1
    (write_file if kind == "file" else write_directory)(target, "last")
    assert content(target) == {"last"}
    assert names(tmp_path) == ["x"]


def test_a_directory_that_was_put_aside_comes_back(tmp_path: Path) -> None:
    write_directory(tmp_path / "x", "old")
    (tmp_path / "x").rename(tmp_path / f"{slots.PREFIX}old-x")
    with pytest.raises(ObjectExistsError):
        write_directory(tmp_path / "x", overwrite=False)
    assert content(tmp_path / "x") == {"old"}
    assert names(tmp_path) == ["x"]


def test_a_leftover_that_is_the_target_itself_is_not_emptied(tmp_path: Path) -> None:
    write_file(tmp_path / "x", "old", overwrite=False)
    os.link(tmp_path / "x", tmp_path / f"{slots.PREFIX}0-x")  # as when killed between link and unlink
    with pytest.raises(ValueError, match="mine"), atomic_file(tmp_path / "x"):
        raise ValueError("mine")
    assert (tmp_path / "x").read_text() == "old"
    assert names(tmp_path) == ["x"]


def test_a_link_planted_under_a_temporary_name_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("old")
    (tmp_path / f"{slots.PREFIX}0-x").symlink_to("precious")
    write_file(tmp_path / "x")
    assert (tmp_path / "precious").read_text() == "old"
    assert (tmp_path / "x").read_text() == "new"


# --- copies ---

COPIED = """
import os, signal, sys
from mercury_core import registry
from mercury_core.builtin.disk import FileStore
from mercury_core.storage import copy

def on_disk(uri):
    return uri.replace("far://", "")

class Far:
    # A store that is not the local disk, as far as a copy can see, and outlives the process.

    def stat(self, uri):
        return self._of(FileStore().stat(on_disk(uri)))

    def list(self, uri):
        return map(self._of, FileStore().list(on_disk(uri)))

    def open(self, uri, *ranges, **version):
        return FileStore().open(on_disk(uri), *ranges, **version)

    def put(self, uri, data, *, overwrite=False):
        return self._of(FileStore().put(on_disk(uri), data, overwrite=overwrite))

    def delete(self, uri):
        FileStore().delete(on_disk(uri))

    def _of(self, info):
        return type(info)(f"far://{info.uri.replace('far://', '')}", info.size, info.modified, info.version)

found = registry.resolve
registry.resolve = lambda verb, key: Far if key == "far" else found(verb, key)
source, target, calls = sys.argv[1], sys.argv[2], int(sys.argv[3])

def progress(done):
    global calls
    calls -= 1
    if not calls:
        os.kill(os.getpid(), signal.SIGKILL)

report = copy(source, target, progress=progress)
print(report.files, report.resumed)
"""


def tree_of(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize("scheme", ["", "far://"])
def test_a_copy_of_a_tree_that_is_killed_again_and_again_is_whole_in_the_end(scheme: str, tmp_path: Path) -> None:
    tree = {f"{number % 7}/{number}": bytes_of(number * 10, number) for number in range(200)}
    tree["large"] = bytes_of(20 << 20)
    for name, data in tree.items():
        (tmp_path / "tree" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(data)
    environment = {**os.environ, "MERCURY_CACHE_DIR": str(tmp_path / "cache")}
    target = f"{scheme}{tmp_path}/copy"

    def run(calls: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", COPIED, str(tmp_path / "tree"), target, str(calls)]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    for calls in (1, 17, 3, 60, 29, 90):
        assert run(calls).returncode == -9
        assert tree_of(tmp_path / "tree") == tree
        if scheme:
            there = tree_of(tmp_path / "copy") if (tmp_path / "copy").exists() else {}
            assert {name: data for name, data in there.items() if slots.PREFIX not in name}.items() <= tree.items()
        else:
            assert not (tmp_path / "copy").exists()
    ended = run(-1)
    assert ended.returncode == 0, ended.stderr
    files, resumed = map(int, ended.stdout.split())
    assert files == len(tree)
    assert resumed >= 40
    assert {name: data for name, data in tree_of(tmp_path / "copy").items() if slots.PREFIX not in name} == tree
    assert names(tmp_path) == ["cache", "copy", "tree"]
    assert not list((tmp_path / "cache" / "copies").glob("*"))


def test_a_copy_of_a_large_file_that_is_killed_goes_on(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(bytes_of(50 << 20))
    for calls in (45, 40):
        command = [sys.executable, "-c", COPIED, str(tmp_path / "x"), str(tmp_path / "copy"), str(calls)]
        assert subprocess.run(command).returncode == -9
        assert not (tmp_path / "copy").exists()
    assert copy(tmp_path / "x", tmp_path / "copy").resumed == 1
    assert (tmp_path / "copy").read_bytes() == (tmp_path / "x").read_bytes()
    assert names(tmp_path) == ["copy", "x"]


INTERRUPTED = """
import sys, threading
from mercury_core import registry
from mercury_core.contracts import ObjectInfo
from mercury_core.errors import ObjectNotFoundError
from mercury_core.storage import copy

class Hanging:
    def stat(self, uri):
        raise ObjectNotFoundError(uri)

    def list(self, uri):
        return (ObjectInfo(f"{uri}/{number}", 1) for number in range(10 ** 6))

    def open(self, uri, *ranges, **version):
        if uri.endswith("/0"):
            print("hangs", flush=True)
        threading.Event().wait()

registry.resolve = lambda verb, key, found=registry.resolve: Hanging if key == "hang" else found(verb, key)
try:
    copy("hang://b/t", sys.argv[1])
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_ends_a_copy_that_hangs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTED, str(tmp_path / "copy")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hangs\n"
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=30)
    assert said.endswith("interrupted\n")
    assert process.returncode == 0
    assert not (tmp_path / "copy").exists()

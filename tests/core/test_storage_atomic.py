"""Files and directories appear whole or not at all, whatever happens."""

from __future__ import annotations

import errno
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mercury_core.errors import ObjectExistsError, ObjectNotFoundError, StoreAccessError
from mercury_core.storage import atomic, slots, swap
from mercury_core.storage.atomic import atomic_directory, atomic_file, is_temporary, sha256_of

ROOT = os.geteuid() == 0
NOBODY = 65534


def names(directory: Path) -> list[str]:
    return sorted(entry.name for entry in directory.iterdir())


def write_file(path: Path, text: str = "new", overwrite: bool = True) -> None:
    with atomic_file(path, overwrite=overwrite) as beside:
        beside.write_text(text)


def write_directory(path: Path, text: str = "new", overwrite: bool = True) -> None:
    with atomic_directory(path, overwrite=overwrite) as beside:
        for place in range(3):
            (beside / f"sub{place}").mkdir()
            (beside / f"sub{place}" / "part").write_text(text)


def content(path: Path) -> set[str]:
    """All texts in a file or directory: one where it is whole."""
    files = [path] if path.is_file() else [path / f"sub{place}" / "part" for place in range(3)]
    return {file.read_text() for file in files}


BOTH = pytest.mark.parametrize("write", [write_file, write_directory])
Write = Callable[..., None]


# --- what is there afterwards ---


@BOTH
def test_it_appears_whole_under_its_name_and_nothing_else_stays(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "a" / "b" / "x.bin", "one")
    assert content(tmp_path / "a" / "b" / "x.bin") == {"one"}
    write(tmp_path / "a" / "b" / "x.bin", "two")
    assert content(tmp_path / "a" / "b" / "x.bin") == {"two"}
    assert names(tmp_path / "a" / "b") == ["x.bin"]


def test_the_file_beside_has_the_ending_and_is_known_as_temporary(tmp_path: Path) -> None:
    with atomic_file(tmp_path / f"{'n' * 240}.parquet") as beside:
        assert beside.suffix == ".parquet"
        assert beside.parent == tmp_path
        assert is_temporary(beside.name)
        assert not (tmp_path / f"{'n' * 240}.parquet").exists()
    with atomic_directory(tmp_path / "ü") as beside:
        assert is_temporary(beside.name)


def test_permissions_are_those_of_a_new_file(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_file(tmp_path / "f")
        write_directory(tmp_path / "d")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "f").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "d").stat().st_mode) == 0o750


@BOTH
def test_a_link_is_followed(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "real", "old")
    (tmp_path / "link").symlink_to("real")
    write(tmp_path / "link", "new")
    assert (tmp_path / "link").is_symlink()
    assert content(tmp_path / "real") == {"new"}


def test_uris_serve_as_paths(tmp_path: Path) -> None:
    with atomic_file(f"file://{tmp_path}/a%20b") as beside:
        beside.write_text("x")
    assert names(tmp_path) == ["a b"]
    assert sha256_of(tmp_path / "a b") == "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    with pytest.raises(ObjectNotFoundError):
        sha256_of(tmp_path / "nothing")


# --- errors ---


@BOTH
def test_an_error_leaves_what_was_there(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "x", "old")
    context = atomic_file if write is write_file else atomic_directory
    for error in (
        ValueError("mine"),
        KeyboardInterrupt(),
        FileNotFoundError(errno.ENOENT, "of another file", "input.csv"),
    ):
        with pytest.raises(type(error)) as caught, context(tmp_path / "x", overwrite=True) as beside:  # noqa: PT012
            (beside / "half" if beside.is_dir() else beside).write_text("half")
            raise error
        assert caught.value is error
        assert content(tmp_path / "x") == {"old"}
        assert names(tmp_path) == ["x"]


@BOTH
def test_without_overwrite_what_exists_stays(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "x", "old", overwrite=False)
    with pytest.raises(ObjectExistsError, match="exists already: choose another target, or overwrite="):
        write(tmp_path / "x", overwrite=False)
    context = atomic_file if write is write_file else atomic_directory
    with pytest.raises(ObjectExistsError), context(tmp_path / "y", overwrite=False):
        write(tmp_path / "y", "somebody else's")
    assert content(tmp_path / "x") == {"old"}
    assert content(tmp_path / "y") == {"somebody else's"}
    assert names(tmp_path) == ["x", "y"]


def test_a_disk_without_hard_links_holds_create_only_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    write_file(tmp_path / "x", "old", overwrite=False)
    with pytest.raises(ObjectExistsError), atomic_file(tmp_path / "y", overwrite=False):
        (tmp_path / "y").write_text("somebody else's")
    assert (tmp_path / "y").read_text() == "somebody else's"
    assert names(tmp_path) == ["x", "y"]


def test_only_one_of_many_creates(tmp_path: Path) -> None:
    made: list[int] = []
    start = threading.Barrier(12)

    def create(place: int) -> None:
        start.wait()
        try:
            write_file(tmp_path / "x", str(place), overwrite=False)
        except ObjectExistsError:
            return
        made.append(place)

    run_all([threading.Thread(target=create, args=(place,)) for place in range(12)])
    assert [(tmp_path / "x").read_text()] == [str(place) for place in made]
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("exchange", [True, False])
@BOTH
def test_many_writers_at_once_leave_one_whole_result(
    write: Write, exchange: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not exchange:
        monkeypatch.setattr(swap, "exchange", lambda *_: False)
    faults: list[BaseException] = []

    def work(place: int) -> None:
        try:
            for _ in range(5):
                write(tmp_path / "x", str(place))
        except BaseException as error:  # noqa: BLE001 — shown below
            faults.append(error)

    run_all([threading.Thread(target=work, args=(place,)) for place in range(12)])
    assert faults == []
    assert len(content(tmp_path / "x")) == 1
    assert names(tmp_path) == ["x"]


def run_all(threads: list[threading.Thread]) -> None:
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)


def test_wrong_places(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "directory").mkdir()
    for write in (write_file, write_directory):
        with pytest.raises(
            StoreAccessError,
            match=r"Cannot write .*/file/below/x: .*/file is a file, and nothing can be below a file\. Choose",
        ):
            write(tmp_path / "file" / "below" / "x")
        with pytest.raises(StoreAccessError, match=r"the name is too long for this disk\. Choose a shorter one"):
            write(tmp_path / ("n" * 300))
    with pytest.raises(StoreAccessError, match=r"it is a directory\. Name a file in it"):
        write_file(tmp_path / "directory")
    (tmp_path / "circle").symlink_to("circle")
    for write in (write_file, write_directory):
        with pytest.raises(StoreAccessError, match=r"/circle is a symbolic link that leads nowhere\. Choose another"):
            write(tmp_path / "circle" / "x")
    assert names(tmp_path) == ["circle", "directory", "file"]


def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    for write in (write_file, write_directory):
        for name in ("pipe", "link"):
            with pytest.raises(StoreAccessError, match=r"/\w+: it is a device, a pipe or a socket, .* Name a file, or"):
                write(tmp_path / name)
    assert (tmp_path / "pipe").is_fifo()
    assert names(tmp_path) == ["link", "pipe"]


def test_a_directory_takes_the_place_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("file")
    write_directory(tmp_path / "x")
    assert content(tmp_path / "x") == {"new"}
    assert names(tmp_path) == ["x"]


def test_the_working_directory_and_home_are_never_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work" / "below").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work" / "below")
    with pytest.raises(StoreAccessError, match="it would replace the working directory, or one above it"):
        write_directory(Path(".."))
    monkeypatch.chdir("/")
    monkeypatch.setenv("HOME", str(tmp_path / "work"))
    with pytest.raises(StoreAccessError, match="the home directory"):
        write_directory(tmp_path / "work")
    assert names(tmp_path / "work") == ["below"]


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB with an old file and an old directory."""
    small = tmp_path / "small"
    small.mkdir()
    if (
        not ROOT
        or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small], capture_output=True).returncode
    ):
        pytest.skip("mounting a small disk needs the rights of root")
    try:
        write_file(small / "file", "old")
        write_directory(small / "directory", "old")
        yield small
    finally:
        subprocess.run(["umount", small], check=True)


@pytest.mark.parametrize(("name", "context"), [("file", atomic_file), ("directory", atomic_directory)])
def test_a_full_disk_leaves_what_was_there(name: str, context: Callable[..., object], full_disk: Path) -> None:
    for target in (name, "fresh"):
        with pytest.raises(StoreAccessError, match=r"the disk is full\. Free some space there or choose another disk"):
            fill(context, full_disk / target)
    assert names(full_disk) == ["directory", "file"]
    assert content(full_disk / name) == {"old"}


def fill(context: Callable[..., object], target: Path) -> None:
    with context(target, overwrite=True) as beside:  # type: ignore[attr-defined]
        (beside / "part" if beside.is_dir() else beside).write_bytes(bytes(200_000))


def test_a_library_that_names_no_file_is_understood(full_disk: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({"x": [os.urandom(200_000)]})
    with pytest.raises(StoreAccessError, match="the disk is full"), atomic_file(full_disk / "t.parquet") as beside:
        parquet.write_table(table, beside, compression="none")
    assert names(full_disk) == ["directory", "file"]


def in_child(work: Callable[[], None]) -> str:
    """Run in a forked child, whose rights may be dropped; give back the type and the text of its error."""
    receive, send = os.pipe()
    child = os.fork()
    if not child:
        try:
            work()
            said = "nothing"
        except BaseException as error:  # noqa: BLE001 — sent to the parent
            said = f"{type(error).__name__}: {error}"
        os.write(send, said.encode())
        os._exit(0)
    os.close(send)
    with os.fdopen(receive) as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return said


@BOTH
def test_no_permission(write: Write, tmp_path: Path) -> None:
    write(tmp_path / "x", "old")
    for directory in (tmp_path, *tmp_path.parents):
        if directory.owner() != "root" or not directory.stat().st_mode & stat.S_IXOTH:
            directory.chmod(directory.stat().st_mode | 0o055) if directory.is_relative_to(
                "/tmp/pytest-of-root"
            ) else None
    tmp_path.chmod(0o555)

    def work() -> None:
        if ROOT:
            os.setuid(NOBODY)
        write(tmp_path / "x")

    said = in_child(work)
    tmp_path.chmod(0o755)
    assert said.startswith("StoreAccessError: Cannot write")
    assert "permission denied. Give this user the right to write there, or choose another place." in said
    assert content(tmp_path / "x") == {"old"}
    assert names(tmp_path) == ["x"]


def test_a_limit_of_the_process(tmp_path: Path) -> None:
    write_file(tmp_path / "x", "old")

    def work() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        write_file(tmp_path / "x", "n" * 100_000)

    assert "the file grew larger than this disk or this process may write. Raise the limit" in in_child(work)
    assert (tmp_path / "x").read_text() == "old"
    assert names(tmp_path) == ["x"]


# --- systems that differ ---


@BOTH
def test_systems_without_locks_use_fresh_names(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slots, "fcntl", None)
    write(tmp_path / "x", "old")
    write(tmp_path / "x", "new")
    assert content(tmp_path / "x") == {"new"}
    assert names(tmp_path) == ["x"]


def test_what_cannot_be_synced_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    write_file(tmp_path / "x", "old")
    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(StoreAccessError, match=r"Cannot write .*/x: Input/output error\."):
        write_file(tmp_path / "x")
    assert (tmp_path / "x").read_text() == "old"
    assert names(tmp_path) == ["x"]


def test_the_exchange_refuses_what_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    if sys.platform != "linux":
        assert not swap.exchange(tmp_path / "a", tmp_path / "b")
        return
    with pytest.raises(FileNotFoundError):
        swap.exchange(tmp_path / "a", tmp_path / "b")

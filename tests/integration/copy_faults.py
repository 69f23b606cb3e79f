"""What may go wrong while a disk and a store of another machine copy to each other, and what must hold afterwards."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from mercury_core import copy
from mercury_core.errors import ObjectExistsError, StorageError, StoreAccessError
from mercury_core.storage.uri import join, relative_name
from mercury_core.testing.stores_setup import at_once, content, crc32c
from tests.servers.faults import (
    Answer,
    Call,
    Cut,
    CutRequest,
    FlipAnswer,
    FlipRequest,
    Hang,
    LoseAnswer,
    Reset,
    Shorten,
    Slow,
)
from tests.servers.proxy import ALWAYS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from mercury_core.storage import CopyReport
    from tests.servers.counting import Faults
    from tests.servers.faults import Fault
    from tests.servers.proxy import FaultProxy, Rule

SMALL, LARGE = 300_000, 20 << 20
TREE = {f"d{place % 3}/f{place:02}": content(20_000 + 5_000 * place, place) for place in range(12)}
FROM_HERE_ON = range(2, sys.maxsize)

PROGRAM = """
import json, sys
from mercury_core import copy
copy(sys.argv[1], sys.argv[2], stores=json.loads(sys.argv[3]))
"""


class CopyFaults:
    """Copies between a disk and one kind of store, through a proxy that fails.

    Attributes:
        scheme: That of its URIs.
        slow_down: What the service answers to too many requests.
        upload: Which requests bring the content of a small object, as `FaultProxy.fail` has it.
        part: Which bring a part of a large one.
        download: Which get content.
    """

    scheme: ClassVar[str]
    slow_down: ClassVar[Answer]
    upload: ClassVar[Mapping[str, str]]
    part: ClassVar[Mapping[str, str]]
    download: ClassVar[Mapping[str, str]]

    proxy: FaultProxy
    faults: Faults
    base: str

    def settings(self, **more: Any) -> dict[str, dict[str, Any]]:
        """Of the store, through the proxy: patient, unless `more` says else."""
        raise NotImplementedError

    def hasty(self) -> dict[str, dict[str, Any]]:
        """Of a store that gives up after two attempts, or a second without any sign."""
        raise NotImplementedError

    def raw_put(self, uri: str, data: bytes) -> None:
        """Write without the store and without the proxy."""
        raise NotImplementedError

    def raw_get(self, uri: str) -> bytes | None:
        """Read likewise."""
        raise NotImplementedError

    def raw_list(self, base: str) -> Iterable[str]:
        """List likewise."""
        raise NotImplementedError

    def raw_delete(self, uri: str) -> None:
        """Delete likewise."""
        raise NotImplementedError

    def raw_uploads(self) -> list[str]:
        """The unfinished uploads in the bucket."""
        raise NotImplementedError

    def raw_abort(self) -> None:
        """End all of them."""
        raise NotImplementedError

    # --- set-up and what must hold ---

    @pytest.fixture(autouse=True)
    def _own_records(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MERCURY_CACHE_DIR", str(tmp_path / "cache"))
        self.home = tmp_path / "home"
        self.home.mkdir()

    def here(self, size: int) -> tuple[str, bytes]:
        """A file on the disk."""
        data = content(size, size)
        (self.home / "here.bin").write_bytes(data)
        return str(self.home / "here.bin"), data

    def there(self, size: int) -> tuple[str, bytes]:
        """An object in the store."""
        data = content(size, size)
        self.raw_put(uri := join(self.base, "there.bin"), data)
        return uri, data

    def tree_here(self) -> str:
        """A tree on the disk."""
        write(self.home / "tree", TREE)
        return str(self.home / "tree")

    def tree_there(self) -> str:
        """A tree in the store."""
        for name, data in TREE.items():
            self.raw_put(join(self.base, "tree", name), data)
        return join(self.base, "tree")

    def copied(self, source: str, target: str, stores: Mapping[str, Any] | None = None, **how: Any) -> CopyReport:
        """Copy through the proxy."""
        return copy(source, target, stores=stores or self.settings(), **how)

    def seen(self, top: str) -> dict[str, bytes]:
        """What is in the store below a URI, by name."""
        found = {relative_name(uri, top): self.raw_get(uri) for uri in self.raw_list(top)}
        return {name: data for name, data in found.items() if data is not None}

    def only_whole(self, top: str) -> int:
        """Make sure that every object of the tree that is there is whole; how many there are."""
        seen = self.seen(top)
        assert all(TREE[name] == data for name, data in seen.items())
        return len(seen)

    def nothing_left(self) -> None:
        """Make sure that neither side keeps anything of a copy that is done."""
        assert self.raw_uploads() == []
        assert not [path.name for path in self.home.iterdir() if path.name.startswith(".mercury")]
        records = self.home.parent / "cache" / "copies"
        assert not records.is_dir() or not list(records.iterdir())

    def same(self, report: CopyReport, data: bytes) -> None:
        """Make sure that a report of a single file tells its checksum."""
        assert list(report.checksums.values()) == [f"crc32c:{crc32c(data)}"]

    def same_tree(self, report: CopyReport) -> None:
        """Make sure that a report tells the checksums of the tree."""
        assert report.files == len(TREE)
        assert dict(report.checksums) == {name: f"crc32c:{crc32c(data)}" for name, data in TREE.items()}

    # --- what mends itself ---

    @pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
    @pytest.mark.parametrize("kind", ["reset", "cut", "500", "503", "429", "lost", "flipped", "slow"])
    def test_up_what_fails_for_a_moment_is_mended(self, kind: str, size: int) -> None:
        source, data = self.here(size)
        target = join(self.base, "a")
        rule = self.fail(self.going_up(kind), self.part if size == LARGE else self.upload, kind)
        self.same(self.copied(source, target), data)
        assert rule.injected >= 1
        assert self.seen(self.base) == {"a": data}
        self.nothing_left()

    @pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
    @pytest.mark.parametrize("kind", ["reset", "cut", "500", "503", "429", "truncated", "flipped", "slow"])
    def test_down_what_fails_for_a_moment_is_mended(self, kind: str, size: int) -> None:
        source, data = self.there(size)
        target = self.home / "back.bin"
        rule = self.fail(self.going_down(kind), self.download, kind)
        self.same(self.copied(source, str(target)), data)
        assert rule.injected >= 1
        assert target.read_bytes() == data == self.raw_get(source)
        self.nothing_left()

    @pytest.mark.parametrize("way", ["up", "down"])
    def test_what_hangs_is_asked_again(self, way: str) -> None:
        source, data = self.here(SMALL) if way == "up" else self.there(SMALL)
        target = join(self.base, "a") if way == "up" else str(self.home / "a")
        self.proxy.fail(Hang(), **(self.upload if way == "up" else self.download))
        self.same(self.copied(source, target, self.hasty()), data)
        assert (self.raw_get(target) if way == "up" else (self.home / "a").read_bytes()) == data

    def fail(self, fault: Fault, where: Mapping[str, str], kind: str) -> Rule:
        """Let one request meet a fault, or the first three where it is an answer."""
        return self.proxy.fail(fault, **where, on=range(3) if isinstance(fault, Answer) else range(1))

    def going_up(self, kind: str) -> Fault:
        """A fault of an upload."""
        either: dict[str, Fault] = {"cut": CutRequest(100_000), "lost": LoseAnswer(), "flipped": FlipRequest(150_000)}
        return either.get(kind) or self.either_way(kind)

    def going_down(self, kind: str) -> Fault:
        """A fault of a download."""
        either: dict[str, Fault] = {"cut": Cut(100_000), "truncated": Shorten(100_000), "flipped": FlipAnswer(150_000)}
        return either.get(kind) or self.either_way(kind)

    def either_way(self, kind: str) -> Fault:
        """A fault of both."""
        slow = Slow(8 << 20)
        said: dict[str, Fault] = {"reset": Reset(), "slow": slow, "500": Answer(500), "503": self.slow_down}
        return said.get(kind) or Answer(429)

    # --- what does not, and what goes on later ---

    @pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
    @pytest.mark.parametrize("kind", ["reset", "503", "flipped"])
    def test_up_what_fails_for_good_leaves_what_was_there(self, kind: str, size: int) -> None:
        source, data = self.here(size)
        self.raw_put(old := join(self.base, "old"), b"old")
        for target, how in ((join(self.base, "new"), {}), (old, {"overwrite": "replace"})):
            self.proxy.fail(self.going_up(kind), **(self.part if size == LARGE else self.upload), on=ALWAYS)
            with pytest.raises(StorageError) as caught:
                self.copied(source, target, self.hasty(), **how)
            assert target in str(caught.value)
            assert self.seen(self.base) == {"old": b"old"}
            self.proxy.heal()
        self.same(self.copied(source, join(self.base, "new")), data)
        self.same(self.copied(source, old, overwrite="replace"), data)
        assert self.seen(self.base) == {"old": data, "new": data}
        self.nothing_left()

    @pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
    @pytest.mark.parametrize("kind", ["reset", "503", "flipped"])
    def test_down_what_fails_for_good_leaves_what_was_there(self, kind: str, size: int) -> None:
        source, data = self.there(size)
        old, new = self.home / "old", self.home / "new"
        old.write_bytes(b"old")
        for target, how in ((new, {}), (old, {"overwrite": "replace"})):
            self.proxy.fail(self.going_down(kind), **self.download, on=ALWAYS)
            with pytest.raises(StorageError) as caught:
                self.copied(source, str(target), self.hasty(), **how)
            assert str(target) in str(caught.value) or source in str(caught.value)
            assert old.read_bytes() == b"old"
            assert not new.exists()
            self.proxy.heal()
        self.same(self.copied(source, str(new)), data)
        self.same(self.copied(source, str(old), overwrite="replace"), data)
        assert old.read_bytes() == new.read_bytes() == data == self.raw_get(source)
        self.nothing_left()

    @pytest.mark.parametrize("first", [1, 6, 11])
    def test_a_tree_that_was_interrupted_on_its_way_up_goes_on(self, first: int) -> None:
        source, target = self.tree_here(), join(self.base, "tree")
        self.proxy.fail(self.slow_down, **self.upload, on=range(first, sys.maxsize))
        with pytest.raises(StoreAccessError):
            self.copied(source, target, self.hasty())
        there = self.only_whole(target)
        assert there >= first - 2
        self.proxy.heal()
        before = self.proxy.sent()
        report = self.copied(source, target)
        self.same_tree(report)
        assert report.resumed == there
        assert self.proxy.sent() - before < sum(map(len, TREE.values())) - there * 20_000 + 200_000
        assert self.seen(target) == TREE == read(self.home / "tree")
        self.nothing_left()

    @pytest.mark.parametrize("first", [1, 6, 11])
    def test_a_tree_that_was_interrupted_on_its_way_down_goes_on(self, first: int) -> None:
        source, target = self.tree_there(), self.home / "back"
        self.proxy.fail(self.slow_down, **self.download, on=range(first, sys.maxsize))
        with pytest.raises(StoreAccessError):
            self.copied(source, str(target), self.hasty())
        assert not target.exists()
        self.proxy.heal()
        before = self.proxy.received()
        report = self.copied(source, str(target))
        self.same_tree(report)
        assert report.resumed >= first - 2
        assert read(target) == TREE == self.seen(source)
        assert self.proxy.received() > before
        self.nothing_left()

    # --- killed ---

    def killed(self, source: str, target: str, where: Mapping[str, str], place: int) -> None:
        """Copy in a process that is killed when it sends a request."""
        process: list[subprocess.Popen[bytes]] = []
        started = threading.Event()

        def kill() -> None:
            started.wait(30)
            process[0].send_signal(signal.SIGKILL)
            process[0].wait()

        self.proxy.fail(Call(kill, "killed"), **where, on=(place,))
        command = [sys.executable, "-c", PROGRAM, source, target, json.dumps(self.settings())]
        process.append(subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE))
        started.set()
        _, said = process[0].communicate(timeout=60)
        assert process[0].returncode == -signal.SIGKILL, said.decode()
        self.proxy.heal()

    @pytest.mark.parametrize("place", [0, 3, 7, 11])
    def test_a_tree_killed_on_its_way_up_goes_on(self, place: int) -> None:
        source, target = self.tree_here(), join(self.base, "tree")
        self.killed(source, target, self.upload, place)
        there = self.only_whole(target)
        assert there >= place - 2
        report = self.copied(source, target)
        self.same_tree(report)
        assert report.resumed >= there
        assert self.seen(target) == TREE == read(self.home / "tree")
        self.nothing_left()

    @pytest.mark.parametrize("place", [0, 4, 10])
    def test_a_tree_killed_on_its_way_down_goes_on(self, place: int) -> None:
        source, target = self.tree_there(), self.home / "back"
        self.killed(source, str(target), self.download, place)
        assert not target.exists()
        report = self.copied(source, str(target))
        self.same_tree(report)
        assert report.resumed >= place - 2
        assert read(target) == TREE == self.seen(source)
        self.nothing_left()

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_an_upload_in_parts_that_was_killed_goes_on(self, place: int) -> None:
        source, data = self.here(LARGE)
        target = join(self.base, "a")
        self.killed(source, target, self.part, place)
        assert self.seen(self.base) == {}
        before = self.proxy.sent()
        report = self.copied(source, target)
        self.same(report, data)
        assert self.raw_get(target) == data
        if place == 2:  # with two requests at a time, one part had arrived
            assert report.resumed == 1
            assert self.proxy.sent() - before < LARGE
        self.nothing_left()

    @pytest.mark.parametrize("place", [0, 2])
    def test_a_large_download_that_was_killed_goes_on(self, place: int) -> None:
        source, data = self.there(LARGE)
        target = self.home / "back.bin"
        self.killed(source, str(target), self.download, place)
        assert not target.exists()
        before = self.proxy.received()
        report = self.copied(source, str(target))
        self.same(report, data)
        assert target.read_bytes() == data
        if place == 2:
            assert report.resumed == 1
            assert self.proxy.received() - before < LARGE
        self.nothing_left()

    # --- the disk, the target and others ---

    def test_a_full_disk_leaves_nothing_and_a_larger_one_takes_it(self, small_disk: Path) -> None:
        tree, large = self.tree_there(), self.there(LARGE)
        for source, name in ((tree, "tree"), (large[0], "large.bin")):
            with pytest.raises(StoreAccessError, match="the disk is full"):
                self.copied(source, str(small_disk / name))
            self.faults.count["disk full"] += 1
            assert not (small_disk / name).exists()
        subprocess.run(["mount", "-o", "remount,size=64m", small_disk], check=True)
        self.same_tree(self.copied(tree, str(small_disk / "tree")))
        self.same(self.copied(large[0], str(small_disk / "large.bin")), large[1])
        assert read(small_disk / "tree") == TREE == self.seen(tree)
        assert (small_disk / "large.bin").read_bytes() == large[1]

    def test_an_upload_that_somebody_aborts_is_begun_again(self) -> None:
        source, data = self.here(LARGE)
        target = join(self.base, "a")
        self.proxy.fail(Call(self.raw_abort, "upload removed"), **self.part, on=(1,))
        self.same(self.copied(source, target), data)
        assert self.seen(self.base) == {"a": data}
        self.nothing_left()

    def test_what_is_removed_while_a_tree_goes_up_comes_with_the_next_copy(self) -> None:
        source, target = self.tree_here(), join(self.base, "tree")

        def remove() -> None:
            for uri in [*self.raw_list(target)]:
                self.raw_delete(uri)

        self.proxy.fail(Call(remove, "target removed"), **self.upload, on=(8,))
        self.copied(source, target)
        assert self.only_whole(target) < len(TREE)
        self.copied(source, target, overwrite="skip")
        assert self.seen(target) == TREE == read(self.home / "tree")
        self.nothing_left()

    def test_the_directory_of_the_target_is_removed_while_a_tree_comes_down(self) -> None:
        source, target = self.tree_there(), self.home / "below" / "back"
        self.proxy.fail(Call(lambda: shutil.rmtree(target.parent), "target removed"), **self.download, on=(5,))
        with pytest.raises(StorageError):
            self.copied(source, str(target))
        assert not target.exists()
        self.same_tree(self.copied(source, str(target)))
        assert read(target) == TREE == self.seen(source)

    @pytest.mark.parametrize("way", ["up", "down"])
    def test_two_copies_race_to_one_target(self, way: str) -> None:
        for turn in range(3):
            name = f"turn{turn}"
            versions = [content(SMALL, seed) for seed in (1, 2)]
            target = join(self.base, name) if way == "up" else str(self.home / name)
            sources = []
            for place, data in enumerate(versions):
                if way == "up":
                    (self.home / f"source{place}").write_bytes(data)
                    sources.append(str(self.home / f"source{place}"))
                else:
                    sources.append(join(self.base, f"source{place}"))
                    self.raw_put(sources[-1], data)
            for how in ("error", "replace"):
                results = at_once(partial(self._race, sources, target, how), 2)
                self.faults.count["race"] += 1
                done = [place for place, result in enumerate(results) if not isinstance(result, Exception)]
                found = self.raw_get(target) if way == "up" else (self.home / name).read_bytes()
                if how == "error":
                    assert len(done) == 1, results
                    assert isinstance(results[1 - done[0]], ObjectExistsError)
                    assert found == versions[done[0]]
                else:
                    assert done == [0, 1], results
                    assert found in versions

    def _race(self, sources: list[str], target: str, how: str, place: int) -> CopyReport:
        return self.copied(sources[place], target, overwrite=how)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB, which may be made larger."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs the rights of root")
    try:
        yield small
    finally:
        subprocess.run(["umount", small], check=True)


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Make a tree."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def read(folder: Path) -> dict[str, bytes]:
    """All files of a tree."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

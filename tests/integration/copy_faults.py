"""What may go wrong while a disk and a store of another machine copy to each other, and what must hold afterwards."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING

import pytest

from mercury_core.errors import ObjectExistsError, StorageError, StoreAccessError
from mercury_core.storage.uri import join
from mercury_core.testing.stores_setup import at_once, content
from tests.integration.copy_faults_setup import LARGE, SMALL, TREE, Setup, read
from tests.servers.faults import Call, Hang, LoseAnswer
from tests.servers.proxy import ALWAYS

if TYPE_CHECKING:
    from pathlib import Path

    from mercury_core.storage import CopyReport


#: Requests that left no object: two are under way, and with one a store finds out whether the service keeps conditions.
NOT_THERE = 3


class CopyFaults(Setup):
    """Copies between a disk and one kind of store, through a proxy that fails."""

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
        assert there >= first - NOT_THERE
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
        assert report.resumed >= first - NOT_THERE
        assert read(target) == TREE == self.seen(source)
        assert self.proxy.received() > before
        self.nothing_left()

    def test_a_tree_that_arrived_while_no_answer_did_is_not_sent_again(self) -> None:
        source, target = self.tree_here(), join(self.base, "tree")
        self.proxy.fail(LoseAnswer(), **self.upload, on=ALWAYS)
        with pytest.raises(StoreAccessError):
            self.copied(source, target, self.hasty())
        there = self.only_whole(target)
        assert there >= 1
        self.proxy.heal()
        report = self.copied(source, target)
        self.same_tree(report)
        assert report.resumed == there
        assert self.seen(target) == TREE
        self.nothing_left()

    # --- killed ---

    @pytest.mark.parametrize("place", [0, 3, 7, 11])
    def test_a_tree_killed_on_its_way_up_goes_on(self, place: int) -> None:
        source, target = self.tree_here(), join(self.base, "tree")
        self.killed(source, target, self.upload, place)
        there = self.only_whole(target)
        assert there >= place - NOT_THERE
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
        assert report.resumed >= place - NOT_THERE
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

"""What becomes of a store in `mercury_core.copy`, which knows nothing but the contract."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from mercury_core.errors import ObjectExistsError
from mercury_core.storage.uri import join
from mercury_core.testing.stores_setup import StoreSetup, assert_same, content, crc32c

if TYPE_CHECKING:
    from pathlib import Path

    from mercury_core.storage import CopyReport

TREE = {
    "config.json": b"{}",
    "empty": b"",
    "weights/a b%20#.bin": b"x" * 70_000,
    "weights/deep/er/caf\u00e9": b"y",
    "z/last": b"z",
}


class CopyTests(StoreSetup, is_suite=True):
    """Copies between a disk and the store. Its plugin is installed, or `copied` is overridden."""

    def copied(self, source: str, target: str, **how: Any) -> CopyReport:
        """Copy with Mercury, in one direction or the other."""
        from mercury_core import copy

        return copy(source, target, stores=self.settings(), **how)

    def test_a_file_goes_there_and_back(self, base: str, tmp_path: Path) -> None:
        data = content(max(self.in_parts, self.large))
        (tmp_path / "here.bin").write_bytes(data)
        there = self.copied(f"{tmp_path}/here.bin", join(base, "folder/there.bin"))
        assert (there.files, there.bytes, there.skipped) == (1, len(data), 0)
        assert list(there.checksums.values()) == [f"crc32c:{crc32c(data)}"]
        assert_same(self.raw_get(join(base, "folder/there.bin")), data)
        back = self.copied(join(base, "folder/there.bin"), f"{tmp_path}/back.bin")
        assert list(back.checksums.values()) == [f"crc32c:{crc32c(data)}"]
        assert (tmp_path / "back.bin").read_bytes() == data
        assert list(self.raw_leftovers(base)) == []

    def test_a_tree_goes_there_and_back(self, base: str, tmp_path: Path) -> None:
        write(tmp_path / "here", TREE)
        there = self.copied(f"{tmp_path}/here", join(base, "there"))
        assert (there.files, there.bytes) == (len(TREE), sum(map(len, TREE.values())))
        assert self.names(base) == sorted(f"there/{name}" for name in TREE)
        for name, data in TREE.items():
            assert_same(self.raw_get(join(base, f"there/{name}")), data)
        back = self.copied(join(base, "there"), f"{tmp_path}/back")
        assert (back.files, back.checksums) == (len(TREE), there.checksums)
        assert read(tmp_path / "back") == TREE
        assert list(self.raw_leftovers(base)) == []

    def test_a_tree_is_copied_within(self, base: str) -> None:
        for name, data in TREE.items():
            self.raw_put(join(base, f"one/{name}"), data)
        self.copied(join(base, "one"), join(base, "other"))
        assert self.names(base) == sorted(f"{top}/{name}" for top in ("one", "other") for name in TREE)
        for name, data in TREE.items():
            assert_same(self.raw_get(join(base, f"other/{name}")), data)

    def test_what_exists_is_treated_as_asked(self, base: str, tmp_path: Path) -> None:
        write(tmp_path / "here", {"a": b"new", "b": b"new"})
        self.fill(base, ["there/a", "there/old"])
        target = join(base, "there")
        with pytest.raises(ObjectExistsError):
            self.copied(f"{tmp_path}/here", target)
        assert self.names(base) == ["there/a", "there/old"]
        report = self.copied(f"{tmp_path}/here", target, overwrite="skip")
        assert (report.files, report.skipped) == (1, 1)
        assert self.raw_get(join(target, "a")) == b"content of there/a"
        self.copied(f"{tmp_path}/here", target, overwrite="replace")
        assert self.names(base) == ["there/a", "there/b"]
        assert self.raw_get(join(target, "a")) == b"new"

    def test_what_is_moved_is_gone_from_where_it_was(self, base: str, tmp_path: Path) -> None:
        write(tmp_path / "here", TREE)
        self.copied(f"{tmp_path}/here", join(base, "there"), move=True)
        assert not (tmp_path / "here").exists()
        self.copied(join(base, "there"), f"{tmp_path}/back", move=True)
        assert self.names(base) == []
        assert read(tmp_path / "back") == TREE


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Make a tree on the disk."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def read(folder: Path) -> dict[str, bytes]:
    """All files of a tree on the disk."""
    found = (path for place, _, names in os.walk(folder) for path in (folder.joinpath(place, name) for name in names))
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}

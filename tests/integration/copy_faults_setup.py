"""What the tests of copies under faults share: a disk, a store behind a proxy, and what must hold afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from mercury_core import copy
from mercury_core.storage.uri import join, relative_name
from mercury_core.testing.stores_setup import content, crc32c
from tests.servers.faults import (
    Answer,
    Call,
    Cut,
    CutRequest,
    FlipAnswer,
    FlipRequest,
    LoseAnswer,
    Reset,
    Shorten,
    Slow,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from mercury_core.storage import CopyReport
    from tests.servers.counting import Faults
    from tests.servers.faults import Fault
    from tests.servers.proxy import FaultProxy, Rule

SMALL, LARGE = 300_000, 20 << 20
TREE = {f"d{place % 3}/f{place:02}": content(20_000 + 5_000 * place, place) for place in range(12)}

PROGRAM = """
import json, sys
from mercury_core import copy
copy(sys.argv[1], sys.argv[2], stores=json.loads(sys.argv[3]))
"""


class Setup:
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

    # --- faults ---

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

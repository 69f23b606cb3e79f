"""The data: one large file, and a tree of small ones, of random bytes."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 1 << 20


@contextmanager
def scratch(needed: int) -> Iterator[Path]:
    """A directory of at least `needed` bytes, in memory where the system has such a place: no figure is about disks."""
    memory = Path("/dev/shm")
    home = memory if memory.is_dir() and shutil.disk_usage(memory).free > needed else None
    with tempfile.TemporaryDirectory(prefix="mercury-bench-", dir=home) as made:
        yield Path(made)


def write_big(path: Path, size: int) -> None:
    """One file."""
    with path.open("wb") as file:
        for _ in range(size // _BLOCK):
            file.write(os.urandom(_BLOCK))


def write_tree(path: Path, files: int, size: int) -> None:
    """A tree of directories of a hundred files each."""
    for number in range(files):
        folder = path / f"part-{number // 100:02}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:05}.bin").write_bytes(os.urandom(size))


def sizes(path: Path) -> dict[str, int]:
    """Names below a directory, or the name of a file, to sizes."""
    return {name: file.stat().st_size for name, file in _files(path)}


def digests(path: Path) -> dict[str, str]:
    """Names below a directory, or the name of a file, to SHA-256 of the content."""
    found = {}
    for name, file in _files(path):
        with file.open("rb") as data:
            found[name] = hashlib.file_digest(data, "sha256").hexdigest()
    return found


def remove(path: Path) -> None:
    """A file or a tree, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    if path.is_file():
        yield path.name, path
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            if file.is_file():
                yield file.relative_to(path).as_posix(), file

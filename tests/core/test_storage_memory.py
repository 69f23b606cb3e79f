"""A large object is copied in little memory."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

LIMIT = 150  # MiB, of the whole process
PROGRAM = """
import sys
from mercury_core import registry
from mercury_core.contracts import ObjectInfo, Part
from mercury_core.errors import ObjectNotFoundError
from mercury_core.storage import copy
from mercury_core.storage.checksums import CRC32C, join, shown

SIZE, MIB = 1 << 30, 1 << 20
BLOCK = bytes(range(256)) * (MIB // 256)
CRC = 0
for _ in range(SIZE // MIB):
    CRC = join(CRC32C, CRC, CRC32C.extend(0, BLOCK), MIB)
TOLD = {"crc32c": shown(CRC32C, CRC)}

class Generated:
    # Has an object that is nowhere.

    checksums = ("crc32c",)

    def crc(self, algorithm):
        return None

    def stat(self, uri):
        return ObjectInfo("gen://b/x", SIZE, 1.0, "1", TOLD if sys.argv[2] == "told" else {})

    def open(self, uri, start=0, end=None, *, version=None):
        return Reader(start, min(end or SIZE, SIZE))

class Reader:
    def __init__(self, at, end):
        self.at, self.end = at, end

    def readinto(self, view):
        size = min(len(view), self.end - self.at, MIB - self.at % MIB)
        view[:size] = memoryview(BLOCK)[self.at % MIB : self.at % MIB + size]
        self.at += size
        return size

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

class Plain:
    # Keeps nothing but checksums.

    checksums = ("crc32c",)
    conditional_put = True

    def crc(self, algorithm):
        return None

    def stat(self, uri):
        raise ObjectNotFoundError(uri)

    def put(self, uri, data, *, overwrite=False):
        size = crc = 0
        while block := data.read(MIB):
            size, crc = size + len(block), CRC32C.extend(crc, block)
        return ObjectInfo(uri, size, None, None, {"crc32c": shown(CRC32C, crc)})

class Parts(Plain):
    parts_in_order = False

    def part_size(self, size):
        return int(sys.argv[3]) * MIB

    def begin(self, uri, size, *, overwrite):
        self.crcs = {}
        return "upload"

    def put_part(self, uri, upload, number, data):
        self.crcs[number] = (CRC32C.extend(0, data), len(data))
        return Part(number, len(data))

    def finish(self, uri, upload, parts, *, overwrite, crc32c):
        crc = 0
        for part in parts:
            crc = join(CRC32C, crc, *self.crcs[part.number])
        return ObjectInfo(uri, sum(part.size for part in parts), None, None, {"crc32c": shown(CRC32C, crc)})

class InOrder(Parts):
    parts_in_order = True

found = registry.resolve
made = {"gen": Generated, "to": {"plain": Plain, "parts": Parts, "in order": InOrder}[sys.argv[1]]}
registry.resolve = lambda verb, key: made.get(key) or found(verb, key)
report = copy("gen://b/x", "to://b/x")
assert report.bytes == SIZE and report.checksums == {"x": f"crc32c:{TOLD['crc32c']}"}
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak of the memory")
@pytest.mark.parametrize(
    ("kind", "told", "part_size"),
    [("plain", "told", 8), ("parts", "not told", 8), ("parts", "told", 40), ("in order", "told", 8)],
)
def test_a_gibibyte_needs_no_more_than_the_limit(kind: str, told: str, part_size: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, kind, told, str(part_size)]
    environment = {"MERCURY_CACHE_DIR": str(tmp_path)}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert int(ended.stdout) <= LIMIT

"""How the time and the memory of a copy grow with the number of objects: 1,000, 10,000 and 100,000 of 1 KiB.

    python benchmarks/trees.py

The source makes its objects as they are asked for, and one target forgets them: so what is measured is the copy, each
in a process of its own. The other target is a directory in ``/dev/shm``, or where that is not to be had, in the
temporary directory.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from harness import compare

COUNTS = (1_000, 10_000, 100_000)
TIME_LIMIT = 1.3  # seconds an object of the largest tree, to those of the middle one
MEMORY_LIMIT = 1.0  # KiB an object: its name and its checksum in the report, and no more than a few times that

PROGRAM = """
import io, sys
from mercury_core import registry
from mercury_core.contracts import ObjectInfo
from mercury_core.errors import ObjectNotFoundError
from mercury_core.storage import copy
from mercury_core.storage.checksums import CRC32C, shown

DATA = bytes(1024)
SUM = {"crc32c": shown(CRC32C, CRC32C.extend(0, DATA))}

class Store:
    checksums, conditional_put = ("crc32c",), True

    def crc(self, algorithm):
        return None

    def stat(self, uri):
        raise ObjectNotFoundError(uri)

    def list(self, uri):
        if uri.startswith("mem://source"):
            for number in range(int(sys.argv[1])):
                yield ObjectInfo(f"{uri}/{number // 1000:03}/{number:06}", 1024, 1.0, "1", SUM)

    def open(self, uri, start=0, end=None, *, version=None):
        return io.BytesIO(DATA)

    def put(self, uri, data, *, overwrite=False):
        return ObjectInfo(uri, len(data.read()), 1.0, "1", SUM)

registry.resolve = lambda verb, key, found=registry.resolve: Store if key == "mem" else found(verb, key)
if int(sys.argv[1]):
    assert copy("mem://source/tree", sys.argv[2]).files == int(sys.argv[1])
"""


def main() -> int:
    """Measure, print, and say whether the limits hold."""
    shm = Path("/dev/shm")
    kept = True
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as temporary:
        disk, cache = Path(temporary, "copy"), Path(temporary, "cache")
        for what, target in (("to a store", "mem://target/tree"), ("to a disk", str(disk))):
            commands = {str(count): [sys.executable, "-c", PROGRAM, str(count), target] for count in (0, *COUNTS)}
            results = compare(
                commands,
                rounds=3,
                env={"MERCURY_CACHE_DIR": str(cache)},
                setup=lambda _: shutil.rmtree(disk, ignore_errors=True),
            )
            start = results["0"]
            print(f"\nA tree {what}, without the start of the process:")
            each = {}
            for count in COUNTS:
                one = results[str(count)]
                each[count] = (one.wall - start.wall) / count
                grown = (one.peak - start.peak) * 1024 / count
                print(f"  {count:7,} objects  {each[count] * 1e3:7.3f} ms an object  {one.peak:6.1f} MiB peak")
            ratio = each[COUNTS[2]] / each[COUNTS[1]]
            for name, value, limit in (
                ("ms, largest/middle", ratio, TIME_LIMIT),
                ("KiB an object", grown, MEMORY_LIMIT),
            ):
                kept = kept and value <= limit
                print(f"  {name:20} {value:5.2f} (<= {limit}: {'kept' if value <= limit else 'MISSED'})")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

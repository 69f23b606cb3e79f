"""What verification costs: one large object up to S3 and down, with its checksums and without any.

    python benchmarks/verification.py [--ways up down] [--rounds N]

SeaweedFS on loopback, which compares CRC-32C as Amazon S3 does; all data in memory. Mercury has no switch for it: the
copies without checksums run in a process in which the functions that compute and compare them are replaced. Ends with 1
where the limit is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from harness import compare, print_ratios
from peers import clients, data
from peers.race import MOST_MEMORY
from peers.service import Service

HOME = Path(__file__).resolve().parent
SIZE = 512 << 20
LIMIT = 1.1


def without(source: str, target: str) -> None:
    """Copy as always, but compute no checksum, send none, compare none, and read nothing again."""
    from mercury_s3 import multipart, wire

    from mercury_core.storage import arriving, checksums, ranges, reading, to_store, uploads

    def replace(owner: Any, name: str, value: object) -> None:
        getattr(owner, name)  # what is not there any more is not to be passed over
        object.__setattr__(owner, name, value) if not isinstance(owner, type) else setattr(owner, name, value)

    replace(checksums.CRC32C, "extend", lambda value, _: value)
    replace(reading.Knowing, "verify", lambda *_: True)
    for module in (arriving, to_store, uploads):
        replace(module, "confirm", lambda *_: None)
    replace(ranges, "compare", lambda *_: None)
    replace(ranges, "read_into_at", lambda *_: 0)
    replace(multipart, "_md5_told", lambda *_: None)
    replace(multipart, "_proven", lambda _told, _parts, _place, crc32c: {"crc32c": crc32c})
    headers = wire._headers
    asked = "x-amz-checksum-"
    replace(wire, "_headers", lambda params: {k: v for k, v in headers(params).items() if not k.startswith(asked)})
    clients.mercury(source, target)


def main() -> int:
    """Measure, print, and say whether the limit holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--ways", nargs="+", choices=("up", "down"), default=("up", "down"))
    parser.add_argument("--without", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.without:
        without(*args.without)
        return 0
    kept = True
    with data.scratch(4 * SIZE) as home, Service("weed") as service:
        print(f"Python {sys.version.split()[0]}; {os.cpu_count()} cores; {service.name}: {service.version}")
        local, remote = home / "big" / "big.bin", f"{service.root}/big/big.bin"
        local.parent.mkdir()
        data.write_big(local, SIZE)
        wanted, env = data.digests(local.parent), {**service.environment, "BENCH_ENDPOINT": service.endpoint}
        first = clients.command("mercury", str(local), remote, service.endpoint)
        subprocess.run(first, env={**os.environ, **env}, check=True, cwd=HOME)

        def clear(_: str) -> None:
            service.clear("out")
            data.remove(home / "out")
            (home / "out").mkdir()

        def check(name: str, count: int) -> None:
            if count == 0 and wanted not in (service.digests("out"), data.digests(home / "out")):
                raise RuntimeError(f"{name} did not do its job")

        for title, source, target in (
            ("up to", str(local), f"{service.root}/out/big.bin"),
            ("down from", remote, str(home / "out" / "big.bin")),
        ):
            if title.split()[0] not in args.ways:
                continue
            commands = {
                "mercury": clients.command("mercury", source, target, service.endpoint),
                "without checksums": [sys.executable, str(HOME / "verification.py"), "--without", source, target],
            }
            results = compare(commands, args.rounds, env, setup=clear, cwd=str(HOME), check=check)
            title = f"{SIZE >> 20} MiB {title} {service.name}"
            kept &= print_ratios(results, limits={"without checksums": LIMIT}, title=title, most_peak=MOST_MEMORY)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

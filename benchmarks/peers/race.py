"""One job, done by all clients by turns, each result checked."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Result, compare, print_ratios

from peers import clients, data

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from peers.service import Service

#: MiB: what ours may have at its peak, whatever it copies.
MOST_MEMORY = 150.0


@dataclass(frozen=True)
class Job:
    """What is copied, and what ours is held to.

    Attributes:
        title: Printed above.
        source: URI or path.
        target: URI or path, the last name of which is that of the source.
        clients: Names of those that do it besides ours, which is ``mercury``.
        rounds: How often.
        limits: Name of a peer, or ``best`` for whichever is, to the largest allowed ratio of wall times.
        cpu_limits: Name of a peer to the largest allowed ratio of processor times.
        env: Added to the environment of all.
    """

    title: str
    source: str
    target: str
    clients: Sequence[str]
    rounds: int
    limits: Mapping[str, float]
    cpu_limits: Mapping[str, float] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)


def race(job: Job, service: Service, expected: Path, home: Path, pythons: Mapping[str, str]) -> tuple[bool, Result]:
    """Do a job and print what it cost.

    Args:
        job: What to do.
        service: The server; the target is in its bucket, or below `home`.
        expected: The directory of which the target is to be a copy.
        home: The benchmarks' directory.
        pythons: Client to the Python that runs it, where that is another one.

    Returns:
        Whether its limits hold, and what it cost us.
    """
    remote = job.target.startswith(f"{service.root}/")
    if remote:
        prefix = job.target.removeprefix(f"{service.root}/").rpartition("/")[0]

        def clear(_: str) -> None:
            service.clear(prefix)

        found: Callable[[bool], object] = lambda whole: service.digests(prefix) if whole else service.sizes(prefix)  # noqa: E731
    else:
        folder = Path(job.target).parent

        def clear(_: str) -> None:
            data.remove(folder)
            folder.mkdir()

        found = lambda whole: data.digests(folder) if whole else data.sizes(folder)  # noqa: E731
    wanted = data.digests(expected), data.sizes(expected)

    def check(name: str, count: int) -> None:
        if found(count == 0) != wanted[count > 0]:
            raise RuntimeError(f"{name} did not do its job: {job.source} to {job.target}")

    commands = {
        name: clients.command(name, job.source, job.target, service.endpoint, pythons.get(name, sys.executable))
        for name in ("mercury", *job.clients)
    }
    env = {**service.environment, **job.env}
    results = compare(commands, job.rounds, env, setup=clear, cwd=str(home), check=check, optional=job.clients)
    clear("")
    limits = dict(job.limits)
    if (limit := limits.pop("best", None)) is not None:
        peers = [name for name in results if name != "mercury"]
        limits[min(peers, key=lambda name: results[name].wall)] = limit
    kept = print_ratios(results, limits=limits, title=job.title, cpu_limits=job.cpu_limits, most_peak=MOST_MEMORY)
    return kept, results["mercury"]

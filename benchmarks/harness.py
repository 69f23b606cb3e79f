"""Whole processes against each other, in one run: alternating, medians, as ratios.

A figure of this project is a ratio between two commands that were run by turns on the same machine, within the same
minute; the absolute numbers beside it say only where it was measured. Keep programs that use this module light (no
pandas here): Linux counts the memory of the parent at the moment of the start into the peak of the child, so no peak
below the size of this process can be seen.

Example:
    results = compare({"mercury": [python, "-c", "import mercury_core"], "bare": [python, "-c", "pass"]})
    sys.exit(not print_ratios(results, ours="mercury", limits={"bare": 1.3}))
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence


class Result(NamedTuple):
    """What one command cost, over all its rounds.

    Attributes:
        wall: Median seconds from start to end.
        cpu: Median seconds of processor, user and system, of the process and of the children that it waited for.
        peak: Median of the peak resident memory in MiB, of the largest process among them.
        walls: Seconds of each round, in the order of the rounds.
    """

    wall: float
    cpu: float
    peak: float
    walls: tuple[float, ...]


def measure(
    command: Sequence[str], env: Mapping[str, str] | None = None, cwd: str | None = None
) -> tuple[float, float, float]:
    """Run one command once.

    Args:
        command: Program and arguments.
        env: Added to this process's environment.
        cwd: Where to run it.

    Returns:
        Wall seconds, processor seconds, peak MiB.

    Raises:
        RuntimeError: The command failed; with the end of what it said.
    """
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        child = subprocess.Popen(
            command, env={**os.environ, **(env or {})}, cwd=cwd, stdin=subprocess.DEVNULL, stdout=said, stderr=said
        )
        _, status, usage = os.wait4(child.pid, 0)
        wall = time.perf_counter() - start
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            tail = said.read().decode(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}:\n{tail}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes there, in KiB elsewhere
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 2**20


def compare(
    commands: Mapping[str, Sequence[str]],
    rounds: int = 9,
    env: Mapping[str, str] | None = None,
    setup: Callable[[str], None] | None = None,
    cwd: str | None = None,
    check: Callable[[str, int], None] | None = None,
    optional: Collection[str] = (),
) -> dict[str, Result]:
    """Run every command once unmeasured (caches, bytecode), then all of them by turns, `rounds` times.

    Each round begins with another command, so that none always follows the same one.

    Args:
        commands: Name to program and arguments.
        rounds: How often each is measured.
        env: Added to this process's environment, for all of them.
        setup: Called with the name before each run, unmeasured: removes what the last one wrote.
        cwd: Where to run them.
        check: Called with the name and the number of the round after each run, unmeasured, 0 being the one that is not
            measured: raises RuntimeError where the command did not do its job.
        optional: Names of those that are left out, with a word, once they fail.

    Returns:
        Name to medians, in the order of `commands`.

    Raises:
        RuntimeError: A command failed that is not optional.
    """
    samples: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}

    def once(name: str, count: int) -> None:
        if setup is not None:
            setup(name)
        sample = measure(commands[name], env, cwd)
        if check is not None:
            check(name, count)
        if count:
            samples[name].append(sample)

    for count in range(rounds + 1):
        names = list(samples)
        first = count % len(names)
        for name in names[first:] + names[:first]:
            try:
                once(name, count)
            except RuntimeError as error:
                if name not in optional:
                    raise
                print(f"{name} is left out: {str(error).strip().splitlines()[-1]}")
                del samples[name]
    results = {}
    for name, taken in samples.items():
        walls, cpus, peaks = zip(*taken, strict=True)
        results[name] = Result(statistics.median(walls), statistics.median(cpus), statistics.median(peaks), walls)
    return results


def print_ratios(
    results: Mapping[str, Result],
    ours: str = "mercury",
    limits: Mapping[str, float] | None = None,
    peak_limits: Mapping[str, float] | None = None,
    title: str = "",
    cpu_limits: Mapping[str, float] | None = None,
    most_peak: float | None = None,
) -> bool:
    """Print a table of the results, with ours as a multiple of each, and say which limits hold.

    Args:
        results: From `compare`.
        ours: The name of the command that is ours.
        limits: Peer to the largest allowed ratio of our wall time to its wall time.
        peak_limits: Peer to the largest allowed ratio of our peak memory to its peak memory.
        title: Printed above.
        cpu_limits: Peer to the largest allowed ratio of our processor time to its processor time.
        most_peak: The most MiB of memory that ours may have at its peak.

    Returns:
        Whether every limit holds.
    """
    limits, peak_limits, cpu_limits, kept = limits or {}, peak_limits or {}, cpu_limits or {}, True
    if title:
        print(f"\n{title}")
    width = max(len(name) for name in results)
    columns = f"{'wall ms':>9} {'(min … max)':>17} {'cpu ms':>9} {'peak MiB':>9}"
    print(f"{'':{width}}  {columns}  {ours}/this: wall, cpu, peak")
    mine = results[ours]
    for name, one in results.items():
        spread = f"{min(one.walls) * 1e3:.1f} … {max(one.walls) * 1e3:.1f}"
        line = f"{name:{width}}  {one.wall * 1e3:9.1f} {spread:>17} {one.cpu * 1e3:9.1f} {one.peak:9.1f}"
        if name != ours:
            for ratio, limit in (
                (mine.wall / one.wall, limits.get(name)),
                (mine.cpu / one.cpu if one.cpu else float("inf"), cpu_limits.get(name)),
                (mine.peak / one.peak, peak_limits.get(name)),
            ):
                line += f"  {ratio:6.2f}"
                if limit is not None:
                    kept = kept and ratio <= limit
                    line += f" (<= {limit}: {'kept' if ratio <= limit else 'MISSED'})"
        elif most_peak is not None:
            kept = kept and one.peak <= most_peak
            line += f"  (peak <= {most_peak} MiB: {'kept' if one.peak <= most_peak else 'MISSED'})"
        print(line, flush=True)
    return kept

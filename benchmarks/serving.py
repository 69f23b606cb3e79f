"""Requests a second of one worker on one core: ours, against other servers of the same model.

    python benchmarks/serving.py [SERVER ...] [--cases 1x64 ...] [--rounds N] [--seconds S] [--list]

The same scikit-learn pipeline (20 features, scaler and logistic regression) in servers that each have an environment of
their own, which this program makes in the user's cache, and in an application written by hand of Starlette and msgspec.
`wrk`, which has the other core, asks them by turns; those that are not asked are halted. All answer with the label
alone, and with the same labels. Ends with 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from peers.environments import versions_of
from peers.load import Answer, Running, missing, rows_of
from peers.servers import SERVERS, Server, python_for

CASES = ((1, 64), (100, 64), (1, 1), (100, 1))
OURS = ("mercury", "mercury onnx")
#: Ours is to be at least so many times as fast: by server, peer, rows and connections.
LIMITS = {
    ("mercury", "MLServer in-process", 1, 64): 8.0,
    ("mercury", "by hand", 1, 64): 3.0,
    ("mercury", "MLServer in-process", 100, 64): 4.5,
    ("mercury", "MLServer in-process", 1, 1): 1.7,
    ("mercury onnx", "MLServer in-process", 1, 64): 12.0,
    ("mercury onnx", "MLServer in-process", 1, 1): 4.0,
}
MOST_MEMORY, MOST_P99 = 250.0, 15.0


def case_of(text: str) -> tuple[int, int]:
    """Rows and connections."""
    rows, _, connections = text.partition("x")
    return int(rows), int(connections)


def begun(names: list[str], home: Path) -> list[Running]:
    """The servers of these names, as far as they can be had."""
    running: list[Running] = []
    try:
        for name in names:
            server = SERVERS[name]
            if name == "mercury onnx" and find_spec("mercury_onnx") is None:
                print(f"{name} is left out: the plugin mercury-onnx is not installed")
                continue
            try:
                one = Running(server, home / name.replace(" ", "-"))
            except RuntimeError as error:
                if name in OURS:
                    raise
                print(f"{name} is left out: {error}")
                continue
            running.append(one)
            print(f"{name:20} {described(server)}", flush=True)
            one.sleep()
    except BaseException:
        for one in running:
            one.stop()
        raise
    return running


def described(server: Server) -> str:
    """The versions of what it is made of."""
    packages = server.packages or ("mercury-http", "granian", "scikit-learn")
    return versions_of(python_for(server), [re.split(r"[\[<]", name)[0] for name in packages])


def check_same(running: list[Running]) -> None:
    """Whether all predict the same labels.

    Raises:
        RuntimeError: They do not.
    """
    for one in running:
        one.wake()
    found = {one.server.name: one.labels(100) for one in running}
    for one in running:
        one.sleep()
    first = next(iter(found.values()))
    for name, labels in found.items():
        if labels != first or len(set(labels)) < 2:
            raise RuntimeError(f"{name} predicts other labels for the same {len(rows_of(100))} rows: {labels}")


def told(found: dict[str, dict[tuple[int, int], list[Answer]]], memory: dict[str, float]) -> bool:
    """Print the medians, ours as multiples of the peers', and whether the limits hold."""
    kept = True
    cases = next(iter(found.values()))
    ours = [name for name in found if name in OURS]
    for case in cases:
        rows, connections = case
        print(f"\n{rows} row{'s' * (rows > 1)} a request, {connections} connection{'s' * (connections > 1)}")
        rates = {name: statistics.median(one.rate for one in taken[case]) for name, taken in found.items()}
        for name, taken in found.items():
            late = statistics.median(one.late for one in taken[case])
            spread = " … ".join(f"{bound(one.rate for one in taken[case]):.0f}" for bound in (min, max))
            line = f"  {name:20} {rates[name]:8.0f} requests/s ({spread:>15}), 99 % within {late:7.2f} ms"
            if name == "mercury" and case == (1, 64):
                kept &= late <= MOST_P99
                line += f" (<= {MOST_P99:g}: {'kept' if late <= MOST_P99 else 'MISSED'})"
            for mine in ours if name not in OURS else ():
                ratio, limit = rates[mine] / rates[name], LIMITS.get((mine, name, *case))
                line += f"; {mine} / this {ratio:5.2f}"
                if limit is not None:
                    kept &= ratio >= limit
                    line += f" (>= {limit:g}: {'kept' if ratio >= limit else 'MISSED'})"
            print(line)
    print()
    for name, peak in memory.items():
        line = f"peak memory of {name:20} {peak:5.0f} MiB"
        if name == "mercury":
            kept &= peak <= MOST_MEMORY
            line += f" (<= {MOST_MEMORY:g}: {'kept' if peak <= MOST_MEMORY else 'MISSED'})"
        print(line)
    return kept


def main() -> int:
    """Measure, print, and say whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("servers", nargs="*", metavar="SERVER", help=", ".join(SERVERS))
    parser.add_argument("--cases", nargs="+", type=case_of, default=CASES, help="rows x connections, as 1x64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    args = parser.parse_args()
    unknown = [name for name in args.servers if name not in SERVERS]
    if unknown:
        parser.error(f"there is no server {unknown[0]!r}; there are: {', '.join(SERVERS)}")
    if lacking := missing():
        print(f"Left out: {lacking}.")
        return 0
    with tempfile.TemporaryDirectory() as name:
        running = begun(args.servers or list(SERVERS), Path(name))
        try:
            check_same(running)
            found = {one.server.name: {case: [] for case in args.cases} for one in running}
            for round_ in range(args.rounds):
                for case in args.cases:
                    turn = round_ % len(running)
                    for one in running[turn:] + running[:turn]:
                        found[one.server.name][case].append(one.measured(*case, args.seconds))
            memory = {one.server.name: one.peak() for one in running}
        finally:
            for one in running:
                one.stop()
    return 0 if told(found, memory) else 1


if __name__ == "__main__":
    sys.exit(main())

"""What a step costs beside its work: workflows of 0 and of 100 steps that do nothing, each with its durable record.

    python benchmarks/steps.py

The difference of the whole processes, divided by 100, is a step's share of everything: reading and checking the file,
the task, the events and ``run.json``. The same is measured within one process, without the start of Python.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from harness import compare

STEPS = 100
LIMIT_MS = 0.5

MODULE = """
from io import BytesIO
from pyarrow.csv import read_csv

def table(source):
    return read_csv(BytesIO(b"a\\n1\\n"))

def nothing(data_set):
    return data_set
"""


def workflow(steps: int) -> str:
    """A workflow that reads one row and does nothing with it, so many times."""
    read = 'read: {use: "noops:table", source: noops.py}\n'
    return read + ("transform:\n" + '  - {use: "noops:nothing"}\n' * steps if steps else "")


def within_a_process(directory: Path, rounds: int = 9) -> float:
    """Median difference of a check and a run, in seconds."""
    from mercury_core.workflow import run_workflow

    seconds: dict[int, list[float]] = {0: [], STEPS: []}
    for count in range(rounds + 1):
        for steps, taken in seconds.items():
            start = time.perf_counter()
            run_workflow(directory / f"{steps}.yaml", runs=directory / "runs")
            if count:
                taken.append(time.perf_counter() - start)
    return statistics.median(seconds[STEPS]) - statistics.median(seconds[0])


def main() -> int:
    """Measure, print, and say whether the limit holds."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        (directory / "noops.py").write_text(MODULE)
        for steps in (0, STEPS):
            (directory / f"{steps}.yaml").write_text(workflow(steps))
        command = [sys.executable, "-m", "mercury_core", "run", "--quiet"]
        commands = {f"{steps} steps": [*command, str(directory / f"{steps}.yaml")] for steps in (0, STEPS)}
        results = compare(commands, cwd=temporary)
        whole = results[f"{STEPS} steps"].wall - results["0 steps"].wall
        inside = within_a_process(directory)
    kept = True
    print(f"\nA step that does nothing, with its durable record (of {STEPS}):")
    for what, seconds in (("whole process", whole), ("within a process", inside)):
        each = seconds / STEPS * 1e3
        kept = kept and each <= LIMIT_MS
        print(f"  {what:18} {each:6.3f} ms a step (<= {LIMIT_MS}: {'kept' if each <= LIMIT_MS else 'MISSED'})")
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

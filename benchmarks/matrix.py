"""A table of a million rows to one matrix: Mercury against pandas, pyarrow and polars, each as its users write it.

Usage: python benchmarks/matrix.py [csv|parquet ...] [--rows N] [--rounds N]

CSV (or Parquet) of 20 columns of float64, of which 15 become a contiguous matrix; whole processes, by turns. Ends
with 1 where a limit is missed: wall at most 1.05 times that of the fastest; for CSV, peak at most that of the smallest.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

from harness import Result, compare, print_ratios

COLUMNS = [f"c{number:02}" for number in range(15)]
WRITE = """
import sys, numpy, pyarrow, pyarrow.csv, pyarrow.parquet
rows, folder = int(sys.argv[1]), sys.argv[2]
draw = numpy.random.default_rng(0)
table = pyarrow.table({f"c{number:02}": draw.normal(size=rows) for number in range(20)})
pyarrow.csv.write_csv(table, folder + "/table.csv")
pyarrow.parquet.write_table(table, folder + "/table.parquet")
"""
FILL = """
matrix = numpy.empty((table.num_rows, len(columns)), order="F")
for place, column in enumerate(table.columns):
    matrix[:, place] = column
"""
PROGRAMS = {
    "csv": {
        "mercury": """
from mercury_core.builtin.readers import read_csv
from mercury_core.data.matrix import as_matrix
matrix = as_matrix(read_csv(path, columns=columns))
""",
        "mercury tasks": """
from mercury_core import read_data_bunch
bunch = read_data_bunch(path, roles={"features": columns})
matrix = bunch.data.features.to("numpy").underlying
""",
        "polars": "import polars\nmatrix = polars.read_csv(path, columns=columns).to_numpy()",
        "pandas": "import pandas\nmatrix = pandas.read_csv(path, usecols=columns).to_numpy()",
        "pandas pyarrow": "import pandas\nmatrix = pandas.read_csv(path, usecols=columns, engine='pyarrow').to_numpy()",
        "pyarrow": "import numpy\nfrom pyarrow import csv\n"
        "table = csv.read_csv(path, convert_options=csv.ConvertOptions(include_columns=columns))" + FILL,
    },
    "parquet": {
        "mercury": """
from mercury_core.builtin.readers import read_parquet
from mercury_core.data.matrix import as_matrix
matrix = as_matrix(read_parquet(path, columns=columns))
""",
        "mercury tasks": """
from mercury_core import read_data_bunch
bunch = read_data_bunch(path, roles={"features": columns})
matrix = bunch.data.features.to("numpy").underlying
""",
        "polars": "import polars\nmatrix = polars.read_parquet(path, columns=columns).to_numpy()",
        "pandas": "import pandas\nmatrix = pandas.read_parquet(path, columns=columns).to_numpy()",
        "pyarrow": "import numpy\nfrom pyarrow import parquet\ntable = parquet.read_table(path, columns=columns)"
        + FILL,
    },
}
CHECK = """
assert matrix.shape[1] == len(columns) and str(matrix.dtype) == "float64", (matrix.shape, matrix.dtype)
assert matrix.flags.c_contiguous or matrix.flags.f_contiguous
"""


def judged(results: dict[str, Result], kind: str) -> bool:
    """Print the ratios; the limits are those against the best peer."""
    peers = {name: one for name, one in results.items() if not name.startswith("mercury")}
    fastest = min(peers, key=lambda name: peers[name].wall)
    smallest = min(peers, key=lambda name: peers[name].peak)
    peaks = {smallest: 1.0} if kind == "csv" else {}
    return print_ratios(results, "mercury", {fastest: 1.05}, peaks, title=f"{kind} to matrix")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="csv|parquet")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    kept = True
    with tempfile.TemporaryDirectory() as folder:
        # Written by another process: the memory of this one counts into the peaks.
        subprocess.run([sys.executable, "-c", WRITE, str(args.rows), folder], check=True)
        for kind in args.kinds or PROGRAMS:
            head = f"path, columns = {str(Path(folder, 'table.' + kind))!r}, {COLUMNS!r}\n"
            commands = {
                name: [sys.executable, "-c", head + body + CHECK]
                for name, body in PROGRAMS[kind].items()
                if name.split()[0] not in ("pandas", "polars") or find_spec(name.split()[0])
            }
            kept &= judged(compare(commands, rounds=args.rounds), kind)
    return not kept


if __name__ == "__main__":
    sys.exit(main())

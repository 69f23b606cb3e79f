"""`mercury-ml predict` of a large Parquet file against the same model called by hand on the same chunks.

    python benchmarks/batch_predict.py [--rows N] [--rounds N]

Rows of 20 float64 columns and an id, through a scaler and a logistic regression. By hand means: the pipeline of
scikit-learn, loaded by skops, on `ParquetFile.iter_batches` of as many rows, index, labels and scores written by a
`ParquetWriter`. Whole processes by turns; the times of smaller files tell whether time is linear in rows. The peak is
compared with that of a process that only loads the model. Ends with 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import compare, measure

HOME = Path(__file__).resolve().parent
COLUMNS = [f"f{number}" for number in range(20)]
CHUNK = 65_536
LEAST_SPEED = 0.9
MOST_MEMORY = 300  # MiB over the loaded model
MOST_A_ROW = 1.25  # of the time a row of the largest file, less what one row takes, in a file of a tenth of it

LOAD = """
import sys
from mercury_core.tasks import load_model
load_model(sys.argv[1])
import pyarrow.parquet
"""

BY_HAND = """
import sys
import numpy as np, pyarrow as pa, skops.io
from pyarrow import parquet
model, source, target, chunk = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
pipeline = skops.io.load(model, trusted=skops.io.get_untrusted_types(file=model))
names = [f"f{number}" for number in range(20)]
with parquet.ParquetFile(source, pre_buffer=False, buffer_size=1 << 20) as file:
    fields = [("id", pa.int64()), ("prediction", pa.string())]
    schema = pa.schema(fields + [(f"score_{one}", pa.float64()) for one in pipeline.classes_])
    with parquet.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in file.iter_batches(batch_size=chunk, columns=["id", *names]):
            rows = np.column_stack([batch.column(name).to_numpy() for name in names])
            scores = pipeline.predict_proba(rows)
            columns = [batch.column("id"), pa.array(pipeline.predict(rows)), *scores.T]
            writer.write_table(pa.table([pa.array(one) for one in columns], schema=schema))
"""


def made(path: Path, rows: int) -> None:
    """A file of that many rows."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import parquet

    random = np.random.default_rng(7)
    fields = [("id", pa.int64()), *((name, pa.float64()) for name in COLUMNS)]
    with parquet.ParquetWriter(path, pa.schema(fields), use_dictionary=False) as writer:
        for start in range(0, rows, 1 << 18):
            size = min(1 << 18, rows - start)
            table = {"id": np.arange(start, start + size)}
            table.update({name: random.normal(size=size) for name in COLUMNS})
            writer.write_table(pa.table(table))


def trained(home: Path) -> None:
    """The stored model, and the same pipeline for the way by hand."""
    import numpy as np
    import pyarrow as pa
    import skops.io
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from mercury_core import DataBunch, DataSet
    from mercury_core.tasks import fit_model, store_model, transform_data_bunch

    random = np.random.default_rng(1)
    rows = random.normal(size=(5_000, len(COLUMNS)))
    labels = np.where(rows[:, :5].sum(axis=1) > 0, "yes", "no")
    table = pa.table({"id": np.arange(5_000), **dict(zip(COLUMNS, rows.T, strict=True)), "y": labels})
    bunch = DataBunch({"train": DataSet.from_table(table, {"index": "id", "targets": "y"})})
    bunch = transform_data_bunch(bunch, "sklearn.transform", transformer="StandardScaler")
    store_model(fit_model(bunch, "sklearn.fit", estimator="LogisticRegression"), home / "model", format="sklearn.skops")
    skops.io.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels), home / "by-hand.skops")


def main() -> int:
    """Measure, print, and say whether the limits hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    sizes = [args.rows // 100, args.rows // 10, args.rows]
    if args.make:
        trained(args.make)
        for rows in sizes:
            made(args.make / f"{rows}.parquet", rows)
        return 0
    shared = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=shared if Path(shared).is_dir() else None) as name:
        home = Path(name)
        # Apart, since the memory of this process counts into the peaks of those that it starts.
        measure([sys.executable, str(HOME / "batch_predict.py"), "--make", name, "--rows", str(args.rows)])
        model, pipeline = home / "model", home / "by-hand.skops"
        env = {"MERCURY_CACHE_DIR": str(home / "cache")}
        sources = {rows: home / f"{rows}.parquet" for rows in sizes}
        out = str(home / "out.parquet")

        def ours(rows: int, *more: str) -> list[str]:
            command = [sys.executable, "-m", "mercury_core", "predict", str(model), str(sources[rows]), "--to", out]
            return [*command, "--batch-rows", str(CHUNK), *more]

        commands = {
            "mercury": ours(args.rows),
            "mercury --jobs 2": ours(args.rows, "--jobs", "2"),
            "by hand": [sys.executable, "-c", BY_HAND, str(pipeline), str(sources[args.rows]), out, str(CHUNK)],
        }
        print(f"Python {sys.version.split()[0]}; {os.cpu_count()} cores; {args.rows:,} rows, {len(COLUMNS)} columns")
        results: dict[str, Any] = compare(commands, args.rounds, env)
        for label, result in results.items():
            print(f"{label:18} {result.wall:7.2f} s {args.rows / result.wall:12,.0f} rows/s {result.peak:7.0f} MiB")
        loaded = measure([sys.executable, "-c", LOAD, str(model)], env)[2]
        speed, memory = results["by hand"].wall / results["mercury"].wall, results["mercury"].peak - loaded
        walls = {rows: min(measure(ours(rows), env)[0] for _ in range(args.rounds)) for rows in sizes[:2]}
        walls[args.rows] = min(results["mercury"].walls)
        for rows, wall in walls.items():
            print(f"{rows:12,} rows {wall:7.2f} s")
        small, middle, large = (walls[rows] for rows in sizes)
        steady = ((large - small) / (sizes[2] - sizes[0])) / ((middle - small) / (sizes[1] - sizes[0]))
        print(f"speed against by hand: {speed:.2f} (limit {LEAST_SPEED})")
        print(f"over the loaded model of {loaded:.0f} MiB: {memory:.0f} MiB (limit {MOST_MEMORY})")
        print(f"time a row, large against middle, without the start: {steady:.2f} (limit {MOST_A_ROW})")
        return int(speed < LEAST_SPEED or memory > MOST_MEMORY or steady > MOST_A_ROW)


if __name__ == "__main__":
    sys.exit(main())

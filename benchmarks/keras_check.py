"""What it costs to look at a workflow of Keras without fitting: listing providers, and ``mercury-ml check``.

    python benchmarks/keras_check.py [ROUNDS]

Listing imports neither Keras nor a backend, which is seen and not measured. The check makes the optimizer, the losses,
the metrics and the callbacks, so it imports Keras; whole processes, against ``import keras`` alone.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import compare, print_ratios

LIMIT = 1.2

LISTING = """
import sys
from mercury_core import ModelFitters, ModelSavers, SourceReaders, Transformers
keys = {key for verb in (SourceReaders, Transformers, ModelFitters, ModelSavers) for key in verb}
assert {"keras.images", "keras.augment", "keras.fit", "keras.native"} <= keys, sorted(keys)
loaded = {"keras", "torch", "tensorflow", "jax", "PIL", "h5py"} & sys.modules.keys()
assert not loaded, f"listing imported {sorted(loaded)}"
"""

WORKFLOW = """
name: check
read:
  train: {use: csv, source: data.csv, roles: {targets: [y]}}
  valid: {use: csv, source: data.csv, roles: {targets: [y]}}
fit:
  use: keras.fit
  model: {use: keras.mlp}
  optimizer: {use: Adam, clipnorm: 1}
  learning_rate: {use: CosineDecay, initial_learning_rate: 0.01, decay_steps: 100}
  metrics: [accuracy, AUC]
  callbacks: [{use: EarlyStopping, patience: 3}, {use: CSVLogger, filename: log.csv}]
  directory: out
evaluate: {data: valid, metrics: [{use: keras.evaluate, metrics: [accuracy]}]}
save: {use: keras.native, path: model}
"""


def main() -> int:
    """Look, measure, print, and say whether the limit holds."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    subprocess.run([sys.executable, "-c", LISTING], check=True)
    print("listing providers imports neither Keras nor a backend: kept")
    backend = next(name for name in ("torch", "tensorflow", "jax") if importlib.util.find_spec(name))
    with tempfile.TemporaryDirectory() as temporary:
        (Path(temporary) / "data.csv").write_text("x,y\n" + "1.5,yes\n2.5,no\n" * 10)
        (Path(temporary) / "workflow.yaml").write_text(WORKFLOW)
        commands = {
            "mercury": [sys.executable, "-m", "mercury_core", "check", "workflow.yaml"],
            "import keras": [sys.executable, "-c", "import keras"],
        }
        results = compare(commands, rounds=rounds, env={"KERAS_BACKEND": backend}, cwd=temporary)
    title = f"mercury-ml check of a workflow of Keras on {backend}, whole processes:"
    return 0 if print_ratios(results, limits={"import keras": LIMIT}, title=title) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Training: a workflow of ``keras.fit`` against the same training in a script of Keras's own.

    python benchmarks/keras_fit.py [ROUNDS]

Whole processes, from a Parquet file of 20,000 x 20 to a saved model: same rows in the same order, same model, batch
size, epochs, seed and number of threads, about 20 seconds of training. Both end with the same loss, to the last bit.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import compare, print_ratios

EPOCHS = 8
WALL, PEAK = 1.02, 1.05

DATA = """
import numpy as np
import pyarrow as pa
from pyarrow import parquet
generator = np.random.default_rng(0)
features = generator.normal(size=(25_000, 20)).astype("float32")
chance = 1 / (1 + np.exp(-np.tanh(features) @ generator.normal(size=20) * 2))
labels = generator.uniform(size=len(chance)) < chance
table = pa.table({f"x{place}": column for place, column in enumerate(features.T)} | {"y": labels})
parquet.write_table(table[:20_000], "train.parquet")
parquet.write_table(table[20_000:], "valid.parquet")
"""

PLAIN = f"""
import json
import keras
import numpy as np
from pyarrow import parquet

def read(name):
    table = parquet.read_table(name)
    features = np.column_stack([table[column].to_numpy() for column in table.column_names[:-1]])
    return features, table["y"].to_numpy().astype("float32").reshape(-1, 1)

keras.utils.set_random_seed(7)
model = keras.Sequential(
    [
        keras.layers.Input((20,)),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(64, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
x, y = read("train.parquet")
history = model.fit(
    x, y, batch_size=32, epochs={EPOCHS}, validation_data=read("valid.parquet"), shuffle=False, verbose=0
)
model.save("plain.keras")
with open("plain.json", "w") as file:
    json.dump(history.history, file)
"""

MODEL = """
import keras

def network(inputs, outputs):
    return keras.Sequential(
        [
            keras.layers.Input((20,)),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )
"""

WORKFLOW = f"""
name: training
read:
  train: {{use: parquet, source: train.parquet, roles: {{targets: [y]}}}}
  valid: {{use: parquet, source: valid.parquet, roles: {{targets: [y]}}}}
fit:
  use: keras.fit
  model: "network:network"
  loss: binary_crossentropy
  metrics: [accuracy]
  batch_size: 32
  epochs: {EPOCHS}
  shuffle: false
  seed: 7
save: {{use: keras.native, path: model, overwrite: replace}}
"""


def main() -> int:
    """Measure, print, and say whether the limits hold."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    backend = next(name for name in ("torch", "tensorflow", "jax") if importlib.util.find_spec(name))
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        subprocess.run([sys.executable, "-c", DATA], cwd=directory, check=True)
        (directory / "plain.py").write_text(PLAIN)
        (directory / "network.py").write_text(MODEL)
        (directory / "workflow.yaml").write_text(WORKFLOW)
        results = compare(
            {
                "mercury": [sys.executable, "-m", "mercury_core", "run", "--quiet", "workflow.yaml"],
                "keras": [sys.executable, "plain.py"],
            },
            rounds=rounds,
            env={"KERAS_BACKEND": backend, "OMP_NUM_THREADS": "1", "PYTHONPATH": temporary},
            cwd=temporary,
        )
        plain = json.loads((directory / "plain.json").read_text())
        steps = json.loads((max((directory / "runs").iterdir()) / "run.json").read_text())["steps"]
    mercury = next(step["result"] for step in steps if step["verb"] == "fit")["training"]["history"]
    losses = {name: (mercury[name][-1], plain[name][-1]) for name in ("loss", "val_loss")}
    for name, (ours, theirs) in losses.items():
        print(f"final {name}: mercury {ours!r}, keras {theirs!r}")
    if any(ours != theirs for ours, theirs in losses.values()):
        print("The two did not do the same training.")
        return 1
    title = f"Training of {EPOCHS} epochs of 625 batches on {backend}, one thread, whole processes:"
    kept = print_ratios(results, limits={"keras": WALL}, peak_limits={"keras": PEAK}, title=title)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())

"""The main job: CSV of 200,000 x 20 -> split -> scale -> LogisticRegression -> accuracy -> saved model.

    python benchmarks/main_job.py [ROUNDS]

Whole processes: ``mercury-ml run`` of a workflow file, and a plain script with pandas and scikit-learn that saves with
skops too. Both read the same file, and the accuracies are compared, so that both are known to do the job.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from harness import compare, print_ratios

DATA = """
import numpy as np
generator = np.random.default_rng(0)
features = generator.normal(size=(200_000, 20)) * generator.uniform(0.1, 50, size=20)
chance = 1 / (1 + np.exp(-(features / features.std(0)) @ generator.normal(size=20)))
target = (generator.uniform(size=len(chance)) < chance).astype(int)
names = [f"x{place}" for place in range(20)]
table = np.column_stack([features, target])
np.savetxt("data.csv", table, delimiter=",", header=",".join([*names, "y"]), comments="", fmt=["%.6f"] * 20 + ["%d"])
"""

PLAIN = """
import json
import pandas as pd
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

table = pd.read_csv("data.csv")
features, target = table.drop(columns="y"), table["y"]
train_x, test_x, train_y, test_y = train_test_split(features, target, test_size=0.2, random_state=7)
model = make_pipeline(StandardScaler(), LogisticRegression())
model.fit(train_x, train_y)
accuracy = accuracy_score(test_y, model.predict(test_x))
skops.io.dump(model, "plain.skops")
with open("plain.json", "w") as file:
    json.dump({"accuracy": accuracy}, file)
"""

WORKFLOW = """
name: main job
read: {use: csv, source: data.csv, roles: {targets: [y]}}
transform:
  - {use: split, into: {train: 0.8, test: 0.2}, seed: 7}
  - {use: sklearn.preprocess, numeric: {impute: none, scale: standard}}
fit: {use: sklearn.fit, estimator: LogisticRegression}
evaluate: {data: test, metrics: [sklearn.accuracy_score]}
save: {use: sklearn.skops, path: model, overwrite: replace}
"""


def main() -> int:
    """Measure, print, and say whether the limits hold."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        subprocess.run([sys.executable, "-c", DATA], cwd=directory, check=True)
        (directory / "plain.py").write_text(PLAIN)
        (directory / "workflow.yaml").write_text(WORKFLOW)
        results = compare(
            {
                "mercury": [sys.executable, "-m", "mercury_core", "run", "--quiet", "workflow.yaml"],
                "plain": [sys.executable, "plain.py"],
            },
            rounds=rounds,
            cwd=temporary,
        )
        plain = json.loads((directory / "plain.json").read_text())["accuracy"]
        newest = max((directory / "runs").iterdir())
        mercury = json.loads((newest / "run.json").read_text())["metrics"]["test"]["sklearn.accuracy_score"]
    print(f"accuracy: mercury {mercury:.4f}, plain {plain:.4f}")
    if abs(mercury - plain) > 0.01:
        print("The two did not do the same job.")
        return 1
    title = "CSV of 200,000 x 20 -> split -> scale -> LogisticRegression -> accuracy -> saved model, whole processes:"
    return 0 if print_ratios(results, limits={"plain": 1.0}, peak_limits={"plain": 1.0}, title=title) else 1


if __name__ == "__main__":
    sys.exit(main())

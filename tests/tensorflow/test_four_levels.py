"""The job of the article at its four levels, as the page prints it, against real servers: HDF5 to S3, SavedModel to
Google Cloud Storage by changing two strings.
"""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml

from mercury_core import DataBunch, DataSet, copy, fit_model, load_model
from mercury_core.registry import resolve
from mercury_core.workflow import run_workflow

if TYPE_CHECKING:
    from tests.servers.gcs import GcsServer
    from tests.servers.s3 import S3Server

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/levels.md").read_text(encoding="utf-8").partition("## The same with Keras")[2]
LIBRARIES, LIBRARIES_GCS, PROVIDERS, CONTAINERS, TASKS = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.M)
#: The two strings.
SWAP = (("keras.hdf5", "keras.saved_model"), ("s3://", "gs://"))
RANDOM = np.random.default_rng(5)
FEATURES = {name: RANDOM.normal(size=60) for name in ("height", "width")}


@pytest.fixture(scope="module")
def bundle() -> Any:
    """A fitted model, small and quick."""
    kind = np.where(FEATURES["height"] > FEATURES["width"], "tall", "wide")
    train = DataSet({"features": FEATURES, "targets": {"kind": kind.tolist()}})
    return fit_model(DataBunch({"train": train}), "keras.fit", model="keras.mlp", epochs=1, seed=3)


@pytest.fixture
def buckets(
    s3_server: S3Server, gcs_server: GcsServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """An empty bucket by scheme; the environment leads to the servers."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    environment = {**s3_server.environment, "AWS_ENDPOINT_URL": s3_server.endpoint, **gcs_server.environment}
    for name, value in {**environment, "MERCURY_CACHE_DIR": str(tmp_path / "cache")}.items():
        monkeypatch.setenv(name, value)
    return {"s3": s3_server.bucket(), "gs": gcs_server.bucket()}


def swapped(code: str) -> str:
    """A level with the two strings changed."""
    for before, after in SWAP:
        assert code.count(before) == 1
        code = code.replace(before, after)
    return code


def run(code: str, bundle: Any, bucket: str) -> None:
    """A level as it is printed, then nothing of it is left on this disk."""
    names = {"bundle": bundle, "model": bundle.model, "keras_model": bundle.underlying}
    exec(compile(code.replace("my-bucket", bucket), "levels.md", "exec"), names)
    shutil.rmtree("models")


def scores(model: Any) -> Any:
    return model.predict(DataSet({"features": FEATURES})).scores.to("numpy").underlying


def proven(uri: str, key: str, bundle: Any) -> None:
    """What a format wrote and a store has, loaded again, predicts what the model predicts."""
    copy(uri, "back")
    assert np.allclose(scores(resolve("save", key).load(Path("back"))), scores(bundle), atol=1e-6)
    shutil.rmtree("back")


def test_by_the_libraries_alone(bundle: Any, buckets: dict[str, str], gcs_server: GcsServer) -> None:
    import keras

    table = np.column_stack(list(FEATURES.values())).astype("float32")
    expected = bundle.underlying.predict(table, verbose=0)
    run(LIBRARIES, bundle, buckets["s3"])
    copy(f"s3://{buckets['s3']}/models/digits.h5", "back.h5")
    assert np.allclose(keras.saving.load_model("back.h5").predict(table, verbose=0), expected, atol=1e-6)
    run(LIBRARIES_GCS, bundle, buckets["gs"])
    copy(f"gs://{buckets['gs']}/models/digits", "back")
    assert np.allclose(keras.layers.TFSMLayer("back", call_endpoint="serve")(table), expected, atol=1e-6)


def test_by_providers(bundle: Any, buckets: dict[str, str]) -> None:
    run(PROVIDERS, bundle, buckets["s3"])
    proven(f"s3://{buckets['s3']}/models/digits", "keras.hdf5", bundle)
    run(PROVIDERS.replace("hdf5", "saved_model").replace("s3://", "gs://"), bundle, buckets["gs"])
    proven(f"gs://{buckets['gs']}/models/digits", "keras.saved_model", bundle)


def test_by_containers(bundle: Any, buckets: dict[str, str]) -> None:
    run(CONTAINERS, bundle, buckets["s3"])
    proven(f"s3://{buckets['s3']}/models/digits", "keras.hdf5", bundle)
    run(swapped(CONTAINERS), bundle, buckets["gs"])
    proven(f"gs://{buckets['gs']}/models/digits", "keras.saved_model", bundle)


def test_by_tasks(bundle: Any, buckets: dict[str, str]) -> None:
    run(TASKS, bundle, buckets["s3"])
    run(swapped(TASKS), bundle, buckets["gs"])
    for scheme, key in (("s3", "keras.hdf5"), ("gs", "keras.saved_model")):
        stored = load_model(f"{scheme}://{buckets[scheme]}/models/digits")
        assert stored.signature.classes == ("tall", "wide")
        assert np.allclose(scores(stored), scores(bundle), atol=1e-6)
        copy(f"{scheme}://{buckets[scheme]}/models/digits/mercury.json", "mercury.json", overwrite="replace")
        assert yaml.safe_load(Path("mercury.json").read_text())["model"]["format"] == key


def test_by_a_workflow(buckets: dict[str, str]) -> None:
    rows = zip(*FEATURES.values(), strict=True)
    lines = [f"{height},{width},{'tall' if height > width else 'wide'}" for height, width in rows]
    Path("rows.csv").write_text("\n".join(["height,width,kind", *lines]))
    text = f"""
        read: {{train: {{source: rows.csv, roles: {{targets: kind}}}}}}
        fit: {{use: keras.fit, model: keras.mlp, epochs: 1, seed: 3}}
        save: {{use: keras.hdf5, path: models/digits}}
        copy: {{to: "s3://{buckets["s3"]}/models/"}}
        """
    for scheme, content in (("s3", text), ("gs", swapped(text).replace(buckets["s3"], buckets["gs"]))):
        Path("w.yaml").write_text(content)
        run_workflow("w.yaml")
        shutil.rmtree("models")
        assert load_model(f"{scheme}://{buckets[scheme]}/models/digits").signature.classes == ("tall", "wide")


def test_the_page_counts_the_lines_that_it_prints() -> None:
    def lines(code: str) -> int:
        return sum(bool(line.strip()) for line in code.splitlines())

    counts = dict(re.findall(r"^\| ([a-z ]+) \| (\d+) \|", PAGE, re.M))
    printed = {"the libraries alone": LIBRARIES, "providers": PROVIDERS, "containers": CONTAINERS, "tasks": TASKS}
    assert {level: int(counts[level]) for level in printed} == {level: lines(code) for level, code in printed.items()}
    assert f"| another {lines(LIBRARIES_GCS)} |" in PAGE

"""What was saved under torch predicts the same under TensorFlow, and the other way round."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mercury_keras.formats.hdf5 import hdf5
from mercury_keras.formats.native import native
from mercury_keras.formats.onnx import onnx
from mercury_keras.formats.saved_model import saved_model
from mercury_keras.formats.torch_export import torch_export
from mercury_keras.formats.weights import weights

from tests.keras import models

#: Sums in another order: what was seen, doubled. Numbers are of the size of 1.
TOLERANCE = 1e-6
FILES: dict[str, Any] = {"native": native, "hdf5": hdf5, "weights": weights}
NAMES = ["classifier", "convnet", "several", "own"]
CHILD = """
    import json, sys, warnings
    from pathlib import Path
    import numpy as np
    from tests.keras import models
    from mercury_keras.backend import name
    from mercury_keras.formats.hdf5 import hdf5
    from mercury_keras.formats.native import native
    from mercury_keras.formats.onnx import onnx
    from mercury_keras.formats.torch_export import torch_export
    from mercury_keras.formats.weights import weights

    assert name() == "torch"
    root = Path(sys.argv[1])
    files = {"native": native, "hdf5": hdf5, "weights": weights}
    told = {}
    for model_name in json.loads(sys.argv[2]):
        for key, form in files.items():
            here = models.numbers(form.load(root / "tensorflow" / model_name / key, trusted=models.OWN))
            there = np.load(root / "tensorflow" / f"{model_name}.npy")
            told[f"{model_name} {key}"] = float(np.abs(here - there).max())
        model = models.MAKERS[model_name]()
        np.save(root / f"{model_name}.npy", models.numbers(model))
        for key, form in {**files, "onnx": onnx, "torch_export": torch_export}.items():
            form.save(model, root / model_name / key)
    print(json.dumps(told))
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of both backends in all formats, with their predictions; and what torch said of those of TensorFlow."""
    pytest.importorskip("torch")
    path = tmp_path_factory.mktemp("cross")
    for name in NAMES:
        model = models.MAKERS[name]()
        for key, form in FILES.items():
            form.save(model, path / "tensorflow" / name / key)
        np.save(path / "tensorflow" / f"{name}.npy", models.numbers(model))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(path), json.dumps(NAMES)],
        env={**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (path / "told.json").write_text(done.stdout.strip().splitlines()[-1])
    return path


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("name", NAMES)
def test_saved_under_torch_and_loaded_under_tensorflow(root: Path, name: str, key: str) -> None:
    again = FILES[key].load(root / name / key, trusted=models.OWN)
    assert again.underlying.predict_on_batch  # a Keras model, of this backend
    assert np.abs(models.numbers(again) - np.load(root / f"{name}.npy")).max() <= TOLERANCE


@pytest.mark.parametrize("key", FILES)
@pytest.mark.parametrize("name", NAMES)
def test_saved_under_tensorflow_and_loaded_under_torch(root: Path, name: str, key: str) -> None:
    assert json.loads((root / "told.json").read_text())[f"{name} {key}"] <= TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_by_way_of_keras_native_to_a_saved_model(root: Path, name: str, tmp_path: Path) -> None:
    again = native.load(root / name / "native", trusted=models.OWN)
    exported = saved_model.load(saved_model.save(again, tmp_path / "m"))
    assert np.abs(models.numbers(exported) - np.load(root / f"{name}.npy")).max() <= TOLERANCE


@pytest.mark.parametrize("name", NAMES)
def test_exports_of_torch_predict_beside_tensorflow(root: Path, name: str) -> None:
    pytest.importorskip("onnxruntime")
    wanted = np.load(root / f"{name}.npy")
    assert np.abs(models.numbers(onnx.load(root / name / "onnx")) - wanted).max() <= TOLERANCE
    program = torch_export.load(root / name / "torch_export")
    assert np.abs(models.numbers(program) - wanted).max() <= TOLERANCE

"""``keras.onnx`` and ``keras.torch_export``: what comes back under torch, without Keras, and what is refused."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from mercury_keras.formats import exported, onnx as onnx_format
from mercury_keras.formats.native import native
from mercury_keras.formats.saved_model import saved_model
from mercury_keras.formats.torch_export import torch_export
from mercury_keras.model import KerasModel
from mercury_keras.specs import ModelSpec

from mercury_core.bundle import Bundle
from mercury_core.errors import (
    BundleFormatError,
    CorruptBundleError,
    ProviderNotInstalledError,
    UnsavableModelError,
    UntrustedPickleError,
)
from tests.keras import models
from tests.keras.models import K, L

onnx_ = onnx_format.onnx
#: The largest difference to the Keras model that was seen, doubled: its products are summed in another order.
TOLERANCE = {"keras.onnx": 1e-6, "keras.torch_export": 1e-6}
FORMATS: dict[str, Any] = {"keras.onnx": onnx_, "keras.torch_export": torch_export}
FILES = {"keras.onnx": "model.onnx", "keras.torch_export": "model.pt2"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A classifier in each format."""
    root, model = tmp_path_factory.mktemp("saved"), models.classifier()
    return {key: form.save(model, root / key) for key, form in FORMATS.items()}


@pytest.fixture
def copied(saved: dict[str, Path], tmp_path: Path) -> Any:
    """A copy of one of them, to be damaged."""
    return lambda key: Path(shutil.copytree(saved[key], tmp_path / key))


@pytest.mark.parametrize("key", FORMATS)
@pytest.mark.parametrize("name", models.MAKERS)
def test_predictions_are_those_of_the_keras_model(key: str, name: str, tmp_path: Path) -> None:
    model = models.MAKERS[name]()
    again = FORMATS[key].load(FORMATS[key].save(model, tmp_path / "m"))
    for rows in (1, 2, 7):
        assert models.difference(model, again, rows) <= TOLERANCE[key]
    assert not again.is_keras
    assert again.spec == model.spec
    with pytest.raises(UnsavableModelError, match="exported"):
        native.save(again, tmp_path / "again")


@pytest.mark.parametrize("key", FORMATS)
def test_a_model_that_was_just_loaded_is_exported(key: str, tmp_path: Path) -> None:
    model = models.several()
    again = native.load(native.save(model, tmp_path / "native"))
    path = FORMATS[key].save(again, tmp_path / "m")
    assert models.difference(model, FORMATS[key].load(path)) <= TOLERANCE[key]


def test_opset_version(tmp_path: Path) -> None:
    path = onnx_.save(models.classifier(), tmp_path / "m", opset_version=15)
    assert onnx.load(path / "model.onnx").opset_import[0].version == 15


def test_in_a_bundle(tmp_path: Path) -> None:
    model = models.convnet()
    again = Bundle.load(Bundle(model).save(tmp_path / "bundle", format="keras.onnx"))
    assert again.predict(models.data()).values == model.predict(models.data()).values
    path = Bundle(model).save(tmp_path / "torch", format="keras.torch_export")
    with pytest.raises(UntrustedPickleError, match=r"runs whatever the file brings, through torch\.export\.load"):
        Bundle.load(path)
    assert Bundle.load(path, trust=True).predict(models.data()).num_rows == 7


def test_onnx_predicts_where_neither_keras_nor_a_backend_is_imported(saved: dict[str, Path]) -> None:
    code = f"""
        import sys
        from pathlib import Path
        from mercury_core import ModelSavers
        from mercury_core.data import DataSet
        model = ModelSavers["keras.onnx"].load(Path({str(saved["keras.onnx"])!r}))
        found = model.predict(DataSet({{"features": {{"a": [1.0, 2.0], "b": [0.5, 1.0], "c": [0.0, 0.0]}}}}))
        assert found.num_rows == 2 and found.classes == ("c", "a", "b")
        print(sorted({{"keras", "torch", "tensorflow", "jax"}} & set(sys.modules)))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


def test_chance_in_prediction_cannot_be_exported(tmp_path: Path) -> None:
    @K.saving.register_keras_serializable("tests_exports")
    class Noisy(L.Layer):
        def call(self, rows: Any) -> Any:
            return rows + K.random.normal(K.ops.shape(rows))

    model = models.one_table(L.Dense(3, "softmax"), Noisy())
    for form in FORMATS.values():
        with pytest.raises(UnsavableModelError, match=r"predicts otherwise|failed \("):
            form.save(model, tmp_path / type(form).__name__)


def test_an_export_that_cannot_predict_is_found_out() -> None:
    def run(rows: Any) -> Any:
        if len(rows) > 1:
            raise RuntimeError("Got: 3 Expected: 1")
        return model.underlying.predict_on_batch(rows)

    model = models.classifier()
    with pytest.raises(UnsavableModelError, match=r"cannot predict 3 rows \(RuntimeError: Got: 3 Expected: 1\)"):
        exported.prove(model, "keras.onnx", run)


def test_what_a_backend_cannot_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = models.classifier()
    with pytest.raises(UnsavableModelError, match=r"keras\.saved_model .* TensorFlow .*KERAS_BACKEND=tensorflow"):
        saved_model.save(model, tmp_path / "m")
    from mercury_keras import backend

    monkeypatch.setattr(backend, "name", lambda: "jax")
    with pytest.raises(UnsavableModelError, match=r"keras\.torch_export .* torch backend, .* KERAS_BACKEND=torch"):
        torch_export.save(model, tmp_path / "m")
    with pytest.raises(UnsavableModelError, match=r"keras\.onnx is written under torch, .* on jax\. Set KERAS"):
        onnx_.save(model, tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_what_is_not_installed(saved: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import util

    from mercury_core.parameters import check

    find = util.find_spec
    gone = {"onnxruntime", "torch", "tensorflow"}
    for module in ("onnx", "torch_export", "saved_model"):
        monkeypatch.setattr(
            f"mercury_keras.formats.{module}.find_spec", lambda name: None if name in gone else find(name)
        )
    with pytest.raises(ProviderNotInstalledError, match=r"pip install 'mercury-keras\[onnx\]'"):
        onnx_.load(saved["keras.onnx"])
    with pytest.raises(ProviderNotInstalledError, match=r"pip install 'mercury-keras\[onnx\]'"):
        onnx_.save(models.classifier(), tmp_path / "m")
    (fault,) = check("save", "keras.onnx", onnx_, {})  # told before a training, and not after it
    assert fault.message.endswith("pip install 'mercury-keras[onnx]'")
    with pytest.raises(ProviderNotInstalledError, match=r"pip install 'mercury-keras\[torch\]'"):
        torch_export.load(saved["keras.torch_export"])
    with pytest.raises(ProviderNotInstalledError, match=r"pip install 'mercury-keras\[tensorflow\]'"):
        saved_model.load(tmp_path)


# --- files that somebody made, or broke ---


@pytest.mark.parametrize("key", FORMATS)
@pytest.mark.parametrize("left", [0, 0.5, 0.99])
def test_a_truncated_file_is_one_sentence(key: str, left: float, copied: Any) -> None:
    path = copied(key)
    file = path / FILES[key]
    whole = file.read_bytes()
    file.write_bytes(whole[: int(len(whole) * left)])
    with pytest.raises(BundleFormatError, match=f"{FILES[key]} is not a bundle .* cannot be read") as caught:
        FORMATS[key].load(path)
    assert "\n" not in str(caught.value)


def change_onnx(path: Path, change: Any) -> None:
    """Change the graph of a saved model."""
    model = onnx.load(path / "model.onnx")
    change(model.graph)
    (path / "model.onnx").write_bytes(model.SerializeToString())


def external(location: str) -> Any:
    """Weights that lie in another file."""

    def change(graph: Any) -> None:
        tensor = graph.initializer[0]
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.ClearField("raw_data")
        tensor.external_data.add(key="location", value=location)

    return change


def inner_graph(graph: Any) -> None:
    """Weights in another file, in a graph within an attribute of a node."""
    tensor = onnx.TensorProto(name="deep", dims=[1], data_type=1, data_location=onnx.TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    inner = onnx.GraphProto(name="inner", initializer=[tensor])
    graph.node[0].attribute.append(onnx.AttributeProto(name="then_branch", type=onnx.AttributeProto.GRAPH, g=inner))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        *(
            (external(place), "outside of its directory")
            for place in ("/etc/passwd", "../x", "a/../../x", "..", "a\\b")
        ),
        (inner_graph, "'/etc/passwd'"),
        (
            lambda graph: graph.node[0].MergeFrom(onnx.NodeProto(domain="com.microsoft", op_type="EPContext")),
            "EPContext",
        ),
        (lambda graph: graph.node[0].MergeFrom(onnx.NodeProto(domain="evil", op_type="Run")), "evil:Run"),
    ],
)
def test_onnx_that_reaches_for_more(change: Any, match: str, copied: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    path = copied("keras.onnx")
    change_onnx(path, change)
    monkeypatch.setattr(onnxruntime, "InferenceSession", None)
    with pytest.raises(CorruptBundleError, match=match):
        onnx_.load(path)


def test_onnx_with_weights_beside_it(copied: Any) -> None:
    path = copied("keras.onnx")
    before = onnx_.load(path)
    model = onnx.load(path / "model.onnx")
    onnx.save(model, path / "model.onnx", save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert (path / "weights.bin").exists()
    assert models.difference(before, onnx_.load(path)) == 0


class Mark:
    """What is unpickled makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_a_pt2_file_that_would_run_code_does_not_without_trust(tmp_path: Path) -> None:
    path, mark = Bundle(models.classifier()).save(tmp_path / "m", format="keras.torch_export"), tmp_path / "ran"
    file = path / "model" / "model.pt2"
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    config = next(name for name in content if name.endswith("model_weights_config.json"))
    weights = json.loads(content[config])
    entry = next(iter(weights["config"].values()))
    entry["use_pickle"] = True
    content[f"{config.partition('/')[0]}/data/weights/{entry['path_name']}"] = pickle.dumps(Mark(mark))
    content[config] = json.dumps(weights).encode()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    manifest = json.loads((path / "mercury.json").read_text())
    proof = {"size": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
    manifest["files"]["model/model.pt2"] = proof
    (path / "mercury.json").write_text(json.dumps(manifest))
    for trusted in ((), ["torch"], ["torch.export.load"]):
        with pytest.raises(UntrustedPickleError, match="--trust-pickle"):
            Bundle.load(path, trusted=trusted)
    assert not mark.exists()


def test_the_input_of_a_spec_that_is_not_the_model_s(tmp_path: Path) -> None:
    model = models.several()
    spec = ModelSpec((models.TABLE,), model.spec.outputs)
    for form in FORMATS.values():
        with pytest.raises(UnsavableModelError):
            form.save(KerasModel(model.underlying, spec), tmp_path / type(form).__name__)


def test_samples_are_sound_values() -> None:
    rows = exported.sample((models.TABLE, models.PICTURE), 50)
    assert set(np.unique(rows["table"])) == {0, 1}
    assert rows["picture"].min() >= 0
    assert 200 < rows["picture"].max() <= 255
    assert rows["picture"].shape == (50, 6, 5, 1)


def test_a_backend_that_a_format_needs_is_told_before_any_work(monkeypatch: pytest.MonkeyPatch) -> None:
    from mercury_keras import backend
    from mercury_keras.formats.saved_model import saved_model
    from mercury_keras.formats.torch_export import torch_export

    from mercury_core.parameters import check

    assert not check("save", "keras.onnx", onnx_, {"opset_version": 17})
    for running, other, key, format_ in (
        ("torch", "tensorflow", "keras.saved_model", saved_model),
        ("tensorflow", "torch", "keras.torch_export", torch_export),
    ):
        monkeypatch.setattr(backend, "name", lambda running=running: running)
        (fault,) = check("save", key, format_, {})
        assert fault.message.startswith(f"{key} cannot be used: it needs the ")
        assert f"KERAS_BACKEND={other} before Python starts." in fault.message
        monkeypatch.setattr(backend, "name", lambda other=other: other)
        assert not check("save", key, format_, {})

"""``keras.native``, ``keras.hdf5`` and ``keras.weights``: what comes back, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
from mercury_keras.formats.hdf5 import hdf5
from mercury_keras.formats.native import native
from mercury_keras.formats.weights import weights
from mercury_keras.model import KerasModel
from mercury_keras.specs import ModelSpec, OutputSpec

from mercury_core.bundle import Bundle
from mercury_core.errors import (
    BundleFormatError,
    UnsavableModelError,
    UntrustedTypeError,
)
from tests.keras import models
from tests.keras.models import K, L

if TYPE_CHECKING:
    from pathlib import Path

FORMATS: dict[str, Any] = {"keras.native": native, "keras.hdf5": hdf5, "keras.weights": weights}
FILES = {"keras.native": "model.keras", "keras.hdf5": "model.h5", "keras.weights": "model.weights.h5"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A classifier in each format."""
    root, model = tmp_path_factory.mktemp("saved"), models.classifier()
    return {key: form.save(model, root / key) for key, form in FORMATS.items()}


# --- round trips ---


@pytest.mark.parametrize("key", FORMATS)
@pytest.mark.parametrize("name", models.MAKERS)
def test_predictions_are_equal_to_the_last_bit(key: str, name: str, tmp_path: Path) -> None:
    model, form = models.MAKERS[name](), FORMATS[key]
    trusted = models.OWN if name == "own" else ["tests.keras.models:Subclassed"] if name == "subclassed" else []
    if key == "keras.hdf5" and name == "subclassed":
        with pytest.raises(UnsavableModelError, match=r"class of its own, Subclassed\. Choose .* keras\.native"):
            form.save(model, tmp_path / "m")
        return
    again = form.load(form.save(model, tmp_path / "m"), trusted=trusted)
    assert models.difference(model, again) == 0
    assert again.spec == model.spec
    assert again.is_keras
    assert isinstance(again.underlying, K.Model)
    assert not again.underlying.compiled


@pytest.mark.parametrize("key", FORMATS)
def test_a_model_that_was_loaded_is_saved_again_in_every_format(key: str, saved: Any, tmp_path: Path) -> None:
    again = FORMATS[key].load(saved[key])
    for other, form in FORMATS.items():
        assert models.difference(again, form.load(form.save(again, tmp_path / other))) == 0


def test_everything_of_the_spec_comes_back(tmp_path: Path) -> None:
    training = {"epochs": 2, "history": {"loss": [0.7, float("nan")]}, "best_epoch": 1}
    outputs = (OutputSpec("sick", "binary", ("sick",), ("bool",), (False, True), logits=True, units=1),)
    model = KerasModel(models.convnet().underlying, ModelSpec((models.PICTURE,), outputs, 17, training))
    again = native.load(native.save(model, tmp_path / "m"))
    assert again.spec.outputs == outputs
    assert again.spec.inputs == (models.PICTURE,)
    assert again.spec.batch_size == 17
    assert again.training == {"epochs": 2, "history": {"loss": [0.7, None]}, "best_epoch": 1}
    assert again.classes == (False, True)


def test_plain_keras_opens_what_was_written(saved: Any) -> None:
    rows = models.data().features.select(["a", "b", "c"]).to("numpy", dtype="float32").underlying
    wanted = native.load(saved["keras.native"]).underlying.predict_on_batch(rows)
    for key in ("keras.native", "keras.hdf5"):
        opened = K.saving.load_model(saved[key] / FILES[key])
        assert opened.optimizer.iterations > 0  # it can train further
        assert (opened.predict_on_batch(rows) == wanted).all()


def test_hdf5_leaves_the_optimizer_out_where_that_is_asked(tmp_path: Path, saved: Any) -> None:
    small = hdf5.save(models.classifier(), tmp_path / "m", include_optimizer=False)
    assert (small / "model.h5").stat().st_size < (saved["keras.hdf5"] / "model.h5").stat().st_size
    with h5py.File(small / "model.h5") as file:
        assert "optimizer_weights" not in file
    assert models.difference(hdf5.load(small), hdf5.load(saved["keras.hdf5"])) == 0


@pytest.mark.parametrize("key", FORMATS)
def test_in_a_bundle(key: str, tmp_path: Path) -> None:
    model = models.convnet()
    path = Bundle(model).save(tmp_path / "bundle", format=key)
    again = Bundle.load(path)
    assert again.predict(models.data()).values == model.predict(models.data()).values


# --- what is not Keras's own ---


@pytest.mark.parametrize("key", FORMATS)
def test_what_is_not_of_keras_is_trusted_by_its_full_name(key: str, tmp_path: Path) -> None:
    path = FORMATS[key].save(models.with_own(), tmp_path / "m")
    with pytest.raises(UntrustedTypeError) as caught:
        FORMATS[key].load(path)
    assert list(caught.value.types) == sorted(models.OWN)
    with pytest.raises(UntrustedTypeError) as caught:
        FORMATS[key].load(path, trusted=models.OWN[1:])
    assert caught.value.types == (models.OWN[0],)
    assert FORMATS[key].load(path, trusted=["tests>Scaled", *models.OWN[1:]]).is_keras


def test_a_name_that_the_file_gives_for_another_is_the_one_that_must_be_trusted(tmp_path: Path) -> None:
    path = native.save(models.with_own(), tmp_path / "m")
    beside = json.loads((path / "model.json").read_text())
    beside["custom"]["tests>Scaled"] = "os:system"
    (path / "model.json").write_text(json.dumps(beside))
    with pytest.raises(UntrustedTypeError, match="os:system"):
        native.load(path, trusted=models.OWN)


def test_a_name_that_is_registered_is_trusted_as_that_and_not_as_what_the_file_says(tmp_path: Path) -> None:
    model = models.with_own()
    path = native.save(model, tmp_path / "m")
    beside = json.loads((path / "model.json").read_text())
    beside["custom"]["tests>Scaled"] = "a_module_that_would_be_imported:system"
    (path / "model.json").write_text(json.dumps(beside))
    again = native.load(path, trusted=["tests>Scaled", *models.OWN[1:]])
    assert isinstance(again.underlying.layers[0], models.Scaled)


def test_one_class_that_is_trusted_does_not_stand_in_for_another(tmp_path: Path) -> None:
    path = native.save(models.with_own(), tmp_path / "m")
    beside = json.loads((path / "model.json").read_text())
    beside["custom"]["tests>Scaled"] = models.OWN[1]  # Keras would take what is registered: Scaled
    (path / "model.json").write_text(json.dumps(beside))
    with pytest.raises(BundleFormatError, match="something else is registered"):
        native.load(path, trusted=models.OWN[1:])


def test_trusted_and_not_there(tmp_path: Path) -> None:
    path = native.save(models.with_own(), tmp_path / "m")
    beside = json.loads((path / "model.json").read_text())
    for name, why in (("no_such_module:Own", "ModuleNotFoundError"), ("tests.keras.models:Gone", "is not there")):
        beside["custom"] = {**beside["custom"], "Unregistered": name}
        (path / "model.json").write_text(json.dumps(beside))
        with pytest.raises(BundleFormatError, match=why):
            native.load(path, trusted=[*models.OWN, name])


def _local() -> Any:
    class Local(L.Layer):
        def call(self, rows: Any) -> Any:
            return rows

    return Local()


@pytest.mark.parametrize("key", FORMATS)
@pytest.mark.parametrize(
    ("layer", "why"),
    [
        (lambda: L.Lambda(lambda rows: rows), "lambda"),
        (_local, "no name leads to 'Local' again"),
        (lambda: L.Dense(3, activation=lambda rows: rows), "lambda|no name leads"),
    ],
)
def test_what_could_not_be_found_again_is_not_saved(key: str, layer: Any, why: str, tmp_path: Path) -> None:
    with pytest.raises(UnsavableModelError, match=why):
        FORMATS[key].save(models.one_table(layer(), L.Dense(3, "softmax")), tmp_path / "m")
    assert not (tmp_path / "m").exists()


def test_operations_are_kept_by_all_but_hdf5(tmp_path: Path) -> None:
    table = K.Input((3,), name="table")
    model = KerasModel(K.Model(table, K.ops.softmax(K.ops.abs(table) + 1)), ModelSpec((models.TABLE,), (models.KIND,)))
    with pytest.raises(UnsavableModelError, match=r"keras\.ops.* Choose the format keras\.native"):
        hdf5.save(model, tmp_path / "h5")
    for form in (native, weights):
        assert models.difference(model, form.load(form.save(model, tmp_path / type(form).__name__))) == 0


def half(policy: str) -> KerasModel:
    """A model that computes and keeps its weights in 16 bits."""
    dense, out = L.Dense(4, "relu", dtype=policy), L.Dense(3, "softmax", dtype=policy)
    return models.one_table(dense, out)


def quantized() -> KerasModel:
    """A model of whole numbers."""
    model = models.one_table(L.Dense(4, "relu"), L.Dense(3, "softmax"))
    model.underlying.quantize("int8", filters="dense")
    return model


@pytest.mark.parametrize("make", [lambda: half("float16"), lambda: half("bfloat16"), quantized])
def test_weights_of_few_bits(make: Any, tmp_path: Path) -> None:
    model = make()
    for key, form in FORMATS.items():
        if key == "keras.hdf5" and model.underlying.weights[0].dtype == "bfloat16":
            with pytest.raises(UnsavableModelError, match=r"bfloat16.* Choose the format keras\.native"):
                form.save(model, tmp_path / key)
        else:
            assert models.difference(model, form.load(form.save(model, tmp_path / key))) == 0


def test_layers_that_are_used_twice_and_models_within_models(tmp_path: Path) -> None:
    table, twice = K.Input((3,), name="table"), L.Dense(4)
    inner = K.Sequential([K.Input((4,)), L.Dense(4, kernel_constraint="max_norm")])
    inner.compile("adam", "mse")
    inner.fit(np.zeros((4, 4)), np.zeros((4, 4)), verbose=0)
    rows = L.Add()([twice(table), twice(L.Rescaling(2.0)(table)), inner(twice(table))])
    model = KerasModel(K.Model(table, L.Dense(3, "softmax")(rows)), ModelSpec((models.TABLE,), (models.KIND,)))
    for key, form in FORMATS.items():
        assert models.difference(model, form.load(form.save(model, tmp_path / key))) == 0


def test_other_models_and_labels_are_refused(tmp_path: Path) -> None:
    import datetime

    with pytest.raises(UnsavableModelError, match=r"writes the models of keras\.fit"):
        native.save(object(), tmp_path / "m")  # type: ignore[arg-type]
    with pytest.raises(UnsavableModelError, match=r"bundle\.model"):
        native.save(Bundle(models.classifier()), tmp_path / "m")
    exported = KerasModel(object(), models.classifier().spec, run=lambda rows: rows)
    with pytest.raises(UnsavableModelError, match="exported"):
        native.save(exported, tmp_path / "m")
    days = (datetime.date(2026, 1, 1), datetime.date(2026, 1, 2))
    spec = ModelSpec((models.PICTURE,), (OutputSpec("day", "binary", ("day",), ("date32[day]",), days),))
    with pytest.raises(UnsavableModelError, match="labels of the type date"):
        native.save(KerasModel(models.convnet().underlying, spec), tmp_path / "m")

"""``keras.native``, ``keras.hdf5`` and ``keras.weights``: files that somebody made, or broke."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from mercury_keras.formats.hdf5 import hdf5
from mercury_keras.formats.native import native
from mercury_keras.formats.weights import weights

from mercury_core.errors import BundleFormatError, CorruptBundleError, UntrustedTypeError
from tests.keras import models
from tests.keras.models import K

FORMATS: dict[str, Any] = {"keras.native": native, "keras.hdf5": hdf5, "keras.weights": weights}
FILES = {"keras.native": "model.keras", "keras.hdf5": "model.h5", "keras.weights": "model.weights.h5"}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A classifier in each format."""
    root, model = tmp_path_factory.mktemp("saved"), models.classifier()
    return {key: form.save(model, root / key) for key, form in FORMATS.items()}


@pytest.fixture
def copied(saved: dict[str, Path], tmp_path: Path) -> Any:
    """A copy of one of them, to be damaged."""
    return lambda key: Path(shutil.copytree(saved[key], tmp_path / key))


# --- files that somebody made, or broke ---


def edit_config(path: Path, key: str, change: Any) -> None:
    """Change the definition in a saved model."""
    if key == "keras.weights":
        config = json.loads((path / "definition.json").read_text())
        (path / "definition.json").write_text(json.dumps(change(config)))
    elif key == "keras.hdf5":
        with h5py.File(path / "model.h5", "r+") as file:
            file.attrs["model_config"] = json.dumps(change(json.loads(file.attrs["model_config"])))
    else:
        edit_zip(path / "model.keras", lambda name, data: json.dumps(change(json.loads(data))), only="config.json")


def edit_zip(file: Path, change: Any, only: str) -> None:
    """Change one member of an archive."""
    with zipfile.ZipFile(file) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, data in content.items():
            archive.writestr(name, change(name, data) if name == only else data)


def last_layer(definition: Any, /, **changes: Any) -> Any:
    """The definition with its last layer changed."""
    definition["config"]["layers"][-1].update(changes)
    return definition


LAMBDA = {"class_name": "__lambda__", "config": {"code": "4wAAAAA=", "defaults": None, "closure": None}}
ATTACKS: dict[str, tuple[type[Exception], str, Any]] = {
    "lambda": (BundleFormatError, "Lambda layer", {"class_name": "Lambda", "config": {"function": LAMBDA}}),
    "old lambda": (BundleFormatError, "Lambda layer", {"class_name": "Lambda", "config": {"function": ["4wA=", None]}}),
    "lambda inside": (BundleFormatError, "lambda", {"config": {"units": 3, "activation": LAMBDA}}),
    "foreign class": (
        UntrustedTypeError,
        "system",
        {"module": "os", "class_name": "system", "registered_name": None, "config": {"command": "true"}},
    ),
    "foreign function": (
        UntrustedTypeError,
        "eval",
        {
            "config": {
                "units": 3,
                "activation": {
                    "module": "builtins",
                    "class_name": "function",
                    "config": "eval",
                    "registered_name": "function",
                },
            }
        },
    ),
    "loader of Keras": (
        UntrustedTypeError,
        "get_file",
        {
            "config": {
                "units": 3,
                "activation": {
                    "module": "keras.utils",
                    "class_name": "function",
                    "config": "get_file",
                    "registered_name": "get_file",
                },
            }
        },
    ),
    "no class": (
        UntrustedTypeError,
        "load_model",
        {"module": "keras.saving", "class_name": "load_model", "registered_name": None, "config": {"filepath": "x"}},
    ),
    "module of Keras": (
        UntrustedTypeError,
        "serialization_lib",
        {"module": "keras.src.saving", "class_name": "serialization_lib", "registered_name": None, "config": {}},
    ),
    "SavedModel inside": (
        BundleFormatError,
        "TFSMLayer",
        {"module": "keras.layers", "class_name": "TFSMLayer", "registered_name": None, "config": {"filepath": "/tmp"}},
    ),
    "torch pickle inside": (
        BundleFormatError,
        "TorchModuleWrapper",
        {"module": "keras.layers", "class_name": "TorchModuleWrapper", "registered_name": None, "config": {}},
    ),
    "file of this machine": (
        BundleFormatError,
        "/etc/passwd",
        {
            "module": "keras.layers",
            "class_name": "StringLookup",
            "registered_name": None,
            "config": {"vocabulary": "/etc/passwd"},
        },
    ),
    "registered elsewhere": (
        UntrustedTypeError,
        "tests>Scaled",
        {"module": "keras.layers", "class_name": "Dense", "registered_name": "tests>Scaled", "config": {}},
    ),
    "function registered elsewhere": (
        UntrustedTypeError,
        "tests>bent",
        {"config": {"units": 3, "activation": "tests>bent"}},
    ),
    "layer of another Keras": (
        BundleFormatError,
        f"Later of keras.layers, which Keras {K.__version__} does not have",
        {"module": "keras.layers", "class_name": "Later", "registered_name": None, "config": {}},
    ),
    "a number as class": (BundleFormatError, "class named", {"class_name": 3}),
}


@pytest.mark.parametrize("key", FORMATS)
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_crafted_definition_is_refused_before_keras_sees_it(
    key: str, attack: str, copied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    error, match, changes = ATTACKS[attack]
    path = copied(key)
    edit_config(path, key, lambda config: last_layer(config, **changes))

    def seen(*args: Any, **options: Any) -> None:
        raise AssertionError("Keras was called")

    monkeypatch.setattr(K.saving, "load_model", seen)
    monkeypatch.setattr(K.saving, "deserialize_keras_object", seen)
    with pytest.raises(error, match=match):
        FORMATS[key].load(path)


@pytest.mark.parametrize("key", FORMATS)
def test_code_in_the_file_is_refused_whatever_is_trusted(key: str, copied: Any) -> None:
    path = copied(key)
    edit_config(path, key, lambda config: last_layer(config, **ATTACKS["lambda"][2]))
    with pytest.raises(BundleFormatError, match="code lies in the file"):
        FORMATS[key].load(path, trusted=["Lambda", "keras.layers:Lambda", "__lambda__"])


@pytest.mark.parametrize("key", FORMATS)
def test_a_definition_that_asks_for_everything(key: str, copied: Any) -> None:
    path = copied(key)
    edit_config(path, key, lambda config: last_layer(config, config={"units": 10**15}))
    with pytest.raises(BundleFormatError, match="cannot be read"):
        FORMATS[key].load(path)


@pytest.mark.parametrize("key", FORMATS)
@pytest.mark.parametrize("content", ["[]", "3", "{}", '{"class_name": "Dense", "config": {"units": 2}}', "[" * 100_000])
def test_a_definition_of_something_else(key: str, content: str, copied: Any) -> None:
    path = copied(key)
    if key == "keras.weights":
        (path / "definition.json").write_text(content)
    elif key == "keras.hdf5":
        if len(content) > 60_000:
            return  # an attribute holds no more
        with h5py.File(path / "model.h5", "r+") as file:
            file.attrs["model_config"] = content
    else:
        edit_zip(path / "model.keras", lambda name, data: content, only="config.json")
    with pytest.raises(BundleFormatError):
        FORMATS[key].load(path)


def weight_file(path: Path, key: str, change: Any, tmp_path: Path) -> None:
    """Change the HDF5 file of a saved model, which lies in an archive or not."""
    if key != "keras.native":
        with h5py.File(path / FILES[key], "r+") as file:
            change(file)
        return
    inner = tmp_path / "inner.h5"
    with zipfile.ZipFile(path / "model.keras") as archive:
        inner.write_bytes(archive.read("model.weights.h5"))
    with h5py.File(inner, "r+") as file:
        change(file)
    edit_zip(path / "model.keras", lambda name, data: inner.read_bytes(), only="model.weights.h5")


def first_weights(file: Any) -> Any:
    """The first data set of an HDF5 file, and the group that it is in."""
    found: list[Any] = []
    file.visititems(lambda name, child: found.append(child) if isinstance(child, h5py.Dataset) else None)
    return found[0]


def external_link(file: Any) -> None:
    data = first_weights(file)
    parent, name = data.parent, data.name.rpartition("/")[2]
    del parent[name]
    parent[name] = h5py.ExternalLink("/etc/secret.h5", "/x")


def external_storage(file: Any) -> None:
    data = first_weights(file)
    parent, name, shape = data.parent, data.name.rpartition("/")[2], data.shape
    del parent[name]
    parent.create_dataset(name, shape, "f4", external=[("/etc/passwd", 0, h5py.h5f.UNLIMITED)])


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "f4")
    layout[:] = h5py.VirtualSource("/etc/secret.h5", "x", (4,))
    file.create_virtual_dataset("more", layout)


def bomb(file: Any) -> None:
    file.create_dataset("more", (1 << 34,), "f4", chunks=(1 << 20,))


def soft_link(file: Any) -> None:
    file["more"] = h5py.SoftLink("/")


def loop(file: Any) -> None:
    file["more"] = file["/"]


@pytest.mark.parametrize("key", FORMATS)
@pytest.mark.parametrize("change", [external_link, external_storage, virtual, bomb, soft_link, loop])
def test_weights_that_are_not_in_the_file_are_refused(key: str, change: Any, copied: Any, tmp_path: Path) -> None:
    path = copied(key)
    weight_file(path, key, change, tmp_path)
    with pytest.raises(CorruptBundleError, match=r"link|another file|claims|twice"):
        FORMATS[key].load(path)


@pytest.mark.parametrize("key", FORMATS)
@pytest.mark.parametrize("left", [0, 100, 0.5, 0.99])
def test_a_truncated_file_is_one_sentence(key: str, left: float, copied: Any) -> None:
    path = copied(key)
    file = path / FILES[key]
    whole = file.read_bytes()
    file.write_bytes(whole[: left if isinstance(left, int) else int(len(whole) * left)])
    with pytest.raises(
        BundleFormatError, match=r"no HDF5 file that can be read, or a truncated one|no archive"
    ) as caught:
        FORMATS[key].load(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("key", FORMATS)
def test_weights_of_another_model_say_what_wrote_them(key: str, copied: Any, tmp_path: Path) -> None:
    path = copied(key)
    beside = json.loads((path / "model.json").read_text())
    beside["versions"]["keras"] = "9.1"
    (path / "model.json").write_text(json.dumps(beside))

    def other_shape(file: Any) -> None:
        data = first_weights(file)
        parent, name = data.parent, data.name.rpartition("/")[2]
        del parent[name]
        parent[name] = np.zeros((77, 77), np.float32)

    weight_file(path, key, other_shape, tmp_path)
    with pytest.raises(BundleFormatError, match=r"saved with keras 9\.1, which is not what is installed"):
        FORMATS[key].load(path)


@pytest.mark.parametrize(
    ("name", "attributes", "match"),
    [
        ("../outside.txt", 0, "leads outside"),
        ("/etc/outside.txt", 0, "leads outside"),
        ("a\\..\\outside.txt", 0, "leads outside"),
        ("assets/link", 0o120777 << 16, "link"),
        ("config.json", 0, "twice"),
    ],
)
def test_an_archive_that_would_write_elsewhere(name: str, attributes: int, match: str, copied: Any) -> None:
    path = copied("keras.native")
    info = zipfile.ZipInfo(name)
    info.external_attr = attributes
    with zipfile.ZipFile(path / "model.keras", "a") as archive:
        if match == "twice":
            with pytest.warns(UserWarning, match="Duplicate name"):
                archive.writestr(info, "{}")
        else:
            archive.writestr(info, "x")
    with pytest.raises(CorruptBundleError, match=match):
        native.load(path)


def test_an_archive_that_becomes_much_more_than_it_is(copied: Any) -> None:
    path = copied("keras.native")
    with (
        zipfile.ZipFile(path / "model.keras", "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("assets/x", "w") as file,
    ):
        for _ in range(100):
            file.write(bytes(1 << 20))
    with pytest.raises(CorruptBundleError, match="would become"):
        native.load(path)


def test_an_archive_without_its_parts(copied: Any) -> None:
    path = copied("keras.native")
    with zipfile.ZipFile(path / "model.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    with pytest.raises(BundleFormatError, match=r"holds no model\.weights\.h5"):
        native.load(path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda found: found.update(format_version=2), "is of version 2"),
        (lambda found: found.update(format="keras.onnx"), "written as 'keras.onnx'"),
        (lambda found: found.pop("custom"), "cannot be read"),
        (lambda found: found.update(custom={"a": 1}), "cannot be read"),
        (lambda found: found["model"].update(batch_size="many"), "cannot be read"),
        (lambda found: found["model"].update(batch_size=0), "batches of 0 rows"),
        (lambda found: found["model"].update(batch_size=1 << 40), "batches of"),
        (lambda found: found["model"].update(inputs=[]), "no inputs"),
        (lambda found: found["model"]["inputs"][0].update(columns=[]), "of 0 columns"),
        (lambda found: found["model"]["inputs"][0].update(image={"height": 1 << 30, "width": 9}), "pixels"),
        (lambda found: found["model"]["outputs"][0].update(task="clustering"), "cannot be read"),
        (lambda found: found["model"]["outputs"][0].update(classes=["a", "b"]), "of 1 targets, 2 labels"),
        (lambda found: found["model"]["outputs"][0].update(types=["no_type"]), "labels of the type"),
        (lambda found: found["model"]["outputs"].append(found["model"]["outputs"][0]), "twice"),
    ],
)
def test_a_damaged_description(change: Any, match: str, copied: Any) -> None:
    path = copied("keras.native")
    found = json.loads((path / "model.json").read_text())
    change(found)
    (path / "model.json").write_text(json.dumps(found))
    with pytest.raises(BundleFormatError, match=match):
        native.load(path)


def test_no_description_at_all(tmp_path: Path) -> None:
    for form in FORMATS.values():
        with pytest.raises(BundleFormatError, match=r"model\.json cannot be read"):
            form.load(tmp_path)

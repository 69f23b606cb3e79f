"""``keras.saved_model`` under TensorFlow: what comes back, as a directory and as an archive, and what is refused."""

from __future__ import annotations

import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf
from mercury_keras.backend import name as backend
from mercury_keras.formats.hdf5 import hdf5
from mercury_keras.formats.native import native
from mercury_keras.formats.onnx import onnx
from mercury_keras.formats.saved_model import saved_model
from mercury_keras.formats.torch_export import torch_export
from mercury_keras.formats.weights import weights

from mercury_core.bundle import Bundle
from mercury_core.errors import BundleFormatError, CorruptBundleError, UnsavableModelError, UntrustedTypeError
from tests.keras import models


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """A classifier, archived and not."""
    assert backend() == "tensorflow"
    root, model = tmp_path_factory.mktemp("saved"), models.classifier()
    return {archive: saved_model.save(model, root / str(archive), archive=archive) for archive in (False, True)}


@pytest.fixture
def copied(saved: dict[bool, Path], tmp_path: Path) -> Any:
    """A copy of one of them, to be damaged."""
    return lambda archive: Path(shutil.copytree(saved[archive], tmp_path / "copied"))


@pytest.mark.parametrize("archive", [False, True])
@pytest.mark.parametrize("name", models.MAKERS)
def test_predictions_are_equal_to_the_last_bit(name: str, archive: bool, tmp_path: Path) -> None:
    model = models.MAKERS[name]()
    path = saved_model.save(model, tmp_path / "m", archive=archive)
    assert {file.name for file in path.iterdir()} == {"model.json", "saved_model.zip" if archive else "saved_model"}
    again = saved_model.load(path)
    assert again.spec == model.spec
    assert not again.is_keras
    for rows in (1, 7):
        assert models.difference(model, again, rows) == 0


@pytest.mark.parametrize("form", [native, hdf5, weights])
def test_the_files_of_keras_under_tensorflow(form: Any, tmp_path: Path) -> None:
    for name in ("classifier", "several", "own"):
        model = models.MAKERS[name]()
        again = form.load(form.save(model, tmp_path / name), trusted=models.OWN)
        assert models.difference(model, again) == 0
        assert models.difference(model, saved_model.load(saved_model.save(again, tmp_path / f"{name}-again"))) == 0


def test_in_a_bundle(tmp_path: Path) -> None:
    model = models.convnet()
    again = Bundle.load(Bundle(model).save(tmp_path / "bundle", format="keras.saved_model", archive=True))
    assert again.predict(models.data()).values == model.predict(models.data()).values


def test_the_same_model_gives_the_same_archive(saved: dict[bool, Path], tmp_path: Path) -> None:
    from mercury_keras.formats.saved_model import _pack

    for name in ("one", "two"):
        shutil.copytree(saved[False] / "saved_model", tmp_path / name)
        _pack(tmp_path / name, tmp_path / f"{name}.zip")
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()
    assert not (tmp_path / "one").exists()


def test_tensorflow_alone_opens_what_was_written(saved: dict[bool, Path]) -> None:
    loaded = tf.saved_model.load(str(saved[False] / "saved_model"))
    rows = models.data().features.select(["a", "b", "c"]).to("numpy", dtype="float32").underlying
    found = loaded.signatures["serving_default"](tf.constant(rows))["kind"].numpy()
    wanted = saved_model.load(saved[False]).predict(models.data()).scores
    assert wanted is not None
    assert (found == wanted.to("numpy").underlying).all()


def test_formats_of_another_backend_say_what_to_set(tmp_path: Path) -> None:
    model = models.classifier()
    with pytest.raises(UnsavableModelError, match=r"keras\.torch_export .* torch backend, .* KERAS_BACKEND=torch"):
        torch_export.save(model, tmp_path / "m")
    with pytest.raises(UnsavableModelError, match=r"TensorFlow with tf2onnx, .* KERAS_BACKEND=torch"):
        onnx.save(model, tmp_path / "m")


# --- SavedModels that somebody made, or broke ---


def in_place(path: Path, serve: Any) -> Path:
    """Put another program in the place of the SavedModel of `path`."""
    module = tf.Module()
    module.serve = tf.function(serve, input_signature=[tf.TensorSpec([None, 3], tf.float32, name="table")])
    shutil.rmtree(path / "saved_model")
    tf.saved_model.save(module, str(path / "saved_model"))
    return path


def reads(rows: Any) -> Any:
    return rows + tf.cast(tf.strings.length(tf.io.read_file("/etc/passwd")), tf.float32)


def writes(rows: Any) -> Any:
    tf.io.write_file("/tmp/mercury-was-here", "x")
    return rows


def calls_python(rows: Any) -> Any:
    return tf.ensure_shape(tf.numpy_function(lambda one: one, [rows], tf.float32), [None, 3])


def lists_files(rows: Any) -> Any:
    return rows + tf.cast(tf.size(tf.io.matching_files("/etc/*")), tf.float32)


def saves(rows: Any) -> Any:
    tf.raw_ops.SaveV2(prefix="/tmp/mercury-was-here", tensor_names=["x"], shape_and_slices=[""], tensors=[rows])
    return rows


def restores(rows: Any) -> Any:
    found = tf.raw_ops.RestoreV2(prefix="/etc/weights", tensor_names=["x"], shape_and_slices=[""], dtypes=[tf.float32])
    return rows + tf.reshape(found[0], [])


def in_a_branch(rows: Any) -> Any:
    return tf.cond(tf.reduce_sum(rows) > 1e30, lambda: reads(rows), lambda: rows)


def in_a_loop(rows: Any) -> Any:
    return tf.while_loop(lambda one: tf.reduce_sum(one) > 1e30, lambda one: (reads(one),), [rows])[0]


@pytest.mark.parametrize(
    ("serve", "operation"),
    [
        (reads, "ReadFile"),
        (writes, "WriteFile"),
        (calls_python, "PyFunc"),
        (lists_files, "MatchingFiles"),
        (saves, "SaveV2"),
        (restores, "RestoreV2"),
        (in_a_branch, "ReadFile"),
        (in_a_loop, "ReadFile"),
    ],
)
def test_a_program_that_reaches_beyond_the_model(
    serve: Any, operation: str, copied: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = in_place(copied(False), serve)
    with monkeypatch.context() as patch:
        patch.setattr(tf.saved_model, "load", None)
        with pytest.raises(UntrustedTypeError) as caught:
            saved_model.load(path)
    assert caught.value.types == (f"tensorflow:{operation}",)


def test_a_program_that_only_computes_is_loaded_and_more_where_it_is_trusted(copied: Any) -> None:
    path = in_place(
        copied(False), lambda rows: tf.nn.softmax(tf.math.erf(rows) + tf.random.stateless_uniform([3], [1, 2]))
    )
    assert saved_model.load(path).predict(models.data()).num_rows == 7
    path = in_place(path, lists_files)
    assert saved_model.load(path, trusted=["tensorflow:MatchingFiles"]).predict(models.data()).num_rows == 7


def test_a_function_that_saves_and_is_called_by_the_model(copied: Any) -> None:
    """The functions of the saver may write, since nothing else calls them: here something else does."""
    from tensorflow.core.protobuf import saved_model_pb2

    path = copied(False)
    file = path / "saved_model" / "saved_model.pb"
    found = saved_model_pb2.SavedModel()
    found.ParseFromString(file.read_bytes())
    functions = found.meta_graphs[0].graph_def.library.function
    saver = next(one.signature.name for one in functions if "traced_save" in one.signature.name)
    caller = next(one for one in functions if "traced" not in one.signature.name)
    node = caller.node_def.add(name="more", op="StatefulPartitionedCall")
    node.attr["f"].func.name = saver
    file.write_bytes(found.SerializeToString())
    with pytest.raises(UntrustedTypeError, match="tensorflow:SaveV2"):
        saved_model.load(path)


@pytest.mark.parametrize("name", ["saved_model.cpb", "saved_model.pbtxt"])
def test_a_file_that_tensorflow_would_read_instead(name: str, copied: Any) -> None:
    path = copied(False)
    (path / "saved_model" / name).write_bytes(b"")
    with pytest.raises(CorruptBundleError, match=f"has a {name}"):
        saved_model.load(path)


def test_links_lead_nowhere(copied: Any) -> None:
    path = copied(False)
    (path / "saved_model" / "variables" / "more").symlink_to("/etc/passwd")
    with pytest.raises(CorruptBundleError, match="is a link"):
        saved_model.load(path)


@pytest.mark.parametrize(
    "file", ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"]
)
def test_a_truncated_or_missing_file_is_one_sentence(file: str, copied: Any) -> None:
    path = copied(False)
    part = path / "saved_model" / file
    part.write_bytes(part.read_bytes()[: part.stat().st_size // 2])
    with pytest.raises(BundleFormatError) as caught:
        saved_model.load(path)
    assert "\n" not in str(caught.value)
    part.unlink()
    with pytest.raises(BundleFormatError):
        saved_model.load(path)


def test_a_program_without_the_endpoint(copied: Any) -> None:
    path = copied(False)
    shutil.rmtree(path / "saved_model")
    tf.saved_model.save(tf.Module(), str(path / "saved_model"))
    with pytest.raises(BundleFormatError, match="no endpoint 'serve'"):
        saved_model.load(path)


def test_an_archive_that_would_write_elsewhere(copied: Any, tmp_path: Path) -> None:
    path = copied(True)
    with zipfile.ZipFile(path / "saved_model.zip", "a") as archive:
        archive.writestr("../../outside.txt", "x")
    with pytest.raises(CorruptBundleError, match="leads outside"):
        saved_model.load(path)
    assert not list(tmp_path.rglob("outside.txt"))


def test_a_truncated_archive(copied: Any) -> None:
    path = copied(True)
    file = path / "saved_model.zip"
    file.write_bytes(file.read_bytes()[:-50])
    with pytest.raises(BundleFormatError, match="no archive that can be read"):
        saved_model.load(path)

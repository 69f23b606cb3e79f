"""TensorFlow SavedModel, as TensorFlow Serving takes it; as a directory, or archived as one ``.zip``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from mercury_core.contracts import Fault
from mercury_core.errors import BundleFormatError, ProviderNotInstalledError, UnsavableModelError
from mercury_keras.formats import common, exported, files
from mercury_keras.formats.reading import loading, saving

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from mercury_core.contracts import Model
    from mercury_keras.model import KerasModel

_KEY, _DIRECTORY, _ARCHIVE = "keras.saved_model", "saved_model", "saved_model.zip"
# The same model gives the same archive, whenever it is written.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


class SavedModelFormat:
    """A directory of ``saved_model`` (or its ``.zip``) and ``model.json``; written under the TensorFlow backend.

    Attributes:
        tolerance: See `mercury_core.contracts.ModelFormat`.
    """

    tolerance = exported.TOLERANCE

    def save(self, model: Model, path: Path, *, archive: bool = False) -> Path:
        """Export a model, for any number of rows at once, and prove that it predicts the same.

        Args:
            model: A model of ``keras.fit``.
            path: The directory to make.
            archive: Whether the SavedModel is one ``.zip`` file.

        Returns:
            `path`.

        Raises:
            UnsavableModelError: Keras runs on another backend; or it cannot be exported, or predicts otherwise after.
        """
        from mercury_keras.backend import lacks
        from mercury_keras.formats.tensorflow_graph import check

        source = common.as_keras(model, _KEY)
        lack = lacks("tensorflow")
        if lack is not None:
            todo = f"{lack[1]} A model that was saved as keras.native under any backend can be loaded and saved there."
            raise UnsavableModelError(repr(source), f"{_KEY} cannot be used: {lack[0]}", todo)
        path = common.make(path, source)
        with saving(source, _KEY), exported.quiet():
            order, signature = exported.order_of(source.spec), exported.signature(source.spec)
            exported.forward(source).export(
                str(path / _DIRECTORY), format="tf_saved_model", verbose=False, input_signature=signature
            )
            check(path / _DIRECTORY, ())
            _, run = _opened(path / _DIRECTORY, order)
        exported.prove(source, _KEY, run)
        if archive:
            _pack(path / _DIRECTORY, path / _ARCHIVE)
        return common.write(path, source, _KEY, custom={}, outputs=order)

    def check_params(self, params: Mapping[str, Any]) -> Iterator[Fault]:  # noqa: ARG002
        """Whether Keras runs on the backend that it needs: told before a training, and not after it."""
        from mercury_keras.backend import lacks

        lack = lacks("tensorflow")
        if lack is not None:
            yield Fault((), f"{_KEY} cannot be used: {lack[0]}. {lack[1]}")

    def load(self, path: Path, *, trusted: Collection[str] = ()) -> KerasModel:
        """Read an exported model: it predicts, by TensorFlow, whatever backend Keras runs on.

        Args:
            path: What `save` gave back.
            trusted: Operations of TensorFlow, as ``tensorflow:ReadFile``, that are run beyond those that only compute.

        Raises:
            UntrustedTypeError: It holds operations that reach beyond the model: files, Python, the network.
            CorruptBundleError: The archive would write outside of its directory, or is made to exhaust the disk.
            BundleFormatError: It is no SavedModel that can be read.
            ProviderNotInstalledError: TensorFlow is missing.
        """
        path = Path(path)
        if find_spec("tensorflow") is None:
            raise ProviderNotInstalledError("save", _KEY, "'mercury-keras[tensorflow]'")
        beside, packed = common.read(path, _KEY), path / _ARCHIVE
        if not packed.exists():
            return _load(path / _DIRECTORY, beside, trusted)
        # All that TensorFlow needs of it is in memory afterwards.
        with TemporaryDirectory(prefix="mercury-") as here:
            with files.open_zip(packed) as content, loading(packed, beside):
                content.extractall(here)
            return _load(Path(here), beside, trusted)


def _load(directory: Path, beside: common.Beside, trusted: Collection[str]) -> KerasModel:
    from mercury_keras.formats.tensorflow_graph import check
    from mercury_keras.model import KerasModel

    check(directory, trusted)
    with loading(directory, beside):
        loaded, run = _opened(directory, beside.outputs)
    return KerasModel(loaded, beside.spec, run)


def _opened(directory: Path, order: Sequence[str]) -> tuple[Any, Callable[[Any], dict[str, Any]]]:
    """The SavedModel, and how it predicts a batch."""
    import numpy as np
    import tensorflow as tf

    loaded = tf.saved_model.load(str(directory))
    if not callable(getattr(loaded, "serve", None)):
        raise BundleFormatError(str(directory), "it has no endpoint 'serve', which Keras writes")

    def run(x: Any) -> dict[str, Any]:
        found = loaded.serve(
            {name: tf.constant(part, tf.float32) for name, part in x.items()}
            if isinstance(x, dict)
            else tf.constant(x, tf.float32)
        )
        if isinstance(found, dict):
            parts = [found[name] for name in order] if len(order) > 1 else list(found.values())
        else:
            parts = list(found) if isinstance(found, list | tuple) else [found]
        return {name: np.asarray(part) for name, part in zip(order, parts, strict=True)}

    return loaded, run


def _pack(directory: Path, target: Path) -> None:
    """Put a directory into an archive, and remove it."""
    from shutil import rmtree

    with ZipFile(target, "w", ZIP_DEFLATED) as archive:
        for file in sorted(one for one in directory.rglob("*") if one.is_file()):
            info = ZipInfo(file.relative_to(directory).as_posix(), _LONG_AGO)
            info.compress_type = ZIP_DEFLATED
            with file.open("rb") as source, archive.open(info, "w", force_zip64=True) as entry:
                while chunk := source.read(1 << 20):
                    entry.write(chunk)
    rmtree(directory)


#: The provider ``keras.saved_model``.
saved_model = SavedModelFormat()

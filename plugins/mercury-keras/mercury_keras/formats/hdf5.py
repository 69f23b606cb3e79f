"""The older format of Keras: one ``.h5`` file with the definition and the weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mercury_core.errors import BundleFormatError, UnsavableModelError
from mercury_keras.formats import common, files
from mercury_keras.formats.reading import definition_of, loading, model_of, saving

if TYPE_CHECKING:
    from collections.abc import Collection

    from mercury_core.contracts import Model
    from mercury_keras.model import KerasModel

_KEY, _FILE = "keras.hdf5", "model.h5"


class Hdf5Format:
    """A directory of ``model.h5`` and ``model.json``; any backend reads what any other wrote.

    Attributes:
        tolerance: See `mercury_core.contracts.ModelFormat`.
    """

    tolerance = common.TOLERANCE

    def save(self, model: Model, path: Path, *, include_optimizer: bool = True) -> Path:
        """Write a model.

        Args:
            model: A model of ``keras.fit``.
            path: The directory to make.
            include_optimizer: Whether the state of the optimizer is kept, with which Keras alone can train further.

        Returns:
            `path`.

        Raises:
            UnsavableModelError: It holds something that could not be found again, as a lambda; or what this format
                does not know: operations of ``keras.ops`` that are no layers, weights of bfloat16.
        """
        from mercury_keras.formats.trust import customs

        source = common.as_keras(model, _KEY)
        if any(weight.dtype == "bfloat16" for weight in source.underlying.weights):
            why = "it has weights of bfloat16, which Keras writes into a .h5 file and cannot read from one"
            raise UnsavableModelError(repr(source), why, "Choose the format keras.native.")
        custom = customs(source.underlying, definition_of(source, _KEY), repr(source), legacy=True)
        path = common.make(path, source)
        with saving(source, _KEY):
            source.underlying.save(path / _FILE, include_optimizer=include_optimizer)
        return common.write(path, source, _KEY, custom=custom)

    def load(self, path: Path, *, trusted: Collection[str] = ()) -> KerasModel:
        """Read a model again: not compiled, on the backend that Keras runs on here.

        Args:
            path: What `save` gave back.
            trusted: The full names, ``module:name``, of classes and functions beyond Keras's own.

        Raises:
            UntrustedTypeError: It holds classes or functions that are not trusted.
            CorruptBundleError: It refers to other files, or is made to exhaust memory.
            BundleFormatError: It is no such file, a truncated one, holds code, or is one of another Keras.
        """
        from mercury_keras.backend import keras
        from mercury_keras.formats.trust import objects
        from mercury_keras.model import KerasModel

        path = Path(path)
        beside, file = common.read(path, _KEY), path / _FILE
        files.check_hdf5(file)
        custom = objects(file, _config(file), beside.custom, trusted)
        with loading(file, beside):
            model = keras().saving.load_model(file, custom_objects=custom, compile=False, safe_mode=True)
        return KerasModel(model_of(file, model), beside.spec)


def _config(file: Path) -> object:
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            found: object = json.loads(opened.attrs["model_config"])
    except (OSError, KeyError, ValueError, TypeError, RecursionError) as error:
        why = f"it holds no definition of a model that can be read ({common.first_line(error)})"
        raise BundleFormatError(str(file), why) from error
    return found


#: The provider ``keras.hdf5``.
hdf5 = Hdf5Format()

"""Keras's own format: a ``.keras`` file, which holds the definition, the weights, and the state of the optimizer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mercury_core.errors import BundleFormatError
from mercury_keras.formats import common, files
from mercury_keras.formats.reading import definition_of, loading, model_of, saving

if TYPE_CHECKING:
    from collections.abc import Collection
    from zipfile import ZipFile

    from mercury_core.contracts import Model
    from mercury_keras.model import KerasModel

_KEY, _FILE = "keras.native", "model.keras"
_CONFIG, _WEIGHTS = "config.json", "model.weights.h5"


class NativeFormat:
    """A directory of ``model.keras`` and ``model.json``; any backend reads what any other wrote.

    Attributes:
        tolerance: See `mercury_core.contracts.ModelFormat`.
    """

    tolerance = common.TOLERANCE

    def save(self, model: Model, path: Path) -> Path:
        """Write a model.

        Args:
            model: A model of ``keras.fit``.
            path: The directory to make.

        Returns:
            `path`.

        Raises:
            UnsavableModelError: It holds something that could not be found again, as a lambda.
        """
        from mercury_keras.formats.trust import customs

        source = common.as_keras(model, _KEY)
        custom = customs(source.underlying, definition_of(source, _KEY), repr(source))
        path = common.make(path, source)
        with saving(source, _KEY):
            source.underlying.save(path / _FILE)
        return common.write(path, source, _KEY, custom=custom)

    def load(self, path: Path, *, trusted: Collection[str] = ()) -> KerasModel:
        """Read a model again: not compiled, on the backend that Keras runs on here.

        Args:
            path: What `save` gave back.
            trusted: The full names, ``module:name``, of classes and functions beyond Keras's own.

        Raises:
            UntrustedTypeError: It holds classes or functions that are not trusted.
            CorruptBundleError: It refers to other files, or is made to exhaust memory.
            BundleFormatError: It is no such file, holds code, or is one of another Keras.
        """
        from mercury_keras.backend import keras
        from mercury_keras.formats.trust import objects
        from mercury_keras.model import KerasModel

        path = Path(path)
        beside, file = common.read(path, _KEY), path / _FILE
        with files.open_zip(file) as archive:
            custom = objects(file, _config(archive, file), beside.custom, trusted)
            with archive.open(_WEIGHTS) as weights:
                files.check_hdf5(file, weights)
        with loading(file, beside):
            model = keras().saving.load_model(file, custom_objects=custom, compile=False, safe_mode=True)
        return KerasModel(model_of(file, model), beside.spec)


def _config(archive: ZipFile, file: Path) -> object:
    missing = sorted({_CONFIG, _WEIGHTS} - set(archive.namelist()))
    if missing:
        raise BundleFormatError(str(file), f"it holds no {missing[0]}, which every .keras file has")
    try:
        found: object = json.loads(archive.read(_CONFIG))
    except (ValueError, RecursionError, NotImplementedError) as error:
        raise BundleFormatError(str(file), f"its {_CONFIG} is damaged ({common.first_line(error)})") from error
    return found


#: The provider ``keras.native``.
native = NativeFormat()

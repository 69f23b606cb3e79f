"""The weights alone, in a ``.weights.h5`` file, beside the definition of the model as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from mercury_core.errors import BundleFormatError
from mercury_keras.formats import common, files
from mercury_keras.formats.reading import definition_of, loading, model_of, saving

if TYPE_CHECKING:
    from collections.abc import Collection

    from mercury_core.contracts import Model
    from mercury_keras.model import KerasModel

_KEY, _FILE, _DEFINITION = "keras.weights", "model.weights.h5", "definition.json"


class WeightsFormat:
    """A directory of ``model.weights.h5``, ``definition.json`` and ``model.json``; of use on any backend.

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
        config = definition_of(source, _KEY)
        custom = customs(source.underlying, config, repr(source))
        # How it was compiled is no part of what it computes.
        config.pop("compile_config", None)
        path = common.make(path, source)
        with saving(source, _KEY):
            source.underlying.save_weights(path / _FILE)
        (path / _DEFINITION).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
        return common.write(path, source, _KEY, custom=custom)

    def load(self, path: Path, *, trusted: Collection[str] = ()) -> KerasModel:
        """Read a model again: not compiled, on the backend that Keras runs on here.

        Args:
            path: What `save` gave back.
            trusted: The full names, ``module:name``, of classes and functions beyond Keras's own.

        Raises:
            UntrustedTypeError: It holds classes or functions that are not trusted.
            CorruptBundleError: Its weights refer to other files, or are made to exhaust memory.
            BundleFormatError: It is not what `save` wrote, holds code, or is of another Keras.
        """
        from mercury_keras.backend import keras
        from mercury_keras.formats.trust import objects
        from mercury_keras.model import KerasModel

        path = Path(path)
        beside, file = common.read(path, _KEY), path / _DEFINITION
        try:
            config = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise BundleFormatError(str(file), f"it is damaged ({common.first_line(error)})") from error
        if isinstance(config, dict):
            config.pop("compile_config", None)
        custom = objects(file, config, beside.custom, trusted)
        files.check_hdf5(path / _FILE)
        with loading(path / _FILE, beside):
            model = keras().saving.deserialize_keras_object(config, custom_objects=custom, safe_mode=True)
            model_of(file, model).load_weights(path / _FILE)
        return KerasModel(model, beside.spec)


#: The provider ``keras.weights``.
weights = WeightsFormat()

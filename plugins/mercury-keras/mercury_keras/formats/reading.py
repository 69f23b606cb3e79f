"""Keras at work on its own files: what it says is turned into the errors of Mercury."""

from __future__ import annotations

import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mercury_core.errors import BundleFormatError, MercuryError, UnsavableModelError
from mercury_keras.formats import common

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mercury_keras.model import KerasModel

# By the name of a logger, what it says that is of no use to anybody here.
_HUSHED = {
    "absl": "considered legacy",
    "torch.onnx._internal.exporter._registration": "torchvision is not installed",
}


def definition_of(model: KerasModel, key: str) -> Any:
    """The definition of a model, as Keras serialises it.

    Raises:
        UnsavableModelError: A layer of it does not tell how it is made.
    """
    try:
        return json.loads(model.underlying.to_json())
    except Exception as error:  # get_config of anybody's class
        todo = "Give each layer of your own a get_config, or choose an exported format: keras.onnx, keras.torch_export."
        raise UnsavableModelError(
            repr(model), f"{key} needs its definition ({common.first_line(error)})", todo
        ) from error


@contextmanager
def saving(model: KerasModel, key: str) -> Iterator[None]:
    """Within this context Keras, or the library of a format, writes a model.

    Raises:
        UnsavableModelError: It failed.
    """
    loggers, hush = [logging.getLogger(name) for name in _HUSHED], _Hush()
    for logger in loggers:
        logger.addFilter(hush)
    try:
        yield
    except (MercuryError, OSError):
        raise
    except Exception as error:  # whatever Keras and the layers in it raise
        # Keras puts general advice before what an exporter said.
        cause = error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error
        raise common.refused(model, key, cause) from error
    finally:
        for logger in loggers:
            logger.removeFilter(hush)


@contextmanager
def loading(path: Path, beside: common.Beside) -> Iterator[None]:
    """Within this context Keras, or the library of a format, reads a file.

    Args:
        path: The file.
        beside: What stands beside it.

    Raises:
        BundleFormatError: It failed.
    """
    try:
        yield
    except MercuryError:
        raise
    except Exception as error:  # whatever Keras raises, of a file that anybody may have written
        raise common.unreadable(path, error, beside) from error


def model_of(path: Path, found: Any) -> Any:
    """What a file held, where it is a Keras model.

    Raises:
        BundleFormatError: It is something else, as a layer.
    """
    from mercury_keras.backend import keras

    if not isinstance(found, keras().Model):
        raise BundleFormatError(str(path), f"it holds no model ({type(found).__name__})")
    return found


class _Hush(logging.Filter):
    """Whoever chose the older format by its key need not be told that it is old; nor what an exporter need not know."""

    def filter(self, record: logging.LogRecord) -> bool:
        return _HUSHED[record.name] not in record.getMessage()

"""What the exported formats share: the signature to export with, and the proof that the export predicts the same.

An exported model is not a Keras model any more: it predicts, on whatever library its format belongs to.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import TYPE_CHECKING, Any

from mercury_core.errors import UnsavableModelError
from mercury_keras import outputs as given
from mercury_keras.formats.common import first_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from mercury_keras.model import KerasModel
    from mercury_keras.specs import InputSpec, ModelSpec

#: How far an exported model may be from the Keras model, relative to 1 or to the value where that is larger; and how
#: far where layers compute in 16 bits.
TOLERANCE, HALF_TOLERANCE = 1e-4, 1e-2


def forward(model: KerasModel) -> Any:
    """The model as it predicts, to be exported: any number of rows of float32, by name of the inputs; no training.

    Some layers, as those that augment images, do in a plain call what they do in training. So it is said that they are
    to predict.
    """
    from mercury_keras.backend import keras

    k, spec = keras(), model.spec
    # A model that was loaded must have predicted once before some exports.
    model.underlying.predict_on_batch(sample(spec.inputs, 2))
    inputs = {one.name: k.Input(one.shape, dtype="float32", name=one.name) for one in spec.inputs}
    single = next(iter(inputs.values())) if len(inputs) == 1 else None
    raw = model.underlying(inputs if single is None else single, training=False)
    names = tuple(getattr(model.underlying, "output_names", None) or ())
    found = given.by_output(raw, spec.outputs, names, repr(model))
    return k.Model(inputs if single is None else single, found)


def signature(spec: ModelSpec) -> list[Any]:
    """What Keras's ``export`` takes as ``input_signature`` of what `forward` gave."""
    from mercury_keras.backend import keras

    parts = {
        one.name: keras().InputSpec(shape=(None, *one.shape), dtype="float32", name=one.name) for one in spec.inputs
    }
    return [parts if len(parts) > 1 else next(iter(parts.values()))]


def order_of(spec: ModelSpec) -> tuple[str, ...]:
    """The names of the outputs in the order in which an export of what `forward` gave has them."""
    return tuple(sorted(one.name for one in spec.outputs))


def sample(inputs: Sequence[InputSpec], rows: int) -> Any:
    """Rows on which two models can be compared: pixels from 0 to 255, and 0 or 1 in every other column.

    Those are sound values of whatever a column means, a place in a vocabulary too.
    """
    import numpy as np

    random = np.random.default_rng(rows)
    parts = {
        one.name: random.integers(0, 2 if one.image is None else 256, (rows, *one.shape)).astype(np.float32)
        for one in inputs
    }
    return parts if len(parts) > 1 else next(iter(parts.values()))


def prove(model: KerasModel, key: str, run: Callable[[Any], Any]) -> None:
    """See that what was exported predicts what the model predicts, of one row and of several.

    Args:
        model: The Keras model.
        key: Of the format.
        run: How the exported model predicts a batch.

    Raises:
        UnsavableModelError: It does not.
    """
    import numpy as np

    spec, what = model.spec, repr(model)
    half = any("16" in str(layer.compute_dtype) for layer in model.underlying._flatten_layers())
    tolerance = HALF_TOLERANCE if half else TOLERANCE
    own = tuple(getattr(model.underlying, "output_names", None) or ())
    for rows in (1, 3):
        rows_in = sample(spec.inputs, rows)
        wanted = given.by_output(model.underlying.predict_on_batch(rows_in), spec.outputs, own, what)
        try:
            found = given.by_output(run(rows_in), spec.outputs, (), what)
        except Exception as error:  # whatever the library of the format raises
            why = f"what {key} wrote cannot predict {rows} row{'s' * (rows > 1)} ({first_line(error)})"
            raise UnsavableModelError(what, why, "Choose another format.") from error
        for name, array in wanted.items():
            here = np.asarray(found[name], np.float64).reshape(array.shape)
            there = np.asarray(array, np.float64)
            off = np.max(np.abs(here - there) / np.maximum(1, np.abs(there)), initial=0)
            if not off <= tolerance:
                why = f"what {key} wrote predicts otherwise in {name!r}, by {off:.1e}, and {tolerance} is allowed"
                todo = "Choose another format; layers that draw random numbers when they predict cannot be exported."
                raise UnsavableModelError(what, why, todo)


@contextmanager
def quiet(*messages: str) -> Iterator[None]:
    """Within this context, what exporters say of their own insides is not shown: prints, and warnings that begin so."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        for message in messages:
            warnings.filterwarnings("ignore", message=message)
        yield

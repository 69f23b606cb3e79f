"""Ready models, which are made to fit the data: ``keras.mlp`` and ``keras.convnet``."""

from __future__ import annotations

from collections.abc import Sequence  # noqa: TC003  (parameters are checked against these hints)
from typing import TYPE_CHECKING, Any, Literal

from mercury_core.contracts import Fault
from mercury_core.errors import FitError, did_you_mean
from mercury_keras.backend import keras

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mercury_keras.specs import InputSpec, OutputSpec


def mlp(
    inputs: Sequence[InputSpec],
    outputs: Sequence[OutputSpec],
    *,
    hidden_units: Sequence[int] = (64, 64),
    activation: str = "relu",
    dropout: float = 0.0,
    batch_normalization: bool = False,
    l2: float = 0.0,
    output_activation: str | None = None,
) -> Any:
    """A multi-layer perceptron for a table of numbers: dense layers one after another.

    Numbers of about the same size train best: scale them with ``sklearn.preprocess`` before.

    Args:
        inputs: One, of a table.
        outputs: Any; each gets a dense layer of its own: sigmoid for yes and no, softmax for classes, linear for
            numbers.
        hidden_units: The units of each hidden layer; none for a linear model.
        activation: Of the hidden layers, by Keras's name.
        dropout: The share of hidden units that a training step leaves out, from 0 to less than 1.
        batch_normalization: Whether each hidden layer is normalised over the batch before its activation.
        l2: How strongly large weights of the hidden layers are held against the loss.
        output_activation: Of outputs of numbers, as ``softplus`` for what is never below 0; None for none.

    Returns:
        A Keras model, not compiled.

    Raises:
        FitError: An input of images.
    """
    layers = keras().layers
    if any(one.image is not None for one in inputs):
        raise FitError(
            "keras.mlp",
            f"the feature {inputs[-1].name!r} is of images",
            "Choose keras.convnet: it takes tables too.",
        )
    taken = layers.Input(inputs[0].shape, name=inputs[0].name)
    hidden = _dense(taken, hidden_units, activation, dropout, batch_normalization, l2)
    return _model([taken], hidden, outputs, output_activation, "mlp")


def convnet(
    inputs: Sequence[InputSpec],
    outputs: Sequence[OutputSpec],
    *,
    filters: Sequence[int] = (32, 64),
    kernel_size: int = 3,
    convolutions: int = 1,
    hidden_units: Sequence[int] = (64,),
    pooling: Literal["flatten", "average", "max"] = "flatten",
    activation: str = "relu",
    dropout: float = 0.0,
    batch_normalization: bool = False,
    l2: float = 0.0,
    output_activation: str | None = None,
) -> Any:
    """A convolutional network for images, beside which a table of numbers may stand.

    Pixels are scaled from 0..255 to 0..1 by a layer of the model. Each block has convolutions and halves height and
    width; then come dense layers, into which the columns of a table go as well.

    Args:
        inputs: At least one of images; each gets convolutions of its own.
        outputs: Any, as of `mlp`.
        filters: The filters of each block.
        kernel_size: Height and width of the convolutions, in pixels.
        convolutions: How many of them a block has.
        hidden_units: The units of each dense layer before the outputs.
        pooling: What becomes of the last block: ``flatten`` keeps every place of it, ``average`` and ``max`` keep one
            number a filter.
        activation: Of the hidden layers, by Keras's name.
        dropout: The share of units before each dense layer that a training step leaves out, from 0 to less than 1.
        batch_normalization: Whether each hidden layer is normalised over the batch before its activation.
        l2: How strongly large weights are held against the loss.
        output_activation: As of `mlp`.

    Returns:
        A Keras model, not compiled.

    Raises:
        FitError: No input of images; images that so many blocks would halve to nothing.
    """
    layers = keras().layers
    pools = {"flatten": layers.Flatten, "average": layers.GlobalAveragePooling2D, "max": layers.GlobalMaxPooling2D}
    images = [one for one in inputs if one.image is not None]
    if not images:
        raise FitError("keras.convnet", "no feature is of images", "Read them with keras.images, or choose keras.mlp.")
    smallest = min(min(one.shape[:2]) for one in images)
    if smallest >> len(filters) < 1:
        raise FitError(
            "keras.convnet",
            f"its {len(filters)} blocks would halve {smallest} pixels to nothing",
            f"Give at most {smallest.bit_length() - 1} filters, or a larger image_size.",
        )
    taken, parts = [], []
    for one in inputs:
        tensor = layers.Input(one.shape, name=one.name)
        taken.append(tensor)
        if one.image is not None:
            tensor = layers.Rescaling(1 / 255)(tensor)
            for count in filters:
                for _ in range(convolutions):
                    tensor = layers.Conv2D(
                        count, kernel_size, padding="same", use_bias=not batch_normalization, kernel_regularizer=_l2(l2)
                    )(tensor)
                    tensor = _activated(tensor, activation, batch_normalization)
                tensor = layers.MaxPooling2D()(tensor)
            tensor = pools[pooling]()(tensor)
        parts.append(tensor)
    joined = parts[0] if len(parts) == 1 else layers.Concatenate()(parts)
    if dropout:
        joined = layers.Dropout(dropout)(joined)
    hidden = _dense(joined, hidden_units, activation, dropout, batch_normalization, l2)
    return _model(taken, hidden, outputs, output_activation, "convnet")


def check(params: Mapping[str, Any]) -> list[Fault]:
    """What is wrong with the parameters of a ready definition.

    Args:
        params: Of the types that its signature says.
    """
    faults = []
    for name in ("hidden_units", "filters", "kernel_size", "convolutions"):
        value = params.get(name, ())
        for place, number in enumerate(value) if isinstance(value, list | tuple) else [(None, value)]:
            if number < 1:
                at = (name,) if place is None else (name, place)
                faults.append(Fault(at, f"{name} is {value}: expected whole numbers from 1 upwards."))
    if not 0 <= params.get("dropout", 0) < 1:
        faults.append(Fault(("dropout",), f"dropout is {params['dropout']}: expected a share from 0 to less than 1."))
    if params.get("l2", 0) < 0:
        faults.append(Fault(("l2",), f"l2 is {params['l2']}: expected 0 or more."))
    for name in ("activation", "output_activation"):
        if params.get(name) is not None:
            faults += _check_activation(name, params[name])
    return faults


def _check_activation(parameter: str, name: str) -> list[Fault]:
    activations = keras().activations
    try:
        activations.get(name)
    except ValueError:
        known = [each for each in vars(activations) if not each.startswith("_") and each not in _NO_ACTIVATIONS]
        near = did_you_mean(name, known) or f" It has: {', '.join(known)}."
        return [Fault((parameter,), f"Keras has no activation {name!r}.{near}")]
    return []


#: Names in ``keras.activations`` that are none.
_NO_ACTIVATIONS = ("get", "serialize", "deserialize")


def _dense(
    tensor: Any, units: Sequence[int], activation: str, dropout: float, batch_normalization: bool, l2: float
) -> Any:
    layers = keras().layers
    for count in units:
        tensor = layers.Dense(count, use_bias=not batch_normalization, kernel_regularizer=_l2(l2))(tensor)
        tensor = _activated(tensor, activation, batch_normalization)
        if dropout:
            tensor = layers.Dropout(dropout)(tensor)
    return tensor


def _activated(tensor: Any, activation: str, batch_normalization: bool) -> Any:
    layers = keras().layers
    if batch_normalization:
        tensor = layers.BatchNormalization()(tensor)
    return layers.Activation(activation)(tensor)


def _l2(strength: float) -> Any:
    return keras().regularizers.L2(strength) if strength else None


def _model(taken: list[Any], hidden: Any, outputs: Sequence[OutputSpec], activation: str | None, name: str) -> Any:
    """A head for each output; in float32 under mixed precision as well, where a softmax in 16 bits would lose."""
    loaded = keras()
    heads = [
        loaded.layers.Dense(one.units, activation=_activation(one, activation), dtype="float32", name=one.name)(hidden)
        for one in outputs
    ]
    return loaded.Model(taken[0] if len(taken) == 1 else taken, heads[0] if len(heads) == 1 else heads, name=name)


def _activation(output: OutputSpec, of_numbers: str | None) -> str | None:
    if output.task == "regression":
        return of_numbers
    return "sigmoid" if output.task == "multilabel" or output.units == 1 else "softmax"


#: By key, as ``keras.fit`` names them.
DEFINITIONS = {"keras.mlp": mlp, "keras.convnet": convnet}

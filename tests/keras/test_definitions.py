"""The ready models: what they are made of, for whatever goes in and comes out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from mercury_keras.backend import keras
from mercury_keras.definitions import DEFINITIONS, convnet, mlp
from mercury_keras.specs import ImageSpec, InputSpec, OutputSpec

from mercury_core.errors import FitError

K = keras()
TABLE = InputSpec("table", ("a", "b", "c"))
IMAGE = InputSpec("photo", ("photo",), ImageSpec(8, 12, "rgb"))
OUTPUTS = {
    "binary": OutputSpec("output", "binary", ("y",), classes=("no", "yes")),
    "multiclass": OutputSpec("output", "multiclass", ("y",), classes=("a", "b", "c"), units=3),
    "multilabel": OutputSpec("output", "multilabel", ("p", "q"), units=2),
    "regression": OutputSpec("output", "regression", ("u", "v"), units=2),
}


def given(model: Any, *inputs: InputSpec, rows: int = 5) -> Any:
    rng = np.random.default_rng(7)
    arrays = {one.name: (rng.random((rows, *one.shape)) * 255).astype("float32") for one in inputs}
    return model.predict_on_batch(arrays if len(arrays) > 1 else next(iter(arrays.values())))


@pytest.mark.parametrize(
    ("task", "activation"),
    [("binary", "sigmoid"), ("multiclass", "softmax"), ("multilabel", "sigmoid"), ("regression", "linear")],
)
@pytest.mark.parametrize(("make", "spec"), [(mlp, TABLE), (convnet, IMAGE)])
def test_the_output_goes_with_the_targets(make: Any, spec: InputSpec, task: str, activation: str) -> None:
    output = OUTPUTS[task]
    model = make([spec], [output])
    assert model.output_names == ["output"]
    assert model.layers[-1].activation.__name__ == activation
    rows = np.asarray(given(model, spec))
    assert rows.shape == (5, output.units)
    if activation == "softmax":
        np.testing.assert_allclose(rows.sum(axis=1), 1, rtol=1e-5)


def test_an_mlp_is_as_its_parameters_say() -> None:
    model = mlp(
        [TABLE],
        [OUTPUTS["binary"]],
        hidden_units=[7, 5],
        activation="tanh",
        dropout=0.25,
        batch_normalization=True,
        l2=0.5,
    )
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Dense", "BatchNormalization", "Activation", "Dropout"]
    assert kinds == ["InputLayer", *block, *block, "Dense"]
    first = model.layers[1]
    assert (first.units, first.use_bias, first.kernel_regularizer.get_config()) == (7, False, {"l2": 0.5})
    assert model.layers[3].activation.__name__ == "tanh"
    assert model.layers[4].rate == 0.25
    plain = mlp([TABLE], [OUTPUTS["binary"]])
    assert [type(layer).__name__ for layer in plain.layers] == [
        "InputLayer",
        "Dense",
        "Activation",
        "Dense",
        "Activation",
        "Dense",
    ]
    assert plain.layers[1].kernel_regularizer is None
    counts = mlp([TABLE], [OUTPUTS["regression"], replace(OUTPUTS["binary"], name="p")], output_activation="softplus")
    assert [layer.activation.__name__ for layer in counts.layers[-2:]] == ["softplus", "sigmoid"]
    linear = mlp([TABLE], [OUTPUTS["regression"]], hidden_units=[])
    assert linear.count_params() == 3 * 2 + 2


def test_a_convnet_is_as_its_parameters_say() -> None:
    model = convnet(
        [IMAGE], [OUTPUTS["multiclass"]], filters=[4, 6], kernel_size=5, convolutions=2, hidden_units=[9], dropout=0.5
    )
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "Activation", "Conv2D", "Activation", "MaxPooling2D"]
    assert kinds == [
        "InputLayer",
        "Rescaling",
        *block,
        *block,
        "Flatten",
        "Dropout",
        "Dense",
        "Activation",
        "Dropout",
        "Dense",
    ]
    assert [(layer.filters, layer.kernel_size) for layer in model.layers if type(layer).__name__ == "Conv2D"] == [
        (4, (5, 5)),
        (4, (5, 5)),
        (6, (5, 5)),
        (6, (5, 5)),
    ]
    assert model.layers[kinds.index("Flatten")].output.shape == (None, 2 * 3 * 6)


@pytest.mark.parametrize("pooling", ["average", "max"])
def test_pooling_makes_one_number_a_filter(pooling: str) -> None:
    model = convnet([IMAGE], [OUTPUTS["regression"]], filters=[4], hidden_units=[], pooling=pooling)
    assert model.layers[-2].output.shape == (None, 4)
    rows = np.asarray(given(model, IMAGE))
    assert rows.shape == (5, 2)


def test_pixels_are_scaled_in_the_model() -> None:
    model = convnet([IMAGE], [OUTPUTS["regression"]])
    assert model.layers[1].scale == 1 / 255


def test_images_beside_a_table_and_several_outputs() -> None:
    side = InputSpec("side", ("side",), ImageSpec(6, 6, "grayscale"))
    outputs = [
        OutputSpec("kind", "multiclass", ("kind",), classes=("a", "b", "c"), units=3),
        OutputSpec("age", "regression", ("age",)),
    ]
    model = convnet([TABLE, IMAGE, side], outputs, filters=[4, 4])
    assert [tensor.name for tensor in model.inputs] == ["table", "photo", "side"]
    assert model.output_names == ["kind", "age"]
    kind, age = given(model, TABLE, IMAGE, side)
    assert (tuple(kind.shape), tuple(age.shape)) == ((5, 3), (5, 1))


@pytest.mark.parametrize(
    ("make", "inputs", "options", "said"),
    [
        (mlp, [IMAGE], {}, r"Cannot fit keras\.mlp: the feature 'photo' is of images\. Choose keras\.convnet"),
        (mlp, [TABLE, IMAGE], {}, r"the feature 'photo' is of images"),
        (convnet, [TABLE], {}, r"no feature is of images\. Read them with keras\.images, or choose keras\.mlp"),
        (convnet, [IMAGE], {"filters": [4, 4, 4, 4]}, r"its 4 blocks would halve 8 pixels to nothing\. Give at most 3"),
    ],
)
def test_what_does_not_fit_together(make: Any, inputs: Any, options: Any, said: str) -> None:
    with pytest.raises(FitError, match=said):
        make(inputs, [OUTPUTS["binary"]], **options)


def test_as_many_blocks_as_the_pixels_allow() -> None:
    assert tuple(np.asarray(given(convnet([IMAGE], [OUTPUTS["binary"]], filters=[2, 2, 2]), IMAGE)).shape) == (5, 1)


def test_they_are_found_by_their_keys() -> None:
    assert (DEFINITIONS["keras.mlp"], DEFINITIONS["keras.convnet"], len(DEFINITIONS)) == (mlp, convnet, 2)

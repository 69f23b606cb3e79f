"""Models that are held against the data: what they take, and what they give."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from mercury_keras.images.spec import with_spec
from mercury_keras.specs import ImageSpec

from mercury_core.data import DataWrapper
from mercury_core.errors import FitError
from tests.keras.building_parts import (
    BOTH,
    NUMBERS,
    ROWS,
    TRUTH,
    WORDS,
    K,
    L,
    built,
    ending,
    one,
    trained,
    two_headed,
)

# --- a model that does not fit the data ---


@pytest.mark.parametrize(
    ("targets", "model", "said"),
    [
        (
            {"y": WORDS},
            ending(4, "softmax"),
            r"it gives 4 numbers a row, and the target 'y' needs 3, for the classes A, B, C",
        ),
        ({"y": WORDS}, ending(1, "sigmoid"), r"it gives 1 number a row, and the target 'y' needs 3"),
        (
            {"y": TRUTH},
            ending(3, "softmax"),
            r"gives 3 numbers a row, and the target 'y' needs 1 or 2, for the classes False, True",
        ),
        ({"y": NUMBERS}, ending(2), r"gives 2 numbers a row, and the target 'y' needs 1"),
        ({"p": TRUTH, "q": TRUTH}, ending(3, "sigmoid"), r"gives 3 numbers a row, and the targets 'p', 'q' need 2"),
        ({"y": WORDS}, ending(3, "sigmoid"), r"ends in sigmoid, and the target 'y' is of labels\. End it in softmax"),
        ({"y": WORDS}, ending(3, "relu"), r"ends in relu, and the target 'y' is of labels"),
        (
            {"y": TRUTH},
            ending(1, "softmax"),
            r"ends in softmax, and a softmax of one unit is always 1\. End it in sigmoid",
        ),
        (
            {"p": TRUTH, "q": TRUTH},
            ending(2, "softmax"),
            r"ends in softmax, and the labels of a row do not exclude one another",
        ),
        (
            {"y": NUMBERS},
            ending(1, "sigmoid"),
            r"ends in sigmoid, which gives numbers from 0 to 1, and the target 'y' reaches from -",
        ),
        ({"y": NUMBERS}, ending(1, "relu"), r"ends in relu, which gives numbers from 0 upwards"),
        ({"y": NUMBERS * 5, "z": NUMBERS}, ending(2, "tanh"), r"from -1 to 1, and the targets 'y', 'z' reach from -"),
        (
            {"y": WORDS},
            lambda: K.Sequential([L.Input((3,)), L.Reshape((3, 1)), L.Dense(3)]),
            r"it gives 3 × 3 a row\. Expected 3, for the classes A, B, C in one dim",
        ),
        (
            {"y": WORDS},
            lambda: K.Sequential([L.Input((5,)), L.Dense(3)]),
            r"it takes 5 a row, and there are 3 feature columns of numbers",
        ),
        ({"y": WORDS}, lambda: K.Sequential([L.Conv2D(3, 3)]), r"it refuses a row of table 3: "),
        ({"y": WORDS}, lambda: 3, r"the function gives int\. Expected a Keras model"),
        ({"y": WORDS}, lambda: 1 / 0, r"it cannot be made: ZeroDivisionError: division by zero"),
    ],
)
def test_a_model_that_does_not_fit(targets: Any, model: Any, said: str) -> None:
    with pytest.raises(FitError, match=said) as raised:
        built(targets, model=model)
    assert str(raised.value).startswith("Cannot fit my model: ")


def test_whole_numbers_that_are_places_may_leave_some_out() -> None:
    labels = {"y": np.arange(ROWS) % 7}
    assert one(labels, task="multiclass", model=ending(10, "softmax"))[1].classes == tuple(range(10))
    assert one(labels, task="multiclass")[1].classes == tuple(range(7))
    with pytest.raises(FitError, match=r"gives 5 numbers a row, and the target 'y' needs 7, for the classes 0, 1, 2"):
        one(labels, task="multiclass", model=ending(5, "softmax"))


# --- several inputs and outputs ---


def with_image() -> DataWrapper:
    table = pa.table({"photo": ["a.png"] * ROWS, "age": np.arange(ROWS, dtype="float32")})
    field = with_spec(table.schema.field("photo"), ImageSpec(4, 4, "grayscale"))
    return DataWrapper(table.cast(pa.schema([field, table.schema.field("age")])))


def beside(names: tuple[str, str] = ("table", "photo"), shape: tuple[int, ...] = (4, 4, 1)) -> Any:
    def make() -> Any:
        table, photo = L.Input((1,), name=names[0]), L.Input(shape, name=names[1])
        return K.Model([photo, table], L.Dense(1)(L.Concatenate()([table, L.Flatten()(photo)])))

    return make


def test_images_beside_a_table() -> None:
    model, inputs, _ = built({"y": NUMBERS}, with_image(), model=beside())
    assert [spec.name for spec in inputs] == ["table", "photo"]
    rows = {"table": np.zeros((2, 1), "float32"), "photo": np.zeros((2, 4, 4, 1), "float32")}
    assert tuple(model.predict_on_batch(rows).shape) == (2, 1)
    ready, _, _ = built({"y": WORDS}, with_image(), model={"use": "keras.convnet", "filters": [2]})
    assert [tensor.name for tensor in ready.inputs] == ["table", "photo"]


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            beside(("table", "foto")),
            r"it takes the inputs foto, table, and the features make table 1, photo 4 × 4 × 1.*Did you mean 'photo'\?",
        ),
        (
            beside(shape=(8, 8, 3)),
            r"it takes 8 × 8 × 3 a row, and the images of 'photo' are 4 × 4 × 1\. Change image_size or color_mode",
        ),
        (ending(1), r"it cannot be made|it takes the input"),
    ],
)
def test_inputs_that_do_not_fit(model: Any, said: str) -> None:
    with pytest.raises(FitError, match=said):
        built({"y": NUMBERS}, with_image(), model=model)


class TwoHeaded(K.Model):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.kind, self.size = L.Dense(3, activation="softmax"), L.Dense(1)

    def call(self, rows: Any) -> Any:
        return {"kind": self.kind(rows), "size": self.size(rows)}


@pytest.mark.parametrize("model", ["keras.mlp", two_headed(), two_headed(as_dict=True), TwoHeaded])
def test_several_outputs_by_the_names_of_the_targets(model: Any) -> None:
    _, _, outputs = built(BOTH, model=model)
    assert [(output.name, output.task) for output in outputs] == [("kind", "multiclass"), ("size", "regression")]
    history = trained(BOTH, model=model, metrics={"kind": ["accuracy"], "size": ["mae"]}, loss={"size": "huber"})
    assert {"kind_accuracy", "size_mae", "kind_loss", "size_loss", "loss"} == set(history)


def test_several_outputs_by_names_of_their_own() -> None:
    settings = {"model": two_headed(("first", "second")), "outputs": {"second": ["size"], "first": ["kind"]}}
    assert np.isfinite(trained(BOTH, **settings)["loss"])


def test_targets_of_one_kind_are_split_where_the_model_has_outputs_of_their_names() -> None:
    numbers = {"u": NUMBERS, "v": NUMBERS * 2}

    def make(input_shape: Any) -> Any:
        taken = L.Input(input_shape)
        return K.Model(taken, [L.Dense(1, name="v")(taken), L.Dense(1, name="u")(taken)])

    _, _, outputs = built(numbers, model=make)
    assert [(output.name, output.targets) for output in outputs] == [("v", ("v",)), ("u", ("u",))]
    assert np.isfinite(trained(numbers, model=make)["loss"])


def test_weights_of_losses() -> None:
    plain = trained(BOTH, model=two_headed(), loss_weights={"size": 0.0})
    assert plain["loss"] == pytest.approx(plain["kind_loss"], rel=1e-5)
    with pytest.raises(FitError, match=r"loss_weights names the output 'siez', which is none of kind, size.*'size'"):
        built(BOTH, model=two_headed(), loss_weights={"siez": 0.0})


@pytest.mark.parametrize(
    ("targets", "settings", "said"),
    [
        (
            BOTH,
            {"model": two_headed(("kind", "weight"))},
            r"it has the outputs kind, weight, and the targets are for kind, size",
        ),
        (BOTH, {"model": ending(3)}, r"it has the output 1, |it has the output .*, and the targets are for kind, size"),
        (
            {"y": WORDS},
            {"model": two_headed()},
            r"it has 2 outputs: kind, size\. Say with outputs .* outputs: \{kind: \[y\]\}",
        ),
        (
            BOTH,
            {"model": two_headed(), "loss": {"kind": "mse"}},
            r"MeanSquaredError is not for a target of 3 classes \(kind\)",
        ),
        (
            BOTH,
            {"model": two_headed(), "loss": {"knd": "bce", "size": "mse"}},
            r"loss names the output 'knd', .* Did you mean 'kind'\?",
        ),
        (BOTH, {"model": two_headed(), "metrics": {"knd": "auc"}}, r"metrics names the output 'knd'"),
        ({"kind": TRUTH, "size": NUMBERS}, {"model": two_headed()}, r"its output 'kind' gives 3 numbers a row"),
    ],
)
def test_outputs_that_do_not_fit(targets: Any, settings: Any, said: str) -> None:
    with pytest.raises(FitError, match=said):
        built(targets, **settings)

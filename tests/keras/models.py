"""Models for the tests of formats: tiny ones of every shape, and classes that are no part of Keras."""

from __future__ import annotations

from typing import Any

import numpy as np
from mercury_keras.backend import keras
from mercury_keras.images.spec import with_spec
from mercury_keras.model import KerasModel
from mercury_keras.specs import ImageSpec, InputSpec, ModelSpec, OutputSpec

from mercury_core.data import DataSet

K = keras()
L = K.layers


@K.saving.register_keras_serializable("tests")
class Scaled(L.Layer):
    """A layer of somebody's own, with a parameter."""

    def __init__(self, factor: float = 2.0, **options: Any) -> None:
        super().__init__(**options)
        self.factor = factor

    def call(self, rows: Any) -> Any:
        return rows * self.factor

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "factor": self.factor}


class Unregistered(L.Layer):
    """One that Keras was not told of."""

    def call(self, rows: Any) -> Any:
        return rows + 1


@K.saving.register_keras_serializable("tests")
def bent(rows: Any) -> Any:
    """A function of somebody's own."""
    return K.ops.abs(rows)


class Subclassed(K.Model):
    """A model that is a class, and tells how it is made."""

    def __init__(self, units: int, **options: Any) -> None:
        super().__init__(**options)
        self.units = units
        self.hidden, self.out = L.Dense(5, "tanh"), L.Dense(units)

    def call(self, rows: Any, training: bool = False) -> Any:
        return self.out(self.hidden(rows))

    def get_config(self) -> dict[str, Any]:
        return {"units": self.units, "name": self.name}


TABLE = InputSpec("table", ("a", "b", "c"))
PICTURE = InputSpec("picture", ("picture",), ImageSpec(6, 5, "grayscale"))
KIND = OutputSpec("kind", "multiclass", ("kind",), ("string",), ("c", "a", "b"), units=3)
SICK = OutputSpec("sick", "binary", ("sick",), ("int64",), (0, 1))
AGE = OutputSpec("age", "regression", ("age",), ("double",))


def data(rows: int = 7, seed: int = 0) -> DataSet:
    """Rows of numbers and of pictures that were decoded."""
    import pyarrow as pa

    random = np.random.default_rng(seed)
    numbers = {name: random.normal(size=rows) for name in "abc"}
    pixels = random.integers(0, 256, (rows, 6, 5, 1), dtype=np.uint8)
    assert PICTURE.image is not None
    pictures = pa.FixedShapeTensorArray.from_numpy_ndarray(pixels)
    field = with_spec(pa.field("picture", pictures.type), PICTURE.image)
    schema = pa.schema([*(pa.field(name, pa.float64()) for name in numbers), field])
    return DataSet({"features": pa.table([*map(pa.array, numbers.values()), pictures], schema=schema)})


def one_table(*layers: Any, spec: OutputSpec = KIND) -> KerasModel:
    """Layers on a table of numbers."""
    model = K.Sequential([K.Input((3,), name="table"), *layers])
    return KerasModel(model, ModelSpec((TABLE,), (spec,), batch_size=4))


def classifier() -> KerasModel:
    """A table to three classes, with layers that do otherwise in training."""
    K.utils.set_random_seed(3)
    model = one_table(L.BatchNormalization(), L.Dense(8, "relu"), L.Dropout(0.5), L.Dense(3, "softmax"))
    model.underlying.compile("adam", "sparse_categorical_crossentropy")
    random = np.random.default_rng(0)
    model.underlying.fit(random.normal(size=(32, 3)), random.integers(0, 3, 32), epochs=2, verbose=0)
    return model


def convnet() -> KerasModel:
    """Pictures to yes or no."""
    K.utils.set_random_seed(4)
    layers = [L.Rescaling(1 / 255), L.Conv2D(4, 3), L.BatchNormalization(), L.MaxPooling2D(), L.Flatten()]
    model = K.Sequential([K.Input((6, 5, 1), name="picture"), *layers, L.Dense(1, "sigmoid")])
    return KerasModel(model, ModelSpec((PICTURE,), (SICK,), batch_size=4))


def several(inputs: str = "dict", outputs: str = "dict") -> KerasModel:
    """A table and pictures to classes and a number, as mappings or as lists."""
    K.utils.set_random_seed(5)
    table, picture = K.Input((3,), name="table"), K.Input((6, 5, 1), name="picture")
    rows = L.Concatenate()([L.Rescaling(1 / 255)(L.Flatten()(picture)), table])
    kind, age = L.Dense(3, "softmax", name="kind")(rows), L.Dense(1, name="age")(rows)
    model = K.Model(
        {"table": table, "picture": picture} if inputs == "dict" else [picture, table],
        {"kind": kind, "age": age} if outputs == "dict" else [kind, age],
    )
    return KerasModel(model, ModelSpec((TABLE, PICTURE), (KIND, AGE), batch_size=4))


def subclassed() -> KerasModel:
    """A model that is a class."""
    K.utils.set_random_seed(6)
    model = Subclassed(2)
    model.predict_on_batch(np.zeros((2, 3), np.float32))
    spec = OutputSpec("y", "regression", ("low", "high"), ("double", "double"), units=2)
    return KerasModel(model, ModelSpec((TABLE,), (spec,), batch_size=4))


def with_own() -> KerasModel:
    """Layers and functions that are no part of Keras."""
    K.utils.set_random_seed(7)
    return one_table(Scaled(3.0), Unregistered(), L.Dense(3, bent, kernel_regularizer="l2"), L.Softmax())


OWN = ["tests.keras.models:Scaled", "tests.keras.models:Unregistered", "tests.keras.models:bent"]


def normalized() -> KerasModel:
    """Layers that are exported by torch's newer way, on a table and pictures."""
    K.utils.set_random_seed(8)
    table, picture = K.Input((3,), name="table"), K.Input((6, 5, 1), name="picture")
    flat = L.Flatten()(L.RandomRotation(0.2)(L.RandomFlip()(L.Rescaling(1 / 255)(picture))))
    rows = L.GroupNormalization(11)(L.LayerNormalization()(L.Concatenate()([flat, table])))
    kind, age = L.Dense(3, "softmax", name="kind")(rows), L.Dense(1, name="age")(rows)
    model = K.Model({"table": table, "picture": picture}, {"kind": kind, "age": age})
    return KerasModel(model, ModelSpec((TABLE, PICTURE), (KIND, AGE), batch_size=4))


MAKERS = {
    "classifier": classifier,
    "convnet": convnet,
    "several": several,
    "lists": lambda: several("list", "list"),
    "subclassed": subclassed,
    "own": with_own,
    "normalized": normalized,
}


def difference(first: KerasModel, second: KerasModel, rows: int = 7) -> float:
    """How far two models are from one another in what they predict, scores and numbers."""
    one, other = first.predict(data(rows)), second.predict(data(rows))
    assert one.values.field_names == other.values.field_names
    assert one.classes == other.classes
    pairs = [(one.scores, other.scores)] if one.scores is not None else []
    pairs += [(one.values[name], other.values[name]) for name in one.values if name in ("age", "low", "high")]
    if "kind" in one.values:
        assert one.values["kind"] == other.values["kind"]
    return max(float(np.abs(a.to("numpy").underlying - b.to("numpy").underlying).max()) for a, b in pairs)


def numbers(model: KerasModel, rows: int = 7) -> Any:
    """All scores and numbers that a model predicts, rows × columns: two processes can compare them."""
    found = model.predict(data(rows))
    plain = [found.values[name] for name in found.values if name in ("age", "low", "high")]
    parts = [wrapper.to("numpy").underlying for wrapper in ([found.scores] if found.scores is not None else plain)]
    return np.concatenate(parts, axis=1)

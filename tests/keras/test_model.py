"""`KerasModel`: classes and their scores in the right order, whatever the model gives; and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from mercury_keras import outputs
from mercury_keras.model import KerasModel
from mercury_keras.specs import ImageSpec, InputSpec, ModelSpec, OutputSpec

from mercury_core.contracts import Model, Shaped, Sourced, Trained
from mercury_core.data import DataSet
from mercury_core.errors import MissingColumnsError, PredictError
from tests.keras import models

ROWS = DataSet({"features": {"a": [0.0, 1.0, 2.0, 3.0, 4.0], "b": [1.0] * 5}})


def giving(raw: Any, *specs: OutputSpec, batch_size: int = 2) -> KerasModel:
    """A model that gives, of each row, the row of `raw` whose number is in column ``a``."""

    def run(x: Any) -> Any:
        places = x[:, 0].astype(int)
        if isinstance(raw, dict):
            return {name: np.asarray(one)[places] for name, one in raw.items()}
        return [np.asarray(one)[places] for one in raw] if isinstance(raw, list) else np.asarray(raw)[places]

    spec = ModelSpec((InputSpec("table", ("a", "b")),), specs, batch_size)
    return KerasModel(object(), spec, run)


def columns(wrapper: Any) -> dict[str, list[Any]]:
    return wrapper.to("arrow").underlying.to_pydict()


SIGMOID = np.float32([[0.1], [0.5], [0.500001], [0.9], [1.0]])


def test_a_sigmoid_gives_a_score_for_both_classes() -> None:
    spec = OutputSpec("out", "binary", ("sick",), ("string",), ("no", "yes"))
    found = giving(SIGMOID, spec).predict(ROWS)
    assert columns(found.values) == {"sick": ["no", "no", "yes", "yes", "yes"]}
    assert found.classes == ("no", "yes")
    np.testing.assert_allclose(found.scores_of("yes"), SIGMOID[:, 0])
    np.testing.assert_allclose(found.scores_of("no"), 1 - SIGMOID[:, 0])


def test_logits_become_probabilities_however_large_they_are() -> None:
    spec = OutputSpec("out", "binary", ("sick",), ("bool",), (False, True), logits=True)
    found = giving(np.float32([[-1000], [-1], [0], [1], [1000]]), spec).predict(ROWS)
    assert columns(found.values) == {"sick": [False, False, False, True, True]}
    np.testing.assert_allclose(found.scores_of(True), [0, 0.26894143, 0.5, 0.7310586, 1], rtol=1e-6)
    np.testing.assert_allclose(found.scores_of(False), [1, 0.7310586, 0.5, 0.26894143, 0], rtol=1e-6)
    soft = OutputSpec("out", "multiclass", ("kind",), ("int32",), (3, 1, 2), logits=True, units=3)
    found = giving(np.float32([[1000, 0, 0], [0, 0, 0], [1, 2, 3], [0, 1000, 999], [-1000, 0, 0]]), soft).predict(ROWS)
    assert columns(found.values) == {"kind": [3, 3, 2, 1, 1]}
    assert found.values.schema.field("kind").type == pa.int32()
    np.testing.assert_allclose(found.scores.to("numpy").underlying.sum(axis=1), 1, rtol=1e-6)  # type: ignore[union-attr]


def test_a_softmax_of_two_classes_and_one_of_three() -> None:
    two = OutputSpec("out", "binary", ("sick",), ("int64",), (0, 1), units=2)
    raw = np.column_stack([1 - SIGMOID, SIGMOID])
    found = giving(raw, two).predict(ROWS)
    assert columns(found.values) == {"sick": [0, 0, 1, 1, 1]}
    np.testing.assert_allclose(found.scores_of(1), SIGMOID[:, 0])
    three = OutputSpec(
        "out",
        "multiclass",
        ("kind",),
        ("dictionary<values=string, indices=int32, ordered=0>",),
        ("c", "a", "b"),
        units=3,
    )
    raw = np.float32([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [1, 0, 0], [0, 1, 0]])
    found = giving(raw, three).predict(ROWS)
    assert columns(found.values) == {"kind": ["c", "a", "b", "c", "a"]}
    assert found.scores is not None
    assert found.scores.field_names == ("c", "a", "b")
    np.testing.assert_allclose(found.scores_of("b"), raw[:, 2])


def test_several_labels_of_a_row_have_one_score_a_target() -> None:
    spec = OutputSpec("out", "multilabel", ("red", "round"), ("bool", "int8"), units=2)
    raw = np.column_stack([SIGMOID, 1 - SIGMOID])
    found = giving(raw, spec).predict(ROWS)
    assert columns(found.values) == {"red": [False, False, True, True, True], "round": [1, 0, 0, 0, 0]}
    assert found.values.schema.types == [pa.bool_(), pa.int8()]
    assert found.classes is None
    np.testing.assert_allclose(found.scores_of("round"), raw[:, 1])
    logits = OutputSpec("out", "multilabel", ("red", "round"), units=2, logits=True)
    found = giving(np.float32([[-3, 3]] * 5), logits).predict(ROWS)
    assert columns(found.values) == {"red": [False] * 5, "round": [True] * 5}


def test_numbers_have_no_scores() -> None:
    spec = OutputSpec("out", "regression", ("x", "y"), ("double", "double"), units=2)
    raw = np.arange(10, dtype=np.float64).reshape(5, 2)
    found = giving(raw, spec).predict(ROWS)
    assert columns(found.values) == {"x": [0, 2, 4, 6, 8], "y": [1, 3, 5, 7, 9]}
    assert found.scores is None
    assert found.classes is None
    flat = giving(raw[:, 0], OutputSpec("out", "regression", ("x",))).predict(ROWS)
    assert columns(flat.values) == {"x": [0, 2, 4, 6, 8]}


YES = OutputSpec("yes", "binary", ("b1",), ("bool",), (False, True))
TWO = OutputSpec("two", "binary", ("b2",), ("int64",), (0, 1), units=2)
MANY = OutputSpec("many", "multilabel", ("m1", "m2"), units=2)
KIND = OutputSpec("kind", "multiclass", ("k",), ("string",), ("c", "a"), units=2)
RAW = {
    "yes": SIGMOID,
    "two": np.column_stack([SIGMOID, 1 - SIGMOID]),
    "many": np.column_stack([SIGMOID, SIGMOID]),
    "kind": np.column_stack([SIGMOID, 1 - SIGMOID]),
}


@pytest.mark.parametrize("form", ["mapping", "list"])
def test_several_outputs(form: str) -> None:
    specs = (TWO, MANY, YES)
    raw: Any = RAW if form == "mapping" else [RAW[spec.name] for spec in specs]
    found = giving(raw, *specs).predict(ROWS)
    assert found.values.field_names == ("b2", "m1", "m2", "b1")
    assert found.classes is None
    for name, scores in (("b2", 1 - SIGMOID), ("m1", SIGMOID), ("b1", SIGMOID)):
        np.testing.assert_allclose(found.scores_of(name), scores[:, 0])
    # With labels that are more than yes and no, what a score is of could not be said.
    mixed = giving(RAW, YES, KIND).predict(ROWS)
    assert columns(mixed.values) == {"b1": [False, False, True, True, True], "k": ["a", "c", "c", "c", "c"]}
    assert mixed.scores is None


@given(
    rows=st.integers(0, 9),
    batch_size=st.integers(1, 4),
    units=st.integers(2, 5),
    kind=st.sampled_from([np.float16, np.float32, np.float64]),
)
@settings(max_examples=60, deadline=None)
def test_however_rows_are_cut_into_batches_the_label_has_the_largest_score(
    rows: int, batch_size: int, units: int, kind: Any
) -> None:
    labels = tuple(f"label {place}" for place in reversed(range(units)))
    raw = np.random.default_rng(units).dirichlet(np.ones(units), size=10).astype(kind)
    spec = OutputSpec("out", "multiclass", ("kind",), ("string",), labels, units=units)
    model = giving(raw, spec, batch_size=batch_size)
    found = model.predict(DataSet({"features": {"b": [0.0] * rows, "a": np.arange(float(rows))}}))
    assert found.num_rows == rows
    assert columns(found.values)["kind"] == [labels[place] for place in raw[:rows].argmax(axis=1)]
    assert found.scores is not None
    scores = found.scores.to("numpy").underlying
    assert scores.shape == (rows, units)
    np.testing.assert_allclose(scores, raw[:rows], atol=1e-3)
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_no_rows_have_no_predictions_of_the_same_types() -> None:
    for name, make in models.MAKERS.items():
        model = make()
        none, some = model.predict(models.data(2).slice(0, 0)), model.predict(models.data(2))
        assert none.num_rows == 0, name
        assert none.values.schema.names == some.values.schema.names
        assert none.classes == some.classes


@pytest.mark.parametrize("name", models.MAKERS)
def test_a_keras_model_predicts_what_keras_predicts(name: str) -> None:
    model = models.MAKERS[name]()
    assert isinstance(model, Model)
    assert isinstance(model, Trained)
    rows = models.data(9)
    table = rows.features.select(["a", "b", "c"]).to("numpy", dtype="float32").underlying
    pixels = rows.features["picture"].to("arrow").underlying.column(0).combine_chunks().to_numpy_ndarray()
    x: dict[str, Any] = {"table": table, "picture": pixels.astype(np.float32)}
    given_x = x if len(model.spec.inputs) > 1 else x[model.spec.inputs[0].name]
    raw = model.underlying.predict_on_batch([x["picture"], x["table"]] if name == "lists" else given_x)
    found = model.predict(rows)
    if name in ("several", "lists", "normalized"):
        kind, age = (raw["kind"], raw["age"]) if isinstance(raw, dict) else raw
        assert columns(found.values)["kind"] == [("c", "a", "b")[place] for place in kind.argmax(axis=1)]
        np.testing.assert_allclose(columns(found.values)["age"], age[:, 0], rtol=1e-5)
    elif name == "subclassed":
        np.testing.assert_allclose(found.values.to("numpy").underlying, raw, rtol=1e-5)
    else:
        assert found.scores is not None
        np.testing.assert_allclose(found.scores.to("numpy").underlying[:, -1], raw[:, -1], atol=1e-6)
    for size in (1, 4):  # neither the order of the columns nor of the rows matters
        places = np.random.default_rng(size).permutation(9)[:size]
        some = DataSet({"features": rows.features.select(["picture", "c", "b", "a"]).take(places)})
        assert model.predict(some).values.num_rows == size
        if found.classes is not None:
            assert model.predict(some).values == found.values.take(places)


def test_what_is_missing_or_no_number() -> None:
    model = models.classifier()
    with pytest.raises(MissingColumnsError, match="lacks the column 'c'"):
        model.predict(DataSet({"features": {"a": [1.0], "b": [1.0]}}))
    rows = DataSet({"features": pa.table({"a": [1.0, 2.0, None], "b": [1.0, 2.0, 3.0], "c": [1.0, float("inf"), 3.0]})})
    with pytest.raises(PredictError, match=r"no number \(NaN\) for 2 of the rows 0 to 2, first for row 1.*'a', 'c'"):
        model.predict(rows)
    spec = OutputSpec("out", "binary", ("sick",), ("bool",), (False, True))
    with pytest.raises(PredictError, match="Its weights may be no numbers"):
        giving(np.full((5, 1), np.nan), spec).predict(ROWS)


@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (np.zeros((5, 3)), r"shape \(2, 3\) for 2 rows. Expected \(2, 1\)"),
        (np.zeros((5, 1, 1)), r"shape \(2, 1, 1\)"),
        ([], "gave the outputs 0, expected 'out'"),
    ],
)
def test_a_model_that_gives_something_else(raw: Any, match: str) -> None:
    spec = OutputSpec("out", "binary", ("sick",), ("bool",), (False, True))
    with pytest.raises(PredictError, match=match):
        giving(raw, spec).predict(ROWS)


def test_outputs_by_name() -> None:
    with pytest.raises(PredictError, match="gave the outputs 'yes', 'no', expected 'many', 'yes'"):
        outputs.by_output({"yes": 1, "no": 2}, (MANY, YES), (), "a model")
    assert list(outputs.by_output([1, 2, 3], (MANY, YES), ("more", "yes", "many"), "a model")) == ["many", "yes"]
    assert outputs.by_output([1, 2, 3], (MANY, YES), ("more", "yes", "many"), "a model")["many"] == 3


def test_what_the_model_raises_is_one_sentence() -> None:
    def run(x: Any) -> Any:
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied\n\nmore\nand more")

    model = KerasModel(object(), giving(SIGMOID, YES).spec, run)
    with pytest.raises(PredictError, match=r"RuntimeError: mat1 and mat2 shapes cannot be multiplied\.$"):
        model.predict(ROWS)


def test_how_it_is_shown() -> None:
    assert repr(models.several()).endswith(": 3 features + images 'picture' -> kind, age)")
    assert repr(giving(SIGMOID, YES)) == "KerasModel(object: 2 features -> b1)"


def test_a_model_of_images_tells_their_shape_so_that_golden_rows_hold_the_images_themselves() -> None:
    inputs = (InputSpec("table", ("a",)), InputSpec("photo", ("photo",), ImageSpec(8, 6, "grayscale")))
    model = KerasModel(object(), ModelSpec(inputs, (OutputSpec("out", "regression", ("y",)),)), lambda x: x)
    assert isinstance(model, Shaped)
    assert model.input_shapes == {"photo": (8, 6, 1)}


def test_a_model_of_images_alone_names_their_reader() -> None:
    image = InputSpec("image", ("image",), ImageSpec(8, 6))
    output = (OutputSpec("out", "regression", ("y",)),)
    assert isinstance(KerasModel(object(), ModelSpec((image,), output)), Sourced)
    assert KerasModel(object(), ModelSpec((image,), output)).reader == "keras.images"
    for others in ((InputSpec("table", ("a",)), image), (InputSpec("table", ("a",)),)):
        assert KerasModel(object(), ModelSpec(others, output)).reader is None

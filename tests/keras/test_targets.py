"""Targets of a Keras model: what they are, and how they are encoded."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from mercury_keras.specs import OutputSpec
from mercury_keras.targets import encode, output_specs

from mercury_core.data import DataWrapper
from mercury_core.errors import FitError, MissingColumnsError


def specs(columns: Any, **options: Any) -> tuple[OutputSpec, ...]:
    return output_specs(DataWrapper(columns), **options)


def one(columns: Any, **options: Any) -> OutputSpec:
    (spec,) = specs(columns, **options)
    return spec


INTEGERS = [0, 1, 2, 1]
ZERO_ONE = [0, 1, 1, 0]
FLOATS = [0.5, 1.0, 2.0, 4.5]
WORDS = ["b", "a", "c", "a"]


# --- what they are ---


@pytest.mark.parametrize(
    ("column", "task", "classes"),
    [
        (WORDS, "multiclass", ("a", "b", "c")),
        (["no", "yes", "no", "no"], "binary", ("no", "yes")),
        (pa.array(WORDS).dictionary_encode(), "multiclass", ("a", "b", "c")),
        (pa.array(WORDS, pa.large_string()), "multiclass", ("a", "b", "c")),
        ([True, False, True, True], "binary", (False, True)),
        (FLOATS, "regression", None),
        (pa.array(FLOATS, pa.float32()), "regression", None),
    ],
)
def test_a_type_tells_the_task(column: Any, task: str, classes: Any) -> None:
    spec = one({"y": column})
    assert (spec.task, spec.classes, spec.targets) == (task, classes, ("y",))
    assert spec.units == (len(classes) if task == "multiclass" else 1)
    assert spec.types == (("string" if isinstance(column, list) and column == WORDS else spec.types[0]),)


def test_a_category_that_no_row_has_is_no_class() -> None:
    column = pa.DictionaryArray.from_arrays(pa.array([0, 2, 0]), pa.array(["a", "b", "c"]))
    assert one({"y": column}).classes == ("a", "c")


@pytest.mark.parametrize(
    ("column", "loss", "task"),
    [
        (INTEGERS, "sparse_categorical_crossentropy", "multiclass"),
        (INTEGERS, {"use": "CategoricalCrossentropy"}, "multiclass"),
        (INTEGERS, "mse", "regression"),
        (INTEGERS, "huber", "regression"),
        (ZERO_ONE, "binary_crossentropy", "binary"),
        (ZERO_ONE, "crossentropy", "binary"),
        (ZERO_ONE, "sparse_categorical_crossentropy", "multiclass"),
        ([0.0, 1.0, 1.0, 0.0], "binary_crossentropy", "binary"),
        (FLOATS, "mean_absolute_error", "regression"),
        (["a", "b", "a", "a"], "categorical_crossentropy", "multiclass"),
    ],
)
def test_a_loss_tells_the_task(column: Any, loss: Any, task: str) -> None:
    assert one({"y": column}, loss=loss).task == task
    assert one({"y": column}, loss={"output": loss}).task == task  # by output, of which there is one


@pytest.mark.parametrize("loss", [None, "kl_divergence", "nothing", "my.module:loss"])
def test_whole_numbers_alone_do_not_tell_it(loss: Any) -> None:
    with pytest.raises(FitError, match=r"multiclass, or task: regression; among several outputs, .* its loss\."):
        one({"y": INTEGERS}, loss=loss)
    with pytest.raises(FitError, match=r"Say task: binary, or task: regression;"):
        one({"y": ZERO_ONE})
    assert one({"y": INTEGERS}, task="multiclass").classes == (0, 1, 2)
    assert one({"y": INTEGERS}, task="regression").classes is None


@pytest.mark.parametrize(
    ("columns", "options", "tasks"),
    [
        ({"a": [True, False], "b": [False, True]}, {}, ["multilabel"]),
        ({"a": [1, 0], "b": [False, True]}, {}, ["multilabel"]),
        ({"a": [1, 0], "b": [0, 1]}, {"loss": "mse"}, ["regression"]),
        ({"a": [1.0, 0.0], "b": [0.0, 1.0]}, {}, ["regression"]),
        ({"a": [1.0, 0.0], "b": [0.0, 1.0]}, {"loss": "binary_crossentropy"}, ["multilabel"]),
        ({"a": [1, 7], "b": [0, 1]}, {"loss": "mae"}, ["regression"]),
        ({"a": ["x", "y"], "b": [0.5, 1.5]}, {}, ["binary", "regression"]),
        ({"a": ["x", "y"], "b": ["u", "v"]}, {}, ["binary", "binary"]),
        ({"a": [True, False], "b": [0.5, 1.5]}, {"loss": {"a": "bce", "b": "mse"}}, ["binary", "regression"]),
        ({"a": [1, 0], "b": [0, 1]}, {"task": "binary"}, ["binary", "binary"]),
        ({"a": [1, 0], "b": [0, 1]}, {"outputs": {"both": ["b", "a"]}}, ["multilabel"]),
        ({"a": [True, False], "b": [False, True]}, {"outputs": {"one": "a", "two": ["b"]}}, ["binary", "binary"]),
    ],
)
def test_several_targets(columns: Any, options: Any, tasks: list[str]) -> None:
    found = specs(columns, **options)
    assert [spec.task for spec in found] == tasks
    if len(found) == 1:
        assert set(found[0].targets) == set(columns)
        assert found[0].units == len(columns)


def test_outputs_name_the_targets_in_their_order() -> None:
    spec = one({"a": [1, 0], "b": [0, 1]}, outputs={"both": ["b", "a"]})
    assert (spec.name, spec.targets) == ("both", ("b", "a"))


@pytest.mark.parametrize(
    ("columns", "options", "said"),
    [
        ({"y": ["a", "a"]}, {}, r"'y' has one class only, 'a'\. Rows of two classes at least"),
        ({"y": ["a", None]}, {}, r"'y' of 'train' has 1 missing or infinite value in 2 rows\. Leave out"),
        ({"y": [1.0, float("nan")]}, {}, r"1 missing or infinite value"),
        ({"y": [float("inf"), float("nan")]}, {}, r"2 missing or infinite values"),
        ({"y": [date(2020, 1, 1), date(2020, 1, 2)]}, {}, r"type date32.*Expected numbers, texts or booleans"),
        ({"y": [[1], [2]]}, {}, r"type list"),
        ({"y": FLOATS}, {"task": "multiclass"}, r"numbers that are no classes, as 0\.5"),
        ({"y": FLOATS}, {"loss": "binary_crossentropy"}, r"numbers that are no classes, as 0\.5"),
        ({"y": WORDS}, {"task": "regression"}, r"holds words, as 'b'"),
        ({"y": WORDS}, {"task": "binary"}, r"'y' has 3 classes, and a binary one has 2\. Say multiclass"),
        ({"y": INTEGERS}, {"task": "multilabel"}, r"holds 2, and one of several labels is 0 or 1"),
        ({"a": [1, 5], "b": [0, 1]}, {}, r"'a', 'b' hold whole numbers"),
        ({"a": ["x", "y"], "b": ["u", "v"]}, {"outputs": {"o": ["a", "b"]}, "task": "binary"}, r"has 2: a, b"),
        ({"a": FLOATS, "b": FLOATS}, {"outputs": {"o": ["a"]}}, r"outputs leaves out the target 'b'"),
        ({"a": FLOATS, "b": FLOATS}, {"outputs": {"o": ["a", "b"], "p": ["a"]}}, r"names the target 'a' twice"),
        ({"a": FLOATS}, {"outputs": {"o": ["a"], "p": []}}, r"gives no target to 'p'"),
        (np.zeros((3, 0)), {}, r"no target columns"),
    ],
)
def test_what_cannot_be_a_target(columns: Any, options: Any, said: str) -> None:
    with pytest.raises(FitError, match=said) as raised:
        specs(columns, what="my model", **options)
    assert "my model" in str(raised.value)


def test_outputs_of_columns_that_are_not_there() -> None:
    with pytest.raises(MissingColumnsError, match=r"lacks the column 'weigth'.* Did you mean 'weight'\?"):
        specs({"weight": FLOATS}, outputs={"o": ["weigth"]})


# --- how they are encoded ---


@settings(deadline=None)
@given(st.lists(st.text(max_size=4), min_size=2, max_size=40).filter(lambda labels: len(set(labels)) > 1))
def test_labels_come_back_from_their_places(labels: list[str]) -> None:
    table = DataWrapper({"y": labels})
    spec = one({"y": labels}, task="multiclass")
    places = encode(table, spec)
    assert places.dtype == np.int32
    assert [spec.classes[place] for place in places] == labels  # type: ignore[index]
    hot = encode(table, OutputSpec("o", "multiclass", ("y",), (), spec.classes, units=spec.units, one_hot=True))
    assert hot.dtype == np.float32
    assert hot.shape == (len(labels), spec.units)
    np.testing.assert_array_equal(hot.argmax(axis=1), places)
    np.testing.assert_array_equal(hot.sum(axis=1), 1)


@pytest.mark.parametrize("column", [[True, False, True], ["a", "b", "a"], [3, 7, 3], [0.0, 1.0, 0.0]])
def test_two_classes_are_one_column_or_two_places(column: list[Any]) -> None:
    spec = one({"y": column}, task="binary")
    expected = [sorted(set(column)).index(value) for value in column]
    encoded = encode(DataWrapper({"y": column}), spec)
    assert encoded.dtype == np.float32
    assert encoded.tolist() == [[place] for place in expected]
    both = OutputSpec("o", "binary", ("y",), (), spec.classes, units=2)
    assert encode(DataWrapper({"y": column}), both).tolist() == expected


def test_several_columns_stand_side_by_side_in_their_order() -> None:
    table = DataWrapper({"a": [True, False], "b": [0, 1], "c": ["x", "y"]})
    spec = one(table.select(["b", "a"]))
    encoded = encode(table, spec)
    assert encoded.dtype == np.float32
    assert encoded.tolist() == [[0, 1], [1, 0]]
    numbers = one({"a": FLOATS, "b": INTEGERS}, task="regression")
    assert encode(DataWrapper({"a": FLOATS, "b": INTEGERS}), numbers).tolist()[3] == [4.5, 1]


@pytest.mark.parametrize("kind", ["numpy", "pandas", "polars"])
def test_the_library_of_the_targets_is_all_the_same(kind: str) -> None:
    pytest.importorskip(kind)
    table = DataWrapper({"a": [1, 0, 1], "b": [0, 0, 1]}).to(kind)
    assert encode(table, one(table)).tolist() == [[1, 0], [0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (["a", "d", "b"], r"the target 'y' of 'valid' has the label 'd', which is none of 'a', 'b', 'c'\."),
        ([1, 2, 3], r"the label 1, which is none of 'a', 'b', 'c'"),
        (["a", None, "b"], r"'y' of 'valid' has 1 missing"),
        ([date(2020, 1, 1)] * 3, r"type date32"),
    ],
)
def test_labels_that_training_did_not_have(column: Any, said: str) -> None:
    spec = one({"y": WORDS})
    with pytest.raises(FitError, match=said):
        encode(DataWrapper({"y": column}), spec, "valid")


@pytest.mark.parametrize(("column", "label"), [([0, 1, 3], "3"), ([-1, 0, 1], "-1"), ([0.5, 1.0, 2.0], "0.5")])
def test_labels_out_of_range(column: Any, label: str) -> None:
    spec = one({"y": INTEGERS}, task="multiclass")
    with pytest.raises(FitError, match=rf"the label {label}, which is none of 0, 1, 2"):
        encode(DataWrapper({"y": column}), spec, "valid")


def test_whole_numbers_of_another_width_are_the_same_labels() -> None:
    spec = one({"y": pa.array(INTEGERS, pa.int8())}, task="multiclass")
    assert encode(DataWrapper({"y": pa.array([2, 0], pa.uint64())}), spec).tolist() == [2, 0]


def test_other_data_than_in_training() -> None:
    several = one({"a": [True, False], "b": [False, True]})
    with pytest.raises(FitError, match=r"the target 'b' of 'valid' holds 2, and one of several labels is 0 or 1"):
        encode(DataWrapper({"a": [0, 1], "b": [0, 2]}), several, "valid")
    with pytest.raises(FitError, match=r"the targets of 'valid' are of type string\. Expected double"):
        encode(DataWrapper({"y": WORDS}), one({"y": FLOATS}), "valid")
    with pytest.raises(MissingColumnsError, match=r"The data set 'valid' lacks the column 'b'"):
        encode(DataWrapper({"a": [0, 1]}), several, "valid")

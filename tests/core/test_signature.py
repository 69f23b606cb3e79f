"""What a model was trained on, and raw rows: those that fit it, and those that are refused with what was expected."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from mercury_core import Bundle, DataBunch, DataSet, DataWrapper
from mercury_core.bundle import Field, Signature
from mercury_core.bundle.fields import MOST_CATEGORIES, fields_of, name_of, type_of
from mercury_core.errors import ArgumentsError, MissingColumnsError, SignatureError
from tests.core.bundle_parts import SumModel, values

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")


def signed(**types: str) -> Bundle:
    return Bundle(SumModel(), signature=Signature(inputs=tuple(Field(name, kind) for name, kind in types.items())))


def fitted(field: Field, column: Any) -> pa.ChunkedArray:
    """One column, fitted to one field."""
    rows = Signature(inputs=(field,)).fit_rows(DataSet({"features": DataWrapper(pa.table({field.name: column}))}))
    return rows.features.to("arrow").underlying.column(field.name)


def refused(field: Field, column: Any) -> SignatureError:
    with pytest.raises(SignatureError) as caught:
        fitted(field, column)
    assert caught.value.column == field.name
    assert caught.value.exit_code == 2
    return caught.value


# --- what is written down ---


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (pa.table({"a": [1, None]}), Field("a", "int64")),
        (pa.table({"a": pa.array(["x"], pa.large_string())}), Field("a", "string", nullable=False)),
        (pa.table({"a": pa.array([b"x"], pa.large_binary())}), Field("a", "binary", nullable=False)),
        (
            pa.table(
                {"a": pa.chunked_array([pa.array(["y"]).dictionary_encode(), pa.array(["x"]).dictionary_encode()])}
            ),
            Field("a", "dictionary<string>", nullable=False, categories=("y", "x")),
        ),
        (
            pd.DataFrame({"a": pd.Categorical(["lo", "hi", None], ["lo", "mid", "hi"], ordered=True)}),
            Field("a", "dictionary<string, ordered>", categories=("lo", "mid", "hi")),
        ),
        (pd.DataFrame({"a": pd.Categorical([3, 1])}), Field("a", "dictionary<int64>", False, (1, 3))),
        (pd.DataFrame({"a": [1.0, None]}), Field("a", "double")),
        (pd.DataFrame({"a": [1.0]}), Field("a", "double", nullable=False)),
        (pl.DataFrame({"a": ["x", None]}), Field("a", "string")),
        (np.array([[1]]), Field("x0", "int64", nullable=False)),
        (np.array([[1.0]], np.float32), Field("x0", "float")),
        (
            pa.table({"a": pa.array([], pa.dictionary(pa.int32(), pa.string()))}),
            Field("a", "dictionary<string>", False),
        ),
        (
            pa.table({"a": pa.array([date(2026, 1, 1)]).dictionary_encode()}),
            Field("a", "dictionary<date32[day]>", nullable=False),
        ),
    ],
)
def test_a_column_is_written_down(data: Any, field: Field) -> None:
    assert fields_of(DataWrapper(data)) == (field,)
    assert msgspec.json.decode(msgspec.json.encode(field), type=Field) == field


def test_very_many_categories_are_not_written_down() -> None:
    labels = pa.array([f"c{n}" for n in range(MOST_CATEGORIES + 1)]).dictionary_encode()
    (field,) = fields_of(DataWrapper(pa.table({"a": labels})))
    assert field == Field("a", "dictionary<string>", nullable=False)
    assert fitted(field, pa.array(["another"])).to_pylist() == ["another"]


KINDS = (
    *(pa.int8(), pa.uint64(), pa.float16(), pa.float64(), pa.bool_(), pa.string(), pa.binary(), pa.null()),
    *(pa.timestamp("us", tz="Europe/Berlin"), pa.timestamp("ns"), pa.date32(), pa.date64(), pa.time64("us")),
    *(pa.duration("s"), pa.decimal128(7, 2), pa.decimal256(60, -3), pa.binary(16)),
)
TYPES = st.recursive(
    st.sampled_from(KINDS),
    lambda inner: inner.map(pa.list_) | inner.map(lambda kind: pa.list_(kind, 3)),
    max_leaves=3,
)


@given(TYPES)
@settings(max_examples=200, deadline=None)
def test_the_name_of_a_type_leads_back_to_it(kind: pa.DataType) -> None:
    assert type_of(name_of(kind)) == kind


@pytest.mark.parametrize(
    "name",
    [
        "decimal128(999, 2)",
        "decimal256(5, 99999999999999999999)",
        "fixed_size_binary[99999999999999999999]",
        "fixed_size_list<item: double>[99999999999999999999]",
        "timestamp[parsec, tz=UTC]",
        "dictionary<dictionary<>>",
        "list<item: " * 30_000 + "double" + ">" * 30_000,
        "",
        "\0",
    ],
)
def test_a_type_that_cannot_be_is_not_known(name: str) -> None:
    assert type_of(name) is None


def test_shapes_come_from_a_model_that_has_some() -> None:
    class Seeing(SumModel):
        input_shapes = {"image": (28, 28, 1)}

    train = DataSet({"features": {"image": ["a.png"], "age": [3]}, "targets": {"y": [1.0]}})
    image, age = Bundle.of(Seeing(), DataBunch({"train": train})).signature.inputs
    assert image == Field("image", "string", nullable=False, shape=(28, 28, 1))
    assert age == Field("age", "int64", nullable=False)


# --- columns ---


def test_columns_are_taken_by_name_and_others_left_out() -> None:
    bundle = signed(b="double", a="double")
    assert values(bundle.predict(pa.table({"z": ["?"], "a": [1.0], "b": [2.0]}))) == [3.0]


def test_columns_that_the_model_does_not_know_are_refused_where_that_is_asked_for() -> None:
    rows = DataSet({"features": {"mass": [1.0], "mas": [2.0]}})
    signature = Signature(inputs=(Field("mass", "double"),))
    assert signature.fit_rows(rows).features.field_names == ("mass",)
    with pytest.raises(SignatureError) as caught:
        signature.fit_rows(rows, extra="error")
    assert str(caught.value) == (
        "The column 'mas' does not fit the model: expected one of its columns (mass), found a column that it does not "
        "know. Did you mean 'mass'? Leave it out."
    )
    with pytest.raises(ArgumentsError, match="'extra' is 'no': expected 'drop' or 'error'"):
        signature.fit_rows(rows, extra="no")


def test_a_missing_column_is_named() -> None:
    with pytest.raises(MissingColumnsError, match=r"lacks the column 'mass'; it has: a, mas\. Did you mean 'mas'"):
        signed(a="double", mass="double").predict(pa.table({"a": [1.0], "mas": [1.0]}))


# --- types ---


def test_rows_that_fit_are_given_back_as_they_are() -> None:
    signature = Signature(inputs=(Field("a", "int64"), Field("b", "string")))
    rows = DataSet({"features": DataWrapper(pa.table({"a": [1, None], "b": ["x", "y"]}))})
    assert signature.fit_rows(rows) is rows
    matrix = DataSet({"features": np.array([[1.0, np.nan]])})
    assert Signature(inputs=(Field("x0", "double", False), Field("x1", "double", False))).fit_rows(matrix) is matrix
    frame = DataSet({"features": pd.DataFrame({"a": [1], "b": ["x"]})})
    assert signature.fit_rows(frame) is frame


def test_integers_become_floats_and_nulls_of_no_type_any() -> None:
    bundle = signed(a="double", b="double")
    assert values(bundle.predict(pa.table({"a": [1], "b": [2.5]}))) == [3.5]
    nothing = bundle.predict(pa.table({"a": [1], "b": pa.nulls(1)}))
    assert str(values(nothing)) == "[nan]"


def test_a_matrix_of_integers_becomes_one_of_floats_and_nan_stays_a_number() -> None:
    bundle = Bundle(SumModel(), signature=Signature(inputs=(Field("x0", "double", nullable=False),)))
    assert values(bundle.predict(np.array([[1], [2]]))) == [1.0, 2.0]
    assert str(values(bundle.predict(np.array([[np.nan]], np.float32)))) == "[nan]"


def test_nullable_integers_stay_integers() -> None:
    column = fitted(Field("a", "int64"), pa.array([2**62 + 1, None], pa.int64()))
    assert (column.type, column.to_pylist()) == (pa.int64(), [2**62 + 1, None])
    assert fitted(Field("a", "int64"), pa.array([7, None], pa.int8())).to_pylist() == [7, None]
    frame = pd.DataFrame({"a": pd.array([2**62 + 1, None], "Int64")})
    rows = Signature(inputs=(Field("a", "int64"),)).fit_rows(DataSet({"features": frame}))
    assert rows.features.to("arrow").underlying["a"].to_pylist() == [2**62 + 1, None]


def test_floats_become_integers_only_where_they_are_whole() -> None:
    bundle = signed(a="int64", b="int64")
    assert values(bundle.predict(pa.table({"a": [1.0], "b": [2.0]}))) == [3.0]
    assert "expected int64, found double that it cannot hold (Float value 1.5" in str(
        refused(Field("a", "int64"), [1.5])
    )


@pytest.mark.parametrize(
    ("kind", "column"),
    [
        ("double", pa.array([2**53 + 1])),
        ("int8", pa.array([128])),
        ("uint64", pa.array([-1])),
        ("date32[day]", pa.array([datetime(2026, 1, 1, 12, tzinfo=UTC)])),
    ],
)
def test_a_value_that_would_be_changed_is_refused(kind: str, column: pa.Array) -> None:
    assert "that it cannot hold" in refused(Field("a", kind), column).found


@pytest.mark.parametrize(
    ("kind", "column", "found"),
    [
        ("double", pa.array(["x"]), "string"),
        ("string", pa.array([1]), "int64"),
        ("bool", pa.array([1]), "int64"),
        ("int64", pa.array([True]), "bool"),
        ("dictionary<string>", pa.array([1]), "int64"),
        ("dictionary<int64>", pa.array(["x"]).dictionary_encode(), "dictionary<string>"),
        ("list<item: double>", pa.array([["x"]]), "list<item: string>"),
        ("timestamp[us]", pa.array([1]), "int64"),
        ("timestamp[us, tz=UTC]", pa.array([0], pa.timestamp("us")), "timestamp[us]"),
        ("timestamp[us]", pa.array([0], pa.timestamp("us", "UTC")), "timestamp[us, tz=UTC]"),
        ("decimal128(5, 2)", pa.array(["1.5"]), "string"),
        ("binary", pa.array(["x"]), "string"),
    ],
)
def test_another_type_is_named(kind: str, column: pa.Array, found: str) -> None:
    error = refused(Field("a", kind), column)
    assert (error.expected, error.found) == (kind, found)
    assert str(error).endswith("Give it the type of the training data.")


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array(["x"]), "dictionary<string>"),
        (pa.array(["x"]).dictionary_encode(), "string"),
        (pa.array([0], pa.timestamp("s", tz="UTC")), "timestamp[us, tz=UTC]"),
        (pa.array([1], pa.int8()), "int64"),
        (pa.array([[1, 2], None]), "list<item: double>"),
        (pa.array([Decimal("1.50")]), "decimal128(3, 2)"),
        (pa.array([1.0]), "a type of a later Arrow"),
    ],
)
def test_what_keeps_its_meaning_is_taken(column: pa.Array, kind: str) -> None:
    assert fitted(Field("a", kind), column).to_pylist() == column.to_pylist()


def test_what_a_reader_noted_of_a_column_stays() -> None:
    noted = pa.schema([pa.field("a", pa.int32(), metadata={b"unit": b"kg"})])
    rows = DataSet({"features": DataWrapper(pa.table([pa.array([1], pa.int32())], schema=noted))})
    fit = Signature(inputs=(Field("a", "double"),)).fit_rows(rows).features.underlying
    assert (fit.schema.field("a").type, fit.schema.field("a").metadata) == (pa.float64(), {b"unit": b"kg"})


# --- nulls ---


@pytest.mark.parametrize("data", [pa.table({"a": [1, None, None]}), pd.DataFrame({"a": [1.0, None, None]})])
def test_null_where_training_had_none_is_refused(data: Any) -> None:
    signature = Signature(inputs=(Field("a", "double", nullable=False),))
    with pytest.raises(SignatureError) as caught:
        signature.fit_rows(DataSet({"features": data}))
    assert caught.value.expected == "a value of type double in every row, as in training"
    assert caught.value.found == "null in row 1, counted from 0, and in 1 more"
    with pytest.raises(SignatureError, match="found null in row 0, counted from 0"):
        signature.fit_rows(DataSet({"features": DataWrapper(pa.table({"a": pa.nulls(1)}))}))


def test_no_rows_fit_every_type() -> None:
    assert fitted(Field("a", "double", nullable=False), pa.nulls(0)).to_pylist() == []
    field = Field("a", "dictionary<string>", False, ("x",))
    assert fitted(field, pa.array([], pa.string())).to_pylist() == []


# --- categories ---

KNOWN = Field("a", "dictionary<string>", categories=("lo", "mid", "hi"))


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["hi", None, "lo"]),
        pa.array(["hi", None, "lo"], pa.large_string()),
        pa.array(["hi", None, "lo"]).dictionary_encode(),
        pa.chunked_array([pa.array(["hi"]).dictionary_encode(), pa.array([None, "lo"]).dictionary_encode()]),
        pd.Categorical(["hi", None, "lo"], ["hi", "lo"]),
    ],
)
def test_labels_get_the_codes_of_training(column: Any) -> None:
    fit = fitted(KNOWN, pa.array(column) if isinstance(column, pd.Categorical) else column)
    assert fit.to_pylist() == ["hi", None, "lo"]
    codes = [code for chunk in fit.chunks for code in chunk.indices.to_pylist()]
    assert codes == [2, None, 0]
    assert {tuple(chunk.dictionary.to_pylist()) for chunk in fit.chunks} == {("lo", "mid", "hi")}


def test_codes_that_are_those_of_training_are_left_alone() -> None:
    column = pa.chunked_array([pa.DictionaryArray.from_arrays(pa.array([2], pa.int8()), pa.array(KNOWN.categories))])
    assert fitted(KNOWN, column).type == column.type


def test_an_order_of_the_categories_is_given_back() -> None:
    ordered = Field("a", "dictionary<string, ordered>", categories=("lo", "hi"))
    assert fitted(ordered, pa.array(["hi"])).type.ordered


@pytest.mark.parametrize("coded", [False, True])
def test_an_unknown_category_is_named(coded: bool) -> None:
    column = pa.array([None, "hi", "mit"])
    error = refused(KNOWN, column.dictionary_encode() if coded else column)
    assert str(error) == (
        "The column 'a' does not fit the model: expected one of the categories of training ('lo', 'mid', 'hi'), "
        "found 'mit' in row 2, counted from 0. Did you mean 'mid'?"
    )


def test_categories_that_are_numbers() -> None:
    field = Field("a", "dictionary<int64>", categories=(1, 3))
    assert fitted(field, pa.array([3, 1])).to_pylist() == [3, 1]
    assert refused(field, pa.array([2])).found == "2 in row 0, counted from 0"


def test_a_long_label_is_shown_in_part() -> None:
    assert len(refused(KNOWN, pa.array(["x" * 1000])).found) < 100


@given(st.lists(st.sampled_from([None, "lo", "mid", "hi"]), max_size=20), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_labels_keep_their_meaning_whatever_their_codes_were(labels: list[str | None], random: Any) -> None:
    known = list(KNOWN.categories or ())
    random.shuffle(known)
    coded = pa.array(labels, pa.string()).dictionary_encode()
    other = pa.DictionaryArray.from_arrays(
        pa.array([None if label is None else known.index(label) for label in labels], pa.int32()), pa.array(known)
    )
    assert fitted(KNOWN, coded).to_pylist() == labels == fitted(KNOWN, other).to_pylist()
    assert fitted(KNOWN, coded).combine_chunks() == fitted(KNOWN, other).combine_chunks()


# --- arrays ---

IMAGE = Field("image", "string", nullable=False, shape=(2, 2))


def tensors(*shape: int) -> pa.Array:
    return pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((1, *shape), np.uint8))


def test_a_column_of_arrays_takes_names_contents_and_arrays() -> None:
    assert fitted(IMAGE, pa.array(["a.png"])).to_pylist() == ["a.png"]
    assert fitted(IMAGE, pa.array([b"PNG"])).to_pylist() == [b"PNG"]
    assert fitted(IMAGE, tensors(2, 2)).type.shape == [2, 2]
    error = refused(IMAGE, tensors(2, 3))
    assert error.found == "arrays of shape (2, 3)"
    assert error.expected == "file names, the content of such files (binary), or arrays of shape (2, 2)"
    assert refused(IMAGE, pa.array([1])).found == "int64"


def test_times_of_another_unit_are_taken() -> None:
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    column = fitted(Field("a", "timestamp[us, tz=UTC]"), pa.array([moment], pa.timestamp("s", "UTC")))
    assert column.to_pylist() == [moment]

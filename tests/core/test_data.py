"""Wrappers, data sets and bunches: what they take, give, refuse and show."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mercury_core import DataBunch, DataSet, DataWrapper
from mercury_core.errors import DataError, MissingColumnsError

FORMATS = ("arrow", "numpy", "pandas", "polars")


@pytest.fixture
def people() -> DataWrapper:
    return DataWrapper({"age": [31.0, 44.0, None], "size": [1.8, 1.7, 1.6]})


def wrapped(target: str) -> DataWrapper:
    if target in ("pandas", "polars"):
        pytest.importorskip(target)
    return DataWrapper({"a": [1.0, 2.0, 3.0], "b": [4.0, 5.0, 6.0]}).to(target)


# --- what can be wrapped ---


def test_arrow_tables_batches_streams_and_whatever_speaks_the_protocol() -> None:
    table = pa.table({"a": [1, 2]})
    (batch,) = table.to_batches()

    class Stream:
        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            return table.__arrow_c_stream__(requested_schema)

    class Batch:
        def __arrow_c_array__(self, requested_schema: Any = None) -> Any:
            return batch.__arrow_c_array__(requested_schema)

    assert DataWrapper(table).underlying is table
    for data in (batch, table.to_reader(), Stream(), Batch()):
        wrapper = DataWrapper(data)
        assert wrapper.format == "arrow"
        assert wrapper.underlying.equals(table)


def test_a_stream_that_gives_no_table_is_refused() -> None:
    class Broken:
        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            raise ValueError("the server went away.\nstack")

    with pytest.raises(DataError, match=r"Broken gave no Arrow table: the server went away\.$"):
        DataWrapper(Broken())


def test_arrays_are_matrices_and_one_dimension_is_a_column() -> None:
    vector = np.array([1.0, 2.0])
    wrapper = DataWrapper(vector)
    assert wrapper.underlying.shape == (2, 1)
    assert np.shares_memory(wrapper.underlying, vector)
    assert DataWrapper(np.zeros((2, 3))).field_names == ("x0", "x1", "x2")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (np.zeros((2, 2, 2)), r"3 dimensions, of shape \(2, 2, 2\).*expected rows × columns"),
        (np.array(1.0), "0 dimensions"),
        (np.zeros(2, dtype=[("a", "f8"), ("b", "i4")]), "structured.*fields a, b.*dict of its columns"),
        ([1, 2], "list is no data that can be wrapped: expected a pyarrow Table"),
        ("table.csv", "str is no data"),
        (None, "NoneType is no data"),
        ({"a": [1, "x"]}, "column 'a' is no column of one type"),
        ({"a": [1], "b": [1, 2]}, "'b' has 2 rows and the column 'a' has 1"),
        ({1: [1]}, "name 1 is no text"),
        (pa.table([[1], [2]], names=["a", "a"]), "'a' is there twice"),
    ],
)
def test_what_cannot_be_wrapped_is_refused(data: Any, why: str) -> None:
    with pytest.raises(DataError, match=why):
        DataWrapper(data)


def test_series_and_subclasses_of_frames() -> None:
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")

    class Mine(pd.DataFrame):
        pass

    assert DataWrapper(pd.Series([1, 2], name="y")).field_names == ("y",)
    assert DataWrapper(pd.Series([1, 2])).field_names == ("x0",)
    assert DataWrapper(pl.Series("y", [1, 2])).format == "polars"
    assert DataWrapper(Mine({"a": [1]})).format == "pandas"
    with pytest.raises(DataError, match=r"LazyFrame holds no rows yet: give the result of its collect\(\)"):
        DataWrapper(pl.LazyFrame({"a": [1]}))


def test_an_index_of_pandas_is_never_lost() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2, 3]})
    for meaningful in (
        frame.set_index(pd.Index(["x", "y", "z"])),
        frame.set_index(pd.Index([7, 8, 9], name="id")),
        frame.set_index(pd.date_range("2024-01-01", periods=3)),
        frame.set_index([pd.Index([1, 2, 3]), pd.Index([1, 2, 3])]),
    ):
        with pytest.raises(DataError, match=r"index .* that would be lost: make it a column with reset_index\(\)"):
            DataWrapper(meaningful)
    with pytest.raises(DataError, match=r"index \(id\)"):
        DataWrapper(frame.set_index(pd.Index([7, 8, 9], name="id")))
    # What filtering and shuffling leave are row numbers.
    assert DataWrapper(frame[frame["a"] > 1]).to("arrow").underlying.to_pydict() == {"a": [2, 3]}
    assert DataWrapper(pd.DataFrame()).num_rows == 0


def test_names_of_pandas_that_are_no_texts_are_refused() -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(DataError, match=r"column 0, whose name is no text.*df\.columns\.astype\(str\)"):
        DataWrapper(pd.DataFrame([[1, 2]]))


def test_row_numbers_of_old_do_not_mix_up_columns_of_pandas() -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"a": [1, 2, 3]})
    beside = DataWrapper.concat_columns([DataWrapper(frame.iloc[[2, 0]]), DataWrapper(pd.DataFrame({"b": [8, 9]}))])
    assert beside.to("arrow").underlying.to_pydict() == {"a": [3, 1], "b": [8, 9]}


# --- names ---


@pytest.mark.parametrize("target", FORMATS)
def test_new_names(target: str) -> None:
    wrapper = DataWrapper(wrapped(target).underlying, ["x", "y"])
    assert wrapper.field_names == tuple(wrapper) == ("x", "y")
    assert wrapper.to("arrow").underlying.column_names == ["x", "y"]
    assert DataWrapper(wrapper).field_names == ("x", "y")
    assert DataWrapper(wrapper, ["p", "q"]).field_names == ("p", "q")


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["a"], "1 field names for 2 columns: expected one name a column"),
        (["a", "b", "c"], "3 field names for 2 columns"),
        (["a", "a"], "'a' is there twice"),
        (["a", 1], "field name 1 is no text"),
    ],
)
def test_names_that_do_not_fit_are_refused(names: list[Any], why: str) -> None:
    with pytest.raises(DataError, match=why):
        DataWrapper(np.zeros((3, 2)), names)


# --- a mapping with attributes, frozen ---


def test_a_wrapper_is_a_mapping_of_columns(people: DataWrapper) -> None:
    assert len(people) == 2
    assert people.num_rows == 3
    assert "age" in people
    assert people["age"] == people.age
    assert people.age.field_names == ("age",)
    assert dict(people)["size"] == people["size"]
    assert people.get("weight") is None
    assert {"age", "size", "select"} <= set(dir(people))
    assert people._ipython_key_completions_() == ["age", "size"]


def test_methods_win_over_fields_of_the_same_name() -> None:
    wrapper = DataWrapper({"schema": [1], "select": [2], "_hidden": [3]})
    assert isinstance(wrapper.schema, pa.Schema)
    assert wrapper["select"].underlying.to_pydict() == {"select": [2]}
    with pytest.raises(AttributeError, match=r"no attribute '_hidden'"):
        _ = wrapper._hidden
    assert wrapper["_hidden"].num_rows == 1


def test_a_field_that_is_not_there(people: DataWrapper) -> None:
    said = "The data lacks the column 'agge'; it has: age, size. Did you mean 'age'?"
    for error in (KeyError, MissingColumnsError):
        with pytest.raises(error) as caught:
            people["agge"]
        assert str(caught.value) == said
    with pytest.raises(AttributeError) as refused:
        _ = people.agge
    assert str(refused.value) == said
    assert not hasattr(people, "agge")


def everything() -> list[Any]:
    data_set = DataSet({"features": {"a": [1, 2]}, "targets": np.array([0.5, 1.5])}, applied=["scaled"])
    return [data_set.features, data_set, DataBunch({"train": data_set})]


@pytest.mark.parametrize("data", everything(), ids=lambda data: type(data).__name__)
def test_nothing_can_be_set_or_deleted(data: Any) -> None:
    for name in ("features", "underlying", "applied", "new"):
        with pytest.raises(AttributeError, match=f"cannot be changed, so '{name}' cannot be set"):
            setattr(data, name, 1)
        with pytest.raises(AttributeError, match=r"cannot be deleted"):
            delattr(data, name)
    with pytest.raises(TypeError):
        data["new"] = 1


@pytest.mark.parametrize("data", everything(), ids=lambda data: type(data).__name__)
def test_copies_and_pickles_are_equal(data: Any) -> None:
    for made in (copy.copy(data), copy.deepcopy(data), pickle.loads(pickle.dumps(data))):
        assert made == data
        assert hash(made) == hash(data)
        assert type(made) is type(data)
        assert repr(made) == repr(data)


@pytest.mark.parametrize("target", FORMATS)
def test_a_wrapper_of_any_format_is_pickled(target: str) -> None:
    wrapper = DataWrapper(wrapped(target), ["x", "y"])
    made = pickle.loads(pickle.dumps(wrapper))
    assert (made, made.format, made.field_names) == (wrapper, target, ("x", "y"))


# --- equality ---


def test_equal_is_what_means_the_same() -> None:
    one = DataWrapper({"a": [1.0, None, float("nan")]})
    table = pa.table({"a": pa.array([1.0, None, float("nan")])})
    assert DataWrapper(table) == DataWrapper(pa.table({"a": pa.array([1.0, None, float("nan")])}))
    assert one == DataWrapper(pa.table({"a": pa.array([1.0, None, None])}))
    assert DataWrapper(pa.table({"s": ["x"]})) == DataWrapper(pa.table({"s": pa.array(["x"], pa.large_string())}))


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"b": [1.0, 2.0]}),
        pa.table({"a": [1.0]}),
        pa.table({"a": [1, 2]}),
        pa.table({"a": [1.0, 3.0]}),
        pa.table({"a": [1.0, None]}),
        pa.table({"a": [1.0, float("nan")]}),
        pa.table({"a": [1.0, 2.0], "c": [1, 2]}),
    ],
)
def test_unequal_is_what_does_not(other: pa.Table) -> None:
    one = DataWrapper(pa.table({"a": [1.0, 2.0]}))
    assert one != DataWrapper(other)
    assert DataWrapper(other) != one
    assert one != other


def test_categories_are_equal_with_their_order_only_where_it_means_something() -> None:
    def make(labels: list[str], codes: list[int], *, ordered: bool) -> DataWrapper:
        return DataWrapper(pa.table({"k": pa.DictionaryArray.from_arrays(pa.array(codes), labels, ordered=ordered)}))

    assert make(["a", "b"], [0, 1], ordered=False) == make(["b", "a"], [1, 0], ordered=False)
    assert make(["a", "b"], [0, 1], ordered=True) != make(["b", "a"], [1, 0], ordered=True)
    assert make(["a", "b"], [0, 1], ordered=True) != make(["a", "b"], [0, 1], ordered=False)
    assert make(["a", "b"], [0, 0], ordered=False) != make(["a"], [0, 0], ordered=False)
    assert make(["a", "b"], [0, 0], ordered=False) != make(["a", "b"], [0, 1], ordered=False)


# --- rows and columns ---


@pytest.mark.parametrize("target", FORMATS)
def test_rows_that_are_not_there_are_refused(target: str) -> None:
    wrapper = wrapped(target)
    for rows in ([3], [-1], [0, 10**6]):
        with pytest.raises(DataError, match=r"There are 3 rows: the positions .* lead beyond"):
            wrapper.take(rows)
    for strange in ([0.5], [True, False, True], [[0]], ["a"]):
        with pytest.raises(DataError, match=r"Rows are taken by their positions: expected whole numbers"):
            wrapper.take(strange)
    with pytest.raises(DataError, match=r"not negative, got -1"):
        wrapper.slice(-1)
    assert wrapper.slice(2, 9).num_rows == 1
    assert wrapper.slice(9).num_rows == 0
    assert wrapper.take(np.array([2, 2], dtype=np.uint8)).num_rows == 2
    assert wrapper.take([]).num_rows == 0


@pytest.mark.parametrize("target", FORMATS)
def test_columns_that_are_not_there_or_twice_are_refused(target: str) -> None:
    wrapper = wrapped(target)
    with pytest.raises(MissingColumnsError, match=r"lacks the columns 'x', 'y'; it has: a, b"):
        wrapper.select(["a", "x", "y"])
    with pytest.raises(DataError, match=r"'a' is there twice"):
        wrapper.select(["a", "a"])
    assert wrapper.select("b").field_names == ("b",)


@pytest.mark.parametrize("target", FORMATS)
def test_rows_are_put_together_in_the_format_of_the_first(target: str) -> None:
    first, other = wrapped(target), DataWrapper(pa.table({"b": [7.0], "a": pa.array([None], pa.float64())}))
    joined = DataWrapper.concat([first, other])
    assert joined.format == target
    rows = joined.to("arrow").underlying.to_pydict()
    assert rows == {"a": [1.0, 2.0, 3.0, None], "b": [4.0, 5.0, 6.0, 7.0]}


def test_what_cannot_be_put_together_is_refused(people: DataWrapper) -> None:
    with pytest.raises(MissingColumnsError, match=r"Part 2 of the rows to put together lacks the column 'size'"):
        DataWrapper.concat([people, people.select(["age"])])
    with pytest.raises(DataError, match=r"Part 3 .* has the column 'size', which part 1 lacks"):
        DataWrapper.concat([people.age, people.age, people])
    with pytest.raises(DataError, match=r"column 'age' is double in one part and .*string in another"):
        DataWrapper.concat([people.age, DataWrapper({"age": ["x"]})])
    with pytest.raises(DataError, match=r"\('age',\) have 3 rows, \('z',\) have 1"):
        DataWrapper.concat_columns([people.age, DataWrapper({"z": [1]})])
    with pytest.raises(DataError, match=r"'age' is there twice"):
        DataWrapper.concat_columns([people, people.age])
    for put in (DataWrapper.concat, DataWrapper.concat_columns):
        with pytest.raises(DataError, match=r"no data to put together"):
            put([])


def test_arrays_put_together_keep_their_numbers() -> None:
    whole, parts = DataWrapper(np.array([2**53 + 1, 1])), DataWrapper(np.array([0.5, 1.5]), ["y"])
    with pytest.raises(DataError, match=r"'x0' .* holds 9007199254740993, which float64 would round"):
        DataWrapper.concat_columns([whole, parts])
    with pytest.raises(DataError, match=r"'x0' is int64 in one part and <U1 in another"):
        DataWrapper.concat([whole, DataWrapper(np.array(["a"]))])
    assert DataWrapper.concat([DataWrapper(np.array([1])), DataWrapper(np.array([1.5]))]).underlying.tolist() == [
        [1],
        [1.5],
    ]


@pytest.mark.parametrize("target", ["pandas", "polars"])
def test_frames_of_two_types_are_not_put_together(target: str) -> None:
    first = wrapped(target)
    with pytest.raises(DataError, match=r"the column 'b' is (f|F)loat64 in one part and (i|I)nt64 in another"):
        DataWrapper.concat([first, DataWrapper({"a": [1.0], "b": [2]})])


def test_arrow_parts_that_differ_in_layout_alone_are_put_together() -> None:
    small = pa.table({"s": ["x"], "k": pa.array(["p"]).dictionary_encode(), "n": pa.nulls(1)})
    large = small.cast(
        pa.schema([("s", pa.large_string()), ("k", pa.dictionary(pa.int8(), pa.large_string())), ("n", pa.int64())])
    )
    joined = DataWrapper.concat([DataWrapper(small), DataWrapper(large)])
    assert joined.underlying.to_pydict() == {"s": ["x", "x"], "k": ["p", "p"], "n": [None, None]}
    assert joined.schema.field("n").type == pa.int64()


def test_what_is_noted_of_a_column_stays_with_it() -> None:
    schema = pa.schema([pa.field("image", pa.string(), metadata={"size": "8"}), pa.field("age", pa.int64())])
    data = DataWrapper(pa.table([["a", "b"], [1, 2]], schema=schema))
    made = {
        "concat": DataWrapper.concat([data, DataWrapper({"age": [3], "image": ["c"]})]),
        "concat_columns": DataWrapper.concat_columns([DataWrapper({"x": [0, 1]}), data]),
        "take": data.take([1, 0]),
        "slice": data.slice(1),
        "select": data.select(["age", "image"]),
        "rename": DataWrapper(data.underlying, ["image", "years"]),
    }
    kept = {name for name, wrapper in made.items() if wrapper.schema.field("image").metadata == {b"size": b"8"}}
    assert kept == set(made)


# --- shapes and types ---


def test_the_repr_shows_the_tree_and_no_value() -> None:
    ordered = pa.DictionaryArray.from_arrays(pa.array([0, 0]), ["secret"], ordered=True)
    wide = pa.table({**{f"c{place}": [1, 2] for place in range(10)}})
    data_set = DataSet({"features": wide, "targets": pa.table({"y": ordered})}, applied=["scaled"])
    bunch = DataBunch({"train": data_set, "test": DataSet({})})
    fields = ", ".join(f"c{place}: int64" for place in range(8))
    assert repr(bunch) == (
        f"DataBunch: 2 data sets\n"
        f"  train: 2 rows, 1 transform applied\n"
        f"    features  2 × 10 arrow ({fields}, … 2 more)\n"
        f"    targets   2 × 1 arrow (y: ordered categories of string)\n"
        f"  test: 0 rows"
    )
    assert "secret" not in repr(bunch)


def test_the_repr_speaks_the_words_of_the_library() -> None:
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    frame = pd.DataFrame({"a": pd.Categorical(["x"], ordered=True), "b": pd.array([1], dtype="Int64")})
    assert repr(DataWrapper(frame)) == "DataWrapper: 1 × 2 pandas (a: ordered category, b: Int64)"
    enum = pl.DataFrame({"a": pl.Series(["x"], dtype=pl.Enum(["x", "y"])), "b": [None]})
    assert repr(DataWrapper(enum)) == "DataWrapper: 1 × 2 polars (a: Enum, b: Null)"
    assert repr(DataWrapper(np.zeros((1500, 1), "f4"))) == "DataWrapper: 1,500 × 1 numpy (x0: float32)"


def test_the_schema_of_an_array() -> None:
    assert DataWrapper(np.zeros((2, 2), "i2")).schema == pa.schema([("x0", pa.int16()), ("x1", pa.int16())])
    objects = DataWrapper(np.array([["a", 1], ["b", None]], dtype=object))
    assert objects.schema == pa.schema([("x0", pa.string()), ("x1", pa.int64())])
    assert DataWrapper(np.array(["a"])).schema == pa.schema([("x0", pa.string())])


def test_importing_the_data_classes_imports_no_library() -> None:
    libraries = {"numpy", "pyarrow", "pandas", "narwhals", "polars", "dataclasses"}
    program = f"import sys, mercury_core.data; print(sorted({libraries} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"

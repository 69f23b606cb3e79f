"""Conversion: memory that is shared, meaning that is kept, and columns that are refused by name."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mercury_core import DataWrapper, registry
from mercury_core.errors import ConversionError

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")

FORMATS = ("arrow", "numpy", "pandas", "polars")


def address(column: Any) -> int:
    """Where the values of a column begin, whoever holds it."""
    if isinstance(column, DataWrapper):
        return address(_native(column))
    if isinstance(column, pa.ChunkedArray):
        (chunk,) = column.chunks
        return int(chunk.buffers()[1].address) + chunk.offset * (chunk.type.bit_width // 8)
    if isinstance(column, pl.Series):
        return address(column.to_physical().to_numpy(allow_copy=False))
    return int(np.asarray(column).__array_interface__["data"][0])


def _native(column: DataWrapper) -> Any:
    match column.format:
        case "arrow":
            return column.underlying.column(0)
        case "pandas":
            return column.underlying.iloc[:, 0]
        case "polars":
            return column.underlying.to_series(0)
        case _:
            return column.underlying[:, 0]


#: Before its version 3, pandas copies what others share with it, lest it be changed.
PANDAS = pytest.param(
    "pandas",
    marks=pytest.mark.skipif(int(pd.__version__.partition(".")[0]) < 3, reason="pandas copies before its version 3"),
)


@pytest.fixture
def table() -> pa.Table:
    return pa.table({"a": pa.array([1.5, 2.5, 3.5, 4.5]), "b": pa.array([5.5, 6.5, 7.5, 8.5])})


def dictionary(labels: list[Any], codes: list[int | None], *, ordered: bool = False) -> pa.Table:
    return pa.table({"kind": pa.DictionaryArray.from_arrays(pa.array(codes, pa.int8()), labels, ordered=ordered)})


# --- memory ---


@pytest.mark.parametrize("target", [PANDAS, "polars"])
@pytest.mark.parametrize("kind", [pa.float64(), pa.int32(), pa.timestamp("us")])
def test_numbers_without_nulls_are_shared_between_arrow_and_frames(target: str, kind: pa.DataType) -> None:
    wrapper = DataWrapper(pa.table({"a": pa.array([1, 2, 3], kind), "b": pa.array([4, 5, 6], kind)}))
    there = wrapper.to(target)
    back = there.to("arrow")
    for name in wrapper:
        assert address(wrapper[name]) == address(there[name]) == address(back[name])


@pytest.mark.parametrize("kind", [pa.float64(), pa.float32(), pa.int16(), pa.timestamp("ms")])
def test_columns_of_an_array_are_shared_with_arrow(kind: pa.DataType) -> None:
    array = DataWrapper(pa.table({"a": pa.array([1, 2, 3], kind), "b": pa.array([4, 5, 6], kind)})).to("numpy")
    arrow = array.to("arrow")
    assert arrow.underlying.schema.types == [kind, kind]
    for name in array:
        assert address(array[name]) == address(arrow[name])


def test_a_single_column_without_nulls_is_shared_between_arrow_and_numpy(table: pa.Table) -> None:
    wrapper = DataWrapper(table).select(["a"])
    array = wrapper.to("numpy")
    assert array.underlying.shape == (4, 1)
    assert address(wrapper) == address(array) == address(array.to("arrow"))


def test_a_matrix_in_column_order_goes_to_arrow_and_back_without_a_copy() -> None:
    matrix = np.asfortranarray(np.arange(12.0).reshape(4, 3))
    wrapper = DataWrapper(matrix)
    arrow = wrapper.to("arrow")
    for place, name in enumerate(wrapper):
        assert address(arrow[name]) == address(matrix[:, place])
    back = arrow.to("numpy").underlying
    assert address(back) == address(matrix)
    np.testing.assert_array_equal(back, matrix)


def test_missing_numbers_cost_a_bitmap_and_no_copy() -> None:
    matrix = np.array([1.0, np.nan, 3.0])
    column = DataWrapper(matrix).to("arrow")
    assert column.underlying.column(0).null_count == 1
    assert address(column) == address(matrix)


@pytest.mark.parametrize("target", [PANDAS])
def test_nullable_columns_beside_others_leave_those_shared(target: str) -> None:
    wrapper = DataWrapper(pa.table({"a": [1.5, 2.5], "b": [1, None], "c": [3, 4]}))
    frame = wrapper.to(target)
    assert frame.field_names == ("a", "b", "c")
    assert address(wrapper["a"]) == address(frame["a"])
    assert address(wrapper["c"]) == address(frame["c"])


@pytest.mark.parametrize("target", ["arrow", "numpy", PANDAS, "polars"])
def test_columns_and_slices_are_views(target: str) -> None:
    matrix = np.asfortranarray(np.arange(12.0).reshape(4, 3))
    # One block of all columns, as pandas has it when it comes from a matrix.
    frame = DataWrapper(pd.DataFrame(matrix, columns=["x0", "x1", "x2"]))
    wrapper = frame if target == "pandas" else DataWrapper(matrix).to(target)
    chosen = wrapper.select(["x2", "x0"])
    assert [address(chosen[name]) for name in chosen] == [address(wrapper["x2"]), address(wrapper["x0"])]
    assert address(wrapper.x1.slice(1, 2)) == address(wrapper.x1) + 8
    beside = DataWrapper.concat_columns([wrapper.select(["x0"]), wrapper.select(["x2"])])
    if target != "numpy":
        assert address(beside["x2"]) == address(wrapper["x2"])


def test_its_own_format_is_the_same_wrapper() -> None:
    for target in FORMATS:
        wrapper = DataWrapper({"a": [1.0, 2.0]}).to(target)
        assert wrapper.to(target) is wrapper
        assert wrapper.format == target
    assert wrapper.to("numpy").to("numpy", dtype="float64").underlying.dtype == np.float64


def test_arrow_and_numpy_among_themselves_import_no_dataframe() -> None:
    program = """
import sys, numpy as np
from mercury_core import DataWrapper, Predictions
wrapper = DataWrapper(np.array([[1.0, np.nan], [2.0, 3.0]]), ["a", "b"])
labels = DataWrapper(np.array(["x", None], dtype=object), ["label"]).to("arrow").to("numpy")
back = DataWrapper.concat([wrapper.to("arrow").take([1, 0]), wrapper]).to("numpy").to("arrow")
times = DataWrapper(np.array(["2024-01-01", "NaT"], dtype="datetime64[s]")).to("arrow").to("numpy")
predictions = Predictions(labels, wrapper, ("x", "y")).take([0])
assert wrapper.to("arrow") == wrapper and repr(predictions)
assert (back.num_rows, times.underlying[0, 0]) == (4, np.datetime64("2024-01-01"))
print(sorted({"pandas", "polars", "narwhals"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("[]\n", "", 0)


# --- meaning ---


def test_nullable_integers_and_booleans_are_nullable_in_pandas() -> None:
    frame = DataWrapper({"a": [2**60 + 1, None], "b": [True, None], "c": [1, 2]}).to("pandas").underlying
    assert frame.dtypes.map(str).to_dict() == {"a": "Int64", "b": "boolean", "c": "int64"}
    assert frame["a"][0] == 2**60 + 1
    assert frame["a"].isna().tolist() == [False, True]


def test_what_pandas_has_no_type_for_keeps_its_arrow_type() -> None:
    table = pa.table({"day": [date(2024, 2, 29), None], "price": [Decimal("1.50"), None], "raw": [b"\0", None]})
    frame = DataWrapper(table).to("pandas")
    assert all(isinstance(kind, pd.ArrowDtype) for kind in frame.underlying.dtypes)
    assert frame.to("arrow").underlying.schema == table.schema


@pytest.mark.parametrize("ordered", [True, False])
def test_categories_keep_their_order_and_those_that_no_row_has(ordered: bool) -> None:
    wrapper = DataWrapper(dictionary(["low", "mid", "high"], [2, None, 0], ordered=ordered))
    kind = wrapper.to("pandas").underlying["kind"].dtype
    assert list(kind.categories) == ["low", "mid", "high"]
    assert kind.ordered is ordered
    assert wrapper.to("pandas").to("arrow") == wrapper
    if ordered:
        there = wrapper.to("polars")
        assert there.underlying["kind"].dtype == pl.Enum(["low", "mid", "high"])
        assert there.to("pandas") == wrapper


def test_polars_refuses_to_lose_categories_unless_an_enum_may_keep_them() -> None:
    wrapper = DataWrapper(dictionary(["low", "mid", "high"], [2, None, 0]))
    with pytest.raises(
        ConversionError, match=r"'kind' cannot go from Arrow to polars: 1 of its 3 categories.*enums=True"
    ):
        wrapper.to("polars")
    assert wrapper.to("polars", enums=True).underlying["kind"].dtype.categories.to_list() == ["low", "mid", "high"]
    all_used = DataWrapper(dictionary(["low", "high"], [1, 0, None])).to("polars")
    assert all_used.underlying["kind"].dtype == pl.Categorical


def test_categories_that_are_no_strings_are_refused_by_polars_and_kept_by_pandas() -> None:
    wrapper = DataWrapper(dictionary([10, 20], [1, 0]))
    assert wrapper.to("pandas").to("arrow") == wrapper
    with pytest.raises(ConversionError, match=r"'kind'.*int64, and polars has only strings"):
        wrapper.to("polars")


def test_categories_in_chunks_of_different_dictionaries_become_one() -> None:
    table = pa.concat_tables([dictionary(["a"], [0]), dictionary(["b", "a"], [0, 1])])
    assert DataWrapper(table).to("pandas").underlying["kind"].tolist() == ["a", "b", "a"]
    assert DataWrapper(table).to("polars").underlying["kind"].to_list() == ["a", "b", "a"]


@pytest.mark.parametrize("target", ["pandas", "polars"])
def test_timestamps_keep_instant_unit_and_time_zone(target: str) -> None:
    moment = datetime(2024, 3, 31, 0, 59, 59, 123456, tzinfo=UTC)
    table = pa.table({"t": pa.array([moment, None], pa.timestamp("us", "Europe/Paris"))})
    assert DataWrapper(table).to(target).to("arrow").underlying.schema == table.schema
    assert DataWrapper(table).to(target) == DataWrapper(table)


def test_metadata_of_pandas_does_not_turn_a_column_into_an_index() -> None:
    table = pa.Table.from_pandas(pd.DataFrame({"a": [1, 2]}, index=pd.Index([7, 8], name="id")))
    assert DataWrapper(table).to("pandas").field_names == ("a", "id")


def test_strings_in_arrays_are_objects_with_none_for_null() -> None:
    array = DataWrapper({"a": ["x", None], "b": ["", "y"]}).to("numpy").underlying
    assert array.tolist() == [["x", ""], [None, "y"]]
    assert array.dtype == object


def test_numbers_in_arrays_have_the_type_that_they_share() -> None:
    small, big = pa.array([1, 2], pa.int8()), pa.array([3, 4], pa.int16())
    assert DataWrapper(pa.table({"a": small, "b": big})).to("numpy").underlying.dtype == np.int16
    assert DataWrapper({"a": [True, False]}).to("numpy").underlying.dtype == np.bool_
    assert DataWrapper({"a": [True, None]}).to("numpy").underlying.dtype == np.float64
    singles = pa.table({"a": pa.array([1.5, None], pa.float32()), "b": small})
    assert DataWrapper(singles).to("numpy").underlying.dtype == np.float32
    assert DataWrapper(singles).to("numpy", dtype="float64").underlying.dtype == np.float64


def test_objects_keep_every_value() -> None:
    table = pa.table({"n": [2**60 + 1, None], "l": [[1, 2], [3, 4]], "t": [datetime(2024, 1, 1, tzinfo=UTC)] * 2})
    array = DataWrapper(table).to("numpy", dtype="object").underlying
    assert array[0].tolist() == [2**60 + 1, [1, 2], datetime(2024, 1, 1, tzinfo=UTC)]
    assert array[1, 0] is None


def test_odd_arrays_keep_their_values() -> None:
    for array in (
        np.array([[1, 2], [3, 4]], dtype=">i4"),
        np.arange(6.0).reshape(3, 2)[::-1],
        np.broadcast_to(np.array([1.0, 2.0]), (3, 2)),
        np.array([["a", "b\0c"], ["", "ü"]]),
        np.array([[True, False], [False, False]]),
        np.array([["2024-02-29", "NaT"]], dtype="datetime64[D]"),
    ):
        assert DataWrapper(array).to("arrow").to("numpy").underlying.tolist() == array.tolist()
    columns = DataWrapper(np.array([b"a\0b", b"c"])).to("arrow").underlying
    assert columns.to_pydict() == {"x0": [b"a\0b", b"c"]}


def test_masked_values_are_null() -> None:
    masked = np.ma.MaskedArray([[1, 2], [3, 4]], mask=[[False, True], [False, False]])
    wrapper = DataWrapper(masked)
    assert wrapper.to("arrow").underlying.to_pydict() == {"x0": [1, 3], "x1": [None, 4]}
    assert DataWrapper.concat([wrapper, wrapper]).to("arrow").underlying["x1"].null_count == 2


def test_no_rows_and_no_columns_go_everywhere() -> None:
    for target in FORMATS:
        empty = DataWrapper(pa.table({"a": pa.array([], pa.float64())})).to(target)
        assert (empty.num_rows, empty.field_names, empty.to("arrow").num_rows) == (0, ("a",), 0)
        bare = DataWrapper({"a": [1.0, 2.0]}).to(target).select([])
        assert bare.field_names == ()
        assert bare.to("arrow").field_names == bare.to("numpy").field_names == ()


# --- formats of plugins ---


class Vector:
    """What some library has instead of tables."""

    def __init__(self, values: list[float]) -> None:
        self.values = values


def to_plain(wrapper: DataWrapper) -> Vector:
    return Vector(wrapper.to("arrow").underlying.column(0).to_pylist())


def from_plain(vector: Vector, names: list[str] | None) -> pa.Table:
    return pa.table([vector.values], names=list(names or ["x0"]))


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> str:
    home = Vector.__module__.partition(".")[0]
    known = {f"to.{home}": to_plain, f"from.{home}": from_plain}
    resolve, provider_of = registry.resolve, registry.provider_of
    monkeypatch.setattr(registry, "resolve", lambda verb, key: known.get(key) or resolve(verb, key))
    monkeypatch.setattr(registry, "provider_of", lambda verb, key: known.get(key) or provider_of(verb, key))
    return home


def test_a_new_format_needs_a_way_to_and_from_arrow_and_nothing_else(plugin: str) -> None:
    wrapper = DataWrapper({"a": [1.0, 2.0, 3.0]}).to(plugin)
    assert isinstance(wrapper.underlying, Vector)
    assert (wrapper.format, wrapper.field_names, wrapper.num_rows) == (plugin, ("a",), 3)
    assert wrapper.take([2, 0]).underlying.values == [3.0, 1.0]
    assert wrapper.slice(1).underlying.values == [2.0, 3.0]
    assert wrapper["a"].to("pandas").underlying["a"].tolist() == [1.0, 2.0, 3.0]
    assert wrapper.schema == pa.schema([("a", pa.float64())])
    assert DataWrapper.concat([wrapper, wrapper]).num_rows == 6
    assert repr(wrapper) == f"DataWrapper: 3 × 1 {plugin} (a: Vector)"
    assert wrapper == DataWrapper({"a": [1.0, 2.0, 3.0]})
    assert DataWrapper(Vector([1.0])).field_names == ("x0",)

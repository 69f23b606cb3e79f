"""Round trips between all pairs of formats: what arrives means what was sent, or the column is named that cannot go."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from mercury_core import DataWrapper
from mercury_core.errors import ConversionError

pytest.importorskip("pandas")
pytest.importorskip("polars")

FORMATS = ("arrow", "pandas", "polars", "numpy")
FRAMES = ("arrow", "pandas", "polars")
QUICK = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])

WHOLE = [getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)]
TIMES = [pa.timestamp(unit, tz) for unit in ("s", "ms", "us", "ns") for tz in (None, "UTC", "Europe/Paris")]


def whole(kind: pa.DataType) -> st.SearchStrategy[Any]:
    bits = kind.bit_width
    low, high = (0, 2**bits - 1) if pa.types.is_unsigned_integer(kind) else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return st.integers(low, high)


def values_of(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_integer(kind):
        return whole(kind)
    if pa.types.is_floating(kind):
        return st.floats(width=kind.bit_width)
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_large_string(kind) or pa.types.is_string(kind):
        return st.text(st.characters(codec="utf-8"), max_size=4)
    if pa.types.is_binary(kind):
        return st.binary(max_size=3)
    if pa.types.is_timestamp(kind) or pa.types.is_duration(kind):
        return st.integers(-(2**31), 2**31)
    if pa.types.is_date(kind):
        return st.integers(-20000, 40000)
    if pa.types.is_decimal(kind):
        return st.integers(-(10**6), 10**6).map(lambda number: Decimal(number) / 100)
    if pa.types.is_time(kind):
        return st.integers(0, 86399).map(lambda seconds: timedelta(seconds=seconds) // timedelta(microseconds=1))
    return st.lists(st.integers(-9, 9), max_size=3)


PLAIN = [
    *WHOLE,
    pa.float32(),
    pa.float64(),
    pa.bool_(),
    pa.string(),
    pa.large_string(),
    pa.binary(),
    *TIMES,
    *(pa.duration(unit) for unit in ("s", "ms", "us", "ns")),
    pa.date32(),
    pa.decimal128(10, 2),
    pa.time64("us"),
    pa.list_(pa.int64()),
]


@st.composite
def plain_columns(draw: st.DrawFn, kinds: list[pa.DataType], rows: int) -> pa.Array:
    kind = draw(st.sampled_from(kinds))
    values = draw(st.lists(st.one_of(st.none(), values_of(kind)), min_size=rows, max_size=rows))
    if pa.types.is_temporal(kind):
        return pa.array(values, pa.int32() if pa.types.is_date(kind) else pa.int64()).cast(kind)
    return pa.array(values, kind)


@st.composite
def categories(draw: st.DrawFn, rows: int) -> pa.Array:
    labels = draw(st.lists(st.text("abcdef", min_size=1, max_size=3), unique=True, min_size=1, max_size=5))
    code = st.one_of(st.none(), st.integers(0, len(labels) - 1))
    codes = draw(st.lists(code, min_size=rows, max_size=rows))
    width = draw(st.sampled_from([pa.int8(), pa.int32()]))
    return pa.DictionaryArray.from_arrays(pa.array(codes, width), labels, ordered=draw(st.booleans()))


@st.composite
def tables(draw: st.DrawFn, kinds: list[pa.DataType] = PLAIN, *, labelled: bool = True) -> pa.Table:
    rows, width = draw(st.integers(0, 6)), draw(st.integers(1, 4))
    column = st.one_of(plain_columns(kinds, rows), categories(rows)) if labelled else plain_columns(kinds, rows)
    columns = [draw(column) for _ in range(width)]
    table = pa.table(columns, names=[f"column {place}" for place in range(width)])
    # In two chunks, as a reader gives them, or in one.
    cut = draw(st.integers(0, rows))
    return pa.concat_tables([table.slice(0, cut), table.slice(cut)]) if cut else table


def through(column: pa.ChunkedArray, formats: tuple[str, ...]) -> pa.ChunkedArray:
    """The column as the formats on its way are documented to change it."""
    kind = column.type
    if "pandas" in formats and pa.types.is_floating(kind):
        return pa.chunked_array([pa.array(column.to_pandas(), kind, from_pandas=True)])
    if "polars" in formats and pa.types.is_timestamp(kind) and kind.unit == "s":
        return column.cast(pa.timestamp("ms", kind.tz))
    if "polars" in formats and pa.types.is_duration(kind) and kind.unit == "s":
        return column.cast(pa.duration("ms"))
    if "polars" in formats and pa.types.is_time(kind):
        return column.cast(pa.time64("ns"))
    return column


@pytest.mark.parametrize(("first", "second"), list(product(FRAMES, FRAMES)))
@given(table=tables())
@QUICK
def test_what_arrives_means_what_was_sent(first: str, second: str, table: pa.Table) -> None:
    sent = DataWrapper(table)
    refused = None
    try:
        back = sent.to(first).to(second).to("arrow")
    except ConversionError as error:
        refused = error
    if refused is not None:
        kind = table.schema.field(refused.column).type
        assert pa.types.is_dictionary(kind)
        assert not kind.ordered
        assert "polars" in (first, second)
        assert "in no row" in str(refused)
        return
    expected = [through(column, (first, second)) for column in table.columns]
    assert back == DataWrapper(pa.table(expected, names=table.column_names))
    assert list(back.field_names) == back.schema.names == table.column_names


@pytest.mark.parametrize("target", FRAMES)
@given(table=tables())
@QUICK
def test_the_schema_is_that_of_the_converted_data(target: str, table: pa.Table) -> None:
    try:
        wrapper = DataWrapper(table).to(target)
    except ConversionError:
        return
    assert wrapper.schema == wrapper.to("arrow").schema


@pytest.mark.parametrize("target", FRAMES)
@given(table=tables([*WHOLE, pa.float32(), pa.float64(), pa.bool_()], labelled=False))
@QUICK
def test_numbers_keep_their_value_in_an_array_or_are_refused(target: str, table: pa.Table) -> None:
    wrapper = DataWrapper(table)
    refused = None
    try:
        array = wrapper.to(target).to("numpy")
    except ConversionError as error:
        refused = error
    if refused is not None:
        column = table[refused.column]
        assert pa.types.is_integer(column.type)
        assert any(abs(value) > 2**53 for value in column.to_pylist() if value is not None)
        return
    assert array.underlying.shape == (table.num_rows, table.num_columns)
    for place, name in enumerate(table.column_names):
        for given_value, found in zip(table[name].to_pylist(), array.underlying[:, place].tolist(), strict=True):
            if given_value is None or given_value != given_value:
                assert found != found
            else:
                assert found == given_value
    back = array.to(target).to("numpy").underlying
    np.testing.assert_array_equal(back, array.underlying)


@pytest.mark.parametrize("target", FRAMES)
@given(data=st.data())
@QUICK
def test_columns_of_one_type_go_through_an_array(target: str, data: st.DataObject) -> None:
    naive = [kind for kind in TIMES if kind.tz is None]
    kinds = [pa.string(), pa.date32(), *naive, *(pa.duration(unit) for unit in ("s", "ms", "us", "ns"))]
    table = data.draw(tables([data.draw(st.sampled_from(kinds))], labelled=False))
    back = DataWrapper(table).to("numpy").to(target).to("arrow")
    expected = DataWrapper(pa.table([through(column, (target,)) for column in table.columns], names=table.column_names))
    if not pa.types.is_string(table.schema.types[0]) or table.num_rows > max(each.null_count for each in table.columns):
        assert back == expected
    else:
        # Nothing but None is of no type.
        assert [column.to_pylist() for column in back.underlying.columns] == [
            column.to_pylist() for column in table.columns
        ]


@pytest.mark.parametrize("target", FORMATS)
@given(table=tables([pa.int64(), pa.float64()], labelled=False), data=st.data())
@QUICK
def test_rows_and_columns_are_the_same_in_every_format(target: str, table: pa.Table, data: st.DataObject) -> None:
    table = table.slice(0).cast(pa.schema([(name, pa.float64()) for name in table.column_names]), safe=False)
    here, there = DataWrapper(table), DataWrapper(table).to(target)
    names = data.draw(st.lists(st.sampled_from(table.column_names), unique=True, min_size=1))
    rows = data.draw(st.lists(st.integers(0, table.num_rows - 1))) if table.num_rows else []
    start, length = data.draw(st.integers(0, 7)), data.draw(st.integers(0, 7))
    for work in (
        lambda wrapper: wrapper.select(names),
        lambda wrapper: wrapper.take(rows),
        lambda wrapper: wrapper.slice(start, length),
        lambda wrapper: DataWrapper.concat(
            [wrapper, wrapper.select(names[:1] + [n for n in wrapper if n != names[0]])]
        ),
        lambda wrapper: DataWrapper.concat_columns(
            [wrapper.take(rows), DataWrapper(wrapper.take(rows)[names[0]], ["z"])]
        ),
    ):
        found, expected = work(there), work(here)
        assert found.format == target
        assert found.field_names == expected.field_names
        np.testing.assert_array_equal(found.to("numpy").underlying, expected.to("numpy").underlying)

"""Columns as a matrix: the values, the memory, the refusals."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from mercury_core.data.matrix import SideBySide, as_matrix
from mercury_core.errors import ConversionError

KINDS = {
    pa.float64(): st.floats(),
    pa.float32(): st.floats(width=32),
    pa.int64(): st.integers(-(2**53), 2**53),
    pa.int8(): st.integers(-128, 127),
    pa.uint16(): st.integers(0, 2**16 - 1),
    pa.bool_(): st.booleans(),
    pa.null(): st.none(),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(0, 12))
    columns = {}
    for place in range(draw(st.integers(1, 4))):
        kind = draw(st.sampled_from(list(KINDS)))
        values = draw(st.lists(st.none() | KINDS[kind], min_size=rows, max_size=rows))
        cut = draw(st.integers(0, rows))
        # Two chunks, the second with an offset into a longer array.
        second = pa.array([*values[:1], *values[cut:]], kind).slice(len(values[:1]))
        columns[f"c{place}"] = pa.chunked_array([pa.array(values[:cut], kind), second], kind)
    return pa.table(columns)


@settings(max_examples=200, deadline=None)
@given(tables())
def test_it_is_what_a_naive_construction_gives(table: pa.Table) -> None:
    matrix = as_matrix(table, np.float64)
    naive = [[math.nan if value is None else float(value) for value in row.values()] for row in table.to_pylist()]
    np.testing.assert_array_equal(matrix, np.array(naive, np.float64).reshape(table.num_rows, table.num_columns))
    assert matrix.flags.f_contiguous
    np.testing.assert_array_equal(as_matrix(table).astype(np.float64), matrix)


@pytest.mark.parametrize(
    ("columns", "dtype"),
    [
        ({"a": pa.array([1, 2]), "b": pa.array([3, 4])}, "int64"),
        ({"a": pa.array([1, 2], pa.int8()), "b": pa.array([3, 4], pa.int32())}, "int32"),
        ({"a": pa.array([True, False])}, "bool"),
        ({"a": pa.array([True, False]), "b": pa.array([1, 2])}, "int64"),
        ({"a": pa.array([1.0, 2.0], pa.float32())}, "float32"),
        ({"a": pa.array([1, None])}, "float64"),
        ({"a": pa.array([True, None])}, "float64"),
        ({"a": pa.array([1, 2]), "b": pa.array([0.5, 1.5])}, "float64"),
        ({"a": pa.nulls(2)}, "float64"),
        ({}, "float64"),
    ],
)
def test_the_smallest_type_that_holds_every_column(columns: dict[str, pa.Array], dtype: str) -> None:
    assert as_matrix(pa.table(columns)).dtype == dtype


def test_whole_numbers_that_would_be_rounded_are_refused() -> None:
    table = pa.table({"x": [0.5], "id": [2**53 + 1]})
    with pytest.raises(ConversionError, match=r"The column 'id' cannot go .* 9007199254740993"):
        as_matrix(table)
    assert as_matrix(table.select(["id"]))[0, 0] == 2**53 + 1


@pytest.mark.parametrize(
    "column",
    [pa.array(["x"]), pa.array([0], pa.timestamp("s")), pa.array([[1]]), pa.array(["x"]).dictionary_encode()],
    ids=["string", "timestamp", "list", "category"],
)
def test_what_is_no_number_is_refused_by_name(column: pa.Array) -> None:
    with pytest.raises(ConversionError, match=r"The column 'c' .*: it is .* Encode it as numbers, or leave it out\."):
        as_matrix(pa.table({"n": [1.0], "c": column}))


def test_a_type_without_a_word_for_null_is_refused() -> None:
    with pytest.raises(ConversionError, match=r"The column 'a' .* int64 with 1 nulls. Take a float type"):
        as_matrix(pa.table({"a": [1, None]}), np.int64)
    with pytest.raises(ConversionError, match=r"The column 'a' .*: it is double\. Take a float type"):
        as_matrix(pa.table({"a": [1.0]}), np.int64)


def filled(rows: int, room: int, piece: int = 3) -> pa.Table:
    side = SideBySide(3, room)
    for row in range(0, rows, piece):
        for column in range(3):
            values = [
                None if (row + i) % 4 == column else 100.0 * column + row + i for i in range(min(piece, rows - row))
            ]
            side.put(column, row, pa.array([-1.0, *values], pa.float64()).slice(1))
    return pa.table(side.arrays(rows), names=["a", "b", "c"])


@pytest.mark.parametrize("room", [0, 1, 9, 10, 11, 500])
def test_columns_side_by_side_are_themselves_and_a_matrix(room: int) -> None:
    table = filled(10, room)
    table.validate(full=True)
    expected = {
        name: [None if row % 4 == column else 100.0 * column + row for row in range(10)]
        for column, name in enumerate("abc")
    }
    assert table.to_pydict() == expected
    matrix = as_matrix(table)
    assert matrix.__array_interface__["data"] == (table.column("a").chunk(0).buffers()[1].address, True)
    assert np.shares_memory(matrix, as_matrix(table.select(["b", "c"])))
    assert np.shares_memory(matrix, as_matrix(table.select(["b"])))
    np.testing.assert_array_equal(matrix, np.array([*expected.values()], np.float64).T)


def test_what_does_not_lie_side_by_side_is_copied() -> None:
    table = filled(10, 10)
    whole = as_matrix(table)
    for other in (table.select(["a", "c"]), table.select(["b", "a"]), table.slice(2, 5)):
        matrix = as_matrix(other)
        assert not np.shares_memory(whole, matrix)
        assert matrix.flags.f_contiguous
        assert matrix.flags.writeable
        np.testing.assert_array_equal(matrix[:, 0], np.array(other.column(0).to_pylist(), np.float64))


def test_a_null_over_a_number_is_not_taken_for_nan() -> None:
    values = pa.py_buffer(np.arange(4.0))
    hidden = pa.Array.from_buffers(pa.float64(), 2, [pa.py_buffer(b"\x01"), values.slice(0, 16)])
    table = pa.table({"a": hidden, "b": pa.Array.from_buffers(pa.float64(), 2, [None, values.slice(16, 16)])})
    matrix = as_matrix(table)
    np.testing.assert_array_equal(matrix, [[0.0, 2.0], [np.nan, 3.0]])


def test_the_view_keeps_its_memory_alive() -> None:
    matrix = as_matrix(filled(10, 10))
    filled(10, 10)
    assert matrix[1, 0] == 1.0
    assert np.isnan(matrix[0, 0])

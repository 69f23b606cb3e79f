"""What a conversion would change is refused: the column, why, and what to do."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mercury_core import DataWrapper
from mercury_core.errors import (
    ArgumentsError,
    ConversionError,
    DataError,
    ProviderNotInstalledError,
    UnknownProviderError,
)

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")


@pytest.mark.parametrize(
    ("column", "why", "todo"),
    [
        (pa.array([2**53 + 1, None]), "9007199254740993, which float64 would round", "dtype='object'"),
        (pa.array([-(2**53) - 1, None]), "-9007199254740993", "scale it down"),
        (pa.array(["a", "b"]), "it is string", "Encode it"),
        (pa.array([b"a", b"b"]), "binary", ""),
        (pa.array([Decimal(1), None]), "decimal128", ""),
        (pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * 2), "timestamp[us, tz=UTC]", ""),
        (pa.array(["a", "b"]).dictionary_encode(), "categories of string", "Encode it"),
    ],
)
def test_an_array_of_numbers_refuses_what_it_would_change(column: pa.Array, why: str, todo: str) -> None:
    with pytest.raises(ConversionError) as caught:
        DataWrapper(pa.table({"good": [1.5, 2.5], "bad": column})).to("numpy")
    assert caught.value.column == "bad"
    assert why in str(caught.value)
    assert todo in str(caught.value)


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pa.array([datetime(2024, 1, 1, tzinfo=UTC)]), "would lose its time zone UTC"),
        (pa.array(["a"]).dictionary_encode(), "no type like categories of string"),
        (pa.array([[1]]), "no type like list"),
    ],
)
def test_an_array_of_something_else_refuses_what_numpy_cannot_say(column: pa.Array, why: str) -> None:
    with pytest.raises(ConversionError, match=f"'bad' cannot go.*{why}.*dtype='object'"):
        DataWrapper(pa.table({"bad": column})).to("numpy")
    assert DataWrapper(pa.table({"bad": column})).to("numpy", dtype=object).underlying.shape == (1, 1)


def test_an_array_has_one_type() -> None:
    with pytest.raises(ConversionError, match=r"'b' .*it is timestamp\[s\] and 'a' is timestamp\[us\]"):
        DataWrapper(pa.table({"a": pa.array([1], pa.timestamp("us")), "b": pa.array([1], pa.timestamp("s"))})).to(
            "numpy"
        )


@pytest.mark.parametrize(
    ("values", "dtype", "why"),
    [
        ([1, None], "int64", "it has nulls, for which int64 has no word"),
        ([1.5, 2.5], "int64", "truncated"),
        ([300, 1], "uint8", "not in range"),
        ([2**24 + 1, 1], "float32", "16777217, which float32 would round"),
        ([1, 0], "bool", "it is int64"),
    ],
)
def test_a_type_that_was_asked_for_holds_the_values_or_is_refused(values: list[Any], dtype: str, why: str) -> None:
    with pytest.raises(ConversionError, match=why) as caught:
        DataWrapper({"x": values}).to("numpy", dtype=dtype)
    assert caught.value.column == "x"


def test_a_type_that_was_asked_for_and_fits_is_given() -> None:
    assert DataWrapper({"x": [1.0, 255.0]}).to("numpy", dtype="uint8").underlying.tolist() == [[1], [255]]


@pytest.mark.parametrize("dtype", ["datetime64[s]", "str", "flaot"])
def test_other_types_cannot_be_asked_for(dtype: str) -> None:
    with pytest.raises(DataError, match=f"{re.escape(repr(dtype))} is none to convert to: expected a number type"):
        DataWrapper({"x": [1]}).to("numpy", dtype=dtype)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (np.array([["a", 1], [2, "b"]], dtype=object), "'x0' cannot go from NumPy to Arrow"),
        (np.array([[1 + 2j]]), "no type like complex128"),
        (np.array(["2024-01"], dtype="datetime64[M]"), "unit of time.*astype"),
        (np.array([1], dtype="datetime64[25s]"), r"unit of time like that of datetime64\[25s\].*astype"),
        (np.array([2**40], dtype="datetime64[D]"), "or not so many of them"),
        (pl.DataFrame({"fine": [1], "big": [2]}).cast({"big": pl.Int128}), "'big'.*Arrow has no type like Int128"),
        (pd.DataFrame({"fine": [1, 2], "mixed": [1, "a"]}), "'mixed' cannot go from pandas to Arrow"),
        (pl.DataFrame({"fine": [1], "things": pl.Series([object()], dtype=pl.Object)}), "'things'.*Python objects"),
    ],
)
def test_what_arrow_has_no_type_for_is_refused(data: Any, why: str) -> None:
    with pytest.raises(ConversionError, match=why):
        DataWrapper(data).to("arrow")
    with pytest.raises(ConversionError, match=why):
        DataWrapper(data).to("numpy", dtype="float64")


@pytest.mark.parametrize(
    ("column", "why"),
    [
        (pa.array([1], pa.timestamp("us", "Nowhere/Land")), "time zone"),
        (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int64())), "no type like map"),
        (pa.array([[Decimal(1)]], pa.list_(pa.decimal256(50, 2))), "no type like decimal256"),
    ],
)
def test_what_polars_has_no_type_for_is_refused(column: pa.Array, why: str) -> None:
    with pytest.raises(ConversionError, match=f"'bad' cannot go from Arrow to polars: .*{why}"):
        DataWrapper(pa.table({"good": [1], "bad": column})).to("polars")


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1], pa.timestamp("us", "Nowhere/Land")),
        pa.DictionaryArray.from_arrays(pa.array([0]), pa.array(["a", "a"])),
    ],
)
def test_what_pandas_cannot_hold_is_refused(column: pa.Array) -> None:
    with pytest.raises(ConversionError, match="'bad' cannot go from Arrow to pandas"):
        DataWrapper(pa.table({"good": [1], "bad": column})).to("pandas")


def test_seconds_that_overflow_in_polars_are_refused() -> None:
    with pytest.raises(ConversionError, match="'t' cannot go from Arrow to polars"):
        DataWrapper(pa.table({"t": pa.array([2**62], pa.timestamp("s"))})).to("polars")


@pytest.mark.parametrize("first", ["number", "word"])
def test_a_word_among_numbers_is_named_in_any_order(first: str) -> None:
    columns = {"number": pa.array([1]), "word": pa.array(["x"])}
    with pytest.raises(ConversionError, match=r"'word' cannot go .*it is string") as caught:
        DataWrapper(pa.table({first: columns.pop(first), **columns})).to("numpy")
    assert caught.value.column == "word"


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_a_library_that_is_not_installed_gives_the_pip_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ProviderNotInstalledError, match=f"'to.{name}' .*: pip install {name}$") as caught:
        DataWrapper({"x": [1]}).to(name)
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_formats_and_options_that_are_not_there() -> None:
    wrapper = DataWrapper({"x": [1]})
    with pytest.raises(UnknownProviderError, match=r"'to\.nunpy'.*Did you mean 'to\.numpy'"):
        wrapper.to("nunpy")
    with pytest.raises(ArgumentsError, match="dtyp"):
        wrapper.to("numpy", dtyp="float32")

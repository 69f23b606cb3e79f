"""The split: disjoint, complete, seeded; stratified, by group, by time."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st

from mercury_core.builtin.split import split
from mercury_core.contracts import ParamsChecker
from mercury_core.data import DataBunch, DataSet
from mercury_core.errors import ArgumentsError, MissingColumnsError, SplitError
from mercury_core.parameters import check

THREE = {"train": 0.6, "valid": 0.2, "test": 0.2}


def bunch_of(rows: int, **columns: Any) -> DataBunch:
    """Rows that know their number, and whatever else."""
    table = pa.table(
        {"row": pa.array(range(rows), pa.int64()), **{name: pa.array(column) for name, column in columns.items()}}
    )
    return DataBunch(
        {"data": DataSet.from_table(table, {"index": "row", "features": "*"} if columns else {"index": "row"})}
    )


def rows_of(data_set: DataSet) -> list[int]:
    return data_set["index"].to("arrow").underlying["row"].to_pylist()


def check_whole(parts: DataBunch, rows: int) -> None:
    taken = [row for part in parts.values() for row in rows_of(part)]
    assert sorted(taken) == list(range(rows))
    for part in parts.values():
        assert rows_of(part) == sorted(rows_of(part))
        assert part.num_rows


shares = st.lists(st.integers(1, 20), min_size=1, max_size=4)


def fractions(weights: list[int]) -> dict[str, float | int]:
    return {f"set{place}": weight / sum(weights) for place, weight in enumerate(weights)}


@settings(deadline=None, max_examples=60)
@given(rows=st.integers(1, 200), weights=shares, seed=st.integers(0, 2**32), shuffle=st.booleans())
def test_fractions_are_disjoint_complete_and_met_within_a_row(
    rows: int, weights: list[int], seed: int, shuffle: bool
) -> None:
    into = fractions(weights)
    try:
        parts = split(bunch_of(rows), into=into, seed=seed, shuffle=shuffle)
    except SplitError:
        assert any(rows * share < 1 for share in into.values())
        return
    check_whole(parts, rows)
    assert list(parts) == list(into)
    assert all(abs(part.num_rows - rows * into[name]) < 1 for name, part in parts.items())
    again = split(bunch_of(rows), into=into, seed=seed, shuffle=shuffle)
    assert {name: rows_of(part) for name, part in parts.items()} == {
        name: rows_of(part) for name, part in again.items()
    }


@settings(deadline=None, max_examples=60)
@given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=4), seed=st.integers(0, 99))
def test_numbers_of_rows_are_met(counts: list[int], seed: int) -> None:
    into = {f"set{place}": count for place, count in enumerate(counts)}
    parts = split(bunch_of(sum(counts)), into=into, seed=seed)
    check_whole(parts, sum(counts))
    assert {name: part.num_rows for name, part in parts.items()} == into
    with_rest = split(bunch_of(sum(counts)), into={**into, "set0": "rest"}, seed=seed)
    assert {name: rows_of(part) for name, part in with_rest.items()} == {
        name: rows_of(part) for name, part in parts.items()
    }


@settings(deadline=None, max_examples=80)
@given(data=st.data(), weights=shares, seed=st.integers(0, 99), shuffle=st.booleans())
def test_stratified_sets_have_each_class_in_proportion(
    data: st.DataObject, weights: list[int], seed: int, shuffle: bool
) -> None:
    sizes = data.draw(st.lists(st.integers(len(weights), 60), min_size=2, max_size=6))
    labels = [None if place == 1 else f"class {place}" for place, size in enumerate(sizes) for _ in range(size)]
    np.random.default_rng(seed).shuffle(labels)
    into = fractions(weights)
    try:
        parts = split(bunch_of(len(labels), label=labels), into=into, stratify="label", seed=seed, shuffle=shuffle)
    except SplitError as error:
        if "would be empty" not in str(error):
            raise
        return
    check_whole(parts, len(labels))
    for name, part in parts.items():
        assert abs(part.num_rows - len(labels) * into[name]) < 1
        found = part.features.to("arrow").underlying["label"].to_pylist()
        for label in set(labels):
            assert abs(found.count(label) - labels.count(label) * into[name]) < 3


@settings(deadline=None, max_examples=80)
@given(groups=st.lists(st.integers(0, 15), min_size=1, max_size=120), weights=shares, seed=st.integers(0, 99))
def test_no_group_is_in_two_sets(groups: list[int], weights: list[int], seed: int) -> None:
    into = fractions(weights)
    try:
        parts = split(bunch_of(len(groups), who=groups), into=into, group="who", seed=seed)
    except SplitError as error:
        if "as many groups as sets" not in str(error) and "would be empty" not in str(error):
            raise
        return
    check_whole(parts, len(groups))
    found = [set(part.features.to("arrow").underlying["who"].to_pylist()) for part in parts.values()]
    assert sum(map(len, found)) == len(set(groups))
    largest = max(groups.count(one) for one in groups)
    enough = len(set(groups)) > 3 * len(into)
    if enough:
        assert all(abs(part.num_rows - len(groups) * into[name]) <= len(into) * largest for name, part in parts.items())


@settings(deadline=None, max_examples=80)
@given(days=st.lists(st.integers(0, 40), min_size=1, max_size=100), weights=shares)
def test_earlier_rows_go_to_earlier_sets_and_equal_times_stay_together(days: list[int], weights: list[int]) -> None:
    times = [date(2024, 1, 1) + timedelta(days=day) for day in days]
    try:
        parts = split(bunch_of(len(days), when=times), into=fractions(weights), time="when")
    except SplitError as error:
        if "would be empty" not in str(error):
            raise
        return
    check_whole(parts, len(days))
    found = [part.features.to("arrow").underlying["when"].to_pylist() for part in parts.values()]
    for earlier, later in pairwise(found):
        assert max(earlier) < min(later)


def test_a_seed_matters_and_without_one_every_split_is_another() -> None:
    def train(seed: int | None) -> list[int]:
        return rows_of(split(bunch_of(500), into={"train": 0.5, "test": 0.5}, seed=seed)["train"])

    assert train(1) != train(2)
    assert train(None) != train(None)
    assert train(0) == rows_of(split(bunch_of(500), into={"train": 0.5, "test": 0.5})["train"])


def test_without_shuffling_rows_are_taken_in_order() -> None:
    parts = split(bunch_of(10), into={"train": 7, "test": "rest"}, shuffle=False)
    assert rows_of(parts["train"]) == list(range(7))


def test_groups_fill_the_sets_nearly_to_their_shares() -> None:
    groups = [group for group in range(60) for _ in range(5)]
    parts = split(bunch_of(300, who=groups), into=THREE, group="who", seed=3)
    assert [part.num_rows for part in parts.values()] == [180, 60, 60]


def test_any_role_and_any_library_may_hold_the_column() -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"x": range(20), "y": pandas.Categorical(["a", "b"] * 10, categories=["a", "b", "never"])})
    bunch = DataBunch({"data": DataSet.from_table(frame, {"targets": "y"})})
    parts = split(bunch, into={"train": 0.5, "test": 0.5}, stratify="y")
    assert parts["test"].targets.format == "pandas"
    assert parts["test"].targets.underlying["y"].tolist().count("a") == 5


def test_what_was_applied_stays_noted() -> None:
    bunch = DataBunch({"data": bunch_of(4)["data"].with_applied(("step",))})
    assert split(bunch, into={"a": 0.5, "b": 0.5})["b"].applied == ("step",)


@pytest.mark.parametrize(
    ("into", "message"),
    [
        ({}, "expected the sets and their shares"),
        ({"train": 0.7, "test": 0.2}, "The fractions of 'into' sum to 0.9: expected 1"),
        ({"train": 1.2, "test": -0.2}, "The set 'test' is to get -0.2: expected a fraction up to 1"),
        ({"train": 1.0, "test": 0.0}, "The set 'test' is to get 0.0"),
        ({"train": float("nan")}, "The set 'train' is to get nan"),
        ({"train": 5, "test": 0}, "The set 'test' is to get 0"),
        ({"train": True}, "The set 'train' is to get True"),
        ({"train": 0.5, "test": 5}, "mixes fractions and numbers of rows"),
        ({"train": "rest", "test": "rest"}, "only one can"),
        ({"train": 1.0, "test": "rest"}, "leave no 'rest'"),
    ],
)
def test_shares_that_say_nothing_are_found_without_data(into: dict[str, Any], message: str) -> None:
    assert isinstance(split, ParamsChecker)
    assert any(message in fault.message for fault in split.check_params({"into": into}))
    with pytest.raises(ArgumentsError, match="split"):
        split(bunch_of(10), into=into)


def test_the_check_of_parameters_knows_the_split() -> None:
    assert (
        check("transform", "split", split, {"into": {"train": 0.8, "test": "rest"}, "stratify": "y", "seed": 3}) == []
    )
    assert "stratify" in check("transform", "split", split, {"into": {"a": 1.0}, "stratfy": "y"})[0].message
    assert check("transform", "split", split, {})[0].path == ("into",)
    assert check("transform", "split", split, {"into": {"a": 0.5}})[0].path == ("into",)
    assert check("transform", "split", split, {"into": {"a": 1.0}, "time": "t", "group": "g"})[0].path == ("time",)
    assert "'seed' is -1" in check("transform", "split", split, {"into": {"a": 1.0}, "seed": -1})[0].message


@pytest.mark.parametrize(
    ("columns", "arguments", "message"),
    [
        ({}, {"into": {"a": 6, "b": 5}}, "to get 11 rows, and the data set 'data' has 10"),
        ({}, {"into": {"a": 6, "b": 3}}, "to get 9 rows, and the data set 'data' has 10: expected all of them"),
        ({}, {"into": {"a": 10, "b": "rest"}}, "The set 'b' would be empty"),
        ({}, {"into": {"a": 0.99, "b": 0.01}}, "The set 'b' would be empty: 0.01 of the 10 rows"),
        ({"y": ["a"] * 10}, {"into": THREE, "stratify": "y"}, "one value only, 'a': leave out 'stratify'"),
        (
            {"y": ["a"] * 8 + ["b"] * 2},
            {"into": THREE, "stratify": "y"},
            r"fewer rows than there are sets \(3\): 'b' \(2\)",
        ),
        ({"g": [1, 2] * 5}, {"into": THREE, "group": "g"}, "has 2 groups for 3 sets"),
        ({"g": [1, None] * 5}, {"into": THREE, "group": "g"}, "has 5 nulls, and a row without a group"),
        ({"g": [{"a": 1}] * 10}, {"into": THREE, "group": "g"}, "cannot be used to group"),
        ({"t": ["31.12.2024"] * 10}, {"into": THREE, "time": "t"}, "has no order in time"),
        ({"t": [1, None] * 5}, {"into": THREE, "time": "t"}, "has 5 nulls, and a row without a time"),
        ({"t": [1.0, float("nan")] * 5}, {"into": THREE, "time": "t"}, "holds NaN"),
        ({"t": [1] * 10}, {"into": THREE, "time": "t"}, "too many rows have the same 't'"),
    ],
)
def test_data_that_cannot_be_split_so(columns: dict[str, Any], arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(SplitError, match=message):
        split(bunch_of(10, **columns), **arguments)


def test_a_column_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(MissingColumnsError, match=r"lacks the column 'lable'.*Did you mean 'label'"):
        split(bunch_of(10, label=["a", "b"] * 5), into=THREE, stratify="lable")


def test_one_data_set_is_split() -> None:
    data_set = bunch_of(4)["data"]
    with pytest.raises(SplitError, match=r"the bunch has 2: old, new\. Choose one: `from: NAME`"):
        split(DataBunch({"old": data_set, "new": data_set}), into=THREE)
    with pytest.raises(SplitError, match="the bunch has 0"):
        split(DataBunch({}), into=THREE)
    with pytest.raises(SplitError, match="would be empty"):
        split(bunch_of(0), into=THREE)

"""Data sets, bunches and roles: what they take, give and refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from mercury_core import DataBunch, DataSet
from mercury_core.data.roles import columns_of, normalise
from mercury_core.errors import DataError, MissingColumnsError, MissingNameError, RolesError


@pytest.fixture
def data_set() -> DataSet:
    table = pa.table({"id": [1, 2, 3], "a": [1.0, 2.0, 3.0], "b": ["x", "y", "z"], "y": [0, 1, 0]})
    return DataSet.from_table(table, {"index": "id", "targets": ["y"]})


def test_a_table_becomes_a_data_set_by_roles(data_set: DataSet) -> None:
    assert {role: wrapper.field_names for role, wrapper in data_set.items()} == {
        "index": ("id",),
        "targets": ("y",),
        "features": ("a", "b"),
    }
    assert (len(data_set), data_set.num_rows) == (3, 3)


def test_a_data_set_gives_others(data_set: DataSet) -> None:
    noted = data_set.with_applied(["scaled"])
    other = noted.replace(features={"c": [7, 8, 9]}, sample_weight=np.ones(3))
    assert other.applied == ("scaled",)
    assert list(other) == ["index", "targets", "features", "sample_weight"]
    assert other.features.field_names == ("c",)
    assert noted.take([2, 0]).index.underlying.to_pydict() == {"id": [3, 1]}
    assert noted.slice(1, 1).targets.underlying.to_pydict() == {"y": [1]}
    assert noted.slice(1).applied == noted.take([0]).applied == ("scaled",)
    chosen = noted.select(["b", "y"])
    assert {role: wrapper.field_names for role, wrapper in chosen.items()} == {"targets": ("y",), "features": ("b",)}
    assert chosen.applied == ("scaled",)
    assert noted != data_set


def test_what_a_data_set_refuses(data_set: DataSet) -> None:
    with pytest.raises(DataError, match=r"these differ: index 3, targets 3, features 1"):
        data_set.replace(features={"a": [1]})
    with pytest.raises(DataError, match=r"The role 'features' of the data set: A builtins.int is no data"):
        DataSet({"features": 3})
    with pytest.raises(MissingColumnsError, match=r"The data set lacks the column 'c'; it has: id, y, a, b"):
        data_set.select(["a", "c"])
    with pytest.raises(MissingNameError, match=r"The data set lacks the role 'feature'.*Did you mean 'features'"):
        data_set["feature"]
    with pytest.raises(AttributeError, match=r"Did you mean 'targets'"):
        _ = data_set.target
    with pytest.raises(MissingColumnsError, match=r"The table lacks the column 'idd'.*Did you mean 'id'"):
        DataSet.from_table({"id": [1]}, {"index": "idd"})


def test_a_role_of_all_others_is_left_out_where_there_are_none() -> None:
    assert list(DataSet.from_table({"y": [1]}, {"targets": "y"})) == ["targets"]


def test_a_bunch_of_data_sets(data_set: DataSet) -> None:
    bunch = DataBunch({"train": data_set, "test": data_set.slice(0, 1)})
    assert bunch.train is bunch["train"] is data_set
    assert list(bunch.select(["test"])) == ["test"]
    assert bunch.replace(valid=data_set).valid is data_set
    assert len(bunch.replace(train=data_set.slice(1)).train.features.a.underlying) == 2
    with pytest.raises(
        MissingNameError, match=r"The data bunch lacks the data set 'tests'; it has: train, test. Did you"
    ):
        bunch.select(["tests"])
    with pytest.raises(DataError, match=r"'train' of the bunch is a Table: expected a DataSet, made with"):
        DataBunch({"train": pa.table({"a": [1]})})  # type: ignore[dict-item]
    with pytest.raises(MissingNameError, match=r"it is empty"):
        DataBunch({})["train"]


def test_a_bunch_is_transformed_by_what_has_apply_and_by_functions(data_set: DataSet) -> None:
    class Fitted:
        def apply(self, data: DataSet) -> DataSet:
            return data.slice(1)

        def save(self, path: Any) -> None:
            raise AssertionError

    bunch = DataBunch({"train": data_set, "test": data_set})
    for transform in (Fitted(), lambda data: data.slice(1)):
        assert [each.num_rows for each in bunch.transform(transform).values()] == [2, 2]
    with pytest.raises(DataError, match=r"'train' of the bunch is a NoneType"):
        bunch.transform(lambda data: None)  # type: ignore[arg-type,return-value]


# --- roles ---


def test_roles_in_their_normal_form() -> None:
    roles = normalise({"index": "id", "features": ["a", "b"], "targets": ("y",)})
    assert roles == {"index": ("id",), "features": ("a", "b"), "targets": ("y",)}
    assert normalise(roles) == roles
    assert columns_of(roles) == ["id", "a", "b", "y"]
    assert normalise({}) == {"features": "*"}
    assert columns_of({"targets": "y"}) is None
    assert columns_of({"targets": "*", "features": "a"}) is None


@pytest.mark.parametrize(
    ("roles", "why"),
    [
        ({"index": "a", "features": ["a"]}, "'a' is in the roles 'index' and 'features': a column has one role"),
        ({"features": ["a", "a"]}, "'a' is twice in the role 'features'"),
        ({"targets": "*"}, r"'targets' and 'features' are both '\*'.*'features' is '\*' where it is not given"),
        ({"targets": "*", "features": "*"}, r"are both '\*': only one"),
        ({"targets": ["*", "a"]}, r"'\*' stands alone"),
        ({"targets": []}, "names no column"),
        ({"targets": None}, "'targets' is None: expected the name of a column, a list of names"),
        ({"targets": [1]}, "expected the name of a column"),
        ({"targets": ""}, "expected the name of a column"),
        ({"": "a"}, "The role '' is no name"),
        ({3: "a"}, "The role 3 is no name: expected one like features"),
        (5, "Roles are a mapping from role to columns, as {'targets': 'y'}: found 5"),
    ],
)
def test_roles_that_contradict_one_another_are_refused(roles: Any, why: str) -> None:
    with pytest.raises(RolesError, match=why) as caught:
        normalise(roles)
    assert caught.value.exit_code == 2

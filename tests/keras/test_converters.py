"""Ways to and from torch tensors and batches of Keras: memory, types, names, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from mercury_keras.images.spec import with_spec
from mercury_keras.specs import ImageSpec

from mercury_core import DataWrapper
from mercury_core.data import DataSet
from mercury_core.errors import ArgumentsError, ConversionError, DataError

torch = pytest.importorskip("torch")


# --- torch ---


@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "int64", "int32", "int8", "uint8", "bool"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_numpy_array_shares_its_memory_with_its_tensor(kind: str, order: Any) -> None:
    array = np.ones((4, 3), kind, order=order)
    tensor = DataWrapper(array).to("torch").underlying
    assert str(tensor.dtype) == f"torch.{kind}"
    assert tensor.data_ptr() == array.ctypes.data
    array[1, 2] = 0
    assert tensor[1, 2] == 0


def test_views_of_an_array_share_too(recwarn: pytest.WarningsRecorder) -> None:
    array = np.arange(24, dtype="float32").reshape(6, 4)
    wrapper = DataWrapper(array, ["a", "b", "c", "d"])
    for view in (wrapper.select(["b", "d"]), wrapper.slice(2, 3), DataWrapper(array[::2])):
        tensor = view.to("torch").underlying
        assert np.shares_memory(tensor.numpy(), array)
        assert tensor.tolist() == view.underlying.tolist()
    assert not recwarn.list


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(3, 2)[::-1],
        np.arange(6).reshape(3, 2).astype(">i4"),
        np.broadcast_to(np.arange(2.0), (3, 2)),
        np.zeros((0, 2)),
    ],
    ids=["backwards", "other byte order", "read-only", "no rows"],
)
def test_what_torch_cannot_share_is_copied(array: Any, recwarn: pytest.WarningsRecorder) -> None:
    tensor = DataWrapper(array).to("torch").underlying
    assert tensor.tolist() == array.tolist()
    assert not recwarn.list
    if array.size:
        tensor[0, 0] = -5
        assert array[0, 0] != -5


def test_what_a_mask_hides_is_missing() -> None:
    array = np.ma.masked_equal(np.array([[1, 2], [3, 4]]), 3)
    assert torch.isnan(DataWrapper(array).to("torch").underlying).tolist() == [[False, False], [True, False]]


def test_a_table_becomes_a_tensor_of_what_its_columns_have_in_common() -> None:
    wrapper = DataWrapper({"a": [1, 2, None], "b": [True, False, True]})
    tensor = wrapper.to("torch").underlying
    assert tensor.dtype == torch.float64
    assert torch.equal(torch.isnan(tensor), torch.tensor([[False, False], [False, False], [True, False]]))
    table = pa.table({"a": [1.5, 2.5]})
    tensor = DataWrapper(table).to("torch").underlying
    tensor[0, 0] = 9
    assert table["a"].to_pylist() == [1.5, 2.5]  # Arrow's memory is nobody's to write to


def test_a_type_and_a_device_can_be_asked_for() -> None:
    wrapper = DataWrapper({"a": [1, 2], "b": [0.5, 1.0]})
    converted = wrapper.to("torch", dtype="float32", device="cpu")
    assert (converted.format, converted.field_names) == ("torch", ("a", "b"))
    assert converted.underlying.dtype == torch.float32
    assert wrapper.to("torch", dtype="torch.bfloat16").underlying.dtype == torch.bfloat16
    assert converted.to("torch", dtype="float64").underlying.dtype == torch.float64
    shared = np.ones((2, 2), "float32")
    assert DataWrapper(shared).to("torch", dtype="float32").underlying.data_ptr() == shared.ctypes.data


def test_a_tensor_is_data_like_any_other() -> None:
    tensor = torch.arange(6.0).reshape(3, 2)
    wrapper = DataWrapper(tensor, ["a", "b"])
    assert repr(wrapper) == "DataWrapper: 3 × 2 torch (a: torch.float32, b: torch.float32)"
    assert wrapper.underlying is tensor
    assert DataWrapper(tensor).field_names == ("x0", "x1")
    assert wrapper.b.to("numpy").underlying.ravel().tolist() == [1.0, 3.0, 5.0]
    taken = wrapper.take([2, 0])
    assert (taken.format, taken.underlying.tolist()) == ("torch", [[4.0, 5.0], [0.0, 1.0]])
    assert DataWrapper.concat([wrapper, taken]).num_rows == 5
    assert wrapper == DataWrapper({"a": [0.0, 2.0, 4.0], "b": [1.0, 3.0, 5.0]}).to("torch", dtype="float32")
    assert DataSet({"features": wrapper, "targets": torch.zeros(3)}).targets.to("arrow").field_names == ("x0",)


def test_tensors_of_every_kind_come_to_arrow() -> None:
    column = torch.arange(3, dtype=torch.int64)
    table = DataWrapper(column, ["n"]).to("arrow").underlying
    assert table["n"].chunk(0).buffers()[1].address == column.data_ptr()
    grown = torch.ones(2, 2, requires_grad=True) * 2
    assert DataWrapper(grown).to("numpy").underlying.tolist() == [[2.0, 2.0], [2.0, 2.0]]
    half = torch.tensor([[1.5, float("nan")]], dtype=torch.bfloat16)
    assert DataWrapper(half, ["a", "b"]).to("arrow").underlying.to_pylist() == [{"a": 1.5, "b": None}]
    assert DataWrapper(torch.tensor([[True], [False]])).schema.types == [pa.bool_()]


def test_what_is_no_number_is_refused_by_name() -> None:
    wrapper = DataWrapper({"age": [31, 44], "island": ["Biscoe", "Dream"]})
    with pytest.raises(
        ConversionError, match="The column 'island' cannot go from arrow to torch: it is string, and no"
    ):
        wrapper.to("torch")
    days = DataWrapper(np.array([["2024-01-31"]], "datetime64[D]"), ["day"])
    with pytest.raises(ConversionError, match="'day' cannot go from numpy to torch"):
        days.to("torch")
    with pytest.raises(ConversionError, match="'a'"):
        DataWrapper({"a": [2**53 + 1]}).to("torch", dtype="float64")


def test_wrong_options_are_told() -> None:
    wrapper = DataWrapper({"a": [1.0]})
    with pytest.raises(DataError, match=r"torch has no type 'flaot32'.*Did you mean 'float32'"):
        wrapper.to("torch", dtype="flaot32")
    with pytest.raises(ArgumentsError, match=r"no parameter 'dtyp'\. Did you mean 'dtype'"):
        wrapper.to("torch", dtyp="float32")


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (torch.zeros(2, 2, 2), "of 3 dimensions, of shape \\(2, 2, 2\\), is no table"),
        (torch.tensor(1.0), "of 0 dimensions"),
    ],
)
def test_tensors_that_are_no_tables_are_refused(tensor: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        DataWrapper(tensor)


def test_sparse_and_complex_tensors_are_refused() -> None:
    with pytest.raises(ConversionError, match=r"'a' cannot go from torch to Arrow: .* in the layout torch\.sparse_coo"):
        DataWrapper(torch.eye(2).to_sparse(), ["a", "b"]).to("arrow")
    with pytest.raises(ConversionError, match="complex64"):
        DataWrapper(torch.zeros(2, 2, dtype=torch.complex64)).to("arrow")


# --- batches ---


def test_batches_are_views_of_a_numpy_array() -> None:
    array = np.arange(30, dtype="float32").reshape(10, 3)
    wrapper = DataWrapper(array, ["a", "b", "c"]).to("keras", batch_size=4)
    assert (wrapper.format, wrapper.field_names, wrapper.num_rows) == ("keras", ("a", "b", "c"), 10)
    taken = [batch for (batch,) in (wrapper.underlying[place] for place in range(len(wrapper.underlying)))]
    assert [len(batch) for batch in taken] == [4, 4, 2]
    assert all(np.shares_memory(batch, array) for batch in taken)
    assert np.array_equal(np.concatenate(taken), array)


def test_batches_are_as_large_as_the_reader_of_the_images_says() -> None:
    field = with_spec(pa.field("image", pa.string()), ImageSpec(4, 4), batch_size=3)
    features = DataWrapper(pa.table([["no.png"] * 10], schema=pa.schema([field])))
    for given, expected in ((None, 4), (5, 2)):
        assert len(features.to("keras", batch_size=given).underlying) == expected
    assert len(DataWrapper(np.zeros((33, 1), "float32")).to("keras").underlying) == 2


def test_batches_come_back_as_the_table_that_they_were_made_of() -> None:
    table = pa.table({"a": [1, 2, 3], "b": [0.5, None, 1.5]})
    wrapper = DataWrapper(table).to("keras", batch_size=2)
    assert wrapper.to("arrow").underlying.equals(table)
    assert wrapper.underlying[0][0].dtype == np.float32
    assert DataWrapper(wrapper.underlying, ["x", "y"]).to("arrow").field_names == ("x", "y")
    assert wrapper.take([2]).to("numpy").underlying.tolist() == [[3.0, 1.5]]


def test_batches_train_a_model_of_ones_own() -> None:
    keras = pytest.importorskip("mercury_keras.backend").keras()
    features = DataWrapper(np.eye(8, 2, dtype="float32"), ["a", "b"])
    batches = features.to("keras", batch_size=3, shuffle=True, seed=1, targets=[0.0, 1] * 4, sample_weight=[1] * 8)
    x, y, weight = batches.underlying[0]
    assert (x.shape, y.shape, weight.shape) == ((3, 2), (3, 1), (3,))
    orders = []
    for batches.underlying.epoch in (0, 1, 0):
        orders.append(np.concatenate([batches.underlying[place][1] for place in range(3)]).ravel().tolist())
    assert orders[0] == orders[2] != orders[1]
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile(loss="mse")
    history = model.fit(batches.underlying, shuffle=False, verbose=0)
    assert np.isfinite(history.history["loss"][0])
    assert model.predict(features.to("keras").underlying, verbose=0).shape == (8, 1)


def test_batches_that_cannot_be_made_are_refused() -> None:
    wrapper = DataWrapper({"a": [1.0, 2.0]})
    with pytest.raises(DataError, match="There are 2 rows of features and 3 of targets"):
        wrapper.to("keras", targets=[1, 2, 3])
    with pytest.raises(DataError, match="weights and without targets have no use"):
        wrapper.to("keras", sample_weight=[1, 2])
    with pytest.raises(ConversionError, match="'x0' cannot go from numpy to targets of batches: it is string"):
        wrapper.to("keras", targets=["yes", "no"])
    keras = pytest.importorskip("mercury_keras.backend").keras()

    class Own(keras.utils.PyDataset):  # type: ignore[misc]
        pass

    with pytest.raises(
        DataError, match=r"Own of Keras has no columns: expected batches that wrapper.to\(\"keras\"\) made"
    ):
        DataWrapper(Own())

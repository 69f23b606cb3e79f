"""Batches: what is in them, in which order, and how far ahead they are made."""

from __future__ import annotations

import subprocess
import sys
from io import BytesIO
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from mercury_keras import batches as module
from mercury_keras.backend import keras
from mercury_keras.batches import Batches, arrays, batches, blocks, own_errors
from mercury_keras.images import ahead, columns
from mercury_keras.images.reader import read_images
from mercury_keras.specs import ImageSpec, InputSpec
from PIL import Image

from mercury_core.data import DataSet, DataWrapper
from mercury_core.errors import ConversionError, DataError, MissingColumnsError, ReadError

if TYPE_CHECKING:
    from pathlib import Path

GREY = ImageSpec(2, 2, "grayscale")
IMAGE = InputSpec("image", ("image",), GREY)
TABLE = InputSpec("table", ("a", "b"))


def png(value: int) -> bytes:
    file = BytesIO()
    Image.new("L", (2, 2), value).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def images(tmp_path: Path) -> DataSet:
    """Ten images, each of one grey, that tells which it is."""
    (tmp_path / "a").mkdir()
    for place in range(10):
        (tmp_path / "a" / f"{place}.png").write_bytes(png(place))
    return read_images(str(tmp_path), image_size=(2, 2), color_mode="grayscale")


def greys(x: Any) -> list[int]:
    assert x.dtype == np.float32
    assert x.shape[1:] == (2, 2, 1)
    return [int(one) for one in x[:, 0, 0, 0]]


# --- what is in them ---


def test_images_come_in_the_order_of_the_rows(images: DataSet) -> None:
    data = batches(images.features, [IMAGE], batch_size=4)
    assert isinstance(data, keras().utils.PyDataset)
    assert len(data) == data.num_batches == 3
    assert [greys(x) for (x,) in data] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [greys(x) for x in blocks(images.features, [IMAGE], 4)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert greys(arrays(images.features, [IMAGE])) == list(range(10))
    assert data.features is images.features
    with pytest.raises(IndexError, match="There are 3 batches: there is none at 3"):
        data[3]


def test_a_table_that_is_as_keras_takes_it_is_not_copied() -> None:
    matrix = np.arange(12, dtype=np.float32).reshape(6, 2)
    wrapper = DataWrapper(matrix, ["a", "b"])
    assert np.shares_memory(arrays(wrapper, [TABLE]), matrix)
    for (x,) in batches(wrapper, [TABLE], batch_size=4):
        assert np.shares_memory(x, matrix)


def test_columns_are_taken_by_name_and_become_float32() -> None:
    wrapper = DataWrapper({"b": [1, None], "other": ["x", "y"], "a": [True, False]})
    x = arrays(wrapper, [TABLE])
    assert isinstance(x, np.ndarray)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, [[1, 1], [0, np.nan]])
    assert arrays(DataWrapper({"a": [2**24 + 1], "b": [0.1]}), [TABLE]).tolist() == [[2.0**24, np.float32(0.1)]]  # type: ignore[union-attr]


def test_several_inputs_are_a_dict_in_their_order(images: DataSet) -> None:
    table = images.features.underlying.append_column("a", pa.array(range(10))).append_column("b", pa.array([0.5] * 10))
    weights, targets = np.arange(10.0), {"one": np.arange(10), "two": np.arange(10) * 2}
    data = batches(
        DataWrapper(table), [TABLE, IMAGE], targets=targets, sample_weight=weights, batch_size=6, shuffle=True
    )
    seen: list[int] = []
    for x, y, w in data:
        assert list(x) == ["table", "image"]
        assert greys(x["image"]) == x["table"][:, 0].tolist() == y["one"].tolist() == (y["two"] // 2).tolist()
        assert w.tolist() == y["one"].tolist()
        seen += greys(x["image"])
    assert sorted(seen) == list(range(10)) != seen


def test_encoded_images_and_arrays_are_images_as_well() -> None:
    encoded = DataWrapper(pa.table({"image": pa.array([png(3), png(4)], pa.binary())}))
    assert greys(arrays(encoded, [IMAGE])) == [3, 4]
    pixels = np.stack([np.full((2, 2, 1), value, np.uint8) for value in (5, 6, 7)])
    decoded = pa.table({"image": pa.FixedShapeTensorArray.from_numpy_ndarray(pixels)})
    data = batches(DataWrapper(decoded), [IMAGE], batch_size=2, shuffle=True)
    assert sorted(grey for (x,) in data for grey in greys(x)) == [5, 6, 7]
    categories = pa.table({"image": pa.array(["x.png", "x.png"]).dictionary_encode()})
    with pytest.raises(ReadError, match=r"x\.png: there is no such file"):
        arrays(DataWrapper(categories), [IMAGE])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_paths_of_another_library_will_do(images: DataSet, library: str) -> None:
    pytest.importorskip(library)
    data = batches(images.features.to(library), [IMAGE], batch_size=5, shuffle=True, seed=3)
    expected = batches(images.features, [IMAGE], batch_size=5, shuffle=True, seed=3)
    assert [greys(x) for (x,) in data] == [greys(x) for (x,) in expected]


# --- chance ---


def test_the_order_is_that_of_the_seed_and_the_epoch(images: DataSet) -> None:
    data = batches(images.features, [IMAGE], batch_size=3, shuffle=True, seed=7)
    epochs = []
    for epoch in range(3):
        data.epoch = epoch
        epochs.append([grey for (x,) in data for grey in greys(x)])
    assert all(sorted(one) == list(range(10)) for one in epochs)
    assert len({tuple(one) for one in epochs}) == 3
    later = batches(images.features, [IMAGE], batch_size=3, shuffle=True, seed=7, epoch=2)
    assert [grey for (x,) in later for grey in greys(x)] == epochs[2]
    other = batches(images.features, [IMAGE], batch_size=3, shuffle=True, seed=8)
    assert [grey for (x,) in other for grey in greys(x)] != epochs[0]


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 40), st.integers(1, 45), st.booleans(), st.integers(0, 2**64))
def test_every_row_comes_once_an_epoch(rows: int, batch_size: int, shuffle: bool, seed: int) -> None:
    wrapper = DataWrapper(np.arange(rows, dtype=np.float32)[:, None], ["a"])
    data = Batches(wrapper, [InputSpec("a", ("a",))], batch_size=batch_size, shuffle=shuffle, seed=seed)
    seen = [data[index][0] for index in range(len(data))]
    assert all(len(one) == batch_size for one in seen[:-1])
    assert sorted(np.concatenate(seen).ravel()) == list(range(rows))


def test_batches_may_be_asked_for_in_any_order(images: DataSet) -> None:
    data = batches(images.features, [IMAGE], batch_size=2)
    assert [greys(data[index][0]) for index in (0, 1, 0, 4, 2, 2, 3)] == [
        [2 * index, 2 * index + 1] for index in (0, 1, 0, 4, 2, 2, 3)
    ]


# --- ahead ---


def test_no_more_is_decoded_than_is_soon_needed(images: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    decoded: list[str] = []
    real = columns.decode

    def noted(source: Any, *rest: Any) -> None:
        real(source, *rest)
        decoded.append(source)

    monkeypatch.setattr(columns, "decode", noted)
    monkeypatch.setattr(module, "thread_count", lambda: 1)
    data = Batches(images.features, [IMAGE], batch_size=1)
    data[0]
    data._pool.shutdown()  # type: ignore[union-attr]
    assert len(decoded) == 3
    decoded.clear()
    monkeypatch.setattr(module, "_MOST_BYTES_AHEAD", 1)
    data = Batches(images.features, [IMAGE], batch_size=1)
    data[0]
    data._pool.shutdown()  # type: ignore[union-attr]
    assert len(decoded) == 2


def test_what_nobody_waits_for_is_not_decoded(images: DataSet, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go, decoded = Event(), Event(), []
    real = columns.decode

    def slow(source: str, *rest: Any) -> None:
        if source.endswith("2.png"):
            begun.set()
            go.wait(30)
        real(source, *rest)
        decoded.append(source[-5:])

    monkeypatch.setattr(columns, "decode", slow)
    monkeypatch.setattr(module, "thread_count", lambda: 1)
    data = Batches(images.features, [IMAGE], batch_size=2)
    data[0]
    assert begun.wait(30)
    data.epoch = 1  # the epoch ended early
    go.set()
    assert greys(data[4][0]) == [8, 9]
    data._pool.shutdown()  # type: ignore[union-attr]
    assert decoded == ["0.png", "1.png", "2.png", "3.png", "8.png", "9.png"]


def test_all_threads_share_a_batch() -> None:
    assert ahead.thread_count() >= 1
    paths = DataWrapper({"image": [f"{place}" for place in range(32)]})
    for threads, tasks in [(1, 4), (2, 4), (16, 16), (64, 32)]:
        out, parts = columns.ImageColumn(paths, "image", GREY).begin(slice(0, 32), threads)
        assert (out.shape, len(parts)) == ((32, 2, 2, 1), tasks)


# --- bad input ---


def test_a_damaged_image_is_named_where_its_batch_is_taken(images: DataSet) -> None:
    path = images.features.underlying.column("image").to_pylist()[7]
    with open(path, "wb") as file:
        file.write(b"no image")
    data = batches(images.features, [IMAGE], batch_size=4)
    assert greys(data[0][0]) == [0, 1, 2, 3]
    with pytest.raises(ReadError, match=r"7\.png: it is damaged"):
        data[1]
    with pytest.raises(RuntimeError, match="wrapped"), own_errors(None, object()):
        raise RuntimeError("wrapped")
    with pytest.raises(RuntimeError, match="another"), own_errors(data):
        raise RuntimeError("another")

    def wrap() -> None:
        try:
            data[1]
        except ReadError:
            raise RuntimeError("wrapped") from None

    with pytest.raises(ReadError, match=r"7\.png: it is damaged"), own_errors(None, data):
        wrap()
    model = keras().Sequential([keras().layers.Input((2, 2, 1)), keras().layers.Flatten(), keras().layers.Dense(1)])
    with pytest.raises(ReadError, match=r"7\.png: it is damaged"), own_errors(data):
        model.predict(data, verbose=0)


def test_rows_without_an_image_are_named() -> None:
    missing = DataWrapper({"image": ["a.png", None, "b.png"]})
    with pytest.raises(ReadError, match=r"the image of row 1 \(column 'image'\): it is missing"):
        arrays(missing, [IMAGE])
    damaged = DataWrapper(pa.table({"image": pa.array([png(3), b"x"], pa.binary())}))
    with pytest.raises(ReadError, match=r"the image of row 1 \(column 'image'\): it is damaged"):
        arrays(damaged, [IMAGE])


@pytest.mark.parametrize(
    ("wrapper", "inputs", "kind", "message"),
    [
        (DataWrapper({"a": [1]}), [TABLE], MissingColumnsError, "lacks the column 'b'"),
        (DataWrapper({"a": [1], "b": ["x"]}), [TABLE], ConversionError, "The column 'b' cannot go"),
        (DataWrapper({"image": [1]}), [IMAGE], DataError, "it holds int64: expected file paths"),
        (DataWrapper({"a": [1]}), [], DataError, "there is no input"),
        (
            DataWrapper(pa.table({"image": pa.FixedShapeTensorArray.from_numpy_ndarray(np.zeros((1, 3, 2, 1)))})),
            [IMAGE],
            DataError,
            "it holds arrays of 3 × 2 × 1: .*or arrays of 2 × 2 × 1",
        ),
    ],
)
def test_columns_that_no_input_can_be_made_of(wrapper: Any, inputs: Any, kind: Any, message: str) -> None:
    with pytest.raises(kind, match=message):
        arrays(wrapper, inputs)


def test_targets_and_weights_have_the_rows_of_the_features(images: DataSet) -> None:
    with pytest.raises(DataError, match="The targets of 'one' have 3 rows and the features 10"):
        batches(images.features, [IMAGE], targets={"one": np.zeros(3)})
    with pytest.raises(DataError, match="The sample_weight have 3 rows"):
        batches(images.features, [IMAGE], sample_weight=np.zeros(3))
    with pytest.raises(DataError, match="at least one row: batch_size is 0"):
        batches(images.features, [IMAGE], batch_size=0)


def test_blocks_need_no_keras() -> None:
    program = (
        "import sys, numpy as np; from mercury_core.data import DataWrapper;"
        "from mercury_keras.batches import blocks; from mercury_keras.specs import InputSpec;"
        "list(blocks(DataWrapper(np.zeros((3, 1)), ['a']), [InputSpec('a', ('a',))], 2));"
        "print([name for name in ('keras', 'torch', 'tensorflow', 'PIL') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

"""Images on TensorFlow: what its pipeline wraps is said as it is, and chance follows from the seed as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mercury_keras import backend
from mercury_keras.batches import batches, own_errors
from mercury_keras.images.augment import augment
from mercury_keras.images.reader import read_images
from mercury_keras.images.spec import augmentation_of
from mercury_keras.specs import ImageSpec, InputSpec
from PIL import Image

from mercury_core import DataBunch, DataSet
from mercury_core.errors import ReadError

if TYPE_CHECKING:
    from pathlib import Path

INPUT = InputSpec("image", ("image",), ImageSpec(6, 6))
INPUT_OF_40 = InputSpec("image", ("image",), ImageSpec(40, 32, antialias=False))


@pytest.fixture
def images(tmp_path: Path) -> DataSet:
    chance = np.random.default_rng(0)
    for place in range(9):
        Image.fromarray(chance.integers(0, 256, (6, 6, 3), np.uint8)).save(tmp_path / f"{place}.png")
    return read_images(str(tmp_path), image_size=(6, 6))


def test_a_damaged_image_is_named_through_the_pipeline_of_tensorflow(images: DataSet) -> None:
    assert backend.name() == "tensorflow"
    keras: Any = backend.keras()
    with open(images.features.underlying["image"][7].as_py(), "wb") as file:
        file.write(b"no image")
    model = keras.Sequential([keras.layers.Input((6, 6, 3)), keras.layers.Flatten(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = batches(images.features, [INPUT], targets=np.zeros((9, 1), np.float32), batch_size=2)
    with pytest.raises(ReadError, match=r"7\.png: it is damaged") as caught, own_errors(data, None):
        model.fit(data, shuffle=False, verbose=0)
    assert not isinstance(caught.value.__cause__, ReadError)


@pytest.mark.parametrize("form", ["png", "jpg"])
def test_without_smoothing_pixels_are_those_of_keras(form: str, tmp_path: Path) -> None:
    if form == "jpg":  # Pillow decodes it a little more exactly
        pytest.importorskip("simplejpeg")
    chance = np.random.default_rng(0)
    for place, size in enumerate([(90, 61), (20, 30), (64, 40), (7, 150)]):
        rough = Image.fromarray(chance.integers(0, 256, (8, 8, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
        (tmp_path / f"{place % 2}").mkdir(exist_ok=True)
        rough.save(tmp_path / f"{place % 2}" / f"{place}.{form}")
    keras: Any = backend.keras()
    data = keras.utils.image_dataset_from_directory(
        tmp_path, image_size=(40, 32), batch_size=4, shuffle=False, verbose=False
    )
    theirs = np.concatenate([x for x, _ in data.as_numpy_iterator()])
    features = read_images(str(tmp_path), image_size=(40, 32), antialias=False).features
    ours = np.concatenate([x for (x,) in batches(features, [INPUT_OF_40])])
    assert np.abs(ours - theirs).max() < 1.01


def test_augmented_batches_come_again(images: DataSet) -> None:
    train = augment(DataBunch({"train": images}), ["RandomFlip", {"use": "RandomRotation", "factor": 0.3}]).train
    forms = augmentation_of(train.features)

    def taken(epoch: int) -> Any:
        data = batches(train.features, [INPUT], batch_size=4, shuffle=True, seed=3, augmentation=forms, epoch=epoch)
        return np.concatenate([x for (x,) in data])

    np.testing.assert_array_equal(taken(1), taken(1))
    assert not np.array_equal(taken(1), taken(2))

"""`keras.augment`: active in training, told by the seed, and in nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mercury_keras.backend import keras
from mercury_keras.batches import arrays, batches
from mercury_keras.images.augment import Augmenter, augment
from mercury_keras.images.reader import read_images
from mercury_keras.images.spec import augmentation_of, image_columns
from mercury_keras.specs import ImageSpec, InputSpec
from PIL import Image

from mercury_core import DataBunch, DataSet, check_workflow, transform_data_bunch
from mercury_core.errors import ArgumentsError, DataError, WorkflowFileError

if TYPE_CHECKING:
    from pathlib import Path

SIZE = ImageSpec(12, 12)
INPUT = InputSpec("image", ("image",), SIZE)
LAYERS = [{"use": "RandomFlip", "mode": "horizontal"}, {"use": "RandomErasing", "scale": [0.2, 0.3]}, "RandomGrayscale"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> DataSet:
    """Eight images, whose left half is dark."""
    folder = tmp_path_factory.mktemp("images")
    for place in range(8):
        pixels = np.full((12, 12, 3), (200, 150, 100 + place), np.uint8)
        pixels[:, :6] //= 4
        (folder / f"{place % 2}").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(folder / f"{place % 2}" / f"{place}.png")
    return read_images(str(folder), image_size=(12, 12))


def taken(data_set: DataSet, *, seed: int = 5, epoch: int = 0, batch_size: int = 4) -> np.ndarray[Any, Any]:
    """What training is given of a data set."""
    features = data_set.features
    data = batches(
        features, [INPUT], batch_size=batch_size, seed=seed, epoch=epoch, augmentation=augmentation_of(features)
    )
    return np.concatenate([x for (x,) in data])


def test_only_the_data_set_that_is_trained_on_is_augmented(images: DataSet) -> None:
    bunch = DataBunch({"train": images, "valid": images})
    for made in (augment(bunch, LAYERS), transform_data_bunch(bunch, "keras.augment", data=["train"], layers=LAYERS)):
        assert [name for name, one in made.items() if augmentation_of(one.features)] == ["train"]
        assert image_columns(made.train.features) == {"image": SIZE}
        assert made.train["index"] == images["index"]
        plain = taken(images)
        augmented = taken(made.train)
        assert augmented.shape == plain.shape
        assert augmented.dtype == np.float32
        assert not np.array_equal(augmented, plain)
        assert (augmented.min(), augmented.max()) >= (0, 0)
        assert augmented.max() <= 255
        # What is predicted and validated is taken without.
        np.testing.assert_array_equal(arrays(made.train.features, [INPUT]), plain)
        np.testing.assert_array_equal(taken(made.valid), plain)


def test_training_sees_augmented_images_and_nothing_else_does(images: DataSet) -> None:
    seen: list[tuple[bool, Any]] = []

    class Spy(keras().layers.Layer):  # type: ignore[misc]
        def call(self, x: Any, training: bool = False) -> Any:
            seen.append((bool(training), keras().ops.convert_to_numpy(x).copy()))
            return x

    made = augment(DataBunch({"train": images}), [{"use": "RandomBrightness", "factor": [0.5, 0.5]}]).train
    model = keras().Sequential([keras().layers.Input((12, 12, 3)), Spy(), keras().layers.Flatten()])
    model.add(keras().layers.Dense(1))
    model.compile("sgd", "mse", run_eagerly=True)
    features, targets = made.features, np.zeros((8, 1), np.float32)
    training = batches(features, [INPUT], targets=targets, batch_size=8, augmentation=augmentation_of(features))
    valid = batches(features, [INPUT], targets=targets, batch_size=8)
    seen.clear()
    model.fit(training, validation_data=valid, shuffle=False, verbose=0)
    model.predict(valid, verbose=0)
    plain = taken(images)
    brighter = {flag: {bool(np.mean(x - plain) > 50) for told, x in seen if told is flag} for flag in (True, False)}
    assert brighter == {True: {True}, False: {False}}
    assert not any(isinstance(layer, keras().layers.RandomBrightness) for layer in model.layers)


def test_chance_follows_from_seed_epoch_and_batch(images: DataSet) -> None:
    made = augment(DataBunch({"train": images}), ["RandomFlip", {"use": "RandomRotation", "factor": 0.3}]).train
    first = taken(made)
    np.testing.assert_array_equal(first, taken(made))
    assert not np.array_equal(first, taken(made, epoch=1))
    assert not np.array_equal(first, taken(made, seed=6))
    assert not np.array_equal(first[:4], first[4:])
    features = made.features
    data = batches(features, [INPUT], batch_size=4, seed=5, augmentation=augmentation_of(features))
    np.testing.assert_array_equal(data[1][0], first[4:])  # alone, and not after the first


@pytest.mark.parametrize(
    "layer",
    [
        "RandomFlip",
        {"use": "RandomRotation", "factor": 0.2},
        {"use": "RandomZoom", "height_factor": 0.2},
        {"use": "RandomTranslation", "height_factor": 0.2, "width_factor": 0.2},
        {"use": "RandomContrast", "factor": 0.4},
        {"use": "RandomErasing"},
        {"use": "RandomColorJitter", "brightness_factor": 0.4},
        {"use": "RandomGaussianBlur"},
        {"use": "RandAugment"},
        {"use": "AugMix"},
        {"use": "GaussianNoise", "stddev": 0.5},
    ],
    ids=lambda layer: layer if isinstance(layer, str) else layer["use"],
)
@pytest.mark.filterwarnings("ignore:.*Tensor.T is deprecated on 0-D tensors:UserWarning")  # Keras's RandAugment
def test_every_layer_does_the_same_again(images: DataSet, layer: Any) -> None:
    made = augment(DataBunch({"train": images}), [layer])
    (form,) = augmentation_of(made.train.features).values()
    pixels = np.asarray(arrays(images.features, [INPUT]))
    augmenters = [Augmenter(form, 3, "image") for _ in range(2)]
    augmenters[0](pixels, 0, 0)
    np.testing.assert_array_equal(augmenters[0](pixels, 2, 1), augmenters[1](pixels, 2, 1))


def test_a_single_data_set_of_any_name_is_augmented_and_splits_keep_it(images: DataSet) -> None:
    made = augment(DataBunch({"all": images}), ["RandomFlip"])
    parts = transform_data_bunch(made, "split", into={"train": 0.5, "valid": 0.5}, seed=1)
    assert augmentation_of(parts.train.features).keys() == {"image"}
    with pytest.raises(DataError, match=r"What is augmented is one data set, and there are: a, b. Name it, as from: a"):
        augment(DataBunch({"a": images, "b": images}), ["RandomFlip"])


def test_the_parameters_of_keras_are_not_those_of_a_session(images: DataSet) -> None:
    sideways = {"use": "RandomTranslation", "height_factor": 0.0, "width_factor": 0.4}
    keras().config.set_image_data_format("channels_first")
    keras().config.set_dtype_policy("mixed_bfloat16")
    try:
        made = augment(DataBunch({"train": images}), [sideways])
        assert taken(made.train).dtype == np.float32
    finally:
        keras().config.set_dtype_policy("float32")
        keras().config.set_image_data_format("channels_last")
    moved = taken(made.train)
    assert not np.array_equal(moved, taken(images))
    np.testing.assert_array_equal(moved, np.repeat(moved[:, :1], 12, axis=1))


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (["RandomFlipp"], "Keras has no layer 'RandomFlipp'. Did you mean 'RandomFlip'"),
        ([{"use": "RandomFlip", "modus": "x"}], "RandomFlip has no parameter 'modus'. Did you mean 'mode'"),
        ([], "'layers' names none: expected at least one, as RandomFlip"),
    ],
)
def test_layers_that_keras_lacks_are_refused_before_any_work(
    images: DataSet, tmp_path: Path, layers: list[Any], message: str
) -> None:
    with pytest.raises(ArgumentsError, match=message):
        augment(DataBunch({"train": images}), layers)
    path = tmp_path / "workflow.yaml"
    path.write_text(
        f"read: {{train: {{use: keras.images, source: {images.features.underlying['image'][0].as_py()[:-8]}}}}}\n"
        f"transform: {{use: keras.augment, from: train, layers: {layers}}}\n"
    )
    with pytest.raises(WorkflowFileError, match=message.split(".")[0]):
        check_workflow(path)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"use": "RandomCrop", "height": 4, "width": 4}, "RandomCrop makes 4 × 4 × 3 of images of 12 × 12 × 3"),
        ({"use": "Conv2D", "filters": 3, "kernel_size": 1}, "Conv2D has weights, which nothing would train"),
        ({"use": "Permute", "dims": [1, 2, 3, 4]}, "The images of the column 'image' cannot be augmented: "),
    ],
)
def test_layers_that_are_no_augmentation_are_refused(images: DataSet, layer: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        augment(DataBunch({"train": images}), [layer])


def test_data_without_images_is_refused(images: DataSet) -> None:
    with pytest.raises(DataError, match="The data set 'train' has no column of images to augment"):
        augment(DataBunch({"train": DataSet({"features": {"a": [1]}})}), ["RandomFlip"])
    with pytest.raises(DataError, match="The data set 'train' has no images 'img'; its columns of images: image"):
        augment(DataBunch({"train": images}), ["RandomFlip"], columns=["img"])


def test_layers_that_somebody_else_noted_are_looked_at() -> None:
    with pytest.raises(DataError, match="The augmentation of the column 'image' is none: Keras has no layer 'Evil'"):
        Augmenter([{"module": "evil", "class_name": "Evil", "config": {}, "registered_name": None}], 0, "image")

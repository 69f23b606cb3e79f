"""What this plugin provides."""

from __future__ import annotations

from mercury_core import Provider, hookimpl

#: The version of Mercury's hooks and contracts that this plugin was written for.
MERCURY_API = 1

_HERE = "mercury_keras"
_TORCH = "'mercury-keras[torch]'"


@hookimpl
def mercury_read() -> list[Provider]:
    """Images, which are decoded batch by batch."""
    return [
        Provider("keras.images", f"{_HERE}.images.reader:read_images", "Images by class folder, or named by a table")
    ]


@hookimpl
def mercury_transform() -> list[Provider]:
    """Augmentation, and the ways to and from tensors and batches."""
    return [
        Provider("keras.augment", f"{_HERE}.images.augment:augment", "Augment images with Keras's layers, in training"),
        Provider("to.torch", f"{_HERE}.converters:to_torch", "To a torch tensor of rows × columns", install=_TORCH),
        Provider("from.torch", f"{_HERE}.converters:from_torch", "From a torch tensor"),
        Provider("to.keras", f"{_HERE}.converters:to_keras", "To a data set of batches, as Keras takes them"),
        Provider("from.keras", f"{_HERE}.converters:from_keras", "From a data set of batches of this plugin"),
    ]


@hookimpl
def mercury_fit() -> list[Provider]:
    """Any Keras model."""
    return [Provider("keras.fit", f"{_HERE}.fit:fit", "Any Keras model: defined here, by a function, or stored")]


@hookimpl
def mercury_evaluate() -> list[Provider]:
    """Keras's own metrics."""
    return [Provider("keras.evaluate", f"{_HERE}.metrics:evaluate", "Keras's own metrics and losses, by name")]


@hookimpl
def mercury_save() -> list[Provider]:
    """Every format that Keras writes."""
    formats = f"{_HERE}.formats"
    return [
        Provider("keras.native", f"{formats}.native:native", "Keras's own .keras file"),
        Provider("keras.hdf5", f"{formats}.hdf5:hdf5", "The older .h5 file"),
        Provider("keras.weights", f"{formats}.weights:weights", "A .weights.h5 file beside the definition as JSON"),
        Provider("keras.saved_model", f"{formats}.saved_model:saved_model", "TensorFlow SavedModel, or a .zip of it"),
        Provider("keras.onnx", f"{formats}.onnx:onnx", "ONNX, predicted by onnxruntime"),
        Provider("keras.torch_export", f"{formats}.torch_export:torch_export", "torch.export's .pt2 file"),
    ]

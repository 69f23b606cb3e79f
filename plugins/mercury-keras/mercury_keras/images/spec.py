"""Columns of images: file paths in Arrow, whose field says how they are decoded.

Nothing is decoded before batches are made of it, so that a million images take the memory of their paths, and the core
splits, selects and shuffles their rows as those of any table.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from mercury_core.data.content import CONTENT
from mercury_core.errors import DataError
from mercury_keras.specs import ImageSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from mercury_core.data import DataWrapper

_SPEC = b"mercury_keras.image"
_BATCH_SIZE = b"mercury_keras.batch_size"
_AUGMENTATION = b"mercury_keras.augmentation"


def with_spec(field: pa.Field, image: ImageSpec, *, batch_size: int | None = None) -> pa.Field:
    """The field of a column of images.

    Args:
        field: Its name and type.
        image: How its images are decoded.
        batch_size: How many images make a batch, where whoever trains or predicts does not say; None leaves it to them.
    """
    noted = {CONTENT: "images", _SPEC: json.dumps(asdict(image))}
    if batch_size is not None:
        noted[_BATCH_SIZE] = json.dumps(batch_size)
    return _with(field, noted)


def spec_of(field: pa.Field) -> ImageSpec | None:
    """How the images of a column are decoded; None of a column that is none of images.

    Raises:
        DataError: What is noted there is no such thing: it came with a file that somebody else wrote.
    """
    try:
        noted = _noted(field, _SPEC)
        return None if noted is None else ImageSpec(**noted)
    except (TypeError, ValueError) as error:
        raise DataError(
            f"The column {field.name!r} notes how its images are decoded in a way that is not known here: read the "
            f"images with keras.images."
        ) from error


def image_columns(features: DataWrapper) -> dict[str, ImageSpec]:
    """The columns of images by name, in their order, with how they are decoded."""
    found = {field.name: spec_of(field) for field in _fields(features)}
    return {name: image for name, image in found.items() if image is not None}


def batch_size_of(features: DataWrapper) -> int | None:
    """The batch size that the reader of the images was given; None where there is none."""
    sizes = [_noted(field, _BATCH_SIZE) for field in _fields(features)]
    return next((int(size) for size in sizes if size is not None), None)


def with_augmentation(field: pa.Field, layers: Sequence[Mapping[str, Any]]) -> pa.Field:
    """The field of a column of images, which training is to augment by these layers, in Keras's serialised form."""
    return _with(field, {_AUGMENTATION: json.dumps(list(layers))})


def augmentation_of(features: DataWrapper) -> dict[str, list[dict[str, Any]]]:
    """By column of images, the layers that training augments it with, in Keras's serialised form."""
    found = {field.name: _noted(field, _AUGMENTATION) for field in _fields(features)}
    return {name: layers for name, layers in found.items() if layers}


def _fields(features: DataWrapper) -> Sequence[pa.Field]:
    """The fields that can have metadata: those of Arrow."""
    return list(features.schema) if features.format == "arrow" else []


def _noted(field: pa.Field, key: bytes) -> Any:
    noted = (field.metadata or {}).get(key)
    return None if noted is None else json.loads(noted)


def _with(field: pa.Field, noted: Mapping[bytes, str]) -> pa.Field:
    return field.with_metadata({**(field.metadata or {}), **{key: text.encode() for key, text in noted.items()}})

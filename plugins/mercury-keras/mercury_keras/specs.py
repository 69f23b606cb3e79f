"""What a Keras model takes and gives, in terms of columns: what is kept beside it in every format.

Nothing here imports Keras.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 -- msgspec reads the types of the fields
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import msgspec

Task = Literal["binary", "multiclass", "multilabel", "regression"]


@dataclass(frozen=True, slots=True)
class ImageSpec:
    """How the images of a column are decoded; every pixel is a number from 0 to 255.

    Attributes:
        height: In pixels, after resizing.
        width: Likewise.
        color_mode: ``grayscale`` (1 channel), ``rgb`` (3) or ``rgba`` (4).
        interpolation: ``nearest``, ``bilinear``, ``bicubic`` or ``lanczos``.
        fit: What is done to another shape: ``stretch`` it, ``crop`` it to the centre, or ``pad`` it with black.
        antialias: Whether what is made smaller is smoothed; without, pixels are left out, as Keras does.
    """

    height: int
    width: int
    color_mode: Literal["grayscale", "rgb", "rgba"] = "rgb"
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear"
    fit: Literal["stretch", "crop", "pad"] = "stretch"
    antialias: bool = True

    @property
    def channels(self) -> int:
        """How many numbers a pixel has."""
        return {"grayscale": 1, "rgb": 3, "rgba": 4}[self.color_mode]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Height, width, channels: of one image, whatever the backend."""
        return self.height, self.width, self.channels


@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of a model.

    Attributes:
        name: Of the input; for a model of one input, of no meaning.
        columns: The feature columns that go into it: several numeric ones, or one of images.
        image: How that is decoded; None for numbers.
    """

    name: str
    columns: tuple[str, ...]
    image: ImageSpec | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """Of one row."""
        return (len(self.columns),) if self.image is None else self.image.shape


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """One output of a model, and the targets that it is for.

    Attributes:
        name: Of the output; for a model of one output, of no meaning.
        task: ``binary`` and ``multiclass`` have one target of labels; ``multilabel`` has several of yes and no;
            ``regression`` one or several of numbers.
        targets: The names of those columns.
        types: Their Arrow types.
        classes: The labels of a ``binary`` or ``multiclass`` target, in the order of the scores; else None.
        logits: Whether the model gives logits, of which probabilities are made when it predicts.
        units: How many numbers the model gives a row: for ``binary`` 1 (a sigmoid) or 2 (a softmax).
        one_hot: Whether the loss takes labels as one column a class, and not as their places.
    """

    name: str
    task: Task
    targets: tuple[str, ...]
    types: tuple[str, ...] = ()
    classes: tuple[Any, ...] | None = None
    logits: bool = False
    units: int = 1
    one_hot: bool = False


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """All of it.

    Attributes:
        inputs: At least one.
        outputs: At least one.
        batch_size: How many rows are predicted at once.
        training: What `mercury_core.contracts.Trained` tells of the training.
    """

    inputs: tuple[InputSpec, ...]
    outputs: tuple[OutputSpec, ...]
    batch_size: int = 256
    training: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Plain values, which JSON has; `from_json` takes them."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Any) -> ModelSpec:
        """What `to_json` gave, as JSON brings it again.

        Raises:
            ValueError: It is something else.
        """
        return msgspec.convert(content, cls)

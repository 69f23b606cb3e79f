"""From feature columns to the inputs of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mercury_core.data import DataWrapper
    from mercury_keras.specs import InputSpec


def input_specs(features: DataWrapper) -> tuple[InputSpec, ...]:
    """The inputs of a model of those features.

    All columns of numbers make one input ``table``, in their order; each column of images makes an input of its name.

    Raises:
        FitError: A column of text or of another type that is no number.
    """
    raise NotImplementedError

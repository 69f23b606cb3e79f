"""From settings to a compiled model that fits the data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from mercury_core.contracts import Fault
    from mercury_core.data import DataWrapper
    from mercury_keras.specs import InputSpec, OutputSpec


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """Which model, and how it is compiled: parameters of ``keras.fit`` under their own names.

    Exactly one of `model`, `config` and `bundle` says which model.

    Attributes:
        model: ``keras.mlp``, ``keras.convnet``, ``module:function``, ``{use: any of those, **params}``, a function, or a
            Keras model.
        config: A file of Keras's own JSON (``model.to_json()``).
        bundle: A stored bundle whose model is trained further: a directory or a URI.
        trainable: What of it is: ``all``, ``last`` (the last layer that has weights), or the names of layers.
        task: ``auto``, ``binary``, ``multiclass``, ``multilabel`` or ``regression``.
        outputs: The target columns of each output of a model of several.
        loss: A name of Keras's, ``{use: NAME, **params}``, Keras's serialised form, ``module:name``, or a mapping of
            those by output; None for the one that goes with the targets.
        optimizer: Likewise; None for ``adam``.
        learning_rate: A number, or a schedule as ``{use: CosineDecay, **params}``; None for the optimizer's own.
        metrics: A list of metrics, or a mapping of lists by output.
        mixed_precision: True for ``mixed_bfloat16``, or the name of that policy or ``mixed_float16``.
    """

    model: Any = None
    config: Path | None = None
    bundle: str | Path | None = None
    trainable: Any = "all"
    task: str = "auto"
    outputs: Mapping[str, Sequence[str]] | None = None
    loss: Any = None
    optimizer: Any = None
    learning_rate: Any = None
    metrics: Any = None
    mixed_precision: bool | str = False


def check(settings: BuildSettings) -> list[Fault]:
    """What is wrong with settings, as far as it can be told without data; imports Keras, and no backend beyond that."""
    raise NotImplementedError


def build(
    settings: BuildSettings,
    inputs: Sequence[InputSpec],
    outputs: Sequence[OutputSpec],
    targets: DataWrapper | None = None,
) -> tuple[Any, tuple[OutputSpec, ...]]:
    """Make the model, compile it, and see that it fits the data.

    Args:
        settings: Which model, and how.
        inputs: What it takes, by `mercury_keras.inputs.input_specs`.
        outputs: What it is to give, by `mercury_keras.targets.output_specs`.
        targets: Those of training: weights by ``balanced`` and the range of what a loss takes are told by them.

    Returns:
        The compiled Keras model; and `outputs` with what the model tells: names, units, logits, one_hot.

    Raises:
        ArgumentsError: A setting that is wrong by itself.
        FitError: A model that does not fit the data, or a loss that does not fit the targets.
    """
    raise NotImplementedError

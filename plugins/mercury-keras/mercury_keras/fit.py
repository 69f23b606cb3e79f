"""The fitter: any Keras model, trained on the data set ``train``.

Keras is imported when a model is fitted or its parameters are checked, and not before.
"""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError
from mercury_core.storage.refusals import why_not_made
from mercury_core.storage.uri import is_remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mercury_core.data import DataBunch
    from mercury_keras.building import BuildSettings
    from mercury_keras.model import KerasModel


class KerasFitter:
    """Trains a model on the data set ``train``, watched on ``valid`` where there is one; `fit` is the one instance."""

    def __call__(
        self,
        bunch: DataBunch,
        *,
        model: Any = None,
        config: Path | None = None,
        bundle: Path | None = None,
        trusted: list[str] | None = None,
        trainable: Literal["all", "last"] | list[str] = "all",
        task: Literal["auto", "binary", "multiclass", "multilabel", "regression"] = "auto",
        outputs: dict[str, list[str]] | None = None,
        loss: Any = None,
        optimizer: Any = None,
        learning_rate: Any = None,
        metrics: Any = None,
        loss_weights: dict[str, float] | None = None,
        weighted_metrics: Any = None,
        epochs: int = 10,
        batch_size: int | None = None,
        shuffle: bool = True,
        callbacks: list[Any] | None = None,
        class_weight: Literal["balanced"] | dict[Any, Any] | None = None,
        return_best: bool = False,
        monitor: str | None = None,
        mode: Literal["auto", "min", "max"] = "auto",
        backup: Path | None = None,
        directory: Path | None = None,
        seed: int | None = None,
        mixed_precision: Any = False,
        threads: int | None = None,
        verbose: Literal[0, 1, 2] = 0,
    ) -> KerasModel:
        """Train.

        Args:
            bunch: ``train`` is trained on: its role ``features``, ``targets``, and ``sample_weight`` where there is
                one; after each epoch the model is measured on ``valid``, where there is one. ``test`` is never touched.
            model: A ready definition (``keras.mlp``, ``keras.convnet``), a function of one's own
                (``package.module:function``), or ``{use: ONE_OF_THESE, **parameters}``.
            config: In place of it, a file of Keras's own JSON, as `model.to_json` writes it.
            bundle: In place of both, a stored bundle of a Keras model, which is trained further.
            trusted: Classes and functions of its definition that are not Keras's own, as ``my_layers:Scaled``.
            trainable: Which of its layers learn: ``all``, the ``last`` with weights, or those named.
            task: What the targets mean; ``auto`` tells it from their types, and from the loss.
            outputs: Of a model of several outputs: the names of the targets by the name of the output.
            loss: By Keras's name, as ``{use: NAME, **parameters}`` or in Keras's serialised form; by output where there
                are several. None for the one that is usual for the task.
            optimizer: Likewise, one; None for ``adam``, or for what a function of one's own compiled with.
            learning_rate: A number, or a schedule like an optimizer; None for what the optimizer has.
            metrics: A list like the losses, or one by output.
            loss_weights: Of several outputs: how much the loss of each counts, by output.
            weighted_metrics: Metrics in which rows count as they do in training, by their class and their own weights.
            epochs: How many times all rows are seen, at most.
            batch_size: Rows a step; None for that of the reader of the images, else 32.
            shuffle: Whether the rows come in another order each epoch, which `seed` and the epoch tell.
            callbacks: Keras's own, by name: ``EarlyStopping``, ``{use: CSVLogger, filename: log.csv}``, and so on.
            class_weight: How much a row of each class counts, by label; ``balanced`` for so much that all classes
                count the same. By output where there are several.
            return_best: Whether the weights of the best epoch, by `monitor`, are given back and not the last ones.
            monitor: What is watched for it, as ``val_accuracy``; None for ``val_loss``, without ``valid`` ``loss``.
            mode: Whether less or more of it is better; ``auto`` where Keras knows.
            backup: A directory for the state after each epoch: a training that was killed goes on from there, and
                gives what an unbroken one gives. It is removed at the end.
            directory: Where relative paths in `callbacks` lie.
            seed: Of the weights, of the order of the rows, of dropout and augmentation; None for one that is drawn, and
                noted in the record.
            mixed_precision: Whether to compute in 16 bits with weights of 32; or the name of a policy of Keras.
            threads: How many threads compute; None for one where the model is tiny, else the backend's own choice.
            verbose: What Keras prints: nothing, a bar, or a line an epoch. Every epoch is logged in any case.

        Returns:
            The trained model. Its ``training`` tells the history, the best epoch, and how the training ended. Where it
            was stopped by Ctrl-C, it is what had been learnt by then.

        Raises:
            ArgumentsError: A name or a parameter that Keras does not have.
            FitError: Data that does not fit the model, the loss or the weights; a loss that is no number any more; a
                backup of another training.
        """
        given = {name: value for name, value in locals().items() if name not in ("self", "bunch")}
        from mercury_keras.fitting import Fitting

        made, faults = _checked(given)
        if faults:
            raise ArgumentsError("fit", "keras.fit", [fault.message for fault in faults])
        return Fitting(bunch, given, _build_settings(given), made).run()

    def check_params(self, params: Mapping[str, Any]) -> Iterable[Fault]:
        """Find, without data, names and parameters that Keras does not have."""
        from mercury_keras import building

        return [*building.check(_build_settings(params)), *_checked(params)[1]]


def _build_settings(params: Mapping[str, Any]) -> BuildSettings:
    from mercury_keras.building import BuildSettings

    return BuildSettings(**{each.name: params[each.name] for each in fields(BuildSettings) if each.name in params})


def _checked(params: Mapping[str, Any]) -> tuple[list[Any], list[Fault]]:
    """The callbacks, and what is wrong with everything but the model."""
    from mercury_keras.callbacks import make_callbacks
    from mercury_keras.fitting import SEEDS

    directory = params.get("directory")
    made, faults = make_callbacks(params.get("callbacks") or (), None if directory is None else Path(directory))
    faults += [
        Fault((name,), f"{name} is {params[name]}: expected a whole number from 1 upwards.")
        for name in ("epochs", "batch_size", "threads")
        if params.get(name) is not None and params[name] < 1
    ]
    if params.get("seed") is not None and not 0 <= params["seed"] < SEEDS:
        faults.append(Fault(("seed",), f"seed is {params['seed']}: expected a whole number from 0 to {SEEDS - 1}."))
    for name in ("backup", "directory"):
        if params.get(name) is not None and (why := _why_no_directory(str(params[name]))):
            faults.append(Fault((name,), f"{name} is {params[name]}: {why}"))
    if params.get("backup") is not None and any(type(one).__name__ == "BackupAndRestore" for one in made):
        todo = "leave out one of them; backup keeps what callbacks remember as well"
        faults.append(Fault(("backup",), f"backup and the callback BackupAndRestore do the same: {todo}."))
    if not isinstance(params.get("learning_rate"), int | float | None):
        faults += [
            Fault(("callbacks", place), f"{kind} sets learning_rate, which is a schedule here: leave out one of them.")
            for place, kind in enumerate(type(one).__name__ for one in made)
            if kind in ("LearningRateScheduler", "ReduceLROnPlateau")
        ]
    return made, faults


def _why_no_directory(place: str) -> str:
    """Why nothing can be written below a path; nothing where it can, as far as it can be told without trying."""
    if is_remote(place):
        return "expected a directory on this machine."
    path = Path(place)
    if not path.is_dir():
        return "expected a directory, and it is a file." if path.exists() else why_not_made(path)
    return "" if os.access(path, os.W_OK | os.X_OK) else "it may not be written to, choose another directory."


fit = KerasFitter()

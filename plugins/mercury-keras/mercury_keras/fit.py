"""The fitter: any Keras model, trained on the data set ``train``.

Keras is imported when a model is fitted or its parameters are checked, and not before.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError, FitError
from mercury_core.storage.uri import is_remote

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from mercury_core.data import DataBunch, DataSet
    from mercury_keras.backup import Backup, Kept
    from mercury_keras.building import BuildSettings
    from mercury_keras.model import KerasModel
    from mercury_keras.specs import InputSpec, OutputSpec
    from mercury_keras.training import Plan
    from mercury_keras.weights import Array

#: Seeds are below this: what NumPy takes.
_SEEDS = 2**32


class KerasFitter:
    """Trains a model on the data set ``train``, watched on ``valid`` where there is one; `fit` is the one instance."""

    def __call__(
        self,
        bunch: DataBunch,
        *,
        model: Any = None,
        config: Path | None = None,
        bundle: Path | None = None,
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
        made, faults = _checked(given)
        if faults:
            raise ArgumentsError("fit", "keras.fit", [fault.message for fault in faults])
        return _Fitting(bunch, given, made).run()

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

    directory = params.get("directory")
    made, faults = make_callbacks(params.get("callbacks") or (), None if directory is None else Path(directory))
    faults += [
        Fault((name,), f"{name} is {params[name]}: expected a whole number from 1 upwards.")
        for name in ("epochs", "batch_size", "threads")
        if params.get(name) is not None and params[name] < 1
    ]
    if params.get("seed") is not None and not 0 <= params["seed"] < _SEEDS:
        faults.append(Fault(("seed",), f"seed is {params['seed']}: expected a whole number from 0 to {_SEEDS - 1}."))
    if params.get("backup") is not None:
        faults += _backup_faults(str(params["backup"]), made)
    return made, faults


def _backup_faults(backup: str, callbacks: Sequence[Any]) -> list[Fault]:
    if is_remote(backup):
        return [Fault(("backup",), f"backup is {backup}: expected a directory on this machine.")]
    twice = any(type(one).__name__ == "BackupAndRestore" for one in callbacks)
    todo = "leave out one of them; backup keeps what callbacks remember as well"
    return [Fault(("backup",), f"backup and the callback BackupAndRestore do the same: {todo}.")] if twice else []


class _Fitting:
    """One fit: the data and the parameters of it."""

    def __init__(self, bunch: DataBunch, params: Mapping[str, Any], callbacks: Sequence[Any]) -> None:
        self.params, self.callbacks = params, callbacks
        self.what = _name(params)
        self.train = self._usable(bunch, "train")
        has_valid = "valid" in bunch and bunch["valid"].num_rows > 0
        self.valid = self._usable(bunch, "valid") if has_valid else None

    def run(self) -> KerasModel:
        from mercury_keras import backend, threads
        from mercury_keras.backup import Backup
        from mercury_keras.building import build
        from mercury_keras.images.spec import image_columns
        from mercury_keras.inputs import input_specs
        from mercury_keras.model import KerasModel
        from mercury_keras.specs import ModelSpec
        from mercury_keras.targets import output_specs
        from mercury_keras.training import train

        params, targets = self.params, self.train.targets
        backup = None if params["backup"] is None else Backup(Path(params["backup"]), self.what)
        kept = None if backup is None else backup.find()
        seed = params["seed"]
        if seed is None:  # a run without one can be done again with the one that its record names
            seed = secrets.randbelow(_SEEDS) if kept is None else kept.seed
        with backend.seeded(seed):
            inputs = input_specs(self.train.features, self.what)
            told = {name: params[name] for name in ("task", "loss", "outputs")}
            outputs = output_specs(targets, **told, what=self.what)
            model, inputs, outputs = build(_build_settings(params), inputs, outputs, targets, self.what)
            batch_size = self._batch_size()
            data, digest = self._batches(self.train, "train", inputs, outputs, seed, model)
            valid = None if self.valid is None else self._batches(self.valid, "valid", inputs, outputs, seed, model)[0]
            settings = {**_settings(params, seed), "rows": self.train.num_rows, "targets": digest}
            if backup is not None and kept is not None:
                backup.check(kept, settings)
            used = threads.threads_for(model, batch_size, params["threads"])
            plan = self._plan(seed, backup, kept, settings)
            with threads.limited(used):
                told = train(model, data, valid, plan)
        training = {**told, "batch_size": batch_size, "seed": seed, "threads": used, "backend": backend.name()}
        at_once = batch_size if image_columns(self.train.features) else max(batch_size, 256)
        return KerasModel(model, ModelSpec(inputs, outputs, at_once, training))

    def _usable(self, bunch: DataBunch, name: str) -> DataSet:
        data_set = bunch[name]
        if not data_set.num_rows:
            raise FitError(self.what, f"the data set {name!r} has no rows", "Look at the source and at the split.")
        for role in ("features", "targets"):
            if role not in data_set:
                raise FitError(
                    self.what, f"the data set {name!r} has no {role}", "Name them in the roles of the reader."
                )
        return data_set

    def _batch_size(self) -> int:
        from mercury_keras.images.spec import batch_size_of

        return int(self.params["batch_size"] or batch_size_of(self.train.features) or 32)

    def _plan(self, seed: int, backup: Backup | None, kept: Kept | None, settings: Mapping[str, Any]) -> Plan:
        from mercury_keras.training import Plan

        monitor = self.params["monitor"] or ("loss" if self.valid is None else "val_loss")
        if monitor.startswith("val_") and self.valid is None:
            raise FitError(
                self.what,
                f"monitor is {monitor!r}, and there is no data set 'valid'",
                f"Split one off, or say monitor: {monitor.removeprefix('val_')}.",
            )
        names = ("epochs", "mode", "return_best", "verbose")
        return Plan(
            self.what,
            callbacks=self.callbacks,
            monitor=monitor,
            seed=seed,
            backup=backup,
            kept=kept,
            settings=settings,
            **{name: self.params[name] for name in names},
        )

    def _batches(
        self,
        data_set: DataSet,
        where: str,
        inputs: Sequence[InputSpec],
        outputs: tuple[OutputSpec, ...],
        seed: int,
        model: Any,
    ) -> tuple[Any, str]:
        """The batches of a data set, and a digest of its targets."""
        from mercury_keras.batches import batches
        from mercury_keras.images.spec import augmentation_of
        from mercury_keras.inputs import check_numbers
        from mercury_keras.targets import encode
        from mercury_keras.weights import row_weights, sample_weights

        check_numbers(data_set.features, inputs, self.what, where)
        training = where == "train"
        targets = {output.name: encode(data_set.targets, output, where, self.what) for output in outputs}
        class_weight = self.params["class_weight"] if training else None
        rows = sample_weights(data_set, where, self.what)
        weights = row_weights(rows, targets, outputs, class_weight, self.what)
        alone = next(iter(targets)) if len(outputs) == 1 else None
        data = batches(
            data_set.features,
            inputs,
            targets=targets if alone is None else targets[alone],
            sample_weight=None if weights is None else _arranged(weights, model),
            batch_size=self._batch_size(),
            shuffle=self.params["shuffle"] and training,
            seed=seed,
            augmentation=augmentation_of(data_set.features) if training else None,
        )
        digest = hashlib.blake2b(digest_size=16)
        for array in [*targets.values(), *(weights or {}).values()]:
            digest.update(array.tobytes())
        return data, digest.hexdigest()


def _arranged(weights: Mapping[str, Array], model: Any) -> Any:
    """Weights by output as Keras takes them, which is less free there than with targets."""
    if len(weights) == 1:
        return next(iter(weights.values()))
    if isinstance(getattr(model, "output", None), Mapping):
        return weights
    return tuple(weights[name] for name in getattr(model, "output_names", None) or weights)


def _settings(params: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What a training that goes on must have been told before: all but how long it lasts, and where it writes."""
    free = ("epochs", "backup", "directory", "threads", "verbose")
    told = {name: _plain(value) for name, value in params.items() if name not in free}
    return {**told, "seed": seed}


def _plain(value: Any) -> Any:
    """A parameter as JSON has it; functions and Keras's own objects by their names."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Path):
        return str(value)
    named = value if hasattr(value, "__qualname__") else type(value)
    return f"{named.__module__}:{named.__qualname__}"


def _name(params: Mapping[str, Any]) -> str:
    """What the model is called in messages."""
    if (file := params["config"] or params["bundle"]) is not None:
        return f"the model of {file}"
    model = params["model"]
    if isinstance(model, Mapping):
        model = model.get("use", model)
    return model if isinstance(model, str) else getattr(model, "__name__", None) or type(model).__name__


fit = KerasFitter()

"""One fit, from data and parameters to a trained model."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mercury_core.errors import FitError
from mercury_keras import backend, threads
from mercury_keras.backup import Backup
from mercury_keras.batches import batches
from mercury_keras.building import build
from mercury_keras.images.spec import augmentation_of, batch_size_of, image_columns
from mercury_keras.inputs import check_numbers, input_specs
from mercury_keras.model import KerasModel
from mercury_keras.specs import ModelSpec
from mercury_keras.targets import encode, output_specs
from mercury_keras.training import Plan, train
from mercury_keras.weights import row_weights, sample_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mercury_core.data import DataBunch, DataSet
    from mercury_keras.backup import Kept
    from mercury_keras.building import BuildSettings
    from mercury_keras.specs import InputSpec, OutputSpec
    from mercury_keras.weights import Array

#: Seeds are below this: what NumPy takes.
SEEDS = 2**32


class Fitting:
    """One call of `keras.fit`.

    Args:
        bunch: The data.
        params: The parameters of the call.
        build: Those of them that make the model.
        callbacks: Those that the parameters name, made.

    Raises:
        FitError: A data set without rows, features or targets.
    """

    def __init__(
        self, bunch: DataBunch, params: Mapping[str, Any], build: BuildSettings, callbacks: Sequence[Any]
    ) -> None:
        self.params, self.build, self.callbacks = params, build, callbacks
        self.what = _name(params)
        self.train = self._usable(bunch, "train")
        has_valid = "valid" in bunch and bunch["valid"].num_rows > 0
        self.valid = self._usable(bunch, "valid") if has_valid else None

    def run(self) -> KerasModel:
        """Build the model, and train it.

        Raises:
            FitError: As `keras.fit` says.
        """
        params, targets = self.params, self.train.targets
        backup = None if params["backup"] is None else Backup(Path(params["backup"]), self.what)
        kept = None if backup is None else backup.find()
        seed = params["seed"]
        if seed is None:  # a run without one can be done again with the one that its record names
            seed = secrets.randbelow(SEEDS) if kept is None else kept.seed
        with backend.seeded(seed):
            inputs = input_specs(self.train.features, self.what)
            told = {name: params[name] for name in ("task", "loss", "outputs")}
            outputs = output_specs(targets, **told, what=self.what)
            model, inputs, outputs = build(self.build, inputs, outputs, targets, self.what)
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
        return int(self.params["batch_size"] or batch_size_of(self.train.features) or 32)

    def _plan(self, seed: int, backup: Backup | None, kept: Kept | None, settings: Mapping[str, Any]) -> Plan:
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

"""The state of a training after each epoch, on disk: one that was killed goes on as if nothing had been.

Keras's own `BackupAndRestore` keeps the weights, the optimizer and the number of the epoch. Kept here as well are what
callbacks remember (the patience of early stopping, the best weights, the history), the states of all random generators,
and what the training was told; and the state on disk is exchanged in one step, so that a kill while it is written
leaves the one before.
"""

from __future__ import annotations

import json
import random
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mercury_core import strict_json
from mercury_core.errors import FitError
from mercury_core.storage.atomic import atomic_directory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_STATE, _JSON, _ARRAYS, _WEIGHTS = "state", "state.json", "arrays.npz", "model.weights.h5"
_VERSION = 1

#: What each of Keras's callbacks learns while it trains; all else comes from the config.
_REMEMBERED = {
    "EarlyStopping": ("wait", "stopped_epoch", "best", "best_epoch", "best_weights"),
    "History": ("epoch", "history"),
    "ModelCheckpoint": ("best", "_batches_seen_since_last_saving", "_last_batch_seen"),
    "ReduceLROnPlateau": ("wait", "best", "cooldown_counter"),
    "SwapEMAWeights": ("_ema_weights_in_model",),
    "TensorBoard": ("_global_train_batch", "_global_test_batch"),
}


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a killed training before its model is built.

    Attributes:
        epoch: How many epochs it had finished.
        stop: Whether it was about to stop then.
        seed: Its seed.
        settings: What it was told.
    """

    epoch: int
    stop: bool
    seed: int
    settings: Mapping[str, Any]


class Backup:
    """A directory for the state of one training.

    Args:
        directory: It is made; other files in it are left alone.
        what: The model, for the errors.
    """

    def __init__(self, directory: Path, what: str) -> None:
        self._directory = directory
        self._state = directory / _STATE
        self._what = what

    def find(self) -> Kept | None:
        """What there is of a killed training; None where there is nothing.

        Raises:
            FitError: What is there cannot be read.
        """
        if not self._state.is_dir():
            return None
        try:
            found = self._read()
            return Kept(found["epoch"], found["stop"], found["seed"], found["settings"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise self._unusable(f"cannot be read ({type(error).__name__}: {error})") from error

    def prepare(self) -> None:
        """Make the directory, and see that it can be written to: the first epoch may take hours.

        Raises:
            FitError: It cannot.
        """
        from tempfile import TemporaryFile

        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            with TemporaryFile(dir=self._directory):
                pass
        except OSError as error:
            why = f"its backup cannot be written to {self._directory}: {error.strerror or error}"
            raise FitError(
                self._what, why, "Name another directory, or give this user the right to write there."
            ) from error

    def check(self, kept: Kept, settings: Mapping[str, Any]) -> None:
        """See that a killed training is the one that is to go on.

        Raises:
            FitError: It was told something else.
        """
        now = strict_json.strict(settings)
        for name in sorted({*now, *kept.settings}):
            if now.get(name) != kept.settings.get(name):
                before, after = _short(kept.settings.get(name)), _short(now.get(name))
                raise self._unusable(f"is of another training: {name} was {before} and is {after}")

    def restore(self, model: Any, callbacks: Sequence[Any]) -> None:
        """Put everything back as it was after the last epoch.

        Args:
            model: Built and compiled.
            callbacks: Those of the training, after ``on_train_begin``.

        Raises:
            FitError: It does not fit.
        """
        import numpy as np

        try:
            found = self._read()
            optimizer = model.optimizer
            if not optimizer.built:
                optimizer.build(model.trainable_variables)
            model.load_weights(self._state / _WEIGHTS)
            with np.load(self._state / _ARRAYS, allow_pickle=False) as arrays:
                _restore_callbacks(callbacks, found["callbacks"], arrays)
                for index, variable in enumerate(_seeds(model)):
                    variable.assign(arrays[f"seeds.{index}"])
                _restore_random(found["random"], arrays)
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise self._unusable(f"does not fit the model ({str(error).strip().splitlines()[0]})") from error

    def write(
        self, model: Any, callbacks: Sequence[Any], *, epoch: int, stop: bool, seed: int, settings: Mapping[str, Any]
    ) -> None:
        """Replace what is there by the state of now.

        Args:
            model: With its optimizer.
            callbacks: Those of the training.
            epoch: How many epochs are finished.
            stop: Whether training stops now.
            seed: Of the training.
            settings: What it was told, in the types of JSON.

        Raises:
            StoreAccessError: The disk refuses.
        """
        import numpy as np

        arrays: dict[str, Any] = {f"seeds.{place}": np.array(each) for place, each in enumerate(_seeds(model))}
        content = {
            "version": _VERSION,
            "epoch": epoch,
            "stop": stop,
            "seed": seed,
            "settings": strict_json.strict(settings),
            "callbacks": [_remembered(callback, place, arrays) for place, callback in enumerate(callbacks)],
            "random": _random_states(arrays),
        }
        with atomic_directory(self._state, overwrite=True) as fresh:
            model.save_weights(fresh / _WEIGHTS)
            np.savez(fresh / _ARRAYS, **arrays)
            # What some metrics measure is an array; NaN, which JSON lacks, Python writes and reads.
            (fresh / _JSON).write_text(json.dumps(content, default=lambda each: each.tolist()), encoding="utf-8")

    def remove(self) -> None:
        """The training has come to its end."""
        shutil.rmtree(self._state, ignore_errors=True)
        if self._directory.is_dir() and not any(self._directory.iterdir()):
            self._directory.rmdir()

    def _read(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self._state / _JSON).read_text(encoding="utf-8"))
        if found["version"] != _VERSION:
            raise ValueError(f"its version is {found['version']}, expected {_VERSION}")
        return found

    def _unusable(self, why: str) -> FitError:
        return FitError(
            self._what, f"the backup in {self._directory} {why}", "Remove it to begin anew, or name another directory."
        )


def _seeds(model: Any) -> list[Any]:
    """The states of the generators of layers, as that of a dropout: Keras does not keep them with the weights."""
    others = {id(one) for one in (*model.weights, *model.metrics_variables)}
    return [one for one in model.variables if id(one) not in others]


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _names(callback: Any) -> tuple[str, ...]:
    """What a callback remembers; one of the user's own that is derived from Keras's remembers as that does."""
    return next((_REMEMBERED[kind.__name__] for kind in type(callback).__mro__ if kind.__name__ in _REMEMBERED), ())


def _remembered(callback: Any, place: int, arrays: dict[str, Any]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in _names(callback):
        value = getattr(callback, name, None)
        if name == "best_weights" and value is not None:
            arrays.update({f"{place}.{name}.{index}": array for index, array in enumerate(value)})
            value = len(value)
        told[name] = value
    return {"class": type(callback).__name__, "state": told}


def _restore_callbacks(callbacks: Sequence[Any], told: Sequence[Mapping[str, Any]], arrays: Mapping[str, Any]) -> None:
    for place, callback in enumerate(callbacks):
        for name, value in told[place]["state"].items():
            if name == "best_weights" and value is not None:
                value = [arrays[f"{place}.{name}.{index}"] for index in range(value)]
            setattr(callback, name, value)


def _random_states(arrays: dict[str, Any]) -> dict[str, Any]:
    """The generators that are everybody's: torch draws its dropout from its own."""
    import numpy as np

    version, numbers, gauss = random.getstate()
    arrays["random.python"] = np.array(numbers, "uint32")
    state: Any = np.random.get_state(legacy=False)
    arrays["random.numpy"] = state["state"]["key"]
    told = {
        "python": [version, gauss],
        "numpy": [state["state"]["pos"], state["has_gauss"], state["gauss"]],
    }
    if _on_torch():
        import torch

        arrays["random.torch"] = torch.get_rng_state().numpy()
    return told


def _restore_random(told: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
    import numpy as np

    version, gauss = told["python"]
    random.setstate((version, tuple(map(int, arrays["random.python"])), gauss))
    position, has_gauss, value = told["numpy"]
    np.random.set_state(("MT19937", arrays["random.numpy"], position, has_gauss, value))
    if "random.torch" in arrays and _on_torch():
        import torch

        torch.set_rng_state(torch.from_numpy(arrays["random.torch"]))


def _on_torch() -> bool:
    from mercury_keras import backend

    return backend.name() == "torch"

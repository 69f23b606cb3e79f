"""Keras's callbacks from a config, and what `keras.fit` watches itself while Keras trains.

Nothing here imports Keras before it is called.
"""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mercury_core.contracts import Fault
from mercury_core.errors import FitError, did_you_mean
from mercury_core.storage.refusals import why_not_made

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_log = logging.getLogger(__name__)

#: The parameter of each callback that is a path, and where it writes when it is not told.
_PATHS = {
    "BackupAndRestore": ("backup_dir", None),
    "CSVLogger": ("filename", None),
    "ModelCheckpoint": ("filepath", None),
    "OrbaxCheckpoint": ("directory", None),
    "TensorBoard": ("log_dir", "logs"),
}


def make_callbacks(items: Sequence[Any], directory: Path | None) -> tuple[list[Any], list[Fault]]:
    """Make Keras's callbacks.

    Args:
        items: Each a name, ``{use: NAME, **params}``, ``module:name`` of one's own, or a callback.
        directory: Where relative paths in them lie; without one a relative path is a fault.

    Returns:
        The callbacks, and everything that is wrong with them.
    """
    from mercury_keras import names

    made: list[Any] = []
    faults: list[Fault] = []
    for place, item in enumerate(items):
        at = ("callbacks", place)
        placed = _placed(item, directory, at, faults)
        callback, wrong = names.make("callback", placed, at=at)
        faults += wrong
        made.append(callback)
        if type(callback).__name__ == "TensorBoard":
            faults += _missing(at)
    return made, faults


def _missing(at: tuple[str | int, ...]) -> list[Fault]:
    missing = [name for name in ("tensorflow", "tensorboard") if find_spec(name) is None]
    if not missing:
        return []
    todo = f"pip install {' '.join(missing)}, or log with CSVLogger"
    return [Fault(at, f"TensorBoard writes with tensorflow and tensorboard, which are not both installed: {todo}.")]


def _placed(item: Any, directory: Path | None, at: tuple[str | int, ...], faults: list[Fault]) -> Any:
    """A callback of the config whose path is absolute; a relative one that lies nowhere is a fault."""
    from mercury_keras import names

    if not isinstance(item, str | Mapping):
        return item
    kind = names.class_of("callback", item)
    name = "" if kind is None else kind.__name__
    parameter, default = _PATHS.get(name, (None, None))
    if parameter is None:
        return item
    if isinstance(item, str):
        item = {"use": item}
    path = item.get(parameter, default)
    if not isinstance(path, str | Path) or "://" in str(path):
        return item
    where = (*at, parameter) if parameter in item else at
    if Path(path).is_absolute():
        if why := why_not_made(Path(path)):
            faults.append(Fault(where, f"{name} writes to {path}: {why}"))
        return item
    if directory is None:
        todo = "add directory, where it lies, as `directory: out`"
        faults.append(Fault(where, f"The path {str(path)!r} of {name} is relative: {todo}."))
        return item
    # A name with placeholders, as "{epoch:02d}.keras", is no path yet: it is joined as text.
    return {**item, parameter: str(directory / path)}


def prepare(callbacks: Sequence[Any], validated: bool, what: str, *, resumed_at: int = 0) -> None:
    """See that callbacks can do their work, before the first epoch; make the directories that they write to.

    Args:
        callbacks: Keras's.
        validated: Whether there is a data set ``valid``.
        what: The model, for the errors.
        resumed_at: How many epochs were finished before a kill: a log of them is gone on with.

    Raises:
        FitError: One watches what only ``valid`` could tell.
    """
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        # Without save_best_only a checkpoint watches nothing.
        idle = getattr(callback, "save_best_only", True) is False
        if isinstance(monitor, str) and monitor.startswith("val_") and not validated and not idle:
            raise FitError(
                what,
                f"{type(callback).__name__} watches {monitor!r}, and there is no data set 'valid'",
                f"Split one off, or say monitor: {monitor.removeprefix('val_')}.",
            )
        filename = getattr(callback, "filename", None)
        if isinstance(filename, str):
            try:
                Path(filename).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise unusable_file(what, error) from error
            if resumed_at:
                callback.append = True
                _rewind(Path(filename), resumed_at)


def close(callbacks: Sequence[Any]) -> None:
    """Close the logs of callbacks that Keras did not bring to their end, since training failed."""
    for callback in callbacks:
        file = getattr(callback, "csv_file", None)
        if file is not None:
            file.close()


def _rewind(log: Path, epoch: int) -> None:
    """Take back the line of an epoch that was logged, and not finished before the kill."""
    if log.is_file():
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        if lines and re.match(rf"{epoch}\b", lines[-1]):
            log.write_text("".join(lines[:-1]), encoding="utf-8")


def check_monitors(callbacks: Sequence[Any], logs: Mapping[str, Any], validated: bool, what: str) -> None:
    """See after the first batch that what callbacks watch is there: an epoch may take hours.

    Args:
        callbacks: Keras's.
        logs: What Keras measures of a batch.
        validated: Whether there is a data set ``valid``.
        what: The model, for the errors.

    Raises:
        FitError: One watches what nothing measures.
    """
    for callback in callbacks:
        monitor = getattr(callback, "monitor", None)
        if not isinstance(monitor, str) or getattr(callback, "save_best_only", True) is False:
            continue
        if monitor.removeprefix("val_") in logs or monitor.removeprefix("val_").startswith("learning_rate"):
            continue
        known = [*logs, *(f"val_{name}" for name in logs if validated)]
        raise FitError(
            what,
            f"monitor is {monitor!r}, and what is measured is: {', '.join(known)}",
            f"Add it to the metrics, or watch one of those.{did_you_mean(monitor, known)}",
        )


def of_functions(**functions: Callable[..., None]) -> Any:
    """A callback of Keras's that calls these functions, under the names of its methods."""
    from mercury_keras.backend import keras

    return keras().callbacks.LambdaCallback(**functions)


def tracker(monitor: str, mode: str, restore: bool) -> Any:
    """What remembers the best epoch: Keras's early stopping that never stops.

    Args:
        monitor: What is watched.
        mode: ``auto``, ``min`` or ``max``.
        restore: Whether its weights are kept in memory, and put back at the end.
    """
    from mercury_keras.backend import keras

    return keras().callbacks.EarlyStopping(monitor=monitor, mode=mode, patience=2**62, restore_best_weights=restore)


def log_epoch(epoch: int, epochs: int, logs: Mapping[str, Any]) -> None:
    """Tell the log of an epoch that ended."""
    told = ", ".join(f"{name} {value:.6g}" for name, value in logs.items() if isinstance(value, int | float))
    _log.info("epoch %d of %d: %s", epoch + 1, epochs, told)


def is_finite(value: Any) -> bool:
    """Whether a number is neither NaN nor infinite; what is not there is not wrong."""
    return value is None or math.isfinite(value)


def unusable_file(what: str, error: OSError) -> FitError:
    """The error for a file that training cannot write or read, mostly one of a callback in a read-only directory."""
    where = f"the file {error.filename}" if error.filename else "a file"
    why = f"{where} that training needs cannot be used: {error.strerror or error}"
    return FitError(what, why, "Choose another place for it, or make room there.")

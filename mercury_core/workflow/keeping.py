"""Models that a run has fitted and not saved yet: kept beside its record, so that no failure costs a training."""

from __future__ import annotations

import shutil
import warnings
from typing import TYPE_CHECKING

from mercury_core import tasks

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from mercury_core.bundle import Bundle
    from mercury_core.workflow.config import Step

#: Where they lie in the directory of a run, each by its name.
FOLDER = "models"
#: A model whose fit took longer is kept as soon as it is there, in case of a kill: to write it is little beside that.
LONG_SECONDS = 30.0


class Keeper:
    """Keeps what was fitted until it is saved, in the format in which it is to be saved.

    A model that no step saves is not kept: nobody wants it after the run.

    Args:
        directory: Of the run.
        run: Its id.
        steps: All its steps.
    """

    def __init__(self, directory: Path, run: str, steps: Sequence[Step]) -> None:
        self._home = directory / FOLDER
        self._run = run
        first = next((step.own or "model" for step in steps if step.verb == "fit"), "model")
        self._savers = {step.model or first: step for step in reversed(steps) if step.verb == "save"}
        self._unsaved: dict[str, tuple[Step, Bundle]] = {}

    def fitted(self, name: str, step: Step, bundle: Bundle, seconds: float) -> None:
        """Hear of a model that was fitted; one that took long is kept at once.

        Args:
            name: Of it.
            step: Which fitted it.
            bundle: It.
            seconds: How long that took.
        """
        if name in self._savers:
            self._unsaved[name] = step, bundle
            if seconds > LONG_SECONDS:
                self._keep(name)

    def saved(self, name: str) -> None:
        """Hear of a model that was saved, and need not be kept any longer."""
        if self._unsaved.pop(name, None) is not None and (self._home / name).exists():
            shutil.rmtree(self._home / name)
            if not any(self._home.iterdir()):
                self._home.rmdir()

    def keep(self) -> list[tuple[Step, Path]]:
        """Keep all that is not saved, since the run ends.

        Returns:
            Where they are, with the steps that fitted them; without those of which a warning says why they cannot be.
        """
        kept = [(step, self._keep(name)) for name, (step, _) in self._unsaved.items()]
        return [(step, path) for step, path in kept if path is not None]

    def _keep(self, name: str) -> Path | None:
        saver, bundle = self._savers[name], self._unsaved[name][1]
        try:
            return tasks.store_model(
                bundle,
                self._home / name,
                format=str(saver.use),
                overwrite="skip",
                run=self._run,
                license=saver.license,
                description=saver.description,
                **saver.params,
            ).path
        except Exception as error:  # noqa: BLE001  whatever a format raises: the run goes on, or ends, by itself
            warnings.warn(f"The model {name!r} cannot be kept until it is saved: {error}", stacklevel=2)
            return None

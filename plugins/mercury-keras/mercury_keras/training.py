"""Training: Keras's own loop, watched, so that whatever ends it leaves a model or one sentence."""

from __future__ import annotations

import math
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mercury_core.errors import FitError, MercuryError
from mercury_keras import callbacks as own
from mercury_keras.interrupt import Interrupt, TrainingInterrupted, noting_ctrl_c

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mercury_keras.backup import Backup, Kept


@dataclass(frozen=True, slots=True)
class Plan:
    """How a model is trained.

    Attributes:
        what: The model, for the errors.
        epochs: At most.
        callbacks: Keras's, made.
        monitor: What tells the best epoch.
        mode: Whether less or more of it is better.
        return_best: Whether the weights of that epoch are put back at the end.
        seed: Of the whole.
        verbose: As Keras has it.
        backup: Where the state is kept; None for nowhere.
        kept: What was found there.
        settings: What the training was told, to be known again there.
    """

    what: str
    epochs: int
    callbacks: Sequence[Any] = ()
    monitor: str = "loss"
    mode: str = "auto"
    return_best: bool = False
    seed: int = 0
    verbose: int = 0
    backup: Backup | None = None
    kept: Kept | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def train(model: Any, data: Any, valid: Any, plan: Plan) -> dict[str, Any]:
    """Train a compiled model.

    Args:
        model: Keras's.
        data: The batches of training, from `mercury_keras.batches.batches`.
        valid: Those of validation, or None.
        plan: How.

    Returns:
        What the record keeps: ``epochs`` finished, their ``history``, the ``best_epoch`` by ``monitor`` (the first one
        is 1), why it ``stopped``, where it was ``resumed_at``, and how many ``seconds`` it took.

    Raises:
        FitError: The loss is no number any more, or Keras, the model or a callback refused something.
        KeyboardInterrupt: Ctrl-C was pressed a second time.
    """
    return _Training(model, data, plan).run(valid)


class _Training:
    """One training: what its callbacks share."""

    def __init__(self, model: Any, data: Any, plan: Plan) -> None:
        from mercury_keras.backend import keras

        self.model, self.data, self.plan = model, data, plan
        self.interrupt = Interrupt()
        self.checked = self.validated = False
        self.ended = 0  # epochs, of all trainings that this one goes on from as well
        self.history = keras().callbacks.History()
        self.tracker = own.tracker(plan.monitor, plan.mode, plan.return_best)
        self.may_be_nan = any(type(one).__name__ == "TerminateOnNaN" for one in plan.callbacks)
        #: Those that remember something, in the order in which a backup knows them.
        self.remembering = [*plan.callbacks, self.tracker, self.history]
        before = own.of_functions(on_epoch_begin=self.epoch_begins, on_train_batch_end=self.batch_ended)
        after = own.of_functions(
            on_train_begin=self.begins,
            on_train_batch_end=self.may_end,
            on_test_batch_end=self.may_end,
            on_epoch_end=self.epoch_ended,
        )
        self.list = keras().callbacks.CallbackList(
            [before, *self.remembering, after],
            add_progbar=plan.verbose != 0,
            model=model,
            verbose=plan.verbose,
            epochs=plan.epochs,
            steps=data.num_batches,
        )

    # --- what Keras calls ---

    def begins(self, *_args: Any, **_named: Any) -> None:
        """Callbacks have forgotten everything by now: what a backup knows is put back after that."""
        plan = self.plan
        if plan.kept is not None and plan.backup is not None:
            plan.backup.restore(self.model, self.remembering)
            self.ended = plan.kept.epoch

    def epoch_begins(self, epoch: int, *_args: Any, **_named: Any) -> None:
        self.data.epoch = epoch

    def batch_ended(self, batch: int, logs: Mapping[str, Any]) -> None:
        if not self.checked:
            own.check_monitors([*self.plan.callbacks, self.tracker], logs, self.validated, self.plan.what)
            self.checked = True
        if not own.is_finite(logs.get("loss")) and not self.may_be_nan:
            raise self.not_finite(logs["loss"], f"after batch {batch + 1} of epoch {self.data.epoch + 1}")

    def may_end(self, *_args: Any, **_named: Any) -> None:
        if self.interrupt.asked:
            raise TrainingInterrupted

    def epoch_ended(self, epoch: int, logs: Mapping[str, Any]) -> None:
        plan = self.plan
        self.ended = epoch + 1
        own.log_epoch(epoch, plan.epochs, logs)
        if not own.is_finite(logs.get("loss")):
            return  # only where a callback ends the training for it
        if not own.is_finite(logs.get("val_loss")):
            raise self.not_finite(logs["val_loss"], f"on the data set 'valid' after epoch {epoch + 1}")
        if plan.backup is not None:
            stop = bool(self.model.stop_training)
            plan.backup.write(
                self.model, self.remembering, epoch=self.ended, stop=stop, seed=plan.seed, settings=plan.settings
            )
        if self.interrupt.asked:
            self.model.stop_training = True

    # --- from the beginning to the end ---

    def run(self, valid: Any) -> dict[str, Any]:
        plan, kept = self.plan, self.plan.kept
        self.validated = valid is not None
        first = kept.epoch if kept is not None else 0
        last = first if kept is not None and kept.stop else plan.epochs
        own.prepare(plan.callbacks, self.validated, plan.what, resumed_at=first)
        if plan.backup is not None:
            plan.backup.prepare()
        began = time.perf_counter()
        with noting_ctrl_c() as self.interrupt:
            self._fit(valid, first, last)
        seconds = time.perf_counter() - began
        stopped = self._why_stopped()
        if stopped == "interrupted":
            self._warn()
        elif plan.backup is not None:
            plan.backup.remove()
        return self._told(stopped, seconds)

    def _fit(self, valid: Any, first: int, last: int) -> None:
        from mercury_keras.batches import own_errors
        from mercury_keras.names import said

        try:
            with own_errors(self.data, valid):
                self.model.fit(
                    self.data,
                    validation_data=valid,
                    initial_epoch=first,
                    epochs=last,
                    callbacks=self.list,
                    shuffle=False,
                    verbose=self.plan.verbose,
                )
        except TrainingInterrupted:
            self._end_early()
        except MercuryError:
            raise
        except OSError as error:
            raise own.unusable_file(self.plan.what, error) from error
        except (
            ValueError,
            TypeError,
            AttributeError,
            LookupError,
            ArithmeticError,
            RuntimeError,
            ImportError,
        ) as error:
            if self._is_broken():  # of which a backend may complain in words of its own
                raise self.not_finite(math.nan, f"in epoch {self.data.epoch + 1}") from error
            words = said(error)
            why = words if isinstance(error, ValueError) else f"{type(error).__name__}: {words}"
            raise FitError(self.plan.what, why) from error
        finally:
            own.close(self.plan.callbacks)

    def _is_broken(self) -> bool:
        """Whether the model computes no numbers any more."""
        import numpy as np

        return not all(np.isfinite(one).all() for one in self.model.get_weights())

    def _end_early(self) -> None:
        """What Keras does when training ends, between two batches: an epoch that was not finished is not counted."""
        model = self.model
        model._eval_epoch_iterator = None
        if hasattr(model, "eval"):
            model.eval()  # on torch, from the mode of training to that of use
        model.optimizer.finalize_variable_values(model.trainable_weights)
        self.list.on_train_end({})

    def _why_stopped(self) -> str:
        plan = self.plan
        losses = self.history.history.get("loss", ())
        if losses and not own.is_finite(losses[-1]):
            if not plan.return_best or not own.is_finite(self.tracker.best):
                raise self.not_finite(losses[-1], f"in epoch {self.ended}")
            return "nan"
        if self.interrupt.asked:
            return "interrupted"
        if self.ended >= plan.epochs:
            return "epochs"
        if any(getattr(one, "stopped_epoch", 0) for one in plan.callbacks):
            return "early_stopping"
        return "callback" if self.model.stop_training or (plan.kept is not None and plan.kept.stop) else "epochs"

    def _warn(self) -> None:
        plan = self.plan
        kept = "the best" if plan.return_best and self.ended else "the last"
        more = (
            ", and its backup, with which the same training goes on" if plan.backup is not None and self.ended else ""
        )
        warnings.warn(
            f"Training was interrupted after {self.ended} of {plan.epochs} epochs: {kept} weights are kept{more}.",
            stacklevel=2,
        )

    def _told(self, stopped: str, seconds: float) -> dict[str, Any]:
        epochs = self.history.epoch
        told: dict[str, Any] = {
            "epochs": len(epochs),
            "history": {name: [_plain(value) for value in values] for name, values in self.history.history.items()},
            "stopped": stopped,
        }
        if epochs:
            told |= {"best_epoch": self.tracker.best_epoch + 1, "monitor": self.plan.monitor}
        if self.plan.kept is not None:
            told["resumed_at"] = self.plan.kept.epoch + 1
        elif epochs and epochs[0]:  # Keras's own BackupAndRestore did that
            told["resumed_at"] = epochs[0] + 1
        return {**told, "seconds": round(seconds, 3)}

    def not_finite(self, loss: Any, where: str) -> FitError:
        return FitError(
            self.plan.what,
            f"its loss is {'NaN' if math.isnan(loss) else 'infinite'} {where}",
            "Lower learning_rate, clip the gradients (optimizer: {use: Adam, clipnorm: 1}), scale the features, or "
            "look for missing values among them.",
        )


def _plain(value: Any) -> Any:
    """A measurement of an epoch: a number, of some metrics a list, one a class."""
    return value.tolist() if hasattr(value, "tolist") else value

"""Keras's loop as `keras.fit` watches it: the best epoch, what ends it, and going on after a kill."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from mercury_keras import backend
from mercury_keras.backup import Backup
from mercury_keras.batches import batches
from mercury_keras.specs import InputSpec
from mercury_keras.training import Plan, train

from mercury_core.data import DataWrapper
from mercury_core.errors import FitError

if TYPE_CHECKING:
    from pathlib import Path

keras = backend.keras()

RNG = np.random.default_rng(0)
X = RNG.normal(size=(48, 3)).astype("float32")
Y = (X.sum(axis=1, keepdims=True) + RNG.normal(size=(48, 1)) > 0).astype("float32")
INPUTS = [InputSpec("table", ("a", "b", "c"))]


def rows(x: Any = X, y: Any = Y, *, shuffle: bool = True) -> Any:
    features = DataWrapper(x, ["a", "b", "c"])
    return batches(features, INPUTS, targets=y, batch_size=8, shuffle=shuffle, seed=5)


def made(optimizer: Any = None, loss: str = "binary_crossentropy", **params: Any) -> Any:
    keras.utils.set_random_seed(3)
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((3,)),
            layers.Dense(6, activation="relu"),
            layers.Dropout(0.3),
            layers.Dense(1, activation="sigmoid"),
        ]
    )
    model.compile(optimizer or keras.optimizers.Adam(0.01), loss, metrics=["accuracy"], **params)
    return model


class Watching(keras.callbacks.Callback):
    """What it saw: how many batches, and the weights after each epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.batches = 0
        self.weights: list[Any] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.batches += 1

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.weights.append(self.model.get_weights())


class KilledError(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


class Killing(keras.callbacks.Callback):
    """Kills in the second batch of an epoch."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.epoch, self.now = epoch, -1

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.now = epoch

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if batch == 1 and self.now == self.epoch:
            raise KilledError


def same(one: list[Any], other: list[Any]) -> bool:
    return len(one) == len(other) and all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


# --- what is told ---


def test_the_history_of_every_epoch_is_told() -> None:
    told = train(made(), rows(), rows(X[:16], Y[:16]), Plan("m", 3, monitor="val_loss"))
    assert told["epochs"] == 3
    assert told["stopped"] == "epochs"
    assert told["monitor"] == "val_loss"
    assert sorted(told["history"]) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert all(len(values) == 3 and all(type(one) is float for one in values) for values in told["history"].values())
    assert told["best_epoch"] == 1 + int(np.argmin(told["history"]["val_loss"]))
    assert told["seconds"] >= 0
    json.dumps(told)


def test_a_metric_of_one_number_a_class_is_told_as_a_list() -> None:
    model = made()
    model.compile("adam", "binary_crossentropy", metrics=[keras.metrics.F1Score(average=None)])
    told = train(model, rows(), None, Plan("m", 2))
    assert [len(value) for value in told["history"]["f1_score"]] == [1, 1]
    json.dumps(told)


def test_every_epoch_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="mercury_keras.callbacks"):
        train(made(), rows(), None, Plan("m", 2))
    assert [record.getMessage().split(":")[0] for record in caplog.records] == ["epoch 1 of 2", "epoch 2 of 2"]
    assert "loss 0." in caplog.text


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    train(made(), rows(), rows(), Plan("m", 2))
    assert capfd.readouterr() == ("", "")


def test_keras_prints_a_line_an_epoch_where_it_is_asked_to(capsys: pytest.CaptureFixture[str]) -> None:
    train(made(), rows(), None, Plan("m", 2, verbose=2))
    assert "Epoch 2/2" in capsys.readouterr().out


# --- the best epoch ---


def test_the_best_weights_come_back() -> None:
    seen, model = Watching(), made(keras.optimizers.Adam(0.2))
    told = train(model, rows(), rows(X[:16], 1 - Y[:16]), Plan("m", 5, [seen], "val_loss", return_best=True))
    assert told["best_epoch"] == 1 + int(np.argmin(told["history"]["val_loss"])) < 5
    assert same(model.get_weights(), seen.weights[told["best_epoch"] - 1])
    assert not same(model.get_weights(), seen.weights[-1])


@pytest.mark.parametrize(
    ("monitor", "mode", "best"),
    [("val_accuracy", "auto", np.argmax), ("val_accuracy", "min", np.argmin), ("accuracy", "max", np.argmax)],
)
def test_more_or_less_is_better(monitor: str, mode: str, best: Any) -> None:
    seen, model = Watching(), made(keras.optimizers.Adam(0.2))
    told = train(model, rows(), rows(X[:16], Y[:16]), Plan("m", 5, [seen], monitor, mode, return_best=True))
    assert told["best_epoch"] == 1 + best(told["history"][monitor])
    assert same(model.get_weights(), seen.weights[told["best_epoch"] - 1])


def test_without_return_best_the_last_weights_stay() -> None:
    seen, model = Watching(), made(keras.optimizers.Adam(0.2))
    train(model, rows(), rows(X[:16], 1 - Y[:16]), Plan("m", 4, [seen], "val_loss"))
    assert same(model.get_weights(), seen.weights[-1])


def test_what_nothing_measures_is_refused_after_one_batch() -> None:
    seen = Watching()
    with pytest.raises(FitError, match=r"monitor is 'val_acuracy', and .*: .*loss.* Did you mean 'val_accuracy'"):
        train(made(), rows(), rows(), Plan("m", 3, [seen], "val_acuracy", return_best=True))
    assert seen.batches <= 1


def test_a_metric_without_a_direction_asks_for_the_mode() -> None:
    def odd(y_true: Any, y_pred: Any) -> Any:
        return keras.ops.mean(y_pred)

    model = made()
    model.compile("adam", "binary_crossentropy", metrics=[odd])
    with pytest.raises(FitError, match="mode='max'"):
        train(model, rows(), None, Plan("m", 3, monitor="odd"))
    assert train(model, rows(), None, Plan("m", 2, monitor="odd", mode="max"))["monitor"] == "odd"


# --- what ends it ---


def test_early_stopping_ends_it() -> None:
    stopping = keras.callbacks.EarlyStopping(patience=1)
    told = train(made(), rows(), rows(X[:16], 1 - Y[:16]), Plan("m", 30, [stopping], "val_loss"))
    assert told["stopped"] == "early_stopping"
    assert told["epochs"] < 30


def test_another_callback_ends_it() -> None:
    class Ending(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            self.model.stop_training = epoch == 1

    told = train(made(), rows(), None, Plan("m", 5, [Ending()]))
    assert (told["stopped"], told["epochs"]) == ("callback", 2)


def test_early_stopping_needs_what_it_watches() -> None:
    with pytest.raises(
        FitError, match=r"EarlyStopping watches 'val_loss', and there is no data set 'valid'.* monitor: loss"
    ):
        train(made(), rows(), None, Plan("m", 2, [keras.callbacks.EarlyStopping()]))


def broken() -> Any:
    """A model whose loss torch computes of any number, also of NaN."""
    return made(keras.optimizers.SGD(0.01), "mean_squared_error")


class Breaking(keras.callbacks.Callback):
    """Breaks the model in the third epoch."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        if epoch == 2:
            self.model.set_weights([np.full_like(one, np.nan) for one in self.model.get_weights()])


def test_a_loss_that_is_no_number_fails_at_once() -> None:
    seen = Watching()
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1e15), "mean_squared_error")
    with pytest.raises(
        FitError, match=r"its loss is (NaN|infinite) after batch \d of epoch 1\. Lower learning_rate"
    ) as caught:
        train(model, rows(), None, Plan("m", 3, [seen]))
    assert f"after batch {seen.batches + 1} of" in str(caught.value)
    assert seen.batches < 5


def test_weights_that_are_no_numbers_fail_in_the_same_words() -> None:
    with pytest.raises(FitError, match=r"its loss is NaN (after batch 1 of|in) epoch 3\. Lower learning_rate"):
        train(made(), rows(), None, Plan("m", 5, [Breaking()]))


def test_a_loss_on_valid_that_is_no_number_fails() -> None:
    y = Y[:16].copy()
    y[3] = np.nan
    with pytest.raises(FitError, match="its loss is NaN on the data set 'valid' after epoch 1"):
        train(broken(), rows(), rows(X[:16], y), Plan("m", 3, monitor="val_loss"))


def test_terminate_on_nan_keeps_the_best(capsys: pytest.CaptureFixture[str]) -> None:
    seen, model = Watching(), broken()
    plan = Plan("m", 5, [Breaking(), keras.callbacks.TerminateOnNaN(), seen], "val_loss", return_best=True)
    told = train(model, rows(), rows(X[:16], Y[:16]), plan)
    assert told["stopped"] == "nan"
    assert told["best_epoch"] <= 2
    assert same(model.get_weights(), seen.weights[told["best_epoch"] - 1])
    assert "terminating training" in capsys.readouterr().out


def test_terminate_on_nan_without_a_best_fails(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(FitError, match="its loss is NaN in epoch 3"):
        train(broken(), rows(), None, Plan("m", 5, [Breaking(), keras.callbacks.TerminateOnNaN()]))


def test_what_keras_refuses_is_one_sentence() -> None:
    class Refusing(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            raise RuntimeError("no\n\n  more")

    with pytest.raises(FitError, match=r"^Cannot fit m: RuntimeError: no more\.$"):
        train(made(), rows(), None, Plan("m", 5, [Refusing()]))


# --- a backup ---


def callbacks(log: Path | None = None, *more: Any) -> list[Any]:
    made = [
        keras.callbacks.ReduceLROnPlateau(patience=1, min_delta=1e-3, cooldown=1),
        keras.callbacks.EarlyStopping(patience=4, restore_best_weights=True),
        *more,
    ]
    return [*made, keras.callbacks.CSVLogger(str(log))] if log else made


def trained(directory: Path | None, *more: Any, log: Path | None = None, epochs: int = 9, told: Any = None) -> Any:
    backup = None if directory is None else Backup(directory, "m")
    kept = None if backup is None else backup.find()
    plan = Plan(
        "m",
        epochs,
        callbacks(log, *more),
        "val_loss",
        return_best=True,
        seed=3,
        backup=backup,
        kept=kept,
        settings=told or {"batch_size": 8},
    )
    if backup is not None and kept is not None:
        backup.check(kept, plan.settings)
    model = made()
    return model, train(model, rows(), rows(X[::-1][:24], Y[:24]), plan)


def without_time(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in ("seconds", "resumed_at")}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Any:
    log = tmp_path_factory.mktemp("unbroken") / "log.csv"
    model, told = trained(None, log=log)
    return model.get_weights(), told, log.read_text()


@settings(max_examples=8, deadline=None)
@given(kills=st.lists(st.integers(0, 8), max_size=3, unique=True).map(sorted))
def test_a_training_goes_on_wherever_it_was_killed(
    kills: list[int], unbroken: Any, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place = tmp_path_factory.mktemp("killed")
    weights, told, logged = unbroken
    for epoch in kills:
        if epoch < told["epochs"]:
            with pytest.raises(KilledError):
                trained(place / "backup", Killing(epoch), log=place / "log.csv")
    model, after = trained(place / "backup", Killing(-1), log=place / "log.csv")
    assert same(model.get_weights(), weights)
    assert without_time(after) == without_time(told)
    assert (place / "log.csv").read_text() == logged
    last = max([epoch for epoch in kills if epoch < told["epochs"]], default=0)
    assert after.get("resumed_at", 1) == last + 1
    assert not (place / "backup").exists()


def test_the_fixture_covers_what_callbacks_remember(unbroken: Any) -> None:
    told = unbroken[1]
    assert len(set(told["history"]["learning_rate"])) > 1
    assert told["best_epoch"] < told["epochs"]


def test_a_line_of_an_epoch_that_was_logged_and_not_kept_is_taken_back(unbroken: Any, tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    with pytest.raises(KilledError):
        trained(tmp_path / "backup", Killing(3), log=log)
    torn = log.read_text() + "3,0.5,0.5,0.01,0.5,0.5\n"
    log.write_text(torn)
    trained(tmp_path / "backup", Killing(-1), log=log)
    assert log.read_text() == unbroken[2]


def test_a_training_that_was_about_to_stop_stops(unbroken: Any, tmp_path: Path) -> None:
    class KillingAtTheEnd(keras.callbacks.Callback):
        def __init__(self, asked: bool) -> None:
            super().__init__()
            self.asked = asked

        def on_train_end(self, logs: Any = None) -> None:
            if self.asked:
                raise KilledError

    with pytest.raises(KilledError):
        trained(tmp_path, KillingAtTheEnd(True))
    model, told = trained(tmp_path, KillingAtTheEnd(False))
    assert without_time(told) == without_time(unbroken[1])
    assert same(model.get_weights(), unbroken[0])


class Drawing(keras.callbacks.Callback):
    """Draws from every generator that the user's own code may draw from."""

    drawn: list[Any] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.drawn.append((epoch, random.random(), float(np.random.normal()), self.on_torch()))

    @staticmethod
    def on_torch() -> float:
        if backend.name() != "torch":
            return 0.0
        import torch

        return float(torch.rand(()))


def test_generators_go_on_as_well(tmp_path: Path) -> None:
    Drawing.drawn = unbroken = []
    trained(None, Drawing(), epochs=4)
    Drawing.drawn = broken = []
    with pytest.raises(KilledError):
        trained(tmp_path, Drawing(), Killing(2), epochs=4)
    broken.pop()  # of the epoch that was killed
    trained(tmp_path, Drawing(), Killing(-1), epochs=4)
    assert broken == unbroken


def test_a_training_that_is_done_removes_its_backup_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    trained(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def killed(directory: Path) -> None:
    with pytest.raises(KilledError):
        trained(directory, Killing(2))


def test_a_backup_of_another_training_is_refused(tmp_path: Path) -> None:
    killed(tmp_path)
    with pytest.raises(FitError, match=r"is of another training: batch_size was 8 and is 16\. Remove it to begin anew"):
        trained(tmp_path, told={"batch_size": 16})


@pytest.mark.parametrize("content", ["", "{}", '{"version": 99}', "[]"])
def test_a_backup_that_cannot_be_read_is_refused(tmp_path: Path, content: str) -> None:
    killed(tmp_path)
    (tmp_path / "state" / "state.json").write_text(content)
    with pytest.raises(FitError, match=r"the backup in .* cannot be read .*Remove it to begin anew"):
        trained(tmp_path)


@pytest.mark.parametrize("name", ["model.weights.h5", "arrays.npz"])
def test_a_backup_with_a_damaged_file_is_refused(tmp_path: Path, name: str) -> None:
    killed(tmp_path)
    (tmp_path / "state" / name).write_bytes(b"damaged")
    with pytest.raises(FitError, match=r"the backup in .* does not fit the model"):
        trained(tmp_path, Killing(-1))


def test_a_kill_while_the_backup_is_written_leaves_the_one_before(
    tmp_path: Path, unbroken: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = np.savez, []

    def failing(*args: Any, **arrays: Any) -> None:
        calls.append(1)
        if len(calls) == 3:
            raise KilledError
        real(*args, **arrays)

    monkeypatch.setattr(np, "savez", failing)
    with pytest.raises(KilledError):
        trained(tmp_path)
    assert Backup(tmp_path, "m").find().epoch == 2  # type: ignore[union-attr]
    model, told = trained(tmp_path)
    assert told["resumed_at"] == 3
    assert same(model.get_weights(), unbroken[0])

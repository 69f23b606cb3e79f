"""Keras's loop as `keras.fit` watches it: what is told, the best epoch, and what ends it."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from mercury_keras.training import Plan, train

from mercury_core.errors import FitError
from tests.keras.training_parts import Watching, X, Y, keras, made, rows, same

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
    with pytest.raises(
        FitError, match=r"monitor is 'val_acuracy', and .*: .*loss.*, val_loss.* Did you mean 'val_accuracy'"
    ):
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

"""A training that was killed goes on from its backup, and gives what an unbroken one gives."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from mercury_keras import backend
from mercury_keras.backup import Backup
from mercury_keras.training import Plan, train

from mercury_core.errors import FitError
from tests.keras.training_parts import KilledError, Killing, X, Y, keras, made, rows, same

if TYPE_CHECKING:
    from pathlib import Path


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


def test_a_backup_that_cannot_be_written_is_refused_before_the_first_epoch(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FitError, match=r"its backup cannot be written to .*file/state: Not a directory\. Name another"):
        trained(tmp_path / "file" / "state", Killing(0))


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

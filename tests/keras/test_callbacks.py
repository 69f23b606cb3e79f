"""Callbacks from a config: by Keras's names, with their paths, and what is wrong with them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from mercury_keras import backend
from mercury_keras.batches import batches
from mercury_keras.callbacks import make_callbacks, prepare
from mercury_keras.specs import InputSpec
from mercury_keras.training import Plan, train

from mercury_core.data import DataWrapper
from mercury_core.errors import FitError

if TYPE_CHECKING:
    from pathlib import Path

keras = backend.keras()

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 2)).astype("float32")
Y = X.sum(axis=1, keepdims=True)


def rows() -> Any:
    features = DataWrapper(X, ["a", "b"])
    return batches(features, [InputSpec("table", ("a", "b"))], targets=Y, batch_size=8)


def trained(items: list[Any], directory: Path | None = None, epochs: int = 3, optimizer: Any = None) -> Any:
    callbacks, faults = make_callbacks(items, directory)
    assert not faults, faults
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1)])
    model.compile(optimizer or keras.optimizers.SGD(0.1), "mean_squared_error")
    return model, train(model, rows(), rows(), Plan("m", epochs, callbacks, "val_loss"))


def messages(items: list[Any], directory: Path | None = None) -> list[tuple[Any, str]]:
    return [(fault.path, fault.message) for fault in make_callbacks(items, directory)[1]]


# --- names and parameters ---


def test_a_callback_is_named_as_keras_names_it() -> None:
    made, faults = make_callbacks(
        ["TerminateOnNaN", "early_stopping", {"use": "ReduceLROnPlateau", "factor": 0.5, "patience": 2}], None
    )
    assert not faults
    assert [type(one).__name__ for one in made] == ["TerminateOnNaN", "EarlyStopping", "ReduceLROnPlateau"]
    assert (made[2].factor, made[2].patience) == (0.5, 2)


def test_a_callback_that_is_one_is_taken_as_it_is() -> None:
    own = keras.callbacks.EarlyStopping()
    assert make_callbacks([own], None) == ([own], [])


def test_what_keras_does_not_have_is_named_with_what_is_near() -> None:
    found = messages(["EarlyStoping", {"use": "EarlyStopping", "patence": 3}, 7])
    assert [path for path, _ in found] == [("callbacks", 0), ("callbacks", 1, "patence"), ("callbacks", 2)]
    assert "'EarlyStopping'" in found[0][1]
    assert "Did you mean 'patience'" in found[1][1]
    assert "7 is no callback" in found[2][1]


def test_what_a_callback_refuses_is_a_fault() -> None:
    (path, message) = messages([{"use": "ReduceLROnPlateau", "factor": 2.0}])[0]
    assert path == ("callbacks", 0)
    assert "factor" in message


# --- paths ---

WRITING = [
    {"use": "CSVLogger", "filename": "logs/log.csv"},
    {"use": "ModelCheckpoint", "filepath": "models/{epoch:02d}.keras"},
    {"use": "BackupAndRestore", "backup_dir": "backup"},
]


def test_relative_paths_lie_in_the_directory(tmp_path: Path) -> None:
    trained(WRITING[:2], tmp_path)
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["logs/log.csv", "models/01.keras", "models/02.keras", "models/03.keras"]
    assert (tmp_path / "logs/log.csv").read_text().splitlines()[0] == "epoch,loss,val_loss"


@pytest.mark.parametrize("item", WRITING)
def test_a_relative_path_without_a_directory_is_a_fault(item: dict[str, Any]) -> None:
    name, value = list(item.items())[1]
    [(path, message)] = messages([item])
    assert path == ("callbacks", 0, name)
    assert f"The path {value!r} of {item['use']} is relative: add directory" in message


def test_an_absolute_path_needs_no_directory(tmp_path: Path) -> None:
    assert not messages([{"use": "csv_logger", "filename": str(tmp_path / "log.csv")}])


def test_an_absolute_path_where_nothing_can_be_made_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file, where a directory is to be")
    [(path, message)] = messages([{"use": "ModelCheckpoint", "filepath": str(tmp_path / "taken" / "{epoch}.keras")}])
    assert path == ("callbacks", 0, "filepath")
    assert message.startswith(f"ModelCheckpoint writes to {tmp_path}/taken/")
    assert message.endswith(f"cannot be made, since {tmp_path}/taken is no directory.")


@pytest.mark.parametrize("filename", ["taken/log.csv", "folder"])
def test_a_log_that_cannot_be_written_is_named(tmp_path: Path, filename: str) -> None:
    (tmp_path / "taken").write_text("a file, where a directory is to be")
    (tmp_path / "folder").mkdir()
    with pytest.raises(FitError, match=r"the file .*(taken|folder) that training needs cannot be used"):
        trained([{"use": "CSVLogger", "filename": filename}], tmp_path)


def test_tensorboard_has_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mercury_keras.callbacks.find_spec", lambda name: name)
    made, faults = make_callbacks(["TensorBoard"], tmp_path)
    assert not faults
    assert made[0].log_dir == str(tmp_path / "logs")
    assert [path for path, _ in messages(["TensorBoard"])] == [("callbacks", 0)]


def test_tensorboard_needs_two_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mercury_keras.callbacks.find_spec", lambda name: None if name == "tensorboard" else name)
    [(path, message)] = messages(["TensorBoard"], tmp_path)
    assert path == ("callbacks", 0)
    assert "pip install tensorboard, or log with CSVLogger" in message


# --- what they do ---


def halved(epoch: int, rate: float) -> float:
    """A schedule of the user's own."""
    return float(rate / 2)


seen: list[int] = []


def note(epoch: int, logs: Any) -> None:
    """A function of the user's own, for LambdaCallback."""
    seen.append(epoch)


def test_functions_of_ones_own_are_named() -> None:
    _, told = trained([{"use": "LearningRateScheduler", "schedule": f"{__name__}:halved"}])
    assert told["history"]["learning_rate"] == pytest.approx([0.05, 0.025, 0.0125])
    seen.clear()
    trained([{"use": "LambdaCallback", "on_epoch_end": f"{__name__}:note"}])
    assert seen == [0, 1, 2]


class Counting(keras.callbacks.Callback):  # type: ignore[misc]
    """A callback of the user's own."""

    made: list[Counting] = []

    def __init__(self, step: int = 1) -> None:
        super().__init__()
        self.step, self.count = step, 0
        self.made.append(self)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.count += self.step


def test_a_callback_of_ones_own_is_named() -> None:
    trained([{"use": f"{__name__}:Counting", "step": 2}])
    assert Counting.made[-1].count == 6


def test_the_rate_is_reduced_on_a_plateau() -> None:
    _, told = trained([{"use": "ReduceLROnPlateau", "patience": 1, "min_delta": 100.0, "monitor": "loss"}], epochs=4)
    assert told["history"]["learning_rate"][-1] < 0.1


def test_a_checkpoint_keeps_the_best_only(tmp_path: Path) -> None:
    _, told = trained([{"use": "ModelCheckpoint", "filepath": "best.keras", "save_best_only": True}], tmp_path)
    loaded = keras.saving.load_model(tmp_path / "best.keras")
    assert loaded.evaluate(X, Y, verbose=0) == pytest.approx(min(told["history"]["val_loss"]), rel=1e-5)


def test_averaged_weights_are_swapped_in() -> None:
    model, _ = trained(["SwapEMAWeights"], optimizer=keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.9))
    assert np.isfinite(model.get_weights()[0]).all()


def test_keras_goes_on_with_its_own_backup(tmp_path: Path) -> None:
    class Failing(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == 2:
                raise MemoryError

    backup = {"use": "BackupAndRestore", "backup_dir": "backup"}
    with pytest.raises(MemoryError):
        trained([backup, Failing()], tmp_path)
    _, told = trained([backup], tmp_path)
    assert (told["resumed_at"], told["epochs"], told["stopped"]) == (3, 1, "epochs")


# --- before the first epoch ---


@pytest.mark.parametrize("name", ["EarlyStopping", "ReduceLROnPlateau"])
def test_what_is_watched_must_be_there(name: str) -> None:
    made, _ = make_callbacks([name], None)
    with pytest.raises(FitError, match=f"{name} watches 'val_loss', and there is no data set 'valid'"):
        prepare(made, False, "m")
    prepare(made, True, "m")


def test_a_checkpoint_of_every_epoch_watches_nothing(tmp_path: Path) -> None:
    checkpoint = {"use": "ModelCheckpoint", "filepath": "{epoch}.keras"}
    prepare(make_callbacks([checkpoint], tmp_path)[0], False, "m")
    with pytest.raises(FitError, match="ModelCheckpoint watches 'val_loss'"):
        prepare(make_callbacks([{**checkpoint, "save_best_only": True}], tmp_path)[0], False, "m")

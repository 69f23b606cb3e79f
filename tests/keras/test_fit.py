"""`keras.fit`: from data and parameters to a trained model, and what it refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings, strategies as st
from mercury_keras import backend
from mercury_keras.fit import fit
from mercury_keras.specs import OutputSpec
from mercury_keras.weights import row_weights

from mercury_core.contracts import Trained
from mercury_core.data import DataBunch, DataSet, DataWrapper
from mercury_core.errors import ArgumentsError, FitError
from mercury_core.parameters import check
from mercury_core.tasks import fit_model

if TYPE_CHECKING:
    from pathlib import Path

keras = backend.keras()

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3)).astype("float32")
SUM = X.sum(axis=1)
SPECIES = np.where(SUM > 1, "Adelie", np.where(SUM > -1, "Chinstrap", "Gentoo"))
MLP = {"use": "keras.mlp", "hidden_units": [8]}
QUICK = {"model": MLP, "epochs": 2, "seed": 3}


def data_set(rows: slice, targets: Any = None, **roles: Any) -> DataSet:
    table = {"species": SPECIES} if targets is None else targets
    taken = pa.table({name: pa.array(column)[rows] for name, column in table.items()})
    more = {role: DataWrapper(column[rows, None], ["w"]) for role, column in roles.items()}
    return DataSet({"features": DataWrapper(X[rows], ["a", "b", "c"]), "targets": taken, **more})


def bunch(targets: Any = None, *, valid: bool = True, **roles: Any) -> DataBunch:
    sets = {"train": data_set(slice(0, 44), targets, **roles)}
    return DataBunch(sets | ({"valid": data_set(slice(44, 60), targets, **roles)} if valid else {}))


def same(one: Any, other: Any) -> bool:
    pairs = zip(one.underlying.get_weights(), other.underlying.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


# --- a model, and what it tells ---


def test_a_model_tells_of_its_training() -> None:
    model = fit(bunch(), **QUICK, metrics=["accuracy"], batch_size=16)
    assert isinstance(model, Trained)
    told = model.training
    assert told["epochs"] == 2
    assert sorted(told["history"]) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    assert (told["seed"], told["batch_size"], told["backend"]) == (3, 16, backend.name())
    assert model.classes == ("Adelie", "Chinstrap", "Gentoo")
    assert model.predict(bunch()["valid"]).values.num_rows == 16


def test_what_it_learns_is_right() -> None:
    model = fit(bunch(), model=MLP, epochs=60, seed=3, learning_rate=0.02, batch_size=8)
    found = model.predict(bunch()["valid"]).values.to("arrow").underlying["species"].to_pylist()
    assert np.mean([a == b for a, b in zip(found, SPECIES[44:], strict=True)]) >= 0.85


def test_valid_is_not_needed() -> None:
    told = fit(bunch(valid=False), **QUICK, return_best=True).training
    assert sorted(told["history"]) == ["loss"]
    assert told["monitor"] == "loss"


def test_test_is_never_touched() -> None:
    broken = DataSet({"features": DataWrapper(np.full((2, 3), np.nan), ["a", "b", "c"])})
    assert fit(DataBunch({**bunch(), "test": broken}), **QUICK).training["epochs"] == 2


def test_the_best_epoch_is_given_back() -> None:
    best = fit(bunch(), model=MLP, epochs=12, seed=3, learning_rate=0.3, return_best=True)
    told = best.training
    assert told["best_epoch"] == 1 + int(np.argmin(told["history"]["val_loss"])) < 12
    assert same(best, fit(bunch(), model=MLP, epochs=told["best_epoch"], seed=3, learning_rate=0.3))


# --- seeds ---


@pytest.mark.parametrize("model", [{**MLP, "dropout": 0.4}, MLP])
def test_seeds_make_two_runs_equal(model: Any) -> None:
    one, other, another = (fit(bunch(), model=model, epochs=3, seed=seed) for seed in (3, 3, 4))
    assert same(one, other)
    assert one.training["history"] == other.training["history"]
    assert not same(one, another)


def test_a_seed_that_is_drawn_is_told() -> None:
    one, two = fit(bunch(), model=MLP, epochs=1), fit(bunch(), model=MLP, epochs=1)
    assert one.training["seed"] != two.training["seed"]
    assert same(one, fit(bunch(), model=MLP, epochs=1, seed=one.training["seed"]))


def test_the_random_numbers_of_others_are_left_alone() -> None:
    np.random.seed(1)
    expected = [np.random.normal(), np.random.normal()]
    np.random.seed(1)
    found = [np.random.normal()]
    fit(bunch(), **QUICK)
    assert [*found, np.random.normal()] == expected


def test_rows_stand_in_another_order_each_epoch_or_in_their_own() -> None:
    shuffled, ordered = fit(bunch(), **QUICK, batch_size=8), fit(bunch(), **QUICK, batch_size=8, shuffle=False)
    assert not same(shuffled, ordered)
    data = bunch()
    keras.utils.set_random_seed(3)
    plain = keras.Sequential(
        [keras.layers.Input((3,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3, "softmax")]
    )
    plain.compile("adam", "sparse_categorical_crossentropy")
    places = np.searchsorted(["Adelie", "Chinstrap", "Gentoo"], SPECIES[:44])
    history = plain.fit(X[:44], places, batch_size=8, epochs=2, shuffle=False, verbose=0).history
    assert fit(data, **QUICK, batch_size=8, shuffle=False).training["history"]["loss"] == pytest.approx(history["loss"])


# --- weights ---


def test_sample_weights_count() -> None:
    once = bunch(sample_weight=np.where(np.arange(60) < 22, 1.0, 0.0))
    half = DataBunch({"train": data_set(slice(0, 22))})
    told = {"model": {**MLP, "hidden_units": []}, "seed": 3, "shuffle": False, "optimizer": "SGD", "epochs": 4}
    weighted = fit(DataBunch({"train": once["train"]}), **told, batch_size=44, learning_rate=0.2)
    alone = fit(half, **told, batch_size=22, learning_rate=0.1)
    # A loss is the sum over the rows divided by their number, of which half weigh nothing.
    for one, other in zip(weighted.underlying.get_weights(), alone.underlying.get_weights(), strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_weights_in_valid_count_there() -> None:
    nothing = bunch(sample_weight=np.where(np.arange(60) < 44, 1.0, 0.0))
    assert fit(nothing, **QUICK).training["history"]["val_loss"] == [0.0, 0.0]


def test_class_weights_move_the_predictions() -> None:
    rare = {"y": np.where(SUM > 2, "rare", "common")}
    told = {"model": {**MLP, "hidden_units": []}, "seed": 3, "epochs": 30, "learning_rate": 0.05}

    def share(class_weight: Any) -> float:
        model = fit(bunch(rare), **told, class_weight=class_weight)
        return float(model.predict(bunch(rare)["train"]).scores_of("rare").mean())

    assert share(None) < share("balanced") < share({"rare": 1000})


def output(classes: tuple[Any, ...] | None, name: str = "y", **more: Any) -> OutputSpec:
    return OutputSpec(name, more.pop("task", "multiclass"), (name,), classes=classes, **more)


@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=40))
@settings(derandomize=True)
def test_balanced_gives_every_class_the_same(labels: list[int]) -> None:
    places = np.array(labels, "int32")
    [weights] = (row_weights(None, {"y": places}, (output(("a", "b", "c", "d")),), "balanced", "m") or {}).values()
    totals = {place: weights[places == place].sum() for place in set(labels)}
    assert weights.sum() == pytest.approx(len(labels), rel=1e-4)
    assert list(totals.values()) == pytest.approx([len(labels) / len(totals)] * len(totals), rel=1e-4)


def test_weights_are_by_label_as_written_in_any_file() -> None:
    told = row_weights(
        np.array([1, 2, 2], "float32"),
        {"y": np.array([[0.0], [1.0], [0.0]])},
        (output((False, True)),),
        {"True": 3},
        "m",
    )
    assert told is not None
    assert told["y"].tolist() == [1, 6, 2]
    hot = np.eye(3, dtype="float32")[[2, 0]]
    told = row_weights(None, {"y": hot}, (output((1, 2, 3), one_hot=True),), {3: 0.5}, "m")
    assert told is not None
    assert told["y"].tolist() == [0.5, 1]


def test_weights_of_several_outputs_are_by_output() -> None:
    outputs = (output(("a", "b"), "one"), output(None, "two", task="regression"))
    targets = {"one": np.array([0, 1], "int32"), "two": np.array([[1.5], [2.5]], "float32")}
    told = row_weights(None, targets, outputs, {"one": {"b": 2}}, "m")
    assert told is not None
    assert {name: weights.tolist() for name, weights in told.items()} == {"one": [1, 2], "two": [1, 1]}
    told = row_weights(None, targets, outputs, "balanced", "m")
    assert told is not None
    assert told["two"].tolist() == [1, 1]
    with pytest.raises(FitError, match=r"class_weight names 'on', .* Did you mean 'one'"):
        row_weights(None, targets, outputs, {"on": "balanced"}, "m")


@pytest.mark.parametrize(
    ("class_weight", "why"),
    [
        ({"Adeli": 2}, r"names the label 'Adeli', .* They have: 'Adelie', .* Did you mean 'Adelie'\?"),
        ({"Adelie": -1}, "of 'Adelie' is -1. Expected a number from 0 upwards"),
        ({"Adelie": "much"}, "of 'Adelie' is 'much'"),
        ({"Adelie": float("nan")}, "of 'Adelie' is nan"),
    ],
)
def test_class_weights_that_do_not_fit_are_refused(class_weight: Any, why: str) -> None:
    with pytest.raises(FitError, match=why):
        fit(bunch(), **QUICK, class_weight=class_weight)


def test_class_weights_of_numbers_are_refused() -> None:
    with pytest.raises(FitError, match="class_weight is for targets of one label a row, and these are for regression"):
        fit(bunch({"y": SUM}), **QUICK, class_weight="balanced")


@pytest.mark.parametrize(
    ("weights", "why"),
    [
        (np.full((60, 1), -1.0), "the sample weights of 'train' are not all numbers from 0 upwards"),
        (np.full((60, 1), np.nan), "the sample weights of 'train' are not all numbers"),
        (np.ones((60, 2)), "the role sample_weight of 'train' has 2 columns"),
    ],
)
def test_sample_weights_that_are_none_are_refused(weights: Any, why: str) -> None:
    data = data_set(slice(0, 44)).replace(sample_weight=DataWrapper(weights[:44]))
    with pytest.raises(FitError, match=why):
        fit(DataBunch({"train": data}), **QUICK)


# --- several outputs ---


def test_several_outputs_with_weights() -> None:
    targets = {"species": SPECIES, "size": SUM.astype("float32")}
    weights = np.linspace(0, 1, 60)
    model = fit(
        bunch(targets, sample_weight=weights),
        **QUICK,
        batch_size=44,
        outputs={"kind": ["species"], "size": ["size"]},
        loss_weights={"kind": 1.0, "size": 0.5},
        class_weight={"kind": "balanced"},
        metrics={"kind": ["accuracy"]},
        weighted_metrics={"size": ["mae"]},
    )
    history = model.training["history"]
    assert {"loss", "kind_loss", "size_loss", "kind_accuracy", "size_mae", "val_kind_loss"} <= set(history)
    assert history["loss"][0] == pytest.approx(history["kind_loss"][0] + 0.5 * history["size_loss"][0], rel=1e-5)
    values = model.predict(bunch(targets)["valid"]).values
    assert values.field_names == ("species", "size")


# --- a backup ---


def test_a_training_of_fit_goes_on(tmp_path: Path) -> None:
    class Failing(keras.callbacks.Callback):  # type: ignore[misc]
        def __init__(self, epoch: int) -> None:
            super().__init__()
            self.epoch = epoch

        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            if epoch == self.epoch:
                raise MemoryError

    told = {"model": {**MLP, "dropout": 0.2}, "epochs": 5, "class_weight": "balanced"}
    with pytest.raises(MemoryError):
        fit(bunch(), **told, backup=tmp_path / "state", callbacks=[Failing(3)])
    with pytest.raises(FitError, match="is of another training: batch_size was null and is 8"):
        fit(bunch(), **told, backup=tmp_path / "state", callbacks=[Failing(3)], batch_size=8)
    with pytest.raises(FitError, match="is of another training: targets was"):
        fit(bunch({"species": SPECIES[::-1]}), **told, backup=tmp_path / "state", callbacks=[Failing(3)])
    resumed = fit(bunch(), **told, backup=str(tmp_path / "state"), callbacks=[Failing(-1)])
    assert resumed.training["resumed_at"] == 4
    # No seed was given: the one that had been drawn holds.
    assert same(resumed, fit(bunch(), **told, seed=resumed.training["seed"]))


# --- what is refused ---


def faults(**params: Any) -> list[tuple[Any, str]]:
    return [(fault.path, fault.message) for fault in check("fit", "keras.fit", fit, params)]


def test_parameters_that_are_right_have_no_fault(tmp_path: Path) -> None:
    assert not faults(
        **QUICK,
        callbacks=["EarlyStopping", {"use": "CSVLogger", "filename": "log.csv"}],
        directory=str(tmp_path),
        backup=str(tmp_path),
        class_weight={0: 1.0, 1: 2},
        metrics=["accuracy"],
        optimizer={"use": "Adam", "clipnorm": 1},
        monitor="val_accuracy",
        mode="max",
        threads=1,
    )


@pytest.mark.parametrize(
    ("params", "path", "message"),
    [
        ({"epochs": 0}, ("epochs",), "epochs is 0: expected a whole number from 1 upwards"),
        ({"batch_size": 0}, ("batch_size",), "batch_size is 0"),
        ({"seed": -1}, ("seed",), "seed is -1: expected a whole number from 0 to 4294967295"),
        ({"backup": "s3://bucket/state"}, ("backup",), "expected a directory on this machine"),
        ({"backup": __file__}, ("backup",), "expected a directory, and it is a file"),
        ({"directory": f"{__file__}/out"}, ("directory",), "/out cannot be made, since "),
        ({"directory": "s3://bucket/out"}, ("directory",), "expected a directory on this machine"),
        ({"epochs": "many"}, ("epochs",), "must be int"),
        ({"epoch": 3}, ("epoch",), "Did you mean 'epochs'?"),
        ({"mode": "most"}, ("mode",), "'auto' or 'min' or 'max'"),
        ({"optimizer": "Adma"}, ("optimizer",), "'Adam'"),
        ({"callbacks": ["EarlyStoping"]}, ("callbacks", 0), "EarlyStopping"),
        ({"class_weight": "balancd"}, ("class_weight",), "Did you mean 'balanced'"),
    ],
)
def test_faults_are_found_without_data(params: dict[str, Any], path: Any, message: str) -> None:
    found = faults(**{"model": MLP, **params})
    assert [at for at, _ in found] == [path]
    assert message in found[0][1]


def test_two_ways_to_keep_a_state_are_one_too_many(tmp_path: Path) -> None:
    keeping = {"use": "BackupAndRestore", "backup_dir": str(tmp_path / "keras")}
    [(path, message)] = faults(model=MLP, backup=str(tmp_path), callbacks=[keeping])
    assert path == ("backup",)
    assert "leave out one of them" in message


def test_one_rate_is_set_by_one_thing() -> None:
    schedule = {"use": "CosineDecay", "initial_learning_rate": 0.01, "decay_steps": 20}
    [(path, message)] = faults(model=MLP, learning_rate=schedule, callbacks=["EarlyStopping", "ReduceLROnPlateau"])
    assert path == ("callbacks", 1)
    assert "ReduceLROnPlateau sets learning_rate, which is a schedule here" in message
    assert not faults(model=MLP, learning_rate=0.1, callbacks=["ReduceLROnPlateau"])


def test_all_faults_are_raised_at_once_in_python() -> None:
    with pytest.raises(ArgumentsError, match=r"EarlyStopping.*epochs is 0"):
        fit(bunch(), model=MLP, epochs=0, callbacks=["EarlyStoping"])


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (DataBunch({"train": data_set(slice(0, 0))}), "Cannot fit keras.mlp: the data set 'train' has no rows"),
        (DataBunch({"train": DataSet({"features": DataWrapper(X)})}), "the data set 'train' has no targets"),
        (DataBunch({"train": DataSet({"targets": {"y": [1.5, 2]}})}), "the data set 'train' has no features"),
        (DataBunch({**bunch(), "valid": DataSet({"features": X})}), "the data set 'valid' has no targets"),
    ],
)
def test_data_that_lacks_something_is_refused(data: DataBunch, why: str) -> None:
    with pytest.raises(FitError, match=re.escape(why)):
        fit(data, **QUICK)


def test_an_empty_valid_is_none() -> None:
    told = fit(DataBunch({"train": bunch()["train"], "valid": data_set(slice(0, 0))}), **QUICK).training
    assert "val_loss" not in told["history"]


def test_what_only_valid_tells_is_refused_without_it() -> None:
    with pytest.raises(
        FitError, match=r"monitor is 'val_accuracy', and there is no data set 'valid'.* monitor: accuracy"
    ):
        fit(bunch(valid=False), **QUICK, monitor="val_accuracy")
    with pytest.raises(FitError, match="EarlyStopping watches 'val_loss', and there is no data set 'valid'"):
        fit(bunch(valid=False), **QUICK, callbacks=["EarlyStopping"])


def test_missing_values_in_valid_are_named() -> None:
    x = X[44:].copy()
    x[3, 1] = np.nan
    valid = data_set(slice(44, 60)).replace(features=DataWrapper(x, ["a", "b", "c"]))
    with pytest.raises(FitError, match=r"'valid'.*'b'|'b'.*'valid'"):
        fit(DataBunch({"train": bunch()["train"], "valid": valid}), **QUICK)


def test_a_rate_that_is_too_high_is_told_in_one_sentence() -> None:
    with pytest.raises(
        FitError, match=r"Cannot fit keras.mlp: its loss is (NaN|infinite) after batch .* Lower learning_rate"
    ):
        fit(bunch({"y": SUM}), **QUICK, optimizer="SGD", learning_rate=1e20)


def test_a_bundle_tells_of_the_training_of_its_model() -> None:
    bundle = fit_model(bunch(), "keras.fit", **QUICK)
    assert bundle.model.training["epochs"] == 2  # type: ignore[attr-defined]

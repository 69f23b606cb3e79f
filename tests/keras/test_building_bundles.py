"""Stored models that are trained further: what they take and give stays theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from mercury_keras.images.spec import with_spec
from mercury_keras.model import KerasModel
from mercury_keras.specs import ImageSpec, ModelSpec

from mercury_core.bundle import Bundle
from mercury_core.data import DataWrapper
from mercury_core.errors import ArgumentsError, FitError, MissingColumnsError, UntrustedTypeError
from tests.keras.building_parts import BOTH, NUMBERS, ROWS, TRUTH, WORDS, K, L, X, built, one, trained

if TYPE_CHECKING:
    from pathlib import Path


@K.saving.register_keras_serializable(package="tests")
class Doubled(L.Layer):  # type: ignore[misc]
    """A layer of one's own."""

    def call(self, x: Any) -> Any:
        return x * 2


def doubled(input_shape: tuple[int, ...], units: int) -> Any:
    return K.Sequential([K.Input(input_shape), Doubled(), L.Dense(units, "softmax")])


SMALL = {"use": "keras.mlp", "hidden_units": [4]}


def stored(path: Path, targets: Any, features: DataWrapper = X, **settings: Any) -> Path:
    model, inputs, outputs = built(targets, features, model=SMALL, **settings)
    return Bundle(KerasModel(model, ModelSpec(inputs, outputs))).save(path, format="keras.native")


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the classes A, B and C, of which one layer was frozen when it was saved."""
    return stored(tmp_path_factory.mktemp("stored") / "words", {"y": WORDS}, trainable="last")


def test_it_begins_with_its_weights_and_all_of_it_is_trained(words: Path) -> None:
    model, output = one({"y": WORDS}, bundle=words)
    before = Bundle.load(words).underlying
    for one_weight, other in zip(model.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(one_weight, other)
    assert len(model.trainable_weights) == len(model.weights)
    assert output.classes == ("A", "B", "C")
    assert np.isfinite(trained({"y": WORDS}, bundle=words, metrics=["accuracy"], learning_rate=0.5)["loss"])
    frozen, _ = one({"y": WORDS}, bundle=words, trainable="last")
    assert len(frozen.trainable_weights) == 2


@pytest.mark.parametrize("columns", [{"x": TRUTH, "y": ~TRUTH}, {"x": NUMBERS, "y": NUMBERS + 1.0}])
def test_several_targets_are_told_by_their_names(columns: dict[str, Any], tmp_path: Path) -> None:
    stored(tmp_path / "m", columns)
    _, output = one(dict(reversed(columns.items())), bundle=tmp_path / "m")
    assert output.targets == ("x", "y")
    assert len(output.types) == 2


def test_classes_that_these_data_lack_stay_in_it(words: Path) -> None:
    labels = np.where(WORDS == "C", "B", WORDS)
    _, output = one({"y": labels}, bundle=words)
    assert (output.task, output.classes, output.units) == ("multiclass", ("A", "B", "C"), 3)
    assert np.isfinite(trained({"y": labels}, bundle=words)["loss"])


def test_features_go_in_as_it_knows_them(words: Path) -> None:
    rows = X.to("arrow").underlying
    more = DataWrapper(rows.select(["c", "a", "b"]).append_column("new", pa.array(NUMBERS)))
    _, inputs, _ = built({"y": WORDS}, more, bundle=words)
    assert inputs[0].columns == ("a", "b", "c")
    with pytest.raises(MissingColumnsError, match=r"The training data of a stored model lacks the column 'b'"):
        built({"y": WORDS}, X.select(["a", "c"]), bundle=words)


@pytest.mark.parametrize(
    ("targets", "said"),
    [
        (
            {"y": np.where(WORDS == "C", "D", WORDS)},
            r"predicts 'A', 'B', 'C', and the target 'y' has 'D'\. Train on labels",
        ),
        ({"y": NUMBERS}, r"predicts 'A', 'B', 'C', and the target 'y' has numbers"),
        (BOTH, r"the stored model has the output output, and these data make kind"),
        ({"y": TRUTH}, r"predicts 'A', 'B', 'C', and the target 'y' has False, True"),
    ],
)
def test_other_targets_than_it_was_made_for(words: Path, targets: Any, said: str) -> None:
    with pytest.raises(FitError, match=said):
        built(targets, bundle=words)


def test_numbers_and_several_outputs(tmp_path: Path) -> None:
    assert one({"z": NUMBERS}, bundle=stored(tmp_path / "numbers", {"y": NUMBERS}))[1].targets == ("z",)
    both = stored(tmp_path / "both", BOTH)
    assert [output.name for output in built(BOTH, bundle=both)[2]] == ["kind", "size"]
    with pytest.raises(FitError, match=r"it has 2 outputs|the stored model has the outputs kind, size"):
        built({"y": NUMBERS}, bundle=both)


def test_images_are_no_numbers(words: Path) -> None:
    table = pa.table({"a": ["x.png"] * ROWS, "b": NUMBERS, "c": NUMBERS})
    field = with_spec(table.schema.field("a"), ImageSpec(4, 4))
    features = DataWrapper(table.cast(pa.schema([field, *list(table.schema)[1:]])))
    with pytest.raises(FitError, match=r"the stored model takes 'a' as numbers\. Read the features likewise"):
        built({"y": WORDS}, features, bundle=words)


def test_what_is_no_keras_model_cannot_be_trained(words: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = Bundle.load(words).model.spec  # type: ignore[attr-defined]
    exported = Bundle(KerasModel(L, spec, run=lambda rows: rows))
    monkeypatch.setattr(Bundle, "load", lambda _, trusted: exported)
    with pytest.raises(
        FitError, match=r"holds module, which cannot be trained\. Expected a bundle of the format keras\.nat"
    ):
        one({"y": WORDS}, bundle=words)


def test_a_layer_of_ones_own_is_trained_further_where_it_is_trusted(tmp_path: Path) -> None:
    model, inputs, outputs = built({"y": WORDS}, model=doubled)
    place = Bundle(KerasModel(model, ModelSpec(inputs, outputs))).save(tmp_path / "m", format="keras.native")
    name = f"{Doubled.__module__}:Doubled"
    with pytest.raises(UntrustedTypeError, match=name):
        built({"y": WORDS}, bundle=place)
    assert np.isfinite(trained({"y": WORDS}, bundle=place, trusted=[name])["loss"])
    with pytest.raises(ArgumentsError, match="trusted is for a bundle, and none is given: leave it out"):
        built({"y": WORDS}, model=SMALL, trusted=[name])

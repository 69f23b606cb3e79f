"""What the pages on images and on training show, run as it is printed, on small images of chance."""

from __future__ import annotations

import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from mercury_core import fit_model, load_model, read_data_bunch
from mercury_core.predicting import predict_to_file
from mercury_core.workflow import run_workflow

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
IMAGES, TRAINING = "docs/keras-images.md", "docs/keras-training.md"
AROUND = """\
read: {penguins: {use: csv, source: data/penguins.csv, roles: {features: [flipper_length_mm], targets: species}}}
transform:
  - {use: split, from: penguins, into: {train: 0.8, valid: 0.2}, stratify: species, seed: 7}
  - {use: sklearn.preprocess}
"""


def blocks(page: str, language: str, beginning: str) -> list[str]:
    """The code blocks of a page that begin so."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [block for block in found if block.startswith(beginning)]


@pytest.fixture(scope="module", autouse=True)
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A working directory with the data that the pages name."""
    home = tmp_path_factory.mktemp("docs")
    draw = np.random.default_rng(0)

    def write(name: str) -> str:
        path = home / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw.integers(0, 255, (24, 24, 3), dtype="uint8")).save(path)
        return path.name

    shutil.copytree(ROOT / "examples/penguins/data", home / "data")
    for part in ("train", "test", "later"):
        for number in range(20):
            write(f"{part}/{('cat', 'dog')[number % 2]}/{number}.png")
    labels = ["beach;sunset", "beach", "", "sunset"]
    scenes = [f"{write(f'scenes/{number}.png')},{labels[number % 4]}" for number in range(20)]
    (home / "data/scenes.csv").write_text("\n".join(["file,labels", *scenes]))
    houses = [f"{write(f'houses/{number}.png')},{number},{number * 9.5},Oslo,{number * 1000}" for number in range(20)]
    (home / "data/houses.csv").write_text("\n".join(["file,rooms,area,town,price", *houses]))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        patch.setattr(sys, "path", [str(home), *sys.path])
        yield home
        sys.modules.pop("my_models", None)


def run(text: str, *overrides: str) -> Any:
    Path("workflow.yaml").write_text(text)
    return run_workflow("workflow.yaml", ["fit.epochs=2", *overrides])


def test_images_by_class_and_the_same_model_once_more(here: Path) -> None:
    (first,), (again,) = blocks(IMAGES, "yaml", "name: pets"), blocks(TRAINING, "yaml", "name: pets-again")
    assert set(run(first).metrics) == {"valid", "test"}
    assert predict_to_file("models/pets", "data/later", here / "p.csv").num_rows == 20
    assert set(run(again).metrics) == {"valid"}
    before, after = (load_model(f"models/{name}").underlying.get_weights() for name in ("pets", "pets-again"))
    changed = [not np.array_equal(one, other) for one, other in zip(before, after, strict=True)]
    assert changed == [False] * (len(changed) - 2) + [True] * 2


def test_several_labels_an_image() -> None:
    (text,) = blocks(IMAGES, "yaml", "name: scenes")
    assert set(run(text).metrics["test"]["keras.evaluate"]) == {"BinaryAccuracy", "AUC", "F1Score"}
    assert load_model("models/scenes").signature.target_names == ["beach", "sunset"]


def test_images_beside_a_table(here: Path) -> None:
    (text,), (own,) = blocks(IMAGES, "yaml", "name: houses"), blocks(IMAGES, "python", "# my_models.py")
    run(text)
    bundle = load_model("models/houses")
    assert {one.name for one in bundle.model.spec.inputs} == {"image", "table"}  # type: ignore[attr-defined]
    (here / "my_models.py").write_text(own)
    run(text, "fit.model=my_models:beside", "save.overwrite=replace")
    rows = f"file,image,rooms,area,town\nx,{here}/data/test/cat/0.png,3,70.5,Oslo\n"
    (here / "new.csv").write_text(rows)
    assert predict_to_file("models/houses", "new.csv", here / "p.csv").column_names == ("file", "prediction")


@pytest.mark.parametrize("text", blocks(TRAINING, "yaml", "fit:"))
def test_a_stage_of_fit_does_what_it_says(text: str, here: Path) -> None:
    if "TensorBoard" in text and find_spec("tensorboard") is None:
        pytest.skip("TensorBoard is not installed")
    shutil.rmtree("out", ignore_errors=True)
    run(AROUND + text)
    written = {path.suffix for path in (here / "out").rglob("*") if path.is_file()}
    assert written >= ({".v2"} if "TensorBoard" in text else {".csv", ".keras"})


def test_a_function_of_ones_own() -> None:
    (code,) = blocks(TRAINING, "python", "import keras")
    names: dict[str, Any] = {}
    exec(compile(code, TRAINING, "exec"), names)
    data = read_data_bunch({"train": "data/penguins.csv"}, roles={"features": ["id"], "targets": "species"})
    model = fit_model(data, "keras.fit", model={"use": names["small"], "width": 3}, epochs=1)
    assert [weight.shape for weight in model.underlying.weights][:2] == [(1, 3), (3,)]

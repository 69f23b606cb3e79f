"""`keras.images`: what it lists, and what it refuses."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st
from mercury_keras.images import spec
from mercury_keras.images.reader import read_images
from mercury_keras.specs import ImageSpec
from PIL import Image
from pyarrow import parquet

from mercury_core import DataSet, DataWrapper, check_workflow, read_data_bunch
from mercury_core.errors import (
    ArgumentsError,
    DataError,
    MissingColumnsError,
    ObjectNotFoundError,
    ReadError,
    WorkflowFileError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Files = Callable[..., Path]


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Writes images of 4 × 4 under these names."""

    def write(*names: str) -> Path:
        for name in names:
            path = tmp_path / "images" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), 50).save(path)
        return tmp_path / "images"

    return write


def column(data_set: DataSet, role: str, name: str) -> list[Any]:
    return data_set[role].to("arrow").underlying.column(name).to_pylist()


def table(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


# --- class folders ---


def test_class_folders_are_labels_in_the_order_of_names(files: Files) -> None:
    root = files("dog/b.png", "cat/z.png", "cat/more/a.png", "cat/a.PNG")
    (root / "cat" / "notes.txt").write_text("no image")
    for hidden in (".DS_Store", "cat/._a.png", ".ipynb_checkpoints/a.png", "__MACOSX/a.png"):
        (root / hidden).parent.mkdir(exist_ok=True)
        (root / hidden).write_bytes(b"")
    data_set = read_images(str(root), image_size=(8, 6), color_mode="grayscale", batch_size=7)
    assert column(data_set, "index", "file") == ["cat/a.PNG", "cat/z.png", "cat/more/a.png", "dog/b.png"]
    assert column(data_set, "targets", "label") == ["cat", "cat", "cat", "dog"]
    assert column(data_set, "features", "image") == [str(root / name) for name in column(data_set, "index", "file")]
    assert spec.image_columns(data_set.features) == {"image": ImageSpec(8, 6, "grayscale")}
    assert spec.batch_size_of(data_set.features) == 7
    assert spec.augmentation_of(data_set.features) == {}


def test_how_images_are_decoded_stays_with_the_rows(files: Files) -> None:
    root = files(*(f"{label}/{place}.png" for label in "ab" for place in range(4)))
    bunch = read_data_bunch(str(root), reader="keras.images", image_size=[8, 8])
    from mercury_core import transform_data_bunch

    parts = transform_data_bunch(bunch, "split", into={"train": 0.5, "test": 0.5}, stratify="label", seed=1)
    assert all(spec.image_columns(part.features) == {"image": ImageSpec(8, 8)} for part in parts.values())
    assert sorted(column(parts.test, "targets", "label")) == ["a", "a", "b", "b"]
    both = DataWrapper.concat([parts.train.features, parts.test.features])
    assert spec.image_columns(both) == {"image": ImageSpec(8, 8)}


def test_folders_can_be_chosen(files: Files) -> None:
    root = files("a/1.png", "b/1.png", "c/1.png")
    (root / "empty").mkdir()
    assert column(read_images(str(root), classes=["c", "a"]), "index", "file") == ["c/1.png", "a/1.png"]
    with pytest.raises(ReadError, match=r"it has no class folder 'bb'\. Did you mean 'b'"):
        read_images(str(root), classes=["a", "bb"])


def test_images_alone_have_no_labels(files: Files) -> None:
    data_set = read_images(str(files("2.png", "1.png")))
    assert column(data_set, "index", "file") == ["1.png", "2.png"]
    assert "targets" not in data_set
    assert read_images.schema(str(files("1.png"))).names == ["file", "image"]


def test_one_image_is_read(files: Files) -> None:
    assert read_images(str(files("cat/1.png"))).num_rows == 1
    with pytest.raises(ReadError, match="its 1 images cannot be split: one part would be empty"):
        read_images(str(files("cat/1.png")), validation_split=0.5, subset="training")


def test_endings_can_be_chosen(files: Files) -> None:
    root = files("a/1.png", "a/2.gif")
    assert column(read_images(str(root), extensions=["GIF"]), "index", "file") == ["a/2.gif"]


def test_an_empty_class_folder_is_an_error_that_names_it(files: Files) -> None:
    root = files("cat/1.png")
    (root / "dog").mkdir()
    for read in (read_images, read_images.schema):
        with pytest.raises(ReadError, match=r"its class folder 'dog' holds no image \(\.bmp, .*Fill it, remove it"):
            read(str(root))


def test_a_class_folder_that_may_not_be_read_is_no_empty_one(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Any) -> Any:
        if str(path).endswith("dog"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ReadError, match=r"Cannot read .*dog: Permission denied\. Give yourself the right to read it"):
        read_images(str(files("cat/1.png", "dog/1.png")))


def test_sources_that_hold_no_images_are_refused(files: Files, tmp_path: Path) -> None:
    with pytest.raises(ObjectNotFoundError):
        read_images(str(tmp_path / "nowhere"))
    with pytest.raises(ReadError, match="it is a file"):
        read_images(str(files("1.png") / "1.png"))
    (tmp_path / "bare").mkdir()
    with pytest.raises(ReadError, match="it holds no image"):
        read_images(str(tmp_path / "bare"))
    with pytest.raises(ReadError, match="it holds images beside folders"):
        read_images(str(files("1.png", "cat/1.png")))


# --- tables ---


def test_a_table_names_the_files_and_one_label(files: Files, tmp_path: Path) -> None:
    root = files("1.png", "x/2.png", "3.png")
    labels = table(tmp_path / "labels.csv", "label,file,age\nb,3.png,1.5\na,x/2.png,2.5\n")
    data_set = read_images(str(root), labels=labels, features=["age"])
    assert column(data_set, "index", "file") == ["3.png", "x/2.png"]
    assert column(data_set, "targets", "label") == ["b", "a"]
    assert data_set.features.field_names == ("image", "age")
    assert column(data_set, "features", "age") == [1.5, 2.5]
    assert read_images.schema(str(root), labels=labels, features=["age"]) == pa.schema(
        [("file", pa.string()), ("image", pa.string()), ("age", pa.float64()), ("label", pa.string())]
    )


def test_several_columns_are_several_labels(files: Files, tmp_path: Path) -> None:
    root = files("1.png", "2.png")
    path = tmp_path / "labels.parquet"
    content = {"name": ["2.png", "1.png"], "sea": [True, False], "sky": [1, 0], "by": ["x", "y"]}
    parquet.write_table(pa.table(content), path)
    data_set = read_images(str(root), labels=path, file_column="name", label_columns=["sky", "sea"])
    assert data_set.targets.field_names == ("sky", "sea")
    assert column(data_set, "index", "name") == ["2.png", "1.png"]
    assert column(data_set, "targets", "sea") == [True, False]


def test_lists_and_separated_texts_are_several_labels(files: Files, tmp_path: Path) -> None:
    root = files("1.png", "2.png", "3.png")
    texts = table(tmp_path / "labels.csv", "file,tags\n1.png,sea; sky\n2.png,\n3.png,sky\n")
    lists = tmp_path / "labels.parquet"
    content = {"file": ["1.png", "2.png", "3.png"], "tags": [["sea", "sky"], [], ["sky"]]}
    parquet.write_table(pa.table(content), lists)
    by_text = read_images(str(root), labels=texts, label_separator=";")
    by_list = read_images(str(root), labels=lists)
    assert by_text.targets == by_list.targets
    assert by_text.targets.to("arrow").underlying.to_pydict() == {
        "sea": [True, False, False],
        "sky": [True, False, True],
    }
    assert by_text.targets.schema.types == [pa.bool_(), pa.bool_()]
    ordered = read_images(str(root), labels=texts, label_separator=";", classes=["sky", "sand", "sea"])
    assert ordered.targets.field_names == ("sky", "sand", "sea")
    assert column(ordered, "targets", "sand") == [False, False, False]


@pytest.mark.parametrize(
    ("text", "params", "message"),
    [
        ("file,label\n1.png,a\n9.png,b\n", {}, r"there is no file '9\.png' \(row 1\)"),
        ("file,label\n1.png,a\n,b\n", {}, "row 1 of its column 'file' names no file"),
        ("file,label\n1,a\n", {}, "its column 'file' is int64: expected the names of files"),
        ("file\n1.png\n", {}, "it has no column of labels beside 'file'"),
        ("file,label\n1.png,dgo\n", {"classes": ["cat", "dog"]}, "has the label 'dgo', and the classes are: cat, dog"),
        ("file,label\n1.png,a;dgo\n", {"label_separator": ";", "classes": ["a", "dog"]}, "has the label 'dgo'"),
        ("file,label\n1.png,1\n", {"label_separator": ";"}, "its column 'label' is int64: expected texts of labels"),
        ("file,label\n1.png,image\n", {"label_separator": ";"}, "'image' would be the name of two columns"),
        ("file,label\n1.png,\n", {"label_separator": ";"}, "no row of its column 'label' has a label"),
    ],
)
def test_tables_that_do_not_fit_are_refused(
    files: Files, tmp_path: Path, text: str, params: dict[str, Any], message: str
) -> None:
    root = files("1.png")
    with pytest.raises(ReadError, match=message):
        read_images(str(root), labels=table(tmp_path / "labels.csv", text), **params)


def test_columns_that_a_table_lacks_are_named(files: Files, tmp_path: Path) -> None:
    labels = table(tmp_path / "labels.csv", "file,label\n1.png,a\n")
    with pytest.raises(MissingColumnsError, match=r"lacks the column 'lable'.*Did you mean 'label'"):
        read_images(str(files("1.png")), labels=labels, label_columns=["lable"])


# --- parts and order ---


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=25)
@given(st.floats(0.1, 0.9), st.integers(0, 2**40), st.booleans())
def test_the_two_parts_are_the_whole_and_share_nothing(files: Files, part: float, seed: int, shuffle: bool) -> None:
    root = str(files(*(f"{label}/{place}.png" for label in "ab" for place in range(10))))
    whole = column(read_images(root), "index", "file")
    parts = [
        read_images(root, validation_split=part, subset=subset, seed=seed, shuffle=shuffle)
        for subset in ("training", "validation")
    ]
    names = [column(one, "index", "file") for one in parts]
    assert sorted(names[0] + names[1]) == sorted(whole)
    assert len(names[1]) == round(20 * part)
    for one in parts:
        files_of = [name.split("/")[0] for name in column(one, "index", "file")]
        assert column(one, "targets", "label") == files_of
        if not shuffle:
            assert column(one, "index", "file") == [name for name in whole if name in column(one, "index", "file")]


def test_chance_follows_from_the_seed(files: Files) -> None:
    root = str(files(*(f"a/{place:02}.png" for place in range(30))))
    mixed = [column(read_images(root, shuffle=True, seed=seed), "index", "file") for seed in (1, 1, 2)]
    assert mixed[0] == mixed[1]
    assert mixed[0] != mixed[2]
    assert sorted(mixed[0]) == column(read_images(root), "index", "file") != mixed[0]


# --- damaged images ---


def test_damaged_and_missing_images_are_left_out_and_counted(files: Files, tmp_path: Path) -> None:
    root = files("1.png", "2.png", "3.png")
    (root / "2.png").write_bytes(b"no image")
    labels = table(tmp_path / "labels.csv", "file,label\n1.png,a\n2.png,b\n9.png,b\n3.png,c\n")
    with pytest.warns(UserWarning, match=r"2 of 4 images of .* were left out: 2\.png, 9\.png"):
        data_set = read_images(str(root), labels=labels, invalid="skip")
    assert column(data_set, "index", "file") == ["1.png", "3.png"]
    assert column(data_set, "targets", "label") == ["a", "c"]
    assert read_images(str(files("1.png")), labels=table(labels, "file,label\n1.png,a\n2.png,b\n")).num_rows == 2
    (root / "1.png").write_bytes(b"")
    with pytest.raises(ReadError, match="none of its 1 images can be decoded"):
        read_images(str(root), labels=table(labels, "file,label\n1.png,a\n"), invalid="skip")


# --- parameters ---


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"label_columns": ["a"]}, "'label_columns' is of the table that 'labels' names, and there is none"),
        ({"image_size": (0, 4)}, "'image_size' must be at least 1: got 0"),
        ({"batch_size": 0}, "'batch_size' must be at least 1: got 0"),
        ({"validation_split": 1.5, "subset": "training"}, "'validation_split' must be between 0 and 1"),
        ({"validation_split": 0.5}, "'validation_split' needs 'subset' as well"),
        ({"subset": "training"}, "'subset' needs 'validation_split' as well"),
        ({"seed": -1}, "'seed' must not be negative"),
        ({"antialias": False, "interpolation": "lanczos"}, "'interpolation: lanczos' smooths"),
        ({"classes": []}, "'classes' names none"),
        ({"classes": ["a", "a"]}, "'classes' has 'a' twice"),
    ],
)
def test_parameters_that_make_no_sense_are_refused(files: Files, params: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentsError, match=message):
        read_images(str(files("a/1.png")), **params)


def test_a_workflow_is_checked_before_anything_is_read(files: Files, tmp_path: Path) -> None:
    root = files("cat/1.png")
    (root / "dog").mkdir()
    path = tmp_path / "workflow.yaml"
    path.write_text("read:\n  train: {use: keras.images, source: images, image_size: [32, 32, 3], color_mode: gray}\n")
    with pytest.raises(WorkflowFileError) as caught:
        check_workflow(path)
    assert "image_size" in str(caught.value)
    assert "color_mode" in str(caught.value)
    path.write_text("read:\n  train: {use: keras.images, source: images, image_size: [32, 32]}\n")
    with pytest.raises(WorkflowFileError, match="its class folder 'dog' holds no image"):
        check_workflow(path)
    (root / "dog").rmdir()
    check_workflow(path)


def test_listing_decodes_nothing(files: Files) -> None:
    import subprocess

    program = (
        "import sys; from mercury_core import read_data_bunch;"
        f"read_data_bunch({str(files('a/1.png'))!r}, reader='keras.images');"
        "print([name for name in ('PIL', 'keras', 'torch', 'tensorflow', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


# --- elsewhere ---


class Memory:
    """A store of a dict."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects, self.opened = objects, 0

    def stat(self, uri: str) -> Any:
        from mercury_core.contracts import ObjectInfo

        if uri not in self.objects:
            raise ObjectNotFoundError(uri)
        return ObjectInfo(uri, len(self.objects[uri]), version=str(hash(self.objects[uri])))

    def list(self, uri: str) -> Any:
        return (self.stat(name) for name in sorted(self.objects) if name.startswith(f"{uri.rstrip('/')}/"))

    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> Any:
        from io import BytesIO

        self.opened += 1
        return BytesIO(self.objects[uri][start:end])

    def get(self, uri: str, path: Path) -> None:
        path.write_bytes(self.open(uri).read())


def test_images_in_a_store_are_copied_once_for_the_life_of_the_process(files: Files) -> None:
    root = files("cat/1.png", "cat/2.png", "dog/1.png")
    objects = {f"mem://b/images/{path.relative_to(root)}": path.read_bytes() for path in root.rglob("*.png")}
    store = Memory({**objects, "mem://b/labels.csv": b"file,tag\ncat/2.png,x\ndog/1.png,y\n"})
    data_set = read_images("mem://b/images", store=store)
    assert column(data_set, "targets", "label") == ["cat", "cat", "dog"]
    read = store.opened
    parts = [
        read_images("mem://b/images/", store=store, validation_split=0.4, subset=subset)
        for subset in ("training", "validation")
    ]
    assert [part.num_rows for part in parts] == [2, 1]
    assert store.opened == read
    for path in column(data_set, "features", "image"):
        with Image.open(path) as image:
            assert image.size == (4, 4)
    by_table = read_images("mem://b/images", store=store, labels="mem://b/labels.csv")
    assert column(by_table, "targets", "tag") == ["x", "y"]
    assert read_images.schema("mem://b/images", store=store).names == ["file", "image", "label"]
    with pytest.raises(ObjectNotFoundError):
        read_images("mem://b/nothing", store=store)


def test_damaged_notes_of_a_column_are_an_error(tmp_path: Path) -> None:
    field = pa.field("image", pa.string(), metadata={"mercury_keras.image": '{"hight": 3}'})
    with pytest.raises(DataError, match="The column 'image' notes how its images are decoded"):
        spec.spec_of(field)

"""Files that somebody made, or broke: refused in one sentence, before onnxruntime is given them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
import pytest
from mercury_onnx import guard
from mercury_onnx.sklearn_format import sklearn_onnx
from onnx import AttributeProto, GraphProto, NodeProto, TensorProto

from mercury_core import DataSet, DataWrapper
from mercury_core.errors import BundleFormatError, CorruptBundleError, PredictError
from tests.onnx.parts import NAMES, X, fitted


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a model."""
    model = fitted("LogisticRegression", "words").model
    return sklearn_onnx.save(model, tmp_path_factory.mktemp("saved") / "m")


@pytest.fixture
def path(saved: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return Path(shutil.copytree(saved, tmp_path / "m"))


def change(path: Path, how: Any) -> None:
    """Change the model in a file."""
    model = onnx.load(path / "model.onnx")
    how(model)
    (path / "model.onnx").write_bytes(model.SerializeToString())


def external(location: str) -> Any:
    def how(model: Any) -> None:
        tensor = model.graph.initializer[0]
        tensor.data_location = TensorProto.EXTERNAL
        tensor.ClearField("raw_data")
        tensor.external_data.add(key="location", value=location)

    return how


def plain(model: Any) -> None:
    """Numbers as bytes."""
    tensor = model.graph.initializer[0]
    tensor.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(tensor), tensor.name))


def deep(model: Any) -> None:
    tensor = TensorProto(name="deep", dims=[1], data_type=1, data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="/etc/passwd")
    inner = GraphProto(name="inner", initializer=[tensor])
    model.graph.node[0].attribute.append(AttributeProto(name="then_branch", type=AttributeProto.GRAPH, g=inner))


def of_a_function(model: Any) -> None:
    model.functions.add(name="f", domain="own", node=[NodeProto(domain="evil", op_type="Run")])


def huge(model: Any) -> None:
    model.graph.initializer.append(TensorProto(name="huge", dims=[1 << 40], data_type=1, raw_data=b"1234"))


def huge_list(model: Any) -> None:
    model.graph.initializer.append(TensorProto(name="huge", dims=[1 << 40], data_type=1, float_data=[1.0]))


def negative(model: Any) -> None:
    model.graph.initializer.append(TensorProto(name="odd", dims=[-1], data_type=1, raw_data=b"1234"))


@pytest.mark.parametrize(
    ("how", "match"),
    [
        *(
            (external(place), "outside of its directory")
            for place in ("/etc/passwd", "../x", "a/../../x", "..", "a\\b")
        ),
        (external("absent"), r"claim \d+ bytes of 'absent', which has 0"),
        (deep, "'/etc/passwd'"),
        (lambda model: model.graph.node[0].MergeFrom(NodeProto(domain="com.microsoft", op_type="EPContext")), "EPCont"),
        (lambda model: model.graph.node.append(NodeProto(domain="evil", op_type="Run")), "evil:Run"),
        (of_a_function, "evil:Run"),
        (huge, r"'huge' claim 4398046511104 bytes, and there are 4"),
        (huge_list, r"'huge' have the shape \[1099511627776\], and there are 1"),
        (negative, r"have the shape \[-1\]"),
    ],
)
def test_what_reaches_for_more_is_refused_before_it_is_opened(
    how: Any, match: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(path, how)
    monkeypatch.setattr(onnxruntime, "InferenceSession", None)
    with pytest.raises(CorruptBundleError, match=match) as caught:
        sklearn_onnx.load(path)
    assert "\n" not in str(caught.value)


def test_a_link_beside_it_is_not_followed(path: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"1" * 4096)
    (path / "beside").symlink_to(tmp_path / "secret")
    change(path, external("beside"))
    with pytest.raises(CorruptBundleError, match="of 'beside', which has 0"):
        sklearn_onnx.load(path)


def test_numbers_beside_it_are_read(path: Path) -> None:
    rows = DataSet({"features": DataWrapper(X, NAMES)})
    before = sklearn_onnx.load(path).predict(rows)
    model = onnx.load(path / "model.onnx")
    content = onnx.numpy_helper.to_array(model.graph.initializer[0]).tobytes()
    (path / "numbers.bin").write_bytes(content)
    change(path, plain)
    change(path, external("numbers.bin"))
    assert sklearn_onnx.load(path).predict(rows).values == before.values


@pytest.mark.parametrize("left", [0, 0.5, 0.99])
def test_a_truncated_file_is_one_sentence(left: float, path: Path) -> None:
    file = path / "model.onnx"
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * left)])
    with pytest.raises(BundleFormatError, match=r"model\.onnx is not a bundle that can be loaded: it cannot") as caught:
        sklearn_onnx.load(path)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_too_large(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "_MOST_BYTES", 10)
    with pytest.raises(BundleFormatError, match="an ONNX file has 10 at most"):
        sklearn_onnx.load(path)
    (path / "model.onnx").unlink()
    with pytest.raises(BundleFormatError, match="it cannot be read"):
        sklearn_onnx.load(path)


def edit(path: Path, **changes: Any) -> None:
    """Change what stands beside a model."""
    file = path / "model.json"
    content = json.loads(file.read_text())
    for name, value in changes.items():
        (content if name in content else content["model"])[name] = value
    file.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"format_version": 9}, "is of version 9, this plugin reads 1"),
        ({"format": "keras.onnx"}, "written as 'keras.onnx', not as 'sklearn.onnx'"),
        ({"features": []}, "0 features"),
        ({"features": ["a", "a", "b", "c"]}, "a feature twice"),
        ({"types": ["nonsense"]}, "of the type 'nonsense'"),
        ({"types": []}, "1 targets of 0 types"),
        ({"classes": [[1], [2], [3]]}, "classes that are no labels"),
        ({"scores": "targets"}, "0 places of labels for 1 targets"),
        ({"targets": ["a", "b"], "types": ["string", "string"]}, "classes of 2 targets"),
        ({"no_nan": [17]}, "a place where there is no feature"),
        ({"threads": -4}, "cannot be read"),
        ({"scores": "guessed"}, "cannot be read"),
        ({"model": None}, "cannot be read"),
    ],
)
def test_what_stands_beside_it_and_cannot_be_true(changes: dict[str, Any], match: str, path: Path) -> None:
    edit(path, **changes)
    with pytest.raises(BundleFormatError, match=match):
        sklearn_onnx.load(path)


def test_what_stands_beside_it_and_does_not_fit_the_file(path: Path) -> None:
    edit(path, features=["a", "b"], no_nan=[], no_inf=[])
    with pytest.raises(CorruptBundleError, match="it takes 4 columns, and 2 stand beside it"):
        sklearn_onnx.load(path)
    edit(path, features=["a", "b"], matrix=False)
    with pytest.raises(CorruptBundleError, match="it takes 1 inputs, and 2 stand beside it"):
        sklearn_onnx.load(path)


def test_a_graph_that_gives_something_else(path: Path) -> None:
    edit(path, classes=["one", "other"])
    model = sklearn_onnx.load(path)
    with pytest.raises(PredictError, match=r"it gave an array of shape \(200, 3\)\. Was its file changed"):
        model.predict(DataSet({"features": DataWrapper(X, NAMES)}))


def test_the_versions_that_wrote_it_are_named_where_it_cannot_be_read(path: Path) -> None:
    edit(path, versions={"onnxruntime": "99.0", "nothing": "1.0"})
    (path / "model.onnx").write_bytes(b"\xff" * 100)
    with pytest.raises(BundleFormatError, match=r"saved with onnxruntime 99\.0, which is not what is installed"):
        sklearn_onnx.load(path)

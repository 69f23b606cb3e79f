"""``sklearn.skops``: what is refused, and how it is said."""

import importlib
import json
import operator
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from mercury_sklearn import skops_format as formats
from mercury_sklearn.model import SklearnModel
from mercury_sklearn.skops_format import dump, load, skops_format
from mercury_sklearn.trusted import GROUPS, PLACES
from sklearn.base import BaseEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neighbors import KNeighborsRegressor
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from mercury_core.errors import BundleFormatError, CorruptBundleError, UnsavableModelError, UntrustedTypeError

X, Y = np.arange(12.0).reshape(6, 2), [0, 1, 0, 1, 0, 1]


class Own(BaseEstimator):
    def fit(self, rows: Any) -> "Own":
        self.seen_ = len(rows)
        return self


def edit_schema(path: Path, change: Any) -> None:
    """Change the schema of a skops file."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(files["schema.json"])
    change(schema)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, json.dumps(schema) if name == "schema.json" else data)


def walk(schema: Any) -> Any:
    """Every node of a schema."""
    stack = [schema]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            yield node
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)


# --- a model and its directory ---


def test_a_model_comes_back_with_its_names(tmp_path: Path) -> None:
    model = SklearnModel(DecisionTreeClassifier().fit(X, Y), ["a", "b"], ["y"])
    assert skops_format.save(model, tmp_path / "model") == tmp_path / "model"
    assert sorted(file.name for file in (tmp_path / "model").iterdir()) == ["model.json", "model.skops"]
    loaded = skops_format.load(tmp_path / "model")
    assert loaded.metadata() == model.metadata()
    assert loaded.underlying.predict(X).tolist() == Y


def test_the_metadata_name_the_versions_that_wrote_it(tmp_path: Path) -> None:
    import sklearn

    skops_format.save(SklearnModel(LinearRegression().fit(X, Y), ["a", "b"], ["y"]), tmp_path / "model")
    found = json.loads((tmp_path / "model" / "model.json").read_text())
    assert found["versions"]["scikit-learn"] == sklearn.__version__
    assert set(found["versions"]) == {"scikit-learn", "skops", "numpy"}


def test_a_model_of_another_plugin_is_refused(tmp_path: Path) -> None:
    class Other:
        underlying = None

        def predict(self, data_set: Any) -> Any:
            return None

    with pytest.raises(
        UnsavableModelError, match=r"sklearn\.skops writes the models of sklearn\.fit\. Choose the format"
    ):
        skops_format.save(Other(), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_trusted_type_whose_module_is_missing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_of_test.py").write_text(
        "from sklearn.linear_model import LinearRegression\n\nclass Own(LinearRegression):\n    pass\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    own = importlib.import_module("own_of_test").Own
    skops_format.save(SklearnModel(own().fit(X, Y), ["a", "b"], ["y"]), tmp_path / "model")
    assert skops_format.load(tmp_path / "model", trusted=["own_of_test.Own"]).underlying.intercept_ is not None
    monkeypatch.delitem(sys.modules, "own_of_test")
    (tmp_path / "own_of_test.py").unlink()
    shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)
    importlib.invalidate_caches()
    with pytest.raises(BundleFormatError, match=r"No module named 'own_of_test'\)?.*; install the module of that"):
        skops_format.load(tmp_path / "model", trusted=["own_of_test.Own"])


def test_a_bundle_is_more_than_the_format_writes(tmp_path: Path) -> None:
    bundle = SimpleNamespace(model=SklearnModel(LinearRegression().fit(X, Y), ["a", "b"], ["y"]))
    with pytest.raises(UnsavableModelError, match=r"Take its own model, bundle\.model, or store_model"):
        skops_format.save(bundle, tmp_path / "model")


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"model": {"nonsense": 1}, "versions": {}}'])
def test_metadata_that_are_none_are_refused(tmp_path: Path, text: str) -> None:
    skops_format.save(SklearnModel(LinearRegression().fit(X, Y), ["a", "b"], ["y"]), tmp_path / "model")
    (tmp_path / "model" / "model.json").write_text(text)
    with pytest.raises(
        BundleFormatError, match=r"model is not a bundle that can be loaded: its model\.json cannot be read"
    ):
        skops_format.load(tmp_path / "model")


def test_an_estimator_that_is_not_fitted_comes_back_so(tmp_path: Path) -> None:
    dump(LogisticRegression(C=3.0), tmp_path / "model.skops")
    loaded = load(tmp_path / "model.skops")
    assert loaded.C == 3.0
    assert not hasattr(loaded, "coef_")


def test_plain_values_around_estimators_come_back(tmp_path: Path) -> None:
    whole = {"steps": [("scale", StandardScaler().fit(X))], "columns": ("a", "b"), 3: None, "share": 0.1}
    dump(whole, tmp_path / "parts.skops")
    loaded = load(tmp_path / "parts.skops")
    assert loaded.keys() == whole.keys()
    assert loaded["columns"] == ("a", "b")
    assert loaded["steps"][0][1].mean_.tolist() == [5.0, 6.0]


# --- trust ---


def test_a_type_of_ones_own_is_refused_until_the_one_who_loads_trusts_it(tmp_path: Path) -> None:
    name = f"{__name__}.Own"
    dump(Own().fit(X), tmp_path / "model.skops")
    with pytest.raises(UntrustedTypeError) as caught:
        load(tmp_path / "model.skops")
    assert caught.value.types == (name,)
    assert f"load it with trusted=['{name}']" in str(caught.value)
    assert load(tmp_path / "model.skops", trusted=[name]).seen_ == 6
    assert load(tmp_path / "model.skops", trusted=name).seen_ == 6


def test_a_function_in_a_transformer_is_refused_until_it_is_trusted(tmp_path: Path) -> None:
    dump(FunctionTransformer(np.linalg.norm), tmp_path / "model.skops")
    with pytest.raises(
        UntrustedTypeError, match=r"types that are not trusted, and nothing was loaded: numpy\.linalg\.norm\."
    ):
        load(tmp_path / "model.skops")
    assert load(tmp_path / "model.skops", trusted=["numpy.linalg.norm"]).func is np.linalg.norm


def test_a_metric_that_is_a_function_is_refused(tmp_path: Path) -> None:
    dump(KNeighborsRegressor(2, metric=operator.add), tmp_path / "model.skops")
    with pytest.raises(UntrustedTypeError, match=r"operator\.add"):
        load(tmp_path / "model.skops")


def test_all_untrusted_types_are_named_at_once(tmp_path: Path) -> None:
    dump([Own(), FunctionTransformer(np.linalg.norm)], tmp_path / "model.skops")
    with pytest.raises(UntrustedTypeError) as caught:
        load(tmp_path / "model.skops")
    assert set(caught.value.types) == {f"{__name__}.Own", "numpy.linalg.norm"}


def test_what_the_file_says_of_trust_counts_for_nothing(tmp_path: Path) -> None:
    dump(Own(), tmp_path / "model.skops")
    edit_schema(tmp_path / "model.skops", lambda schema: schema.update(trusted=True, trusted_types=[f"{__name__}.Own"]))
    with pytest.raises(UntrustedTypeError):
        load(tmp_path / "model.skops")


@pytest.mark.parametrize("name", ["os.system", "builtins.eval", "subprocess.Popen", "builtins.getattr", "pickle.loads"])
@pytest.mark.parametrize(
    "loader", ["ObjectNode", "FunctionNode", "TypeNode", "ConstructorFromReduceNode", "ListNode", "DictNode"]
)
def test_nothing_that_runs_code_is_loaded_under_any_loader(tmp_path: Path, name: str, loader: str) -> None:
    dump({"inner": ["touch", "ran"]}, tmp_path / "model.skops")
    module, _, kind = name.rpartition(".")

    def change(schema: Any) -> None:
        inner = schema["content"]["inner"]
        schema["content"]["inner"] = {
            "__class__": kind,
            "__module__": module,
            "__loader__": loader,
            "__id__": 1,
            "key_types": {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": []},
            "content": inner["content"] if loader == "ListNode" else {} if loader == "DictNode" else inner,
        }

    edit_schema(tmp_path / "model.skops", change)
    with pytest.raises(UntrustedTypeError, match=name):
        load(tmp_path / "model.skops")


@pytest.mark.parametrize("loader", ["ConstructorFromReduceNode", "ListNode", "SetNode", "ObjectNode"])
def test_a_trusted_name_in_another_place_is_refused(tmp_path: Path, loader: str) -> None:
    dump([[1, 2]], tmp_path / "model.skops")

    def change(schema: Any) -> None:
        inner = schema["content"][0]
        inner |= {"__class__": "mean", "__module__": "numpy", "__loader__": loader}
        if loader in {"ConstructorFromReduceNode", "ObjectNode"}:
            plain = {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "[1]"}
            inner["content"] = plain

    edit_schema(tmp_path / "model.skops", change)
    with pytest.raises(
        CorruptBundleError, match=f"it has numpy.mean as a {loader}, where scikit-learn has a FunctionNode"
    ):
        load(tmp_path / "model.skops")


def test_a_partial_of_another_function_than_scikit_learns_is_refused(tmp_path: Path) -> None:
    from functools import partial

    dump(FunctionTransformer(partial(np.mean, axis=1)), tmp_path / "model.skops")
    with pytest.raises(
        CorruptBundleError, match=r"it has a partial of numpy\.mean, where scikit-learn has one of sklearn"
    ):
        load(tmp_path / "model.skops")
    assert load(tmp_path / "model.skops", trusted=["functools.partial"]).func.func is np.mean


def test_no_trusted_name_is_listed_twice_or_outside_the_libraries() -> None:
    assert len(PLACES) == sum(len(group.names) for group in GROUPS)
    assert {name.partition(".")[0] for name in PLACES} == {"sklearn", "numpy", "scipy", "functools"}
    assert all(group.reason and group.places for group in GROUPS)


def test_no_trusted_type_has_a_hook_that_unpickling_would_call_beyond_those_reviewed() -> None:
    """A class of the list that gains a way to run something while it is loaded has to be reviewed again."""
    from importlib import import_module

    reviewed = {"BaseEstimator", "BallTree", "BinaryTree", "DistanceMetric", "KDTree", "Tree", "TreePredictor"}
    reviewed |= {"BinaryTree64", "DistanceMetric64", "MahalanobisDistance64"}
    for name in PLACES:
        module, _, kind = name.rpartition(".")
        try:
            found = getattr(import_module(module), kind)
        except (ImportError, AttributeError):
            continue  # of another version, or a metric that is in another of the modules
        if isinstance(found, type) and "ObjectNode" in PLACES[name]:
            owners = {
                base.__name__ for base in found.__mro__ if "__setstate__" in vars(base) or "__del__" in vars(base)
            }
            assert owners <= reviewed, name


# --- functions that could not be found again are refused at save ---


def test_a_lambda_is_refused_when_it_is_saved(tmp_path: Path) -> None:
    with pytest.raises(
        UnsavableModelError, match=r"Cannot save FunctionTransformer: it holds the function .*<lambda>, which no"
    ):
        dump(FunctionTransformer(lambda rows: rows), tmp_path / "model.skops")
    assert not (tmp_path / "model.skops").exists()


def test_what_skops_cannot_write_is_refused_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(UnsavableModelError, match="Cannot save generator: TypeError: cannot pickle 'generator' object"):
        dump((number for number in [1]), tmp_path / "model.skops")
    assert not (tmp_path / "model.skops").exists()


# --- files that are none ---


@pytest.mark.parametrize("data", [b"", b"\x80\x04K\x01.", b"PK\x03\x04 and no more"])
def test_what_is_no_skops_file_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.skops").write_bytes(data)
    with pytest.raises(BundleFormatError, match="it is no skops file"):
        load(tmp_path / "model.skops")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleFormatError, match="it is no skops file"):
        load(tmp_path / "model.skops")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path: Path, share: float) -> None:
    dump(DecisionTreeClassifier().fit(X, Y), tmp_path / "model.skops")
    data = (tmp_path / "model.skops").read_bytes()
    (tmp_path / "model.skops").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(BundleFormatError, match="it is no skops file"):
        load(tmp_path / "model.skops")


def test_another_zip_file_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.skops", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(BundleFormatError, match=r"it is no skops file that skops can read \(KeyError"):
        load(tmp_path / "model.skops")


def test_a_file_of_a_later_skops_is_refused(tmp_path: Path) -> None:
    dump(StandardScaler(), tmp_path / "model.skops")
    edit_schema(tmp_path / "model.skops", lambda schema: schema.update(protocol=99))
    with pytest.raises(BundleFormatError, match="protocol 99, but this version of skops only supports"):
        load(tmp_path / "model.skops")


def test_an_object_that_holds_itself_is_refused(tmp_path: Path) -> None:
    dump([[1]], tmp_path / "model.skops")
    edit_schema(tmp_path / "model.skops", lambda schema: schema["content"][0].update(__id__=schema["__id__"]))
    with pytest.raises(BundleFormatError, match="RecursionError"):
        load(tmp_path / "model.skops")


# --- versions ---


def set_version(path: Path, version: str) -> None:
    def change(schema: Any) -> None:
        for node in walk(schema):
            if isinstance(node.get("_sklearn_version"), dict):
                node["_sklearn_version"]["content"] = json.dumps(version)

    edit_schema(path, change)


def test_another_version_of_scikit_learn_gives_one_warning(tmp_path: Path) -> None:
    import sklearn

    model = SklearnModel(DecisionTreeClassifier().fit(X, Y), ["a", "b"], ["y"])
    skops_format.save(model, tmp_path / "model")
    set_version(tmp_path / "model" / "model.skops", "99.0")
    found = json.loads((tmp_path / "model" / "model.json").read_text())
    found["versions"]["scikit-learn"] = "99.0"
    (tmp_path / "model" / "model.json").write_text(json.dumps(found))
    with pytest.warns(
        UserWarning, match=f"was saved with scikit-learn 99.0, and {sklearn.__version__} is installed"
    ) as seen:
        loaded = skops_format.load(tmp_path / "model")
    assert len(seen) == 1
    assert loaded.underlying.predict(X).tolist() == Y


def test_a_file_that_this_version_cannot_make_names_the_one_that_wrote_it(tmp_path: Path) -> None:
    dump(StandardScaler().fit(X), tmp_path / "model.skops")
    edit_schema(tmp_path / "model.skops", lambda schema: schema.update(__module__="sklearn.preprocessing._data_of_99"))
    with pytest.raises(UntrustedTypeError):  # a type that this version does not have is not in its list either
        load(tmp_path / "model.skops")
    with pytest.raises(
        BundleFormatError, match=r"ModuleNotFoundError.*; it was saved with scikit-learn 99\.0, which is not"
    ):
        load(
            tmp_path / "model.skops",
            trusted=["sklearn.preprocessing._data_of_99.StandardScaler"],
            versions={"scikit-learn": "99.0"},
        )


# --- cost ---


def test_importing_the_format_imports_neither_skops_nor_scikit_learn() -> None:
    code = "import mercury_sklearn.skops_format, sys; print({'skops', 'sklearn', 'numpy', 'pickle'} & {*sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "set()"


def test_the_module_has_its_public_names() -> None:
    assert isinstance(formats.skops_format, formats.SkopsFormat)

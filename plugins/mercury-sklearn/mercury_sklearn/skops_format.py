"""Models and fitted transformers in skops files: no pickle, no code from the file.

A file is read in four steps, each of which can refuse it, and nothing of it is used before the last is done: its
types are compared with what is trusted (skops' own list, `mercury_sklearn.trusted`, and what the one who loads adds);
types that are trusted in one place only must stand there; content that compiled code would index by is checked; then
the objects are made, and checked as a whole.

skops is imported when something is saved or loaded, since that imports the whole of scikit-learn.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mercury_core import strict_json
from mercury_core.errors import BundleFormatError, CorruptBundleError, UnsavableModelError, UntrustedTypeError
from mercury_sklearn.trusted import PARTIAL_OF, PLACES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from mercury_core.contracts import Model
    from mercury_sklearn.model import SklearnModel

_MODEL, _METADATA = "model.skops", "model.json"


class SkopsFormat:
    """Estimators and pipelines, as a directory of ``model.skops`` and ``model.json`` (names and versions)."""

    def save(self, model: Model, path: Path) -> Path:
        """Write a model.

        Args:
            model: A model of this plugin.
            path: The directory to make.

        Returns:
            `path`.

        Raises:
            UnsavableModelError: It holds something that skops cannot write, or is no model of this plugin.
        """
        from mercury_sklearn.model import SklearnModel

        if not isinstance(model, SklearnModel):
            is_bundle = isinstance(getattr(model, "model", None), SklearnModel)
            todo = "Take its own model, bundle.model, or store_model, which writes the transforms too."
            raise UnsavableModelError(
                repr(model),
                "sklearn.skops writes the models of sklearn.fit",
                todo if is_bundle else "Choose the format of the plugin that fitted it.",
            )
        path = Path(path)
        path.mkdir(parents=True, exist_ok=True)
        dump(model.underlying, path / _MODEL)
        text = strict_json.dumps({"model": model.metadata(), "versions": _versions()}, indent=2)
        (path / _METADATA).write_text(text + "\n", encoding="utf-8")
        return path

    def load(self, path: Path, *, trusted: Collection[str] = ()) -> SklearnModel:
        """Read a model again.

        Args:
            path: What `save` gave back.
            trusted: Types, by full name, that the one who loads trusts beyond the plugin's list.

        Raises:
            UntrustedTypeError: It holds types that are in no list.
            CorruptBundleError: Its content is not what scikit-learn writes.
            BundleFormatError: It is no skops file, or not one that can be read with what is installed.
        """
        from mercury_sklearn.model import SklearnModel

        path = Path(path)
        try:
            found = json.loads((path / _METADATA).read_text(encoding="utf-8"))
            metadata, versions = found["model"], found["versions"]
            model = SklearnModel.from_metadata(None, metadata)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BundleFormatError(
                str(path), f"its {_METADATA} cannot be read ({type(error).__name__}: {error})"
            ) from error
        model.underlying = load(path / _MODEL, trusted=trusted, versions=versions)
        return model


#: The provider ``sklearn.skops``.
skops_format = SkopsFormat()


def dump(obj: Any, path: str | Path) -> None:
    """Write an object that scikit-learn made to a skops file.

    Args:
        obj: An estimator, or plain values, lists, dicts and arrays around some.
        path: The file.

    Raises:
        UnsavableModelError: It holds something that skops cannot write or could not read again, such as a lambda.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from sklearn.preprocessing import StandardScaler
        >>> with TemporaryDirectory() as here:
        ...     dump(StandardScaler().fit([[0.0], [2.0]]), f"{here}/scaler.skops")
        ...     load(f"{here}/scaler.skops").mean_.tolist()
        [1.0]
    """
    import skops.io

    try:
        data = skops.io.dumps(obj)
    except Exception as error:  # whatever __reduce__ and __getstate__ of anybody's class raise
        raise UnsavableModelError(_kind(obj), _first_line(error), "Save a model without it.") from error
    lost = sorted(_lost_functions(data))
    if lost:
        raise UnsavableModelError(
            _kind(obj),
            f"it holds {', '.join(lost)}, which no name leads to again",
            "Define the function in a module that can be imported wherever the model is loaded.",
        )
    Path(path).write_bytes(data)


def load(path: str | Path, *, trusted: Collection[str] = (), versions: dict[str, str] | None = None) -> Any:
    """Read what `dump` wrote; see `SkopsFormat.load`.

    Args:
        path: The file.
        trusted: Types, by full name, to trust beyond the plugin's list.
        versions: The versions that wrote it, for messages.

    Raises:
        UntrustedTypeError: It holds types that are in no list.
        CorruptBundleError: Its content is not what scikit-learn writes.
        BundleFormatError: It is no skops file, or not one that can be read with what is installed.
    """
    from zipfile import BadZipFile, ZipFile

    where = str(path)
    if isinstance(trusted, str):
        trusted = [trusted]
    try:
        with ZipFile(path) as archive:
            return _load(archive, where, frozenset(trusted), versions or {})
    except (BadZipFile, FileNotFoundError) as error:
        raise BundleFormatError(where, f"it is no skops file ({_first_line(error)})") from error


def _load(archive: Any, where: str, trusted: frozenset[str], versions: dict[str, str]) -> Any:
    from skops.io._audit import get_tree
    from skops.io._utils import read_schema

    from mercury_sklearn.trusted_content import before, within

    try:
        schema, context = read_schema(archive)
        allowed = [*PLACES, *trusted]
        root = get_tree(schema, context, trusted=allowed)
        untrusted = root.get_unsafe_set() - set(allowed)
    except Exception as error:  # skops parses what anybody may have written
        raise BundleFormatError(where, f"it is no skops file that skops can read ({_first_line(error)})") from error
    if untrusted:
        raise UntrustedTypeError(where, untrusted)
    nodes = list(_nodes(root))
    faults = list(_misplaced(nodes, trusted))
    if faults:
        raise CorruptBundleError(where, _some(faults))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            faults = [fault for node in nodes for fault in before(node)]
            instance = None if faults else root.construct()
            if not faults:
                faults = [fault for node in nodes for fault in within(node.construct())]
        except Exception as error:  # __setstate__ of any class, given what anybody may have written
            why = f"making its objects failed ({_first_line(error)}){_advice(versions)}"
            if isinstance(error, ModuleNotFoundError) and not str(error.name).startswith("sklearn."):
                why = f"{why}; install the module of that type, or put its directory on PYTHONPATH"
            raise BundleFormatError(where, why) from error
    if faults:
        raise CorruptBundleError(where, _some(faults))
    _pass_on(caught, where, versions)
    return instance


def _nodes(root: Any) -> Iterator[Any]:
    """Every node of a tree of skops, the inner ones first, each once."""
    seen: set[int] = set()
    stack: list[tuple[Any, bool]] = [(root, False)]
    while stack:
        node, done = stack.pop()
        if done:
            yield node
        elif hasattr(node, "children") and id(node) not in seen:
            seen.add(id(node))
            stack.append((node, True))
            for child in node.children.values():
                inner = (
                    child.values() if isinstance(child, dict) else child if isinstance(child, list | tuple) else [child]
                )
                stack.extend((each, False) for each in inner)


def _misplaced(nodes: list[Any], trusted: frozenset[str]) -> Iterator[str]:
    """Types of our list that do not stand where scikit-learn puts them."""
    for node in nodes:
        name, place = f"{node.module_name}.{node.class_name}", type(node).__name__
        if name in PLACES and name not in trusted and place not in PLACES[name]:
            yield f"it has {name} as a {place}, where scikit-learn has a {' or a '.join(PLACES[name])}"
        elif place == "PartialNode" and name not in trusted:
            function = f"{node.func.module_name}.{node.func.class_name}"
            if type(node.func).__name__ != "FunctionNode" or function != PARTIAL_OF:
                yield f"it has a partial of {function}, where scikit-learn has one of {PARTIAL_OF} only"


def _some(faults: list[str]) -> list[str]:
    distinct = list(dict.fromkeys(faults))
    return distinct[:5] + ([f"and {len(distinct) - 5} more"] if len(distinct) > 5 else [])


def _lost_functions(data: bytes) -> Iterator[str]:
    """Functions in a skops file that could not be imported again."""
    import io
    import sys
    from zipfile import ZipFile

    schema = ZipFile(io.BytesIO(data)).read("schema.json")
    if b'"FunctionNode"' not in schema:
        return
    stack = [json.loads(schema)]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack.extend(node)
        elif isinstance(node, dict):
            stack.extend(node.values())
            if node.get("__loader__") == "FunctionNode":
                module, name = node["__module__"], node["__class__"]
                if module == "__main__" or not hasattr(sys.modules.get(module), name):
                    yield f"the function {module}.{name}"


def _pass_on(caught: list[warnings.WarningMessage], where: str, versions: dict[str, str]) -> None:
    """Give the warnings of loading on: those of versions, one an estimator, as one."""
    from sklearn.exceptions import InconsistentVersionWarning

    older = False
    for warning in caught:
        if issubclass(warning.category, InconsistentVersionWarning):
            older = True
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    if older:
        wrote = versions.get("scikit-learn") or "another version"
        warnings.warn(
            f"{where} was saved with scikit-learn {wrote}, and {_versions()['scikit-learn']} is installed: it may "
            f"predict otherwise or fail. Install the version that wrote it, or fit the model again.",
            UserWarning,
            stacklevel=4,
        )


def _versions() -> dict[str, str]:
    import numpy as np
    import sklearn
    import skops

    return {"scikit-learn": sklearn.__version__, "skops": skops.__version__, "numpy": np.__version__}


def _advice(versions: dict[str, str]) -> str:
    other = [f"{name} {versions[name]}" for name, here in _versions().items() if versions.get(name, here) != here]
    return f"; it was saved with {', '.join(other)}, which is not what is installed" if other else ""


def _kind(obj: Any) -> str:
    return type(obj).__name__


def _first_line(error: BaseException) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}".rstrip(". ")

"""What all formats share: the file ``model.json`` beside a model, and the words where one cannot be written or read.

Nothing here imports Keras.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mercury_core import strict_json
from mercury_core.errors import BundleFormatError, UnsavableModelError
from mercury_keras import outputs
from mercury_keras.specs import ModelSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mercury_core.contracts import Model
    from mercury_keras.model import KerasModel

NAME = "model.json"
_FORMAT_VERSION = 1
#: By how much predictions may move from one backend or processor to another, which sum in another order.
TOLERANCE = 1e-5
#: What a batch and an image may have at most, lest a file of a few bytes takes all memory.
_MOST_ROWS, _MOST_PIXELS = 1 << 20, 1 << 28
_MOST_LETTERS = 300
_LABELS = (str, int, float)  # a bool is an int


@dataclass(frozen=True, slots=True)
class Beside:
    """What ``model.json`` holds.

    Attributes:
        spec: What the model takes and gives.
        versions: Of Keras and its backend when it was saved, by distribution; for messages.
        custom: The full name, ``module:name``, of each class and function that is no part of Keras, by the name under
            which the model's own file has it.
        outputs: Of an exported model, the names of its outputs in the order in which it gives them.
    """

    spec: ModelSpec
    versions: Mapping[str, str] = field(default_factory=dict)
    custom: Mapping[str, str] = field(default_factory=dict)
    outputs: Sequence[str] = ()


def as_keras(model: Model, key: str) -> KerasModel:
    """The model of this plugin that is to be saved.

    Args:
        model: What was given.
        key: Of the format.

    Raises:
        UnsavableModelError: It is another one, or one that was exported and is no Keras model any more.
    """
    from mercury_keras.model import KerasModel

    if not isinstance(model, KerasModel):
        is_bundle = isinstance(getattr(model, "model", None), KerasModel)
        todo = "Take its own model, bundle.model, or store_model, which writes the transforms too."
        raise UnsavableModelError(
            repr(model),
            f"{key} writes the models of keras.fit",
            todo if is_bundle else "Choose the format of the plugin that fitted it.",
        )
    if not model.is_keras:
        raise UnsavableModelError(
            repr(model),
            "it was exported, and an exported model can predict and no more",
            "Copy the files that it was loaded from, or save the Keras model that it was exported from.",
        )
    return model


def refused(model: KerasModel, key: str, error: BaseException, todo: str = "") -> UnsavableModelError:
    """What Keras, or the library of a format, said when it could not write a model."""
    return UnsavableModelError(repr(model), f"{key} failed ({first_line(error)})", todo or "Choose another format.")


def write(path: Path, model: KerasModel, key: str, *, custom: Mapping[str, str], outputs: Sequence[str] = ()) -> Path:
    """Write ``model.json``.

    Args:
        path: The directory of the model.
        model: The model.
        key: Of the format.
        custom: See `Beside`.
        outputs: Likewise.

    Returns:
        `path`.
    """
    content = {
        "format_version": _FORMAT_VERSION,
        "format": key,
        "model": model.spec.to_json(),
        "versions": versions(),
        "custom": custom,
        "outputs": list(outputs),
    }
    (path / NAME).write_text(strict_json.dumps(content, indent=2) + "\n", encoding="utf-8")
    return path


def make(path: Path, model: KerasModel) -> Path:
    """Make the directory of a model, once it is known that ``model.json`` can hold what belongs there.

    Raises:
        UnsavableModelError: Labels that JSON does not have.
    """
    for output in model.spec.outputs:
        odd = [label for label in output.classes or () if not isinstance(label, _LABELS)]
        if odd:
            raise UnsavableModelError(
                repr(model),
                f"the target {output.targets[0]!r} has labels of the type {type(odd[0]).__name__}, as {odd[0]!r}",
                "Make texts or whole numbers of them before fitting.",
            )
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    return path


def read(path: Path, key: str) -> Beside:
    """Read ``model.json``.

    Args:
        path: The directory of the model.
        key: Of the format.

    Raises:
        BundleFormatError: It is missing, damaged, of a later version, or of another format.
    """
    where = str(path)
    try:
        content = json.loads((path / NAME).read_bytes())
        version, found = content["format_version"], content["format"]
        if version == _FORMAT_VERSION and found == key:
            beside = Beside(
                ModelSpec.from_json(content["model"]),
                msgspec.convert(content["versions"], dict[str, str]),
                msgspec.convert(content["custom"], dict[str, str]),
                msgspec.convert(content["outputs"], tuple[str, ...]),
            )
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleFormatError(where, f"its {NAME} cannot be read ({first_line(error)})") from error
    if version != _FORMAT_VERSION:
        why = f"its {NAME} is of version {version!r}, this plugin reads {_FORMAT_VERSION}: install one that reads it"
        raise BundleFormatError(where, why)
    if found != key:
        raise BundleFormatError(where, f"it was written as {found!r}, not as {key!r}")
    faults = _faults(beside.spec)
    if faults:
        raise BundleFormatError(where, f"its {NAME} cannot be true: {'; '.join(faults)}")
    return beside


def _faults(spec: ModelSpec) -> list[str]:
    faults = []
    if not spec.inputs or not spec.outputs:
        faults.append("it has no inputs, or no outputs")
    if not 1 <= spec.batch_size <= _MOST_ROWS:
        faults.append(f"batches of {spec.batch_size} rows")
    for one in spec.inputs:
        if one.image is not None and (
            min(one.image.height, one.image.width) < 1 or one.image.height * one.image.width > _MOST_PIXELS
        ):
            faults.append(f"images of {one.image.height} × {one.image.width} pixels")
        if not one.columns or (one.image is not None and len(one.columns) > 1):
            faults.append(f"the input {one.name!r} of {len(one.columns)} columns")
    for output in spec.outputs:
        targets, labels = len(output.targets), len(output.classes or ())
        wanted = {
            "binary": targets == 1 and labels == 2 and output.units in (1, 2),
            "multiclass": targets == 1 and labels >= 2 and output.units == labels,
            "multilabel": labels == 0 and output.units == targets,
            "regression": labels == 0 and output.units == targets,
        }
        if not targets or not wanted[output.task] or len(output.types) not in (0, targets):
            faults.append(
                f"the output {output.name!r}, {output.task}, of {targets} targets, {labels} labels and "
                f"{output.units} numbers a row"
            )
        try:
            outputs.labels(output)
        except (ValueError, TypeError) as error:
            faults.append(f"labels of the type {output.types} ({first_line(error)})")
    names = [name for output in spec.outputs for name in output.targets]
    if len(set(names)) < len(names):
        faults.append("a target twice")
    return faults


def unreadable(path: Path, error: BaseException, beside: Beside) -> BundleFormatError:
    """What Keras, or the library of a format, said when it could not read a file; and what wrote it."""
    said = "there is not enough memory for it" if isinstance(error, MemoryError) else first_line(error)
    return BundleFormatError(str(path), f"it cannot be read ({said}){advice(beside)}")


def advice(beside: Beside) -> str:
    """What ends the error where a file cannot be read: the versions that wrote it, where they are others than here."""
    here = versions()
    other = [f"{name} {version}" for name, version in beside.versions.items() if here.get(name, version) != version]
    return f"; it was saved with {', '.join(other)}, which is not what is installed: install that" if other else ""


def versions() -> dict[str, str]:
    """The versions of Keras and of what may lie below it, as far as they are installed."""
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in ("keras", "torch", "tensorflow", "tensorflow-cpu", "jax", "onnxruntime"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def first_line(error: BaseException) -> str:
    """An error in one line that is not too long: ``ValueError: no such thing``."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    line = f"{type(error).__name__}: {lines[0]}".rstrip(". ") if lines else type(error).__name__
    return line if len(line) <= _MOST_LETTERS else f"{line[:_MOST_LETTERS]} …"

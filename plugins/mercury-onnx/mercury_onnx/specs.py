"""What an exported scikit-learn model takes and gives: what is kept beside it, in ``model.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping  # noqa: TC003 -- msgspec reads the types of the fields
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec

from mercury_core import strict_json
from mercury_core.errors import BundleFormatError
from mercury_onnx.session import first_line

if TYPE_CHECKING:
    from pathlib import Path

NAME = "model.json"
_FORMAT_VERSION = 1

#: How the scores are had of what the graph gives: ``none``; ``columns``, as they are; ``reversed``, the last one first;
#: ``signed``, the last one as ``-d`` and ``d``; ``targets``, of targets × rows × labels, those of the label 1.
Scores = Literal["none", "columns", "reversed", "signed", "targets"]


@dataclass(frozen=True, slots=True)
class Spec:
    """What a model takes and gives.

    Attributes:
        estimator: What was exported, for messages.
        features: The feature columns, in the order of training.
        targets: The names of what is predicted.
        types: Their Arrow types.
        classes: The labels of a classifier of one target, in the order of the scores; else None.
        matrix: Whether the graph takes one matrix, and not an input for each column.
        scores: See `Scores`.
        places: Of ``targets``, the place of the label 1 among the labels of each target, -1 where it has none.
        no_nan: The places of the features in which missing numbers are refused: by the estimator, as a graph would not,
            or since the graph takes them otherwise.
        no_inf: Likewise of infinite ones.
        threads: On how many threads an operator computes.
        versions: Of what wrote it, by distribution; for messages.
    """

    estimator: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    types: tuple[str, ...]
    classes: tuple[Any, ...] | None = None
    matrix: bool = True
    scores: Scores = "none"
    places: tuple[int, ...] = ()
    no_nan: tuple[int, ...] = ()
    no_inf: tuple[int, ...] = ()
    threads: Annotated[int, msgspec.Meta(ge=0, le=1024)] = 1
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def advice(self) -> str:
        """What ends the error where a file cannot be read: other versions than those that wrote it."""
        from importlib.metadata import PackageNotFoundError, version

        here = {}
        for name in self.versions:
            try:
                here[name] = version(name)
            except PackageNotFoundError:
                continue
        other = [f"{name} {wrote}" for name, wrote in self.versions.items() if here.get(name, wrote) != wrote]
        return f"; it was saved with {', '.join(other)}, which is not what is installed" if other else ""


def write(path: Path, key: str, spec: Spec) -> None:
    """Write ``model.json`` into the directory of a model."""
    content = {"format_version": _FORMAT_VERSION, "format": key, "model": asdict(spec)}
    (path / NAME).write_text(strict_json.dumps(content, indent=2) + "\n", encoding="utf-8")


def read(path: Path, key: str) -> Spec:
    """Read ``model.json``.

    Args:
        path: The directory of a model.
        key: Of the format.

    Raises:
        BundleFormatError: It is missing, damaged, of a later version, of another format, or contradicts itself.
    """
    where = str(path)
    try:
        content = json.loads((path / NAME).read_bytes())
        version, found = content["format_version"], content["format"]
        spec = msgspec.convert(content["model"], Spec) if (version, found) == (_FORMAT_VERSION, key) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise BundleFormatError(where, f"its {NAME} cannot be read ({first_line(error)})") from error
    if version != _FORMAT_VERSION:
        why = f"its {NAME} is of version {version!r}, this plugin reads {_FORMAT_VERSION}: install one that reads it"
        raise BundleFormatError(where, why)
    if spec is None:
        raise BundleFormatError(where, f"it was written as {found!r}, not as {key!r}")
    faults = _faults(spec)
    if faults:
        raise BundleFormatError(where, f"its {NAME} cannot be true: {'; '.join(faults)}")
    return spec


def _faults(spec: Spec) -> list[str]:
    import pyarrow as pa

    faults = []
    for what, names in (("feature", spec.features), ("target", spec.targets), ("class", spec.classes or ())):
        if len(set(map(repr, names))) < len(names):
            faults.append(f"a {what} twice")
    if not spec.features or not spec.targets or len(spec.types) != len(spec.targets):
        faults.append(f"{len(spec.features)} features, {len(spec.targets)} targets of {len(spec.types)} types")
    if any(not isinstance(label, (str, int, float)) for label in spec.classes or ()):
        faults.append("classes that are no labels")
    if spec.classes is not None and (len(spec.targets) != 1 or spec.scores == "targets"):
        faults.append(f"classes of {len(spec.targets)} targets")
    if spec.scores == "targets" and len(spec.places) != len(spec.targets):
        faults.append(f"{len(spec.places)} places of labels for {len(spec.targets)} targets")
    if any(not 0 <= place < len(spec.features) for place in (*spec.no_nan, *spec.no_inf)):
        faults.append("a place where there is no feature")
    for kind in spec.types:
        try:
            pa.type_for_alias(kind)
        except (ValueError, KeyError):
            faults.append(f"a target of the type {kind[:40]!r}")
    return faults

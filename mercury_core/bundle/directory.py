"""The bundle as a directory: ``mercury.json``, ``model/``, ``transforms/NN/``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mercury_core import registry
from mercury_core.bundle import manifest as manifests
from mercury_core.bundle.bundle import Bundle
from mercury_core.bundle.transforms import AppliedTransform
from mercury_core.errors import ArgumentsError, ObjectExistsError, StoreAccessError, UntrustedTypeError
from mercury_core.parameters import require
from mercury_core.storage.atomic import atomic_directory
from mercury_core.storage.standing_in import standing_in
from mercury_core.storage.uri import is_remote, to_path

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from mercury_core.contracts import ModelFormat
    from mercury_core.storage import Stores


def save(bundle: Bundle, path: str | Path, *, format: str, overwrite: str, params: Mapping[str, Any]) -> Path:  # noqa: A002
    """Write a bundle; see `Bundle.save`."""
    writer = _format(format)
    require("save", format, writer, params)
    target = to_path(path)
    if overwrite not in ("error", "skip", "replace"):
        raise ArgumentsError("save", format, [f"'overwrite' is {overwrite!r}: expected 'error', 'skip' or 'replace'."])
    if target.exists() and overwrite != "replace":
        if overwrite == "skip":
            return target
        raise ObjectExistsError(str(target))
    if target.exists() and not _is_replaceable(target):
        why = "it is no bundle, and nothing else is replaced as a whole"
        raise StoreAccessError("replace", str(target), why, "Choose another path, or remove it yourself.")
    with atomic_directory(target, overwrite=overwrite == "replace") as work:
        model = writer.save(bundle.model, work / "model", **params)
        transforms = []
        for place, step in enumerate(bundle.transforms):
            name = "" if step.is_function else f"transforms/{place:02d}"
            step.save(work / name)
            transforms.append(manifests.SavedTransform(step.use, step.id, dict(step.params), name))
        manifests.write(
            work,
            manifests.Manifest(
                format_version=manifests.FORMAT_VERSION,
                model=manifests.SavedModel(format, model.relative_to(work).as_posix()),
                transforms=transforms,
                signature=bundle.signature,
                metrics=bundle.metrics,
                run=bundle.run,
                packages=bundle.packages(),
                files=manifests.proofs_of(work),
            ),
        )
    return target


def _is_replaceable(target: Path) -> bool:
    return target.is_dir() and ((target / manifests.NAME).is_file() or not any(target.iterdir()))


def load(
    path: str | Path, *, trusted: Collection[str], stores: Mapping[str, Mapping[str, Any]] | Stores | None = None
) -> Bundle:
    """Read a bundle; see `Bundle.load`."""
    if not is_remote(path):
        directory = to_path(path)
        return _load(directory, manifests.read(directory), trusted)
    from mercury_core.bundle.cache import local_copy

    uri = str(path)
    with local_copy(uri, stores) as (directory, found), standing_in(directory, uri):
        return _load(directory, found, trusted)


def _load(directory: Path, found: manifests.Manifest, trusted: Collection[str]) -> Bundle:
    """Load what was proven."""
    # A registered key is code that was installed on purpose; a reference could name any function of the machine.
    named = [found.model.format, *(step.use for step in found.transforms)]
    foreign = {name for name in named if ":" in name} - set(trusted)
    if foreign:
        raise UntrustedTypeError(str(directory), foreign)
    transforms = [_transform(step, directory, trusted) for step in found.transforms]
    model = _format(found.model.format).load(directory / found.model.path, trusted=trusted)
    return Bundle(model, transforms, found.signature, metrics=found.metrics, run=found.run)


def _format(key: str) -> ModelFormat:
    found: Any = registry.resolve("save", key)
    if not (hasattr(found, "save") and hasattr(found, "load")):
        raise ArgumentsError("save", key, [f"{key!r} writes tables and dicts, not models: choose a model format."])
    model_format: ModelFormat = found
    return model_format


def _transform(step: manifests.SavedTransform, directory: Path, trusted: Collection[str]) -> AppliedTransform:
    provider: Any = registry.resolve("transform", step.use)
    work = provider.load(directory / step.path, trusted=trusted) if step.path else provider
    return AppliedTransform(step.use, step.params, work, id=step.id)

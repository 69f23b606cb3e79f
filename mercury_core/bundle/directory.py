"""The bundle as a directory: ``mercury.json``, ``model/``, ``transforms/NN/``, ``golden.parquet``."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from mercury_core import registry
from mercury_core.bundle import golden as goldens, manifest as manifests
from mercury_core.bundle.bundle import Bundle
from mercury_core.bundle.transforms import AppliedTransform
from mercury_core.errors import (
    ArgumentsError,
    BundleError,
    CorruptBundleError,
    ObjectExistsError,
    ObjectNotFoundError,
    StoreAccessError,
    UnsavableModelError,
    UntrustedPickleError,
    UntrustedTypeError,
)
from mercury_core.parameters import require
from mercury_core.storage.atomic import atomic_directory
from mercury_core.storage.standing_in import standing_in
from mercury_core.storage.uri import is_remote, join, to_path

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from mercury_core.bundle.golden import Golden
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
        if getattr(writer, "exports", False):
            _prove_export(bundle, format, writer, model)
        transforms = []
        for place, step in enumerate(bundle.transforms):
            name = "" if step.is_function else f"transforms/{place:02d}"
            step.save(work / name)
            transforms.append(manifests.SavedTransform(step.use, step.id, dict(step.params), name))
        golden = _write_golden(bundle, work, getattr(writer, "tolerance", 0.0))
        manifests.write(
            work,
            manifests.Manifest(
                format_version=manifests.FORMAT_VERSION,
                model=manifests.SavedModel(format, model.relative_to(work).as_posix()),
                transforms=transforms,
                signature=bundle.signature,
                metrics=bundle.metrics,
                run=bundle.run,
                license=bundle.license,
                description=bundle.description,
                golden=golden,
                packages=bundle.packages(),
                files=manifests.proofs_of(work),
            ),
        )
    return target


def _prove_export(bundle: Bundle, key: str, writer: Any, path: Path) -> None:
    """See that what was written predicts the golden rows as the model does.

    Raises:
        UnsavableModelError: It does not; names the largest difference.
    """
    if bundle.golden is None:
        return
    from mercury_core.bundle.replay import compared
    from mercury_core.data import DataSet
    from mercury_core.data.prediction_table import prediction_table

    rows = DataSet({"features": bundle.golden.rows})
    again = Bundle(writer.load(path), bundle.transforms, bundle.signature)
    found = prediction_table(rows, again.predict(rows)).to_pydict()
    report = compared(bundle.golden.predictions.to_pydict(), found, getattr(writer, "tolerance", 0.0))
    if not report.holds:
        why = f"what {key} wrote predicts otherwise by {report.largest:.1e}, and {report.tolerance:g} is allowed"
        raise UnsavableModelError(repr(bundle.model), f"{why} ({report.where})", "Choose another format.")


def _write_golden(bundle: Bundle, work: Path, tolerance: float) -> manifests.SavedGolden | None:
    if bundle.golden is None:
        return None
    golden = goldens.loosened(bundle.golden, tolerance)
    if not golden.write(work / goldens.NAME):
        return None
    return manifests.SavedGolden(goldens.NAME, golden.rows.num_rows, golden.tolerance)


def _is_replaceable(target: Path) -> bool:
    return target.is_dir() and ((target / manifests.NAME).is_file() or not any(target.iterdir()))


def load(
    path: str | Path,
    *,
    trusted: Collection[str],
    trust: bool = False,
    stores: Mapping[str, Mapping[str, Any]] | Stores | None = None,
) -> Bundle:
    """Read a bundle; see `Bundle.load`."""
    if not is_remote(path):
        directory = to_path(path)
        return _load(directory, manifests.read(directory), trusted, trust)
    from mercury_core.bundle.cache import local_copy

    uri = str(path)
    with local_copy(uri, stores) as (directory, found), standing_in(directory, uri):
        return _load(directory, found, trusted, trust)


def inspect(path: str | Path, *, stores: Mapping[str, Mapping[str, Any]] | Stores | None = None) -> manifests.Manifest:
    """Read the manifest alone; see `Bundle.inspect`."""
    from mercury_core.bundle.cache import manifest_at
    from mercury_core.storage import Stores

    where = _where(path)
    if not is_remote(where):
        manifests.require_file(to_path(where))
    return manifests.decoded(manifest_at(where, stores if isinstance(stores, Stores) else Stores(stores)), where)


def golden_of(path: str | Path, *, stores: Mapping[str, Mapping[str, Any]] | Stores | None = None) -> Golden:
    """Read the golden rows; but for the manifest nothing else is fetched, and nothing is loaded.

    Raises:
        BundleError: It has no golden rows.
        CorruptBundleError: They are not those that were saved.
    """
    from mercury_core.storage import Stores

    where, stores = _where(path), stores if isinstance(stores, Stores) else Stores(stores)
    found = inspect(where, stores=stores)
    if found.golden is None:
        raise BundleError(
            f"The bundle {where} cannot be verified, since it has no golden rows: it was saved by an earlier version "
            f"of Mercury, or without its training data. Fit and save it again."
        )
    name = found.golden.path
    try:
        with stores.of(where).open(join(where, name)) as file:
            content = file.read()
    except ObjectNotFoundError as error:
        raise CorruptBundleError(where, [f"{name} is missing"]) from error
    proof = found.files[name]
    if len(content) != proof.size or hashlib.sha256(content).hexdigest() != proof.sha256:
        raise CorruptBundleError(where, [f"{name} is not what was saved"])
    return goldens.read(content, found.signature, found.golden, where)


def _where(path: str | Path) -> str:
    return str(path).rstrip("/") if is_remote(path) else str(to_path(path))


def _load(directory: Path, found: manifests.Manifest, trusted: Collection[str], trust: bool) -> Bundle:
    """Load what was proven."""
    # A registered key is code that was installed on purpose; a reference could name any function of the machine.
    named = [found.model.format, *(step.use for step in found.transforms)]
    foreign = {name for name in named if ":" in name} - set(trusted)
    if foreign:
        raise UntrustedTypeError(str(directory), foreign)
    reader = _format(found.model.format)
    providers: list[Any] = [registry.resolve("transform", step.use) for step in found.transforms]
    for step, provider in zip(found.transforms, providers, strict=True):
        if hasattr(provider, "load") != bool(step.path):
            what = "is fitted, and nothing was kept of it" if not step.path else "is a function, and has no files"
            raise CorruptBundleError(str(directory), [f"the transform {step.use!r} {what}"])
        if not step.path:
            require("transform", step.use, provider, step.params)
    for key, provider in () if trust else zip(named, [reader, *providers], strict=True):
        if runs := getattr(provider, "needs_pickle", None):
            raise UntrustedPickleError(str(directory), key, runs)
    golden = None
    if found.golden is not None:
        content = (directory / found.golden.path).read_bytes()
        golden = goldens.read(content, found.signature, found.golden, str(directory))
    transforms = [
        _transform(step, provider, directory, trusted)
        for step, provider in zip(found.transforms, providers, strict=True)
    ]
    return Bundle(
        reader.load(directory / found.model.path, trusted=trusted),
        transforms,
        found.signature,
        metrics=found.metrics,
        run=found.run,
        license=found.license,
        description=found.description,
        golden=golden,
        digest=hashlib.sha256((directory / manifests.NAME).read_bytes()).hexdigest(),
    )


def _format(key: str) -> ModelFormat:
    found: Any = registry.resolve("save", key)
    if not (hasattr(found, "save") and hasattr(found, "load")):
        raise ArgumentsError("save", key, [f"{key!r} writes tables and dicts, not models: choose a model format."])
    model_format: ModelFormat = found
    return model_format


def _transform(
    step: manifests.SavedTransform, provider: Any, directory: Path, trusted: Collection[str]
) -> AppliedTransform:
    work = provider.load(directory / step.path, trusted=trusted) if step.path else provider
    return AppliedTransform(step.use, step.params, work, id=step.id)

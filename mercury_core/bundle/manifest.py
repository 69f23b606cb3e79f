"""``mercury.json``: what a bundle says of itself, and the proof of its files."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from mercury_core.bundle.signature import Signature
from mercury_core.errors import BundleError, BundleFormatError, CorruptBundleError, ObjectNotFoundError
from mercury_core.storage.atomic import sha256_of

NAME = "mercury.json"
FORMAT_VERSION = 1


class FileProof(msgspec.Struct, frozen=True):
    """Size in bytes and SHA-256, in hexadecimal, of one file."""

    size: int
    sha256: str


class SavedModel(msgspec.Struct, frozen=True):
    """Where the model lies in the bundle, and the key of the format that wrote it."""

    format: str
    path: str


class SavedTransform(msgspec.Struct, frozen=True, omit_defaults=True):
    """One transform; `path` is empty for a function, which is its key and its parameters."""

    use: str
    id: str
    params: dict[str, Any] = {}
    path: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``mercury.json``.

    Attributes:
        format_version: Of this layout.
        model: The model's format and place.
        transforms: In the order in which they are applied.
        signature: Raw inputs, targets, index, classes.
        metrics: As they were measured, by data set and metric.
        run: The run that made it, or nothing.
        packages: Versions, by module or distribution.
        files: The proof of every other file of the bundle, by its path relative to the bundle.
    """

    format_version: int
    model: SavedModel
    transforms: list[SavedTransform] = []
    signature: Signature = Signature()
    metrics: dict[str, Any] = {}
    run: str | None = None
    packages: dict[str, str] = {}
    files: dict[str, FileProof] = {}


def proofs_of(directory: Path) -> dict[str, FileProof]:
    """Size and hash of every file below a directory, but for the manifest at its top."""
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path != directory / NAME)
    return {path.relative_to(directory).as_posix(): FileProof(path.stat().st_size, sha256_of(path)) for path in files}


def write(directory: Path, manifest: Manifest) -> None:
    """Write ``mercury.json`` into a directory.

    Raises:
        BundleError: A parameter of a transform that is no plain value.
    """
    try:
        content = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    except TypeError as error:
        raise BundleError(
            f"The bundle cannot be written, since a parameter of one of its transforms is no plain value: {error}."
        ) from error
    (directory / NAME).write_bytes(content + b"\n")


def read(directory: Path) -> Manifest:
    """Read ``mercury.json`` and prove the files: sizes, hashes, none missing, none extra, none that leads outside.

    Args:
        directory: The bundle.

    Returns:
        The manifest, which was found to be true.

    Raises:
        ObjectNotFoundError: There is no such directory.
        BundleFormatError: It is no bundle, or one of an unknown format version.
        CorruptBundleError: Its files are not those that were written.
    """
    try:
        content = (directory / NAME).read_bytes()
    except (FileNotFoundError, NotADirectoryError) as error:
        if not directory.exists():
            raise ObjectNotFoundError(str(directory)) from error
        raise BundleFormatError(str(directory), f"it holds no {NAME}, which every bundle has") from error
    try:
        version = msgspec.json.decode(content, type=_Version).format_version
        if version != FORMAT_VERSION:
            why = (
                f"its format version is {version}, this Mercury reads {FORMAT_VERSION}: install a version that reads it"
            )
            raise BundleFormatError(str(directory), why)
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BundleFormatError(str(directory), f"its {NAME} is damaged: {error}") from error
    faults = list(_faults(directory, manifest))
    if faults:
        raise CorruptBundleError(str(directory), faults)
    return manifest


class _Version(msgspec.Struct):
    format_version: int


def _faults(directory: Path, manifest: Manifest) -> list[str]:
    faults = []
    places = [manifest.model.path, *(step.path for step in manifest.transforms if step.path)]
    outside = [name for name in (*manifest.files, *places) if _leads_outside(name)]
    if outside:
        return [f"{name!r} leads outside the bundle" for name in outside]
    links = [path for path in directory.rglob("*") if path.is_symlink()]
    if links:
        return [f"{path.relative_to(directory).as_posix()} is a link, and a bundle has none" for path in links]
    present = {p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file()} - {NAME}
    faults += [f"{name} is missing" for name in sorted(manifest.files.keys() - present)]
    faults += [f"{name} was not there when it was saved" for name in sorted(present - manifest.files.keys())]
    faults += [f"{place} is missing" for place in places if not (directory / place).exists()]
    for name in sorted(present & manifest.files.keys()):
        proof, path = manifest.files[name], directory / name
        size = path.stat().st_size
        if size != proof.size:
            faults.append(f"{name} has {size} bytes, expected {proof.size}")
        elif sha256_of(path) != proof.sha256:
            faults.append(f"{name} has another SHA-256 than expected")
    return faults


def _leads_outside(name: str) -> bool:
    path = PurePosixPath(name)
    return not name or path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name

"""``mercury.json``: what a bundle says of itself, and the proof of its files."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from mercury_core.bundle.fields import is_plain
from mercury_core.bundle.signature import Signature
from mercury_core.errors import BundleError, BundleFormatError, CorruptBundleError, ObjectNotFoundError
from mercury_core.storage.atomic import sha256_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NAME = "mercury.json"
#: What is written; all in `READABLE` is read.
FORMAT_VERSION = 2
READABLE = (1, 2)


class FileProof(msgspec.Struct, frozen=True):
    """Size in bytes and SHA-256, in hexadecimal, of one file."""

    size: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}\\Z")]


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


class SavedGolden(msgspec.Struct, frozen=True):
    """The golden rows: their file, how many there are, and by how much a prediction may move (see `golden.Golden`)."""

    path: str
    rows: Annotated[int, msgspec.Meta(ge=1)]
    tolerance: Annotated[float, msgspec.Meta(ge=0)] = 0.0


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """The content of ``mercury.json``; ``docs/bundle.md`` tells of each field.

    Attributes:
        format_version: Of this layout.
        model: The model's format and place.
        transforms: In the order in which they are applied.
        signature: Raw inputs, targets, index, classes.
        metrics: As they were measured, by data set and metric.
        run: The run that made it, or nothing.
        license: Under which it may be used; empty where nobody said. Since version 2.
        description: What it is for; empty where nobody said. Since version 2.
        golden: The golden rows, where there are some. Since version 2.
        packages: Versions, by module or distribution.
        files: The proof of every other file of the bundle, by its path relative to the bundle.
    """

    format_version: int
    model: SavedModel
    transforms: list[SavedTransform] = []
    signature: Signature = Signature()
    metrics: dict[str, Any] = {}
    run: str | None = None
    license: str = ""
    description: str = ""
    golden: SavedGolden | None = None
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
    require_file(directory)
    manifest = decoded((directory / NAME).read_bytes(), str(directory))
    faults = list(_faults(directory, manifest))
    if faults:
        raise CorruptBundleError(str(directory), faults)
    return manifest


def require_file(directory: Path) -> None:
    """Refuse a directory whose ``mercury.json`` is none, or is a pipe, which would be waited for without an end.

    Raises:
        ObjectNotFoundError: There is no such directory.
        BundleFormatError: It is no bundle.
    """
    path = directory / NAME
    if not path.is_file():
        if path.exists():
            raise BundleFormatError(str(directory), f"its {NAME} is no file")
        if not directory.exists():
            raise ObjectNotFoundError(str(directory))
        raise missing(str(directory))


def missing(where: str) -> BundleFormatError:
    """The error of a place that has no ``mercury.json``."""
    return BundleFormatError(where, f"it holds no {NAME}, which every bundle has")


def decoded(content: bytes, where: str) -> Manifest:
    """Read the content of ``mercury.json``, of any version that can be read.

    Args:
        content: The content.
        where: The bundle, for errors.

    Raises:
        BundleFormatError: It is none, or one of an unknown format version.
        CorruptBundleError: It contradicts itself, or names places outside of the bundle.
    """
    try:
        version = msgspec.json.decode(content, type=_Version).format_version
        if version not in READABLE:
            known = f"{READABLE[0]} to {READABLE[-1]}"
            why = f"its format version is {version}, this Mercury reads {known}: install a version that reads it"
            raise BundleFormatError(where, why)
        manifest = msgspec.json.decode(content, type=Manifest)
    except msgspec.MsgspecError as error:
        raise BundleFormatError(where, f"its {NAME} is damaged: {error}") from error
    faults = list(_contradictions(manifest))
    if faults:
        raise CorruptBundleError(where, faults)
    return manifest


class _Version(msgspec.Struct):
    format_version: int


def _places(manifest: Manifest) -> list[str]:
    """Where the parts lie that will be loaded."""
    golden = [manifest.golden.path] if manifest.golden else []
    return [manifest.model.path, *(step.path for step in manifest.transforms if step.path), *golden]


def _contradictions(manifest: Manifest) -> Iterator[str]:
    """What is wrong with a manifest in itself, whatever files there are."""
    places = _places(manifest)
    outside = [name for name in (*manifest.files, *places) if _leads_outside(name)]
    if outside:
        yield from (f"{name!r} leads outside the bundle" for name in outside)
        return
    model = manifest.model.path
    if model not in manifest.files and not any(name.startswith(f"{model}/") for name in manifest.files):
        yield f"{model} has no file that {NAME} proves"
    if manifest.golden and manifest.golden.path not in manifest.files:
        yield f"{manifest.golden.path} is no file that {NAME} proves"
    for what, fields in (("input", manifest.signature.inputs), ("target", manifest.signature.targets)):
        names = [field.name for field in fields]
        yield from (f"the {what} {name!r} is there twice" for name in sorted({n for n in names if names.count(n) > 1}))
        for field in fields:
            if field.categories is None:
                continue
            if not field.categories or not all(map(is_plain, field.categories)):
                yield f"the categories of {field.name!r} are no labels"
            elif not field.type.startswith("dictionary<"):
                yield f"the {what} {field.name!r} has categories, and is of type {field.type}"
    if any(isinstance(label, (list, dict)) for label in manifest.signature.classes or ()):
        yield "the classes are no labels"


def _faults(directory: Path, manifest: Manifest) -> Iterator[str]:
    """What is wrong with the files."""
    every = [(path, path.relative_to(directory).as_posix()) for path in directory.rglob("*")]
    links = [f"{name} is a link, and a bundle has none" for path, name in every if path.is_symlink()]
    if links:
        yield from links
        return
    strange = [name for path, name in every if not path.is_dir() and not path.is_file()]
    yield from (f"{name} is neither a file nor a directory" for name in strange)
    sizes = {name: path.stat().st_size for path, name in every if path.is_file() and name != NAME}
    yield from differences(manifest, sizes)
    yield from (f"{place} is missing" for place in _places(manifest) if not (directory / place).exists())
    for name in sorted(sizes.keys() & manifest.files.keys()):
        proof = manifest.files[name]
        if sizes[name] == proof.size and sha256_of(directory / name) != proof.sha256:
            yield f"{name} has another SHA-256 than expected"


def differences(manifest: Manifest, sizes: Mapping[str, int]) -> Iterator[str]:
    """What is missing, what was added, and what has another size.

    Args:
        manifest: What should be there.
        sizes: What is there, by path, without the manifest itself.
    """
    yield from (f"{name} is missing" for name in sorted(manifest.files.keys() - sizes.keys()))
    yield from (f"{name} was not there when it was saved" for name in sorted(sizes.keys() - manifest.files.keys()))
    for name in sorted(sizes.keys() & manifest.files.keys()):
        if sizes[name] != (expected := manifest.files[name].size):
            yield f"{name} has {sizes[name]} bytes, expected {expected}"


def _leads_outside(name: str) -> bool:
    path = PurePosixPath(name)
    # Written in one way only: no double slashes, no dots, nothing that Windows takes for a drive or a separator.
    plain = str(path) == name and path.parts != () and ".." not in path.parts and not path.is_absolute()
    return not plain or name == NAME or re.search(r"[\\:\0]", name) is not None

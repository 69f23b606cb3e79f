"""Which image files a directory holds: those of its class folders, or all of them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mercury_core.errors import ObjectNotFoundError, ReadError, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

#: The endings of image files, where a user names no others.
EXTENSIONS = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")


def directory(path: Path, source: str) -> None:
    """See that there is a directory.

    Raises:
        ObjectNotFoundError: Nothing is there.
        ReadError: It is a file.
    """
    if path.is_dir():
        return
    if path.exists():
        raise ReadError(source, "it is a file", "Name the directory that the images are in.")
    raise ObjectNotFoundError(source)


def class_folders(path: Path, source: str, classes: Sequence[str] | None, endings: Collection[str]) -> list[str]:
    """The names of the folders that are classes, sorted, or as `classes` orders them; none where images lie beside.

    Args:
        path: The directory.
        source: What it is called.
        classes: Those to take, each of which has to be there; None for all.
        endings: Of image files.

    Raises:
        ReadError: There is neither a folder nor an image; there are both; a class has no folder.
    """
    folders, beside = [], False
    with os.scandir(path) as entries:
        for entry in entries:
            if not _is_hidden(entry.name):
                if entry.is_dir():
                    folders.append(entry.name)
                elif _is_image(entry.name, endings):
                    beside = True
    if classes is not None:
        for name in classes:
            if name not in folders:
                has = f" It has: {', '.join(sorted(folders)[:20]) or 'none'}."
                raise ReadError(source, f"it has no class folder {name!r}", did_you_mean(name, folders).strip() or has)
        return list(classes)
    if folders and beside:
        raise ReadError(
            source,
            "it holds images beside folders: expected images in one folder a class, or images alone",
            "Move them, or name the folders in classes.",
        )
    if not folders and not beside:
        raise ReadError(source, f"it holds no image ({_listed(endings)})", "Name the directory of the class folders.")
    return sorted(folders)


def images_of_class(path: Path, name: str, source: str, endings: Collection[str]) -> Iterator[str]:
    """The images of a class folder and the folders in it, relative to `path`, in the order of their names.

    Raises:
        ReadError: It has none.
    """
    found = False
    for file in images_in(path / name, endings):
        found = True
        yield f"{name}/{file}"
    if not found:
        raise ReadError(
            source,
            f"its class folder {name!r} holds no image ({_listed(endings)})",
            "Fill it, remove it, or name the other folders in classes.",
        )


def images_in(path: Path, endings: Collection[str]) -> Iterator[str]:
    """Every image below a directory, relative to it with ``/`` between names, in their order.

    Raises:
        ReadError: A directory in it may not be read.
    """
    for here, folders, files in os.walk(path, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        below = os.path.relpath(here, path).replace(os.sep, "/")
        for name in sorted(files):
            if _is_image(name, endings) and not _is_hidden(name):
                yield name if below == "." else f"{below}/{name}"


def _refuse(error: OSError) -> None:
    raise ReadError(str(error.filename), str(error.strerror), "Give yourself the right to read it.") from error


def _is_hidden(name: str) -> bool:
    """What systems and tools leave behind: ``.DS_Store``, ``.ipynb_checkpoints``, ``__MACOSX``."""
    return name.startswith(".") or name == "__MACOSX"


def _is_image(name: str, endings: Collection[str]) -> bool:
    return os.path.splitext(name)[1].lower() in endings  # noqa: PTH122 -- a million times


def _listed(endings: Collection[str]) -> str:
    return ", ".join(endings)

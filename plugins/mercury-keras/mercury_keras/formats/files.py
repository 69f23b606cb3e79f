"""Files that libraries in C read: what a crafted one could do is looked for before they are given it.

Nothing here imports Keras.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from zipfile import BadZipFile, ZipFile

from mercury_core.errors import BundleFormatError, CorruptBundleError
from mercury_keras.formats.common import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What is smaller is never taken for a bomb; in bytes.
_HARMLESS = 64 << 20
#: How much larger than what is stored something may become; weights compress by less than 10.
_MOST_EXPANSION = 100


def open_zip(path: Path) -> ZipFile:
    """An archive in which every name stays inside, and nothing becomes much more than it is.

    Args:
        path: The file.

    Raises:
        BundleFormatError: It is no archive.
        CorruptBundleError: A name that leads outside, a link, a name twice, or a bomb.
    """
    try:
        archive = ZipFile(path)
    except (OSError, BadZipFile) as error:
        raise BundleFormatError(str(path), f"it is no archive that can be read ({first_line(error)})") from error
    faults = list(_zip_faults(archive))
    if faults:
        archive.close()
        raise CorruptBundleError(str(path), faults[:5])
    return archive


def _zip_faults(archive: ZipFile) -> Iterator[str]:
    names = [info.filename for info in archive.infolist()]
    for name in sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else ():
        yield f"it has {name!r} twice"
    unpacked = stored = 0
    for info in archive.infolist():
        name = info.filename
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or not path.parts:
            yield f"{name!r} leads outside the archive"
        kind = info.external_attr >> 28
        if kind not in (0, 4, 8):  # of Unix: unknown, a directory, a file
            yield f"{name!r} is a link or another thing that is no file"
        if info.flag_bits & 1:
            yield f"{name!r} is encrypted"
        unpacked, stored = unpacked + info.file_size, stored + info.compress_size
    if unpacked > max(_HARMLESS, stored * _MOST_EXPANSION):
        yield f"it would become {unpacked:,} bytes of {stored:,}"


def check_hdf5(path: Path, file: IO[bytes] | None = None) -> None:
    """See that an HDF5 file holds what Keras writes: numbers, all of them in the file itself.

    Args:
        path: The file, or what it lies in.
        file: Its content, where it lies in something else.

    Raises:
        BundleFormatError: It is no HDF5 file, or a truncated one.
        CorruptBundleError: It refers to other files, or claims far more numbers than it holds.
    """
    import h5py

    try:
        with h5py.File(path if file is None else file, "r") as opened:
            faults = list(_hdf5_faults(opened))
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        why = f"it is no HDF5 file that can be read, or a truncated one ({first_line(error)})"
        raise BundleFormatError(str(path), why) from error
    if faults:
        raise CorruptBundleError(str(path), faults[:5])


def _hdf5_faults(root: Any) -> Iterator[str]:
    import h5py

    stack, seen = [root], {h5py.h5o.get_info(root.id).addr}
    while stack:
        group = stack.pop()
        for name in group:
            link = group.get(name, getlink=True)
            if not isinstance(link, h5py.HardLink):
                yield f"{group.name.rstrip('/')}/{name} is a link, and Keras writes none"
                continue
            child = group[name]
            address = h5py.h5o.get_info(child.id).addr
            if address in seen:
                yield f"{child.name} is in it twice"
                continue
            seen.add(address)
            if isinstance(child, h5py.Group):
                stack.append(child)
            else:
                yield from _dataset_faults(child)


def _dataset_faults(data: Any) -> Iterator[str]:
    import h5py

    if not isinstance(data, h5py.Dataset):
        yield f"{data.name} is no data set"
    elif data.is_virtual or data.external:
        yield f"{data.name} lies in another file"
    elif data.dtype.kind not in "biufcSVO" or (data.dtype.kind == "O" and h5py.check_string_dtype(data.dtype) is None):
        yield f"{data.name} holds no numbers ({data.dtype})"
    else:
        stored = data.id.get_storage_size()
        if data.nbytes > max(_HARMLESS, stored * _MOST_EXPANSION):
            yield f"{data.name} claims {data.nbytes:,} bytes, and {stored:,} are stored"

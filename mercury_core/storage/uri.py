"""URIs and paths: what they name, without asking any store.

A text with ``scheme://`` is a URI, all else is a path of the local disk. In ``file:`` URIs names are percent-encoded,
as the standard has it; in those of object stores they are taken as they stand, since a key may hold any character.
"""

from __future__ import annotations

import os

from mercury_core.errors import UriError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    Uri = str | os.PathLike[str]


def scheme_of(uri: Uri) -> str:
    """The scheme, in lower case; ``file`` for a path.

    Examples:
        >>> scheme_of("s3://bucket/key"), scheme_of("models/m"), scheme_of("FILE:///tmp/m"), scheme_of("C:/models")
        ('s3', 'file', 'file', 'file')
    """
    text = os.fspath(uri)
    scheme, mark, _ = text.partition("://")
    # One letter is a drive of Windows.
    if mark and len(scheme) > 1 and scheme[0].isalpha() and all(c.isalnum() or c in "+-." for c in scheme):
        return scheme.lower() if scheme.isascii() else "file"
    return "file"


def is_remote(uri: Uri) -> bool:
    """Whether it is anywhere else than on the local disk.

    Examples:
        >>> is_remote("s3://bucket/key"), is_remote("file:///tmp/m")
        (True, False)
    """
    return scheme_of(uri) != "file"


def local_path(uri: Uri) -> str:
    """The path of a local file, as text: see `to_path`."""
    text = os.fspath(uri)
    if not text:
        raise UriError(text, "it is empty", "Give a path, or a URI such as file:///tmp/m.")
    if "\0" in text:
        raise UriError(text, "it holds a null character", "Remove it.")
    if text[:5].lower() != "file:":
        if is_remote(text):
            raise UriError(text, "it is not on the local disk", "Copy it here first, or give a path.")
        if ":" in text:
            _check_no_slip(text)
        return os.path.expanduser(text) if text[0] == "~" else text  # noqa: PTH111 — without pathlib
    host, path = "", text[5:]
    if path.startswith("//"):
        host, slash, path = path[2:].partition("/")
        path = slash + path
    if host.lower() not in ("", "localhost") or not path.startswith("/"):
        hint = host + path
        raise UriError(
            text, "a file URI is absolute and names no host", f"Write file:///{hint.lstrip('/')}, or {hint!r}."
        )
    if "%" in path:
        from urllib.parse import unquote

        path = unquote(path, errors="surrogateescape")
        if "\0" in path:
            raise UriError(text, "it holds a null character", "Remove it.")
    return path[1:] if path[2:3] == ":" and os.name == "nt" else path


def _check_no_slip(text: str) -> None:
    """A URI that lacks a slash would be written to a directory named ``s3:``, where nobody looks for it."""
    scheme, _, rest = text.partition(":")
    # One letter is a drive of Windows.
    if len(scheme) < 2 or not scheme[0].isalpha() or not all(c.isalnum() or c in "+-." for c in scheme):
        return
    if not rest.startswith("/"):
        from mercury_core import registry

        if registry.provider_of("copy", scheme.lower()) is None:
            return  # a name with a colon in it, such as one with a time
    todo = f"Write {scheme}://{rest.lstrip('/')} (pathlib makes one slash of two), or ./{text} where a path is meant."
    raise UriError(text, "a URI has two slashes after the colon", todo)


def to_path(uri: Uri) -> Path:
    """The path of a local file.

    Args:
        uri: A path, whose ``~`` becomes the home directory; or ``file:///…``, which is percent-decoded.

    Returns:
        The path, relative where `uri` is relative.

    Raises:
        UriError: It is on no local disk, or is no URI.

    Examples:
        >>> to_path("file:///data/a%20b.csv").as_posix(), to_path("a%20b.csv").as_posix()
        ('/data/a b.csv', 'a%20b.csv')
    """
    from pathlib import Path

    return Path(local_path(uri))


def join(uri: Uri, *names: str) -> str:
    """Something below a URI or a path.

    Args:
        uri: Where.
        *names: Names, or relative names with ``/`` between their parts, not percent-encoded.

    Examples:
        >>> join("s3://bucket/models/", "m", "a b.bin"), join("file:///data", "a b.bin"), join("models", "m")
        ('s3://bucket/models/m/a b.bin', 'file:///data/a%20b.bin', 'models/m')
    """
    text = os.fspath(uri)
    for name in names:
        text = f"{text}{'' if text.endswith('/') else '/'}{_encoded(name) if _encodes(text) else name}"
    return text


def name_of(uri: Uri) -> str:
    """The last name, decoded; nothing where there is none. That of ``.`` is the name of the directory that it means.

    Examples:
        >>> name_of("s3://bucket/models/m.h5"), name_of("file:///data/a%20b/"), name_of("s3://bucket"), name_of("/")
        ('m.h5', 'a b', '', '')
    """
    text = os.fspath(uri)
    if is_remote(text):
        return text.partition("://")[2].partition("/")[2].rstrip("/").rpartition("/")[2]
    return os.path.basename(os.path.abspath(local_path(text)))  # noqa: PTH100, PTH119 — without pathlib


def relative_name(uri: Uri, base: Uri) -> str:
    """What joined to `base` gives `uri`, both as one store gives them.

    Examples:
        >>> relative_name("file:///data/m/a%20b.bin", "file:///data/m"), relative_name("s3://b/m/x/y", "s3://b/m/")
        ('a b.bin', 'x/y')
    """
    text, start = os.fspath(uri), join(base, "")
    if not text.startswith(start) or text == start:
        raise UriError(text, f"it is not below {os.fspath(base)}", "Give one that is.")
    name = text[len(start) :]
    if not _encodes(text):
        return name
    from urllib.parse import unquote

    return unquote(name, errors="surrogateescape")


def _encodes(text: str) -> bool:
    return text[:5].lower() == "file:"


def _encoded(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="/", errors="surrogateescape")

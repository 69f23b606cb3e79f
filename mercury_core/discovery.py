"""What the installed plugins register, kept in one file, so that a process that needs one provider loads no plugin.

The index is a text file in the user's cache directory, tab-separated lines and a checksum, read with nothing but `os`
and `zlib`. It holds the records of all providers, and its own evidence:

- every entry of ``sys.path`` as it was (an installer changes the directory into which it installs);
- ``entry_points.txt`` and the metadata of every plugin, and of every ``egg-info``, which is rewritten in place;
- every module that was loaded to register, so that a plugin edited in place is seen.

Whatever does not match is not used, and found again. As in git, evidence younger than two seconds is no evidence: a
file could change once more within the resolution of its time stamp, so nothing is remembered then. An entry of
``sys.path`` that holds neither metadata nor a package of a plugin (mostly the working directory) may change freely.

Nothing in the index is executed: it says which target to import, and is used only where nobody but the user could have
written it.
"""

from __future__ import annotations

import os
import sys
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    #: verb, key, target, install, summary, owner, version, entry point
    Row = tuple[str, str, str, str, str, str, str, str]
    #: distribution, version, entry point, what it names, status, reason
    Plugin = tuple[str, str, str, str, str, str]
    #: hook, distribution, entry point
    Observer = tuple[str, str, str]

VERBS = ("read", "transform", "fit", "evaluate", "save", "copy", "serve", "execute")
FORMAT = "mercury-index 1"
METADATA = (".dist-info", ".egg-info")
_RACY_NS = 2_000_000_000
_KEPT_S = 30 * 86_400
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)  # through no link, and bytes as they are
_ABSENT = "-"
_BARE, _FULL = "bare", "full"


class Index:
    """What is installed.

    Attributes:
        rows: One a provider.
        plugins: One an entry point, those set aside included.
        observers: One a lifecycle hook that a plugin implements.
        files: The files that say so.
        tops: The top-level packages that were loaded to know.
        causes: Distribution and entry point to what was raised, where this process loaded the plugins itself.
        lasting: Whether it may be remembered: not where a plugin failed, which can heal with no file changing here.
    """

    __slots__ = ("causes", "files", "lasting", "observers", "plugins", "rows", "tops")

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.plugins: list[Plugin] = []
        self.observers: list[Observer] = []
        self.files: set[str] = set()
        self.tops: set[str] = set()
        self.causes: dict[tuple[str, str], BaseException] = {}
        self.lasting = True


def normalise(name: str) -> str:
    """The name of a distribution as PEP 503 compares it.

    Examples:
        >>> normalise("Mercury__Sk.learn")
        'mercury-sk-learn'
    """
    return "-".join(part for part in name.lower().replace("_", "-").replace(".", "-").split("-") if part)


def listed(variable: str) -> list[str]:
    """The distributions that an environment variable lists, normalised."""
    return [normalise(name.strip()) for name in os.environ.get(variable, "").split(",") if name.strip()]


def locations(entries: Sequence[str]) -> list[str]:
    """Where metadata is looked for: the real paths of entries of ``sys.path``, each once, in order.

    Without the markers of editable installs by setuptools, which name no place.
    """
    return list(dict.fromkeys(_real(entry) for entry in entries if not entry.endswith(".__path_hook__")))


def _real(entry: str) -> str:
    try:
        return os.path.realpath(entry)
    except OSError:  # the working directory is gone
        return entry


def names_in(location: str) -> list[str]:
    """What a directory holds; nothing where there is no directory."""
    try:
        return os.listdir(location)  # noqa: PTH208  (pathlib costs more than all the rest)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []


def cache_directory() -> str:
    """Where the index is kept: ``MERCURY_CACHE_DIR``, or ``mercury-ml`` in the user's cache directory."""
    if chosen := os.environ.get("MERCURY_CACHE_DIR"):
        return chosen
    home = os.path.expanduser("~")  # noqa: PTH111
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or f"{home}\\AppData\\Local"
    elif sys.platform == "darwin":
        base = f"{home}/Library/Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or f"{home}/.cache"
    return f"{base}{os.sep}mercury-ml"


def read() -> Index | None:
    """The index of this environment, if one was remembered and all of its evidence still holds."""
    for entries, assumed_bare in _keyed(names_in(_first())):
        lines = _lines(*_place(entries))
        if lines is None:
            continue
        index = Index()
        index.tops = {line[1] for line in lines if line[0] == "T"}
        if assumed_bare and not _is_bare(_first(), index.tops):
            continue
        if not all(_holds(line, index.tops) for line in lines if line[0] in "DF"):
            return None
        for tag, *fields in lines:
            if tag == "P":
                index.rows.append(tuple(fields))  # type: ignore[arg-type]
            elif tag == "S":
                index.plugins.append(tuple(fields))  # type: ignore[arg-type]
            elif tag == "H":
                index.observers.append(tuple(fields))  # type: ignore[arg-type]
        return index
    return None


def write(index: Index, started_ns: int) -> bool:
    """Remember an index for the processes to come, if it can be trusted to say when it is out of date.

    A cache that cannot be written costs time, and is no error.

    Args:
        index: What was found.
        started_ns: When the search began, in nanoseconds since the epoch.

    Returns:
        Whether it was written.
    """
    first = _first()
    entries = sys.path if not _is_bare(first, index.tops) else sys.path[1:]
    path, key = _place(entries)
    lines: list[Iterable[str]] = [(FORMAT,), ("K", key)]
    young = False
    for location in locations(entries):
        bare = _is_bare(location, index.tops)
        lines.append(("D", location, *_stamp(location), _BARE if bare else _FULL))
        young = young or (not bare and _is_young(location, started_ns))
    for file in sorted(index.files):
        lines.append(("F", file, *_stamp(file)))
        young = young or _is_young(file, started_ns)
    if young or not index.lasting:
        return False
    lines += [("T", top) for top in sorted(index.tops)]
    lines += [("P", *row) for row in index.rows]
    lines += [("S", *plugin) for plugin in index.plugins]
    lines += [("H", *observer) for observer in index.observers]
    body = "".join("\t".join(map(_escape, line)) + "\n" for line in lines).encode("utf-8", "surrogateescape")
    try:
        _replace(path, body + b"E\t%08x\n" % zlib.crc32(body))
    except OSError as error:
        import logging

        logging.getLogger(__name__).debug("The index of plugins cannot be kept in %s: %s", path, error)
        return False
    return True


# --- which file ---


def _first() -> str:
    """The entry of ``sys.path`` that differs between processes: the script's directory or the working directory."""
    return _real(sys.path[0]) if sys.path else os.sep


def _keyed(first_names: Sequence[str]) -> Iterator[tuple[Sequence[str], bool]]:
    """The entries of ``sys.path`` by which an index may be named, and whether the first was left out as bare."""
    if not any(name.endswith(METADATA) for name in first_names):
        yield sys.path[1:], True
    yield sys.path, False


def _place(entries: Sequence[str]) -> tuple[str, str]:
    """The file that holds the index of this environment, and the key which that file must state."""
    from mercury_core import __version__

    filters = (",".join(sorted(listed(name))) for name in ("MERCURY_PLUGINS", "MERCURY_DISABLE_PLUGINS"))
    parts = (__version__, os.path.dirname(__file__), sys.version, sys.prefix, *filters, *locations(entries))  # noqa: PTH120
    key = "\n".join(parts)
    data = key.encode("utf-8", "surrogateescape")
    return f"{cache_directory()}{os.sep}providers-{zlib.crc32(data):08x}{zlib.adler32(data):08x}.index", key


# --- evidence ---


def _stamp(path: str) -> tuple[str, str, str, str]:
    """When a file or directory was last changed, how large it is and which it is."""
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return (_ABSENT,) * 4
    return str(found.st_mtime_ns), str(found.st_ctime_ns), str(found.st_size), str(found.st_ino)


def _is_young(path: str, started_ns: int) -> bool:
    modified = _stamp(path)[0]
    return modified != _ABSENT and int(modified) > started_ns - _RACY_NS


def _is_bare(location: str, tops: set[str]) -> bool:
    """Whether a directory holds neither metadata nor anything that stands for a package of a plugin."""
    if os.path.isfile(location):  # noqa: PTH113
        return False
    return not any(name.endswith(METADATA) or name.partition(".")[0] in tops for name in names_in(location))


def _holds(line: Sequence[str], tops: set[str]) -> bool:
    return tuple(line[2:6]) == _stamp(line[1]) or (line[0] == "D" and line[6] == _BARE and _is_bare(line[1], tops))


# --- the file ---


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    parts = text.split("\\\\")
    return "\\".join(part.replace("\\t", "\t").replace("\\n", "\n").replace("\\r", "\r") for part in parts)


def _lines(path: str, key: str) -> list[list[str]] | None:
    """The lines of an index file; None where it is missing, damaged or of another environment or user."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _PLAIN)
    except OSError:
        return None
    with open(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if hasattr(os, "getuid") and (found.st_uid != os.getuid() or found.st_mode & 0o022):
            return None
        try:
            data = file.read()
        except OSError:
            return None
    body, _, end = data.rpartition(b"E\t")
    if end != b"%08x\n" % zlib.crc32(body):
        return None
    lines = [list(map(_unescape, line.split("\t"))) for line in body.decode("utf-8", "surrogateescape").split("\n")]
    return lines[2:-1] if lines[:2] == [[FORMAT], ["K", key]] else None


def _replace(path: str, data: bytes) -> None:
    """Publish a file whole, beside whatever other processes do, and drop indexes of environments long gone."""
    import time

    directory = os.path.dirname(path)  # noqa: PTH120
    os.makedirs(directory, mode=0o700, exist_ok=True)  # noqa: PTH103
    draft = f"{path}.{os.getpid()}.tmp"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(draft, path)  # noqa: PTH105
    except BaseException:
        os.unlink(draft)  # noqa: PTH108
        raise
    for name in names_in(directory):
        old = f"{directory}{os.sep}{name}"
        if name.startswith("providers-") and os.stat(old).st_mtime < time.time() - _KEPT_S:  # noqa: PTH116
            os.unlink(old)  # noqa: PTH108

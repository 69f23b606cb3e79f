"""Loading plugins, each in quarantine. The only file that knows entry points and pluggy's PluginManager.

Every plugin is loaded into a plugin manager of its own. So one that fails takes nothing with it, two entry points of
the same name are two plugins, and observers cannot stop each other.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mercury_core import discovery
from mercury_core.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import CodeType

    from importlib_metadata import Distribution, EntryPoint
    from pluggy import PluginManager

GROUP = "mercury"
_CORE = "mercury-ml-core"
#: What the core itself has loaded before any plugin: no evidence of what a plugin registers.
_FOUNDATIONS = frozenset({"mercury_core", "pluggy", "importlib_metadata"})


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """One plugin, as an entry point names it.

    Attributes:
        distribution: What was installed.
        version: Its version.
        entry_point: The name of the entry point.
        status: ok, broken (it failed, or it breaks the rules), incompatible (written for another version of the hooks)
            or disabled (by ``MERCURY_PLUGINS`` or ``MERCURY_DISABLE_PLUGINS``).
        reason: Why it was set aside; empty where it was not.
        providers: What it registered, each ``verb:key``.
    """

    distribution: str
    version: str
    entry_point: str
    status: str
    reason: str = ""
    providers: tuple[str, ...] = ()


class _SetAsideError(Exception):
    """Why a plugin cannot be used: becomes the reason in its status."""

    def __init__(self, reason: str, status: str = "broken") -> None:
        self.status = status
        super().__init__(reason)


def scan() -> discovery.Index:
    """Find all plugins on ``sys.path``, load those that are enabled, and remember what they registered.

    Returns:
        The index. What a failing plugin raised is in its `causes`.
    """
    from mercury_core import hookspecs, provider  # noqa: F401  (loaded before looking at what plugins load)

    started_ns = time.time_ns()
    importlib.invalidate_caches()
    before = frozenset(sys.modules)
    index = discovery.Index()
    chosen, refused = discovery.listed("MERCURY_PLUGINS"), discovery.listed("MERCURY_DISABLE_PLUGINS")
    found: set[str] = set()
    for stem, distribution in _distributions(index):
        try:
            name, version = distribution.metadata["Name"], distribution.version
            entry_points = sorted(distribution.entry_points.select(group=GROUP))
        except Exception as cause:  # noqa: BLE001  (metadata that somebody else damaged)
            index.causes[stem, ""] = cause
            index.plugins.append((stem, "", "", "its metadata", "broken", f"Its metadata cannot be read: {cause!r}"))
            continue
        found.add(discovery.normalise(name))
        disabled = _why_disabled(discovery.normalise(name), chosen, refused)
        for entry_point in entry_points:
            status, reason = "disabled", disabled
            if not disabled:
                status, reason = _try(index, entry_point, name, version)
                _note_modules(index, _module(entry_point), before)
            index.plugins.append((name, version, entry_point.name, entry_point.value, status, reason))
    for missing in sorted({*chosen} - found):
        reason = "MERCURY_PLUGINS names it, and no such plugin is installed: install it or correct the name."
        index.plugins.append((missing, "", "", "", "broken", reason))
    if index.causes:
        index.lasting = False
    discovery.write(index, started_ns)
    return index


def observers(index: discovery.Index) -> list[tuple[str, PluginManager]]:
    """Load the plugins that observe the life of a run.

    Returns:
        Distribution and plugin manager, in the order of the index; without those that cannot be loaded any more, which
        are logged.
    """
    named = {(distribution, entry_point): value for distribution, _, entry_point, value, *_ in index.plugins}
    loaded = []
    for distribution, entry_point in dict.fromkeys((owner, entry) for _, owner, entry in index.observers):
        from importlib_metadata import EntryPoint

        try:
            plugin = EntryPoint(entry_point, named[distribution, entry_point], GROUP).load()
            loaded.append((distribution, _managed(plugin)))
        except (Exception, SystemExit) as cause:  # noqa: BLE001  (an observer never breaks a run)
            import logging

            logging.getLogger(__name__).warning(
                "The plugin %s of %s cannot observe: %s: %s", entry_point, distribution, type(cause).__name__, cause
            )
    return loaded


# --- finding ---


def _distributions(index: discovery.Index) -> Iterator[tuple[str, Distribution]]:
    """The distributions with an entry point of ours; of those of one name the first on the path, as for imports."""
    import importlib_metadata

    seen: set[str] = set()
    for location in discovery.locations(sys.path):
        if os.path.isfile(location):  # noqa: PTH113  (a zip archive)
            packed: Any  # a Distribution, declared as what such may be
            for packed in importlib_metadata.distributions(path=[location]):
                name = discovery.normalise(packed.metadata["Name"])
                if name not in seen and packed.entry_points.select(group=GROUP):
                    index.lasting = False  # modules in an archive have no time stamps of their own
                    yield name, packed
                seen.add(name)
            continue
        for entry in sorted(discovery.names_in(location), reverse=True):
            is_egg = location.endswith(".egg") and entry.lower() == "egg-info"
            if not entry.endswith(discovery.METADATA) and not is_egg:
                continue
            stem = os.path.basename(location) if is_egg else entry  # noqa: PTH119
            name = discovery.normalise(stem.rpartition(".")[0].partition("-")[0])
            if name in seen:
                continue
            seen.add(name)
            metadata = f"{location}{os.sep}{entry}"
            points = f"{metadata}{os.sep}entry_points.txt"
            if not entry.endswith(".dist-info"):
                index.files.add(points)
            if f"[{GROUP}]" in _text(points):
                index.files |= {points, *(f"{metadata}{os.sep}{file}" for file in ("METADATA", "PKG-INFO"))}
                yield name, importlib_metadata.PathDistribution(Path(metadata))


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _why_disabled(name: str, chosen: list[str], refused: list[str]) -> str:
    if name in refused:
        return "MERCURY_DISABLE_PLUGINS names it."
    if chosen and name not in chosen and name != _CORE:
        return "MERCURY_PLUGINS does not name it."
    return ""


# --- loading ---


def _try(index: discovery.Index, entry_point: EntryPoint, owner: str, version: str) -> tuple[str, str]:
    """Load one plugin and add to the index all that it registers, or nothing; give back status and reason."""
    try:
        plugin = _load(entry_point)
        _check_api(plugin, entry_point, owner)
        rows, hooks = _registered(plugin, entry_point.name, owner, version)
        _check_once([*(row for row in index.rows if row[5] == owner), *rows])
    except _SetAsideError as fault:
        if fault.__cause__ is not None:
            index.causes[owner, entry_point.name] = fault.__cause__
        return fault.status, str(fault)
    index.rows += rows
    index.observers += [(hook, owner, entry_point.name) for hook in hooks]
    return "ok", ""


def _module(entry_point: EntryPoint) -> str:
    return entry_point.value.partition("[")[0].partition(":")[0].strip()


def _check_api(plugin: Any, entry_point: EntryPoint, owner: str) -> None:
    from mercury_core.hookspecs import API_VERSION

    stated = getattr(sys.modules[_module(entry_point)], "MERCURY_API", API_VERSION)
    wanted = getattr(plugin, "MERCURY_API", stated)
    if wanted != API_VERSION:
        raise _SetAsideError(
            f"It is written for version {wanted!r} of Mercury's plugin hooks, and this core has version {API_VERSION}: "
            f"install another version of {owner} or of {_CORE}.",
            "incompatible",
        )


def _check_once(rows: Iterable[discovery.Row]) -> None:
    """One distribution may not bring the same key twice: nobody could choose."""
    seen: dict[tuple[str, str], str] = {}
    for verb, key, target, *_ in rows:
        if (verb, key) in seen:
            raise _SetAsideError(f"It registers {key!r} for {verb!r} twice: as {seen[verb, key]} and as {target}.")
        seen[verb, key] = target


def _load(entry_point: EntryPoint) -> Any:
    try:
        return entry_point.load()
    except (Exception, SystemExit) as cause:
        raise _SetAsideError(f"Loading {entry_point.value} raised {type(cause).__name__}: {cause}") from cause


def _managed(plugin: Any) -> PluginManager:
    """A plugin manager with this one plugin.

    Raises:
        _SetAsideError: The plugin has a hook that does not exist, or one with other arguments.
    """
    import pluggy

    from mercury_core import hookspecs

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    known = {name for name in vars(hookspecs) if name.startswith("mercury_")}
    try:
        manager.register(plugin, "plugin")
        manager.check_pending()
    except pluggy.PluginValidationError as cause:
        unknown = sorted(name for name in vars(manager.hook) if name.startswith("mercury_") and name not in known)
        if unknown:
            raise _SetAsideError(f"There is no hook {unknown[0]!r}.{did_you_mean(unknown[0], known)}") from None
        raise _SetAsideError(" ".join(str(cause).split())) from None
    unmarked = sorted(
        name
        for name in known
        if callable(getattr(plugin, name, None)) and manager.parse_hookimpl_opts(plugin, name) is None
    )
    if unmarked:
        raise _SetAsideError(f"{unmarked[0]} is not marked with @hookimpl, so it would never be called.")
    return manager


def _registered(plugin: Any, entry_point: str, owner: str, version: str) -> tuple[list[discovery.Row], list[str]]:
    """What a plugin provides, and which lifecycle hooks it has."""
    from mercury_core.provider import Provider

    manager = _managed(plugin)
    rows: list[discovery.Row] = []
    for verb in discovery.VERBS:
        hook = f"{GROUP}_{verb}"
        try:
            answers = [list(answer) for answer in getattr(manager.hook, hook)()]
        except (Exception, SystemExit) as cause:
            raise _SetAsideError(f"Its {hook} raised {type(cause).__name__}: {cause}") from cause
        for record in (record for answer in answers for record in answer):
            if not isinstance(record, Provider):
                raise _SetAsideError(f"Its {hook} gave back {type(record).__name__}, not Provider records.")
            rows.append((verb, record.key, record.target, record.install, record.summary, owner, version, entry_point))
    registering = {f"{GROUP}_{verb}" for verb in discovery.VERBS}
    hooks = {caller.name for caller in manager.get_hookcallers(plugin) or ()}
    return rows, sorted(hooks - registering)


# --- evidence ---


def _note_modules(index: discovery.Index, module: str, before: frozenset[str]) -> None:
    """Note every module that has a say in what a plugin registers.

    One that was loaded before the search may have been edited since, so what it says now cannot be remembered.
    """
    top = module.partition(".")[0]
    if top in _FOUNDATIONS:
        names = {module} & sys.modules.keys()  # what else the core has loaded by now is not about its records
    else:
        names = {name for name in [*sys.modules] if name.partition(".")[0] == top}
        names |= {name for name in sys.modules.keys() - before if _is_foreign(name)}
        names |= _imported_by(names, index)
        index.tops |= {name.partition(".")[0] for name in names}
    for name in names:
        file = getattr(sys.modules[name], "__file__", None)
        if file and os.path.isfile(file):  # noqa: PTH113
            index.files.add(file)
        elif name.partition(".")[0] == top and not hasattr(sys.modules[name], "__path__"):
            index.lasting = False
        if name in before:
            index.lasting = False


def _is_foreign(name: str) -> bool:
    top = name.partition(".")[0]
    return top not in sys.stdlib_module_names and top not in _FOUNDATIONS and top != "__main__"


def _imported_by(names: Iterable[str], index: discovery.Index) -> set[str]:
    """The loaded modules that the code of modules names, and those that they name: whoever loaded them first."""
    found: set[str] = set()
    todo = list(names)
    while todo:
        spec: Any = getattr(sys.modules[todo.pop()], "__spec__", None)
        try:
            code = spec.loader.get_code(spec.name) if hasattr(getattr(spec, "loader", None), "get_code") else None
        except (ImportError, OSError, SyntaxError):  # replaced since it was loaded
            index.lasting = False
            continue
        fresh = {word for word in _words(code) if word in sys.modules and _is_foreign(word)} - found if code else set()
        found |= fresh
        todo += fresh
    return found


def _words(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if hasattr(constant, "co_names"):
            yield from _words(constant)

"""(verb, key) -> provider. Hooks register, the registry selects.

A key is ``"name"``, ``"plugin.name"`` or ``"key@distribution"``; ``"package.module:function"`` and callables work
wherever a key does. One that cannot be served is one of four different errors, never confused: unknown, known but not
installed, installed but broken, and (where it is called) bad arguments; one that two distributions bring is a fifth.

This module imports almost nothing: resolving a key is the first thing that a process does.
"""

from __future__ import annotations

import os
import sys
from _collections_abc import Mapping  # collections.abc would load the whole of collections

from mercury_core import discovery

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _thread import RLock
    from collections.abc import Callable, Iterator
    from typing import Any

    from pluggy import PluginManager

    from mercury_core.plugins import PluginStatus
    from mercury_core.provider import Provider
else:
    from _thread import RLock


class Registry:
    """The providers of what is installed. What is found is kept; a key that is missed makes it look again, once.

    Raises:
        BrokenPluginError: From `providers`, `provider_of` and `resolve`, if ``MERCURY_STRICT`` is 1 and a plugin is
            broken or incompatible.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._index: discovery.Index | None = None
        self._observers: list[tuple[str, PluginManager]] | None = None

    # --- what there is ---

    def plugins(self) -> list[PluginStatus]:
        """Every plugin that is installed, those set aside included, in the order in which they were found."""
        from mercury_core.plugins import PluginStatus

        index = self._found()
        return [
            PluginStatus(
                owner,
                version,
                entry_point,
                status,
                reason,
                tuple(f"{row[0]}:{row[1]}" for row in index.rows if (row[5], row[7]) == (owner, entry_point)),
            )
            for owner, version, entry_point, _, status, reason in index.plugins
        ]

    def providers(self, verb: str | None = None) -> list[Provider]:
        """The records of the providers of one verb, or of all, by verb and key; imports none of the providers."""
        rows = self._strict().rows
        chosen = (row for row in rows if verb is None or row[0] == verb)
        return [
            _provider(row) for row in sorted(chosen, key=lambda row: (discovery.VERBS.index(row[0]), row[1], row[5]))
        ]

    def provider_of(self, verb: str, key: str | Callable[..., Any]) -> Provider | None:
        """The record of one provider.

        Returns:
            None for a reference, a callable, and a key that is not there.

        Raises:
            AmbiguousProviderError: Two distributions bring the key.
        """
        if not isinstance(key, str) or ":" in key:
            return None
        row = self._row(self._strict(), verb, key)
        return _provider(row) if row else None

    # --- selection ---

    def resolve(self, verb: str, key: str | Callable[..., Any]) -> Any:
        """The provider itself: imports the module that holds it, and no other.

        Args:
            verb: One of the verbs.
            key: ``"key"``, ``"key@distribution"``, ``"package.module:function"``, or a callable, which is given back.

        Raises:
            UnknownProviderError: No plugin has that key, or the reference leads nowhere.
            ProviderNotInstalledError: The key is known; its plugin, or a package that it needs, is not installed.
            BrokenProviderError: It is installed, and importing it failed; the cause is chained.
            AmbiguousProviderError: Two distributions bring the key.
            ArgumentsError: `key` is neither of these.
        """
        if not isinstance(key, str):
            from mercury_core.unserved import as_given

            return as_given(verb, key)
        if ":" in key:
            from mercury_core.unserved import referred

            return referred(verb, key)
        row = self._row(self._strict(), verb, key)
        if row is not None:
            try:
                return _import(row[2])
            except (Exception, SystemExit) as cause:  # noqa: BLE001  (raised again as what it is)
                from mercury_core.unserved import is_own, not_loaded

                if not (isinstance(cause, ModuleNotFoundError) and is_own(cause.name, row[2])):
                    not_loaded(row, cause)
        # Not there, or not there any more: look again, once.
        with self._lock:
            self._index = self._observers = None
            row = self._row(self._strict(look=True), verb, key)
        if row is None:
            from mercury_core.unserved import not_found

            not_found(self._found(), verb, key)
        try:
            return _import(row[2])
        except (Exception, SystemExit) as cause:  # noqa: BLE001  (raised again as what it is)
            from mercury_core.unserved import not_loaded

            not_loaded(row, cause)

    # --- the life of a run ---

    def lifecycle(self, name: str, **kwargs: Any) -> None:
        """Tell all observers; one that raises is logged, and the others are told.

        Args:
            name: The hook, say ``"mercury_run_started"``.
            **kwargs: All of its arguments.
        """
        index = self._found()
        if not any(observer[0] == name for observer in index.observers):
            return
        if self._observers is None:
            from mercury_core.plugins import observers

            self._observers = observers(index)
        for owner, manager in self._observers:
            try:
                getattr(manager.hook, name)(**kwargs)
            except (Exception, SystemExit) as cause:  # an observer never breaks a run
                import logging

                log = logging.getLogger(__name__)
                log.warning("The observer %s of %s raised %s: %s", name, owner, type(cause).__name__, cause)
                log.debug("It came from here:", exc_info=cause)

    # --- within ---

    def _found(self, look: bool = False) -> discovery.Index:
        with self._lock:
            if self._index is None:
                self._index = None if look else discovery.read()
            if self._index is None:
                from mercury_core.plugins import scan

                self._index = scan()
            return self._index

    def _strict(self, look: bool = False) -> discovery.Index:
        index = self._found(look)
        if os.environ.get("MERCURY_STRICT") == "1":
            reasons = [f"{row[0]}: {row[5]}" for row in index.plugins if row[4] in ("broken", "incompatible")]
            if reasons:
                from mercury_core.errors import BrokenPluginError

                raise BrokenPluginError(reasons)
        return index

    @staticmethod
    def _row(index: discovery.Index, verb: str, key: str) -> discovery.Row | None:
        name, _, owner = key.partition("@")
        owner = discovery.normalise(owner)
        rows = [
            row
            for row in index.rows
            if row[0] == verb and row[1] == name and (not owner or discovery.normalise(row[5]) == owner)
        ]
        if len(rows) > 1:
            from mercury_core.errors import AmbiguousProviderError

            raise AmbiguousProviderError(verb, key, [row[5] for row in rows])
        return rows[0] if rows else None


# --- targets ---


def _provider(row: discovery.Row) -> Provider:
    from mercury_core.provider import Provider

    verb, key, target, install, summary, owner, version, _ = row
    return Provider(key, target, summary, install, verb, owner, version)


def _import(target: str) -> Any:
    module, _, names = target.partition(":")
    __import__(module)
    found: Any = sys.modules[module]
    for name in names.split("."):
        found = getattr(found, name)
    return found


# --- the default registry, and it seen from one verb ---

_default: Registry | None = None


def default() -> Registry:
    """The registry of this process, made when it is first asked for."""
    global _default
    if _default is None:
        _default = Registry()
    return _default


def resolve(verb: str, key: str | Callable[..., Any]) -> Any:
    """`Registry.resolve` of the default registry."""
    return default().resolve(verb, key)


def providers(verb: str | None = None) -> list[Provider]:
    """`Registry.providers` of the default registry."""
    return default().providers(verb)


def provider_of(verb: str, key: str | Callable[..., Any]) -> Provider | None:
    """`Registry.provider_of` of the default registry."""
    return default().provider_of(verb, key)


def plugins() -> list[PluginStatus]:
    """`Registry.plugins` of the default registry."""
    return default().plugins()


def lifecycle(name: str, **kwargs: Any) -> None:
    """`Registry.lifecycle` of the default registry."""
    default().lifecycle(name, **kwargs)


class Container(Mapping[str, "Any"]):
    """The default registry seen from one verb: a mapping from key to provider, which imports what is taken out of it.

    Keys that are names are attributes too: ``SourceReaders.csv``.

    Examples:
        >>> "csv" in SourceReaders
        True
        >>> ModelSavers["parquet@mercury-ml-core"] is ModelSavers["parquet"]
        True
    """

    def __init__(self, name: str, verb: str) -> None:
        self._name, self._verb = name, verb

    def __getitem__(self, key: str) -> Any:
        return resolve(self._verb, key)

    def __iter__(self) -> Iterator[str]:
        listed = providers(self._verb)
        keys = [provider.key for provider in listed]
        return iter([p.key if keys.count(p.key) == 1 else f"{p.key}@{p.owner}" for p in listed])

    def __len__(self) -> int:
        return len(providers(self._verb))

    def __contains__(self, key: object) -> bool:
        return any(key == known for known in self) or (
            isinstance(key, str) and "@" in key and provider_of(self._verb, key) is not None
        )

    __eq__ = object.__eq__  # Mapping's would import every provider
    __hash__ = object.__hash__

    def get(self, key: str, default: Any = None) -> Any:
        """The provider, or `default` where no plugin has that key."""
        return self[key] if key in self else default  # noqa: SIM401

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in self:
            raise AttributeError(f"{self._name} has no {name!r}: it has {', '.join(self)}.")
        return self[name]

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *(key for key in self if key.isidentifier())})

    def _ipython_key_completions_(self) -> list[str]:
        return list(self)

    def __repr__(self) -> str:
        rows = [(key, p.summary, f"{p.owner} {p.version}") for key, p in zip(self, providers(self._verb), strict=True)]
        widths = [max((len(row[column]) for row in rows), default=0) for column in range(3)]
        lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)
        return "\n  ".join([f"{self._name} ({self._verb}):{'' if rows else ' none is installed'}", *lines])


SourceReaders = Container("SourceReaders", "read")
Transformers = Container("Transformers", "transform")
ModelFitters = Container("ModelFitters", "fit")
Metrics = Container("Metrics", "evaluate")
ModelSavers = Container("ModelSavers", "save")
ArtifactCopiers = Container("ArtifactCopiers", "copy")
ModelServers = Container("ModelServers", "serve")
Engines = Container("Engines", "execute")

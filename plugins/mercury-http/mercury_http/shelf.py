"""The models of one server: loaded while it answers already, and replaced without a request being lost."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from mercury_core.bundle import Bundle
from mercury_http.metrics import State
from mercury_http.models import Served
from mercury_http.refusals import busy, unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mercury_http.metrics import Metrics
    from mercury_http.settings import Settings

    #: A model; or what loads it, again and again.
    Source = Bundle | Callable[[], Bundle]

log = logging.getLogger(__name__)


class Shelf:
    """Models by name.

    Args:
        sources: By name a bundle, or a function that loads one.
        settings: The limits.
        metrics: The counters.
    """

    def __init__(self, sources: Mapping[str, Source], settings: Settings, metrics: Metrics) -> None:
        self._sources, self._settings, self._metrics = dict(sources), settings, metrics
        self._served: dict[str, Served] = {}
        self._errors: dict[str, BaseException] = {}
        self._turns: dict[str, asyncio.Lock] = {}

    @property
    def names(self) -> list[str]:
        """The names of all models, loaded or not."""
        return list(self._sources)

    @property
    def served(self) -> list[Served]:
        """The models that are loaded."""
        return list(self._served.values())

    @property
    def is_ready(self) -> bool:
        """Whether every model is loaded, warm and well."""
        return all(map(self.is_well, self._sources))

    @property
    def hangs(self) -> bool:
        """Whether a model was called and does not come back."""
        return any(served.batcher.hangs for served in self._served.values())

    def is_well(self, name: str) -> bool:
        """Whether a model answers."""
        served = self._served.get(name)
        return served is not None and not served.batcher.hangs

    def states(self) -> list[State]:
        """How every model is."""
        batchers = {name: served.batcher for name, served in self._served.items()}
        return [
            State(name, batchers[name].waiting, batchers[name].is_busy, self.is_well(name))
            if name in batchers
            else State(name, 0, is_busy=False, is_ready=False)
            for name in self._sources
        ]

    def index(self) -> list[dict[str, str]]:
        """Every model with its version and state, as Triton's extension has them.

        Source: https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_model_repository.md
        """
        told = []
        for name in self._sources:
            served, is_well = self._served.get(name), self.is_well(name)
            reason = "" if is_well else "hangs" if served else "failed" if name in self._errors else "loading"
            version, state = served.version if served else "", "READY" if is_well else "UNAVAILABLE"
            told.append({"name": name, "version": version, "state": state, "reason": reason})
        return told

    def get(self, name: str, version: str | None = None) -> Served:
        """A model that is loaded.

        Raises:
            RequestError: There is none of that name or version, or it is not loaded yet.
        """
        if name not in self._sources:
            raise unknown("model", name, self._sources, 404)
        served = self._served.get(name)
        if served is None:
            if name in self._errors:
                raise busy(f"The model {name!r} could not be loaded, the log says why", 30)
            raise busy(f"The model {name!r} is being loaded")
        if version is not None and version != served.version:
            raise unknown(f"version of {name!r} called", version, [served.version], 404)
        return served

    async def load(self, name: str) -> Served:
        """Load a model, again where it is there already; requests get the one that is there until the new one is warm.

        Raises:
            MercuryError: It cannot be loaded; the one that is there stays.
        """
        turn = self._turns.setdefault(name, asyncio.Lock())
        async with turn:
            source = self._sources[name]
            try:
                bundle = source if isinstance(source, Bundle) else await asyncio.to_thread(source)
                served = Served(name, bundle, self._settings, self._metrics.of(name))
                await served.warm_up()
            except BaseException as error:
                self._errors[name] = error
                raise
            self._errors.pop(name, None)
            before, self._served[name] = self._served.get(name), served
            if before is not None:
                before.batcher.close()
                log.info("The model %r is now of the version %r.", name, served.version)
            return served

    async def load_all(self) -> None:
        """Load every model that is not there yet; why one cannot be is in `errors`."""
        for name in [name for name in self._sources if name not in self._served]:
            with suppress(Exception):  # kept by `load`
                await self.load(name)

    def give_up(self) -> None:
        """Refuse whatever waits for a model."""
        for served in self._served.values():
            served.batcher.give_up(busy("The server stops"))

    def close(self) -> None:
        """End the threads of all models, once what waits was predicted."""
        for served in self._served.values():
            served.batcher.close()

    def replace(self, name: str, source: Source) -> None:
        """Have `load` take another source from now on."""
        self._sources[name] = source

    @property
    def errors(self) -> dict[str, BaseException]:
        """Why models could not be loaded, by name."""
        return dict(self._errors)

"""The stores of a job: which provider serves a URI, and with which parameters."""

from __future__ import annotations

import os
from threading import Lock

from mercury_core import parameters, registry
from mercury_core.contracts import Fault
from mercury_core.errors import ArgumentsError, MercuryError
from mercury_core.storage.uri import scheme_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from mercury_core.contracts import Store
    from mercury_core.storage.uri import Uri


class Stores:
    """The stores for URIs, by settings.

    Settings map a scheme (``s3``) or the beginning of URIs (``s3://bucket``, ``s3://bucket/models``) to parameters of
    the store; the longest that fits counts, and whole names only fit. There is one store for each scheme and
    parameters, so that ``is`` tells whether two URIs are in the same one.

    Examples:
        >>> stores = Stores()
        >>> stores.of("models/m") is stores.of("file:///tmp/m")
        True
    """

    def __init__(self, settings: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        """Make no store yet.

        Raises:
            ArgumentsError: The settings, or the parameters of a store, are no mapping.
        """
        self._settings: dict[str, dict[str, Any]] = {}
        self._made: list[tuple[str, dict[str, Any], Store]] = []
        self._lock = Lock()
        if settings is not None and not hasattr(settings, "items"):
            fault = f"Settings of stores map a scheme or a URI to parameters: got {type(settings).__name__}."
            raise ArgumentsError("copy", "stores", [fault])
        for key, params in (settings or {}).items():
            if not hasattr(params, "keys"):
                fault = f"The settings of {key!r} must map names of parameters to values: got {type(params).__name__}."
                raise ArgumentsError("copy", key, [fault])
            if _fits_nothing(key):
                raise ArgumentsError("copy", str(key), [_fits_nothing(key)])
            self._settings[_normal(key)] = dict(params)

    def of(self, uri: Uri) -> Store:
        """The store that serves a URI or a path.

        Raises:
            PluginError: No provider serves the scheme, or its parameters are wrong; see `Registry.resolve`.
        """
        scheme = scheme_of(uri)
        params = self._params(scheme, os.fspath(uri))
        with self._lock:
            for made, with_params, store in self._made:
                if made == scheme and with_params == params:
                    return store
            provider = registry.resolve("copy", scheme)
            parameters.require("copy", scheme, provider, params)
            new: Store = provider(**params)
            self._made.append((scheme, params, new))
            return new

    def _params(self, scheme: str, uri: str) -> dict[str, Any]:
        text = f"{_normal(uri)}/"
        fitting = [key for key in self._settings if "://" in key and text.startswith(f"{key}/")]
        return self._settings.get(max(fitting, key=len, default=scheme), {})


def faults_of(settings: Mapping[Any, Any]) -> list[Fault]:
    """What is wrong with settings, as far as it can be told without a connection: unknown schemes, wrong parameters.

    Args:
        settings: As for `Stores`.

    Returns:
        Each fault, with its key in `settings` first in its path.
    """
    found = []
    for key, params in settings.items():
        scheme = _normal(str(key)).partition("://")[0]
        if _fits_nothing(key):
            found.append(Fault((key,), _fits_nothing(key)))
            continue
        try:
            provider = registry.resolve("copy", scheme)
        except MercuryError as error:
            found.append(Fault((key,), str(error)))
            continue
        if not hasattr(params, "keys"):
            expected = f"expected a mapping from parameter to value, found {params!r}"
            found.append(Fault((key,), f"The settings of the store {str(key)!r}: {expected}."))
            continue
        found += [
            Fault((key, *fault.path), fault.message) for fault in parameters.check("copy", scheme, provider, params)
        ]
    return found


def _fits_nothing(key: object) -> str:
    """Why no URI begins with a key, whatever stores there are; nothing where one can."""
    scheme = _normal(str(key)).partition("://")[0]
    if scheme and ":" not in scheme and "/" not in scheme:
        return ""
    return f"{str(key)!r} begins no URI: write a scheme, as s3, or more of it, as s3://bucket."


def _normal(key: str) -> str:
    """A key of the settings, or a URI: the scheme in lower case, no slash at the end."""
    scheme, mark, rest = key.partition("://")
    return f"{scheme.lower()}{mark}{rest.rstrip('/')}" if rest.rstrip("/") else scheme.lower()

"""Level 4, the task that serves: a model, or a stored one, or several, by whatever server is named."""

from __future__ import annotations

from collections.abc import Mapping

from mercury_core import registry
from mercury_core.calling import name_of
from mercury_core.parameters import require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

    from mercury_core.bundle import Bundle
    from mercury_core.contracts import Model, Server, Service

    Servable = Bundle | Model | str | Path


class StoredBundle:
    """A stored model, as servers take it: called, it loads the bundle, each time anew.

    Args:
        uri: A bundle: a path or a URI.
        how: Further arguments of `mercury_core.storing.load_model`.

    Examples:
        >>> StoredBundle("models/penguins")
        StoredBundle('models/penguins')
    """

    def __init__(self, uri: str | Path, how: Mapping[str, Any] | None = None) -> None:
        self.uri, self.how = str(uri), dict(how or {})

    def __call__(self) -> Bundle:
        """Load it; see `load_model`."""
        from mercury_core.storing import load_model

        return load_model(self.uri, **self.how)

    def __repr__(self) -> str:
        return f"StoredBundle({self.uri!r})"


def serve_model(
    model: Servable | Mapping[str, Servable],
    server: str | Server | Callable[..., Service] = "http",
    *,
    load: Mapping[str, Any] | None = None,
    **params: Any,
) -> Service:
    """Serve a model, or several.

    Args:
        model: What `fit_model` or `load_model` gave, or the path or URI of a stored model; or several by name. A stored
            model can be loaded again while it is served, and by several processes.
        server: A key, a reference or a callable.
        load: Arguments of `load_model` for stored models: ``trusted``, ``trust``, ``stores``.
        **params: The server's own parameters.

    Returns:
        The service, which answers: it has ``url``, ``wait()`` and ``stop()``.

    Raises:
        ArgumentsError: Parameters that the server does not have.
        MercuryError: A model cannot be loaded.
    """
    several = isinstance(model, Mapping)
    given: Mapping[str, Any] = model if isinstance(model, Mapping) else {"": model}
    sources = {name: _source(one, load) for name, one in given.items()}
    provider = registry.resolve("serve", server)
    require("serve", name_of(server), provider, params)
    service: Service = provider(sources if several else sources[""], **params)
    for name in sources:
        registry.lifecycle("mercury_model_served", model=name or str(params.get("name", "model")), url=service.url)
    return service


def _source(model: Any, load: Mapping[str, Any] | None) -> Any:
    from os import PathLike

    from mercury_core.bundle import Bundle

    if isinstance(model, (str, PathLike)):
        return StoredBundle(str(model), load)
    return model if isinstance(model, (Bundle, StoredBundle)) else Bundle(model)

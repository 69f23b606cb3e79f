"""What this plugin brings; imports no server."""

from __future__ import annotations

from mercury_core import Provider, hookimpl


@hookimpl
def mercury_serve() -> list[Provider]:
    """HTTP."""
    return [Provider("http", "mercury_http.server:serve", "Over HTTP: the Open Inference Protocol v2, and a page")]

"""Pages for people, as they lie in this package; they hold no data, which they ask for with the reader's token."""

from __future__ import annotations

from importlib.resources import files

_POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_KINDS = {"html": "text/html; charset=utf-8", "js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
_FILES = {
    "": "page.html",
    "/docs": "docs.html",
    "/static/page.js": "page.js",
    "/static/docs.js": "docs.js",
    "/static/page.css": "page.css",
}


def _page(name: str) -> tuple[list[tuple[str, str]], bytes]:
    headers = [
        ("content-type", _KINDS[name.rpartition(".")[2]]),
        ("content-security-policy", _POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-cache"),
    ]
    return headers, (files("mercury_http") / "static" / name).read_bytes()


#: By path, without a slash at its end: headers and content.
PAGES = {path: _page(name) for path, name in _FILES.items()}

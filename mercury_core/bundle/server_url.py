"""The URL of a server, before it is asked."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from mercury_core.errors import UriError


def server_url(url: str, expected: str) -> SplitResult:
    """The parts of the URL of a server.

    Args:
        url: As it was given.
        expected: The sentence for one that is none.

    Raises:
        UriError: It is no URL of a server.

    Examples:
        >>> server_url("http://localhost:8080/v2", "Expected http://HOST:PORT.").port
        8080
    """
    try:
        parts = urlsplit(url)
        named = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # of a port that is no number, or an address that is none
        named = False
    if not named:
        raise UriError(url, "it is no URL of a server", expected)
    return parts

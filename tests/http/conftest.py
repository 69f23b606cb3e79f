"""Servers in threads of this process, one a kind of model."""

from __future__ import annotations

import http.client
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from mercury_http.server import serve

from tests.http import models

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from mercury_http.service import HttpService


class Answer:
    """What a server said.

    Attributes:
        status: The status.
        headers: By their names in small letters.
        body: All of it.
    """

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> str:
        """Why it was refused; nothing else may be in the answer."""
        told = self.json
        assert list(told) == ["error"], told
        return str(told["error"])


def ask(
    url: str,
    path: str,
    body: bytes | Mapping[str, Any] | None = None,
    method: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask a server once."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)
    try:
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        connection.request(method or ("GET" if content is None else "POST"), path, content, dict(headers or {}))
        return Answer(connection.getresponse())
    finally:
        connection.close()


@pytest.fixture(scope="session")
def service() -> Iterator[HttpService]:
    """Several models behind one server."""
    served = {
        "paid": models.classifier(),
        "echo": models.echo(),
        "mixed": models.mixed(),
        "images": models.images(),
        "files": models.files(),
        "refusing": models.classifier(models.refusing),
        "failing": models.classifier(models.failing),
    }
    with serve(served, port=0) as service:
        yield service


@pytest.fixture(scope="session")
def url(service: HttpService) -> str:
    return service.url

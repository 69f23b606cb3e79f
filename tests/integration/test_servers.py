"""The servers of the tests keep the promises that are relied on, through the proxy as well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.s3 import S3Server

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.gcs import GcsServer
    from tests.servers.proxy import FaultProxy


def test_seaweedfs_holds_conditions_checksums_and_signatures(
    s3_server: S3Server, proxy_to: Callable[[str], FaultProxy]
) -> None:
    from botocore.exceptions import ClientError

    bucket = s3_server.bucket()
    proxy = proxy_to(s3_server.endpoint)
    client = s3_server.client(proxy.url)
    client.put_object(Bucket=bucket, Key="a b%#?ü", Body=b"x" * 200_000)

    def refused(client: Any = client, **how: Any) -> str:
        with pytest.raises(ClientError) as caught:
            client.put_object(**{"Bucket": bucket, "Key": "a b%#?ü", "Body": b"y"} | how)
        return str(caught.value.response["Error"]["Code"])

    assert refused(IfNoneMatch="*") == "PreconditionFailed"
    assert refused(ChecksumCRC32C="AAAAAA==") == "BadDigest"
    assert refused(S3Server(proxy.url, s3_server.access_key, "wrong").client()) == "SignatureDoesNotMatch"
    assert client.get_object(Bucket=bucket, Key="a b%#?ü")["Body"].read() == b"x" * 200_000
    assert proxy.received("/a b%#") == 200_000


def test_moto_serves(moto_server: S3Server) -> None:
    client = moto_server.client()
    bucket = moto_server.bucket()
    client.put_object(Bucket=bucket, Key="a", Body=b"x")
    assert client.get_object(Bucket=bucket, Key="a")["Body"].read() == b"x"


def test_fake_gcs_holds_generations(gcs_server: GcsServer, proxy_to: Callable[[str], FaultProxy]) -> None:
    from google.api_core.exceptions import PreconditionFailed

    proxy = proxy_to(gcs_server.endpoint)
    client = gcs_server.client(proxy.url)
    bucket = client.bucket(gcs_server.bucket())
    blob = bucket.blob("a b%#?ü")
    blob.upload_from_string(b"x", if_generation_match=0)
    with pytest.raises(PreconditionFailed):
        bucket.blob("a b%#?ü").upload_from_string(b"y", if_generation_match=0)
    assert blob.download_as_bytes() == b"x"
    assert proxy.received("/a b%#") == 1
    client.close()


def test_the_emulator_refuses_a_wrong_checksum(gcp_emulator: GcsServer) -> None:
    from google.api_core.exceptions import GoogleAPICallError

    client = gcp_emulator.client()
    bucket = client.bucket(gcp_emulator.bucket())
    blob = bucket.blob("a")
    blob.crc32c = "AAAAAA=="
    with pytest.raises(GoogleAPICallError):
        blob.upload_from_string(b"x", checksum=None)
    assert [each.name for each in bucket.list_blobs()] == []
    client.close()

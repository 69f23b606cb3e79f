"""Signatures are those that botocore makes."""

from __future__ import annotations

import datetime
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import given, strategies as st

pytest.importorskip("botocore")

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from mercury_s3.signing import NOTHING, UNSIGNED, Keys, signed

NOW = 1_795_500_000.0


def by_botocore(method: str, url: str, headers: dict[str, str], keys: Keys, digest: str) -> str:
    """The header that botocore signs a request with."""

    class Auth(S3SigV4Auth):  # type: ignore[misc]
        def payload(self, request: Any) -> str:
            return digest

        def headers_to_sign(self, request: Any) -> Any:
            # Left out by it, where it is sent: a header that says what stands for the body.
            request.headers["x-amz-content-sha256"] = digest
            return super().headers_to_sign(request)

    request = AWSRequest(method, url, headers=headers)
    moment = datetime.datetime.fromtimestamp(NOW, datetime.UTC)
    auth = Auth(Credentials(*keys), "s3", "eu-west-1")
    request.context["timestamp"] = moment.strftime("%Y%m%dT%H%M%SZ")
    request.headers["X-Amz-Date"] = request.context["timestamp"]
    if keys.token:
        request.headers["X-Amz-Security-Token"] = keys.token
    canonical = auth.canonical_request(request)
    text = auth.string_to_sign(request, canonical)
    return str(auth.signature(text, request))


@given(
    key=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=40),
    upload=st.text(st.characters(codec="ascii", exclude_categories=("Cc",)), max_size=20),
    token=st.sampled_from([None, "to/ken=="]),
    digest=st.sampled_from([NOTHING, UNSIGNED, "ab" * 32]),
)
def test_it_signs_as_botocore_does(key: str, upload: str, token: str | None, digest: str) -> None:
    keys = Keys("AKID", "secret/with+signs", token)
    target = f"/bucket/{quote(key, safe='/~')}?partNumber=1&uploadId={quote(upload, safe='~')}"
    headers = {"host": "127.0.0.1:8333", "x-amz-checksum-crc32c": "AAAA  AA=", "if-none-match": "*"}
    found = signed("PUT", target, headers, keys, region="eu-west-1", digest=digest, now=NOW)
    expected = by_botocore("PUT", f"http://127.0.0.1:8333{target}", dict(headers), keys, digest)
    assert found["authorization"].rpartition("=")[2] == expected
    assert urlsplit(f"http://h{target}").path.startswith("/bucket/")


def test_credentials_are_not_shown() -> None:
    assert "hidden" not in repr(Keys("id", "hidden", "hidden"))

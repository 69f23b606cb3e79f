"""The parameters of the store, and what is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from mercury_core.contracts import Fault
from mercury_core.storage.http import faults as http
from mercury_core.storage.http.tries import Tries

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Encryption = Literal["AES256", "aws:kms", "aws:kms:dsse"]
Transport = Literal["auto", "boto3"]
Acl = Literal[
    "private",
    "public-read",
    "public-read-write",
    "authenticated-read",
    "aws-exec-read",
    "bucket-owner-read",
    "bucket-owner-full-control",
]

_MOST_TAGS = 10
_LONGEST_TAG = (128, 256)
_TAG_SIGNS = " +-=._:/@"


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach the service, and how objects are written; see `mercury_s3.store.S3Store`."""

    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    path_style: bool | None = None
    requester_pays: bool = False
    anonymous: bool = False
    sse: Encryption | None = None
    sse_kms_key_id: str | None = field(default=None, repr=False)
    storage_class: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict, hash=False)
    acl: Acl | None = None
    max_concurrency: int = 16
    timeout: float = 300.0
    max_attempts: int = 8
    transport: Transport = "auto"

    @property
    def patience(self) -> float:
        """Seconds without a sign of the service after which one try is given up: several fit into `timeout`."""
        return min(60.0, self.timeout / 4)

    def tries(self) -> Tries:
        """Those of one request, which begin now."""
        return Tries(self.max_attempts, self.timeout, self.patience)

    def reading(self) -> dict[str, str]:
        """What every request that reads says, in boto3's words."""
        return {"RequestPayer": "requester"} if self.requester_pays else {}

    def writing(self) -> dict[str, str]:
        """What every request that makes an object says, in boto3's words."""
        from urllib.parse import quote, urlencode

        said = {
            "ServerSideEncryption": self.sse,
            "SSEKMSKeyId": self.sse_kms_key_id,
            "StorageClass": self.storage_class,
            "Tagging": urlencode(self.tags, quote_via=quote, safe="") if self.tags else None,
            "ACL": self.acl,
        }
        return self.reading() | {name: value for name, value in said.items() if value is not None}


def faults(params: Mapping[str, Any]) -> Iterator[Fault]:
    """What is wrong with parameters whose names and types are right."""
    yield from http.numbers(params, "timeout", max_concurrency=1, max_attempts=1)
    yield from http.address(params, "endpoint_url", "boto3's own chain (environment, profile, role)")
    yield from _contradictions(params)
    yield from _tags(params.get("tags") or {})


def _contradictions(params: Mapping[str, Any]) -> Iterator[Fault]:
    if params.get("anonymous"):
        for name in ("profile", "requester_pays"):
            if params.get(name):
                why = f"{name!r} needs requests that are signed, and 'anonymous' signs none"
                yield Fault((name,), f"{why}: leave one of them out.")
    if params.get("sse_kms_key_id") and params.get("sse") not in ("aws:kms", "aws:kms:dsse"):
        why = "'sse_kms_key_id' is a key of KMS"
        yield Fault(("sse_kms_key_id",), f"{why}: use it with sse='aws:kms' or sse='aws:kms:dsse'.")
    yield from http.empty(params, "profile", "region", "sse_kms_key_id", "storage_class")


def _tags(tags: Mapping[str, str]) -> Iterator[Fault]:
    if len(tags) > _MOST_TAGS:
        yield Fault(("tags",), f"There are {len(tags)} tags: S3 takes {_MOST_TAGS} of an object.")
    for name, value in tags.items():
        if not name or len(name) > _LONGEST_TAG[0] or len(value) > _LONGEST_TAG[1]:
            limits = f"a name of 1 to {_LONGEST_TAG[0]} characters and a value of at most {_LONGEST_TAG[1]}"
            yield Fault(("tags", name), f"The tag {name[:40]!r} is too long or has no name: expected {limits}.")
        elif not all(character.isalnum() or character in _TAG_SIGNS for character in name + value):
            signs = f"letters, digits, spaces and {_TAG_SIGNS.strip()}"
            yield Fault(("tags", name), f"The tag {name!r} holds a character that S3 does not take: expected {signs}.")

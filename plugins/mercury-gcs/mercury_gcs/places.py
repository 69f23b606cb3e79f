"""URIs of objects: ``gs://bucket/key``, with the key as it stands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from mercury_core.errors import UriError

_SCHEME = "gs://"
_BUCKET = re.compile(r"[A-Za-z0-9._-]+").fullmatch
_LONGEST_KEY = 1024  # bytes of UTF-8, as the service has it


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and a key or a prefix of keys in it."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """As it is written."""
        return f"{_SCHEME}{self.bucket}/{self.key}"

    @property
    def folder(self) -> str:
        """The prefix of all that is below; nothing for the whole bucket."""
        return self.key if not self.key or self.key.endswith("/") else f"{self.key}/"

    @property
    def objects(self) -> str:
        """The path of the bucket's objects in the API, from its version on."""
        return f"/b/{quote(self.bucket, safe='')}/o"

    @property
    def path(self) -> str:
        """The path of the object in the API, from its version on."""
        return f"{self.objects}/{quote(self.key, safe='')}"


def place_of(uri: str) -> Place:
    """The bucket and key of one object.

    Raises:
        UriError: One of them is missing, or the key can be none.
    """
    place = prefix_of(uri)
    if not place.key:
        raise UriError(uri, "it names a bucket and no object in it", f"Write {_SCHEME}{place.bucket}/KEY.")
    if place.key in (".", ".."):
        raise UriError(uri, f"{place.key!r} can be no key of Google Cloud Storage", "Choose another one.")
    return place


def prefix_of(uri: str) -> Place:
    """The bucket, and the key as far as there is one.

    Raises:
        UriError: There is no bucket, or the key can be none.
    """
    head, rest = uri[: len(_SCHEME)], uri[len(_SCHEME) :]
    bucket, _, key = rest.partition("/")
    if head.lower() != _SCHEME or not bucket:
        raise UriError(uri, "it names no bucket", "Write gs://BUCKET/KEY.")
    if not _BUCKET(bucket):
        raise UriError(uri, f"{bucket!r} can be no bucket", "Write gs://BUCKET/KEY.")
    if "\0" in key or "\r" in key or "\n" in key:
        raise UriError(uri, "its key holds a null character or a line break", "Remove it.")
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise UriError(uri, "its key is no text in Unicode", "Rename the file that it comes from.") from None
    if length > _LONGEST_KEY:
        why = f"its key has {length} bytes, and Google Cloud Storage takes {_LONGEST_KEY}"
        raise UriError(uri, why, "Choose a shorter one.")
    return Place(bucket, key)

"""URIs of objects: ``s3://bucket/key``, with the key as it stands."""

from __future__ import annotations

from dataclasses import dataclass

from mercury_core.errors import UriError

_SCHEME = "s3://"
_LONGEST_KEY = 1024  # bytes of UTF-8, as S3 has it


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and a key or a prefix of keys in it."""

    bucket: str
    key: str

    @property
    def uri(self) -> str:
        """As it is written."""
        return f"{_SCHEME}{self.bucket}/{self.key}"


def place_of(uri: str) -> Place:
    """The bucket and key of one object.

    Raises:
        UriError: One of them is missing, or the key can be none.
    """
    place = prefix_of(uri)
    if not place.key:
        raise UriError(uri, "it names a bucket and no object in it", f"Write {_SCHEME}{place.bucket}/KEY.")
    return place


def prefix_of(uri: str) -> Place:
    """The bucket, and the key as far as there is one.

    Raises:
        UriError: There is no bucket, or the key can be none.
    """
    head, rest = uri[: len(_SCHEME)], uri[len(_SCHEME) :]
    bucket, _, key = rest.partition("/")
    if head.lower() != _SCHEME or not bucket:
        raise UriError(uri, "it names no bucket", "Write s3://BUCKET/KEY.")
    if "?" in bucket or "#" in bucket or "@" in bucket or any(c.isspace() for c in bucket):
        raise UriError(uri, f"{bucket!r} can be no bucket", "Write s3://BUCKET/KEY.")
    if "\0" in key:
        raise UriError(uri, "it holds a null character", "Remove it.")
    try:
        length = len(key.encode())
    except UnicodeEncodeError:
        raise UriError(uri, "its key is no text in Unicode", "Rename the file that it comes from.") from None
    if length > _LONGEST_KEY:
        raise UriError(uri, f"its key has {length} bytes, and S3 takes {_LONGEST_KEY}", "Choose a shorter one.")
    return Place(bucket, key)

"""URIs of objects: ``scheme://bucket/key``, with the key as it stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mercury_core.errors import UriError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

_LONGEST_KEY = 1024  # bytes of UTF-8, as S3 has it, and all who follow it


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, and a key or a prefix of keys in it.

    A plugin derives its own, with `scheme`, `service` and what `check` refuses.

    Attributes:
        scheme: With its colon and slashes: ``s3://``.
        service: As errors name it.
    """

    bucket: str
    key: str

    scheme: ClassVar[str]
    service: ClassVar[str]

    @property
    def uri(self) -> str:
        """As it is written."""
        return f"{self.scheme}{self.bucket}/{self.key}"

    def check(self) -> None:
        """Refuse names that the service does not take; it does where a plugin says no more.

        Raises:
            UriError: It is such a name.
        """

    @classmethod
    def of_object(cls, uri: str) -> Self:
        """The bucket and key of one object.

        Raises:
            UriError: One of them is missing, or the key can be none.
        """
        place = cls.of_prefix(uri)
        if not place.key:
            raise UriError(uri, "it names a bucket and no object in it", f"Write {cls.scheme}{place.bucket}/KEY.")
        return place

    @classmethod
    def of_prefix(cls, uri: str) -> Self:
        """The bucket, and the key as far as there is one.

        Raises:
            UriError: There is no bucket, or the key can be none.
        """
        head, rest = uri[: len(cls.scheme)], uri[len(cls.scheme) :]
        bucket, _, key = rest.partition("/")
        if head.lower() != cls.scheme or not bucket:
            raise UriError(uri, "it names no bucket", f"Write {cls.scheme}BUCKET/KEY.")
        place = cls(bucket, key)
        place.check()
        if "\0" in key:
            raise UriError(uri, "its key holds a null character", "Remove it.")
        try:
            length = len(key.encode())
        except UnicodeEncodeError:
            raise UriError(uri, "its key is no text in Unicode", "Rename the file that it comes from.") from None
        if length > _LONGEST_KEY:
            why = f"its key has {length} bytes, and {cls.service} takes {_LONGEST_KEY}"
            raise UriError(uri, why, "Choose a shorter one.")
        return place

    def no_bucket(self) -> UriError:
        """The error for a bucket whose name can be none."""
        return UriError(self.uri, f"{self.bucket!r} can be no bucket", f"Write {self.scheme}BUCKET/KEY.")

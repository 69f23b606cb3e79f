"""URIs of objects: ``gs://bucket/key``, with the key as it stands."""

from __future__ import annotations

import re
from urllib.parse import quote

from mercury_core.errors import UriError
from mercury_core.storage.http import places
from mercury_gcs.answers import SERVICE

_BUCKET = re.compile(r"[A-Za-z0-9._-]+").fullmatch


class Place(places.Place):
    """A bucket, and a key or a prefix of keys in it."""

    __slots__ = ()

    scheme, service = "gs://", SERVICE

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

    def check(self) -> None:
        """Refuse buckets that can be none, and keys of more than one line.

        Raises:
            UriError: It is such a name.
        """
        if not _BUCKET(self.bucket):
            raise self.no_bucket()
        if "\r" in self.key or "\n" in self.key:
            raise UriError(self.uri, "its key holds a line break", "Remove it.")


def place_of(uri: str) -> Place:
    """The bucket and key of one object.

    Raises:
        UriError: One of them is missing, or the key can be none.
    """
    place = Place.of_object(uri)
    if place.key in (".", ".."):
        raise UriError(uri, f"{place.key!r} can be no key of {SERVICE}", "Choose another one.")
    return place


prefix_of = Place.of_prefix

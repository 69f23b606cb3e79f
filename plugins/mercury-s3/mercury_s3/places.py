"""URIs of objects: ``s3://bucket/key``, with the key as it stands."""

from __future__ import annotations

import re

from mercury_core.errors import UriError
from mercury_core.storage.http import places

_NO_BUCKET = re.compile(r"[?#@\s]").search


class Place(places.Place):
    """A bucket, and a key or a prefix of keys in it."""

    __slots__ = ()

    scheme, service = "s3://", "S3"

    def check(self) -> None:
        """Refuse buckets that can be none, but no ARN.

        Raises:
            UriError: It is such a name.
        """
        bucket = self.bucket
        if _NO_BUCKET(bucket):
            raise self.no_bucket()
        if ":" in bucket and not bucket.startswith("arn:"):
            todo = "Write s3://BUCKET/KEY, and give the address of the service as endpoint_url."
            raise UriError(self.uri, f"a bucket has no colon, and {bucket!r} looks like an address", todo)


place_of, prefix_of = Place.of_object, Place.of_prefix

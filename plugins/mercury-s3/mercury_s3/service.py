"""Requests with all that may go wrong for a moment: tried again, with other credentials, in another region."""

from __future__ import annotations

import os
from typing import Any

from mercury_s3.answers import RefusedError
from mercury_s3.connections import Connections, speaks_otherwise
from mercury_s3.environment import is_aws
from mercury_s3.places import Place
from mercury_s3.sdk import Sdk
from mercury_s3.wire import SLOW, Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from mercury_core.storage.http import answers
    from mercury_core.storage.http.answers import Answer
    from mercury_core.storage.http.tries import Tries
    from mercury_s3.settings import Settings

_MOST_SIZES = 10_000


class Service:
    """The service, as the store asks it."""

    def __init__(self, settings: Settings) -> None:
        """Open nothing yet."""
        self.settings = settings
        self._conditions: dict[tuple[str, str], bool] = {}
        self._sizes: dict[tuple[Place, str], int] = {}
        self._told_by_md5: set[str] = set()
        self._open(Connections(settings))

    def remember(self, place: Place, version: str | None, size: int) -> None:
        """Remember what a listing said of the size of a version, as long as it may be asked for soon."""
        if len(self._sizes) >= _MOST_SIZES:
            self._sizes.clear()
        if version is not None:
            self._sizes[place, version] = size

    def size_of(self, place: Place, version: str) -> int | None:
        """The size of a version, where a listing said it lately."""
        return self._sizes.get((place, version))

    def keeps_conditions(self, operation: str, bucket: str) -> bool | None:
        """Whether ``If-None-Match`` is kept by an operation in a bucket; None for not known."""
        found = self._conditions.get((operation, bucket))
        if found is None and not speaks_otherwise(bucket) and is_aws(self.connections.route(bucket).address):
            found = self._conditions[operation, bucket] = True
        return found

    def knows_md5(self, bucket: str) -> bool:
        """Whether the ETags of a bucket are known to be MD5."""
        return bucket in self._told_by_md5

    def learn_md5(self, bucket: str) -> None:
        """Remember that an ETag of this bucket was the MD5 of what was written."""
        self._told_by_md5.add(bucket)

    def learn_conditions(self, operation: str, bucket: str, *, keeps: bool) -> None:
        """Remember what was found out."""
        self._conditions[operation, bucket] = keeps

    def _open(self, connections: Connections) -> None:
        self._connections = connections
        self._sdk, self._wire = Sdk(connections), Wire(connections, self.settings)

    @property
    def connections(self) -> Connections:
        """What this process has open: a child of `os.fork` uses nothing of its parent's."""
        if self._connections.pid != os.getpid():
            self._open(Connections(self.settings))
        return self._connections

    def call(self, operation: str, place: Place, body: memoryview | None = None, /, **params: Any) -> Answer:
        """Ask until there is an answer.

        Args:
            operation: As S3 names it.
            place: The bucket and the key.
            body: What is sent.
            **params: The rest, in boto3's words.

        Raises:
            RefusedError: The service answered with an error, at last.
            LostError: It did not answer.
            botocore.exceptions.BotoCoreError: No credentials, and the like.
        """
        return self.begin(operation, place, body, **params)()

    def begin(
        self, operation: str, place: Place, body: memoryview | None = None, /, **params: Any
    ) -> Callable[[], Answer]:
        """Send a request ahead; what is given waits for the answer, and asks again as `call` does; it is called once.

        Args and errors: see `call`; none is raised before the answer is waited for.
        """
        connections = self.connections
        buckets = (place.bucket, *([params["CopySource"]["Bucket"]] if "CopySource" in params else []))
        plain = self.settings.transport == "auto" and not any(map(speaks_otherwise, buckets))
        plane: Wire | Sdk = self._wire if plain else self._sdk
        tries, generation = self.settings.tries(), connections.generation
        ahead: Callable[[], Answer] | None = None
        if plain:
            ahead = self._wire.ahead(operation, place, body, params, tries.patience(slow=operation in SLOW))

        def once(tries: Tries) -> Answer:
            nonlocal ahead, generation
            first, ahead = ahead, None
            try:
                if first is not None:
                    return first()
                generation = connections.generation
                return plane.send(operation, place, body, params, tries.patience(slow=operation in SLOW))
            except RefusedError as refused:
                if operation == "HeadObject" and refused.status in (400, 403) and refused.code.isdigit():
                    self._say_why(plane, place, tries)
                raise

        renewed = moved = False

        def mend(refused: answers.RefusedError) -> bool:
            nonlocal renewed, moved
            assert isinstance(refused, RefusedError)  # noqa: S101 — there are no others here
            if refused.expired and not renewed:
                renewed = True
                connections.renew(generation)
                return True
            region = refused.region
            if region and not moved and not connections.region_is_given() and connections.move(place.bucket, region):
                moved = True
                return True
            return False

        return lambda: tries.run(once, mend)

    def _say_why(self, plane: Wire | Sdk, place: Place, tries: Tries) -> None:
        """Raise what an answer to HEAD has no room for: that credentials are wrong, or have expired."""
        asked = self.settings.reading() | {"MaxKeys": 1, "Prefix": place.key}
        try:
            plane.send("ListObjectsV2", Place(place.bucket, ""), None, asked, tries.patience())
        except RefusedError as refused:
            if refused.code not in ("AccessDenied", "403"):
                raise

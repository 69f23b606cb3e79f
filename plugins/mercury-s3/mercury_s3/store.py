"""Amazon S3, and what speaks its protocol, as a store."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 — the core looks the types of the parameters up
from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from mercury_core.errors import ArgumentsError, ObjectExistsError, ObjectNotFoundError, StoreAccessError
from mercury_core.storage.http.in_flight import in_flight
from mercury_s3 import checksums, copying, listing, multipart, small
from mercury_s3.places import Place, place_of, prefix_of
from mercury_s3.reading import begin, fetch, reader
from mercury_s3.refusals import translated
from mercury_s3.service import Service
from mercury_s3.settings import Acl, Encryption, Settings, Transport, faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from mercury_core.contracts import Crc, Fault, ObjectInfo, Part
    from mercury_core.errors import MercuryError


class S3Store:
    """Objects under ``s3://bucket/key``, with the key as it stands.

    Credentials come from boto3's own chain and from nowhere else: environment, profile, SSO, roles, instance metadata.
    They are looked up when the first request is made, and again when they expire.
    """

    conditional_put = True
    checksums = checksums.ALGORITHMS
    parts_in_order = False

    def __init__(
        self,
        *,
        profile: str | None = None,
        region: str | None = None,
        endpoint_url: str | None = None,
        path_style: bool | None = None,
        requester_pays: bool = False,
        anonymous: bool = False,
        sse: Encryption | None = None,
        sse_kms_key_id: str | None = None,
        storage_class: str | None = None,
        tags: Mapping[str, str] | None = None,
        acl: Acl | None = None,
        max_concurrency: int = 16,
        timeout: float = 300.0,
        max_attempts: int = 8,
        transport: Transport = "auto",
    ) -> None:
        """Open nothing yet.

        Args:
            profile: The profile of ``~/.aws/config``; else ``AWS_PROFILE``, else ``default``.
            region: Where the bucket is; else what the environment or the profile says, and where that is wrong, what
                the service says.
            endpoint_url: The address of a service other than Amazon's: ``https://minio.example:9000``.
            path_style: Whether the bucket stands in the path of an address and not in its host; None for yes wherever
                `endpoint_url` is given.
            requester_pays: Agree to pay for requests to the bucket of somebody else.
            anonymous: Sign no request: for public buckets.
            sse: How the service encrypts what is written; None for what the bucket says.
            sse_kms_key_id: The key of KMS for it.
            storage_class: For what is written: ``STANDARD_IA``.
            tags: For what is written.
            acl: For what is written; None, as nearly always, for what the bucket says.
            max_concurrency: How many requests at a time suit the service and this machine.
            timeout: Seconds for one request with all its tries; for content that is read, without a byte of it.
            max_attempts: How often one request is tried.
            transport: ``boto3`` to send everything through boto3.

        Raises:
            ArgumentsError: Parameters that contradict one another.
        """
        given = {name: value for name, value in locals().items() if name != "self" and value is not None}
        found = [fault.message for fault in self.check_params(given)]
        if found:
            raise ArgumentsError("copy", "s3", found)
        self._service = Service(Settings(**given))
        self.concurrency = max_concurrency

    @staticmethod
    def check_params(params: Mapping[str, Any]) -> Iterable[Fault]:
        """What is wrong with the parameters; see `mercury_core.contracts.ParamsChecker`."""
        return faults(params)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._service.settings!r})"

    def stat(self, uri: str) -> ObjectInfo:
        """One object; see `mercury_core.contracts.Store.stat`.

        Raises:
            ObjectNotFoundError: Nothing is there.
            StoreAccessError: No credentials, no permission, no such bucket, no way to the service.
        """
        place = place_of(uri)
        with self._translated("read", uri):
            return listing.head(self._service, place)

    def list(self, uri: str) -> Iterator[ObjectInfo]:
        """Every object below `uri`; see `mercury_core.contracts.Store.list`.

        Raises:
            StoreAccessError: No permission, no such bucket, no way to the service.
        """
        return listing.below(self._service, uri)

    def level(self, uri: str) -> Iterator[ObjectInfo | str]:
        """What is directly below `uri`; see `mercury_core.contracts.LevelStore.level`."""
        return listing.level(self._service, uri)

    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> BinaryIO:
        """Read a range of an object; see `mercury_core.contracts.Store.open`.

        A connection that is cut is mended where it was cut, as long as the object is the same.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ObjectChangedError: It has another version by now.
            StoreAccessError: It may not be read.
        """
        return reader(self._service, place_of(uri), start, end, version)

    def put(self, uri: str, data: BinaryIO, *, overwrite: bool = False) -> ObjectInfo:
        """Write an object whole; see `mercury_core.contracts.Store.put`.

        What is larger than a part is sent in parts, and is not held in memory.

        Raises:
            ObjectExistsError: Something is there, and `overwrite` is False.
            StoreAccessError: No permission, no such bucket, no way to the service.
            VerificationError: What arrived is not what was sent.
        """
        place = place_of(uri)
        with self._translated("write", uri):
            first = small.block(data, multipart.PART + 1)
            if len(first) <= multipart.PART:
                return small.begin(self._service, place, first, overwrite=overwrite)()
            return multipart.put(self._service, place, first, data, overwrite=overwrite)

    def get(self, uri: str, path: Path) -> None:
        """Write an object to a local file, verified; see `mercury_core.contracts.Store.get`.

        Raises:
            ObjectNotFoundError: Nothing is there.
            StoreAccessError: It may not be read, or the file not be written.
            VerificationError: What arrived is not what the service says of the object.
        """
        fetch(self._service, place_of(uri), path)

    def delete(self, uri: str) -> None:
        """Remove an object; nothing happens where there is none.

        Raises:
            StoreAccessError: No permission, no such bucket, no way to the service.
        """
        place = place_of(uri)
        try:
            with self._translated("delete", uri):
                self._service.call("DeleteObject", place, **self._service.settings.reading())
        except ObjectNotFoundError:
            return

    def delete_many(self, uris: Iterable[str]) -> None:
        """Remove objects, a thousand at a time.

        Raises:
            StoreAccessError: Some of them could not be removed: which, and why.
        """
        waiting: dict[str, list[Place]] = {}
        for uri in uris:
            place = place_of(uri)
            if _is_unwritable(place.key):
                self.delete(uri)
                continue
            many = waiting.setdefault(place.bucket, [])
            many.append(place)
            if len(many) == listing.PAGE:
                self._delete(waiting.pop(place.bucket))
        for many in waiting.values():
            self._delete(many)

    def _delete(self, places: Sequence[Place]) -> None:
        uri = places[0].uri
        asked = {"Objects": [{"Key": place.key} for place in places], "Quiet": True}
        with self._translated("delete", uri):
            said = self._service.call(
                "DeleteObjects", Place(places[0].bucket, ""), Delete=asked, **self._service.settings.reading()
            )
        failed = [one for one in said.data.get("Errors", ()) if one.get("Code") != "NoSuchKey"]
        if failed:
            first = Place(places[0].bucket, failed[0].get("Key", ""))
            more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
            why = f"the service refused it ({failed[0].get('Code')}){more}"
            todo = "Ask for the right s3:DeleteObject, or look what locks it."
            raise StoreAccessError("delete", first.uri, why, todo)

    def crc(self, algorithm: str) -> Crc | None:
        """How to compute a checksum; see `mercury_core.contracts.ChecksumStore.crc`."""
        return checksums.crc64nvme() if algorithm == "crc64nvme" else None

    def part_size(self, size: int) -> int | None:
        """How large parts are; see `mercury_core.contracts.MultipartStore.part_size`."""
        return multipart.part_size(size)

    def begin(self, uri: str, size: int, *, overwrite: bool) -> str:  # noqa: ARG002 — S3 needs not know it
        """Begin an upload in parts; see `mercury_core.contracts.MultipartStore.begin`.

        Raises:
            ObjectExistsError: Something is there, and `overwrite` is False.
            StoreAccessError: No permission, no such bucket, no way to the service.
        """
        place = place_of(uri)
        with self._translated("write", uri):
            if not overwrite and listing.exists(self._service, place):
                raise ObjectExistsError(uri)
            return multipart.begin(self._service, place)

    def put_part(self, uri: str, upload: str, number: int, data: memoryview) -> Part:
        """Send one part; see `mercury_core.contracts.MultipartStore.put_part`.

        Raises:
            UploadGoneError: There is no such upload any more.
            VerificationError: What arrived is not what was sent.
            StoreAccessError: No permission, no way to the service.
        """
        place = place_of(uri)
        with self._translated("write", uri):
            return multipart.put_part(self._service, place, upload, number, data)

    def parts(self, uri: str, upload: str) -> Iterable[Part]:
        """The parts that have arrived; see `mercury_core.contracts.MultipartStore.parts`.

        Raises:
            UploadGoneError: There is no such upload any more.
        """
        place = place_of(uri)
        with self._translated("write", uri):
            return multipart.parts(self._service, place, upload)

    def finish(self, uri: str, upload: str, parts: Sequence[Part], *, overwrite: bool, crc32c: str) -> ObjectInfo:
        """Publish an object in parts; see `mercury_core.contracts.MultipartStore.finish`.

        Raises:
            ObjectExistsError: Something is there, and `overwrite` is False.
            UploadGoneError: There is no such upload any more.
            VerificationError: The service found another checksum.
        """
        place = place_of(uri)
        with self._translated("write", uri):
            return multipart.finish(self._service, place, upload, parts, overwrite=overwrite, crc32c=crc32c)

    def abort(self, uri: str, upload: str) -> None:
        """Remove an upload and its parts; nothing happens where there is none."""
        place = place_of(uri)
        with self._translated("delete", uri):
            multipart.abort(self._service, place, upload)

    def copy(self, source: str, target: str, *, overwrite: bool, version: str | None = None) -> ObjectInfo:
        """Copy an object within the service; see `mercury_core.contracts.CopyingStore.copy`.

        Raises:
            ObjectNotFoundError: The source is not there.
            ObjectChangedError: It has another version by now.
            ObjectExistsError: Something is at the target, and `overwrite` is False.
            StoreAccessError: No permission, no such bucket, no way to the service.
        """
        here, there = place_of(source), place_of(target)
        return copying.begin(self._service, here, there, overwrite=overwrite, version=version)()

    def read_many(self, infos: Iterable[ObjectInfo], ahead: int) -> Iterator[bytes | MercuryError]:
        """Read small objects; see `mercury_core.contracts.ManyReadingStore.read_many`."""
        return in_flight((partial(begin, self._service, info) for info in infos), ahead)

    def put_many(
        self, contents: Iterable[tuple[str, bytes]], ahead: int, *, overwrite: bool
    ) -> Iterator[ObjectInfo | MercuryError]:
        """Write small objects; see `mercury_core.contracts.ManyPuttingStore.put_many`."""
        return in_flight((partial(self._begin_put, uri, data, overwrite) for uri, data in contents), ahead)

    def copy_many(
        self, pairs: Iterable[tuple[ObjectInfo, str]], ahead: int, *, overwrite: bool
    ) -> Iterator[ObjectInfo | MercuryError]:
        """Copy small objects; see `mercury_core.contracts.ManyCopyingStore.copy_many`."""
        return in_flight((partial(self._begin_copy, info, target, overwrite) for info, target in pairs), ahead)

    def _begin_put(self, uri: str, data: bytes, overwrite: bool) -> Callable[[], ObjectInfo]:
        asked = small.begin(self._service, place_of(uri), data, overwrite=overwrite)

        def finish() -> ObjectInfo:
            with self._translated("write", uri):
                return asked()

        return finish

    def _begin_copy(self, info: ObjectInfo, target: str, overwrite: bool) -> Callable[[], ObjectInfo]:
        here, there = place_of(info.uri), place_of(target)
        return copying.begin(self._service, here, there, overwrite=overwrite, version=info.version)

    def check(self, uri: str, *, write: bool = False) -> None:  # noqa: ARG002 — see below
        """Ask whether the bucket is there and may be listed: for writing too, since a copy looks what is there.

        Raises:
            StoreAccessError: No credentials, no permission, no such bucket, no way to the service.
        """
        place = prefix_of(uri)
        with self._translated("reach", uri):
            listing.probe(self._service, place)

    def _translated(self, action: str, uri: str) -> Any:
        return translated(action, uri, self._service.settings)


def _is_unwritable(key: str) -> bool:
    """Whether XML has no way to write a key."""
    return any((c < " " and c not in "\t\n\r") or c in "\ufffe\uffff" for c in key)

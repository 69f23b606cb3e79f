"""Google Cloud Storage as a store."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, BinaryIO

from mercury_core.errors import ArgumentsError, UploadGoneError
from mercury_core.storage.http.in_flight import in_flight
from mercury_gcs import checksums, objects, sessions, writing
from mercury_gcs.places import place_of, prefix_of
from mercury_gcs.reading import begin, fetch, reader
from mercury_gcs.refusals import translated
from mercury_gcs.service import Service
from mercury_gcs.settings import Settings, faults

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from mercury_core.contracts import Crc, Fault, ObjectInfo, Part
    from mercury_core.errors import MercuryError
    from mercury_gcs.places import Place


class GCSStore:
    """Objects under ``gs://bucket/key``, with the key as it stands.

    Credentials are Application Default Credentials and nothing else: ``GOOGLE_APPLICATION_CREDENTIALS``, the login of
    gcloud, a service account that is attached. They are looked up when the first request is made. An emulator
    (``STORAGE_EMULATOR_HOST``, or any address without TLS) is sent none.
    """

    conditional_put = True
    checksums = checksums.ALGORITHMS
    parts_in_order = True

    def __init__(
        self,
        *,
        project: str | None = None,
        anonymous: bool = False,
        endpoint: str | None = None,
        kms_key_name: str | None = None,
        storage_class: str | None = None,
        user_project: str | None = None,
        max_concurrency: int = 16,
        deadline: float = 300.0,
        max_attempts: int = 8,
        chunk_size: int = 32 << 20,
        resumable_above: int = 512 << 20,
    ) -> None:
        """Open nothing yet.

        Args:
            project: Whose quota requests count against; else that of the credentials.
            anonymous: Send no credentials: for public buckets.
            endpoint: The address of a service other than Google's own, ``https://storage.example``; else
                ``STORAGE_EMULATOR_HOST``.
            kms_key_name: The key that encrypts what is written:
                ``projects/P/locations/L/keyRings/R/cryptoKeys/K``; else what the bucket says.
            storage_class: For what is written: ``NEARLINE``; else what the bucket says.
            user_project: The project that pays for requests to buckets whose readers pay.
            max_concurrency: How many requests at a time suit the service and this machine.
            deadline: Seconds for one request with all its tries; for content that is on its way, without a byte of it.
            max_attempts: How often one request is tried.
            chunk_size: Bytes of one part of a large object, a multiple of 256 KiB; as many are held in memory.
            resumable_above: Bytes above which an object is sent in parts, so that another process can go on with it.

        Raises:
            ArgumentsError: Parameters that contradict one another.
        """
        given = {name: value for name, value in locals().items() if name != "self" and value is not None}
        found = [fault.message for fault in self.check_params(given)]
        if found:
            raise ArgumentsError("copy", "gs", found)
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
            return objects.stat(self._service, place)

    def list(self, uri: str) -> Iterator[ObjectInfo]:
        """Every object below `uri`; see `mercury_core.contracts.Store.list`.

        Raises:
            StoreAccessError: No permission, no such bucket, no way to the service.
        """
        return objects.below(self._service, uri)

    def level(self, uri: str) -> Iterator[ObjectInfo | str]:
        """What is directly below `uri`; see `mercury_core.contracts.LevelStore.level`."""
        return objects.level(self._service, uri)

    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> BinaryIO:
        """Read a range of an object, as it is stored; see `mercury_core.contracts.Store.open`.

        A connection that is cut is mended where it was cut, as long as the object is the same.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ObjectChangedError: It has another version by now.
            StoreAccessError: It may not be read.
        """
        return reader(self._service, place_of(uri), start, end, version)

    def put(self, uri: str, data: BinaryIO, *, overwrite: bool = False) -> ObjectInfo:
        """Write an object whole; see `mercury_core.contracts.Store.put`.

        What can be read again (``data.seekable()``) is read twice: for its checksum, then to be sent with one request.
        Anything else is held in memory up to 8 MiB, and sent in chunks beyond.

        Raises:
            ObjectExistsError: Something is there, and `overwrite` is False.
            StoreAccessError: No permission, no such bucket, no way to the service.
            VerificationError: What arrived is not what was sent.
        """
        place = place_of(uri)
        with self._translated("write", uri):
            return writing.put(self._service, place, data, overwrite=overwrite)

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
        self._delete(place_of(uri))

    def delete_many(self, uris: Iterable[str]) -> None:
        """Remove objects, several at a time.

        Raises:
            StoreAccessError: One of them could not be removed.
        """
        from mercury_gcs.deleting import delete_many

        delete_many(self._delete, map(place_of, uris), self.concurrency)

    def _delete(self, place: Place) -> None:
        from mercury_gcs.proof import remove

        with self._translated("delete", place.uri):
            remove(self._service, place)

    def crc(self, algorithm: str) -> Crc | None:  # noqa: ARG002 — every Mercury has both
        """Nothing: `checksums` are such as every Mercury computes."""
        return None

    def part_size(self, size: int) -> int | None:
        """How large parts are; see `mercury_core.contracts.MultipartStore.part_size`."""
        settings = self._service.settings
        return settings.chunk_size if size > settings.resumable_above else None

    def begin(self, uri: str, size: int, *, overwrite: bool) -> str:
        """Begin an upload in parts; see `mercury_core.contracts.MultipartStore.begin`.

        Raises:
            ObjectExistsError: Something is there, and `overwrite` is False, as far as the service says so.
            StoreAccessError: No permission, no such bucket, no way to the service.
        """
        place = place_of(uri)
        with self._translated("write", uri):
            return sessions.begin(self._service, place, size, overwrite=overwrite).name

    def put_part(self, uri: str, upload: str, number: int, data: memoryview) -> Part:
        """Send one part; see `mercury_core.contracts.MultipartStore.put_part`.

        Raises:
            UploadGoneError: There is no such upload any more, or it lacks a part before this one.
            StoreAccessError: No permission, no way to the service.
        """
        place = place_of(uri)
        with self._translated("write", uri):
            return sessions.put_part(self._service, place, sessions.Session.named(place, upload), number, data)

    def parts(self, uri: str, upload: str) -> Iterable[Part]:
        """The parts that have arrived; see `mercury_core.contracts.MultipartStore.parts`.

        Raises:
            UploadGoneError: There is no such upload any more.
        """
        place = place_of(uri)
        with self._translated("write", uri):
            return sessions.parts(self._service, place, sessions.Session.named(place, upload))

    def finish(self, uri: str, upload: str, parts: Sequence[Part], *, overwrite: bool, crc32c: str) -> ObjectInfo:
        """Publish an object in parts; see `mercury_core.contracts.MultipartStore.finish`.

        Raises:
            ObjectExistsError: Something is there, and `overwrite` is False.
            UploadGoneError: There is no such upload any more, or it was begun with another `overwrite`.
            VerificationError: The service found another checksum.
        """
        place = place_of(uri)
        session = sessions.Session.named(place, upload)
        if session.new == overwrite:
            raise UploadGoneError(uri)
        with self._translated("write", uri):
            return sessions.finish(self._service, place, session, parts, crc32c)

    def abort(self, uri: str, upload: str) -> None:
        """Remove an upload and its parts; nothing happens where there is none."""
        place = place_of(uri)
        try:
            session = sessions.Session.named(place, upload)
        except UploadGoneError:
            return
        with self._translated("delete", uri):
            sessions.abort(self._service, session)

    def copy(self, source: str, target: str, *, overwrite: bool, version: str | None = None) -> ObjectInfo:
        """Copy an object within the service; see `mercury_core.contracts.CopyingStore.copy`.

        Raises:
            ObjectNotFoundError: The source is not there.
            ObjectChangedError: It has another version by now.
            ObjectExistsError: Something is at the target, and `overwrite` is False.
            StoreAccessError: No permission, no such bucket, no way to the service.
        """
        from mercury_gcs import copying

        here, there = place_of(source), place_of(target)
        with self._translated("copy", source):
            return copying.copy(self._service, here, there, overwrite=overwrite, version=version)

    def read_many(self, infos: Iterable[ObjectInfo], ahead: int) -> Iterator[bytes | MercuryError]:
        """Read small objects; see `mercury_core.contracts.ManyReadingStore.read_many`."""
        return in_flight((partial(begin, self._service, info) for info in infos), ahead)

    def put_many(
        self, contents: Iterable[tuple[str, bytes]], ahead: int, *, overwrite: bool
    ) -> Iterator[ObjectInfo | MercuryError]:
        """Write small objects; see `mercury_core.contracts.ManyPuttingStore.put_many`."""
        return in_flight((partial(self._begin_put, uri, data, overwrite) for uri, data in contents), ahead)

    def _begin_put(self, uri: str, data: bytes, overwrite: bool) -> Callable[[], ObjectInfo]:
        asked = writing.begin(self._service, place_of(uri), memoryview(data), overwrite=overwrite)

        def finish() -> ObjectInfo:
            with self._translated("write", uri):
                return asked()

        return finish

    def check(self, uri: str, *, write: bool = False) -> None:
        """Ask whether objects below `uri` can be listed, and written.

        Raises:
            StoreAccessError: No credentials, no permission, no such bucket, no way to the service.
        """
        from mercury_gcs import reaching

        place = prefix_of(uri)
        with self._translated("write" if write else "reach", uri):
            reaching.check(self._service, place, write=write)

    def _translated(self, action: str, uri: str) -> Any:
        return translated(action, uri, self._service.settings)

"""Stores in memory, each with one fault, and the tests of the suite that must find it."""

from __future__ import annotations

import io
import socket
import time
import unicodedata
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from mercury_core.contracts import Crc
from mercury_core.errors import ObjectExistsError, ObjectNotFoundError, StoreAccessError
from mercury_core.storage.checksums import CRC32C
from tests.core.store_faults import found_by
from tests.third_party.project.src.acme_mercury.memory import Held, MemoryStore


@found_by("test_stat_finds_nothing_where_nothing_is")
class StatOfPrefix(MemoryStore):
    def stat(self, uri: str) -> Any:
        return next(iter(self.list(uri)), None) or super().stat(uri)


@found_by("test_stat_finds_nothing_where_nothing_is", "test_open_of_nothing", "test_get_writes_all_or_nothing")
class ForeignErrors(MemoryStore):
    def _held(self, uri: str) -> Held:
        return self._shelf.objects[uri]


@found_by("test_stat_finds_nothing_where_nothing_is", "test_open_of_nothing")
class ErrorsOfAnotherPlace(MemoryStore):
    def _held(self, uri: str) -> Held:
        if uri not in self._shelf.objects:
            raise ObjectNotFoundError("mem://somewhere")
        return super()._held(uri)


@found_by("test_stat_tells_the_size_and_only_what_is_true", "test_put_writes_an_object_and_tells_of_it")
class WrongSize(MemoryStore):
    def _info(self, uri: str, held: Held) -> Any:
        return replace(super()._info(uri, held), size=len(held.data) + 1)


@found_by("test_stat_tells_the_size_and_only_what_is_true", "test_a_checksum_of_what_was_put_is_told")
class WrongChecksum(MemoryStore):
    def _info(self, uri: str, held: Held) -> Any:
        return replace(super()._info(uri, held), checksums={"crc32c": "00000001"})


@found_by("test_a_checksum_of_what_was_put_is_told")
class NoChecksum(MemoryStore):
    def _info(self, uri: str, held: Held) -> Any:
        return replace(super()._info(uri, held), checksums={})


@found_by("test_stat_tells_the_size_and_only_what_is_true")
class Milliseconds(MemoryStore):
    def _info(self, uri: str, held: Held) -> Any:
        return replace(super()._info(uri, held), modified=held.modified * 1000)


@found_by("test_another_content_has_another_version")
class VersionOfSize(MemoryStore):
    def _info(self, uri: str, held: Held) -> Any:
        return replace(super()._info(uri, held), version=str(len(held.data)))


@found_by("test_list_gives_only_what_is_below")
class ListsNeighbours(MemoryStore):
    def list(self, uri: str) -> Any:
        below = sorted(each for each in self._shelf.objects if each.startswith(uri.rstrip("/")))
        return (self.stat(each) for each in below)


@found_by("test_list_gives_every_object_once_in_the_order_of_names")
class ListsByUnits(MemoryStore):
    def list(self, uri: str) -> Any:
        return sorted(super().list(uri), key=lambda info: info.uri.encode("utf-16-be"))


@found_by("test_list_gives_every_object_once_in_the_order_of_names")
class ListsByFolders(MemoryStore):
    def list(self, uri: str) -> Any:
        return sorted(super().list(uri), key=lambda info: info.uri.split("/"))


@found_by("test_list_gives_every_object_once_in_the_order_of_names")
class ListsTwice(MemoryStore):
    def list(self, uri: str) -> Any:
        return [info for info in super().list(uri) for _ in range(2)]


@found_by("test_list_of_an_object_or_of_nothing_is_empty")
class ListsTheObject(MemoryStore):
    def list(self, uri: str) -> Any:
        return [self.stat(uri)] if uri in self._shelf.objects else super().list(uri)


@found_by("test_list_may_be_left_early")
class ListsOneAtATime(MemoryStore):
    listing = False

    def list(self, uri: str) -> Any:
        assert not self.listing, "another listing is not at its end"
        self.listing = True
        yield from super().list(uri)
        self.listing = False


@found_by("test_open_reads_ranges")
class OpensToTheEnd(MemoryStore):
    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> Any:
        return super().open(uri, start, version=version)


@found_by("test_open_reads_ranges", "test_open_of_an_empty_object")
class RefusesPastTheEnd(MemoryStore):
    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> Any:
        if start and start >= self.stat(uri).size:
            raise ValueError("416")
        return super().open(uri, start, end, version=version)


@found_by("test_open_reads_ranges")
class EndIsIncluded(MemoryStore):
    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> Any:
        return super().open(uri, start, None if end is None else end + 1, version=version)


@found_by("test_open_reads_ranges")
class ZeroIsAll(MemoryStore):
    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> Any:
        return super().open(uri, start, end or None, version=version)


@found_by("test_what_is_open_reads_piece_by_piece")
class ReadsBlocksOnly(MemoryStore):
    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> Any:
        data = super().open(uri, start, end, version=version).read()

        class Blocks(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                return super().read(-1 if size is None or size < 0 else max(size, 4096))

        return Blocks(data)


@found_by("test_open_reads_the_version_that_is_asked_for_or_none")
class AnyVersion(MemoryStore):
    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> Any:
        return super().open(uri, start, end)


@found_by("test_open_of_nothing")
class OpensLazily(MemoryStore):
    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> Any:
        return super().open(uri, start, end, version=version) if uri in self._shelf.objects else io.BytesIO()


@found_by("test_get_writes_all_or_nothing")
class GetsInPlace(MemoryStore):
    def get(self, uri: str, path: Any) -> None:
        with path.open("wb") as file:
            file.write(self._held(uri).data)


@found_by("test_get_writes_all_or_nothing")
class GetsNewOnly(MemoryStore):
    def get(self, uri: str, path: Any) -> None:
        data = self._held(uri).data
        if not path.exists():
            path.write_bytes(data)


@found_by("test_get_writes_a_file")
class GetsNothingOfEmpty(MemoryStore):
    def get(self, uri: str, path: Any) -> None:
        if self.stat(uri).size:
            super().get(uri, path)


@found_by("test_put_replaces_only_where_it_is_told_to")
class AlwaysReplaces(MemoryStore):
    def _publish(self, uri: str, data: bytes, overwrite: bool) -> Any:
        return super()._publish(uri, data, True)


@found_by("test_put_replaces_only_where_it_is_told_to")
class NeverReplaces(MemoryStore):
    def put(self, uri: str, data: Any, *, overwrite: bool = False) -> Any:
        if overwrite and uri in self._shelf.objects:
            return self.stat(uri)
        return super().put(uri, data, overwrite=overwrite)


@found_by("test_a_source_that_fails_leaves_what_was_there")
class PublishesHalf(MemoryStore):
    def put(self, uri: str, data: Any, *, overwrite: bool = False) -> Any:
        arrived = b""
        try:
            while block := data.read(100_000):
                arrived += block
        finally:
            info = self._publish(uri, arrived, overwrite)
        return info


@found_by("test_a_source_that_fails_leaves_what_was_there")
class DeletesFirst(MemoryStore):
    def put(self, uri: str, data: Any, *, overwrite: bool = False) -> Any:
        if overwrite:
            self.delete(uri)
        return super().put(uri, data, overwrite=overwrite)


@found_by("test_a_source_that_fails_leaves_what_was_there")
class LeavesUploads(MemoryStore):
    def put(self, uri: str, data: Any, *, overwrite: bool = False) -> Any:
        upload = self.begin(uri, 0, overwrite=overwrite)
        info = super().put(uri, data, overwrite=overwrite)
        self.abort(uri, upload)
        return info


@found_by("test_put_takes_a_stream_that_cannot_be_sought_in")
class ReadsOnce(MemoryStore):
    def put(self, uri: str, data: Any, *, overwrite: bool = False) -> Any:
        return super().put(uri, io.BytesIO(data.read(1 << 20)), overwrite=overwrite)


@found_by("test_put_takes_a_stream_that_cannot_be_sought_in")
class Seeks(MemoryStore):
    def put(self, uri: str, data: Any, *, overwrite: bool = False) -> Any:
        data.seek(0)
        return super().put(uri, data, overwrite=overwrite)


@found_by("test_any_name_is_written_as_it_is", "test_a_tree_goes_there_and_back")
class Decodes(MemoryStore):
    def put(self, uri: str, data: Any, *, overwrite: bool = False) -> Any:
        return super().put(unquote(uri), data, overwrite=overwrite)


@found_by("test_any_name_is_read_as_it_is")
class Strips(MemoryStore):
    def _held(self, uri: str) -> Held:
        return super()._held(uri.strip())


@found_by("test_names_that_look_the_same_are_two")
class Composes(MemoryStore):
    def _held(self, uri: str) -> Held:
        return super()._held(unicodedata.normalize("NFC", uri))


@found_by("test_long_names")
class CutsNames(MemoryStore):
    def put(self, uri: str, data: Any, *, overwrite: bool = False) -> Any:
        return super().put(uri[:500], data, overwrite=overwrite)


@found_by("test_delete_removes_one_object")
class DeletesWhatIsThere(MemoryStore):
    def delete(self, uri: str) -> None:
        self._held(uri)
        super().delete(uri)


@found_by("test_delete_of_names_above_others_leaves_those")
class DeletesTrees(MemoryStore):
    def delete(self, uri: str) -> None:
        for info in [*self.list(uri)]:
            super().delete(info.uri)
        super().delete(uri)


@found_by("test_what_was_deleted_can_be_written_again")
class RemembersDeleted(MemoryStore):
    gone: set[str] = set()

    def delete(self, uri: str) -> None:
        self.gone.add(uri)
        super().delete(uri)

    def put(self, uri: str, data: Any, *, overwrite: bool = False) -> Any:
        if uri in self.gone:
            raise ObjectExistsError(uri)
        return super().put(uri, data, overwrite=overwrite)


@found_by("test_making_one_opens_no_connection")
class Connects(MemoryStore):
    def __init__(self, *words: Any, **params: Any) -> None:
        super().__init__(*words, **params)
        with socket.socket() as made:
            made.connect_ex(("127.0.0.1", 9))


@found_by("test_no_secret_is_shown")
class ShowsSecrets(MemoryStore):
    def __repr__(self) -> str:
        return "MemoryStore(password='xyzzy')"


@found_by("test_one_store_is_read_by_many_threads")
class OneAtATime(MemoryStore):
    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> Any:
        self.now = uri
        time.sleep(0.005)
        return super().open(self.now, start, end, version=version)


@found_by("test_one_store_is_written_to_by_many_threads")
class OneWriter(MemoryStore):
    def put(self, uri: str, data: Any, *, overwrite: bool = False) -> Any:
        self.now = data.read()
        time.sleep(0.005)
        return self._publish(uri, self.now, overwrite)


@found_by("test_writers_of_one_object_leave_one_whole")
class LocksOut(MemoryStore):
    written: set[str] = set()

    def put(self, uri: str, data: Any, *, overwrite: bool = False) -> Any:
        if uri in self.written:
            raise StoreAccessError("write", uri, "somebody else writes to it")
        self.written.add(uri)
        time.sleep(0.05)
        info = super().put(uri, data, overwrite=overwrite)
        self.written.remove(uri)
        return info


_LOOKING: list[str] = []  # places that LooksFirst saw to be free


@found_by("test_one_of_many_creates", "test_one_of_many_uploads_creates")
class LooksFirst(MemoryStore):
    def _publish(self, uri: str, data: bytes, overwrite: bool) -> Any:
        if not overwrite and uri in self._shelf.objects:
            return super()._publish(uri, data, False)
        # Whoever saw nothing waits for a second one who does, so that the race is no matter of luck.
        _LOOKING.append(uri)
        until = time.monotonic() + 2
        while _LOOKING.count(uri) < 2 and time.monotonic() < until:
            time.sleep(0.001)
        return super()._publish(uri, data, True)


@found_by("test_what_is_out_of_reach_is_said_with_its_uri", "test_a_check_says_what_is_out_of_reach")
class ReachesAll(MemoryStore):
    def _reach(self, action: str, uri: str) -> None:
        pass


@found_by("test_the_declared_abilities_are_those_it_has")
class NoDeleteMany(MemoryStore):
    delete_many = None


@found_by("test_the_declared_abilities_are_those_it_has")
class UndeclaredDirectories(MemoryStore):
    directories = make_directory = remove_directory = MemoryStore.check


@found_by("test_some_requests_at_a_time_suit_it")
class NoConcurrency(MemoryStore):
    concurrency = 0


@found_by("test_what_it_says_of_its_crcs_is_so")
class WrongPolynomial(MemoryStore):
    def crc(self, algorithm: str) -> Crc:
        return Crc("crc32c", 32, 0xEDB88320, CRC32C.extend)

"""Stores in memory, each with one fault, and the tests of the suite that must find it."""

from __future__ import annotations

import io
import socket
import time
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from mercury_core.builtin.disk import FileStore
from mercury_core.contracts import Crc
from mercury_core.errors import ObjectExistsError, ObjectNotFoundError, StoreAccessError
from mercury_core.storage.checksums import CRC32C
from mercury_core.storage.uri import to_path
from tests.third_party.project.src.acme_mercury.memory import Held, MemoryStore

if TYPE_CHECKING:
    from collections.abc import Callable

FOUND_BY: dict[type, tuple[str, ...]] = {}


def found_by(*tests: str) -> Callable[[type], type]:
    """Say which tests of the suite must fail."""

    def note(mutant: type) -> type:
        FOUND_BY[mutant] = tests
        return mutant

    return note


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


@found_by("test_one_of_many_creates", "test_one_of_many_uploads_creates")
class LooksFirst(MemoryStore):
    def _publish(self, uri: str, data: bytes, overwrite: bool) -> Any:
        if not overwrite and uri in self._shelf.objects:
            return super()._publish(uri, data, False)
        time.sleep(0.01)
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


# --- parts ---


@found_by("test_sizes_of_parts_fit_any_object")
class SmallParts(MemoryStore):
    def part_size(self, size: int) -> int | None:
        return 4 << 20


@found_by("test_an_object_in_parts_is_seen_when_it_is_finished")
class SeenEarly(MemoryStore):
    def put_part(self, uri: str, upload: str, number: int, data: memoryview) -> Any:
        part = super().put_part(uri, upload, number, data)
        self._publish(uri, bytes(data), True)
        return part


@found_by("test_an_object_in_parts_is_seen_when_it_is_finished")
class KeepsFinished(MemoryStore):
    def finish(self, uri: str, upload: str, parts: Any, *, overwrite: bool, crc32c: str) -> Any:
        kept = self._upload(uri, upload)
        info = super().finish(uri, upload, parts, overwrite=overwrite, crc32c=crc32c)
        self._shelf.uploads[uri, upload] = kept
        return info


@found_by("test_an_object_in_parts_is_seen_when_it_is_finished")
class InOrderOfArrival(MemoryStore):
    def finish(self, uri: str, upload: str, parts: Any, *, overwrite: bool, crc32c: str) -> Any:
        data = b"".join(block for _, block in self._upload(uri, upload).values())
        self.abort(uri, upload)
        return self._publish(uri, data, overwrite)


@found_by("test_a_part_that_is_sent_again_replaces_the_first")
class FirstPartStays(MemoryStore):
    def put_part(self, uri: str, upload: str, number: int, data: memoryview) -> Any:
        kept = self._upload(uri, upload)
        return kept[number][0] if number in kept else super().put_part(uri, upload, number, data)


@found_by("test_another_process_goes_on_with_an_upload")
class RemembersItsOwn(MemoryStore):
    def __init__(self, *words: Any, **params: Any) -> None:
        super().__init__(*words, **params)
        self._own: set[int] = set()

    def put_part(self, uri: str, upload: str, number: int, data: memoryview) -> Any:
        self._own.add(number)
        return super().put_part(uri, upload, number, data)

    def parts(self, uri: str, upload: str) -> Any:
        return [part for part in super().parts(uri, upload) if part.number in self._own]


@found_by("test_an_upload_that_was_aborted_is_gone")
class AbortsNothing(MemoryStore):
    def abort(self, uri: str, upload: str) -> None:
        pass


@found_by("test_an_upload_that_was_aborted_is_gone")
class GoneIsEmpty(MemoryStore):
    def parts(self, uri: str, upload: str) -> Any:
        return super().parts(uri, upload) if (uri, upload) in self._shelf.uploads else []


@found_by("test_uploads_to_one_object_do_not_mix")
class OneUpload(MemoryStore):
    def begin(self, uri: str, size: int, *, overwrite: bool) -> str:
        self._shelf.uploads.setdefault((uri, "the upload"), {})
        return "the upload"


@found_by("test_parts_of_awkward_names")
class FinishDecodes(MemoryStore):
    def finish(self, uri: str, upload: str, parts: Any, *, overwrite: bool, crc32c: str) -> Any:
        self._shelf.uploads[unquote(uri), upload] = self._upload(uri, upload)
        return super().finish(unquote(uri), upload, parts, overwrite=overwrite, crc32c=crc32c)


@found_by("test_finish_replaces_only_where_it_is_told_to")
class FinishReplaces(MemoryStore):
    def finish(self, uri: str, upload: str, parts: Any, *, overwrite: bool, crc32c: str) -> Any:
        return super().finish(uri, upload, parts, overwrite=True, crc32c=crc32c)


@found_by("test_what_is_not_what_was_sent_is_not_published")
class ComparesNothing(MemoryStore):
    def finish(self, uri: str, upload: str, parts: Any, *, overwrite: bool, crc32c: str) -> Any:
        kept = self._upload(uri, upload)
        info = self._publish(uri, b"".join(kept[part.number][1] for part in parts), overwrite)
        self.abort(uri, upload)
        return info


@found_by("test_what_is_not_what_was_sent_is_not_published")
class PublishesThenCompares(ComparesNothing):
    def finish(self, uri: str, upload: str, parts: Any, *, overwrite: bool, crc32c: str) -> Any:
        kept = self._upload(uri, upload)
        super().finish(uri, upload, parts, overwrite=overwrite, crc32c=crc32c)
        self._shelf.uploads[uri, upload] = kept
        return MemoryStore.finish(self, uri, upload, parts, overwrite=True, crc32c=crc32c)


# --- copies within, many at a time, levels, checks ---


@found_by("test_a_copy_within_is_the_same", "test_a_tree_is_copied_within")
class Renames(MemoryStore):
    def copy(self, source: str, target: str, *, overwrite: bool, version: str | None = None) -> Any:
        info = super().copy(source, target, overwrite=overwrite, version=version)
        self.delete(source)
        return info


@found_by("test_a_copy_within_replaces_only_where_it_is_told_to")
class CopyReplaces(MemoryStore):
    def copy(self, source: str, target: str, *, overwrite: bool, version: str | None = None) -> Any:
        return super().copy(source, target, overwrite=True, version=version)


@found_by("test_a_copy_of_what_is_not_there_or_not_the_same_any_more")
class CopiesAnyVersion(MemoryStore):
    def copy(self, source: str, target: str, *, overwrite: bool, version: str | None = None) -> Any:
        return super().copy(source, target, overwrite=overwrite)


@found_by("test_a_copy_onto_itself_loses_nothing")
class CopyClears(MemoryStore):
    def copy(self, source: str, target: str, *, overwrite: bool, version: str | None = None) -> Any:
        if overwrite:
            self.delete(target)
        return super().copy(source, target, overwrite=overwrite, version=version)


@found_by("test_many_are_deleted_at_a_time")
class DeletesAThousand(MemoryStore):
    def delete_many(self, uris: Any) -> None:
        super().delete_many([*uris][:1000])


@found_by("test_a_level_has_what_is_directly_below")
class LevelRepeats(MemoryStore):
    def level(self, uri: str) -> Any:
        below = uri.rstrip("/") + "/"
        for info in self.list(uri):
            name, slash, _ = info.uri.removeprefix(below).partition("/")
            yield f"{below}{name}/" if slash else info


@found_by("test_a_level_has_what_is_directly_below")
class LevelGoesDeep(MemoryStore):
    def level(self, uri: str) -> Any:
        return self.list(uri)


@found_by("test_a_check_passes_where_all_is_well_and_changes_nothing")
class ChecksByWriting(MemoryStore):
    def check(self, uri: str, *, write: bool = False) -> None:
        super().check(uri, write=write)
        if write:
            self._publish(f"{uri}/.probe", b"", True)


@found_by("test_a_check_passes_where_all_is_well_and_changes_nothing")
class ChecksForObjects(MemoryStore):
    def check(self, uri: str, *, write: bool = False) -> None:
        super().check(uri, write=write)
        self.stat(uri)


# --- in copies: what only the whole shows ---


@found_by("test_a_file_goes_there_and_back", "test_a_tree_goes_there_and_back")
class Corrupts(MemoryStore):
    def _publish(self, uri: str, data: bytes, overwrite: bool) -> Any:
        return super()._publish(uri, data[:-1] + b"?" if data else data, overwrite)


@found_by("test_what_is_moved_is_gone_from_where_it_was", "test_what_exists_is_treated_as_asked")
class DeletesNothing(MemoryStore):
    def delete(self, uri: str) -> None:
        pass

    def delete_many(self, uris: Any) -> None:
        pass


# --- directories ---


@found_by("test_directories_are_made_found_and_removed")
class RemovesFull(FileStore):
    def remove_directory(self, uri: str) -> None:
        import shutil

        shutil.rmtree(to_path(uri), ignore_errors=True)


@found_by("test_directories_are_made_found_and_removed")
class DirectoriesFromBelow(FileStore):
    def directories(self, uri: str) -> Any:
        return reversed([*super().directories(uri)])


@found_by("test_directories_are_made_found_and_removed")
class MakesOnce(FileStore):
    def make_directory(self, uri: str) -> None:
        to_path(uri).mkdir(parents=True)


class Current:
    store_class: type = MemoryStore


current = Current()


def provide() -> Any:
    """The store under test, for copies."""
    return current.store_class(buckets=["bucket"])

"""Stores whose abilities have one fault each, and the tests of the suite that must find it."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

from mercury_core.builtin.disk import FileStore
from mercury_core.storage.uri import to_path
from tests.core.store_faults import found_by
from tests.third_party.project.src.acme_mercury.memory import MemoryStore

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

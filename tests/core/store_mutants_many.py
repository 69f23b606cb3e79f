"""Stores that do with many objects at a time what they do with one, but for one fault each."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import Any
from urllib.parse import unquote

from mercury_core.errors import MercuryError
from tests.core.store_faults import found_by
from tests.third_party.project.src.acme_mercury.memory import MemoryStore

# --- reading ---


@found_by("test_many_are_read_as_one_by_one")
class ReadsInOrderOfNames(MemoryStore):
    def read_many(self, infos: Any, ahead: int) -> Any:
        return super().read_many(sorted(infos, key=lambda info: info.uri), ahead)


@found_by("test_many_are_read_as_one_by_one")
class ReadsEachOnce(MemoryStore):
    def read_many(self, infos: Any, ahead: int) -> Any:
        return super().read_many({info.uri: info for info in infos}.values(), ahead)


@found_by("test_many_are_read_as_one_by_one")
class LeavesEmptyOnesOut(MemoryStore):
    def read_many(self, infos: Any, ahead: int) -> Any:
        return super().read_many((info for info in infos if info.size), ahead)


@found_by("test_many_are_read_as_one_by_one")
class DecodesManyNames(MemoryStore):
    def read_many(self, infos: Any, ahead: int) -> Any:
        return super().read_many((replace(info, uri=unquote(info.uri)) for info in infos), ahead)


@found_by("test_many_are_read_as_one_by_one")
class ReadsNoMoreThanAhead(MemoryStore):
    def read_many(self, infos: Any, ahead: int) -> Any:
        return super().read_many([*infos][:ahead], ahead)


@found_by("test_of_many_each_is_read_at_its_version")
class ReadsManyOfAnyVersion(MemoryStore):
    def read_many(self, infos: Any, ahead: int) -> Any:
        return super().read_many((replace(info, version=None) for info in infos), ahead)


@found_by("test_of_many_each_is_read_at_its_version", "test_of_many_to_read_one_out_of_reach_stops_no_other")
class RaisesWhileReading(MemoryStore):
    def read_many(self, infos: Any, ahead: int) -> Any:
        return raising(super().read_many(infos, ahead))


@found_by("test_of_many_each_is_read_at_its_version", "test_of_many_to_read_one_out_of_reach_stops_no_other")
class SaysNothingOfMissingOnes(MemoryStore):
    def read_many(self, infos: Any, ahead: int) -> Any:
        return (answer for answer in super().read_many(infos, ahead) if not isinstance(answer, MercuryError))


@found_by("test_of_many_one_that_is_larger_than_was_said_is_not_cut")
class CutsToSize(MemoryStore):
    def read_many(self, infos: Any, ahead: int) -> Any:
        for info in infos:
            for answer in super().read_many([info], ahead):
                yield answer if isinstance(answer, MercuryError) else answer[: info.size]


@found_by("test_many_to_read_are_taken_as_they_are_needed")
class TakesAllToRead(MemoryStore):
    def read_many(self, infos: Any, ahead: int) -> Any:
        return super().read_many([*infos], ahead)


# --- writing ---


@found_by("test_many_are_put_as_one_by_one")
class TellsInReverse(MemoryStore):
    def put_many(self, contents: Any, ahead: int, *, overwrite: bool) -> Any:
        return reversed([*super().put_many(contents, ahead, overwrite=overwrite)])


@found_by("test_many_are_put_as_one_by_one")
class TellsAnotherVersion(MemoryStore):
    def put_many(self, contents: Any, ahead: int, *, overwrite: bool) -> Any:
        for answer in super().put_many(contents, ahead, overwrite=overwrite):
            yield answer if isinstance(answer, MercuryError) else replace(answer, version="the first")


@found_by("test_many_are_put_as_one_by_one")
class PutsNothingEmpty(MemoryStore):
    def put_many(self, contents: Any, ahead: int, *, overwrite: bool) -> Any:
        return super().put_many((pair for pair in contents if pair[1]), ahead, overwrite=overwrite)


@found_by("test_many_are_put_as_one_by_one", "test_a_tree_goes_there_and_back")
class DecodesWhereToPut(MemoryStore):
    def put_many(self, contents: Any, ahead: int, *, overwrite: bool) -> Any:
        return super().put_many(((unquote(uri), data) for uri, data in contents), ahead, overwrite=overwrite)


@found_by("test_many_that_are_put_replace_only_where_they_are_told_to")
class PutsManyOverOthers(MemoryStore):
    def put_many(self, contents: Any, ahead: int, *, overwrite: bool) -> Any:
        return super().put_many(contents, ahead, overwrite=True)


@found_by("test_many_that_are_put_replace_only_where_they_are_told_to")
class PutsManyWhereNothingIs(MemoryStore):
    def put_many(self, contents: Any, ahead: int, *, overwrite: bool) -> Any:
        return super().put_many(contents, ahead, overwrite=False)


@found_by(
    "test_many_that_are_put_replace_only_where_they_are_told_to",
    "test_of_many_to_put_one_out_of_reach_stops_no_other",
)
class EndsWithTheFirstError(MemoryStore):
    def put_many(self, contents: Any, ahead: int, *, overwrite: bool) -> Any:
        for answer in super().put_many(contents, ahead, overwrite=overwrite):
            yield answer
            if isinstance(answer, MercuryError):
                return


@found_by("test_one_of_many_creates_each_of_many")
class LooksThenPutsMany(MemoryStore):
    all_looked = threading.Barrier(6, timeout=30)  # the writers of that test, so that the race is no matter of luck

    def put_many(self, contents: Any, ahead: int, *, overwrite: bool) -> Any:
        asked = [*contents]
        there = {uri for uri, _ in asked if uri in self._shelf.objects}
        self.all_looked.wait()
        for uri, data in asked:
            yield from super().put_many([(uri, data)], ahead, overwrite=overwrite or uri not in there)


@found_by("test_many_at_a_time_by_many_threads")
class PutsInOneStream(MemoryStore):
    def put_many(self, contents: Any, ahead: int, *, overwrite: bool) -> Any:
        self._contents = iter(contents)
        for _ in range(12):
            time.sleep(0.005)  # for another thread to come
            yield from super().put_many([next(self._contents)], ahead, overwrite=overwrite)


@found_by("test_many_to_put_are_taken_as_they_are_needed")
class TakesAllToPut(MemoryStore):
    def put_many(self, contents: Any, ahead: int, *, overwrite: bool) -> Any:
        return super().put_many([*contents], ahead, overwrite=overwrite)


# --- copies within ---


@found_by("test_many_are_copied_as_one_by_one", "test_a_tree_is_copied_within")
class RenamesMany(MemoryStore):
    def copy_many(self, pairs: Any, ahead: int, *, overwrite: bool) -> Any:
        for info, target in pairs:
            yield from super().copy_many([(info, target)], ahead, overwrite=overwrite)
            self.delete(info.uri)


@found_by("test_many_are_copied_as_one_by_one")
class TellsOfTheSource(MemoryStore):
    def copy_many(self, pairs: Any, ahead: int, *, overwrite: bool) -> Any:
        for info, target in pairs:
            for answer in super().copy_many([(info, target)], ahead, overwrite=overwrite):
                yield answer if isinstance(answer, MercuryError) else info


@found_by("test_many_copies_replace_only_where_they_are_told_to")
class CopiesManyOverOthers(MemoryStore):
    def copy_many(self, pairs: Any, ahead: int, *, overwrite: bool) -> Any:
        return super().copy_many(pairs, ahead, overwrite=True)


@found_by("test_many_copies_are_of_the_versions_that_were_listed")
class CopiesManyOfAnyVersion(MemoryStore):
    def copy_many(self, pairs: Any, ahead: int, *, overwrite: bool) -> Any:
        any_version = ((replace(info, version=None), target) for info, target in pairs)
        return super().copy_many(any_version, ahead, overwrite=overwrite)


@found_by(
    "test_many_copies_are_of_the_versions_that_were_listed",
    "test_of_many_to_copy_one_out_of_reach_stops_no_other",
)
class RaisesWhileCopying(MemoryStore):
    def copy_many(self, pairs: Any, ahead: int, *, overwrite: bool) -> Any:
        return raising(super().copy_many(pairs, ahead, overwrite=overwrite))


@found_by("test_many_to_copy_are_taken_as_they_are_needed")
class TakesAllToCopy(MemoryStore):
    def copy_many(self, pairs: Any, ahead: int, *, overwrite: bool) -> Any:
        return super().copy_many([*pairs], ahead, overwrite=overwrite)


def raising(answers: Any) -> Any:
    """Errors that are raised, and not given."""
    for answer in answers:
        if isinstance(answer, MercuryError):
            raise answer
        yield answer

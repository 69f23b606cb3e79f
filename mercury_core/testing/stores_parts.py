"""What a store must do that takes objects in parts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from mercury_core.contracts import ConditionalStore, MultipartStore
from mercury_core.errors import ObjectExistsError, ObjectNotFoundError, UploadGoneError, VerificationError
from mercury_core.storage.uri import join
from mercury_core.testing.stores_setup import StoreSetup, assert_same, at_once, checksum, content, crc32c
from mercury_core.testing.suite import needs

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mercury_core.contracts import Part


class PartsTests(StoreSetup, is_suite=True):
    """Uploads in parts.

    Attributes:
        finish_compares: Whether `finish` has the service compare the checksum that it is given.
    """

    finish_compares: ClassVar[bool] = True

    @needs(MultipartStore)
    def test_sizes_of_parts_fit_any_object(self, store: Any) -> None:
        assert self.split(store, content(self.in_parts))[1:], "in_parts is the size of an object of two parts or more"
        for size in (0, 1, 1 << 20, 1 << 26, 1 << 30, 1 << 36, 5 << 40):
            part = store.part_size(size)
            assert part is None or part > 0
            if not store.parts_in_order:
                assert part is None or part * 10_000 >= size, "no service takes more than 10,000 parts"

    @needs(MultipartStore)
    def test_an_object_in_parts_is_seen_when_it_is_finished(self, store: Any, base: str) -> None:
        uri, data = join(base, "folder/a"), content(self.in_parts)
        upload = store.begin(uri, len(data), overwrite=False)
        assert isinstance(upload, str)
        assert list(store.parts(uri, upload)) == []
        parts = self.send(store, uri, upload, data)
        self.check_arrived(store, store.parts(uri, upload), self.split(store, data))
        assert self.raw_get(uri) is None
        assert self.names(base) == []
        assert list(store.list(base)) == []
        with pytest.raises(ObjectNotFoundError):
            store.stat(uri)
        info = store.finish(uri, upload, parts, overwrite=False, crc32c=crc32c(data))
        assert_same(self.raw_get(uri), data)
        self.check_info(store, info, uri, data)
        self.check_info(store, found := store.stat(uri), uri, data)
        assert info.version == found.version
        assert list(self.raw_leftovers(base)) == []

    @needs(MultipartStore)
    def test_a_part_that_is_sent_again_replaces_the_first(self, store: Any, base: str) -> None:
        uri, data = join(base, "a"), content(self.in_parts)
        blocks = self.split(store, data)
        upload = store.begin(uri, len(data), overwrite=False)
        # Where parts come in order, what has arrived is kept: only the same is sent again, when an answer was lost.
        first = blocks[0] if store.parts_in_order else content(len(blocks[0]), 1)
        store.put_part(uri, upload, 0, memoryview(first))
        parts = self.send(store, uri, upload, data)
        store.finish(uri, upload, parts, overwrite=False, crc32c=crc32c(data))
        assert_same(self.raw_get(uri), data)

    @needs(MultipartStore)
    def test_another_process_goes_on_with_an_upload(self, base: str) -> None:
        uri, data = join(base, "a"), content(self.in_parts)
        first = self.make_store()
        blocks = self.split(first, data)
        upload = first.begin(uri, len(data), overwrite=False)
        self.check_part(first, first.put_part(uri, upload, 0, memoryview(blocks[0])), 0, blocks[0])
        second = self.make_store()
        (arrived,) = second.parts(uri, upload)
        self.check_part(second, arrived, 0, blocks[0])
        others = self.send(second, uri, upload, data, first=1)
        third = self.make_store()
        self.check_arrived(third, third.parts(uri, upload), blocks)
        third.finish(uri, upload, [arrived, *others], overwrite=False, crc32c=crc32c(data))
        assert_same(self.raw_get(uri), data)

    @needs(MultipartStore)
    def test_an_upload_that_was_aborted_is_gone(self, store: Any, base: str) -> None:
        uri, data = join(base, "a"), content(self.in_parts)
        upload = store.begin(uri, len(data), overwrite=False)
        parts = self.send(store, uri, upload, data)
        store.abort(uri, upload)
        store.abort(uri, upload)
        for action in (
            lambda: list(store.parts(uri, upload)),
            lambda: store.put_part(uri, upload, 0, memoryview(self.split(store, data)[0])),
            lambda: store.finish(uri, upload, parts, overwrite=False, crc32c=crc32c(data)),
        ):
            with pytest.raises(UploadGoneError) as caught:
                action()
            assert uri in str(caught.value)
        assert self.raw_get(uri) is None
        assert list(self.raw_leftovers(base)) == []

    @needs(MultipartStore)
    def test_uploads_to_one_object_do_not_mix(self, store: Any, base: str) -> None:
        uri = join(base, "a")
        versions = [content(self.in_parts, seed) for seed in (1, 2)]
        uploads = [store.begin(uri, self.in_parts, overwrite=True) for _ in versions]
        assert uploads[0] != uploads[1]
        sent = [self.send(store, uri, upload, data, first=0) for upload, data in zip(uploads, versions, strict=True)]
        for upload, data, parts in zip(uploads, versions, sent, strict=True):
            store.finish(uri, upload, parts, overwrite=True, crc32c=crc32c(data))
            assert_same(self.raw_get(uri), data)

    @needs(MultipartStore)
    def test_finish_replaces_only_where_it_is_told_to(self, store: Any, base: str) -> None:
        uri, data = join(base, "a"), content(self.in_parts)
        upload = store.begin(uri, len(data), overwrite=False)
        parts = self.send(store, uri, upload, data)
        self.raw_put(uri, b"somebody else's")
        with pytest.raises(ObjectExistsError) as caught:
            store.finish(uri, upload, parts, overwrite=False, crc32c=crc32c(data))
        assert uri in str(caught.value)
        assert self.raw_get(uri) == b"somebody else's"
        store.abort(uri, upload)
        upload = store.begin(uri, len(data), overwrite=True)
        parts = self.send(store, uri, upload, data)
        assert self.raw_get(uri) == b"somebody else's"
        store.finish(uri, upload, parts, overwrite=True, crc32c=crc32c(data))
        assert_same(self.raw_get(uri), data)
        assert list(self.raw_leftovers(base)) == []

    @needs(MultipartStore, ConditionalStore)
    def test_one_of_many_uploads_creates(self, store: Any, base: str) -> None:
        uri = join(base, "a")
        versions = [content(self.in_parts, seed) for seed in range(4)]
        uploads = [store.begin(uri, self.in_parts, overwrite=False) for _ in versions]
        sent = [self.send(store, uri, *pair) for pair in zip(uploads, versions, strict=True)]

        def finish(place: int) -> int:
            crc = crc32c(versions[place])
            store.finish(uri, uploads[place], sent[place], overwrite=False, crc32c=crc)
            return place

        results = at_once(finish, len(versions))
        won = [result for result in results if isinstance(result, int)]
        assert len(won) == 1, f"{len(won)} of {len(versions)} were told that they created {uri}"
        assert all(isinstance(result, (int, ObjectExistsError)) for result in results), results
        assert_same(self.raw_get(uri), versions[won[0]])

    @needs(MultipartStore)
    def test_what_is_not_what_was_sent_is_not_published(self, store: Any, base: str) -> None:
        if not self.finish_compares:
            return  # whoever copies compares what `finish` tells of the object
        uri, data = join(base, "a"), content(self.in_parts)
        upload = store.begin(uri, len(data), overwrite=False)
        parts = self.send(store, uri, upload, data)
        with pytest.raises(VerificationError) as caught:
            store.finish(uri, upload, parts, overwrite=False, crc32c=crc32c(data[1:]))
        assert uri in str(caught.value)
        assert self.raw_get(uri) is None
        assert self.names(base) == []

    @needs(MultipartStore)
    def test_parts_of_awkward_names(self, store: Any, base: str) -> None:
        for name in ("a b%20#?&+=.bin", "caf\u00e9/日本"):
            uri, data = join(base, name), content(self.in_parts)
            upload = store.begin(uri, len(data), overwrite=False)
            parts = self.send(store, uri, upload, data)
            store.finish(uri, upload, parts, overwrite=False, crc32c=crc32c(data))
            assert_same(self.raw_get(uri), data)

    # --- helpers ---

    def split(self, store: Any, data: bytes) -> list[bytes]:
        """The parts of an object."""
        size = store.part_size(len(data))
        assert size is not None, f"an object of in_parts = {len(data)} bytes is to be sent in parts"
        return [data[start : start + size] for start in range(0, len(data), size)]

    def send(self, store: Any, uri: str, upload: str, data: bytes, first: int = 0) -> list[Part]:
        """Send parts from a first one on: the last one first, where the store lets them come in any order."""
        numbered = list(enumerate(self.split(store, data)))[first:]
        sent = {}
        for number, block in numbered if store.parts_in_order else reversed(numbered):
            sent[number] = store.put_part(uri, upload, number, memoryview(block))
            self.check_part(store, sent[number], number, block)
        return [sent[number] for number, _ in numbered]

    def check_arrived(self, store: Any, parts: Iterable[Part], blocks: list[bytes]) -> None:
        """What a store says of an upload of which all parts were sent must be true."""
        told = sorted((part.number, part.size) for part in parts)
        all_of_them = [(number, len(block)) for number, block in enumerate(blocks)]
        # A service that publishes with the last byte has yet to get it: `finish` sends that.
        assert told == all_of_them or (store.parts_in_order and told == all_of_them[:-1])

    def check_part(self, store: Any, part: Part, number: int, block: bytes) -> None:
        """What a store says of a part must be true."""
        assert (part.number, part.size) == (number, len(block))
        for name, value in part.checksums.items():
            if name in ("crc32c", "crc32", "md5", "sha1", "sha256"):  # another one takes seconds a part
                assert value == checksum(name, block, store)

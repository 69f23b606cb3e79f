"""The contracts of stores: what is required is in `Store`; every ability beyond that is a Protocol of its own.

A store that has none of the abilities can be copied from and to, in bounded memory, and what it holds is read back to
be proven. Each ability makes that faster, or safer.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from mercury_core.errors import MercuryError


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One stored object.

    Attributes:
        uri: Where it is.
        size: In bytes.
        modified: Seconds since the epoch, or None where the store does not tell.
        version: What is another one whenever the content is another one (an ETag, a generation), or None.
        checksums: Of the whole content, in lower-case hexadecimal, by algorithm: ``crc32c``, ``crc32``, ``crc64nvme``,
            ``md5``, ``sha1``, ``sha256``; as far as the store knows them without reading the object.
        certain: Whether `checksums` are known to be that. A listing may only guess (an ETag is an MD5 unless the object
            was encrypted in some way): then one that agrees proves the content; of any other, `stat` knows more.
    """

    uri: str
    size: int
    modified: float | None = None
    version: str | None = None
    checksums: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)
    certain: bool = field(default=True, repr=False)


class Store(Protocol):
    """Objects under URIs of one scheme.

    The provider is called with the store's parameters (so usually: a class), and opens no connection then. One store
    is used by several threads at the same time. What a service does for a moment only (throttling, a lost connection)
    is the store's to try again; what it raises is final.
    """

    def stat(self, uri: str) -> ObjectInfo:
        """One object.

        Raises:
            ObjectNotFoundError: Nothing is there, or only a prefix of names.
            StoreAccessError: No permission, no such bucket, no way to the service.
        """
        ...

    def list(self, uri: str) -> Iterator[ObjectInfo]:
        """Every object below `uri`, in the order of their names; none where nothing is there.

        Below means: under ``uri + "/"``; a listing of ``s3://b/model`` has nothing of ``s3://b/model2``.
        """
        ...

    def open(self, uri: str, start: int = 0, end: int | None = None, *, version: str | None = None) -> BinaryIO:
        """Read the bytes from `start` up to `end`, which may be past the end of the object.

        Args:
            uri: The object.
            start: The first byte.
            end: The byte after the last one; None for all.
            version: The `ObjectInfo.version` to read.

        Raises:
            ObjectNotFoundError: Nothing is there.
            ObjectChangedError: It has another version by now.
        """
        ...

    def put(self, uri: str, data: BinaryIO, *, overwrite: bool = False) -> ObjectInfo:
        """Write an object whole: a reader sees the old one or the new one, never a part.

        Args:
            uri: Where.
            data: What it holds, from where the reader is to its end; it may be `Rereadable`.
            overwrite: Whether an object that is there is replaced.

        Raises:
            ObjectExistsError: Something is there, and `overwrite` is False; of a `ConditionalStore` this holds under a
                race as well.
            StoreAccessError: No permission, no space.
            VerificationError: What arrived is not what was sent; it is not there then.
        """
        ...

    def get(self, uri: str, path: Path) -> None:
        """Write an object to the local file `path`, whole or not at all."""
        ...

    def delete(self, uri: str) -> None:
        """Remove one object; nothing happens where there is none."""
        ...


@runtime_checkable
class Rereadable(Protocol):
    """A reader that tells what it will give before it is read, and can be read again.

    A store that knows of this can send a checksum before the content, so that the service compares before it publishes,
    and can try again without holding the content.

    Attributes:
        size: In bytes.
    """

    size: int

    def known(self) -> Mapping[str, str]:
        """Checksums of all of it, as in `ObjectInfo`; none where that would cost more than a look at the disk."""
        ...

    def rewind(self) -> None:
        """Begin again."""
        ...


@runtime_checkable
class ConditionalStore(Protocol):
    """A store in which ``overwrite=False`` holds under a race: of many writers of a new object, one succeeds."""

    conditional_put: bool


@dataclass(frozen=True, slots=True)
class Crc:
    """A cyclic redundancy check, of which the checksums of parts can be joined.

    Attributes:
        name: As in `ObjectInfo.checksums`.
        bits: Its width.
        polynomial: Bit-reversed, as the usual implementations have it: ``0x82F63B78`` for CRC-32C.
        extend: ``extend(value, data) -> value``; the value of nothing is 0.
    """

    name: str
    bits: int
    polynomial: int
    extend: Callable[[int, Any], int]


@runtime_checkable
class ChecksumStore(Protocol):
    """A store that knows checksums of what it holds, so that nothing has to be read back to be proven.

    Attributes:
        checksums: The algorithms that it may tell of an object (in `ObjectInfo.checksums`), the best first.
    """

    checksums: Sequence[str]

    def crc(self, algorithm: str) -> Crc | None:
        """How to compute one of `checksums`; None for what every Mercury has: crc32c, crc32, md5, sha1, sha256."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an object that is not finished.

    Attributes:
        number: From 0.
        size: In bytes.
        token: What the store needs of it to finish the object.
        checksums: Of the part, as in `ObjectInfo`.
    """

    number: int
    size: int
    token: str = ""
    checksums: Mapping[str, str] = field(default_factory=dict, hash=False, repr=False)


@runtime_checkable
class MultipartStore(Protocol):
    """A store to which large objects are sent in parts, beside each other, and in which parts outlive the sender.

    An upload is named by a text that another process can go on with. Nothing of it is seen before `finish`.
    """

    parts_in_order: bool
    """Whether each part must have arrived before the next is sent, and so only one at a time."""

    def part_size(self, size: int) -> int | None:
        """How large the parts of an object of `size` bytes are; None where it is better put whole."""
        ...

    def begin(self, uri: str, size: int, *, overwrite: bool) -> str:
        """Begin an upload of an object of `size` bytes, in parts of ``part_size(size)``.

        Raises:
            ObjectExistsError: Something is there and `overwrite` is False, as far as it is known this early.
        """
        ...

    def put_part(self, uri: str, upload: str, number: int, data: memoryview) -> Part:
        """Send one part; sending it again replaces it.

        Raises:
            UploadGoneError: There is no such upload any more.
            VerificationError: What arrived is not what was sent.
        """
        ...

    def parts(self, uri: str, upload: str) -> Iterable[Part]:
        """The parts that have arrived.

        Where they come in order, the last one may be missing here until the object is published: a service may publish
        with the last byte, which is then held back, in the part's token.

        Raises:
            UploadGoneError: There is no such upload any more.
        """
        ...

    def finish(self, uri: str, upload: str, parts: Sequence[Part], *, overwrite: bool, crc32c: str) -> ObjectInfo:
        """Publish the object, in one step.

        Args:
            uri: Where.
            upload: What `begin` gave.
            parts: All parts, in order.
            overwrite: As in `Store.put`.
            crc32c: Of the whole object; a store that can have the service compare it does.

        Raises:
            ObjectExistsError: Something is there, and `overwrite` is False.
            UploadGoneError: There is no such upload any more.
            VerificationError: The service found another checksum; nothing is published then.
        """
        ...

    def abort(self, uri: str, upload: str) -> None:
        """Remove an upload and its parts; nothing happens where there is none."""
        ...


@runtime_checkable
class CopyingStore(Protocol):
    """A store that copies its own objects, so that their bytes do not travel."""

    def copy(self, source: str, target: str, *, overwrite: bool, version: str | None = None) -> ObjectInfo:
        """Copy one object within the service; the result is as that of `Store.put`.

        Raises:
            ObjectNotFoundError: The source is not there.
            ObjectChangedError: It has another version by now.
            ObjectExistsError: Something is at the target, and `overwrite` is False.
        """
        ...


@runtime_checkable
class ManyReadingStore(Protocol):
    """A store that reads many small objects faster than one by one: with the next requests sent before an answer."""

    def read_many(self, infos: Iterable[ObjectInfo], ahead: int) -> Iterator[bytes | MercuryError]:
        """Read objects whole, in their order, each at the version that its `ObjectInfo` has.

        Args:
            infos: The objects, as a listing gave them; taken as they are needed.
            ahead: How many requests are on their way at a time.

        Yields:
            Of each the content, not yet verified, or the error that `Store.open` would have raised. Of one that is
            larger than its `ObjectInfo` says, more than that.
        """
        ...


@runtime_checkable
class ManyPuttingStore(Protocol):
    """A store that writes many small objects faster than one by one."""

    def put_many(
        self, contents: Iterable[tuple[str, bytes]], ahead: int, *, overwrite: bool
    ) -> Iterator[ObjectInfo | MercuryError]:
        """Write objects whole, each as `Store.put` does.

        Args:
            contents: Where, and what; taken as they are needed.
            ahead: How many requests are on their way at a time.
            overwrite: Whether objects that are there are replaced.

        Yields:
            Of each, in their order, what `Store.put` would have returned, or the error that it would have raised.
        """
        ...


@runtime_checkable
class ManyCopyingStore(Protocol):
    """A store that copies many of its own small objects faster than one by one."""

    def copy_many(
        self, pairs: Iterable[tuple[ObjectInfo, str]], ahead: int, *, overwrite: bool
    ) -> Iterator[ObjectInfo | MercuryError]:
        """Copy objects within the service, each as `CopyingStore.copy` does.

        Args:
            pairs: What, as a listing gave it, and where to; taken as they are needed.
            ahead: How many requests are on their way at a time.
            overwrite: Whether objects that are there are replaced.

        Yields:
            Of each, in their order, what `CopyingStore.copy` would have returned, or the error that it would have
            raised.
        """
        ...


@runtime_checkable
class ManyDeletingStore(Protocol):
    """A store that removes many objects at a time."""

    def delete_many(self, uris: Iterable[str]) -> None:
        """Remove objects; those that are not there do not matter."""
        ...


@runtime_checkable
class LevelStore(Protocol):
    """A store that lists one level, without what is further below."""

    def level(self, uri: str) -> Iterator[ObjectInfo | str]:
        """What is directly below `uri`, in the order of names: objects, and URIs with a ``/`` at the end for more."""
        ...


@runtime_checkable
class ReachableStore(Protocol):
    """A store that can be asked whether it would serve, before any work."""

    def check(self, uri: str, *, write: bool = False) -> None:
        """Raise what stands against reading, or writing, below `uri`; cheap, and changes nothing.

        Raises:
            StoreAccessError: No credentials, no permission, no such bucket, no way to the service.
        """
        ...


@runtime_checkable
class ConcurrentStore(Protocol):
    """A store that says how many requests at a time suit it; others are sent 8."""

    concurrency: int


@runtime_checkable
class DirectoryStore(Protocol):
    """A store in which directories are things of their own, so that an empty one can be copied."""

    def directories(self, uri: str) -> Iterator[str]:
        """The directory `uri` and every one below it, each before what is in it; none where there is no directory."""
        ...

    def make_directory(self, uri: str) -> None:
        """Make a directory and those above it; nothing happens where it exists."""
        ...

    def remove_directory(self, uri: str) -> None:
        """Remove a directory if nothing is in it; else, and where there is none, nothing happens."""
        ...

"""Objects that are sent in parts, by a resumable session: what arrived outlives the sender.

A session takes bytes in their order, and publishes its object with the last of them. So the last part keeps its end, at
most 256 KiB, in its token until the upload is finished: with the request that brings it comes the checksum of the
whole, which the service compares before it publishes anything.

The address of a session lets everybody write to it. It is in the name of the upload, and in no message.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from mercury_core.contracts import Part
from mercury_core.errors import ObjectExistsError, StoreAccessError, UploadGoneError
from mercury_core.storage.http.channels import blocks
from mercury_gcs import checksums
from mercury_gcs.answers import RefusedError
from mercury_gcs.objects import FIELDS, find, info_of
from mercury_gcs.proof import after_refusal, proven, same
from mercury_gcs.settings import QUANTUM
from mercury_gcs.wire import RESUME_INCOMPLETE, Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from mercury_core.contracts import ObjectInfo
    from mercury_core.storage.http.answers import Answer
    from mercury_gcs.places import Place
    from mercury_gcs.service import Service

#: 499 is how the service says that a session was removed.
_GONE = (404, 410, 499)
_CANNOT = (405, 501)  # emulators that remove no session
_OUT_OF_STEP = (400, 416)  # services that refuse what they have already


@dataclass(frozen=True, slots=True)
class Session:
    """An upload.

    Attributes:
        new: Whether it makes a new object only.
        size: Of the object in bytes; None for not known.
        chunk: Of each part but the last.
        target: Path and query of its address.
    """

    new: bool
    size: int | None
    chunk: int
    target: str = field(repr=False)

    @property
    def name(self) -> str:
        """What another process finds it by."""
        return f"{'new' if self.new else 'any'} {'?' if self.size is None else self.size} {self.chunk} {self.target}"

    @classmethod
    def named(cls, place: Place, name: str) -> Session:
        """The session of that name.

        Raises:
            UploadGoneError: The name is none of a session for this place.
        """
        kind, size, chunk, target = (*name.split(" ", 3), "", "", "")[:4]
        # Credentials are sent with it: so it leads to nothing else than uploads to this bucket.
        ours = target.startswith(f"/upload/storage/v1{place.objects}?")
        if kind not in ("new", "any") or not size.isdigit() or not chunk.isdigit() or not ours:
            raise UploadGoneError(place.uri)
        return cls(kind == "new", int(size), int(chunk), target)


def begin(service: Service, place: Place, size: int | None, *, overwrite: bool) -> Session:
    """Begin an upload.

    Raises:
        ObjectExistsError: Something is there, and `overwrite` is False.
    """
    if not overwrite and _is_there(service, place):
        raise ObjectExistsError(place.uri)  # before much is sent; the session is held to it at its end
    said = json.dumps({"name": place.key, **service.settings.metadata()}).encode()
    query = {"uploadType": "resumable", "name": place.key, "fields": FIELDS, **service.settings.writing()}
    if not overwrite:
        query["ifGenerationMatch"] = "0"
    headers = {"content-type": "application/json; charset=UTF-8", "x-upload-content-type": "application/octet-stream"}
    target = f"/upload/storage/v1{place.objects}"
    try:
        answer = service.call(Call("POST", target, query, headers, lambda: (said,), len(said)))
    except RefusedError as refused:
        if refused.status == 412 and not overwrite:
            raise ObjectExistsError(place.uri) from None
        refused.missing_bucket()
        raise
    address = urlsplit(answer.headers.get("location", ""))
    if not address.query:
        raise StoreAccessError("write", place.uri, "the service began no upload", "Look whether it is one of Google's.")
    # Of the address, the host is not kept: it is that of the service, and an emulator's may be known by another name.
    return Session(not overwrite, size, service.settings.chunk_size, f"{address.path}?{address.query}")


def _is_there(service: Service, place: Place) -> bool:
    try:
        return find(service, place) is not None
    except RefusedError as refused:
        if refused.status != 403:
            raise
        return False  # who may write may yet not look


def put_part(service: Service, place: Place, session: Session, number: int, data: memoryview) -> Part:
    """Send one part; of the last one, all but its end."""
    start, size = number * session.chunk, data.nbytes
    crc32c = f"{checksums.crc32c(data):08x}"
    end = b""
    if start + size == session.size:
        kept = (size - 1) // QUANTUM * QUANTUM
        end, data = bytes(data[kept:]), data[:kept]
    send(service, place, session, start, data)
    return Part(number, size, base64.b64encode(end).decode(), {"crc32c": crc32c})


def send(service: Service, place: Place, session: Session, start: int, data: memoryview) -> None:
    """Send bytes that are not the last ones.

    Raises:
        UploadGoneError: There is no such session any more, or it lacks what comes before.
    """
    if data.nbytes:
        try:
            _push(service, place, session, start, data, session.size, {})
        except RefusedError as refused:
            if refused.status in _GONE:
                raise UploadGoneError(place.uri) from None
            raise


def send_all(
    service: Service, place: Place, session: Session, content: Callable[[], Iterable[bytes | memoryview]], length: int
) -> None:
    """Send all but the last bytes with one request, and where it fails, once more from the beginning.

    Raises:
        UploadGoneError: There is no such session any more, or it took less.
    """
    ranged = {"content-range": f"bytes 0-{length - 1}/{session.size}"}
    try:
        answer = service.call(Call("PUT", session.target, {}, ranged, content, length))
    except RefusedError as refused:
        if refused.status not in (*_GONE, *_OUT_OF_STEP):
            raise
        raise UploadGoneError(place.uri) from None
    if answer.status != RESUME_INCOMPLETE or _arrived(answer) != length:
        raise UploadGoneError(place.uri)


def end(service: Service, place: Place, session: Session, start: int, data: memoryview, crc32c: str) -> ObjectInfo:
    """Send the last bytes, and publish the object.

    Raises:
        ObjectExistsError: Something is there, and the session is one for a new object.
        UploadGoneError: There is no such session any more, or it lacks what comes before.
        VerificationError: Something else was published, and is removed.
    """
    size, sums = start + data.nbytes, {"crc32c": crc32c}
    headers = {"x-goog-hash": f"crc32c={checksums.to_base64(crc32c)}"}
    try:
        answer = _push(service, place, session, start, data, size, headers)
        if answer is None:
            raise UploadGoneError(place.uri)
        made = info_of(place.bucket, answer.data)
    except RefusedError as refused:
        if refused.status in _GONE:
            # Where the answer to the end was lost, the session may have gone with it.
            if refused.after_loss and (found := same(service, place, size, sums)):
                return found
            raise UploadGoneError(place.uri) from None
        made = after_refusal(service, place, refused, size, sums)
    return proven(service, place, made, size, sums)


def _push(
    service: Service,
    place: Place,
    session: Session,
    start: int,
    data: memoryview,
    total: int | None,
    headers: dict[str, str],
) -> Answer | None:
    """Send bytes until they have arrived; the answer, if the object was published with them."""
    at, last = start, start + data.nbytes
    shown = "*" if total is None else str(total)
    while True:
        rest = data[at - start :]
        ranged = f"bytes {at}-{last - 1}/{shown}" if rest.nbytes else f"bytes */{shown}"
        asked = {"content-range": ranged, **headers}
        refused = None
        try:
            call = Call("PUT", session.target, {}, asked, lambda rest=rest: blocks(rest), rest.nbytes)  # type: ignore[misc]
            answer = service.call(call)
        except RefusedError as error:
            if error.status not in _OUT_OF_STEP or error.other_checksum:
                raise
            answer, refused = _state(service, session), error
        if answer.status != RESUME_INCOMPLETE:
            return answer
        arrived = _arrived(answer)
        if arrived < at:
            raise UploadGoneError(place.uri)
        if arrived >= last:
            return None
        if arrived == at:
            if refused is not None:
                raise refused
            raise StoreAccessError("write", place.uri, "the service takes nothing more of the upload", "Do it again.")
        at = arrived


def parts(service: Service, place: Place, session: Session) -> list[Part]:
    """The parts that have arrived whole; all of them once the object is published."""
    try:
        answer = _state(service, session)
    except RefusedError as refused:
        if refused.status in _GONE:
            raise UploadGoneError(place.uri) from None
        raise
    published = answer.status != RESUME_INCOMPLETE
    arrived = (session.size or 0) if published else _arrived(answer)
    found = [Part(number, session.chunk) for number in range(arrived // session.chunk)]
    if published and arrived % session.chunk:
        found.append(Part(len(found), arrived % session.chunk))
    return found


def finish(service: Service, place: Place, session: Session, parts: Sequence[Part], crc32c: str) -> ObjectInfo:
    """Publish the object: send its end."""
    last = base64.b64decode(parts[-1].token) if parts else b""
    size = session.size or 0
    if sum(part.size for part in parts) != size:
        raise UploadGoneError(place.uri)
    # Without an end to send, all had arrived, and the answer to that was lost.
    return end(service, place, session, size - len(last), memoryview(last), crc32c)


def abort(service: Service, session: Session) -> None:
    """Remove an upload and what arrived of it."""
    try:
        service.call(Call("DELETE", session.target))
    except RefusedError as refused:
        if refused.status not in (*_GONE, *_CANNOT):
            raise


def _state(service: Service, session: Session) -> Answer:
    """How far a session is."""
    shown = "*" if session.size is None else session.size
    return service.call(Call("PUT", session.target, {}, {"content-range": f"bytes */{shown}"}))


def _arrived(answer: Answer) -> int:
    """How many bytes a session has."""
    last = answer.headers.get("range", "").rpartition("-")[2]
    return int(last) + 1 if last.isdigit() else 0

"""A server that keeps what the JSON API of Google Cloud Storage promises, and no emulator does.

From its documentation: preconditions on generations hold for every way to read, write, copy and delete, and are looked
at when an upload begins and when it ends; a checksum that is sent is compared before anything is published, also that
in ``x-goog-hash`` with the last bytes of a session; a session takes bytes in order, keeps multiples of 256 KiB of what
is not the end, ignores what it has already, tells how far it is (308), and publishes with its last byte; a large object
is rewritten in several steps; what is stored compressed is decompressed on its way, unless the client takes it so.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import secrets
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Lock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import google_crc32c

if TYPE_CHECKING:
    from collections.abc import Iterator

QUANTUM = 256 << 10
STEP = 1 << 20  # bytes that are rewritten with one request


class ApiError(Exception):
    """An error as the API has it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status, self.reason, self.message = status, reason, message


@dataclass
class Held:
    """An object."""

    name: str
    data: bytes
    meta: dict[str, Any]
    generation: str
    updated: str

    def resource(self, bucket: str) -> dict[str, Any]:
        size = str(len(self.data))
        said = {"kind": "storage#object", "name": self.name, "bucket": bucket, "size": size, "updated": self.updated}
        said |= {"generation": self.generation, "metageneration": "1", "etag": f"C{self.generation}="}
        return {**self.meta, **said, "crc32c": crc32c(self.data), "md5Hash": md5(self.data)}


@dataclass
class Session:
    """An upload that is not finished; `done` once it is."""

    bucket: str
    name: str
    meta: dict[str, Any]
    query: dict[str, str]
    data: bytearray = field(default_factory=bytearray)
    done: Held | None = None


class JsonApi(ThreadingHTTPServer):
    """The service.

    Attributes:
        buckets: Objects by name, by bucket.
        sessions: Uploads by id.
        requester_pays: Buckets whose readers pay.
        tokens: Those that are good; None where nobody asks for one.
        seen: Every request: method, path and query, headers.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.buckets: dict[str, dict[str, Held]] = {}
        self.sessions: dict[str, Session] = {}
        self.requester_pays: set[str] = set()
        self.tokens: set[str] | None = None
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.lock = Lock()
        self.generations = count(1_700_000_000_000_000)
        self.endpoint = f"http://127.0.0.1:{self.server_address[1]}"

    def bucket(self) -> str:
        """Make an empty bucket of a name that no other has."""
        name = f"test-{secrets.token_hex(8)}"
        self.buckets[name] = {}
        return name

    def handle_error(self, *args: Any) -> None:
        """Say nothing of connections that a test cuts."""

    def objects(self, bucket: str) -> dict[str, Held]:
        if bucket not in self.buckets:
            raise ApiError(404, "notFound", "The specified bucket does not exist.")
        return self.buckets[bucket]

    def find(self, bucket: str, name: str) -> Held:
        found = self.objects(bucket).get(name)
        if found is None:
            raise ApiError(404, "notFound", f"No such object: {bucket}/{name}")
        return found

    def condition(self, bucket: str, name: str, query: dict[str, str], of: str = "ifGenerationMatch") -> None:
        wanted, there = query.get(of), self.objects(bucket).get(name)
        if wanted is not None and wanted != (there.generation if there else "0"):
            raise ApiError(412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")

    def publish(self, bucket: str, name: str, data: bytes, meta: dict[str, Any], query: dict[str, str]) -> Held:
        """Compare, then make the object what everybody sees."""
        for field_name, found in (("crc32c", crc32c(data)), ("md5Hash", md5(data))):
            if meta.get(field_name, found) != found:
                said = f'Provided {field_name.upper()} "{meta[field_name]}" doesn\'t match calculated "{found}".'
                raise ApiError(400, "invalid", said)
        with self.lock:
            self.condition(bucket, name, query)
            now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
            kept = {key: value for key, value in meta.items() if key not in ("crc32c", "md5Hash", "name")}
            if "kmsKeyName" in query or "destinationKmsKeyName" in query:
                kept["kmsKeyName"] = query.get("kmsKeyName") or query["destinationKmsKeyName"]
            made = Held(name, data, {"storageClass": "STANDARD", **kept}, str(next(self.generations)), now)
            self.objects(bucket)[name] = made
            return made


class _Handler(BaseHTTPRequestHandler):
    server: JsonApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 60

    def log_message(self, *args: Any) -> None:
        """Say nothing."""

    def _serve(self) -> None:
        split = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(split.query, keep_blank_values=True).items()}
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            self._answer(split.path, body)
        except ApiError as error:
            said = {"code": error.status, "message": error.message, "errors": [{"reason": error.reason}]}
            if "alt" in self.query:
                self._send(error.status, error.message.encode(), {"Content-Type": "text/html; charset=UTF-8"})
            else:
                self._json({"error": said}, error.status)

    def _answer(self, path: str, body: bytes) -> None:
        if self.server.tokens is not None:
            token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
            if token not in self.server.tokens:
                raise ApiError(401, "authError", "Invalid Credentials")
        for method, pattern, name in _ROUTES:
            found = pattern.fullmatch(path)
            if found and method == self.command:
                parts = [unquote(part) for part in found.groups()]
                if parts[0] in self.server.requester_pays and "userProject" not in self.query:
                    said = "Bucket is a requester pays bucket but no user project provided."
                    raise ApiError(400, "required", said)
                getattr(self, name)(body, *parts)
                return
        raise ApiError(404, "notFound", "Not Found")

    do_GET = do_POST = do_PUT = do_DELETE = _serve

    def _send(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def _json(self, data: Any, status: int = 200) -> None:
        self._send(status, json.dumps(data).encode(), {"Content-Type": "application/json; charset=UTF-8"})

    def _rights(self, _: bytes, bucket: str) -> None:
        self.server.objects(bucket)
        self._json({"permissions": parse_qs(urlsplit(self.path).query).get("permissions", [])})

    def _list(self, _: bytes, bucket: str) -> None:
        prefix, mark = self.query.get("prefix", ""), self.query.get("delimiter")
        found: dict[str, Held | None] = {}
        for name, held in sorted(self.server.objects(bucket).items(), key=lambda one: one[0].encode()):
            if name.startswith(prefix):
                head, slash, _rest = name[len(prefix) :].partition(mark) if mark else ("", "", "")
                found[prefix + head + slash if slash else name] = None if slash else held
        after = base64.b64decode(self.query.get("pageToken", "")).decode()
        names = [name for name in found if name.encode() > after.encode()]
        page = names[: int(self.query.get("maxResults", 1000))]
        said: dict[str, Any] = {"kind": "storage#objects"}
        if items := [held.resource(bucket) for name in page if (held := found[name])]:
            said["items"] = items
        if prefixes := [name for name in page if found[name] is None]:
            said["prefixes"] = prefixes
        if len(page) < len(names):
            said["nextPageToken"] = base64.b64encode(page[-1].encode()).decode()
        self._json(said)

    def _get(self, _: bytes, bucket: str, name: str) -> None:
        held = self.server.find(bucket, name)
        self.server.condition(bucket, name, self.query)
        if self.query.get("alt") != "media":
            self._json(held.resource(bucket))
            return
        data, size = held.data, len(held.data)
        hashes = f"crc32c={crc32c(data)},md5={md5(data)}"
        headers = {
            "X-Goog-Generation": held.generation,
            "X-Goog-Hash": hashes,
            "X-Goog-Stored-Content-Length": str(size),
        }
        headers["Content-Type"] = held.meta.get("contentType", "application/octet-stream")
        if encoding := held.meta.get("contentEncoding"):
            if encoding == "gzip" and "gzip" not in (self.headers.get("accept-encoding") or ""):
                self._send(200, gzip.decompress(data), headers)
                return
            headers["Content-Encoding"] = encoding
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range") or "")
        if not asked:
            self._send(200, data, headers)
            return
        start, end = int(asked[1]), min(int(asked[2] or size), size - 1)
        if start >= size:
            raise ApiError(416, "requestedRangeNotSatisfiable", "The requested range cannot be satisfied.")
        self._send(206, data[start : end + 1], {**headers, "Content-Range": f"bytes {start}-{end}/{size}"})

    def _delete(self, _: bytes, bucket: str, name: str) -> None:
        with self.server.lock:
            held = self.server.find(bucket, name)
            if self.query.get("generation", held.generation) != held.generation:
                raise ApiError(404, "notFound", f"No such object: {bucket}/{name}")
            self.server.condition(bucket, name, self.query)
            del self.server.buckets[bucket][name]
        self._send(204, b"", {})

    def _rewrite(self, body: bytes, bucket: str, name: str, to_bucket: str, to_name: str) -> None:
        held = self.server.find(bucket, name)
        self.server.condition(bucket, name, self.query, "ifSourceGenerationMatch")
        self.server.condition(to_bucket, to_name, self.query)
        done = min(int(self.query.get("rewriteToken", "0")) + STEP, len(held.data))
        said = {"totalBytesRewritten": str(done), "objectSize": str(len(held.data)), "done": done == len(held.data)}
        if said["done"]:
            meta = json.loads(body) if body else held.meta  # what is given takes the place of what the source has
            made = self.server.publish(to_bucket, to_name, held.data, meta, self.query)
            said["resource"] = made.resource(to_bucket)  # type: ignore[assignment]
        else:
            said["rewriteToken"] = str(done)
        self._json(said)

    def _insert(self, body: bytes, bucket: str) -> None:
        self.server.objects(bucket)
        if self.query["uploadType"] == "resumable":
            meta = json.loads(body or b"{}")
            name = self.query.get("name") or meta["name"]
            self.server.condition(bucket, name, self.query)
            key = secrets.token_urlsafe(24)
            self.server.sessions[key] = Session(bucket, name, meta, dict(self.query))
            asked = f"uploadType=resumable&name={quote(name, safe='')}&upload_id={key}"
            self._send(200, b"", {"Location": f"{self.server.endpoint}/upload/storage/v1/b/{bucket}/o?{asked}"})
            return
        boundary = re.search(r"boundary=([^;]+)", self.headers["content-type"])
        assert boundary is not None
        mark = f"--{boundary[1]}".encode()
        _, head, content = body.split(mark, 2)
        meta = json.loads(head.partition(b"\r\n\r\n")[2])
        data = content.partition(b"\r\n\r\n")[2].rpartition(b"\r\n" + mark + b"--")[0]
        self._json(self.server.publish(bucket, meta["name"], data, meta, self.query).resource(bucket))

    def _session(self) -> Session:
        found = self.server.sessions.get(self.query.get("upload_id", ""))
        if found is None:
            raise ApiError(404, "notFound", "Not Found")
        return found

    def _put(self, body: bytes, bucket: str) -> None:
        session = self._session()
        ranged = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", self.headers["content-range"])
        assert ranged is not None
        if session.done is None:
            start, total = int(ranged[1] or 0), None if ranged[3] == "*" else int(ranged[3])
            if start > len(session.data):
                raise ApiError(503, "backendError", "Invalid request. There were bytes before these.")
            if ranged[1] is not None:
                session.data += body[len(session.data) - start :]
            is_over = len(session.data) == total and (ranged[1] is not None or not total)
            if not is_over:
                del session.data[len(session.data) // QUANTUM * QUANTUM :]
                arrived = {"Range": f"bytes=0-{len(session.data) - 1}"} if session.data else {}
                self._send(308, b"", arrived)
                return
            meta = dict(session.meta)
            for one in (self.headers.get("x-goog-hash") or "").split(","):
                name, _, value = one.partition("=")
                meta |= {"crc32c": value} if name == "crc32c" else {}
            session.done = self.server.publish(bucket, session.name, bytes(session.data), meta, session.query)
        self._json(session.done.resource(bucket))

    def _cancel(self, _: bytes, _bucket: str) -> None:
        self._session()
        del self.server.sessions[self.query["upload_id"]]
        self._send(499, b"", {})


_ROUTES = [
    (method, re.compile(pattern), name)
    for method, pattern, name in (
        ("GET", r"/storage/v1/b/([^/]+)/iam/testPermissions", "_rights"),
        ("GET", r"/storage/v1/b/([^/]+)/o", "_list"),
        ("GET", r"(?:/download)?/storage/v1/b/([^/]+)/o/([^/]+)", "_get"),
        ("DELETE", r"/storage/v1/b/([^/]+)/o/([^/]+)", "_delete"),
        ("POST", r"/storage/v1/b/([^/]+)/o/([^/]+)/rewriteTo/b/([^/]+)/o/([^/]+)", "_rewrite"),
        ("POST", r"/upload/storage/v1/b/([^/]+)/o", "_insert"),
        ("PUT", r"/upload/storage/v1/b/([^/]+)/o", "_put"),
        ("DELETE", r"/upload/storage/v1/b/([^/]+)/o", "_cancel"),
    )
]


def crc32c(data: bytes) -> str:
    """As the API has it."""
    return base64.b64encode(google_crc32c.value(data).to_bytes(4, "big")).decode()


def md5(data: bytes) -> str:
    """As the API has it."""
    return base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest()).decode()


@contextmanager
def json_api() -> Iterator[JsonApi]:
    """The server, in threads of this process."""
    server = JsonApi()
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, name="json-api")
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

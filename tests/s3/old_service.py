"""A small service that speaks S3 as many did for years: no checksums, no conditions on what is written."""

from __future__ import annotations

import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator


class OldService:
    """What it holds.

    Attributes:
        url: Where it is.
        objects: Content and ETag, by path.
        uploads: The parts of each, by its name.
        asked: Method and path of every request.
        opaque: Whether ETags are no MD5.
        flips: Whether it stores something else than it was sent.
    """

    def __init__(self) -> None:
        self.url = ""
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.uploads: dict[str, dict[int, bytes]] = {}
        self.asked: list[str] = []
        self.opaque = self.flips = False

    def etag(self, data: bytes) -> str:
        """Of one part."""
        digest = hashlib.md5(data).hexdigest()
        return f"opaque-{digest}" if self.opaque else digest


@contextmanager
def old_service(context: ssl.SSLContext | None = None) -> Iterator[OldService]:
    """Serve on loopback; with a context, by TLS."""
    service = OldService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            pass

        def say(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            length = headers.pop("length", str(len(body)))
            for name, value in {"Content-Length": length, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def refuse(self, status: int, code: str) -> None:
            self.say(status, f"<Error><Code>{code}</Code><Message>no</Message></Error>".encode())

        def begin(self) -> tuple[str, dict[str, list[str]], bytes]:
            parts = urlsplit(self.path)
            service.asked.append(f"{self.command} {unquote(parts.path)}")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            return unquote(parts.path), parse_qs(parts.query, keep_blank_values=True), body

        def do_PUT(self) -> None:
            path, query, body = self.begin()
            if service.flips and body:
                body = bytes([body[0] ^ 1]) + body[1:]
            if "uploadId" in query:
                service.uploads[query["uploadId"][0]][int(query["partNumber"][0])] = body
                self.say(200, ETag=f'"{service.etag(body)}"')
                return
            source = self.headers.get("x-amz-copy-source")
            if source is not None:
                body = service.objects[f"/{unquote(source).lstrip('/')}"][0]
            service.objects[path] = (body, service.etag(body))
            etag = f'"{service.etag(body)}"'
            self.say(
                200, f"<CopyObjectResult><ETag>{etag}</ETag></CopyObjectResult>".encode() if source else b"", ETag=etag
            )

        def do_GET(self) -> None:
            path, query, _ = self.begin()
            if "list-type" in query:
                self.say(200, b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
                return
            if path not in service.objects:
                self.refuse(404, "NoSuchKey")
                return
            data, etag = service.objects[path]
            self.say(200, data, ETag=f'"{etag}"')  # ranges are another thing that it does not know

        def do_HEAD(self) -> None:
            path, _, _ = self.begin()
            if path not in service.objects:
                self.say(404)
                return
            data, etag = service.objects[path]
            self.say(200, ETag=f'"{etag}"', length=str(len(data)))

        def do_POST(self) -> None:
            path, query, _ = self.begin()
            if "uploads" in query:
                if self.headers.get("x-amz-checksum-algorithm"):
                    self.refuse(400, "InvalidRequest")
                    return
                name = f"upload{len(service.uploads)}"
                service.uploads[name] = {}
                root = "InitiateMultipartUploadResult"
                self.say(200, f"<{root}><UploadId>{name}</UploadId></{root}>".encode())
                return
            parts = service.uploads.pop(query["uploadId"][0])
            data = b"".join(parts[number] for number in sorted(parts))
            digests = b"".join(hashlib.md5(parts[number]).digest() for number in sorted(parts))
            etag = f"{service.etag(digests)}-{len(parts)}"
            service.objects[path] = (data, etag)
            root = "CompleteMultipartUploadResult"
            self.say(200, f"<{root}><ETag>&quot;{etag}&quot;</ETag></{root}>".encode())

        def do_DELETE(self) -> None:
            path, _, _ = self.begin()
            service.objects.pop(path, None)
            self.say(204)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    service.url = f"http{'s' if context else ''}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()

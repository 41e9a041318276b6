"""A fake S3 service: objects in memory, read and written by their paths."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import unquote

_ERROR = '<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>{code}</Message></Error>'


class FakeS3:
    """A server that runs within the ``with`` block. ``objects``: "bucket/key" -> content; ``refuses``: a code or ""."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.refuses = ""
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                found = service.objects.get(self.name)
                if service.refuses or found is None:
                    self.refuse(403 if service.refuses else 404, service.refuses or "NoSuchKey")
                else:
                    self.answer(200, found)

            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if service.refuses:
                    self.refuse(403, service.refuses)
                else:
                    service.objects[self.name] = body
                    self.answer(200, b"")

            @property
            def name(self) -> str:
                return unquote(self.path.partition("?")[0].lstrip("/"))

            def refuse(self, status: int, code: str) -> None:
                self.answer(status, _ERROR.format(code=code).encode())

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_request(self, code: object = "-", size: object = "-") -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()

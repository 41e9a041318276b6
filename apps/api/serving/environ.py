"""Translate requests of the server (ASGI) into those of Django (WSGI, PEP 3333)."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO
from urllib.parse import unquote_to_bytes

FILE_CHUNK_BYTES = 128 * 1024
Environ = dict[str, Any]


class FileChunks:
    """The ``wsgi.file_wrapper``: an open file as large chunks. Closing it closes the response that it belongs to."""

    def __init__(self, file: BinaryIO, _block_size: int = 0) -> None:
        self._file = file

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self._file.read(FILE_CHUNK_BYTES), b"")

    def close(self) -> None:
        self._file.close()


def environ_of(scope: dict[str, Any]) -> Environ:
    """Return the WSGI environment of a request without its body.

    Headers with an underscore are dropped: their names would be those of headers with a hyphen, and a proxy that
    removes X-Forwarded-For from clients does not remove X_Forwarded_For.
    """
    server, client = scope.get("server") or ("", "0"), scope.get("client") or ("", "0")
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileChunks,
    }
    for raw_name, raw_value in scope["headers"]:
        if b"_" in raw_name:
            continue
        name, value = raw_name.decode("latin-1").upper().replace("-", "_"), raw_value.decode("latin-1")
        if name not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            name = f"HTTP_{name}"
        if name in environ:
            value = f"{environ[name]}{'; ' if name == 'HTTP_COOKIE' else ','}{value}"
        environ[name] = value
    return environ

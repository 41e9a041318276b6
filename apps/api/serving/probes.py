"""Probes on a port and in threads of their own (PROBE_PORT), so that they answer however busy the web process is."""

from __future__ import annotations

import asyncio
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from apps.api.health import database_answers

LOOP_SECONDS = 2.0
IDLE_SECONDS = 5


class ProbeServer(ThreadingHTTPServer):
    """Answer GET /livez and /readyz for the process whose requests ``event_loop`` serves.

    Web processes share the port, and the kernel chooses one for each connection.
    """

    allow_reuse_port = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], event_loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(address, _ProbeHandler)
        self.event_loop = event_loop

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, name="probes", daemon=True).start()

    def is_alive(self) -> bool:
        """Return whether the event loop runs what it is given."""
        ran = threading.Event()
        self.event_loop.call_soon_threadsafe(ran.set)
        return ran.wait(LOOP_SECONDS)


class _ProbeHandler(BaseHTTPRequestHandler):
    timeout = IDLE_SECONDS
    server: ProbeServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/livez":
            self._answer(200 if self.server.is_alive() else 503)
        elif path == "/readyz":
            self._answer(200 if database_answers() else 503)
        else:
            self._answer(404)

    def _answer(self, status: int) -> None:
        body = json.dumps({"status": "ok" if status == 200 else "failed"}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_request(self, *_: Any) -> None:
        """Log nothing: probes come every few seconds."""

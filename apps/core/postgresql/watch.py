"""Whether a PostgreSQL server answers. The threads of a process share what one of them has found out."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Generator
from contextlib import closing
from typing import Any, TypeVar

from psycopg import OperationalError
from psycopg.waiting import Ready

PATIENCE_SECONDS = 0.8
PROBE_SECONDS = 1.0
# The result of a probe is reused for this long.
VALID_SECONDS = 1.0
DEFAULT_PORT = 5432
_SSL_REQUEST = struct.pack("!II", 8, 80877103)

Result = TypeVar("Result")
_watches: dict[tuple[str, int], Watch] = {}


class Watch:
    """Asks one server whether it answers: a question for TLS, which needs no password and no free connection."""

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._lock = threading.Lock()
        self._answered_at = self._silent_at = float("-inf")

    @classmethod
    def of(cls, parameters: dict[str, Any]) -> Watch:
        """Return the watch of the server that these parameters of a connection name."""
        address = (str(parameters.get("host") or ""), int(parameters.get("port") or DEFAULT_PORT))
        return _watches.setdefault(address, cls(*address))

    def found_silent(self) -> None:
        self._silent_at = time.monotonic()

    def check(self) -> None:
        """Raise OperationalError if the server does not answer. Ask it at most once a second, one thread for all."""
        if not self._is_fresh(self._answered_at) and not self._is_fresh(self._silent_at):
            with self._lock:
                if not self._is_fresh(self._answered_at) and not self._is_fresh(self._silent_at):
                    self._probe()
        if self._silent_at > self._answered_at:
            raise OperationalError("the database server does not respond")

    def _probe(self) -> None:
        try:
            with closing(self._connect()) as server:
                server.sendall(_SSL_REQUEST)
                server.recv(1)  # "S", "N" or an error: the server lives
        except TimeoutError:
            self.found_silent()
        except OSError:
            self._answered_at = time.monotonic()  # it refuses at once, and so will the connection itself
        else:
            self._answered_at = time.monotonic()

    def _connect(self) -> socket.socket:
        if self._host.startswith(("/", "@")) or not self._host:
            server = socket.socket(socket.AF_UNIX)
            server.settimeout(PROBE_SECONDS)
            folder = self._host or "/var/run/postgresql"
            server.connect(f"{folder}/.s.PGSQL.{self._port}".replace("@", "\0", 1))
            return server
        return socket.create_connection((self._host, self._port), PROBE_SECONDS)

    @staticmethod
    def _is_fresh(moment: float) -> bool:
        return time.monotonic() - moment < VALID_SECONDS


def watched(gen: Generator[Any, Any, Result], watch: Watch) -> Generator[Any, Any, Result]:
    """Return psycopg's generator with a check whenever the server has been silent for a while.

    psycopg resumes it with ``Ready.NONE`` several times a second while nothing arrives.
    """
    quiet_since = time.monotonic()
    ready = None
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready == Ready.NONE:
                if time.monotonic() - quiet_since > PATIENCE_SECONDS:
                    watch.check()
            else:
                quiet_since = time.monotonic()
            wanted = gen.send(ready)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]

"""A worker's handle on its engine process: send a page image, receive a recognition, within limits."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
import psutil

from apps.pages.model.errors import page_error
from apps.pages.per_process import PerProcess
from apps.pages.sandbox.escapes import MEANINGS
from apps.pages.sandbox.process import reader_user
from ocr_worker.errors import OcrFailed, OcrTimeout
from ocr_worker.settings import OcrSettings

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 120.0
_MEMORY_CHECK_SECONDS = 0.5
_MAX_REPLY_BYTES = 64 << 20
# After this many pages a fresh process takes over.
_MAX_PAGES = 2000
USUAL_PAGE_PIXELS = 4_000_000
_PASSED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TESSDATA_PREFIX", "PATH", "TMPDIR")
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",  # some imports need it, and a container's user may have no entry with a home
    "PYTHONDONTWRITEBYTECODE": "1",
    "ORT_DISABLE_TELEMETRY": "1",
    # Two workers on two cores are many times slower if each starts threads for both cores.
    "OMP_THREAD_LIMIT": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}

# An engine process ends with the thread that started it (``confinement.die_with_parent``), and threads that read pages
# may end before the process does.
_starter = PerProcess(lambda: ThreadPoolExecutor(1, thread_name_prefix="engine-starter"))


class OcrRequest(msgspec.Struct, frozen=True):
    """How to read the page image that follows. ``languages``: codes; none: detect the script.

    ``parts``: the widths and heights in pixels of pictures below each other, each of which is read on its own.
    ``only_barcodes``: no text is read.
    """

    languages: tuple[str, ...] = ()
    high_resolution: bool = False
    parts: tuple[tuple[int, int], ...] = ()
    only_barcodes: bool = False

    @classmethod
    def of_order(cls, order: Mapping[str, Any]) -> OcrRequest:
        """Return the request of the task ``render_page``; a service of an older release sends fewer fields."""
        return cls(
            languages=tuple(order.get("languages") or ()),
            high_resolution=bool(order.get("high_resolution")),
            parts=tuple((int(width), int(height)) for width, height in order.get("parts") or ()),
            only_barcodes=bool(order.get("only_barcodes")),
        )

    @property
    def pages(self) -> int:
        """The number of usual pages that have as many pixels."""
        return max(1, math.ceil(sum(width * height for width, height in self.parts) / USUAL_PAGE_PIXELS))


class OcrReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """A recognition as JSON, or an error code and its message."""

    recognition: msgspec.Raw = msgspec.Raw(b"")
    code: str = ""
    detail: str = ""


def _report(escapes: frozenset[str]) -> None:
    if escapes:
        listed = ", ".join(MEANINGS[name] for name in sorted(escapes))
        logger.warning("A picture that takes over an OCR engine could %s (docs/isolation.md)", listed)
    else:
        logger.info("OCR engines are confined: a picture that takes one over reaches nothing but its own result")


class EngineProcess:
    """One engine process, started when first needed and again after its end. Threads must not share it."""

    def __init__(self, settings: OcrSettings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._pages = 0
        self._is_ready = False
        self.escapes: frozenset[str] | None = None  # what an engine could do; None before the first page

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process now, so that it loads its engines while the caller does something else."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair()
        arguments = [str(theirs.fileno()), str(os.getpid()), str(reader_user()), *self._settings.engines]
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        self._process = (
            _starter()
            .submit(
                subprocess.Popen,
                [sys.executable, "-s", "-P", "-m", "ocr_worker.engine_process", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                env={**_ENVIRONMENT, **environment, "PYTHONPATH": str(_ROOT)},
                cwd="/",
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for us; the process ends when we do
            )
            .result()
        )
        theirs.close()
        self._connection = Connection(ours.detach())
        self._pages, self._is_ready = 0, False

    def limit_page_seconds(self, seconds: float) -> None:
        """Set the time limit of the next pages."""
        self._settings = msgspec.structs.replace(self._settings, page_seconds=seconds)

    def recognize(self, image: bytes, request: OcrRequest) -> bytes:
        """Return the recognition of an encoded page image, as JSON.

        Raise OcrFailed, OcrTimeout, or a PageError with the code of an error in the engine process.
        """
        self.start()
        connection = self._connection
        assert connection is not None
        try:
            if not self._is_ready:
                try:
                    self._wait(connection, _START_SECONDS)
                    _ready, *escapes = connection.recv_bytes(128).decode().split()
                except (EOFError, OSError, OcrTimeout) as error:
                    raise OcrFailed("The OCR engines could not be loaded; the worker's log has the reason.") from error
                self._is_ready = True
                self.escapes = frozenset(escapes)
                _report(self.escapes)
            connection.send_bytes(msgspec.json.encode(request))
            connection.send_bytes(image)
            self._wait(connection, self._settings.page_seconds * request.pages)
            reply = msgspec.json.decode(connection.recv_bytes(_MAX_REPLY_BYTES), type=OcrReply)
        except (EOFError, OSError, msgspec.DecodeError) as error:
            self.close()
            raise OcrFailed("The process that recognises pages ended unexpectedly; the page is tried again.") from error
        except BaseException:
            self.close()
            raise
        self._pages += 1
        if self._pages >= _MAX_PAGES:
            self.close()
        if reply.code:
            raise page_error(reply.code, reply.detail)
        return bytes(reply.recognition)

    def _wait(self, connection: Connection, seconds: float) -> None:
        """Wait for data, and check the process's memory meanwhile. Raise OcrTimeout, OcrFailed."""
        until = time.monotonic() + seconds
        while not connection.poll(min(_MEMORY_CHECK_SECONDS, max(0.0, until - time.monotonic()))):
            if time.monotonic() >= until:
                raise OcrTimeout
            try:
                megabytes = psutil.Process(self.pid).memory_info().rss >> 20
            except psutil.Error:
                continue  # it has ended; the connection reports that
            if megabytes > self._settings.memory_mb:
                raise OcrFailed("Recognising the page needed more memory than allowed (OCR_MEMORY_MB).")

    def close(self) -> None:
        """End the process; the next page would start another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def __enter__(self) -> EngineProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

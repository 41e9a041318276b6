"""A worker's handle on its engine process: a page image goes in, a recognition comes out, within limits."""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType

import msgspec
import psutil

from apps.pages.model.errors import page_error
from apps.pages.sandbox.process import reader_user
from ocr_worker.errors import OcrFailed, OcrTimeout
from ocr_worker.settings import OcrSettings

logger = logging.getLogger(__name__)

_ROOT = Path(__file__).resolve().parents[1]
_START_SECONDS = 120.0
_LOOK_SECONDS = 0.5
_MAX_REPLY_BYTES = 64 << 20
# A fresh process takes over after so many pages.
_MAX_PAGES = 2000
_HANDED_ON = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TESSDATA_PREFIX", "PATH", "TMPDIR")
_ENVIRONMENT = {
    "LANG": "C.UTF-8",
    "HOME": "/nonexistent",  # asked for at imports; a container's user may have no entry that tells one
    "PYTHONDONTWRITEBYTECODE": "1",
    # Two workers on two cores are many times slower where each takes threads for both.
    "OMP_THREAD_LIMIT": "1",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}


class OcrRequest(msgspec.Struct, frozen=True):
    """How to read the page image that follows; ``languages`` are codes, none: detect them."""

    languages: tuple[str, ...] = ()
    high_resolution: bool = False


class OcrReply(msgspec.Struct, frozen=True, omit_defaults=True):
    """A recognition as JSON, or an error code and its message."""

    recognition: msgspec.Raw = msgspec.Raw(b"")
    code: str = ""
    detail: str = ""


class EngineProcess:
    """One engine process, started when first needed and again after its end. Not to be shared between threads."""

    def __init__(self, settings: OcrSettings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._pages = 0
        self._is_ready = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process, so that it loads its engines while we do something else."""
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        ours, theirs = socket.socketpair()
        arguments = [str(theirs.fileno()), str(os.getpid()), str(reader_user()), *self._settings.engines]
        environment = {name: os.environ[name] for name in _HANDED_ON if name in os.environ}
        self._process = subprocess.Popen(
            [sys.executable, "-s", "-P", "-m", "ocr_worker.engine_process", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={**_ENVIRONMENT, **environment, "PYTHONPATH": str(_ROOT)},
            cwd="/",
            pass_fds=(theirs.fileno(),),
            start_new_session=True,  # Ctrl-C is for us; the process ends when we do
        )
        theirs.close()
        self._connection = Connection(ours.detach())
        self._pages, self._is_ready = 0, False

    def limit_page_seconds(self, seconds: float) -> None:
        """From now on a page may take so long."""
        self._settings = msgspec.structs.replace(self._settings, page_seconds=seconds)

    def recognize(self, image: bytes, order: OcrRequest) -> bytes:
        """The recognition of an encoded page image, as JSON. Raises OcrFailed, OcrTimeout and what the page reader
        raises, with its code."""
        connection = self._ready()
        try:
            connection.send_bytes(msgspec.json.encode(order))
            connection.send_bytes(image)
            self._wait(connection, self._settings.page_seconds)
            answer = msgspec.json.decode(connection.recv_bytes(_MAX_REPLY_BYTES), type=OcrReply)
        except (EOFError, OSError, msgspec.DecodeError) as error:
            self.close()
            raise OcrFailed("The process that recognises pages ended unexpectedly; the page is tried again.") from error
        except BaseException:
            self.close()
            raise
        self._pages += 1
        if self._pages >= _MAX_PAGES:
            self.close()
        if answer.code:
            raise page_error(answer.code, answer.detail)
        return bytes(answer.recognition)

    def _ready(self) -> Connection:
        self.start()
        assert self._connection is not None
        if not self._is_ready:
            try:
                self._wait(self._connection, _START_SECONDS)
                self._connection.recv_bytes(64)
            except (EOFError, OSError, OcrTimeout) as error:
                self.close()
                raise OcrFailed("The OCR engines could not be loaded; the worker's log says why.") from error
            except BaseException:
                self.close()
                raise
            self._is_ready = True
        return self._connection

    def _wait(self, connection: Connection, seconds: float) -> None:
        """Until there is an answer; the process is watched meanwhile."""
        until = time.monotonic() + seconds
        while not connection.poll(min(_LOOK_SECONDS, max(0.0, until - time.monotonic()))):
            if time.monotonic() >= until:
                raise OcrTimeout
            if self._megabytes() > self._settings.memory_mb:
                raise OcrFailed("Recognising the page needed more memory than allowed (OCR_MEMORY_MB).")

    def _megabytes(self) -> int:
        try:
            return int(psutil.Process(self.pid).memory_info().rss >> 20)
        except psutil.Error:
            return 0

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

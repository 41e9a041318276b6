"""An OCR engine that a picture took over: a thread of it tries to reach what it should not, and reports."""

from __future__ import annotations

import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from apps.pages.model.text.languages import Language
from ocr_worker.engines.base import FoundLine, FoundWord, Gray, Needs, OcrEngine, needs
from ocr_worker.networks.ppocr import Quad


class AttackingEngine(OcrEngine):
    """Its text names the attempts that succeeded."""

    name, version = "attacking", "1"

    def __init__(self) -> None:
        self._folder = Path(tempfile.gettempdir())
        self._thread = ThreadPoolExecutor(1)
        self._thread.submit(threading.get_ident).result()  # it runs before the process is restricted

    def knows(self, languages: Sequence[Language]) -> bool:
        return True

    def recognize(self, page: Gray, lines: Sequence[Quad], languages: Sequence[Language]) -> list[FoundLine]:
        attempts: dict[str, Callable[[], object]] = {
            "socket": lambda: socket.socket(socket.AF_INET),
            "connect": self._connect,
            "fork": self._fork,
            "program": lambda: subprocess.run(["/bin/true"], check=False),
            "write": lambda: (self._folder / "leafmill-attack").write_text("x"),
            "read": Path("/etc/passwd").read_text,
            "parent": Path(f"/proc/{os.getppid()}/environ").read_bytes,
            "signal": lambda: os.kill(os.getppid(), 0),
        }
        done = [name for name, attempt in attempts.items() if self._thread.submit(self._succeeds, attempt).result()]
        word = FoundWord(f"succeeded:{'+'.join(done)}", 10, 10, 400, 40, 1.0)
        return [FoundLine((word,), 1.0)]

    def _connect(self) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect("/run/leafmill-no-such-socket")

    def _fork(self) -> None:
        if not os.fork():
            os._exit(0)

    def _succeeds(self, attempt: Callable[[], object]) -> bool:
        try:
            attempt()
        except OSError:
            return False
        return True


@needs(Needs.PROGRAMS)
def make_with_programs() -> AttackingEngine:
    return AttackingEngine()


def make() -> AttackingEngine:
    return AttackingEngine()

"""How far we are, on standard error: one line that changes on a terminal, a few lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable


class Progress:
    """Called with ``(done, total)`` pages."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._every_seconds = 0.1 if self._terminal else 10.0
        self._said_at = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        finished = 0 < total <= done
        self.tell(lambda: f"{done} of {total} pages", at_once=finished)
        if finished and self._terminal and not self._quiet:
            say("")

    def tell(self, text: Callable[[], str], *, at_once: bool = False) -> None:
        """How far we are in other words; they are asked for only when it is time to say something."""
        if self._quiet or (time.monotonic() - self._said_at < self._every_seconds and not at_once):
            return
        self._said_at = time.monotonic()
        if self._terminal:
            self._write(text())
        else:
            say(text())

    def clear(self) -> None:
        """Take the line back, for what is said next."""
        if self._terminal and not self._quiet:
            self._write("")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def say(text: str) -> None:
    """One line for a person, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()

"""How far we are, on standard error: one line that changes on a terminal, a few lines elsewhere."""

from __future__ import annotations

import sys
import time


class Progress:
    """Called with ``(done, total)`` pages; ``total`` 0 while it is not known."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._every_seconds = 0.1 if self._terminal else 10.0
        self._said_at = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        finished = 0 < total <= done
        if self._quiet or (time.monotonic() - self._said_at < self._every_seconds and not finished):
            return
        self._said_at = time.monotonic()
        text = f"{done} of {total} pages" if total else "waiting for the server"
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{text}" + ("\n" if finished else ""))
            sys.stderr.flush()
        else:
            say(text)


def say(text: str) -> None:
    """One line for a person, on standard error."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()

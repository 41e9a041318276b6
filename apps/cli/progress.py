"""Progress on standard error: one line that changes on a terminal, a few lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from apps.pages.model.media_types import PDF

MAX_LISTED = 5
_subject = ""
PDF_COPIED = "The document is a PDF already and was copied. For a text layer: --format searchable_pdf."


class Progress:
    """Called with ``(done, total)`` pages."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._interval_seconds = 0.1 if self._terminal else 10.0
        self._shown_at = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        finished = 0 < total <= done
        self.show(lambda: f"{done} of {total} pages", at_once=finished)
        if finished and self._terminal and not self._quiet:
            sys.stderr.write("\n")

    def show(self, text: Callable[[], str], *, at_once: bool = False) -> None:
        """Show ``text()`` if the interval since the last text is over. ``text`` is called only then."""
        if self._quiet or (time.monotonic() - self._shown_at < self._interval_seconds and not at_once):
            return
        self._shown_at = time.monotonic()
        if self._terminal:
            self._replace_line(text())
        else:
            write_line(text())

    def clear(self) -> None:
        """Erase the progress line before other output."""
        if self._terminal and not self._quiet:
            self._replace_line("")

    def _replace_line(self, text: str) -> None:
        sys.stderr.write(f"\r\x1b[K{_subject if text else ''}{text}")
        sys.stderr.flush()


def write_line(text: str) -> None:
    """Write a line to standard error."""
    sys.stderr.write(f"{_subject}{text}\n")
    sys.stderr.flush()


@contextmanager
def messages_about(name: str) -> Iterator[None]:
    """Begin all messages with this name of a document, those of other threads, too."""
    global _subject
    _subject = f"{name}: "
    try:
        yield
    finally:
        _subject = ""


def listed(names: Sequence[str]) -> str:
    """Return the first names, and the number of the others."""
    more = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(name or "(without a name)" for name in names[:MAX_LISTED]) + more


def attachments_line(names: Sequence[str], media_type: str) -> str:
    """Return the line that names the files attached to a document. Those of a PDF are not parsed."""
    return f"attached files{', not parsed' if media_type == PDF else ''}: {listed(names)}"

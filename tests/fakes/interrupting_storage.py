"""A folder as storage, in which something else may happen whenever a worker reads or writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, BinaryIO

from apps.documents.storage import FolderStorage


class InterruptingStorage(FolderStorage):
    """``interrupt`` is called before a worker writes a file, and before it opens a document, once after it was set."""

    interrupt: Callable[[], None] | None = None

    def write(self, key: str, content: bytes | BinaryIO, *, durable: bool) -> None:
        self._let_happen()
        super().write(key, content, durable=durable)

    def path(self, name: str) -> str:
        if name.endswith("original"):
            self._let_happen()
        return super().path(name)

    def _let_happen(self) -> None:
        happens, InterruptingStorage.interrupt = InterruptingStorage.interrupt, None
        if happens is not None:
            happens()


def options_of(location: str) -> dict[str, Any]:
    """Return the setting for one storage in this folder."""
    backend = f"{InterruptingStorage.__module__}.{InterruptingStorage.__name__}"
    return {"BACKEND": backend, "OPTIONS": {"location": location}}

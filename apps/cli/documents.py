"""The document of the command: a file, standard input or a URL."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def is_url(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def local_document(source: str, folder: Path) -> Path:
    """Return the path of the document. Standard input (``-``) and URLs are first copied into ``folder``."""
    if source == "-":
        document = folder / "stdin"
        with document.open("wb") as copy:
            shutil.copyfileobj(sys.stdin.buffer, copy)
        return document
    if is_url(source):
        from apps.cli.fetch import fetch_document

        return fetch_document(source, folder / "fetched")
    return Path(source)

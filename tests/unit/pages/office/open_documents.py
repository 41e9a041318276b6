"""Write small OpenDocument files."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

SPACES = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{space}:1.0"'
    for name, space in (
        ("office", "office"),
        ("table", "table"),
        ("text", "text"),
        ("style", "style"),
        ("draw", "drawing"),
        ("presentation", "presentation"),
    )
)


def zip_of(path: Path, kind: str, body: str, parts: Mapping[str, str]) -> Path:
    """Write a ``kind`` ("text", "spreadsheet", "presentation") with this body, and with other ``parts``."""
    content = f"<office:body><office:{kind}>{body}</office:{kind}></office:body>"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        archive.writestr("content.xml", f"<office:document-content {SPACES}>{content}</office:document-content>")
        for name, part in parts.items():
            archive.writestr(name, part)
    return path

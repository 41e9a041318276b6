"""The files attached to a PDF: the document's list of embedded files, and the annotations that attach a file.

Only names, types and sizes are read, never the files. Hostile lists loop or have no end, so everything is counted.
Source: PDF 32000-1, 7.11.4 and 12.5.6.15.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from apps.pages.model.document_facts import Attachment
from apps.pages.model.text.safe_text import clean

MAX_ATTACHMENTS = 1_000
MAX_NODES, MAX_PAGES, MAX_ANNOTATIONS = 2_000, 5_000, 20_000
MAX_NAME_CHARACTERS, MAX_SIZE_BYTES = 200, 1 << 50
_ESCAPED = re.compile(r"#([0-9A-Fa-f]{2})")


def read_attachments(pdf: Any) -> tuple[Attachment, ...]:
    """Return the attachments of a document that pikepdf opened, each once, in their order."""
    found: list[Attachment] = []
    seen: set[tuple[int, int]] = set()
    for source in (_embedded(pdf), _annotated(pdf)):
        with suppress(Exception):  # a broken list must not stop the inspection
            for specification in source:
                if len(found) >= MAX_ATTACHMENTS:
                    return tuple(found)
                attachment = _attachment(specification, seen)
                if attachment is not None:
                    found.append(attachment)
    return tuple(found)


def _embedded(pdf: Any) -> Iterator[Any]:
    """Yield the file specifications of the name tree, then those of the files that belong to the whole document."""
    import pikepdf

    names = pdf.Root.get("/Names")
    waiting = [names.get("/EmbeddedFiles")] if isinstance(names, pikepdf.Dictionary) else []
    seen: set[tuple[int, int]] = set()
    visited = 0
    while waiting and visited < MAX_NODES:
        node = waiting.pop()
        visited += 1
        if not isinstance(node, pikepdf.Dictionary) or (node.is_indirect and node.objgen in seen):
            continue
        seen.add(node.objgen)
        pairs, kids = node.get("/Names"), node.get("/Kids")
        if isinstance(pairs, pikepdf.Array):
            for at in range(1, min(len(pairs), 2 * MAX_ATTACHMENTS), 2):
                yield pairs[at]
        if isinstance(kids, pikepdf.Array):
            waiting += [kids[at] for at in reversed(range(min(len(kids), MAX_NODES)))]
    associated = pdf.Root.get("/AF")
    if isinstance(associated, pikepdf.Array):
        for at in range(min(len(associated), MAX_ATTACHMENTS)):
            yield associated[at]


def _annotated(pdf: Any) -> Iterator[Any]:
    """Yield the file specifications of the annotations that attach a file."""
    import pikepdf

    left = MAX_ANNOTATIONS
    for page in itertools.islice(pdf.pages, MAX_PAGES):  # an index would be searched from the first page each time
        listed = page.obj.get("/Annots")
        for at in range(min(len(listed), left)) if isinstance(listed, pikepdf.Array) else ():
            left -= 1
            annotation = listed[at]
            if isinstance(annotation, pikepdf.Dictionary) and str(annotation.get("/Subtype")) == "/FileAttachment":
                yield annotation.get("/FS")


def _attachment(specification: Any, seen: set[tuple[int, int]]) -> Attachment | None:
    """Return the description of an embedded file; None for another file, and for one in ``seen``."""
    import pikepdf

    files = specification.get("/EF") if isinstance(specification, pikepdf.Dictionary) else None
    stream = (files.get("/F") or files.get("/UF")) if isinstance(files, pikepdf.Dictionary) else None
    if not isinstance(stream, pikepdf.Stream) or stream.objgen in seen:
        return None
    seen.add(stream.objgen)
    name = specification.get("/UF") or specification.get("/F") or ""
    media_type = _ESCAPED.sub(lambda code: chr(int(code[1], 16)), str(stream.get("/Subtype", "")))
    parameters = stream.get("/Params")
    size = parameters.get("/Size") if isinstance(parameters, pikepdf.Dictionary) else None
    return Attachment(
        name=_line(str(name)),
        media_type=_line(media_type.removeprefix("/")),
        size_bytes=int(size) if isinstance(size, int) and 0 <= size <= MAX_SIZE_BYTES else None,
    )


def _line(text: str) -> str:
    return " ".join(clean(text).split())[:MAX_NAME_CHARACTERS]

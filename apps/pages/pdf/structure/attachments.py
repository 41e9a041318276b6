"""The files attached to a PDF: the document's list of embedded files, and the annotations that attach a file.

Hostile lists loop or have no end, so everything is counted.
Source: PDF 32000-1, 7.11.4 and 12.5.6.15.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any, NamedTuple

from apps.pages.model.document_facts import Attachment
from apps.pages.model.errors import ArchiveTooLarge, DamagedDocument, UnsupportedDocument
from apps.pages.model.text.safe_text import clean

MAX_ATTACHMENTS = 1_000
MAX_NODES, MAX_PAGES, MAX_ANNOTATIONS = 2_000, 5_000, 20_000
MAX_NAME_CHARACTERS, MAX_SIZE_BYTES = 200, 1 << 50
_ESCAPED = re.compile(r"#([0-9A-Fa-f]{2})")


class AttachedStream(NamedTuple):
    facts: Attachment
    stream: Any


def read_attachments(pdf: Any) -> tuple[AttachedStream, ...]:
    """Return the attachments of a document that pikepdf opened, each once, in their order."""
    found: list[AttachedStream] = []
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


def content_of(stream: Any, max_bytes: int) -> bytes:
    """Return the content of an attached file.

    Raise ArchiveTooLarge if it is longer, DamagedDocument, and UnsupportedDocument if it is packed in an unusual way.
    """
    import pikepdf

    filters = stream.get("/Filter")
    names = [str(each) for each in filters] if isinstance(filters, pikepdf.Array) else [str(filters)] if filters else []
    if names not in ([], ["/FlateDecode"]) or _has_parameters(stream.get("/DecodeParms")):
        raise UnsupportedDocument(
            "The file is packed in the PDF in a way that is not read. Save it alone and send that."
        )
    try:
        content: bytes = stream.read_raw_bytes()
        if names:  # the library would unpack any number of bytes
            unpacker = zlib.decompressobj()
            content = unpacker.decompress(content, max_bytes + 1)
            if len(content) <= max_bytes and not unpacker.eof:
                raise DamagedDocument
    except (pikepdf.PdfError, zlib.error, ValueError, RuntimeError) as error:
        raise DamagedDocument from error
    if len(content) > max_bytes:
        raise ArchiveTooLarge
    return content


def _has_parameters(found: Any) -> bool:
    """Return whether a stream is packed with parameters, such as a predictor; nulls and empty dictionaries are none."""
    import pikepdf

    each = list(found) if isinstance(found, pikepdf.Array) else [found]
    return not all(one is None or (isinstance(one, pikepdf.Dictionary) and not len(one)) for one in each)


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


def _attachment(specification: Any, seen: set[tuple[int, int]]) -> AttachedStream | None:
    """Return an embedded file and its description; None for another file, and for one in ``seen``."""
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
    facts = Attachment(
        name=_line(str(name)),
        media_type=_line(media_type.removeprefix("/")),
        size_bytes=int(size) if isinstance(size, int) and 0 <= size <= MAX_SIZE_BYTES else None,
    )
    return AttachedStream(facts, stream)


def _line(text: str) -> str:
    return " ".join(clean(text).split())[:MAX_NAME_CHARACTERS]

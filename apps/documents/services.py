"""Every write to documents."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import BinaryIO

from apps.accounts.models import Project
from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.documents.models import Document, new_document_id
from apps.pages.errors import EmptyFile

NAME_BYTES = 255


def store_upload(
    *, project: Project, name: str, content: BinaryIO, purpose: str = "parse", external_file_id: str = ""
) -> Document:
    """Keep the bytes durably, then the row; EmptyFile when there are none. The caller has checked the size."""
    digest, size = _digest(content)
    if size == 0:
        raise EmptyFile
    document = Document(
        id=new_document_id(),
        project=project,
        name=clean_name(name),
        sha256=digest,
        size_bytes=size,
        purpose=purpose,
        external_file_id=external_file_id,
    )
    content.seek(0)
    storage.write(storage.original(document.id), content, durable=True)
    document.save(force_insert=True)
    return document


def find_document(*, project: Project, document_id: str) -> Document:
    """The project's document; DocumentNotFound for an unknown id and for another project's alike."""
    document = Document.objects.filter(project=project, pk=document_id).first()
    if document is None:
        raise DocumentNotFound
    return document


def delete_document(*, document: Document) -> None:
    """Remove the row, then the bytes; jobs of the document keep their results and lose the way back to it."""
    document_id = document.id  # Django forgets it with the row
    document.delete()
    storage.delete_document(document_id)


def clean_name(name: str) -> str:
    """The name to show: NFKC first (a fullwidth solidus becomes a real one there), then the last part of the path,
    without control and direction characters, at most 255 bytes; ``document`` when nothing is left."""
    normal = unicodedata.normalize("NFKC", name.encode("utf-8", "replace").decode("utf-8"))
    last = normal.replace("\\", "/").rpartition("/")[2]
    shown = "".join(char for char in last if unicodedata.category(char) not in ("Cc", "Cf", "Cs")).strip()
    if len(shown.encode()) > NAME_BYTES:
        stem, dot, ending = shown.rpartition(".")
        tail = (dot + ending) if stem and len(ending.encode()) <= 10 else ""
        shown = shown.encode()[: NAME_BYTES - len(tail.encode())].decode("utf-8", "ignore") + tail
    return shown if shown.strip(". ") else "document"


def _digest(content: BinaryIO) -> tuple[str, int]:
    sha256, size = hashlib.sha256(), 0
    content.seek(0)
    while chunk := content.read(1024 * 1024):
        sha256.update(chunk)
        size += len(chunk)
    return sha256.hexdigest(), size

"""Every write to documents, and to the notes of bytes that are to be removed."""

from __future__ import annotations

import hashlib
import logging
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import BinaryIO

from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from apps.accounts.models import Project
from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.documents.models import Document, Removal, new_document_id
from apps.pages.model.errors import EmptyFile

logger = logging.getLogger(__name__)

NAME_BYTES = 255
REMOVED_AT_ONCE = 500
# Whoever noted a removal carries it out at once; others take it up when he did not come to it.
HEAD_START = timedelta(minutes=1)
TRIED_AGAIN_AFTER = timedelta(minutes=10)


def store_upload(
    *,
    project: Project,
    name: str,
    content: BinaryIO,
    purpose: str = "parse",
    external_file_id: str = "",
    kept_as_file: bool = True,
) -> Document:
    """Keep the bytes durably, then the row; EmptyFile when there are none. The caller has checked the size.

    ``kept_as_file`` False: the document goes with the last of its jobs.
    """
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
        kept_as_file=kept_as_file,
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


def note_removals(keys: Iterable[str], *, written_for: timedelta | None = None) -> list[Removal]:
    """Note bytes to be removed, in the transaction that takes their rows away: whatever is killed, they are found.

    After the commit the caller hands them to ``remove``. ``written_for``: how long something may still write there.
    """
    until = Now() + written_for if written_for else None
    due_at = Now() + HEAD_START
    removals = [Removal(key=key, noted_at=Now(), due_at=due_at, written_until=until) for key in keys]
    return Removal.objects.bulk_create(removals, ignore_conflicts=True, batch_size=REMOVED_AT_ONCE)


def remove(keys: Sequence[str]) -> int:
    """Remove noted bytes; how many keys are gone. What cannot be removed now is tried again, by ``remove_due``."""
    return sum(_remove(keys[start : start + REMOVED_AT_ONCE]) for start in range(0, len(keys), REMOVED_AT_ONCE))


def _remove(keys: Sequence[str]) -> int:
    gone, kept = [], []
    for key in keys:
        try:
            storage.delete_below(key)
        except Exception:  # each kind of storage has errors of its own
            logger.exception("%s could not be removed from storage; it is tried again", key)
            kept.append(key)
        else:
            gone.append(key)
    Removal.objects.filter(pk__in=kept).update(due_at=Now() + TRIED_AGAIN_AFTER)
    done = Removal.objects.filter(pk__in=gone)
    done.filter(written_until__gt=Now()).update(due_at=F("written_until"))
    done.exclude(written_until__gt=Now()).delete()
    return len(gone)


def remove_due() -> int:
    """Remove noted bytes that are due, a few at a time; how many keys are gone."""
    due = Removal.objects.filter(due_at__lte=Now()).order_by("due_at")
    return remove(list(due.values_list("pk", flat=True)[:REMOVED_AT_ONCE]))


def removals_overdue_seconds() -> float:
    """How long the first noted removal has been waiting beyond its time; 0 without any."""
    waits = Removal.objects.annotate(since=Coalesce("written_until", "noted_at")).filter(since__lt=Now())
    first = waits.order_by("since").values_list("since", flat=True).first()
    return max(0.0, (timezone.now() - first).total_seconds()) if first else 0.0


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

"""All writes to documents, and to the records of bytes to be removed."""

from __future__ import annotations

import hashlib
import logging
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import BinaryIO

from django.db import IntegrityError, transaction
from django.db.models import F
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from apps.accounts.models import Project
from apps.documents import storage
from apps.documents.errors import DocumentNotFound
from apps.documents.models import Document, Removal, new_document_id
from apps.pages.model.errors import EmptyFile

logger = logging.getLogger(__name__)

MAX_NAME_BYTES = 255
REMOVAL_BATCH = 500
# The process that recorded a removal carries it out at once; housekeeping does if that process has not by then.
REMOVAL_GRACE = timedelta(minutes=1)
# A request that has stored its bytes creates their row within seconds.
WITHOUT_ROW = timedelta(hours=1)
RETRY_REMOVAL_AFTER = timedelta(minutes=10)


def store_upload(
    *,
    project: Project,
    name: str,
    content: BinaryIO,
    purpose: str = "parse",
    external_file_id: str = "",
    kept_as_file: bool = True,
) -> Document:
    """Store the bytes as ``store_bytes`` does, then create the row."""
    document = store_bytes(
        project=project,
        name=name,
        content=content,
        purpose=purpose,
        external_file_id=external_file_id,
        kept_as_file=kept_as_file,
    )
    with removed_if_refused(document), transaction.atomic():
        add_document(document)
    return document


def add_document(document: Document) -> None:
    """Create the row of a document whose bytes are stored, inside the caller's transaction."""
    document.save(force_insert=True)
    Removal.objects.filter(pk=storage.document_folder(document.pk)).delete()


@contextmanager
def removed_if_refused(document: Document) -> Iterator[None]:
    """Remove the bytes of ``store_bytes`` if the database refuses the row in the block: its project was deleted."""
    try:
        yield
    except IntegrityError:
        remove([storage.document_folder(document.pk)])
        raise


def store_bytes(
    *,
    project: Project,
    name: str,
    content: BinaryIO,
    purpose: str = "parse",
    external_file_id: str = "",
    kept_as_file: bool = True,
) -> Document:
    """Store the bytes durably, and return the document without its row; ``add_document`` or a new job creates that.

    Bytes that have no row after ``WITHOUT_ROW`` are removed. Raise EmptyFile if there are none. The caller
    checks the size. ``kept_as_file`` False: the document is deleted with the last of its jobs.
    """
    sha256, size = hashlib.sha256(), 0
    content.seek(0)
    while chunk := content.read(1024 * 1024):
        sha256.update(chunk)
        size += len(chunk)
    if size == 0:
        raise EmptyFile
    document = Document(
        id=new_document_id(),
        project=project,
        name=clean_name(name),
        sha256=sha256.hexdigest(),
        size_bytes=size,
        purpose=purpose,
        external_file_id=external_file_id,
        kept_as_file=kept_as_file,
    )
    content.seek(0)
    until = Now() + WITHOUT_ROW
    Removal.objects.create(key=storage.document_folder(document.id), noted_at=until, due_at=until)
    storage.write(storage.original(document.id), content, durable=True)
    return document


def find_document(*, project: Project, document_id: str) -> Document:
    """Return the project's document. Raise DocumentNotFound for an unknown id, and for one of another project."""
    document = Document.objects.filter(project=project, pk=document_id).first()
    if document is None:
        raise DocumentNotFound
    return document


def record_removals(keys: Iterable[str], *, written_for: timedelta | None = None) -> list[Removal]:
    """Record bytes to be removed, in the transaction that deletes their rows, so that a crash leaves no bytes behind.

    After the commit the caller passes the keys to ``remove``. ``written_for``: how long a worker may still write there.
    """
    until = Now() + written_for if written_for else None
    due_at = Now() + REMOVAL_GRACE
    removals = [Removal(key=key, noted_at=Now(), due_at=due_at, written_until=until) for key in keys]
    return Removal.objects.bulk_create(removals, ignore_conflicts=True, batch_size=REMOVAL_BATCH)


def remove(keys: Sequence[str]) -> int:
    """Remove recorded bytes. Return the number of removed keys; ``remove_due`` tries the others again."""
    removed = 0
    for start in range(0, len(keys), REMOVAL_BATCH):
        gone, kept = [], []
        for key in keys[start : start + REMOVAL_BATCH]:
            try:
                storage.delete_below(key)
            except Exception:  # each kind of storage has its own errors
                logger.exception("%s could not be removed from storage; it will be tried again", key)
                kept.append(key)
            else:
                gone.append(key)
        Removal.objects.filter(pk__in=kept).update(due_at=Now() + RETRY_REMOVAL_AFTER)
        done = Removal.objects.filter(pk__in=gone)
        done.filter(written_until__gt=Now()).update(due_at=F("written_until"))
        done.exclude(written_until__gt=Now()).delete()
        removed += len(gone)
    return removed


def remove_due() -> int:
    """Remove a batch of recorded bytes that are due. Return the number of removed keys."""
    due = Removal.objects.filter(due_at__lte=Now()).order_by("due_at")
    return remove(list(due.values_list("pk", flat=True)[:REMOVAL_BATCH]))


def removals_overdue_seconds() -> float:
    """Return for how long the oldest recorded removal is overdue; 0 if there is none."""
    waits = Removal.objects.annotate(since=Coalesce("written_until", "noted_at")).filter(since__lt=Now())
    first = waits.order_by("since").values_list("since", flat=True).first()
    return max(0.0, (timezone.now() - first).total_seconds()) if first else 0.0


def clean_name(name: str) -> str:
    """Return the file name to show.

    NFKC is applied first, because it turns a fullwidth solidus into a real one. Then the path, control and direction
    characters are cut, and the rest is limited to ``MAX_NAME_BYTES``; ``document`` if nothing remains.
    """
    normal = unicodedata.normalize("NFKC", name.encode("utf-8", "replace").decode("utf-8"))
    last = normal.replace("\\", "/").rpartition("/")[2]
    shown = "".join(char for char in last if unicodedata.category(char) not in ("Cc", "Cf", "Cs")).strip()
    if len(shown.encode()) > MAX_NAME_BYTES:
        stem, dot, ending = shown.rpartition(".")
        tail = (dot + ending) if stem and len(ending.encode()) <= 10 else ""
        shown = shown.encode()[: MAX_NAME_BYTES - len(tail.encode())].decode("utf-8", "ignore") + tail
    return shown if shown.strip(". ") else "document"

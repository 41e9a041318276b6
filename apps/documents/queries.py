"""Queries of documents for lists and signed links."""

from __future__ import annotations

from collections.abc import Collection

from django.db.models import QuerySet

from apps.accounts.models import Project
from apps.documents.models import Document


def list_documents(
    *,
    project: Project,
    file_ids: Collection[str] = (),
    file_name: str | None = None,
    external_file_id: str | None = None,
) -> QuerySet[Document]:
    """Return the project's documents with one of these ids and with these values; omitted filters are ignored."""
    rows = Document.objects.filter(project=project)
    if file_ids:
        rows = rows.filter(pk__in=file_ids)
    if file_name is not None:
        rows = rows.filter(name=file_name)
    if external_file_id is not None:
        rows = rows.filter(external_file_id=external_file_id)
    return rows


def find_document_of_link(document_id: str) -> Document | None:
    """Return the document that a signed link names, whatever its project; None if it was deleted."""
    return Document.objects.filter(pk=document_id).first()

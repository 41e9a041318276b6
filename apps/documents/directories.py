"""Directories: named lists of uploaded files, as LlamaCloud's batches need them."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from apps.accounts.models import Project
from apps.documents.errors import DirectoryNotFound, DocumentNotFound, NameTaken
from apps.documents.models import Directory, DirectoryFile, Document


def find_directory(*, project: Project, directory_id: str) -> Directory:
    """Return the project's directory. Raise DirectoryNotFound, also for one of another project."""
    found = Directory.objects.filter(project=project, pk=directory_id[:40]).first()
    if found is None or found.pk != directory_id:
        raise DirectoryNotFound
    return found


def list_directories(*, project: Project, name: str | None = None) -> QuerySet[Directory]:
    """Return the project's directories."""
    rows = Directory.objects.filter(project=project)
    return rows if name is None else rows.filter(name=name)


def list_files(directory: Directory) -> QuerySet[DirectoryFile]:
    """Return the files of a directory with their documents."""
    return DirectoryFile.objects.filter(directory=directory).select_related("document")


def find_file(directory: Directory, file_id: str) -> DirectoryFile:
    """Return a file of the directory. Raise DocumentNotFound."""
    found = list_files(directory).filter(pk=file_id[:40]).first()
    if found is None or found.pk != file_id:
        raise DocumentNotFound
    return found


def add_file(
    *,
    directory: Directory,
    document: Document,
    unique_id: str | None = None,
    display_name: str | None = None,
    metadata: Mapping[str, object] | None = None,
) -> DirectoryFile:
    """Add an uploaded file to a directory. Raise NameTaken if the directory has a file of this ``unique_id``.

    Without one it is the ``external_file_id``, else the name; a second file of that name gets its id instead.
    """
    names = [unique_id] if unique_id else [document.external_file_id or document.name, document.pk]
    for name in names:
        file = DirectoryFile(
            directory=directory,
            document=document,
            display_name=display_name or document.name,
            unique_id=name,
            metadata=dict(metadata or {}),
        )
        try:
            with transaction.atomic():
                file.save(force_insert=True)
        except IntegrityError:
            if not DirectoryFile.objects.filter(directory=directory, unique_id=name).exists():
                raise  # the directory or the document was deleted meanwhile
        else:
            return file
    raise NameTaken
